//! Child processes that end with us, and are found again if we were killed.

use std::fs;
use std::future::Future;
use std::net::{IpAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::process::{Child, Command};

/// A running part.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    pid: Pid,
    pid_file: PathBuf,
    log: PathBuf,
}

impl Process {
    /// Starts a program with its output in `<dir>/<name>.log` and its id in `<dir>/<name>.pid`.
    ///
    /// A leftover of a killed run on the same directory is ended first.
    pub fn start(name: &str, dir: &Path, mut command: Command) -> Result<Self> {
        let pid_file = dir.join(format!("{name}.pid"));
        end_leftover(&pid_file)?;
        let log = dir.join(format!("{name}.log"));
        let out = fs::File::options()
            .create(true)
            .append(true)
            .open(&log)
            .with_context(|| format!("open {}", log.display()))?;
        command
            .stdin(std::process::Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out)
            .process_group(0)
            .kill_on_drop(true);
        let child = command.spawn().with_context(|| format!("start {name}"))?;
        let raw = child.id().and_then(|id| i32::try_from(id).ok());
        let pid = raw.and_then(Pid::from_raw).with_context(|| format!("{name} ended at once"))?;
        let executable = fs::read_link(format!("/proc/{}/exe", pid.as_raw_nonzero()));
        let executable = executable.map(|path| path.display().to_string()).unwrap_or_default();
        fs::write(&pid_file, format!("{}\n{executable}\n", pid.as_raw_nonzero()))?;
        Ok(Self { name: name.to_owned(), child, pid, pid_file, log })
    }

    /// Whether the process is still there.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits until `ready` answers true, and fails with the log's tail when the process ends or the
    /// deadline passes.
    pub async fn wait_ready<F: Future<Output = bool>>(
        &mut self,
        deadline: Duration,
        ready: impl Fn() -> F,
    ) -> Result<()> {
        let start = Instant::now();
        loop {
            if ready().await {
                return Ok(());
            }
            if !self.is_running() {
                bail!("{} ended while starting:\n{}", self.name, self.log_tail());
            }
            if start.elapsed() > deadline {
                bail!("{} is not ready after {deadline:?}:\n{}", self.name, self.log_tail());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The last lines of the log.
    pub fn log_tail(&self) -> String {
        let text = fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }

    /// Sends a signal to the process alone.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        kill_process(self.pid, signal).with_context(|| format!("signal {}", self.name))
    }

    /// Ends the process: politely, then for good after ten seconds.
    pub async fn stop(mut self, signal: Signal) -> Result<()> {
        if self.is_running() {
            let _ = self.signal(signal);
            let waited = tokio::time::timeout(Duration::from_secs(10), self.child.wait()).await;
            if waited.is_err() {
                let _ = kill_process_group(self.pid, Signal::KILL);
                self.child.wait().await?;
            }
        }
        let _ = fs::remove_file(&self.pid_file);
        Ok(())
    }

    /// Ends the process at once, as a crash would.
    pub async fn kill(mut self) -> Result<()> {
        let _ = kill_process_group(self.pid, Signal::KILL);
        self.child.wait().await?;
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // `kill_on_drop` ends the process itself; its own children (Postgres) are in its group.
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = kill_process_group(self.pid, Signal::KILL);
        }
    }
}

/// Ends the process that a killed run left behind, if it still is that program.
fn end_leftover(pid_file: &Path) -> Result<()> {
    let Ok(text) = fs::read_to_string(pid_file) else {
        return Ok(());
    };
    let mut lines = text.lines();
    let pid = lines.next().and_then(|line| line.parse().ok()).and_then(Pid::from_raw);
    let (Some(pid), Some(executable)) = (pid, lines.next()) else {
        return Ok(());
    };
    let running = fs::read_link(format!("/proc/{}/exe", pid.as_raw_nonzero()));
    let same = running.is_ok_and(|path| path.display().to_string() == executable);
    if same && !executable.is_empty() {
        let _ = kill_process_group(pid, Signal::KILL);
        let start = Instant::now();
        while Path::new(&format!("/proc/{}/exe", pid.as_raw_nonzero())).exists()
            && start.elapsed() < Duration::from_secs(5)
        {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    fs::remove_file(pid_file).with_context(|| format!("remove {}", pid_file.display()))
}

/// A port that is free now. Another process may take it before it is used; callers try again.
pub fn free_port(address: IpAddr) -> Result<u16> {
    Ok(TcpListener::bind((address, 0)).context("ask for a free port")?.local_addr()?.port())
}

/// A port remembered in a file of the part's directory, so that addresses survive a restart; a new
/// one when there is none yet or somebody else has it now.
pub fn remembered_port(dir: &Path, name: &str, address: IpAddr) -> Result<u16> {
    let file = dir.join(format!("{name}.port"));
    if let Ok(text) = fs::read_to_string(&file)
        && let Ok(port) = text.trim().parse::<u16>()
        && TcpListener::bind((address, port)).is_ok()
    {
        return Ok(port);
    }
    let port = free_port(address)?;
    fs::write(&file, port.to_string())?;
    Ok(port)
}

/// A text remembered in a file that only we can read; made at the first call.
pub fn remembered(path: &Path, make: impl FnOnce() -> Result<String>) -> Result<String> {
    if let Ok(text) = fs::read_to_string(path) {
        return Ok(text);
    }
    let text = make()?;
    write_private(path, text.as_bytes())?;
    Ok(text)
}

/// Writes a file that only we can read.
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file = fs::File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("write {}", path.display()))?;
    file.write_all(bytes)?;
    Ok(())
}

/// A random word of hexadecimal digits.
pub fn random_word(bytes: usize) -> Result<String> {
    let mut buffer = vec![0; bytes];
    getrandom::fill(&mut buffer).context("get randomness")?;
    Ok(hex::encode(buffer))
}
