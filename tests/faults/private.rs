//! A lab of one test's own, which it may break.

#![expect(clippy::print_stdout, reason = "a failed test shows the executor's log")]

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::Value;
use sqlx::postgres::{PgPool, PgPoolOptions};
use strongroom_lab::ProviderAdmin;
use strongroom_test_support::{SharedLab, program};
use tokio::process::{Child, Command};

use crate::support::Lab;

/// A whole stack for one test.
pub struct PrivateLab {
    pub lab: Lab,
    dev: Child,
    // Removed after everything that uses it has ended.
    _dir: tempfile::TempDir,
}

impl PrivateLab {
    /// A lab whose parts are up. Between the choice of a free port and its use another process may
    /// have taken it: only that is tried again.
    pub async fn start() -> Self {
        for _ in 0..3 {
            match Self::try_start().await {
                Ok(lab) => return lab,
                Err(told) => assert!(told.contains("address already in use"), "{told}"),
            }
        }
        panic!("three times a port of the lab was taken")
    }

    async fn try_start() -> Result<Self, String> {
        let dir = tempfile::Builder::new().prefix("strongroom-private-").tempdir().unwrap();
        // The Postgres user must reach it too.
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let told = std::fs::File::create(dir.path().join("told.log")).unwrap();
        let mut dev = Command::new(program())
            .args(["dev", "--lab", "--", "sleep", "100000"])
            .env("STRONGROOM_DEV_DIR", dir.path())
            .env_remove("STRONGROOM_LAB")
            .stdin(Stdio::null())
            .stdout(told.try_clone().unwrap())
            .stderr(told)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let file = dir.path().join("lab/lab.json");
        let start = Instant::now();
        while !file.is_file() {
            let text = || std::fs::read_to_string(dir.path().join("told.log")).unwrap();
            if dev.try_wait().unwrap().is_some() {
                return Err(format!("the lab ended:\n{}", text()));
            }
            assert!(start.elapsed() < Duration::from_mins(3), "no lab:\n{}", text());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(Self { lab: Lab::of(SharedLab::read(&file)), dev, _dir: dir })
    }

    pub fn dir(&self) -> &Path {
        self.lab.dir()
    }

    /// The executor that the lab began with.
    fn pid(&self) -> Pid {
        let text = std::fs::read_to_string(self.dir().join("execute.pid")).unwrap();
        Pid::from_raw(text.lines().next().unwrap().parse().unwrap()).unwrap()
    }

    /// Whether the executor that the lab began with is there.
    pub fn executor_is_up(&self) -> bool {
        !is_over(self.pid())
    }

    /// Ends the executor that the lab began with.
    pub async fn executor_end(&self, signal: Signal) {
        let pid = self.pid();
        kill_process(pid, signal).unwrap();
        let start = Instant::now();
        // A zombie until `dev` reaps it, which it does at its own end.
        while !is_over(pid) {
            assert!(start.elapsed() < Duration::from_secs(20), "the executor does not end");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Another executor with the lab's configuration, or with a changed copy of it.
    pub fn executor(&self, name: &str, config: Option<&Path>, env: &[(&str, &str)]) -> Executor {
        let own = self.dir().join("execute.yaml");
        let log = self.dir().join(format!("{name}.log"));
        let file = std::fs::File::options().create(true).append(true).open(&log).unwrap();
        let child = Command::new(program())
            .args(["execute", "--config"])
            .arg(config.unwrap_or(&own))
            .env("STRONGROOM_CLOCK_FILE", self.dir().join("clock-offset"))
            .env_remove("STRONGROOM_FAULT")
            .envs(env.iter().copied())
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Executor { child, log }
    }

    /// Does something with the executor's own program on its host: a local order, a release.
    pub async fn locally(&self, config: &str, arguments: &[&str]) {
        let done = Command::new(program())
            .args(["execute", "--config"])
            .arg(self.dir().join(config))
            .args(arguments)
            .output()
            .await
            .unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    /// Shifts the executor's clock.
    pub fn clock(&self, seconds: i64) {
        let (draft, file) = (self.dir().join("clock-draft"), self.dir().join("clock-offset"));
        std::fs::write(&draft, seconds.to_string()).unwrap();
        std::fs::rename(draft, file).unwrap();
    }

    /// The lab's database as its superuser.
    pub async fn database(&self) -> PgPool {
        let options = PgPoolOptions::new().max_connections(4);
        options.connect(&self.database_url()).await.unwrap()
    }

    /// Where its superuser finds it.
    pub fn database_url(&self) -> String {
        let server = self.lab.text("/postgres_admin_url").strip_suffix("/postgres").unwrap();
        format!("{server}/strongroom")
    }

    /// The administrator of the provider, whom only tests have.
    pub async fn provider(&self) -> ProviderAdmin {
        let text = |name: &str| self.lab.text(&format!("/provider/{name}"));
        ProviderAdmin::sign_in(text("address"), text("admin_password")).await.unwrap()
    }

    /// A copy of the executor's configuration that stands on a changed floor.
    pub fn other_floor(&self, name: &str, change: impl FnOnce(&mut Value)) -> PathBuf {
        let read = |file: &str| -> Value {
            let text = std::fs::read_to_string(self.dir().join(file)).unwrap();
            serde_json::from_str(&text).unwrap()
        };
        let (mut floor, mut config) = (read("floor.yaml"), read("execute.yaml"));
        change(&mut floor);
        let floor_file = format!("floor-{name}.yaml");
        std::fs::write(self.dir().join(&floor_file), floor.to_string()).unwrap();
        config["floor_file"] = floor_file.into();
        let file = self.dir().join(format!("execute-{name}.yaml"));
        std::fs::write(&file, config.to_string()).unwrap();
        file
    }

    /// What an executor of the test's own has logged.
    pub fn log(&self, name: &str) -> String {
        std::fs::read_to_string(self.dir().join(format!("{name}.log"))).unwrap()
    }

    pub async fn end(mut self) {
        let pid = Pid::from_raw(i32::try_from(self.dev.id().unwrap()).unwrap()).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
        let _ = tokio::time::timeout(Duration::from_mins(1), self.dev.wait()).await;
    }
}

impl Drop for PrivateLab {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.dir().join("execute.log")).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            println!("{}", lines[lines.len().saturating_sub(60)..].join("\n"));
        }
        // After a failure: ask `dev` to end its parts, and give it the time to.
        if let Some(id) = self.dev.id()
            && let Some(pid) = i32::try_from(id).ok().and_then(Pid::from_raw)
        {
            let _ = kill_process(pid, Signal::TERM);
            for _ in 0..150 {
                if self.dev.try_wait().is_ok_and(|status| status.is_some()) {
                    return;
                }
                std::thread::sleep(Duration::from_millis(100));
            }
        }
    }
}

/// The executor is dead: nobody has to wait for its lease to run out.
pub async fn lease_ends(database: &PgPool) {
    sqlx::query("UPDATE leases SET expires_at = now()").execute(database).await.unwrap();
}

/// Signals the processes of one of a lab's parts; gives how many there are.
pub fn signal_part(dir: &Path, part: &str, signal: Signal) -> usize {
    let wanted = format!("{}/", dir.join(part).display());
    let mut count = 0;
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if !String::from_utf8_lossy(&line).contains(&wanted) {
            continue;
        }
        let name = entry.file_name();
        let pid = name.to_str().and_then(|text| text.parse().ok()).and_then(Pid::from_raw);
        if let Some(pid) = pid {
            kill_process(pid, signal).unwrap();
            count += 1;
        }
    }
    assert!(count > 0, "no process of {part}");
    count
}

fn is_over(pid: Pid) -> bool {
    let stat = format!("/proc/{}/stat", pid.as_raw_nonzero());
    let state = std::fs::read_to_string(stat).unwrap_or_default();
    let zombie = state.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z'));
    zombie || test_kill_process(pid).is_err()
}

/// An executor of the test's own.
pub struct Executor {
    child: Child,
    log: PathBuf,
}

impl Executor {
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id().unwrap()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Whether it has ended by itself.
    pub fn is_over(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// The number of its process.
    pub fn id(&self) -> u32 {
        self.child.id().unwrap()
    }

    /// Waits for its end, if it ends within the time.
    pub async fn ends_within(&mut self, time: Duration) -> bool {
        tokio::time::timeout(time, self.child.wait()).await.is_ok()
    }

    /// Asks it to end, and waits until it has.
    pub async fn end(&mut self) {
        self.signal(Signal::TERM);
        assert!(self.ends_within(Duration::from_secs(20)).await);
    }

    pub async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }
}

impl Drop for Executor {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = std::fs::read_to_string(&self.log).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            println!("{}", lines[lines.len().saturating_sub(60)..].join("\n"));
        }
    }
}
