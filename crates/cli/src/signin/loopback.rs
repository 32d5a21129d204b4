//! The address on this machine that the provider sends the browser back to.
//!
//! Any page in the person's browser, and any program on the machine, can call it. So only a code
//! with the state of this very flow is taken, only under the exact address, and everything else is
//! answered and forgotten.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use url::Url;

use crate::exit::Exit;
use crate::failure::Failure;

/// The most bytes of a request's head.
const MAX_HEAD: usize = 16 * 1024;

/// How long one caller may take.
const CALL: Duration = Duration::from_secs(10);

/// What came back for this flow.
#[derive(Debug, PartialEq, Eq)]
pub enum Callback {
    /// The code to redeem.
    Code(String),
    /// The provider's refusal.
    Refused(String),
}

/// Listens until it is dropped.
#[derive(Debug)]
pub struct Receiver {
    redirect_uri: String,
    calls: mpsc::Receiver<(Call, TcpStream)>,
    listening: tokio::task::JoinHandle<()>,
}

impl Receiver {
    /// Listens on a free port of 127.0.0.1 for this path.
    pub async fn start(path: &'static str) -> Result<Self, Failure> {
        let failed = |error: &std::io::Error| {
            Failure::new(Exit::Failed, "listen on this machine for the sign-in").caused_by(error)
        };
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(|error| failed(&error))?;
        let address = listener.local_addr().map_err(|error| failed(&error))?;
        let (found, calls) = mpsc::channel(8);
        let listening = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (found, host) = (found.clone(), address.to_string());
                // Each caller on its own: browsers open connections that they never use.
                tokio::spawn(async move {
                    let _ = tokio::time::timeout(CALL, serve(stream, &host, path, found)).await;
                });
            }
        });
        Ok(Self { redirect_uri: format!("http://{address}{path}"), calls, listening })
    }

    /// The address to give to the provider.
    pub fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    /// The next call that carries this state. Others are told that they are not for us.
    pub async fn next(&mut self, state: &str) -> Option<Callback> {
        loop {
            let (call, mut stream) = self.calls.recv().await?;
            let ours = call.state.as_deref() == Some(state);
            match (ours, call.code, call.error) {
                (true, _, Some(error)) => {
                    answer(&mut stream, "200 OK", "The sign-in was refused. Close this page.")
                        .await;
                    return Some(Callback::Refused(error));
                }
                (true, Some(code), None) => {
                    let page = "Signed in. Close this page and go back to the terminal.";
                    answer(&mut stream, "200 OK", page).await;
                    return Some(Callback::Code(code));
                }
                _ => {
                    let page = "This page does not belong to the sign-in that is waiting.";
                    answer(&mut stream, "400 Bad Request", page).await;
                }
            }
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

/// What a caller of the exact address brought.
#[derive(Debug, Default, PartialEq, Eq)]
struct Call {
    state: Option<String>,
    code: Option<String>,
    error: Option<String>,
}

async fn serve(
    mut stream: TcpStream,
    host: &str,
    path: &str,
    found: mpsc::Sender<(Call, TcpStream)>,
) {
    let Some(head) = read_head(&mut stream).await else {
        return;
    };
    match parse(&head, host, path) {
        Some(call) => {
            let _ = found.send((call, stream)).await;
        }
        None => answer(&mut stream, "404 Not Found", "There is nothing here.").await,
    }
}

async fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    let mut chunk = [0; 1024];
    while !head.windows(4).any(|window| window == b"\r\n\r\n") {
        let read = stream.read(&mut chunk).await.ok()?;
        if read == 0 || head.len() + read > MAX_HEAD {
            return None;
        }
        head.extend_from_slice(&chunk[..read]);
    }
    String::from_utf8(head).ok()
}

/// A GET of exactly this host and path. A page that reaches us under another name is no provider's
/// redirect.
fn parse(head: &str, host: &str, path: &str) -> Option<Call> {
    let mut lines = head.split("\r\n");
    let mut request = lines.next()?.split(' ');
    let ("GET", target) = (request.next()?, request.next()?) else {
        return None;
    };
    let named = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("host"))
        .map(|(_, value)| value.trim());
    if named != Some(host) || !target.starts_with('/') {
        return None;
    }
    let url = Url::parse(&format!("http://{host}{target}")).ok()?;
    if url.path() != path {
        return None;
    }
    let one = |name: &str| {
        let mut values = url.query_pairs().filter(|(key, _)| key == name);
        let value = values.next().map(|(_, value)| value.into_owned());
        value.filter(|value| !value.is_empty() && values.next().is_none())
    };
    let error = one("error").map(|error| match one("error_description") {
        Some(more) => format!("{error}: {more}"),
        None => error,
    });
    Some(Call { state: one("state"), code: one("code"), error })
}

async fn answer(stream: &mut TcpStream, status: &str, text: &str) {
    let page = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><title>Strongroom</title><p>{text}</p>"
    );
    let answer = format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/html; charset=utf-8\r\ncontent-length: {}\r\n\
         cache-control: no-store\r\nreferrer-policy: no-referrer\r\n\
         content-security-policy: default-src 'none'\r\nconnection: close\r\n\r\n{page}",
        page.len()
    );
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a caller with this request line and host gets.
    async fn ask(port: u16, target: &str, host: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let head = format!("GET {target} HTTP/1.1\r\nhost: {host}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    fn port(receiver: &Receiver) -> u16 {
        Url::parse(receiver.redirect_uri()).unwrap().port().unwrap()
    }

    #[tokio::test]
    async fn other_addresses_are_not_ours_and_a_silent_caller_holds_nobody_up() {
        let receiver = Receiver::start("/callback").await.unwrap();
        let port = port(&receiver);
        let _idle = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let here = format!("127.0.0.1:{port}");
        for (target, host) in [
            ("/favicon.ico", here.as_str()),
            ("/callback?code=a&state=good", "evil.example.com"),
            ("/callback?code=a&state=good", "localhost"),
        ] {
            let answer = ask(port, target, host).await;
            assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
        }
    }

    #[tokio::test]
    async fn a_foreign_state_is_answered_and_forgotten() {
        let mut receiver = Receiver::start("/callback").await.unwrap();
        let port = port(&receiver);
        let here = format!("127.0.0.1:{port}");
        let callers = async {
            let wrong = ask(port, "/callback?code=evil&state=other", &here).await;
            let twice = ask(port, "/callback?code=evil&state=good&state=good", &here).await;
            let right = ask(port, "/callback?code=the%2Bcode&state=good", &here).await;
            [wrong, twice, right]
        };
        let (answers, found) = tokio::join!(callers, receiver.next("good"));
        assert_eq!(found, Some(Callback::Code("the+code".into())));
        assert!(answers[0].starts_with("HTTP/1.1 400") && answers[1].starts_with("HTTP/1.1 400"));
        assert!(answers[2].starts_with("HTTP/1.1 200"));
    }

    #[test]
    fn a_refusal_is_told_and_other_requests_are_not_ours() {
        let host = "127.0.0.1:7777";
        let head = |line: &str| format!("{line} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let parse = |line: &str| parse(&head(line), host, "/callback");
        let refused = parse("GET /callback?error=access_denied&error_description=no+way&state=s");
        assert_eq!(refused.unwrap().error.as_deref(), Some("access_denied: no way"));
        for bad in
            ["POST /callback?code=a&state=s", "GET /other?code=a", "GET http://x/callback", ""]
        {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
