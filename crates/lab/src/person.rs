//! A person at a terminal: runs client verbs of the built program, with a browser that signs them in
//! without clicks. For the development stack and for tests.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use tokio::process::Command;

/// One person at a terminal.
#[derive(Debug, Clone)]
pub struct Person {
    name: String,
    program: PathBuf,
    context: PathBuf,
    server: String,
    key: Option<String>,
    ca_file: Option<PathBuf>,
}

/// What a command printed.
#[derive(Debug, Clone)]
pub struct Printed {
    /// The exit code.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Person {
    /// A person with a context file of their own in `dir`.
    pub fn new(program: &Path, name: &str, dir: &Path, server: &str) -> Result<Self> {
        let people = dir.join("people");
        std::fs::create_dir_all(&people)?;
        Ok(Self {
            name: name.into(),
            program: program.to_owned(),
            context: people.join(format!("{name}.json")),
            server: server.into(),
            key: None,
            ca_file: None,
        })
    }

    /// The same terminal and session, and a browser in which somebody else is.
    #[must_use]
    pub fn with_browser_of(&self, name: &str) -> Self {
        Self { name: name.into(), ..self.clone() }
    }

    /// A machine's terminal: nobody ever signed in there, and there is this key or token.
    #[must_use]
    pub fn as_machine(&self, key: &str) -> Self {
        let context = self.context.with_extension("machine.json");
        Self { context, key: Some(key.to_owned()), ..self.clone() }
    }

    /// The same terminal, on a machine that trusts this CA besides nothing.
    #[must_use]
    pub fn trusting(&self, ca_file: &Path) -> Self {
        Self { ca_file: Some(ca_file.to_owned()), ..self.clone() }
    }

    /// Runs a client verb as this person, with a browser that signs them in without clicks.
    pub async fn run(&self, arguments: &[&str]) -> Result<Printed> {
        self.run_with(arguments, None).await
    }

    /// A client verb as this person, not run yet.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let browser = format!("{} dev-browser --user {}", self.program.display(), self.name);
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .env("STRONGROOM_SERVER", &self.server)
            .env("STRONGROOM_CONTEXT", &self.context)
            .env("BROWSER", browser)
            .env("NO_COLOR", "1")
            .env_remove("STRONGROOM_API_KEY")
            .env_remove("STRONGROOM_API_KEY_FILE")
            .envs(self.key.iter().map(|key| ("STRONGROOM_API_KEY", key)))
            .envs(self.ca_file.iter().map(|file| ("SSL_CERT_FILE", file)))
            .env_remove("VAULT_ADDR")
            .env_remove("BAO_ADDR")
            .env_remove("VAULT_TOKEN")
            .env_remove("BAO_TOKEN")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// The same with text on standard input.
    pub async fn run_with(&self, arguments: &[&str], input: Option<&str>) -> Result<Printed> {
        let mut command = self.command(arguments);
        if input.is_some() {
            command.stdin(Stdio::piped());
        }
        let mut child = command.spawn().context("start a client verb")?;
        if let (Some(input), Some(mut stdin)) = (input, child.stdin.take()) {
            use tokio::io::AsyncWriteExt as _;
            stdin.write_all(input.as_bytes()).await?;
        }
        let output = child.wait_with_output().await?;
        Ok(Printed {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// Runs a verb that must succeed; gives its standard output.
    pub async fn does(&self, arguments: &[&str]) -> Result<String> {
        Ok(self.must(arguments, None, 0).await?.out)
    }

    /// Runs a verb that must end with this code.
    pub async fn must(
        &self,
        arguments: &[&str],
        input: Option<&str>,
        code: i32,
    ) -> Result<Printed> {
        let printed = self.run_with(arguments, input).await?;
        if printed.code != code {
            bail!(
                "{}: `strongroom {}` ended with {} instead of {code}\n{}{}",
                self.name,
                arguments.join(" "),
                printed.code,
                printed.out,
                printed.err
            );
        }
        Ok(printed)
    }

    /// Waits until a file can be previewed: the server follows the clusters within a second or so.
    pub async fn until_previewed(&self, file: &Path) -> Result<()> {
        let (start, file) = (Instant::now(), file.display().to_string());
        let preview = ["apply", "-f", &file, "--dry-run", "--reason", "look"];
        loop {
            let printed = self.run(&preview).await?;
            if printed.code == 0 {
                return Ok(());
            }
            ensure!(start.elapsed() < Duration::from_secs(30), "no preview: {}", printed.err);
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }

    /// Submits a document and gives the request's id.
    pub async fn submits(&self, file: &Path, reason: &str, more: &[&str]) -> Result<String> {
        let file = file.display().to_string();
        let mut arguments = vec!["apply", "-f", &file, "--reason", reason, "--yes", "-o", "name"];
        arguments.extend(more);
        let out = self.does(&arguments).await?;
        let id = out.lines().find_map(|line| line.trim().strip_prefix("request/"));
        Ok(id.with_context(|| format!("no request id in {out:?}"))?.to_owned())
    }

    /// Approves a request.
    pub async fn approves(&self, request: &str) -> Result<Printed> {
        self.must(&["approve", request, "--yes"], None, 0).await
    }
}
