//! A provider that answers as a test says: for what a real one will not do on demand.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What the provider answers.
pub enum Answer {
    /// A status and a body.
    Body(u16, String),
    /// A redirect.
    Redirect(String),
    /// Nothing at all.
    Silence,
}

/// A running provider.
pub struct Scripted {
    /// `http://127.0.0.1:port`.
    pub address: String,
    paths: Arc<Mutex<Vec<String>>>,
    listening: tokio::task::JoinHandle<()>,
}

impl Scripted {
    /// Listens; the script gets the provider's own address and a request's path.
    pub async fn start(script: impl Fn(&str, &str) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let paths = Arc::new(Mutex::new(Vec::new()));
        let (seen, own, script) = (Arc::clone(&paths), address.clone(), Arc::new(script));
        let listening = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (seen, own, script) = (Arc::clone(&seen), own.clone(), Arc::clone(&script));
                tokio::spawn(async move { serve(stream, &own, &*script, &seen).await });
            }
        });
        Self { address, paths, listening }
    }

    /// How often a path that ends like this was asked for.
    pub fn asked(&self, end: &str) -> usize {
        self.paths.lock().unwrap().iter().filter(|path| path.ends_with(end)).count()
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn serve(
    mut stream: TcpStream,
    own: &str,
    script: &impl Fn(&str, &str) -> Answer,
    seen: &Mutex<Vec<String>>,
) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8(head).unwrap();
    let path = head.split(' ').nth(1).unwrap().to_owned();
    seen.lock().unwrap().push(path.clone());
    let answer = match script(own, &path) {
        Answer::Body(status, body) => format!(
            "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
             connection: close\r\n\r\n{body}",
            body.len()
        ),
        Answer::Redirect(to) => format!(
            "HTTP/1.1 302 X\r\nlocation: {to}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        ),
        Answer::Silence => return std::future::pending().await,
    };
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}
