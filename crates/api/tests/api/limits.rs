//! How often somebody may ask.

use std::num::NonZeroU32;

use serde_json::json;

use crate::support::TestApp;
use crate::support::client::Client;

fn calls(count: u32) -> NonZeroU32 {
    NonZeroU32::new(count).unwrap()
}

/// Asks until it is told to wait; gives how often that went well.
async fn asks(client: &Client, most: u32) -> (u32, Option<u64>) {
    for count in 0..most {
        let answer = client.get("/api/v1/session").await;
        if answer.status == 429 {
            assert_eq!(answer.text("/code"), "too_many");
            let wait = answer.headers["retry-after"].to_str().unwrap().parse().unwrap();
            return (count, Some(wait));
        }
        assert_eq!(answer.status, 200, "{:#}", answer.body);
    }
    (most, None)
}

#[tokio::test]
async fn one_caller_makes_nobody_else_wait() {
    let app = TestApp::start_with(calls(20), NonZeroU32::MAX, NonZeroU32::MAX).await;
    app.executor.publish_trust(&app.provider.url).await;
    let alice = app.sign_in("alice", &["payments-dev"]).await;
    let bob = app.sign_in("bob", &["payments-leads"]).await;
    let (count, wait) = asks(&alice, 60).await;
    // Calls come back while it asks.
    assert!((20..30).contains(&count), "{count}");
    assert!((1..=4).contains(&wait.unwrap()), "{wait:?}");
    // Another session is the same person.
    let again = app.sign_in("alice", &["payments-dev"]).await;
    assert!(asks(&again, 3).await.0 <= 1);
    assert_eq!(asks(&bob, 15).await, (15, None));
}

#[tokio::test]
async fn all_machines_of_a_team_are_counted_together() {
    let app = TestApp::start_with(calls(100), calls(12), NonZeroU32::MAX).await;
    app.executor.publish_trust(&app.provider.url).await;
    let payments = crate::support::documents::payments();
    app.executor.apply(&payments, 1, json!({})).await;
    let bob = app.sign_in("bob", &["payments-leads"]).await;
    let mut keys = Vec::new();
    for name in ["one", "two"] {
        let body = json!({ "name": name, "scope": "read" });
        let made = bob.post("/api/v1/teams/payments/machines", &body).await;
        assert_eq!(made.status, 201, "{:#}", made.body);
        keys.push(Client::new(&app.url, Some(made.text("/key")), None));
    }
    let (one, wait) = asks(&keys[0], 30).await;
    assert!((12..20).contains(&one) && wait.is_some(), "{one}");
    assert!(asks(&keys[1], 3).await.0 <= 1, "the other machine has calls of its own");
    assert_eq!(asks(&bob, 10).await, (10, None));
}

#[tokio::test]
async fn whoever_is_nobody_cannot_try_for_ever() {
    let app = TestApp::start_with(NonZeroU32::MAX, NonZeroU32::MAX, calls(10)).await;
    app.executor.publish_trust(&app.provider.url).await;
    let alice = app.sign_in("alice", &["payments-dev"]).await;
    let forged = Client::new(&app.url, Some(&format!("srk_{}", "A".repeat(43))), None);
    let mut told = Vec::new();
    for _ in 0..30 {
        told.push(forged.get("/api/v1/session").await.status);
        told.push(app.nobody().post("/api/v1/sign-ins", &json!({})).await.status);
    }
    assert!(told.contains(&401) && told.contains(&201), "{told:?}");
    let refused = told.iter().filter(|status| **status == 429).count();
    assert!(refused > 40, "{refused} of {}", told.len());
    // Whoever is somebody, and plain reads that anybody may make, do not wait for them.
    assert_eq!(asks(&alice, 10).await, (10, None));
    assert_eq!(app.nobody().get("/api/v1/trust").await.status, 200);
}
