//! Signing in, and how long that holds.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use serde_json::json;

use crate::support::{ACT_CLIENT, TestApp};

#[tokio::test]
async fn a_sign_in_opens_a_session_once() {
    let app = TestApp::start().await;
    let begun = app.nobody().post("/api/v1/sign-ins", &json!({})).await;
    insta::assert_snapshot!(begun.shown(), @r#"
    201
    {
      "clientId": "strongroom-cli",
      "expiresAt": "2026-11-23T12:10:00Z",
      "issuer": "[issuer]",
      "nonce": "[nonce]",
      "scopes": [
        "openid",
        "groups"
      ],
      "signInId": "[id]"
    }
    "#);
    let token = app.provider.sign(&app.claims("alice", &["payments-dev"], begun.text("/nonce")));
    let done = app.complete(begun.text("/signInId"), &token).await;
    insta::assert_snapshot!(done.shown(), @r#"
    201
    {
      "expiresAt": "2026-11-24T00:00:00Z",
      "person": {
        "display": "alice",
        "groups": [
          "payments-dev"
        ],
        "issuer": "[issuer]",
        "person": "subject-of-alice"
      },
      "token": "[token]"
    }
    "#);
    let again = app.complete(begun.text("/signInId"), &token).await;
    assert_eq!((again.status, again.text("/code")), (404, "not_found"));
}

#[tokio::test]
async fn sessions_are_listed_and_ended_by_their_owner_and_the_platform() {
    let app = TestApp::start().await;
    let here = app.sign_in("alice", &["payments-dev"]).await;
    let there = app.sign_in("alice", &["payments-dev"]).await;
    let bob = app.sign_in("bob", &["payments-leads"]).await;
    let listed = here.get("/api/v1/sessions").await;
    let items = listed.body["items"].as_array().unwrap().clone();
    assert_eq!(items.len(), 2, "one's own, and nobody else's: {items:#?}");
    let current: Vec<_> = items.iter().filter(|item| item["current"] == true).collect();
    assert_eq!(current.len(), 1);
    assert!(!listed.body.to_string().contains("srs_"), "no token is ever shown");
    let other = items.iter().find(|item| item["current"] == false).unwrap();
    let path = format!("/api/v1/sessions/{}", other["sessionId"].as_str().unwrap());
    // Nobody ends what is not theirs, and does not learn that it is there.
    let none = "/api/v1/sessions/0199b5d0-0000-7000-8000-000000000009";
    let (foreign, unknown) = (bob.delete(&path).await, bob.delete(none).await);
    assert_eq!((foreign.status, foreign.text("/detail")), (404, unknown.text("/detail")));
    assert_eq!(there.get("/api/v1/session").await.status, 200);
    assert_eq!(here.delete(&path).await.status, 204);
    assert_eq!(there.get("/api/v1/session").await.status, 401, "it is ended");
    assert_eq!(here.delete(&path).await.status, 404, "once");

    assert_eq!(bob.get("/api/v1/sessions?all=true").await.status, 403);
    let sue = app.sign_in("sue", &["platform-sre"]).await;
    let all = sue.get("/api/v1/sessions?all=true").await;
    let all = all.body["items"].as_array().unwrap().clone();
    assert_eq!(all.len(), 3);
    let bobs = all.iter().find(|item| item["display"] == "bob").unwrap();
    let path = format!("/api/v1/sessions/{}", bobs["sessionId"].as_str().unwrap());
    assert_eq!(sue.delete(&path).await.status, 204);
    assert_eq!(bob.get("/api/v1/session").await.status, 401);
    let events = sue.get("/api/v1/events?limit=200").await;
    let ended = events.body["items"].as_array().unwrap().iter();
    assert_eq!(ended.filter(|event| event["kind"] == "session.ended").count(), 2);
}

#[tokio::test]
async fn the_session_tells_whose_it_is_and_ends_when_told() {
    let app = TestApp::start().await;
    let alice = app.sign_in("alice", &["payments-dev"]).await;
    insta::assert_snapshot!(alice.get("/api/v1/session").await.shown(), @r#"
    200
    {
      "auditor": false,
      "display": "alice",
      "expiresAt": "2026-11-24T00:00:00Z",
      "groups": [
        "payments-dev"
      ],
      "issuer": "[issuer]",
      "person": "subject-of-alice",
      "platform": false
    }
    "#);
    assert_eq!(alice.delete("/api/v1/session").await.status, 204);
    insta::assert_snapshot!(alice.get("/api/v1/session").await.shown(), @r#"
    401
    {
      "code": "unauthenticated",
      "detail": "there is no live session and no live machine for this request",
      "errors": [],
      "hint": "run `strongroom login`; a key or token of a machine has ended, or was never one (`strongroom get machines` as its owner)",
      "status": 401,
      "title": "Not signed in",
      "traceId": "[traceId]",
      "type": "urn:strongroom:problem:unauthenticated"
    }
    "#);
}

#[tokio::test]
async fn a_token_for_something_else_opens_nothing() {
    let app = TestApp::start().await;
    let refused = |change: fn(&mut serde_json::Value)| {
        let app = &app;
        async move {
            let begun = app.nobody().post("/api/v1/sign-ins", &json!({})).await;
            let mut claims = app.claims("alice", &["payments-dev"], begun.text("/nonce"));
            change(&mut claims);
            let answer = app.complete(begun.text("/signInId"), &app.provider.sign(&claims)).await;
            assert_eq!(answer.status, 401, "{:#}", answer.body);
            assert_eq!(answer.text("/code"), "sign_in_refused");
            answer.text("/detail").to_owned()
        }
    };
    let sentences: BTreeSet<String> = [
        refused(|c| c["nonce"] = json!("another")).await,
        refused(|c| c["aud"] = json!(ACT_CLIENT)).await,
        refused(|c| c["iss"] = json!("https://evil")).await,
        refused(|c| c["groups"] = json!(null)).await,
        refused(|c| c["exp"] = json!(1)).await,
    ]
    .into();
    assert_eq!(sentences.len(), 5, "each has its own reason: {sentences:?}");

    let begun = app.nobody().post("/api/v1/sign-ins", &json!({})).await;
    let answer = app.complete(begun.text("/signInId"), "no.token.here").await;
    assert_eq!(answer.status, 401);
}

#[tokio::test]
async fn a_sign_in_a_session_and_its_idleness_end_in_time() {
    let app = TestApp::start().await;
    let begun = app.nobody().post("/api/v1/sign-ins", &json!({})).await;
    app.clock.advance(SignedDuration::from_mins(11));
    let token = app.provider.sign(&app.claims("alice", &["payments-dev"], begun.text("/nonce")));
    assert_eq!(app.complete(begun.text("/signInId"), &token).await.status, 404);

    let idle = app.sign_in("alice", &["payments-dev"]).await;
    app.clock.advance(SignedDuration::from_mins(31));
    assert_eq!(idle.get("/api/v1/session").await.status, 401);

    let busy = app.sign_in("alice", &["payments-dev"]).await;
    for _ in 0..35 {
        app.clock.advance(SignedDuration::from_mins(20));
        assert_eq!(busy.get("/api/v1/session").await.status, 200);
    }
    app.clock.advance(SignedDuration::from_mins(21));
    assert_eq!(busy.get("/api/v1/session").await.status, 401, "twelve hours are over");
}

#[tokio::test]
async fn a_sign_in_is_in_the_ledger_without_its_token() {
    let app = TestApp::start().await;
    let sue = app.sign_in("sue", &["platform-sre"]).await;
    let events = sue.get("/api/v1/events").await;
    assert_eq!(events.count(), 1);
    assert_eq!(events.text("/items/0/kind"), "session.signed_in");
    assert_eq!(events.text("/items/0/event/actor/display"), "sue");
    assert_eq!(events.body["items"][0]["event"]["actor"]["signed"], json!(false));
    assert!(!events.body.to_string().contains("srs_"));
}

#[tokio::test]
async fn trust_is_what_the_executor_published_with_the_sign_in_client() {
    let app = TestApp::start_without_trust().await;
    insta::assert_snapshot!(app.nobody().get("/api/v1/trust").await.shown(), @r#"
    503
    {
      "code": "not_ready",
      "detail": "the executor has not published anything yet",
      "errors": [],
      "hint": "start `strongroom execute` once; then try again",
      "status": 503,
      "title": "Not ready",
      "traceId": "[traceId]",
      "type": "urn:strongroom:problem:not_ready"
    }
    "#);
    app.executor.publish_trust(&app.provider.url).await;
    insta::assert_snapshot!(app.nobody().get("/api/v1/trust").await.shown(), @r#"
    200
    {
      "actClients": {
        "cli": "strongroom-cli-act"
      },
      "deployment": "[id]",
      "engine": {
        "address": "https://engine.example.com:8200",
        "caPem": "",
        "peopleMount": "people",
        "peopleRole": "people"
      },
      "executorKeys": [],
      "groupsClaim": "groups",
      "issuer": "[issuer]",
      "personClaim": "sub",
      "signIn": {
        "clientId": "strongroom-cli",
        "scopes": [
          "openid",
          "groups"
        ]
      }
    }
    "#);
}
