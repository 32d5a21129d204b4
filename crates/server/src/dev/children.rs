//! `serve` and `execute` as children of `dev`.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use rustix::process::Signal;
use strongroom_lab::process::Process;
use tokio::process::Command;

use super::stack::program;

/// The file with the seconds by which the executor's clock is shifted; debug builds alone read it.
const CLOCK_FILE: &str = "clock-offset";

/// The two processes.
#[derive(Debug)]
pub struct Children {
    serve: Process,
    execute: Process,
}

fn command(verb: &str, config: &Path) -> Result<Command> {
    let mut command = Command::new(program()?);
    command.arg(verb).arg("--config").arg(config);
    Ok(command)
}

/// Shifts the executor's clock by so many seconds from the machine's. A release build does not
/// listen.
pub fn shift_clock(dir: &Path, seconds: i64) -> Result<()> {
    let (draft, file) = (dir.join("clock-draft"), dir.join(CLOCK_FILE));
    std::fs::write(&draft, seconds.to_string())?;
    std::fs::rename(draft, file)?;
    Ok(())
}

impl Children {
    /// Starts both and waits until people can sign in.
    pub async fn start(dir: &Path, server: &str) -> Result<Self> {
        let mut execute = command("execute", &dir.join("execute.yaml"))?;
        // A story that broke off may have left it elsewhere.
        shift_clock(dir, 0)?;
        execute.env("STRONGROOM_CLOCK_FILE", dir.join(CLOCK_FILE));
        let mut execute = Process::start("execute", dir, execute)?;
        let serve = command("serve", &dir.join("serve.yaml"))?;
        let mut serve = Process::start("serve", dir, serve)?;
        let http = strongroom_lab::engine::http_client(None)?;
        // The executor publishes what clients must trust when it is up.
        let trust = format!("{server}/api/v1/trust");
        let up = || async {
            let answer = http.get(&trust).send().await;
            answer.is_ok_and(|answer| answer.status().is_success())
        };
        let ready = serve.wait_ready(Duration::from_mins(1), up).await;
        if !execute.is_running() {
            anyhow::bail!("execute ended while starting:\n{}", execute.log_tail());
        }
        ready?;
        Ok(Self { serve, execute })
    }

    /// Whether both are there.
    pub fn check(&mut self) -> Result<()> {
        for (name, process) in [("serve", &mut self.serve), ("execute", &mut self.execute)] {
            if !process.is_running() {
                anyhow::bail!("{name} ended by itself:\n{}", process.log_tail());
            }
        }
        Ok(())
    }

    /// Makes the executor stand still, as on a machine that hangs.
    pub fn pause_executor(&self) -> Result<()> {
        self.execute.signal(Signal::STOP)
    }

    /// Lets it go on.
    pub fn resume_executor(&self) -> Result<()> {
        self.execute.signal(Signal::CONT)
    }

    /// Asks both to stop and waits for it.
    pub async fn stop(self) -> Result<()> {
        self.serve.stop(Signal::TERM).await?;
        self.execute.stop(Signal::TERM).await
    }
}
