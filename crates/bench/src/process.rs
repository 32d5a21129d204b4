//! A running executor, seen from outside: its memory, its processor time, its log.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::process::{Child, Command};

use crate::measure::float;

/// How long something may take: ten thousand teams are looked at through a proxy for many minutes.
const PATIENCE: Duration = Duration::from_hours(1);

/// A real `strongroom execute`.
pub struct Executor {
    child: Child,
    /// Its log.
    pub log: PathBuf,
    /// When it was started.
    pub begun: Instant,
}

impl Executor {
    /// Starts one with this configuration; its log is `<name>.log` in the lab's directory.
    pub fn start(program: &Path, dir: &Path, config: &Path, name: &str) -> Result<Self> {
        let log = dir.join(format!("{name}.log"));
        let file = std::fs::File::create(&log)?;
        let child = Command::new(program)
            .args(["execute", "--config"])
            .arg(config)
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .kill_on_drop(true)
            .spawn()
            .context("start an executor")?;
        Ok(Self { child, log, begun: Instant::now() })
    }

    /// The number of its process.
    pub fn id(&self) -> u32 {
        self.child.id().unwrap_or(0)
    }

    /// Events of its log with this message.
    pub fn said(&self, message: &str) -> Vec<Value> {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let events = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        events.filter(|event| event["fields"]["message"] == message).collect()
    }

    /// Waits until it has said this at least so many times; gives the time since its start.
    pub async fn until_said(&mut self, message: &str, times: usize) -> Result<Duration> {
        let start = Instant::now();
        while self.said(message).len() < times {
            if self.child.try_wait()?.is_some() || start.elapsed() > PATIENCE {
                bail!("the executor never says {message:?}:\n{}", self.tail());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(self.begun.elapsed())
    }

    fn tail(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    /// Resident memory now and at its highest, MiB.
    pub fn memory(&self) -> Memory {
        memory(self.id())
    }

    /// Processor time so far, seconds.
    pub fn cpu(&self) -> f64 {
        cpu(self.id())
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let pid = i32::try_from(self.id()).ok().and_then(Pid::from_raw).context("it has ended")?;
        Ok(kill_process(pid, signal)?)
    }

    /// Asks it to end, and waits for it.
    pub async fn stop(mut self) -> Result<()> {
        self.signal(Signal::TERM)?;
        tokio::time::timeout(Duration::from_mins(1), self.child.wait()).await??;
        Ok(())
    }
}

/// Resident memory of a process, MiB.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    /// Now.
    pub all: f64,
    /// At its highest.
    pub peak: f64,
    /// Now, without pages of the program's file, which the system takes back as it likes.
    pub own: f64,
}

/// Resident memory of a process.
pub fn memory(id: u32) -> Memory {
    let text = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        let number = line.and_then(|line| line.trim().split(' ').next()?.parse::<u64>().ok());
        float(number.unwrap_or(0)) / 1024.0
    };
    Memory { all: field("VmRSS:"), peak: field("VmHWM:"), own: field("RssAnon:") }
}

/// Processor time of a process so far, seconds.
pub fn cpu(id: u32) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    let rest = text.rsplit(')').next().unwrap_or_default();
    let fields: Vec<u64> = rest.split_whitespace().filter_map(|each| each.parse().ok()).collect();
    // After the state: ppid pgrp session tty tpgid flags and four counts of faults, then times in
    // hundredths. `tpgid` may be -1 and is left out of the list then.
    let times: Vec<&str> = rest.split_whitespace().skip(11).take(2).collect();
    let ticks: u64 = times.iter().filter_map(|each| each.parse::<u64>().ok()).sum();
    if fields.is_empty() { 0.0 } else { float(ticks) / 100.0 }
}
