//! The lab that is measured: started like `cargo xtask test` does, with an administrator of the
//! engine and a superuser of the database for what is only preparation.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use secrecy::SecretString;
use serde_json::{Value, json};
use sqlx::postgres::{PgPool, PgPoolOptions};
use strongroom_engine::{Call, EngineAddress, EngineClient, Session, auth, sys};
use strongroom_lab::Person;
use strongroom_lab::kubernetes::KubernetesApi;
use tokio::process::{Child, Command};

use crate::audit::Audit;
use crate::process::Executor;

/// Everything that is measured.
pub struct Lab {
    /// The built program.
    pub program: PathBuf,
    /// The lab's data.
    pub dir: PathBuf,
    told: Value,
    /// The engine's administrator.
    pub admin: Session,
    /// The database's superuser.
    pub database: PgPool,
    /// The cluster.
    pub kubernetes: KubernetesApi,
    /// What the engine wrote down.
    pub audit: Audit,
    dev: Child,
    // Removed after everything that uses it has ended.
    scratch: tempfile::TempDir,
}

impl Lab {
    /// Starts it, and ends its own executor: rows start theirs.
    pub async fn start(program: &Path) -> Result<Self> {
        let scratch = tempfile::Builder::new().prefix("strongroom-bench-").tempdir()?;
        // The Postgres user must reach it too.
        std::fs::set_permissions(scratch.path(), std::fs::Permissions::from_mode(0o755))?;
        let log = scratch.path().join("told.log");
        let out = std::fs::File::create(&log)?;
        let mut dev = Command::new(program)
            .args(["dev", "--lab", "--", "sleep", "1000000"])
            .env("STRONGROOM_DEV_DIR", scratch.path())
            .env_remove("STRONGROOM_LAB")
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out)
            .kill_on_drop(true)
            .spawn()
            .context("start the lab")?;
        let file = scratch.path().join("lab/lab.json");
        let start = Instant::now();
        while !file.is_file() {
            if dev.try_wait()?.is_some() || start.elapsed() > Duration::from_mins(4) {
                bail!("no lab:\n{}", std::fs::read_to_string(&log)?);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let told: Value = serde_json::from_slice(&std::fs::read(&file)?)?;
        let dir = PathBuf::from(text(&told, "/dir")?);
        let client = client(&told)?;
        let admin = administrator(client, text(&told, "/engine/admin_password")?).await?;
        let server = text(&told, "/postgres_admin_url")?;
        let server = server.strip_suffix("/postgres").context("an odd database URL")?;
        let options = PgPoolOptions::new().max_connections(4);
        let database = options.connect(&format!("{server}/strongroom")).await?;
        let kubernetes = KubernetesApi::connect(
            text(&told, "/kubernetes/server")?,
            text(&told, "/kubernetes/ca_pem")?,
            text(&told, "/kubernetes/admin_token")?,
        )?;
        let audit = Audit::new(text(&told, "/engine/audit_log")?);
        let program = program.to_owned();
        let lab = Self { program, dir, told, admin, database, kubernetes, audit, dev, scratch };
        lab.end_first_executor().await?;
        Ok(lab)
    }

    async fn end_first_executor(&self) -> Result<()> {
        let pid = std::fs::read_to_string(self.dir.join("execute.pid"))?;
        let pid = pid.lines().next().and_then(|line| line.parse().ok()).and_then(Pid::from_raw);
        let pid = pid.context("no executor")?;
        kill_process(pid, Signal::TERM)?;
        let start = Instant::now();
        let times = format!("/proc/{}/stat", pid.as_raw_nonzero());
        // A zombie until `dev` reaps it, which it does at its own end.
        while std::fs::read_to_string(&times).is_ok_and(|text| !text.contains(") Z")) {
            if start.elapsed() > Duration::from_mins(1) {
                bail!("the lab's executor does not end");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// A text of the lab's file.
    pub fn text(&self, pointer: &str) -> Result<&str> {
        text(&self.told, pointer)
    }

    /// A client of the engine without token.
    pub fn client(&self) -> Result<EngineClient> {
        client(&self.told)
    }

    /// How far the engine has applied what was stored.
    pub async fn index(&self) -> Result<u64> {
        Ok(sys::applied_index(self.admin.client()).await?.unwrap_or(0))
    }

    /// The executor's configuration, changed.
    pub fn config(&self, name: &str, change: impl Fn(&mut Value)) -> Result<PathBuf> {
        let own = std::fs::read_to_string(self.dir.join("execute.yaml"))?;
        let mut value: Value = serde_json::from_str(&own)?;
        change(&mut value);
        let file = self.dir.join(format!("execute-{name}.yaml"));
        std::fs::write(&file, value.to_string())?;
        Ok(file)
    }

    /// An executor with the lab's own configuration, ready.
    pub async fn executor(&self, name: &str) -> Result<Executor> {
        let config = self.dir.join("execute.yaml");
        let mut executor = Executor::start(&self.program, &self.dir, &config, name)?;
        executor.until_said("swept", 1).await?;
        Ok(executor)
    }

    /// A person who has signed in.
    pub async fn person(&self, name: &str) -> Result<Person> {
        let person = Person::new(&self.program, name, self.scratch.path(), self.text("/server")?)?;
        // An executor behind the counting proxy publishes the proxy's address.
        person.does(&["login", "--accept-new-trust"]).await?;
        Ok(person)
    }

    /// Writes a file for a person to submit.
    pub fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let file = self.scratch.path().join(name);
        std::fs::write(&file, text)?;
        Ok(file)
    }

    /// The state of a request.
    pub async fn state(&self, request: &str) -> Result<String> {
        let id: uuid::Uuid = request.parse()?;
        let row: (String,) =
            sqlx::query_as("SELECT state FROM change_requests WHERE request_id = $1")
                .bind(id)
                .fetch_one(&self.database)
                .await?;
        Ok(row.0)
    }

    /// Has people approve a request as long as it wants votes, until it is applied; gives the
    /// seconds from `approved` to `applied` by the ledger.
    pub async fn settle(&self, request: &str) -> Result<f64> {
        let start = Instant::now();
        let mut voters = ["sue", "bob", "sam", "kim"].into_iter().cycle().take(8);
        loop {
            match self.state(request).await?.as_str() {
                "applied" => break,
                "in_review" => {
                    if let Some(name) = voters.next() {
                        // A sign-in in the second of the freeze is not after it.
                        tokio::time::sleep(Duration::from_millis(1200)).await;
                        let person = self.person(name).await?;
                        // Somebody without a vote in the stage is told so, and the next one is asked.
                        let said = person.run(&["approve", request, "--yes"]).await?;
                        if said.code == 0 {
                            tokio::time::sleep(Duration::from_millis(500)).await;
                        }
                    }
                }
                "submitted" | "approved" | "applying" => {}
                other => bail!("the request is {other}"),
            }
            if start.elapsed() > Duration::from_mins(3) {
                bail!("the request {request} is {}", self.state(request).await?);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.between(request, "request.approved", "request.applied").await
    }

    /// Seconds between two events of a request.
    pub async fn between(&self, request: &str, from: &str, to: &str) -> Result<f64> {
        let id: uuid::Uuid = request.parse()?;
        let (seconds,): (f64,) = sqlx::query_as(
            "SELECT extract(epoch FROM max(at) FILTER (WHERE kind = $3) \
             - max(at) FILTER (WHERE kind = $2))::float8 FROM ledger_events WHERE request_id = $1",
        )
        .bind(id)
        .bind(from)
        .bind(to)
        .fetch_one(&self.database)
        .await?;
        Ok(seconds)
    }

    /// Waits until so many accounts of teams with this prefix are attached.
    pub async fn until_attached(&self, prefix: &str, count: usize) -> Result<()> {
        let start = Instant::now();
        // Each is looked up in the cluster and written in turns: some eight a second here.
        let patience = Duration::from_mins(10) + Duration::from_millis(250 * count as u64);
        loop {
            let (attached,): (i64,) = sqlx::query_as(
                "SELECT count(*) FROM binding_states WHERE team LIKE $1 AND state = 'attached'",
            )
            .bind(format!("{prefix}%"))
            .fetch_one(&self.database)
            .await?;
            if usize::try_from(attached)? >= count {
                return Ok(());
            }
            if start.elapsed() > patience {
                bail!("only {attached} of {count} accounts of {prefix} are attached");
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Ends everything.
    pub async fn end(mut self) -> Result<()> {
        let id = self.dev.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        kill_process(id.context("the lab has ended")?, Signal::TERM)?;
        let _ = tokio::time::timeout(Duration::from_mins(1), self.dev.wait()).await;
        Ok(())
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        // After a failure: ask `dev` to end its parts, and give it the time to.
        let id = self.dev.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let Some(id) = id else { return };
        let _ = kill_process(id, Signal::TERM);
        for _ in 0..150 {
            if self.dev.try_wait().is_ok_and(|status| status.is_some()) {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

fn text<'a>(told: &'a Value, pointer: &str) -> Result<&'a str> {
    told.pointer(pointer).and_then(Value::as_str).with_context(|| format!("no {pointer}"))
}

fn client(told: &Value) -> Result<EngineClient> {
    let address = EngineAddress {
        url: text(told, "/engine/address")?.to_owned(),
        ca_pem: Some(text(told, "/engine/ca_pem")?.to_owned()),
    };
    Ok(EngineClient::new(&address, Duration::from_mins(1))?)
}

async fn administrator(client: EngineClient, password: &str) -> Result<Session> {
    let body = json!({ "password": password });
    let path = "auth/lab/login/admin";
    let envelope = client.call(Call::post(path, path, &body), None).await?;
    let token = envelope.auth.get("client_token").and_then(Value::as_str).context("no token")?;
    let login = auth::Login {
        token: SecretString::from(token),
        ttl_seconds: 4 * 3600,
        entity_id: String::new(),
        policies: Vec::new(),
    };
    Ok(Session::with_login(client, login))
}
