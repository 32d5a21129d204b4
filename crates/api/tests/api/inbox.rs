//! What waits for the caller's own signature, and what else is asked for about a document.

use serde_json::{Value, json};
use strongroom_domain::request::State;

use crate::support::TestApp;
use crate::support::act::{based_on, submission};
use crate::support::client::Client;
use crate::support::documents::{orders, payments, prod_eu};

const STAGES: [(&str, &str); 2] =
    [("owners of payments", "payments-leads"), ("platform", "platform-sre")];

async fn stages(who: &Client) -> Vec<String> {
    let inbox = who.get("/api/v1/inbox").await;
    assert_eq!(inbox.status, 200, "{}", inbox.body);
    let items = inbox.body["items"].as_array().unwrap().clone();
    items.iter().map(|item| item["stage"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn only_where_ones_own_vote_would_count() {
    let app = TestApp::start().await;
    let hash = app.executor.apply(&payments(), 1, json!({})).await;
    app.executor.apply(&orders(), 1, json!({})).await;
    app.executor.apply(&prod_eu(), 1, json!({})).await;
    let alice = app.sign_in("alice", &["payments-dev", "payments-leads"]).await;
    let bob = app.sign_in("bob", &["payments-leads"]).await;
    let others = [
        app.sign_in("carol", &["orders-leads"]).await,
        app.sign_in("ada", &["auditors"]).await,
        app.sign_in("dan", &["payments-dev"]).await,
    ];
    let sue = app.sign_in("sue", &["platform-sre"]).await;
    let sent = based_on(submission(&[payments()]), 1, hash);
    let answer = alice.post("/api/v1/requests", &app.submit_body(&alice, &sent)).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    let request = sent.request;
    assert!(stages(&bob).await.is_empty(), "no plan is frozen yet");

    app.executor.freeze_plan(request, &STAGES).await;
    assert!(stages(&alice).await.is_empty(), "a submitter's own vote does not count");
    assert_eq!(stages(&bob).await, ["owners of payments"]);
    assert_eq!(stages(&sue).await, ["platform"]);
    for who in &others {
        assert!(stages(who).await.is_empty());
    }
    let inbox = sue.get("/api/v1/inbox").await;
    let item = &inbox.body["items"][0];
    assert_eq!(item["request"]["requestId"], json!(request));
    assert_eq!(
        (&item["risk"], &item["votes"], &item["needed"]),
        (&json!("high"), &json!(0), &json!(1))
    );
    assert_eq!(item["documents"], json!(["team/payments"]));

    app.executor.transition(request, State::Rejected).await;
    assert!(stages(&bob).await.is_empty(), "it is decided");
}

#[tokio::test]
async fn a_preview_names_what_is_asked_for_besides() {
    let app = TestApp::start().await;
    app.executor.apply(&prod_eu(), 1, json!({})).await;
    let alice = app.sign_in("alice", &["payments-leads"]).await;
    let beside = async |who: &Client, document: &Value| -> Vec<Value> {
        let answer =
            who.post("/api/v1/requests/preview", &json!({ "documents": [document] })).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body["beside"].as_array().unwrap().clone()
    };
    assert!(beside(&alice, &payments()).await.is_empty());
    let request = app.submit(&alice, &[payments()]).await;
    let told = beside(&alice, &payments()).await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["requestId"], json!(request));
    assert_eq!(told[0]["documents"], json!(["team/payments"]));
    assert!(beside(&alice, &orders()).await.is_empty(), "it is about another team");
    app.executor.transition(request, State::Withdrawn).await;
    assert!(beside(&alice, &payments()).await.is_empty(), "what is over stands beside nothing");
}
