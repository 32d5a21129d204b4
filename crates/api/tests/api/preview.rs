//! Previews: the executor's plan, made from what is stored.

use serde_json::{Value, json};

use crate::support::TestApp;
use crate::support::client::{Answer, Client};
use crate::support::documents::{orders, payments, platform, prod_eu, team};

async fn preview(who: &Client, documents: &[Value]) -> Answer {
    who.post("/api/v1/requests/preview", &json!({ "documents": documents })).await
}

async fn with_cluster() -> TestApp {
    let app = TestApp::start().await;
    app.executor.apply(&prod_eu(), 1, json!({})).await;
    app.executor
        .see(
            &[("orders-prod", "uid-1"), ("payments-prod", "uid-2")],
            &[("payments-prod", "api", "uid-4")],
        )
        .await;
    app
}

fn steps(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, 200, "{:#}", answer.body);
    let steps = answer.body["steps"].as_array().unwrap();
    let text = |step: &Value, key: &str| step[key].as_str().unwrap().to_owned();
    steps
        .iter()
        .map(|s| format!("{} {} {}", text(s, "action"), text(s, "kind"), text(s, "name")))
        .collect()
}

#[tokio::test]
async fn a_new_team_is_told_whole() {
    let app = with_cluster().await;
    app.sign_in("bob", &["payments-leads"]).await;
    let alice = app.sign_in("alice", &["payments-dev"]).await;
    let answer = preview(&alice, &[payments()]).await;
    let mut short = answer.body.clone();
    let all = steps(&answer);
    short["steps"] = json!(all);
    short["documents"][0]["document"] = json!("as sent");
    assert_eq!(answer.body["documents"][0]["document"], payments());
    insta::assert_snapshot!(format!("{short:#}"), @r#"
    {
      "accounts": [
        {
          "account": "api",
          "cluster": "prod-eu",
          "createdAt": null,
          "namespace": "payments-prod",
          "namespaceUid": "uid-2",
          "uid": "uid-4"
        }
      ],
      "beside": [],
      "documents": [
        {
          "baseHash": null,
          "baseRevision": 0,
          "changed": true,
          "document": "as sent",
          "managedBy": null,
          "subject": "team/payments"
        }
      ],
      "holds": [],
      "observedAt": "2026-11-23T12:00:00Z",
      "reasons": [
        {
          "risk": "high",
          "text": "api reaches kv/prod/api/* from production"
        },
        {
          "risk": "high",
          "text": "first claim on the namespace payments-prod of prod-eu"
        },
        {
          "risk": "high",
          "text": "payments is a new team and names its own people"
        }
      ],
      "risk": "high",
      "stages": [
        {
          "groups": [
            "payments-leads"
          ],
          "known": [
            {
              "display": "bob",
              "signedInAt": "2026-11-23T12:00:00Z",
              "submitter": false
            }
          ],
          "name": "owners of payments",
          "votes": 1
        },
        {
          "groups": [
            "platform-sre"
          ],
          "known": [],
          "name": "platform",
          "votes": 1
        }
      ],
      "steps": [
        "create mount team/payments/kv",
        "create mount-config team/payments/kv",
        "create policy team.payments.binding.api",
        "create policy team.payments.owner",
        "create policy team.payments.editor",
        "create role auth/k8s/prod-eu/role/payments-prod",
        "create anchor people.31408879be819ba6cffbb47267568447",
        "create anchor people.33008f056d19fd87a08a6ea2c7d9056d",
        "create anchor-alias people.31408879be819ba6cffbb47267568447",
        "create anchor-alias people.33008f056d19fd87a08a6ea2c7d9056d",
        "create group team.payments.binding.api",
        "create group team.payments.owner",
        "create group team.payments.editor"
      ],
      "summary": [
        "team payments (PAYMENTS) is new",
        "a secret engine is mounted at team/payments/kv, which keeps 10 versions of each secret",
        "people in payments-leads will decide for the team",
        "people in payments-dev will set values without reading them",
        "the namespace payments-prod (prod-eu) becomes the team's, as production; tokens there live 20m",
        "service account api in payments-prod (prod-eu) will read everything beneath prod/api in team/payments/kv"
      ],
      "unchanged": false
    }
    "#);
}

#[tokio::test]
async fn what_is_applied_already_changes_nothing() {
    let app = with_cluster().await;
    let pins = json!({ "prod-eu/payments-prod": "uid-2" });
    let hash = app.executor.apply(&payments(), 4, pins).await;
    let alice = app.sign_in("alice", &["payments-dev"]).await;
    let answer = preview(&alice, &[payments()]).await;
    assert!(steps(&answer).is_empty(), "{:?}", steps(&answer));
    assert_eq!(answer.body["unchanged"], json!(true));
    assert_eq!(answer.body["documents"][0]["changed"], json!(false));
    assert_eq!(answer.body["documents"][0]["baseRevision"], json!(4));
    assert_eq!(answer.text("/documents/0/baseHash"), hash.to_string());
    assert_eq!(answer.text("/observedAt"), "2026-11-23T12:00:00Z");
}

#[tokio::test]
async fn a_change_is_shown_field_by_field() {
    let app = with_cluster().await;
    let pins = json!({ "prod-eu/payments-prod": "uid-2" });
    app.executor.apply(&payments(), 4, pins).await;
    let alice = app.sign_in("alice", &["payments-dev"]).await;
    let mut next = payments();
    next["spec"]["mounts"][0]["maxVersions"] = json!(20);
    let answer = preview(&alice, &[next]).await;
    assert_eq!(steps(&answer), ["update mount-config team/payments/kv"]);
    assert_eq!(
        answer.body["steps"][0]["changes"],
        json!([{ "field": "max_versions", "before": 10, "after": 20 }])
    );
    assert_eq!(answer.body["unchanged"], json!(false));
}

#[tokio::test]
async fn what_another_team_brought_already_is_not_brought_again() {
    let app = with_cluster().await;
    app.executor.apply(&orders(), 1, json!({ "prod-eu/orders-prod": "uid-1" })).await;
    let alice = app.sign_in("alice", &["payments-dev"]).await;
    let shared = team("payments", "orders-leads", "payments-dev", "payments-prod");
    let anchors = |steps: Vec<String>| {
        steps.into_iter().filter(|step| step.starts_with("create anchor ")).count()
    };
    assert_eq!(anchors(steps(&preview(&alice, &[shared]).await)), 1);
    assert_eq!(anchors(steps(&preview(&alice, &[payments()]).await)), 2);
}

#[tokio::test]
async fn every_fault_is_told_where_it_stands() {
    let app = with_cluster().await;
    app.executor.apply(&orders(), 1, json!({})).await;
    app.executor.apply(&platform("security"), 1, json!({})).await;
    let alice = app.sign_in("alice", &["payments-dev"]).await;

    let mut spoilt = payments();
    spoilt["spec"]["colour"] = json!("red");
    spoilt["spec"]["bindings"][0]["access"][0]["level"] = json!("root");
    let answer = preview(&alice, &[spoilt, json!(7)]).await;
    let pointers = answer.pointers();
    for pointer in ["/documents/0/spec/colour", "/documents/0/spec/bindings/0/access/0/level"] {
        assert!(pointers.contains(&pointer), "{pointers:?}");
    }
    assert!(pointers.contains(&"/documents/1"), "{pointers:?}");

    let missing = team("payments", "payments-leads", "payments-dev", "not-there");
    assert_eq!(preview(&alice, &[missing]).await.pointers(), ["/documents/0/spec/namespaces/0"]);
    let theirs = team("payments", "payments-leads", "payments-dev", "orders-prod");
    assert_eq!(preview(&alice, &[theirs]).await.pointers(), ["/documents/0/spec/namespaces/0"]);
    assert_eq!(preview(&alice, &[orders()]).await.pointers(), ["/documents/0/metadata/name"]);
    let reserved = team("security", "payments-leads", "payments-dev", "payments-prod");
    assert_eq!(preview(&alice, &[reserved]).await.pointers(), ["/documents/0/metadata/name"]);
    assert_eq!(preview(&alice, &[payments(), payments()]).await.pointers(), ["/documents/1"]);
    assert_eq!(preview(&alice, &[]).await.pointers(), ["/documents"]);
    assert_eq!(preview(&alice, &[prod_eu()]).await.status, 403);
}

#[tokio::test]
async fn a_cluster_that_is_not_known_now_does_not_stand_in_the_way() {
    let app = TestApp::start().await;
    let alice = app.sign_in("alice", &["payments-dev"]).await;
    let pointers = preview(&alice, &[payments()]).await;
    assert_eq!(pointers.pointers(), ["/documents/0/spec/namespaces/0/cluster"]);
    app.executor.apply(&prod_eu(), 1, json!({})).await;
    let answer = preview(&alice, &[payments()]).await;
    assert_eq!(answer.status, 200, "{:#}", answer.body);
    let summary = answer.body["summary"].to_string();
    assert!(summary.contains("the cluster prod-eu is not known now"), "{summary}");
    assert!(!answer.body.to_string().contains("unknown\""), "{:#}", answer.body);
}

#[tokio::test]
async fn a_re_created_namespace_asks_for_attestation() {
    let app = with_cluster().await;
    let pins = json!({ "prod-eu/payments-prod": "the-old-uid" });
    app.executor.apply(&payments(), 4, pins).await;
    let alice = app.sign_in("alice", &["payments-dev"]).await;
    let attested = json!({ "documents": [payments()], "attest": ["prod-eu/payments-prod"] });
    let answer = alice.post("/api/v1/requests/preview", &attested).await;
    assert_eq!(steps(&answer), ["create group team.payments.binding.api"]);
    let elsewhere = json!({ "documents": [payments()], "attest": ["prod-eu/orders-prod"] });
    let answer = alice.post("/api/v1/requests/preview", &elsewhere).await;
    assert_eq!(answer.pointers(), ["/attest/0"]);
}

/// Who is in a group is known only from sign-ins: nobody is refused for it, and it is shown, with
/// the age, before submitting and on the request.
#[tokio::test]
async fn a_stage_that_only_the_submitter_is_known_for_is_shown_as_such() {
    let app = with_cluster().await;
    let dana = app.sign_in("dana", &["payments-dev", "platform-sre"]).await;
    let known = |answer: &Answer, stage: usize| {
        assert_eq!(answer.status, 200, "{:#}", answer.body);
        answer.body["stages"][stage]["known"].clone()
    };
    let alone = json!([{ "display": "dana", "signedInAt": "2026-11-23T12:00:00Z",
        "submitter": true }]);
    let answer = preview(&dana, &[payments()]).await;
    assert_eq!(answer.text("/stages/0/name"), "owners of payments");
    assert_eq!(known(&answer, 0), json!([]), "nobody with such a group has signed in");
    assert_eq!(known(&answer, 1), alone);

    // Not refused: somebody whom we have never seen may be in the group.
    let request = app.submit(&dana, &[payments()]).await;
    app.executor.freeze_plan(request, &[("platform", "platform-sre")]).await;
    let path = format!("/api/v1/requests/{request}");
    assert_eq!(known(&dana.get(&path).await, 0), alone);
    app.sign_in("sue", &["platform-sre"]).await;
    let shown = known(&dana.get(&path).await, 0);
    let names: Vec<_> = shown.as_array().unwrap().iter().map(|who| &who["submitter"]).collect();
    assert_eq!(names.len(), 2, "{shown}");
    assert!(names.contains(&&json!(false)), "{shown}");
}

#[tokio::test]
async fn what_stands_still_is_told_although_nothing_changes() {
    let app = with_cluster().await;
    app.executor.apply(&payments(), 1, json!({ "prod-eu/payments-prod": "uid-2" })).await;
    app.executor.hold("team/payments/api", "INC-7").await;
    let alice = app.sign_in("alice", &["payments-dev"]).await;
    let told = preview(&alice, &[payments()]).await;
    assert_eq!(told.body["unchanged"], json!(true), "{:#}", told.body);
    let held = json!([{ "target": "team/payments/api", "reason": "INC-7", "blocks": false }]);
    assert_eq!(told.body["holds"], held);

    let sent = json!({ "documents": [payments()], "lift": ["team/payments/api"] });
    let lifted = alice.post("/api/v1/requests/preview", &sent).await;
    assert_eq!(lifted.body["holds"], json!([]), "{:#}", lifted.body);
    let said = lifted.body["summary"].to_string();
    assert!(said.contains("team/payments/api goes on again"), "{said}");

    let elsewhere = json!({ "documents": [payments()], "lift": ["team/orders"] });
    let refused = alice.post("/api/v1/requests/preview", &elsewhere).await;
    assert_eq!(refused.status, 422, "{:#}", refused.body);
    assert!(refused.body["errors"].to_string().contains("get document team/orders"));
}
