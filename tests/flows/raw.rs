//! The engine as somebody with a socket sees it: each byte of a path goes out as the test spells it.
//!
//! Ordinary HTTP clients tidy paths up before they send them, and the product's own client refuses
//! to send what is not canonical; an attacker's does neither.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;

use crate::support::Lab;

/// How often a redirect is gone after.
const HOPS: usize = 3;

/// The engine's address and whom to trust there.
pub struct RawEngine {
    authority: String,
    config: Arc<ClientConfig>,
}

/// What came back.
pub struct RawAnswer {
    pub status: u16,
    pub location: Option<String>,
    pub body: String,
}

impl RawAnswer {
    /// Whether something was done or given out.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

impl RawEngine {
    pub fn of(lab: &Lab) -> Self {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(lab.text("/engine/ca_pem").as_bytes()) {
            roots.add(certificate.unwrap()).unwrap();
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let authority = lab.text("/engine/address").strip_prefix("https://").unwrap().to_owned();
        Self { authority, config: Arc::new(config) }
    }

    /// One call; a redirect is gone after with the same token, as a careless client would.
    pub fn call(&self, method: &str, path: &str, token: &str, body: Option<&Value>) -> RawAnswer {
        let mut answer = self.send(method, &format!("/v1/{}", target(path)), token, body);
        for _ in 0..HOPS {
            let Some(location) = answer.location.take() else { break };
            let next = location.strip_prefix(&format!("https://{}", self.authority));
            answer = self.send(method, next.unwrap_or(&location), token, body);
        }
        answer
    }

    fn send(&self, method: &str, target: &str, token: &str, body: Option<&Value>) -> RawAnswer {
        let stream = TcpStream::connect(&self.authority).unwrap();
        stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        let host = self.authority.rsplit_once(':').unwrap().0;
        let name = ServerName::try_from(host.to_owned()).unwrap();
        let connection = ClientConnection::new(self.config.clone(), name).unwrap();
        let mut stream = StreamOwned::new(connection, stream);
        let body = body.map(Value::to_string).unwrap_or_default();
        let head = format!(
            "{method} {target} HTTP/1.1\r\nHost: {}\r\nX-Vault-Token: {token}\r\nConnection: \
             close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.authority,
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut bytes = Vec::new();
        match stream.read_to_end(&mut bytes) {
            // The end of the connection is the end of the answer.
            Err(error) if error.kind() != ErrorKind::UnexpectedEof => panic!("{target}: {error}"),
            _ => {}
        }
        let text = String::from_utf8_lossy(&bytes);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
        let location = lines.find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("location").then(|| value.trim().to_owned())
        });
        let status = status.unwrap_or_else(|| panic!("no HTTP answer to {target}: {text}"));
        RawAnswer { status, location, body: body.to_owned() }
    }
}

/// The path with nothing changed but what no request line can hold.
fn target(path: &str) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    for byte in path.bytes() {
        if (0x21..=0x7e).contains(&byte) && !matches!(byte, b'#' | b'?') {
            text.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(text, "%{byte:02x}");
        }
    }
    text
}
