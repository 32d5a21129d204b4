//! Strongroom's API as somebody with a socket sees it: each byte goes out as the test says.
//!
//! Ordinary HTTP clients tidy requests up, or refuse to send them; whoever means no good does
//! neither. Only plain HTTP on loopback, as the lab serves it.

use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::Lab;

/// Longer than any bound of the server's own.
const PATIENCE: Duration = Duration::from_mins(1);

/// The API, and a person's session there.
#[derive(Clone)]
pub struct Wire {
    /// `host:port`.
    pub authority: String,
    session: String,
}

/// What came back until the server closed the connection.
#[derive(Debug)]
pub struct Heard {
    /// The status of each answer.
    pub statuses: Vec<u16>,
    /// All of it.
    pub text: String,
}

impl Wire {
    /// Signs the person in and takes the session over.
    pub async fn of(lab: &Lab, person: &str) -> Self {
        lab.person(person).await;
        let file = lab.scratch.path().join("people").join(format!("{person}.json"));
        let context: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        Self {
            authority: lab.server().trim_start_matches("http://").trim_end_matches('/').to_owned(),
            session: context["session"]["token"].as_str().unwrap().to_owned(),
        }
    }

    /// A request's head without the empty line at its end: the person's, on a connection that ends
    /// with the answer.
    pub fn head(&self, method: &str, target: &[u8]) -> Vec<u8> {
        let rest = format!(
            " HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\nconnection: close\r\n",
            self.authority, self.session
        );
        [method.as_bytes(), b" ", target, rest.as_bytes()].concat()
    }

    /// A whole request without a body.
    pub async fn ask(&self, method: &str, target: &[u8]) -> Heard {
        self.say(&[&self.head(method, target)[..], b"\r\n"].concat()).await
    }

    /// A whole request with JSON, and more lines in its head.
    pub fn with_body(&self, method: &str, target: &str, more: &str, body: &[u8]) -> Vec<u8> {
        let lines = format!("content-type: application/json\r\n{more}\r\n");
        [&self.head(method, target.as_bytes())[..], lines.as_bytes(), body].concat()
    }

    /// Sends these bytes, and listens until the server closes.
    pub async fn say(&self, bytes: &[u8]) -> Heard {
        let (mut read, mut write) = TcpStream::connect(&self.authority).await.unwrap().into_split();
        let mut heard = Vec::new();
        // A server that has heard enough closes while it is still spoken to.
        let speak = async {
            let _ = write.write_all(bytes).await;
        };
        let listen = async {
            let _ = read.read_to_end(&mut heard).await;
        };
        let both = async { tokio::join!(speak, listen) };
        let start = String::from_utf8_lossy(&bytes[..bytes.len().min(200)]).into_owned();
        let ended = tokio::time::timeout(PATIENCE, both).await;
        assert!(ended.is_ok(), "the server never closes after {start:?}");
        Heard::of(&heard)
    }
}

impl Heard {
    /// What these bytes are.
    pub fn of(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let status = |part: &str| part.get(2..5)?.parse().ok();
        let statuses = text.split("HTTP/1.").skip(1).filter_map(status).collect();
        Self { statuses, text }
    }

    /// The first answer's status; 0 when the server closed without a word.
    pub fn status(&self) -> u16 {
        self.statuses.first().copied().unwrap_or_default()
    }

    /// No failure of ours; and where the request came as far as the API, one clear sentence.
    pub fn is_clear(&self, what: &str) {
        assert!(self.statuses.iter().all(|status| *status < 500), "{what}: {}", self.text);
        let Some((head, body)) = self.text.split_once("\r\n\r\n") else { return };
        if self.statuses.len() != 1 || self.status() < 400 || body.is_empty() {
            return;
        }
        assert!(head.contains("application/problem+json"), "{what}: {}", self.text);
        let problem: Value = serde_json::from_str(body)
            .unwrap_or_else(|error| panic!("{what}: {error}: {}", self.text));
        assert_eq!(problem["status"], self.status(), "{what}: {problem:#}");
        for name in ["code", "detail", "hint", "traceId"] {
            let text = problem[name].as_str().unwrap_or_default();
            assert!(!text.is_empty() && !text.contains('\n'), "{what}: {name} in {problem:#}");
        }
    }
}
