//! Answers that no engine would give, from a listener that follows a script.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use secrecy::SecretString;
use serde_json::{Value, json};
use strongroom_engine::error::Failure;
use strongroom_engine::{Call, EngineAddress, EngineClient, EngineError, Envelope, Method};
use strongroom_lab::tls::ServerTls;

/// What the listener does with one request.
enum Act {
    /// Sends these bytes and closes.
    Answer(String),
    /// Closes without a word.
    Close,
    /// Sends a good head and then bytes without end.
    Flood,
}

struct Listener {
    address: EngineAddress,
    /// Heads of the requests that came.
    seen: Arc<Mutex<Vec<String>>>,
    _dir: tempfile::TempDir,
}

fn json_answer(status: &str, body: &str) -> Act {
    Act::Answer(format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    ))
}

fn good() -> Act {
    json_answer("200 OK", r#"{"request_id":"r","data":{"a":1}}"#)
}

impl Listener {
    /// Serves one connection after the other, one request each; at its end the script starts over
    /// with its last act.
    fn start(script: Vec<Act>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let tls = ServerTls::in_dir(dir.path(), &["127.0.0.1"]).unwrap();
        let certificates = CertificateDer::pem_file_iter(&tls.cert_file).unwrap();
        let key = PrivateKeyDer::from_pem_file(&tls.key_file).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(certificates.map(Result::unwrap).collect(), key)
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (config, heads) = (Arc::new(config), seen.clone());
        // Ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let connection = ServerConnection::new(config.clone()).unwrap();
                let mut stream = StreamOwned::new(connection, stream.unwrap());
                let Some(head) = receive(&mut stream) else {
                    continue;
                };
                let act = {
                    let mut heads = heads.lock().unwrap();
                    heads.push(head);
                    &script[(heads.len() - 1).min(script.len() - 1)]
                };
                match act {
                    Act::Answer(text) => {
                        let _ = stream.write_all(text.as_bytes());
                        stream.conn.send_close_notify();
                        let _ = stream.flush();
                    }
                    Act::Close => {}
                    Act::Flood => {
                        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n";
                        let _ = stream.write_all(head.as_bytes());
                        while stream.write_all(&[b' '; 8192]).is_ok() {}
                    }
                }
            }
        });
        Self { address: EngineAddress { url, ca_pem: Some(tls.ca_pem) }, seen, _dir: dir }
    }

    fn client(&self) -> EngineClient {
        EngineClient::new(&self.address, Duration::from_secs(20)).unwrap()
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

/// Reads one request; gives its head in lower case.
fn receive(stream: &mut StreamOwned<ServerConnection, std::net::TcpStream>) -> Option<String> {
    let mut reader = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.to_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(head)
}

async fn read(client: &EngineClient) -> Result<Envelope, EngineError> {
    let token = SecretString::from("s.token");
    let call = Call::new(Method::Get, "team/a/kv/data/x", "{path}");
    client.call(call, Some(&token)).await
}

async fn write(client: &EngineClient) -> Result<Envelope, EngineError> {
    let body = json!({ "data": {} });
    let call = Call::post("team/a/kv/data/x", "{path}", &body);
    client.call(call, None).await
}

fn malformed(result: Result<Envelope, EngineError>) -> bool {
    matches!(result.unwrap_err().failure, Failure::Malformed(_))
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Listener::start(vec![good()]);
    let there = format!(
        "HTTP/1.1 307 Temporary Redirect\r\nLocation: {}/v1/team/a/kv/data/x\r\n\
         Content-Length: 0\r\n\r\n",
        elsewhere.address.url
    );
    let listener = Listener::start(vec![Act::Answer(there)]);
    assert!(malformed(read(&listener.client()).await));
    assert!(malformed(write(&listener.client()).await));
    assert_eq!(listener.seen().len(), 2);
    assert!(elsewhere.seen().is_empty(), "the token went elsewhere");
}

#[tokio::test]
async fn an_answer_without_end_is_cut_off() {
    let listener = Listener::start(vec![Act::Flood]);
    assert!(malformed(read(&listener.client()).await));
    let error = write(&listener.client()).await.unwrap_err();
    assert!(error.is_unknown_outcome(), "the write may have happened: {error}");
}

#[tokio::test]
async fn what_is_not_an_engines_json_is_refused() {
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let html = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\n{}";
    for act in [
        json_answer("200 OK", &format!("{{\"data\":{deep}}}")),
        json_answer("200 OK", "true"),
        json_answer("200 OK", "{\"data\":"),
        Act::Answer(html.to_owned()),
    ] {
        let listener = Listener::start(vec![act]);
        assert!(malformed(read(&listener.client()).await));
        assert!(malformed(write(&listener.client()).await));
    }
}

#[tokio::test]
async fn a_write_that_is_cut_off_is_unknown_and_not_repeated() {
    let half = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{";
    for act in [Act::Close, Act::Answer(half.to_owned())] {
        let listener = Listener::start(vec![act, good()]);
        let error = write(&listener.client()).await.unwrap_err();
        assert!(matches!(error.failure, Failure::UnknownOutcome(_)), "{error}");
        let seen = listener.seen();
        assert_eq!(seen.len(), 1, "{seen:?}");
        let header = format!("x-strongroom-write: {}", error.write_id.unwrap());
        assert!(seen[0].contains(&header), "{seen:?}");
    }
}

#[tokio::test]
async fn reads_are_tried_again_and_writes_are_not() {
    for status in ["503 Service Unavailable", "502 Bad Gateway", "412 Precondition Failed"] {
        let script = || vec![json_answer(status, "{}"), Act::Close, good()];
        let listener = Listener::start(script());
        assert_eq!(read(&listener.client()).await.unwrap().data, json!({ "a": 1 }));
        assert_eq!(listener.seen().len(), 3);
        let listener = Listener::start(script());
        let error = write(&listener.client()).await.unwrap_err();
        assert!(matches!(error.failure, Failure::Server(_)), "{error}");
        assert_eq!(listener.seen().len(), 1);
    }
    // Four times in all, and no more.
    let listener = Listener::start(vec![Act::Close]);
    let error = read(&listener.client()).await.unwrap_err();
    assert!(matches!(error.failure, Failure::Unreachable(_)), "{error}");
    assert_eq!(listener.seen().len(), 4);
    // A plain failure is told at once.
    let listener = Listener::start(vec![json_answer("500 Internal Server Error", "{}"), good()]);
    assert_eq!(read(&listener.client()).await.unwrap_err().failure, Failure::Server(500));
    assert_eq!(listener.seen().len(), 1);
}

#[tokio::test]
async fn an_engine_that_asks_for_time_gets_it() {
    let limited = |seconds: u32| {
        Act::Answer(format!(
            "HTTP/1.1 429 Too Many Requests\r\nRetry-After: {seconds}\r\nContent-Length: 0\r\n\r\n"
        ))
    };
    let listener = Listener::start(vec![limited(1), good()]);
    let start = Instant::now();
    read(&listener.client()).await.unwrap();
    assert!(start.elapsed() >= Duration::from_secs(1));
    // Longer than a caller should sleep: told at once.
    let listener = Listener::start(vec![limited(60)]);
    let error = read(&listener.client()).await.unwrap_err();
    assert_eq!(error.failure, Failure::RateLimited(Some(Duration::from_mins(1))));
    assert_eq!(listener.seen().len(), 1);
}

#[tokio::test]
async fn only_the_given_ca_is_trusted_and_then_nothing_is_sent() {
    let listener = Listener::start(vec![good()]);
    let other = Listener::start(vec![good()]);
    for ca_pem in [other.address.ca_pem.clone(), None] {
        let address = EngineAddress { ca_pem, ..listener.address.clone() };
        let client = EngineClient::new(&address, Duration::from_secs(5)).unwrap();
        let error = write(&client).await.unwrap_err();
        assert!(matches!(error.failure, Failure::Unreachable(_)), "{error}");
        assert!(!error.is_unknown_outcome());
    }
    assert!(listener.seen().is_empty());
}

#[tokio::test]
async fn a_path_with_two_readings_is_not_sent() {
    let listener = Listener::start(vec![good()]);
    let client = listener.client();
    let body = Value::Null;
    for path in ["sys/../auth", "sys//auth", "a/%2e%2e/b", "a?b", "a#b", "team/+/x", "team/*"] {
        for call in [
            Call::new(Method::Get, path, "{path}"),
            Call::new(Method::Delete, path, "{path}"),
            Call::post(path, "{path}", &body),
        ] {
            let error = client.call(call, None).await.unwrap_err();
            assert_eq!(error.failure, Failure::BadPath, "{path}");
        }
    }
    assert!(listener.seen().is_empty());
    read(&client).await.unwrap();
    let seen = listener.seen();
    assert!(seen[0].starts_with("get /v1/team/a/kv/data/x http/1.1"), "{seen:?}");
    assert!(seen[0].contains("x-vault-token: s.token"));
    assert!(!seen[0].contains("x-strongroom-write"), "a read has no id of ours");
}
