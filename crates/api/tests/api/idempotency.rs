//! `Idempotency-Key`: the same call again does nothing twice.

use serde_json::{Value, json};

use crate::support::TestApp;
use crate::support::client::{Answer, Client};
use crate::support::documents::{payments, prod_eu};

async fn post(who: &Client, path: &str, key: &str, body: &Value) -> Answer {
    who.send("POST", path, |request| request.header("Idempotency-Key", key).json(body)).await
}

fn is_replayed(answer: &Answer) -> bool {
    answer.headers.get("idempotent-replayed").is_some_and(|value| value == "true")
}

/// A request of alice's to talk about.
async fn request(app: &TestApp, alice: &Client) -> String {
    let id = app.submit(alice, &[payments()]).await;
    format!("/api/v1/requests/{id}/comments")
}

async fn comments(who: &Client, path: &str) -> usize {
    let id = path.split('/').nth(4).unwrap();
    let page = who.get(&format!("/api/v1/events?request={id}")).await;
    let all = page.body["items"].as_array().unwrap();
    all.iter().filter(|event| event["kind"] == "request.commented").count()
}

#[tokio::test]
async fn the_same_call_again_is_answered_as_it_was() {
    let app = TestApp::start().await;
    app.executor.apply(&prod_eu(), 1, json!({})).await;
    let alice = app.sign_in("alice", &["payments-dev", "payments-leads"]).await;
    let path = request(&app, &alice).await;
    let body = json!({ "text": "one" });
    let first = post(&alice, &path, "k-1", &body).await;
    assert_eq!((first.status, is_replayed(&first)), (204, false));
    let again = post(&alice, &path, "k-1", &body).await;
    assert_eq!((again.status, is_replayed(&again)), (204, true));
    assert_eq!(comments(&alice, &path).await, 1);

    // Another call with the key is refused, at the same place or another, and does nothing.
    let other = post(&alice, &path, "k-1", &json!({ "text": "two" })).await;
    insta::assert_snapshot!(other.shown(), @r#"
    422
    {
      "code": "invalid",
      "detail": "what was sent cannot be taken as it is",
      "errors": [
        {
          "message": "this Idempotency-Key was sent with another call within the last 24 hours; each call has a key of its own",
          "pointer": ""
        }
      ],
      "hint": "correct what `errors` names and send it again",
      "status": 422,
      "title": "Not valid",
      "traceId": "[traceId]",
      "type": "urn:strongroom:problem:invalid"
    }
    "#);
    assert_eq!(comments(&alice, &path).await, 1);
    // Without the key, or with another one, it is another call.
    assert_eq!(alice.post(&path, &body).await.status, 204);
    assert_eq!(post(&alice, &path, "k-2", &body).await.status, 204);
    assert_eq!(comments(&alice, &path).await, 3);

    // A key is its caller's own.
    let sue = app.sign_in("sue", &["platform-sre"]).await;
    let hers = post(&sue, &path, "k-1", &body).await;
    assert_eq!((hers.status, is_replayed(&hers)), (204, false));
    assert_eq!(comments(&alice, &path).await, 4);

    // An error is not kept: what was wrong may be put right under the same key.
    let empty = post(&alice, &path, "k-3", &json!({ "text": "" })).await;
    assert_eq!(empty.status, 422);
    let right = post(&alice, &path, "k-3", &json!({ "text": "three" })).await;
    assert_eq!((right.status, is_replayed(&right)), (204, false));

    for key in ["", "two words", "k\u{e9}", &"x".repeat(256)] {
        let refused = post(&alice, &path, key, &body).await;
        assert_eq!(
            (refused.status, refused.body["code"].as_str()),
            (400, Some("malformed")),
            "{key:?}"
        );
    }
}

#[tokio::test]
async fn many_at_once_do_it_once() {
    let app = TestApp::start().await;
    app.executor.apply(&prod_eu(), 1, json!({})).await;
    let alice = app.sign_in("alice", &["payments-leads"]).await;
    let path = request(&app, &alice).await;
    let body = json!({ "text": "at once" });
    let calls = (0..8).map(|_| post(&alice, &path, "same", &body));
    let answers = futures::future::join_all(calls).await;
    for answer in &answers {
        let busy = answer.status == 409 && answer.body["code"] == "under_way";
        assert!(answer.status == 204 || busy, "{} {}", answer.status, answer.body);
    }
    assert_eq!(comments(&alice, &path).await, 1);
}

#[tokio::test]
async fn what_is_shown_once_is_kept_nowhere() {
    let app = TestApp::start().await;
    app.executor.apply(&payments(), 1, json!({})).await;
    let bob = app.sign_in("bob", &["payments-leads"]).await;
    let path = "/api/v1/teams/payments/machines";
    let body = json!({ "name": "ci", "scope": "read" });
    let made = post(&bob, path, "m-1", &body).await;
    assert_eq!(made.status, 201);
    let key = made.text("/key").to_owned();
    let again = post(&bob, path, "m-1", &body).await;
    assert_eq!(again.status, 409, "{}", again.body);
    assert!(again.body["detail"].as_str().unwrap().contains("shown only once"), "{}", again.body);
    assert_eq!(bob.get("/api/v1/machines").await.count(), 1);
    assert!(key.starts_with("srk_"));
    assert_eq!(app.kept_answers().await, [None], "that it was done, and nothing of the answer");
}
