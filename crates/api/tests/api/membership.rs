//! The questions over applied documents that visibility and early refusals hang on.

use std::collections::BTreeSet;

use serde_json::json;

use crate::support::TestApp;
use crate::support::documents::{normal, orders, payments, prod_eu};

fn set(words: &[&str]) -> BTreeSet<String> {
    words.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn a_group_belongs_to_the_teams_that_name_it_among_their_people() {
    let app = TestApp::start().await;
    let mut viewed = payments();
    viewed["spec"]["people"]["viewers"] = json!([{ "group": "helpdesk" }]);
    viewed["spec"]["bindings"] = json!([{
        "name": "reading", "people": { "group": "on-call" }, "until": "2027-06-30",
        "access": [{ "mount": "kv", "path": "test/*", "level": "read" }],
    }]);
    app.executor.apply(&normal(&viewed), 1, json!({})).await;
    app.executor.apply(&orders(), 1, json!({})).await;
    app.executor.apply(&prod_eu(), 1, json!({})).await;
    let store = &app.executor.store;
    let rows = store.memberships().await.unwrap();
    let told: Vec<String> =
        rows.iter().map(|row| format!("{} {} {}", row.team, row.list, row.group)).collect();
    // Holding a binding is not being in the team.
    assert_eq!(
        told,
        [
            "orders editors orders-dev",
            "orders owners orders-leads",
            "payments editors payments-dev",
            "payments owners payments-leads",
            "payments viewers helpdesk",
        ]
    );
}

/// Whoever was in a team and is not any more sees it no more with the next request, and the other
/// way round.
#[tokio::test]
async fn a_change_of_people_counts_from_the_next_request() {
    let app = TestApp::start().await;
    app.executor.apply(&payments(), 1, json!({})).await;
    let helpdesk = app.sign_in("hal", &["helpdesk"]).await;
    let lead = app.sign_in("lea", &["payments-leads"]).await;
    let path = "/api/v1/documents/team/payments";
    assert_eq!((helpdesk.get(path).await.status, lead.get(path).await.status), (404, 200));
    let version = app.executor.store.access_version().await.unwrap();
    let mut other = payments();
    other["spec"]["people"]["owners"] = json!([{ "group": "helpdesk" }]);
    app.executor.apply(&other, 2, json!({})).await;
    assert!(app.executor.store.access_version().await.unwrap() > version);
    assert_eq!((helpdesk.get(path).await.status, lead.get(path).await.status), (200, 404));
    // The same document once more is no change.
    let version = app.executor.store.access_version().await.unwrap();
    app.executor.apply(&other, 3, json!({})).await;
    assert_eq!(app.executor.store.access_version().await.unwrap(), version);
}

#[tokio::test]
async fn claims_are_those_of_applied_documents_by_their_whole_name() {
    let app = TestApp::start().await;
    app.executor.apply(&payments(), 1, json!({})).await;
    let store = &app.executor.store;
    let asked = set(&["prod-eu/payments-prod", "prod-eu/payments", "prod-us/payments-prod"]);
    let claims = store.claims_of_namespaces(&asked).await.unwrap();
    assert_eq!(claims.len(), 1);
    assert_eq!(
        (claims[0].team.as_str(), claims[0].namespace.as_str()),
        ("payments", "payments-prod")
    );
    assert!(store.claims_of_namespaces(&set(&[])).await.unwrap().is_empty());
}

#[tokio::test]
async fn groups_in_use_are_those_of_other_teams_wherever_they_stand() {
    let app = TestApp::start().await;
    let mut held = orders();
    held["spec"]["bindings"] = json!([{
        "name": "reading", "people": { "group": "on-call" }, "until": "2027-06-30",
        "access": [{ "mount": "kv", "path": "test/*", "level": "read" }],
    }]);
    app.executor.apply(&normal(&held), 1, json!({})).await;
    app.executor.apply(&payments(), 1, json!({})).await;
    let store = &app.executor.store;
    let asked = set(&["on-call", "orders-leads", "payments-leads", "nobody"]);
    let used = store.groups_in_use(&asked, &set(&["payments"])).await.unwrap();
    assert_eq!(used, set(&["on-call", "orders-leads"]));
}
