//! What is hardly HTTP, or is HTTP that two readers may read otherwise: refused, in one sentence
//! where it came as far as the API, in bounded memory, and never as a failure of ours.
//!
//! The bodies and addresses that an ordinary client can send are in `crates/api/tests/api/hostile.rs`.

use crate::callers::{MOST_KIB, Served};
use crate::private::PrivateLab;
use crate::wire::Wire;

/// What is sent, and the statuses that the first answer may have; 0 is a connection that is closed
/// without a word.
type Case = (&'static str, Vec<u8>, &'static [u16]);

/// Where requests with a body go: nobody has to be signed in there.
const OPEN: &str = "/api/v1/sign-ins";

fn addresses(wire: &Wire) -> Vec<Case> {
    let get = |target: &[u8]| [&wire.head("GET", target)[..], b"\r\n"].concat();
    let long = |start: &str, count: usize| get(format!("{start}{}", "a".repeat(count)).as_bytes());
    let none: &[u16] = &[404];
    let bad: &[u16] = &[400];
    vec![
        ("bytes that are no text in a path", get(b"/api/v1/teams/\xff\xfe/bindings"), &[400, 404]),
        ("bytes that are no text in a query", get(b"/api/v1/requests?subject=\xff\xfe"), bad),
        ("escaped bytes that are no text in a path", get(b"/api/v1/teams/%ff%fe/bindings"), none),
        ("escaped bytes that are no text in a query", get(b"/api/v1/requests?subject=%ff%fe"), bad),
        ("a slash in too many bytes", get(b"/api/v1/documents/team/..%c0%af.."), none),
        ("half an escape in a path", get(b"/api/v1/teams/%/bindings"), &[400, 404]),
        ("half an escape in a query", get(b"/api/v1/requests?subject=%f"), bad),
        ("a NUL in a query", get(b"/api/v1/requests?subject=team/a%00"), bad),
        ("a key twice", get(b"/api/v1/requests?limit=1&limit=2"), bad),
        ("a key twice, once escaped", get(b"/api/v1/requests?limit=1&%6cimit=2"), bad),
        ("a subject twice", get(b"/api/v1/events?subject=team/aa&subject=team/bb"), bad),
        ("a path twice", get(b"/api/v1/who-can?path=aa/kv/x&path=bb/kv/x"), bad),
        ("a switch twice", get(b"/api/v1/findings?all=true&all=false"), bad),
        ("a list", get(b"/api/v1/requests?subject[]=team/aa"), bad),
        ("a path of 60 KB", long("/api/v1/teams/", 60_000), &[404, 414, 431]),
        ("a path of 1 MB", long("/api/v1/teams/", 1 << 20), &[0, 414, 431]),
        ("a query of 60 KB", long("/api/v1/requests?subject=team/", 60_000), &[400, 414, 431]),
        (
            "a thousand keys",
            get(("/api/v1/requests?".to_owned() + &"a=1&".repeat(1000)).as_bytes()),
            bad,
        ),
        ("up and up", get(b"/api/v1/../../../../etc/passwd"), none),
        ("another host's address", get(b"http://evil.example.com/api/v1/nothing"), &[400, 404]),
        ("no address", get(b"nothing"), &[400, 404]),
    ]
}

fn heads(wire: &Wire) -> Vec<Case> {
    let head = |more: &[u8]| [&wire.head("GET", b"/api/v1/session")[..], more, b"\r\n"].concat();
    let lines =
        |count: usize| (0..count).fold(String::new(), |all, n| all + &format!("x-{n}: 1\r\n"));
    let large = |count: usize| format!("x-large: {}\r\n", "a".repeat(count));
    let live = |rest: &[u8]| [b"GET /livez HTTP/1.1\r\nhost: x\r\n" as &[u8], rest].concat();
    let method = |word: &str| [&wire.head(word, b"/api/v1/session")[..], b"\r\n"].concat();
    let bad: &[u16] = &[0, 400];
    let full: &[u16] = &[0, 431];
    vec![
        ("HTTP/1.0", b"GET /livez HTTP/1.0\r\n\r\n".to_vec(), &[200]),
        ("HTTP/1.0 to what is closed", b"GET /api/v1/session HTTP/1.0\r\n\r\n".to_vec(), &[401]),
        ("HTTP/9.9", b"GET /livez HTTP/9.9\r\n\r\n".to_vec(), bad),
        ("no version", b"GET /livez\r\n\r\n".to_vec(), bad),
        (
            "HTTP/2 that is none",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\ngarbage garbage garbage".to_vec(),
            bad,
        ),
        (
            "TLS where there is none",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".repeat(20),
            bad,
        ),
        ("zeros", vec![0; 100_000], bad),
        ("garbage after a request", live(b"\r\n\0\x01\x02 garbage\r\n\r\n"), &[200]),
        ("garbage after a refusal", [&head(b"")[..], b"\xff\xff\r\n\r\n"].concat(), &[200]),
        ("200 lines", head(lines(200).as_bytes()), full),
        ("a line of 100 KB", head(large(100_000).as_bytes()), full),
        ("a line of 20 MB", head(large(20 << 20).as_bytes()), full),
        ("a name with a space", head(b"x y: 1\r\n"), bad),
        ("a line without a name", head(b": 1\r\n"), bad),
        ("a folded line", head(b"x: 1\r\n 2\r\n"), bad),
        ("a NUL in a line", head(b"x: a\0b\r\n"), bad),
        ("a second authorization", head(b"authorization: Bearer x\r\n"), &[401]),
        ("no text as a trace", head(b"traceparent: \xff\xfe\r\n"), &[200]),
        ("a method nobody knows", method("BREW"), &[405]),
        ("a method of 5000 letters", method(&"A".repeat(5000)), &[0, 400, 405]),
        (
            "a tunnel",
            b"CONNECT evil.example.com:443 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
                .to_vec(),
            &[400, 404, 405],
        ),
        (
            "a star",
            b"OPTIONS * HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".to_vec(),
            &[400, 404, 405],
        ),
    ]
}

fn bodies(wire: &Wire) -> Vec<Case> {
    let open = |more: &str, body: &[u8]| wire.with_body("POST", OPEN, more, body);
    let sized = |more: &str, body: &str| {
        let more = format!("content-length: {}\r\n{more}", body.len());
        wire.with_body("POST", "/api/v1/requests/preview", &more, body.as_bytes())
    };
    let chunked = "transfer-encoding: chunked\r\n";
    // What would be a second request to a reader who goes by the length.
    let hidden = b"0\r\n\r\nGET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let bad: &[u16] = &[400];
    vec![
        ("a field twice", sized("", r#"{"documents":[{"kind":"Team","kind":"Cluster"}]}"#), &[422]),
        (
            "a field twice, once escaped",
            sized("", r#"{"documents":[{"kind":"Team","k\u0069nd":1}]}"#),
            &[422],
        ),
        ("a compressed body", sized("content-encoding: gzip\r\n", "\x1f\u{8b}"), &[415]),
        ("twice compressed", sized("content-encoding: br, gzip\r\n", "{}"), &[415]),
        (
            "compressed in a second line",
            sized("content-encoding: identity\r\ncontent-encoding: zstd\r\n", "{}"),
            &[415],
        ),
        ("two lengths", open("content-length: 2\r\ncontent-length: 3\r\n", b"{}"), bad),
        ("a length below nothing", open("content-length: -1\r\n", b"{}"), bad),
        (
            "a length beyond counting",
            open("content-length: 99999999999999999999999\r\n", b"{}"),
            bad,
        ),
        ("a length with a sign", open("content-length: +2\r\n", b"{}"), bad),
        (
            "a length that never comes",
            open("content-length: 1000000000000\r\n", b"{}"),
            &[408, 413],
        ),
        (
            "2 MB, in chunks",
            open(chunked, &[b"200000\r\n" as &[u8], &vec![b'1'; 0x20_0000]].concat()),
            &[0, 413],
        ),
        ("a length, then chunks", open(&format!("content-length: 4\r\n{chunked}"), hidden), bad),
        ("chunks, then a length", open(&format!("{chunked}content-length: 4\r\n"), hidden), bad),
        ("chunks that are not last", open("transfer-encoding: chunked, identity\r\n", hidden), bad),
        ("chunks by another name", open("transfer-encoding: xchunked\r\n", hidden), bad),
        (
            "chunks in HTTP/1.0",
            format!("POST {OPEN} HTTP/1.0\r\n{chunked}\r\n0\r\n\r\n").into_bytes(),
            bad,
        ),
        ("a chunk's size that is none", open(chunked, b"zz\r\n{}\r\n0\r\n\r\n"), bad),
        ("a chunk's size beyond counting", open(chunked, b"ffffffffffffffffff\r\n{}"), bad),
        (
            "a chunk with a long tail",
            open(chunked, format!("2;{}\r\n{{}}\r\n0\r\n\r\n", "a".repeat(100_000)).as_bytes()),
            &[0, 400],
        ),
        (
            "a trailer of 200 KB",
            open(
                chunked,
                format!("2\r\n{{}}\r\n0\r\nx: {}\r\n\r\n", "a".repeat(200_000)).as_bytes(),
            ),
            &[0, 201, 400],
        ),
    ]
}

#[tokio::test]
async fn web_08_what_is_hardly_http_is_no_failure_of_ours() {
    let private = PrivateLab::start().await;
    let wire = Wire::of(&private.lab, "alice").await;
    let served = Served::of(&private);
    let healthy = async || wire.ask("GET", b"/api/v1/session").await.status();
    assert_eq!(healthy().await, 200);
    let (before, _) = served.memory();

    let cases = [addresses(&wire), heads(&wire), bodies(&wire)].concat();
    for (what, bytes, allowed) in &cases {
        let heard = wire.say(bytes).await;
        let status = heard.status();
        assert!(
            allowed.contains(&status),
            "{what}: {status}, not one of {allowed:?}: {}",
            heard.text
        );
        heard.is_clear(what);
        let after: &[u16] = if what.starts_with("garbage after") { &[200, 400] } else { &[status] };
        assert!(
            heard.statuses.iter().all(|status| after.contains(status)) && heard.statuses.len() <= 2,
            "{what}: a second request was found in it: {}",
            heard.text
        );
        let hidden = what.contains("chunks") && heard.statuses.len() > 1;
        assert!(!hidden, "{what}: what stands behind the body was answered: {}", heard.text);
        assert_eq!(healthy().await, 200, "after {what}");
    }
    // A hundred good ones on one connection are no garbage.
    let one = b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n".repeat(99);
    let last = b"GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let heard = wire.say(&[&one[..], last].concat()).await;
    assert_eq!(heard.statuses, [200; 100], "{}", heard.text);

    let (after, most) = served.memory();
    assert!(after.saturating_sub(before) < MOST_KIB, "{before} KiB before, {after} KiB after");
    let log = std::fs::read_to_string(private.dir().join("serve.log")).unwrap();
    assert!(!log.contains("panicked"), "serve panicked: {log}");
    println!(
        "WEB-08: 0 server errors of {} requests that are hardly HTTP; {before} KiB before, {after} KiB \
         after, {most} KiB at most",
        cases.len()
    );
    private.end().await;
}
