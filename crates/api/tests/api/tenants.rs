//! What is another tenant's is answered like what is not there.

use serde_json::{Value, json};
use strongroom_domain::act::ActKind;

use crate::support::TestApp;
use crate::support::act::{based_on, submission};
use crate::support::client::Answer;
use crate::support::documents::{orders, payments, prod_eu};

fn same(there: &Answer, missing: &Answer, what: &str) {
    let bare = |answer: &Answer| {
        let mut body = answer.body.clone();
        body["traceId"] = Value::Null;
        (answer.status, body)
    };
    assert_eq!(bare(there), bare(missing), "{what}");
    assert_eq!(there.status, 404, "{what}");
    let names = |answer: &Answer| -> Vec<String> {
        let mut names: Vec<String> = answer.headers.keys().map(ToString::to_string).collect();
        names.sort();
        names
    };
    assert_eq!(names(there), names(missing), "{what}");
}

#[tokio::test]
async fn nothing_of_another_team_is_seen() {
    let app = TestApp::start().await;
    let hash = app.executor.apply(&payments(), 1, json!({})).await;
    app.executor.apply(&orders(), 1, json!({})).await;
    app.executor.apply(&prod_eu(), 1, json!({})).await;
    app.executor.binding("payments").await;
    app.executor.event("team/payments").await;
    let alice = app.sign_in("alice", &["payments-dev"]).await;
    let sent = based_on(submission(&[payments()]), 1, hash);
    let answer = alice.post("/api/v1/requests", &app.submit_body(&alice, &sent)).await;
    assert_eq!(answer.status, 201, "{:#}", answer.body);
    let request = sent.request;
    let plan = app.executor.freeze_plan(request, &[("platform", "platform-sre")]).await;

    let carol = app.sign_in("carol", &["orders-leads"]).await;
    let none = "0199b5d0-0000-7000-8000-0000000000ff";
    for (path, like) in [
        (format!("/api/v1/requests/{request}"), format!("/api/v1/requests/{none}")),
        (format!("/api/v1/requests/{request}/plan"), format!("/api/v1/requests/{none}/plan")),
        (format!("/api/v1/requests/{request}/acts"), format!("/api/v1/requests/{none}/acts")),
        ("/api/v1/documents/team/payments".into(), "/api/v1/documents/team/nobody".into()),
        (
            "/api/v1/documents/team/payments?revision=2".into(),
            "/api/v1/documents/team/x?revision=2".into(),
        ),
        ("/api/v1/teams/payments/bindings".into(), "/api/v1/teams/nobody/bindings".into()),
    ] {
        same(&carol.get(&path).await, &carol.get(&like).await, &path);
        let sue = app.sign_in("sue", &["platform-sre"]).await;
        assert_eq!(sue.get(&path).await.status, 200, "{path} is there for the platform");
    }
    // What everybody knows to be there is not called missing.
    for known in ["cluster/prod-eu", "platform/platform"] {
        let answer = carol.get(&format!("/api/v1/documents/{known}")).await;
        assert_eq!(answer.status, 403, "{known}");
        assert!(answer.text("/detail").contains("platform team"), "{:#}", answer.body);
    }
    assert_eq!(carol.get("/api/v1/documents/cluster/none").await.status, 404);
    let vote = app.act_body(&carol, ActKind::Approve, request, (1, "platform", plan));
    let there = carol.post(&format!("/api/v1/requests/{request}/acts"), &vote).await;
    let missing = carol.post(&format!("/api/v1/requests/{none}/acts"), &vote).await;
    same(&there, &missing, "a vote");

    assert_eq!(carol.get("/api/v1/requests").await.count(), 0);
    assert_eq!(carol.get("/api/v1/requests?subject=team/payments").await.count(), 0);
    assert_eq!(carol.get("/api/v1/events").await.count(), 0);
    assert_eq!(carol.get("/api/v1/events?subject=team/payments").await.count(), 0);
    assert_eq!(carol.get(&format!("/api/v1/events?request={request}")).await.count(), 0);
    let teams = carol.get("/api/v1/teams").await;
    assert_eq!(teams.count(), 1);
    assert_eq!(teams.text("/items/0/name"), "orders");

    assert!(alice.get("/api/v1/events?subject=team/payments").await.count() >= 1);
    assert_eq!(alice.get("/api/v1/teams/payments/bindings").await.count(), 1);
}

#[tokio::test]
async fn those_whom_a_new_team_names_see_its_request_and_nobody_else() {
    let app = TestApp::start().await;
    let alice = app.sign_in("alice", &["payments-dev"]).await;
    let request = app.submit(&alice, &[payments()]).await;
    let path = format!("/api/v1/requests/{request}");
    let bob = app.sign_in("bob", &["payments-leads"]).await;
    assert_eq!(bob.get(&path).await.status, 200);
    assert_eq!(
        bob.get("/api/v1/requests").await.body["items"][0]["documents"],
        json!(["team/payments"])
    );
    let carol = app.sign_in("carol", &["orders-leads"]).await;
    assert_eq!(carol.get(&path).await.status, 404);
    let ada = app.sign_in("ada", &["auditors"]).await;
    assert_eq!(ada.get(&path).await.status, 200);
}

#[tokio::test]
async fn of_a_request_over_two_teams_each_sees_its_half() {
    let app = TestApp::start().await;
    let of_payments = app.executor.apply(&payments(), 1, json!({})).await;
    let of_orders = app.executor.apply(&orders(), 1, json!({})).await;
    let sue = app.sign_in("sue", &["platform-sre"]).await;
    let mut both = submission(&[payments(), orders()]);
    for document in &mut both.documents {
        document.base_revision = 1;
        let hash = if document.subject.name() == "orders" { of_orders } else { of_payments };
        document.base_hash = Some(hash);
    }
    let answer = sue.post("/api/v1/requests", &app.submit_body(&sue, &both)).await;
    assert_eq!(answer.status, 201, "{:#}", answer.body);
    let carol = app.sign_in("carol", &["orders-leads"]).await;
    let shown = carol.get(&format!("/api/v1/requests/{}", both.request)).await;
    assert_eq!(shown.status, 200);
    assert_eq!(shown.body["documents"].as_array().unwrap().len(), 1);
    assert_eq!(shown.text("/documents/0/subject"), "team/orders");
    let list = carol.get("/api/v1/requests").await;
    assert_eq!(list.body["items"][0]["documents"], json!(["team/orders"]));

    // The plan is whole, so it is for those who see all of it and those who may have to sign it.
    let plan = format!("/api/v1/requests/{}/plan", both.request);
    app.executor.freeze_plan(both.request, &[("platform", "platform-sre")]).await;
    assert_eq!(sue.get(&plan).await.status, 200);
    let refused = carol.get(&plan).await;
    assert_eq!(refused.status, 403, "{:#}", refused.body);
    assert!(!refused.body.to_string().contains("payments"), "{:#}", refused.body);
    app.executor.freeze_plan(both.request, &[("owners of orders", "orders-leads")]).await;
    assert_eq!(carol.get(&plan).await.status, 200);
}

#[tokio::test]
async fn groups_count_as_they_are_in_the_applied_document() {
    let app = TestApp::start().await;
    app.executor.apply(&payments(), 1, json!({})).await;
    let bob = app.sign_in("bob", &["payments-leads"]).await;
    assert_eq!(bob.get("/api/v1/teams").await.count(), 1);
    let mut without = payments();
    without["spec"]["people"]["owners"] = json!([{ "group": "payments-new-leads" }]);
    app.executor.apply(&without, 2, json!({})).await;
    assert_eq!(bob.get("/api/v1/teams").await.count(), 0);
}
