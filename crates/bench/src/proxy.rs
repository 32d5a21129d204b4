//! A proxy before the engine that counts: calls and bytes, those without a token too, which no
//! audit log shows. It changes nothing.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use anyhow::{Context as _, Result};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};
use strongroom_lab::tls::ServerTls;

use crate::lab::Lab;

/// What went through.
#[derive(Debug, Clone, Default)]
pub struct Passed {
    /// Method and path of each call, in order.
    pub calls: Vec<String>,
    /// Bytes of all answers' bodies.
    pub answered: u64,
}

/// A running proxy.
pub struct Proxy {
    address: String,
    ca_pem: String,
    passed: Arc<Mutex<Passed>>,
    _dir: tempfile::TempDir,
}

struct Engine {
    client: reqwest::Client,
    address: String,
    runtime: tokio::runtime::Handle,
}

impl Proxy {
    /// Listens before the lab's engine.
    pub fn before(lab: &Lab) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let tls = ServerTls::in_dir(dir.path(), &["127.0.0.1"])?;
        let certificates: Vec<CertificateDer<'static>> =
            CertificateDer::pem_file_iter(&tls.cert_file)?.collect::<Result<_, _>>()?;
        let key = PrivateKeyDer::from_pem_file(&tls.key_file)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(certificates, key)?;
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = format!("https://{}", listener.local_addr()?);
        let ca = reqwest::Certificate::from_pem(lab.text("/engine/ca_pem")?.as_bytes())?;
        let client = reqwest::Client::builder().tls_certs_only([ca]).build()?;
        let engine = Engine {
            client,
            address: lab.text("/engine/address")?.to_owned(),
            runtime: tokio::runtime::Handle::current(),
        };
        let (engine, config) = (Arc::new(engine), Arc::new(config));
        let passed = Arc::new(Mutex::new(Passed::default()));
        let shared = passed.clone();
        // Ends with the process.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (config, engine, passed) = (config.clone(), engine.clone(), shared.clone());
                std::thread::spawn(move || {
                    let Ok(connection) = ServerConnection::new(config) else { return };
                    // Otherwise a second write waits 40 ms for the first one's acknowledgement.
                    let _ = stream.set_nodelay(true);
                    let mut stream = StreamOwned::new(connection, stream);
                    while serve(&mut stream, &engine, &passed).is_some() {}
                });
            }
        });
        Ok(Self { address, ca_pem: tls.ca_pem, passed, _dir: dir })
    }

    /// An executor's configuration that goes through here.
    pub fn config(&self, lab: &Lab, name: &str, audit: bool) -> Result<PathBuf> {
        let ca_file = lab.dir.join("proxy-ca.pem");
        std::fs::write(&ca_file, &self.ca_pem)?;
        lab.config(name, |value: &mut Value| {
            value["engine"]["address"] = json!(self.address);
            value["engine"]["ca_file"] = json!(ca_file);
            if !audit && let Some(engine) = value["engine"].as_object_mut() {
                engine.remove("audit_file");
            }
        })
    }

    /// What went through since it was last asked.
    pub fn take(&self) -> Result<Passed> {
        let mut passed = self.passed.lock().ok().context("a proxy thread has ended badly")?;
        Ok(std::mem::take(&mut *passed))
    }
}

type Stream = StreamOwned<ServerConnection, TcpStream>;

/// One call; `None` ends the connection.
fn serve(stream: &mut Stream, engine: &Engine, passed: &Mutex<Passed>) -> Option<()> {
    let mut reader = BufReader::with_capacity(1, &mut *stream);
    let (mut first, mut headers, mut length) = (String::new(), Vec::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if first.is_empty() {
            line.clone_into(&mut first);
        } else if let Some((name, value)) = line.split_once(": ") {
            let name = name.to_lowercase();
            if name == "content-length" {
                length = value.parse().ok()?;
            } else if name != "host" && name != "accept-encoding" {
                headers.push((name, value.to_owned()));
            }
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let mut words = first.split(' ');
    let (method, target) = (words.next()?, words.next()?);
    let verb = reqwest::Method::from_bytes(method.as_bytes()).ok()?;
    let mut request = engine.client.request(verb, format!("{}{target}", engine.address));
    for (name, value) in &headers {
        request = request.header(name, value);
    }
    let (status, answer) = engine.runtime.block_on(async {
        let answer = request.body(body).send().await.ok()?;
        Some((answer.status().as_u16(), answer.bytes().await.ok()?.to_vec()))
    })?;
    {
        let mut passed = passed.lock().ok()?;
        passed.calls.push(format!("{method} {}", target.trim_start_matches("/v1/")));
        passed.answered += answer.len() as u64;
    }
    let head = format!(
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        answer.len()
    );
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(&answer).ok()?;
    stream.flush().ok()
}
