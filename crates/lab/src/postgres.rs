//! A private Postgres.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rustix::process::Signal;
use tokio::process::Command;

use crate::parts::Parts;
use crate::process::{Process, random_word, remembered, remembered_port};

/// A running private Postgres on a loopback port, with a password.
#[derive(Debug)]
pub struct Postgres {
    process: Process,
    port: u16,
    password: String,
    psql: PathBuf,
}

/// Whom to run as when we are root: Postgres refuses root.
struct RunAs {
    uid: u32,
    gid: u32,
}

impl RunAs {
    fn find() -> Result<Option<Self>> {
        if !rustix::process::geteuid().is_root() {
            return Ok(None);
        }
        let users = std::fs::read_to_string("/etc/passwd").context("read /etc/passwd")?;
        for name in ["postgres", "nobody"] {
            for line in users.lines() {
                let mut parts = line.split(':');
                if parts.next() != Some(name) {
                    continue;
                }
                let mut ids = parts.skip(1).map(str::parse::<u32>);
                if let (Some(Ok(uid)), Some(Ok(gid))) = (ids.next(), ids.next()) {
                    return Ok(Some(Self { uid, gid }));
                }
            }
        }
        bail!("Postgres refuses to run as root and there is no user `postgres` or `nobody`")
    }

    fn give(&self, dir: &Path) -> Result<()> {
        std::os::unix::fs::chown(dir, Some(self.uid), Some(self.gid))
            .with_context(|| format!("give {} to the Postgres user", dir.display()))
    }
}

impl Postgres {
    /// Starts a server on `dir`; a new one is initialised. `safe` keeps `fsync` on.
    pub async fn start(parts: &Parts, dir: &Path, safe: bool) -> Result<Self> {
        std::fs::create_dir_all(dir)?;
        let run_as = RunAs::find()?;
        let password = remembered(&dir.join("password"), || random_word(16))?;
        let data = dir.join("data");
        let command = |program: &str| {
            let mut command = Command::new(parts.postgres_bin.join(program));
            command.current_dir("/");
            if let Some(user) = &run_as {
                command.uid(user.uid).gid(user.gid);
            }
            command
        };
        if !data.join("PG_VERSION").is_file() {
            initialise(&data, &password, run_as.as_ref(), command("initdb")).await?;
        }
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let port = remembered_port(dir, "postgres", address)?;
        let mut server = command("postgres");
        server.arg("-D").arg(&data).args(["-p", &port.to_string()]);
        server.args(["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]);
        server.args(["-c", "max_connections=400"]);
        if !safe {
            server.args(["-c", "fsync=off", "-c", "full_page_writes=off"]);
        }
        let mut process = Process::start("postgres", dir, server)?;
        let ready = parts.postgres_bin.join("pg_isready");
        process
            .wait_ready(Duration::from_mins(1), || async {
                let mut probe = Command::new(&ready);
                probe.args(["-q", "-h", "127.0.0.1", "-p", &port.to_string()]);
                probe.status().await.is_ok_and(|status| status.success())
            })
            .await?;
        Ok(Self { process, port, password, psql: parts.postgres_bin.join("psql") })
    }

    /// A URL as the superuser of this private server.
    pub fn admin_url(&self, database: &str) -> String {
        self.url("postgres", &self.password, database)
    }

    /// A URL as some other user.
    pub fn url(&self, user: &str, password: &str, database: &str) -> String {
        format!("postgres://{user}:{password}@127.0.0.1:{}/{database}", self.port)
    }

    /// What a database administrator at a terminal would do: statements in one session.
    pub async fn administer(&self, database: &str, statements: &[&str]) -> Result<()> {
        let mut psql = Command::new(&self.psql);
        psql.args(["--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1"]);
        psql.args([
            "-h",
            "127.0.0.1",
            "-p",
            &self.port.to_string(),
            "-U",
            "postgres",
            "-d",
            database,
        ]);
        for statement in statements {
            psql.args(["-c", statement]);
        }
        let output = psql.env("PGPASSWORD", &self.password).output().await.context("run psql")?;
        if !output.status.success() {
            bail!("psql failed:\n{}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(())
    }

    /// Ends the server cleanly.
    pub async fn stop(self) -> Result<()> {
        // Fast shutdown: connections are ended, data is written.
        self.process.stop(Signal::INT).await
    }
}

async fn initialise(
    data: &Path,
    password: &str,
    run_as: Option<&RunAs>,
    mut initdb: Command,
) -> Result<()> {
    let _ = std::fs::remove_dir_all(data);
    std::fs::create_dir_all(data)?;
    let file: PathBuf = data.with_extension("pwfile");
    crate::process::write_private(&file, password.as_bytes())?;
    if let Some(user) = run_as {
        user.give(data)?;
        user.give(&file)?;
    }
    initdb.arg("-D").arg(data).arg("--pwfile").arg(&file);
    initdb.args(["-U", "postgres", "-A", "scram-sha-256", "-E", "UTF8", "--locale=C", "--no-sync"]);
    let output = initdb.output().await.context("run initdb")?;
    let _ = std::fs::remove_file(&file);
    if !output.status.success() {
        let _ = std::fs::remove_dir_all(data);
        bail!("initdb failed:\n{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}
