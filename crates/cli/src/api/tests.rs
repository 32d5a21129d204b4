//! The client against a scripted server: every kind of answer becomes a sentence and a code.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

/// A server that gives one answer per connection and tells what it was asked.
async fn scripted(
    answers: Vec<(u16, &'static str)>,
) -> (Url, tokio::task::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let served = tokio::spawn(async move {
        let mut asked = Vec::new();
        for (status, body) in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.windows(4).any(|window| window == b"\r\n\r\n") {
                let mut byte = [0; 1];
                stream.read_exact(&mut byte).await.unwrap();
                head.push(byte[0]);
            }
            asked.push(String::from_utf8(head).unwrap());
            let answer = format!(
                "HTTP/1.1 {status} X\r\ncontent-type: application/problem+json\r\n\
                 location: http://127.0.0.1:1/elsewhere\r\ncontent-length: {}\r\n\
                 connection: close\r\n\r\n{body}",
                body.len()
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
        asked
    });
    (url, served)
}

async fn failure(status: u16, body: &'static str) -> Failure {
    let (url, served) = scripted(vec![(status, body)]).await;
    let api = Api::new(&url, None).unwrap();
    let failure = api.session().await.unwrap_err();
    served.await.unwrap();
    failure
}

#[tokio::test]
async fn each_status_has_its_exit_code() {
    let cases = [
        (400, Exit::Usage),
        (401, Exit::LoginNeeded),
        (403, Exit::Denied),
        (404, Exit::NotFound),
        (409, Exit::Conflict),
        (412, Exit::Conflict),
        (422, Exit::Usage),
        (428, Exit::Conflict),
        (500, Exit::Failed),
        (504, Exit::TimedOut),
        (302, Exit::Failed),
    ];
    for (status, exit) in cases {
        assert_eq!(failure(status, "{}").await.exit, exit, "{status}");
    }
    let frozen = r#"{"code":"plan_not_frozen","detail":"no plan yet","hint":"wait"}"#;
    assert_eq!(failure(404, frozen).await.exit, Exit::Waiting);
}

#[tokio::test]
async fn a_problem_tells_what_why_and_next() {
    let body = r#"{"type":"about:blank","title":"Unprocessable","status":422,"code":"invalid",
        "detail":"the documents have faults","hint":"correct them",
        "errors":[{"pointer":"/documents/0/spec/mounts/0/name","message":"a name is lower case"}]}"#;
    insta::assert_snapshot!(failure(422, body).await.render(), @r"
    error: read the session
      why:  the documents have faults
      why:  document 1, spec.mounts[0].name: a name is lower case
      next: correct it; docs/documents.md has every field, with examples
    ");
    insta::assert_snapshot!(failure(401, "<html>proxy</html>").await.render(), @r"
    error: read the session
      why:  the server answered 401 Unauthorized
      next: run `strongroom login`
    ");
}

#[tokio::test]
async fn ids_stay_one_segment_and_the_token_goes_along() {
    let (url, served) = scripted(vec![(404, "{}"), (404, "{}")]).await;
    let api = Api::new(&url, Some(Token::Fixed("srs_secret".to_owned().into()))).unwrap();
    api.document("team", "../../trust?x", Some(3)).await.unwrap_err();
    api.events(&[("subject", "team/a&b".to_owned())], 5).await.unwrap_err();
    let asked = served.await.unwrap();
    let first = "GET /api/v1/documents/team/..%2F..%2Ftrust%3Fx?revision=3 HTTP/1.1";
    assert!(asked[0].starts_with(first), "{}", asked[0]);
    assert!(asked[0].contains("authorization: Bearer srs_secret"));
    assert!(asked[1].starts_with("GET /api/v1/events?subject=team%2Fa%26b&limit=5 "));
}

#[tokio::test]
async fn pages_are_followed_until_the_limit() {
    let event = |n: u32| {
        format!(
            r#"{{"sequence":{n},"at":"2026-11-23T18:00:00Z","kind":"k","hash":"h","event":{{}}}}"#
        )
    };
    let one: &'static str =
        Box::leak(format!(r#"{{"items":[{},{}],"nextCursor":2}}"#, event(1), event(2)).into());
    let two: &'static str =
        Box::leak(format!(r#"{{"items":[{}],"nextCursor":null}}"#, event(3)).into());
    let (url, served) = scripted(vec![(200, one), (200, two)]).await;
    let events = Api::new(&url, None).unwrap().events(&[], 10).await.unwrap();
    assert_eq!(events.iter().map(|event| event.sequence).collect::<Vec<_>>(), [1, 2, 3]);
    let asked = served.await.unwrap();
    assert!(asked[1].starts_with("GET /api/v1/events?limit=8&after=2 "), "{}", asked[1]);

    let (url, served) = scripted(vec![(200, one), (200, two)]).await;
    Api::new(&url, None).unwrap().latest_events(&[], 10).await.unwrap();
    let asked = served.await.unwrap();
    let newest = format!("GET /api/v1/events?before={}&limit=10 ", i64::MAX);
    assert!(asked[0].starts_with(&newest), "{}", asked[0]);
    assert!(asked[1].starts_with("GET /api/v1/events?limit=8&before=2 "), "{}", asked[1]);
}

#[tokio::test]
async fn a_session_is_read_flat_and_nested() {
    let flat = r#"{"issuer":"i","person":"p","display":"alice","groups":["g"],"expiresAt":"t"}"#;
    let nested = r#"{"person":{"issuer":"i","person":"p","display":"alice"},"expiresAt":"t"}"#;
    let (url, served) = scripted(vec![(200, flat), (200, nested)]).await;
    let api = Api::new(&url, None).unwrap();
    assert_eq!(api.session().await.unwrap().person.groups, ["g"]);
    assert_eq!(api.session().await.unwrap().person.display, "alice");
    served.await.unwrap();
}

#[test]
fn a_session_never_goes_over_plain_http_to_another_machine() {
    for bad in ["http://strongroom.example.com", "ftp://x", "http://127.0.0.1.example.com"] {
        assert_eq!(Api::new(&bad.parse().unwrap(), None).unwrap_err().exit, Exit::Usage, "{bad}");
    }
    for good in ["https://strongroom.example.com", "http://127.0.0.1:8080", "http://[::1]:1"] {
        assert!(Api::new(&good.parse().unwrap(), None).is_ok(), "{good}");
    }
}

#[tokio::test]
async fn nobody_there_is_a_sentence() {
    let api = Api::new(&"http://127.0.0.1:9".parse().unwrap(), None).unwrap();
    let failure = api.session().await.unwrap_err();
    assert_eq!(failure.exit, Exit::Failed);
    assert!(failure.render().contains("no answer from http://127.0.0.1:9"));
}
