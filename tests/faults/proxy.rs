//! A proxy before the engine that does what a real engine will not do on demand.
//!
//! It forwards what it is sent, byte by byte in bodies; only who set a fault changes that.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};
use strongroom_lab::tls::ServerTls;

/// What happens to a call.
#[derive(Debug, Clone, Copy)]
pub enum Fault {
    /// Answered with this status and sentence; the engine never sees it.
    Status(u16, &'static str),
    /// The engine does it, and the answer is lost.
    Cut,
    /// The connection ends before the engine sees it.
    Refuse,
    /// The engine gets it after so long.
    Slow(Duration),
    /// The engine says that it has one audit device.
    OneAuditDevice,
}

/// Which calls it happens to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum To {
    /// All.
    All,
    /// Those that write configuration; sign-ins and look-ups go through.
    Writes,
    /// Every third of them.
    SomeWrites,
}

#[derive(Default)]
struct State {
    fault: Option<(Fault, To)>,
    writes: u64,
    hits: u64,
}

/// A running proxy.
pub struct Proxy {
    address: String,
    ca_pem: String,
    state: Arc<Mutex<State>>,
    _dir: tempfile::TempDir,
}

struct Engine {
    client: reqwest::Client,
    address: String,
    runtime: tokio::runtime::Handle,
}

impl Proxy {
    /// Listens before the engine at this address.
    pub fn before(address: &str, ca_pem: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let tls = ServerTls::in_dir(dir.path(), &["127.0.0.1"]).unwrap();
        let config = server_config(&tls);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = format!("https://{}", listener.local_addr().unwrap());
        let ca = reqwest::Certificate::from_pem(ca_pem.as_bytes()).unwrap();
        let client = reqwest::Client::builder().tls_certs_only([ca]).build().unwrap();
        let runtime = tokio::runtime::Handle::current();
        let engine = Arc::new(Engine { client, address: address.to_owned(), runtime });
        let (config, state) = (Arc::new(config), Arc::new(Mutex::new(State::default())));
        let shared = state.clone();
        // Ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (config, engine, state) = (config.clone(), engine.clone(), shared.clone());
                std::thread::spawn(move || {
                    let connection = ServerConnection::new(config).unwrap();
                    let mut stream = StreamOwned::new(connection, stream.unwrap());
                    while serve(&mut stream, &engine, &state).is_some() {}
                });
            }
        });
        Self { address: own, ca_pem: tls.ca_pem, state, _dir: dir }
    }

    /// An executor's configuration that goes through here.
    pub fn configure(&self, dir: &Path) -> PathBuf {
        let mut value: Value =
            serde_json::from_str(&std::fs::read_to_string(dir.join("execute.yaml")).unwrap())
                .unwrap();
        std::fs::write(dir.join("proxy-ca.pem"), &self.ca_pem).unwrap();
        value["engine"]["address"] = json!(self.address);
        value["engine"]["ca_file"] = json!("proxy-ca.pem");
        let file = dir.join("execute-proxy.yaml");
        std::fs::write(&file, value.to_string()).unwrap();
        file
    }

    /// From now on this happens.
    pub fn set(&self, fault: Fault, to: To) {
        let mut state = self.state.lock().unwrap();
        state.fault = Some((fault, to));
        state.hits = 0;
    }

    /// From now on nothing happens; gives how many calls it happened to.
    pub fn clear(&self) -> u64 {
        let mut state = self.state.lock().unwrap();
        state.fault = None;
        state.hits
    }

    /// How many calls it happened to so far.
    pub fn hits(&self) -> u64 {
        self.state.lock().unwrap().hits
    }
}

/// What a server of the tests' own shows.
pub fn server_config(tls: &ServerTls) -> ServerConfig {
    let certificates = CertificateDer::pem_file_iter(&tls.cert_file).unwrap();
    let key = PrivateKeyDer::from_pem_file(&tls.key_file).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(certificates.map(Result::unwrap).collect(), key)
        .unwrap()
}

type Stream = StreamOwned<ServerConnection, TcpStream>;

/// One call; `None` ends the connection.
fn serve(stream: &mut Stream, engine: &Engine, state: &Mutex<State>) -> Option<()> {
    let (first, headers, body) = receive(stream)?;
    let mut words = first.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let writes = matches!(method.as_str(), "POST" | "PUT" | "DELETE")
        && !["/login", "/lookup", "/capabilities", "/revoke", "/renew"]
            .iter()
            .any(|part| target.contains(part));
    let fault = {
        let mut state = state.lock().unwrap();
        state.writes += u64::from(writes);
        let number = state.writes;
        let hit = state.fault.filter(|(_, to)| match to {
            To::All => true,
            To::Writes => writes,
            To::SomeWrites => writes && number.is_multiple_of(3),
        });
        let hit = hit.map(|(fault, _)| fault);
        let hit = hit.filter(|fault| {
            !matches!(fault, Fault::OneAuditDevice) || target.starts_with("/v1/sys/audit")
        });
        state.hits += u64::from(hit.is_some());
        hit
    };
    let (status, answer) = match fault {
        Some(Fault::Refuse) => return None,
        Some(Fault::Status(status, sentence)) => {
            (status, json!({ "errors": [sentence] }).to_string().into_bytes())
        }
        Some(Fault::Slow(time)) => {
            std::thread::sleep(time);
            forward(engine, &method, &target, &headers, body)?
        }
        Some(Fault::Cut) => {
            forward(engine, &method, &target, &headers, body)?;
            return None;
        }
        Some(Fault::OneAuditDevice) => {
            let (status, answer) = forward(engine, &method, &target, &headers, body)?;
            (status, one_device(&answer))
        }
        None => forward(engine, &method, &target, &headers, body)?,
    };
    let head = format!(
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n{}\r\n",
        answer.len(),
        if status == 429 { "retry-after: 1\r\n" } else { "" }
    );
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(&answer).ok()?;
    stream.flush().ok()
}

fn one_device(answer: &[u8]) -> Vec<u8> {
    let mut value: Value = serde_json::from_slice(answer).unwrap();
    let data = value["data"].as_object_mut().unwrap();
    let last = data.keys().next_back().unwrap().clone();
    data.remove(&last);
    value.to_string().into_bytes()
}

type Request = (String, Vec<(String, String)>, Vec<u8>);

fn receive(stream: &mut Stream) -> Option<Request> {
    let mut reader = BufReader::with_capacity(1, stream);
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
                length = value.parse().unwrap();
            } else if name != "host" && name != "accept-encoding" {
                headers.push((name, value.to_owned()));
            }
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((first, headers, body))
}

fn forward(
    engine: &Engine,
    method: &str,
    target: &str,
    headers: &[(String, String)],
    body: Vec<u8>,
) -> Option<(u16, Vec<u8>)> {
    let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
    let mut request = engine.client.request(method, format!("{}{target}", engine.address));
    for (name, value) in headers {
        request = request.header(name, value);
    }
    engine.runtime.block_on(async {
        let answer = request.body(body).send().await.ok()?;
        Some((answer.status().as_u16(), answer.bytes().await.ok()?.to_vec()))
    })
}
