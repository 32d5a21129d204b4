//! A listener that answers as a test says: for what a real API server will not do on demand.

use std::sync::{Arc, Mutex};

use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::{Cluster, ClusterAccess};

/// What the listener does with a request.
pub enum Answer {
    /// A status and a JSON body.
    Json(u16, Value),
    /// A status and a body that is no JSON.
    Text(u16, &'static str),
    /// These lines of a watch; then the answer stays open.
    Watch(Vec<Value>),
    /// These lines of a watch; then the connection is reset.
    BrokenWatch(Vec<Value>),
    /// Nothing at all.
    Silence,
}

/// A running listener.
pub struct Scripted {
    address: String,
    requests: Arc<Mutex<Vec<String>>>,
    listening: tokio::task::JoinHandle<()>,
}

impl Scripted {
    /// Listens; the script gets a request's target and how many with the same target came before.
    pub async fn start(script: impl Fn(&str, usize) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (seen, script) = (Arc::clone(&requests), Arc::new(script));
        let listening = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&script), Arc::clone(&seen)));
            }
        });
        Self { address, requests, listening }
    }

    /// A client of this listener.
    pub async fn cluster(&self) -> Cluster {
        let access = ClusterAccess {
            server: self.address.clone(),
            ca_pem: ca_pem(),
            token: SecretString::from("the-reader"),
        };
        Cluster::connect(&access).await.unwrap()
    }

    /// Where it listens.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The heads of all requests so far.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn serve(
    mut stream: TcpStream,
    script: Arc<impl Fn(&str, usize) -> Answer>,
    seen: Arc<Mutex<Vec<String>>>,
) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8(head).unwrap();
    let target = head.split(' ').nth(1).unwrap().to_owned();
    let before = {
        let mut seen = seen.lock().unwrap();
        let before = seen.iter().filter(|h| h.split(' ').nth(1) == Some(target.as_str())).count();
        seen.push(head);
        before
    };
    let (status, body, hold, reset) = match script(&target, before) {
        Answer::Json(status, value) => (status, value.to_string(), false, false),
        Answer::Text(status, text) => (status, text.to_owned(), false, false),
        Answer::Watch(lines) => (200, lines_of(&lines), true, false),
        Answer::BrokenWatch(lines) => (200, lines_of(&lines), true, true),
        Answer::Silence => return std::future::pending().await,
    };
    let length = if hold { String::new() } else { format!("content-length: {}\r\n", body.len()) };
    let head = format!("HTTP/1.1 {status} X\r\n{length}connection: close\r\nlocation: /x\r\n\r\n");
    let _ = stream.write_all(head.as_bytes()).await;
    let _ = stream.write_all(body.as_bytes()).await;
    let _ = stream.flush().await;
    if reset {
        // Without this the reset could overtake the lines.
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        stream.set_zero_linger().unwrap();
    } else if hold {
        std::future::pending::<()>().await;
    }
}

fn lines_of(lines: &[Value]) -> String {
    let lines: Vec<String> = lines.iter().map(Value::to_string).collect();
    format!("{}\n", lines.join("\n"))
}

/// The metadata of an object; `namespace` is empty for a namespace.
pub fn object(namespace: &str, name: &str, uid: &str) -> Value {
    let mut metadata = json!({
        "name": name, "uid": uid, "resourceVersion": "7",
        "creationTimestamp": "2026-11-23T00:00:00Z",
        "managedFields": [{ "manager": "kubectl", "operation": "Update" }],
    });
    if !namespace.is_empty() {
        metadata["namespace"] = namespace.into();
    }
    json!({ "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata })
}

/// A list, with the token of the next page.
pub fn list(items: &[Value], next: Option<&str>) -> Answer {
    Answer::Json(
        200,
        json!({
            "kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1",
            "metadata": { "resourceVersion": "9", "continue": next }, "items": items,
        }),
    )
}

/// An API server's own error.
pub fn failure(code: u16, reason: &str, details: &Value) -> Answer {
    Answer::Json(
        code,
        json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": format!("a message about {reason}"), "reason": reason, "code": code,
            "details": details,
        }),
    )
}

/// A CA's certificate. What it signs is never asked for here.
pub fn ca_pem() -> String {
    rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap().cert.pem()
}
