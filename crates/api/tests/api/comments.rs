//! What people say about a request, and events as they come.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::TestApp;
use crate::support::client::Client;
use crate::support::documents::{payments, prod_eu};

async fn with_request() -> (TestApp, Client, String) {
    let app = TestApp::start().await;
    app.executor.apply(&prod_eu(), 1, json!({})).await;
    let alice = app.sign_in("alice", &["payments-dev"]).await;
    let request = app.submit(&alice, &[payments()]).await;
    app.executor.apply(&payments(), 1, json!({})).await;
    (app, alice, format!("/api/v1/requests/{request}"))
}

/// What was said about a request, as its reader sees it.
async fn said(who: &Client, request: &str) -> Vec<(String, String)> {
    let id = request.rsplit_once('/').unwrap().1;
    let answer = who.get(&format!("/api/v1/events?request={id}")).await;
    let items = answer.body["items"].as_array().unwrap().clone();
    let comments = items.iter().filter(|item| item["kind"] == "request.commented");
    comments
        .map(|item| {
            let event = &item["event"];
            let display = event["actor"]["display"].as_str().unwrap_or_default().to_owned();
            (display, event["detail"]["comment"].as_str().unwrap_or_default().to_owned())
        })
        .collect()
}

#[tokio::test]
async fn who_sees_a_request_may_say_something_about_it() {
    let (app, alice, request) = with_request().await;
    let bob = app.sign_in("bob", &["payments-leads"]).await;
    let (eve, ada) =
        (app.sign_in("eve", &["others"]).await, app.sign_in("ada", &["auditors"]).await);
    let comments = format!("{request}/comments");
    for (who, text) in [(&alice, "  why not read?  "), (&bob, "see PAY-12\nplease")] {
        assert_eq!(who.post(&comments, &json!({ "text": text })).await.status, 204);
    }
    let expected = [("alice", "why not read?"), ("bob", "see PAY-12\nplease")];
    let expected = expected.map(|(who, text)| (who.to_owned(), text.to_owned()));
    assert_eq!(said(&bob, &request).await, expected);
    assert_eq!(said(&ada, &request).await, expected);
    // What is not there to see takes no comment, and an auditor changes nothing.
    assert_eq!(eve.post(&comments, &json!({ "text": "x" })).await.status, 404);
    assert_eq!(ada.post(&comments, &json!({ "text": "x" })).await.status, 403);
    for text in ["", " \n ", "a\u{202e}b", "a\u{0}b", &"x".repeat(2001)] {
        let answer = alice.post(&comments, &json!({ "text": text })).await;
        assert_eq!((answer.status, answer.pointers()), (422, vec!["/text"]), "{text:?}");
    }
    // It decides nothing.
    assert_eq!(alice.get(&request).await.text("/state"), "submitted");
}

#[tokio::test]
async fn a_request_takes_only_so_many_comments() {
    let (_app, alice, request) = with_request().await;
    let comments = format!("{request}/comments");
    for number in 0..200 {
        let answer = alice.post(&comments, &json!({ "text": number.to_string() })).await;
        assert_eq!(answer.status, 204);
    }
    let answer = alice.post(&comments, &json!({ "text": "one more" })).await;
    assert_eq!((answer.status, answer.text("/code")), (409, "conflict"));
}

/// Reads a stream until so many events have come.
async fn events(response: &mut reqwest::Response, count: usize) -> Vec<Value> {
    let mut text = String::new();
    let mut found = Vec::new();
    while found.len() < count {
        let chunk = tokio::time::timeout(Duration::from_secs(20), response.chunk());
        let chunk = chunk.await.expect("nothing came").unwrap().expect("it ended");
        text.push_str(std::str::from_utf8(&chunk).unwrap());
        while let Some((event, rest)) = text.split_once("\n\n") {
            let data = event.lines().find_map(|line| line.strip_prefix("data: "));
            found.extend(data.map(|data| serde_json::from_str::<Value>(data).unwrap()));
            text = rest.to_owned();
        }
    }
    found
}

#[tokio::test]
async fn events_come_to_who_may_see_them() {
    let (app, alice, request) = with_request().await;
    let eve = app.sign_in("eve", &["others"]).await;
    let follow = |who: &Client, query: &str| {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let url = format!("{}/api/v1/events/stream{query}", app.url);
        http.get(url).bearer_auth(who.token().unwrap())
    };
    let mut live = follow(&alice, "").send().await.unwrap();
    assert_eq!(live.headers()["content-type"], "text/event-stream");
    let mut blind = follow(&eve, "").send().await.unwrap();
    let text = json!({ "text": "now" });
    assert_eq!(alice.post(&format!("{request}/comments"), &text).await.status, 204);
    let came = events(&mut live, 1).await.remove(0);
    assert_eq!(
        (&came["kind"], &came["event"]["detail"]["comment"]),
        (&json!("request.commented"), &json!("now"))
    );

    // From a place on, and from where a stream broke off.
    let before = came["sequence"].as_i64().unwrap() - 1;
    let mut again = follow(&alice, &format!("?after={before}")).send().await.unwrap();
    assert_eq!(events(&mut again, 1).await[0]["sequence"], came["sequence"]);
    let resumed = follow(&alice, "").header("last-event-id", before.to_string());
    assert_eq!(
        events(&mut resumed.send().await.unwrap(), 1).await[0]["sequence"],
        came["sequence"]
    );
    let odd = follow(&alice, "").header("last-event-id", "x").send().await.unwrap();
    assert_eq!(odd.status(), 400);

    // Nothing of it comes to somebody else: what comes is what is theirs.
    let theirs = eve.delete("/api/v1/session").await;
    assert_eq!(theirs.status, 204);
    let quiet = tokio::time::timeout(Duration::from_secs(2), events(&mut blind, 1)).await;
    assert!(quiet.is_err(), "{quiet:?}");
}

#[tokio::test]
async fn nobody_follows_in_too_many_places() {
    let (app, alice, _) = with_request().await;
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("{}/api/v1/events/stream", app.url);
    let mut open = Vec::new();
    for _ in 0..10 {
        let response = http.get(&url).bearer_auth(alice.token().unwrap()).send().await.unwrap();
        assert_eq!(response.status(), 200);
        open.push(response);
    }
    let more = || http.get(&url).bearer_auth(alice.token().unwrap()).send();
    assert_eq!(more().await.unwrap().status(), 409);
    // A place that is given up is free again.
    open.pop();
    let start = std::time::Instant::now();
    while more().await.unwrap().status() != 200 {
        assert!(start.elapsed() < Duration::from_secs(20), "the place stays taken");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
