//! Documents, teams, bindings, clusters, inventory and events as people read them.

use serde_json::{Value, json};

use crate::support::TestApp;
use crate::support::act::{based_on, submission};
use crate::support::documents::{orders, payments, platform, prod_eu};

#[tokio::test]
async fn an_applied_document_comes_back_with_its_hash() {
    let app = TestApp::start().await;
    let hash = app.executor.apply(&payments(), 1, json!({})).await;
    let alice = app.sign_in("alice", &["payments-dev"]).await;
    let shown = alice.get("/api/v1/documents/team/payments").await;
    assert_eq!(shown.body["document"], payments());
    assert_eq!(shown.text("/hash"), hash.to_string());
    assert_eq!(shown.text("/state"), "applied");
    assert_eq!(shown.body["revision"], json!(1));

    // A proposed revision can be read as well, and says that it is not the applied one.
    let mut next = payments();
    next["spec"]["displayName"] = json!("Payments and more");
    let sent = based_on(submission(&[next.clone()]), 1, hash);
    let answer = alice.post("/api/v1/requests", &app.submit_body(&alice, &sent)).await;
    assert_eq!(answer.status, 201, "{:#}", answer.body);
    app.executor.apply(&payments(), 7, json!({})).await;
    let shown = alice.get("/api/v1/documents/team/payments?revision=2").await;
    assert_eq!(shown.body["document"], next);
    assert_eq!(shown.text("/state"), "stored");
    assert_eq!(shown.text("/managedBy"), "cli");
    assert_eq!(alice.get("/api/v1/documents/team/payments?revision=99").await.status, 404);
}

#[tokio::test]
async fn the_platforms_rules_have_an_address() {
    let app = TestApp::start().await;
    app.executor.apply(&platform("security"), 1, json!({})).await;
    let sue = app.sign_in("sue", &["platform-sre"]).await;
    let shown = sue.get("/api/v1/documents/platform/platform").await;
    assert_eq!((shown.status, shown.text("/subject")), (200, "platform"));
    assert_eq!(sue.get("/api/v1/documents/platform/other").await.status, 404);
    assert_eq!(sue.get("/api/v1/documents/vault/x").await.status, 404);
}

#[tokio::test]
async fn lists_of_teams_clusters_and_bindings() {
    let app = TestApp::start().await;
    app.executor.apply(&payments(), 1, json!({})).await;
    app.executor.apply(&orders(), 2, json!({})).await;
    app.executor.apply(&prod_eu(), 1, json!({})).await;
    app.executor.binding("payments").await;
    let alice = app.sign_in("alice", &["payments-dev"]).await;
    insta::assert_snapshot!(alice.get("/api/v1/teams").await.shown(), @r#"
    200
    {
      "items": [
        {
          "displayName": "PAYMENTS",
          "name": "payments",
          "revision": 1,
          "state": "applied",
          "updatedAt": "2026-11-23T12:00:00Z"
        }
      ],
      "nextCursor": null
    }
    "#);
    insta::assert_snapshot!(alice.get("/api/v1/clusters").await.shown(), @r#"
    200
    {
      "items": [
        {
          "name": "prod-eu",
          "revision": 1,
          "state": "applied",
          "updatedAt": "2026-11-23T12:00:00Z"
        }
      ],
      "nextCursor": null
    }
    "#);
    insta::assert_snapshot!(alice.get("/api/v1/teams/payments/bindings").await.shown(), @r#"
    200
    {
      "items": [
        {
          "account": "api",
          "accountUid": "uid-of-account",
          "binding": "api",
          "check": null,
          "cluster": "prod-eu",
          "differs": [],
          "namespace": "payments-prod",
          "namespaceUid": "uid-of-namespace",
          "reason": null,
          "state": "attached",
          "team": "payments",
          "updatedAt": "2026-11-23T12:00:00Z"
        }
      ],
      "nextCursor": null
    }
    "#);
    let ada = app.sign_in("ada", &["auditors"]).await;
    assert_eq!(ada.get("/api/v1/teams").await.count(), 2);
}

#[tokio::test]
async fn of_a_clusters_inventory_others_see_names_of_namespaces_only() {
    let app = TestApp::start().await;
    app.executor.apply(&payments(), 1, json!({})).await;
    app.executor.apply(&orders(), 1, json!({})).await;
    app.executor.apply(&prod_eu(), 1, json!({})).await;
    let alice = app.sign_in("alice", &["payments-dev"]).await;
    let path = "/api/v1/clusters/prod-eu/inventory";
    let never = alice.get(path).await;
    assert_eq!(never.body["known"], json!(false));
    assert_eq!(never.body["asOf"], Value::Null);

    app.executor
        .see(
            &[("orders-prod", "uid-1"), ("payments-prod", "uid-2")],
            &[("orders-prod", "api", "uid-3"), ("payments-prod", "api", "uid-4")],
        )
        .await;
    insta::assert_snapshot!(alice.get(path).await.shown(), @r#"
    200
    {
      "asOf": "2026-11-23T12:00:00Z",
      "known": true,
      "namespaces": [
        {
          "createdAt": null,
          "name": "orders-prod",
          "uid": null
        },
        {
          "createdAt": null,
          "name": "payments-prod",
          "uid": "uid-2"
        }
      ],
      "reason": null,
      "serviceAccounts": [
        {
          "createdAt": null,
          "name": "api",
          "namespace": "payments-prod",
          "uid": "uid-4"
        }
      ]
    }
    "#);
    let nobodys = app.sign_in("eve", &["somebody"]).await.get(path).await;
    assert_eq!(nobodys.body["serviceAccounts"], json!([]));
    assert!(!nobodys.body.to_string().contains("uid-"));
    let sue = app.sign_in("sue", &["platform-sre"]).await;
    assert_eq!(sue.get(path).await.body["serviceAccounts"].as_array().unwrap().len(), 2);
    assert_eq!(sue.get("/api/v1/clusters/none/inventory").await.status, 404);

    let engine = app.executor.engine;
    let store = &app.executor.store;
    let now = "2026-11-23T12:30:00Z".parse().unwrap();
    store.inventory_unknown(engine, "prod-eu", "no answer", now).await.unwrap();
    let unknown = sue.get(path).await;
    assert_eq!((&unknown.body["known"], unknown.text("/reason")), (&json!(false), "no answer"));
}

#[tokio::test]
async fn events_come_in_order_and_in_pages() {
    let app = TestApp::start().await;
    let sue = app.sign_in("sue", &["platform-sre"]).await;
    for _ in 0..4 {
        app.executor.event("team/payments").await;
    }
    let first = sue.get("/api/v1/events?limit=3").await;
    assert_eq!(first.count(), 3);
    let after = first.text("/nextCursor");
    let rest = sue.get(&format!("/api/v1/events?limit=3&after={after}")).await;
    assert_eq!(rest.count(), 2);
    assert_eq!(rest.body["nextCursor"], Value::Null);
    assert_eq!(sue.get("/api/v1/events?subject=team/payments").await.count(), 4);
    let event = &rest.body["items"][0];
    assert_eq!(event["subject"], json!("team/payments"));
    assert_eq!(event["event"]["actor"], json!({ "type": "executor" }));
    let canonical = serde_json::to_vec(&event["event"]).unwrap();
    // Keys of a parsed object are sorted, which is the canonical order for these keys.
    let digest = strongroom_domain::event::Event::digest(&canonical).to_string();
    assert_eq!(event["hash"], json!(digest));
}

#[tokio::test]
async fn the_schema_is_the_one_that_documents_are_read_by() {
    let app = TestApp::start().await;
    let schema = app.nobody().get("/api/v1/schema").await;
    assert_eq!(schema.body, strongroom_domain::document::schema::schema());
}

#[tokio::test]
async fn events_are_read_backwards_too() {
    let app = TestApp::start().await;
    app.executor.apply(&payments(), 1, json!({})).await;
    for _ in 0..3 {
        app.executor.event("team/payments").await;
    }
    let alice = app.sign_in("alice", &["payments-dev"]).await;
    let sequences = |answer: &crate::support::client::Answer| -> Vec<i64> {
        let items = answer.body["items"].as_array().unwrap();
        items.iter().map(|item| item["sequence"].as_i64().unwrap()).collect()
    };
    let on = sequences(&alice.get("/api/v1/events").await);
    let first = alice.get(&format!("/api/v1/events?before={}&limit=2", i64::MAX)).await;
    assert_eq!(sequences(&first), [on[2], on[1]]);
    let next = first.text("/nextCursor").to_owned();
    let rest = sequences(&alice.get(&format!("/api/v1/events?before={next}&limit=2")).await);
    assert_eq!(rest, [on[0]]);
    assert_eq!(alice.get("/api/v1/events?before=5&after=1").await.status, 400);
}

#[tokio::test]
async fn a_host_sees_who_is_in_its_namespaces_and_which_requests_are_about_it() {
    let app = TestApp::start().await;
    app.executor.apply(&prod_eu(), 1, json!({})).await;
    app.executor.apply(&payments(), 1, json!({})).await;
    let mut guest = orders();
    guest["spec"]["bindings"] = json!([{
        "name": "till", "team": "payments", "cluster": "prod-eu", "namespace": "payments-prod",
        "serviceAccounts": ["api"],
        "access": [{ "mount": "kv", "path": "menu/*", "level": "read" }],
    }]);
    let guest = crate::support::documents::normal(&guest);
    let carol = app.sign_in("carol", &["orders-leads"]).await;
    app.submit(&carol, std::slice::from_ref(&guest)).await;
    let bob = app.sign_in("bob", &["payments-leads"]).await;
    let list = bob.get("/api/v1/requests").await;
    assert_eq!(list.body["items"][0]["documents"], json!(["team/orders"]), "{:#}", list.body);

    app.executor.apply(&guest, 1, json!({})).await;
    app.executor.guest_binding("orders", "till", "payments-prod").await;
    let of = |answer: crate::support::client::Answer| -> Vec<(String, String)> {
        let items = answer.body["items"].as_array().unwrap().clone();
        let text = |item: &Value, key: &str| item[key].as_str().unwrap().to_owned();
        items.iter().map(|item| (text(item, "team"), text(item, "binding"))).collect()
    };
    let wanted = [("orders".to_owned(), "till".to_owned())];
    assert_eq!(of(bob.get("/api/v1/teams/payments/bindings").await), wanted);
    assert_eq!(of(carol.get("/api/v1/teams/orders/bindings").await), wanted);
}

/// What a caller has is not sent again, and what is another is.
#[tokio::test]
async fn an_answer_is_marked_by_what_is_in_it() {
    let app = TestApp::start().await;
    app.executor.apply(&payments(), 1, json!({})).await;
    let bob = app.sign_in("bob", &["payments-leads"]).await;
    let path = "/api/v1/documents/team/payments";
    let first = bob.get(path).await;
    let mark = first.headers["etag"].to_str().unwrap().to_owned();
    let again =
        |mark: String| bob.send("GET", path, move |request| request.header("if-none-match", mark));
    let same = again(mark.clone()).await;
    assert_eq!((same.status, &same.body), (304, &Value::Null));
    assert_eq!(same.headers["etag"], mark.as_str());
    app.executor.apply(&payments(), 2, json!({})).await;
    let other = again(mark.clone()).await;
    assert_eq!((other.status, &other.body["revision"]), (200, &json!(2)));
    // Whoever may not see it is not told whether it changed.
    let eve = app.sign_in("eve", &["others"]).await;
    let asked = eve.send("GET", path, |request| request.header("if-none-match", "*")).await;
    assert_eq!(asked.status, 404);
}
