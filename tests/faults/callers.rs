//! Callers who are slow, or say nothing, in number: the server ends them by its own bounds, in
//! bounded memory, and answers everybody else meanwhile.

use std::path::Path;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::private::PrivateLab;
use crate::wire::{Heard, Wire};

/// Longer than any bound of the server's own.
const PATIENCE: Duration = Duration::from_mins(1);

/// How many of each kind there are at once.
const SLOW: usize = 20;
const SILENT: usize = 300;

/// How much more memory the server may hold for all of them, in KiB.
pub const MOST_KIB: u64 = 64 * 1024;

/// The process of the API, seen from outside.
pub struct Served(String);

impl Served {
    pub fn of(private: &PrivateLab) -> Self {
        let config = private.dir().join("serve.yaml").display().to_string();
        let pids = std::fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
        let is_it = |path: &Path| {
            let line = std::fs::read(path.join("cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).split('\0').any(|word| word == config)
        };
        let mut found: Vec<String> =
            pids.filter(|path| is_it(path)).map(|path| path.display().to_string()).collect();
        assert_eq!(found.len(), 1, "processes of {config}: {found:?}");
        Self(found.remove(0))
    }

    /// What it holds in memory now, and the most it ever held, in KiB.
    pub fn memory(&self) -> (u64, u64) {
        let text = std::fs::read_to_string(format!("{}/status", self.0))
            .expect("the API's process is there still");
        let field = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.trim().trim_end_matches(" kB").parse().unwrap()
        };
        (field("VmRSS:"), field("VmHWM:"))
    }
}

/// Sends a byte each second until the server closes.
async fn drip(to: String, begin: Vec<u8>) -> (Duration, Heard) {
    let since = Instant::now();
    let (mut read, mut write) = TcpStream::connect(to).await.unwrap().into_split();
    write.write_all(&begin).await.unwrap();
    let speak = async {
        while write.write_all(b"1").await.is_ok() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        // Whatever was answered is read first.
        std::future::pending::<()>().await;
    };
    let mut heard = Vec::new();
    let listen = async {
        let _ = read.read_to_end(&mut heard).await;
    };
    tokio::select! {
        () = speak => {}
        () = listen => {}
        () = tokio::time::sleep(PATIENCE) => {
            panic!("a slow caller is never ended: {}", String::from_utf8_lossy(&begin))
        }
    }
    (since.elapsed(), Heard::of(&heard))
}

/// Begins a connection, and says no more than this.
async fn fall_silent(to: String, begin: &'static [u8]) -> (Duration, Heard) {
    let since = Instant::now();
    let mut stream = TcpStream::connect(to).await.unwrap();
    stream.write_all(begin).await.unwrap();
    let mut heard = Vec::new();
    let ended = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut heard)).await;
    assert!(ended.is_ok(), "who says nothing after {begin:?} is never ended");
    (since.elapsed(), Heard::of(&heard))
}

#[tokio::test]
async fn web_07_slow_and_silent_callers_end_by_the_servers_own_bounds() {
    let private = PrivateLab::start().await;
    let wire = Wire::of(&private.lab, "alice").await;
    let served = Served::of(&private);
    let session: &[u8] = b"/api/v1/session";
    assert_eq!(wire.ask("GET", session).await.status(), 200);
    let (before, _) = served.memory();

    let (mut bodies, mut heads, mut silent) = (JoinSet::new(), JoinSet::new(), JoinSet::new());
    let length = "content-length: 100000\r\n";
    for number in 0..SLOW {
        // One that nobody has to be signed in for, one that reads documents.
        let path = ["/api/v1/sign-ins", "/api/v1/requests/preview"][number % 2];
        let begin = wire.with_body("POST", path, length, b"");
        bodies.spawn(drip(wire.authority.clone(), begin));
        let begin = [&wire.head("GET", session)[..], b"x-slow: "].concat();
        heads.spawn(drip(wire.authority.clone(), begin));
    }
    for number in 0..SILENT {
        let begin: &[u8] =
            [b"" as &[u8], b"GET", b"GET /livez HTTP/1.1\r\nhost: x\r\n"][number % 3];
        silent.spawn(fall_silent(wire.authority.clone(), begin));
    }

    // Everybody else is answered, for as long as any of them is there.
    let (mut answered, mut longest, mut most) = (0, Duration::ZERO, before);
    while answered < 10 || silent.len() + heads.len() + bodies.len() > 0 {
        let since = Instant::now();
        let heard = wire.ask("GET", session).await;
        assert_eq!(heard.status(), 200, "beside slow callers: {}", heard.text);
        (answered, longest) = (answered + 1, longest.max(since.elapsed()));
        most = most.max(served.memory().0);
        while let Some(ended) = bodies.try_join_next() {
            let (took, heard) = ended.unwrap();
            assert_eq!(heard.status(), 408, "a slow body, ended after {took:?}: {}", heard.text);
            assert!(heard.text.contains("did not come in within"), "{}", heard.text);
            heard.is_clear("a slow body");
        }
        for (what, set) in [("a slow head", &mut heads), ("a silent caller", &mut silent)] {
            while let Some(ended) = set.try_join_next() {
                let (took, heard) = ended.unwrap();
                assert!(
                    [0, 400, 408].contains(&heard.status()),
                    "{what}, ended after {took:?}: {}",
                    heard.text
                );
                heard.is_clear(what);
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(
        most.saturating_sub(before) < MOST_KIB,
        "{before} KiB before, {most} KiB beside slow callers"
    );
    println!(
        "WEB-07: {SLOW} slow bodies, {SLOW} slow heads and {SILENT} silent connections were ended by \
         the server; {answered} requests of others answered meanwhile, the slowest after {longest:?}; \
         {before} KiB before, {most} KiB at most"
    );
    private.end().await;
}
