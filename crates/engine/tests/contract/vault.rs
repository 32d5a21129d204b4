//! HashiCorp Vault has no static seal, no self-initialisation and no declared audit devices: it is
//! initialised, unsealed and prepared by hand here, and its root token is given back.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};
use strongroom_lab::InitRequest;
use strongroom_lab::engine::http_client;
use strongroom_lab::process::{Process, remembered_port, write_private};
use strongroom_lab::tls::ServerTls;

/// A running Vault.
#[derive(Debug)]
pub struct Vault {
    process: Process,
    address: String,
    ca_pem: String,
}

struct Root {
    http: reqwest::Client,
    address: String,
    token: String,
}

impl Root {
    async fn send(&self, method: Method, path: &str, body: &Value) -> Result<Value> {
        let request = self
            .http
            .request(method, format!("{}/v1/{path}", self.address))
            .header("x-vault-token", &self.token)
            .json(body);
        let answer = request.send().await.with_context(|| path.to_owned())?;
        let status = answer.status();
        let text = answer.text().await?;
        ensure!(status.is_success(), "{path}: {status} {text}");
        Ok(serde_json::from_str(&text).unwrap_or_default())
    }

    async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.send(Method::POST, path, body).await
    }
}

impl Vault {
    /// Starts a server on a fresh directory and tells it the same as OpenBao tells itself.
    pub async fn start(binary: &Path, dir: &Path, preparation: &[InitRequest]) -> Result<Self> {
        std::fs::create_dir_all(dir.join("data"))?;
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let port = remembered_port(dir, "api", loopback)?;
        let cluster_port = remembered_port(dir, "cluster", loopback)?;
        let tls = ServerTls::in_dir(dir, &["127.0.0.1", "localhost"])?;
        let address = format!("https://127.0.0.1:{port}");
        // JSON is HCL too, and needs no care with quoting.
        let config = json!({
            "disable_mlock": true,
            "api_addr": address,
            "cluster_addr": format!("https://127.0.0.1:{cluster_port}"),
            "storage": { "raft": { "path": dir.join("data"), "node_id": "n1" } },
            "listener": { "tcp": {
                "address": format!("127.0.0.1:{port}"),
                "cluster_address": format!("127.0.0.1:{cluster_port}"),
                "tls_cert_file": tls.cert_file,
                "tls_key_file": tls.key_file,
            } },
        });
        let config_file = dir.join("config.json");
        write_private(&config_file, config.to_string().as_bytes())?;
        let mut command = tokio::process::Command::new(binary);
        command.arg("server").arg("-config").arg(&config_file);
        let mut process = Process::start("vault", dir, command)?;
        let http = http_client(Some(&tls.ca_pem))?;
        let health = format!("{address}/v1/sys/health");
        let is = |status: u16| {
            let (http, health) = (http.clone(), health.clone());
            move || {
                let asked = http.get(&health).send();
                async move { asked.await.is_ok_and(|answer| answer.status() == status) }
            }
        };
        process.wait_ready(Duration::from_mins(1), is(501)).await?;

        let mut root = Root { http: http.clone(), address: address.clone(), token: String::new() };
        let shares = json!({ "secret_shares": 1, "secret_threshold": 1 });
        let keys = root.post("sys/init", &shares).await?;
        let text = |pointer: &str| -> Result<String> {
            let found = keys.pointer(pointer).and_then(Value::as_str);
            Ok(found.context("no keys in the answer")?.to_owned())
        };
        root.token = text("/root_token")?;
        let key = json!({ "key": text("/keys/0")? });
        root.post("sys/unseal", &key).await?;
        process.wait_ready(Duration::from_mins(1), is(200)).await?;
        for name in ["one", "two"] {
            let file = dir.join(format!("audit-{name}.log"));
            let device = json!({ "type": "file", "options": { "file_path": file } });
            root.post(&format!("sys/audit/{name}"), &device).await?;
        }
        for request in preparation {
            root.post(&request.path, &request.data).await?;
        }
        root.post("auth/token/revoke-self", &json!({})).await?;
        Ok(Self { process, address, ca_pem: tls.ca_pem })
    }

    /// `https://127.0.0.1:port`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The CA to trust.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// Stops the server's clock.
    pub fn pause(&self) -> Result<()> {
        self.process.signal(rustix::process::Signal::STOP)
    }

    /// Lets it go on.
    pub fn resume(&self) -> Result<()> {
        self.process.signal(rustix::process::Signal::CONT)
    }

    /// Ends it cleanly.
    pub async fn stop(self) -> Result<()> {
        self.process.stop(rustix::process::Signal::TERM).await
    }
}
