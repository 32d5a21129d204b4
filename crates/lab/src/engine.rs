//! An OpenBao server as the engine: TLS, raft storage, static seal, two audit devices, and an
//! `initialize` stanza, so that it sets itself up and no root token is ever seen.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use rustix::process::Signal;
use serde_json::Value;
use tokio::process::Command;

use crate::parts::Parts;
use crate::process::{Process, remembered_port, write_private};
use crate::tls::ServerTls;

/// One write of the `initialize` stanza.
#[derive(Debug, Clone)]
pub struct InitRequest {
    /// A name, unique in the stanza.
    pub name: String,
    /// The path.
    pub path: String,
    /// The body, a JSON object.
    pub data: Value,
}

/// What differs from server to server.
#[derive(Debug, Clone, Default)]
pub struct EngineOptions {
    /// Another binary than the lab's.
    pub binary: Option<PathBuf>,
    /// What the server does to itself at its first start.
    pub initialize: Vec<InitRequest>,
    /// Serve plain HTTP (the lab's provider) instead of TLS.
    pub plain_http: bool,
}

/// A running engine.
#[derive(Debug)]
pub struct Engine {
    process: Process,
    address: String,
    ca_pem: Option<String>,
    dir: PathBuf,
}

impl Engine {
    /// Starts a server on `dir`; at the first start it initialises itself.
    pub async fn start(parts: &Parts, dir: &Path, options: EngineOptions) -> Result<Self> {
        let data = dir.join("data");
        std::fs::create_dir_all(&data)?;
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let port = remembered_port(dir, "api", loopback)?;
        let cluster_port = remembered_port(dir, "cluster", loopback)?;
        let tls = if options.plain_http {
            None
        } else {
            Some(ServerTls::in_dir(dir, &["127.0.0.1", "localhost"])?)
        };
        let key = dir.join("unseal.key");
        if !key.is_file() {
            let mut bytes = [0; 32];
            getrandom::fill(&mut bytes).context("get randomness")?;
            write_private(&key, &bytes)?;
        }
        let scheme = if tls.is_some() { "https" } else { "http" };
        let address = format!("{scheme}://127.0.0.1:{port}");
        let mut config = format!(
            "ui = true\nlog_level = \"warn\"\ndisable_mlock = true\napi_addr = \"{address}\"\n\
             cluster_addr = \"https://127.0.0.1:{cluster_port}\"\n"
        );
        let mut line = |text: String| {
            config.push_str(&text);
            config.push('\n');
        };
        line("listener \"tcp\" {".into());
        line(format!("  address = \"127.0.0.1:{port}\""));
        line(format!("  cluster_address = \"127.0.0.1:{cluster_port}\""));
        match &tls {
            Some(tls) => {
                line(format!("  tls_cert_file = {}", quoted(&tls.cert_file)));
                line(format!("  tls_key_file = {}", quoted(&tls.key_file)));
            }
            None => line("  tls_disable = true".into()),
        }
        line("}".into());
        line(format!(
            "storage \"raft\" {{\n  path = {}\n  node_id = \"n1\"\n  performance_multiplier = 1\n}}",
            quoted(&data)
        ));
        line(format!(
            "seal \"static\" {{\n  current_key_id = \"k1\"\n  current_key = \"file://{}\"\n}}",
            key.display()
        ));
        // Fewer than two devices means no writes by Strongroom.
        for name in ["one", "two"] {
            line(format!(
                "audit \"file\" \"{name}\" {{\n  description = \"audit\"\n  options {{\n    \
                 file_path = {}\n  }}\n}}",
                quoted(&dir.join(format!("audit-{name}.log")))
            ));
        }
        if !options.initialize.is_empty() {
            line(initialize_stanza(&options.initialize));
        }
        let config_file = dir.join("config.hcl");
        // It may hold the executor's first SecretID.
        write_private(&config_file, config.as_bytes())?;
        let mut command = Command::new(options.binary.as_ref().unwrap_or(&parts.bao));
        command.arg("server").arg("-config").arg(&config_file);
        let mut process = Process::start("engine", dir, command)?;
        let ca_pem = tls.map(|tls| tls.ca_pem);
        let http = http_client(ca_pem.as_deref())?;
        let health = format!("{address}/v1/sys/health");
        process
            .wait_ready(Duration::from_secs(90), || async {
                http.get(&health).send().await.is_ok_and(|answer| answer.status() == 200)
            })
            .await?;
        Ok(Self { process, address, ca_pem, dir: dir.to_owned() })
    }

    /// `https://127.0.0.1:port`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The CA to trust.
    pub fn ca_pem(&self) -> Option<&str> {
        self.ca_pem.as_deref()
    }

    /// The files of the two audit devices.
    pub fn audit_logs(&self) -> [PathBuf; 2] {
        [self.dir.join("audit-one.log"), self.dir.join("audit-two.log")]
    }

    /// Stops the server's clock: it answers nothing until resumed.
    pub fn pause(&self) -> Result<()> {
        self.process.signal(Signal::STOP)
    }

    /// Lets a paused server go on.
    pub fn resume(&self) -> Result<()> {
        self.process.signal(Signal::CONT)
    }

    /// Ends the server cleanly.
    pub async fn stop(self) -> Result<()> {
        self.process.stop(Signal::TERM).await
    }

    /// Ends the server as a crash would.
    pub async fn kill(self) -> Result<()> {
        self.process.kill().await
    }
}

/// An HTTP client that trusts this CA only.
pub fn http_client(ca_pem: Option<&str>) -> Result<reqwest::Client> {
    let mut builder = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_secs(20))
        .no_proxy();
    if let Some(pem) = ca_pem {
        builder = builder.tls_certs_only([reqwest::Certificate::from_pem(pem.as_bytes())?]);
    }
    builder.build().context("build an HTTP client")
}

fn quoted(path: &Path) -> String {
    hcl_text(&path.display().to_string())
}

/// HCL takes JSON's escapes; only the start of a template needs one more.
fn hcl_text(text: &str) -> String {
    Value::from(text).to_string().replace("${", "$${").replace("%{", "%%{")
}

fn initialize_stanza(requests: &[InitRequest]) -> String {
    let mut text = String::from("initialize \"bootstrap\" {\n");
    for request in requests {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  request {} {{", hcl_text(&request.name));
        let _ = writeln!(text, "    operation = \"update\"");
        let _ = writeln!(text, "    path = {}", hcl_text(&request.path));
        let _ = writeln!(text, "    data = {}", hcl_value(&request.data));
        text.push_str("  }\n");
    }
    text.push('}');
    text
}

fn hcl_value(value: &Value) -> String {
    match value {
        Value::String(text) => hcl_text(text),
        Value::Array(items) => {
            format!("[{}]", items.iter().map(hcl_value).collect::<Vec<_>>().join(", "))
        }
        Value::Object(map) => {
            let entries = map.iter().map(|(k, v)| format!("{} = {}", hcl_text(k), hcl_value(v)));
            format!("{{ {} }}", entries.collect::<Vec<_>>().join(", "))
        }
        scalar => scalar.to_string(),
    }
}
