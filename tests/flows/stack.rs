//! `strongroom dev` itself: the story, a restart on the same data, Ctrl-C.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

fn dev(dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(strongroom_test_support::program());
    command.arg("dev").args(arguments).env("STRONGROOM_DEV_DIR", dir);
    command.env_remove("STRONGROOM_LAB").kill_on_drop(true);
    command
}

/// A directory that the Postgres user can reach too.
fn open_dir() -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::Builder::new().prefix("strongroom-dev-").tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    dir
}

#[tokio::test]
async fn the_story_is_so_survives_a_restart_and_ends_with_ctrl_c() {
    let dir = open_dir();
    let log = dir.path().join("told.log");
    let start = Instant::now();
    let mut first = begin(dir.path(), &log, &[]);
    until_said(&mut first, &log, "Strongroom is up").await;
    let text = std::fs::read_to_string(&log).unwrap();
    assert!(text.contains("All of it is so"), "{text}");
    for step in 1..=16 {
        let told = text.lines().any(|line| {
            line.trim_start().starts_with("ok ") && line.contains(&format!("s  {step}. "))
        });
        assert!(told, "step {step} is not told:\n{text}");
    }
    println!("the story took {:?} with all parts", start.elapsed());
    end(first).await;
    let alive = processes_under(dir.path());
    assert!(alive.is_empty(), "children outlive dev: {alive:?}");

    let mut second = begin(dir.path(), &log, &[]);
    until_said(&mut second, &log, "The story was told on this data before").await;
    until_said(&mut second, &log, "Strongroom is up").await;
    end(second).await;
    assert!(processes_under(dir.path()).is_empty());
}

fn begin(dir: &Path, log: &Path, arguments: &[&str]) -> Child {
    let out = std::fs::File::create(log).unwrap();
    let err = out.try_clone().unwrap();
    dev(dir, arguments).stdin(Stdio::null()).stdout(out).stderr(err).spawn().unwrap()
}

async fn until_said(child: &mut Child, log: &Path, what: &str) {
    let start = Instant::now();
    loop {
        let text = std::fs::read_to_string(log).unwrap();
        if text.contains(what) {
            return;
        }
        if let Some(status) = child.try_wait().unwrap() {
            panic!("dev ended with {status}:\n{text}");
        }
        assert!(start.elapsed() < Duration::from_mins(4), "never said {what:?}:\n{text}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn end(mut child: Child) {
    let pid = Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    let status = tokio::time::timeout(Duration::from_mins(1), child.wait()).await;
    let status = status.expect("dev does not end").unwrap();
    assert!(status.success(), "dev ended with {status}");
}

/// Processes whose command line names the directory.
fn processes_under(dir: &Path) -> Vec<String> {
    let dir = dir.display().to_string();
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        if line.contains(&dir) {
            found.push(line);
        }
    }
    found
}
