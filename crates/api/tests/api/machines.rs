//! Machines: who makes them, what they see, and what is refused.

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::support::TestApp;
use crate::support::act::submission;
use crate::support::client::{Answer, Client};
use crate::support::documents::{orders, payments, prod_eu};

/// Two applied teams of different people, and a cluster.
async fn teams(app: &TestApp) {
    app.executor.apply(&payments(), 1, json!({})).await;
    app.executor.apply(&orders(), 1, json!({})).await;
}

async fn make(who: &Client, team: Option<&str>, body: &Value) -> Answer {
    match team {
        Some(team) => who.post(&format!("/api/v1/teams/{team}/machines"), body).await,
        None => who.post("/api/v1/machines", body).await,
    }
}

/// A machine's client.
async fn machine(app: &TestApp, who: &Client, team: Option<&str>, scope: &str) -> Client {
    let name = format!("{scope}-{}", team.unwrap_or("all"));
    let made = make(who, team, &json!({ "name": name, "scope": scope })).await;
    assert_eq!(made.status, 201, "{}", made.body);
    Client::new(&app.url, Some(made.text("/key")), None)
}

#[tokio::test]
async fn owners_and_the_platform_make_machines_and_nobody_else() {
    let app = TestApp::start().await;
    teams(&app).await;
    let body = json!({ "name": "ci", "scope": "propose" });
    for (who, groups, team, status) in [
        ("bob", &["payments-leads"][..], Some("payments"), 201),
        ("alice", &["payments-dev"], Some("payments"), 404),
        ("bob", &["payments-leads"], Some("orders"), 404),
        ("bob", &["payments-leads"], None, 403),
        ("ada", &["auditors"], Some("payments"), 404),
        ("ada", &["auditors"], None, 403),
        ("both", &["auditors", "payments-leads"], Some("payments"), 403),
        ("sue", &["platform-sre"], Some("orders"), 201),
        ("sue", &["platform-sre"], None, 201),
        ("sue", &["platform-sre"], Some("nobodys"), 404),
    ] {
        let person = app.sign_in(who, groups).await;
        let made = make(&person, team, &body).await;
        assert_eq!(made.status, status, "{who} for {team:?}: {}", made.body);
        let keyless = made.body["key"].is_null();
        assert_eq!(keyless, status != 201, "{who} for {team:?}");
    }
    // Whoever merely has a session of some hours makes no key that lives a year.
    let bob = app.sign_in("bob", &["payments-leads"]).await;
    app.clock.advance(SignedDuration::from_mins(16));
    let late = make(&bob, Some("payments"), &json!({ "name": "late", "scope": "read" })).await;
    insta::assert_snapshot!(late.shown(), @r#"
    403
    {
      "code": "forbidden",
      "detail": "a machine is made soon after a sign-in: this session is older than 15 minutes",
      "errors": [],
      "hint": "run `strongroom login` and make it then",
      "status": 403,
      "title": "Not allowed",
      "traceId": "[traceId]",
      "type": "urn:strongroom:problem:forbidden"
    }
    "#);
}

#[tokio::test]
async fn what_is_wrong_with_a_machine_is_told_at_once() {
    let app = TestApp::start().await;
    teams(&app).await;
    let bob = app.sign_in("bob", &["payments-leads"]).await;
    let refused = make(
        &bob,
        Some("payments"),
        &json!({
            "name": "Not A Slug", "scope": "read", "expiresAt": "2028-01-01T00:00:00Z",
            "account": { "cluster": "elsewhere", "namespace": "x", "account": "y" },
        }),
    )
    .await;
    assert_eq!(refused.status, 422, "{}", refused.body);
    assert_eq!(refused.pointers(), ["/name", "/expiresAt", "/account"]);
    let past = json!({ "name": "ci", "scope": "read", "expiresAt": "2020-01-01T00:00:00Z" });
    assert_eq!(make(&bob, Some("payments"), &past).await.pointers(), ["/expiresAt"]);
    let everything = json!({ "name": "ci", "scope": "approve" });
    assert_eq!(make(&bob, Some("payments"), &everything).await.status, 422);
}

#[tokio::test]
async fn a_machine_sees_its_team_and_what_it_proposes_is_nobodys() {
    let app = TestApp::start().await;
    teams(&app).await;
    let bob = app.sign_in("bob", &["payments-leads"]).await;
    let (ci, reader) = (
        machine(&app, &bob, Some("payments"), "propose").await,
        machine(&app, &bob, Some("payments"), "read").await,
    );
    let me = ci.get("/api/v1/session").await;
    assert_eq!(me.body["machine"]["team"], "payments", "{}", me.body);
    assert_eq!(ci.get("/api/v1/documents/team/payments").await.status, 200);
    assert_eq!(ci.get("/api/v1/documents/team/orders").await.status, 404);
    assert_eq!(ci.get("/api/v1/documents/platform/platform").await.status, 403);
    let teams = ci.get("/api/v1/teams").await;
    assert_eq!(teams.count(), 1, "{}", teams.body);

    let mut changed = payments();
    changed["spec"]["displayName"] = json!("By CI");
    let body = |documents: &[Value]| json!({ "submission": submission(documents) });
    let refused = reader.post("/api/v1/requests", &body(&[changed.clone()])).await;
    assert_eq!(refused.status, 403, "{}", refused.body);
    // Neither another team, nor one that is not there yet, nor a cluster.
    let mut foreign = orders();
    foreign["spec"]["displayName"] = json!("X");
    let mut made_up = payments();
    made_up["metadata"]["name"] = json!("made-up");
    for document in [foreign, made_up, prod_eu()] {
        let refused = ci.post("/api/v1/requests", &body(std::slice::from_ref(&document))).await;
        assert_eq!(refused.status, 403, "{}", refused.body);
        let preview = json!({ "documents": [document], "attest": [], "lift": [] });
        assert_eq!(ci.post("/api/v1/requests/preview", &preview).await.status, 403);
    }
    // A person cannot leave the signature out, and a machine cannot bring one.
    let unsigned = bob.post("/api/v1/requests", &body(&[changed.clone()])).await;
    assert_eq!((unsigned.status, unsigned.pointers()), (422, vec!["/act"]), "{}", unsigned.body);
    let signed = app.submit_body(&bob, &submission(&[changed]));
    let signed = ci.post("/api/v1/requests", &signed).await;
    assert!(signed.pointers().contains(&"/act"), "{}", signed.body);

    let listed = bob.get("/api/v1/machines").await;
    assert_eq!(listed.count(), 2, "{}", listed.body);
    assert!(
        !listed.body.to_string().contains("srk_A") || listed.text("/items/0/keyHint").len() == 10
    );
    assert_eq!(bob.delete("/api/v1/teams/payments/machines/read-payments").await.status, 204);
    assert_eq!(reader.get("/api/v1/session").await.status, 401);
    assert_eq!(bob.delete("/api/v1/teams/payments/machines/read-payments").await.status, 404);
    let events = bob.get("/api/v1/events?subject=team/payments").await;
    let text = events.body.to_string();
    assert!(text.contains("machine.created") && text.contains("machine.ended"), "{text}");
}

#[tokio::test]
async fn the_platforms_machines_see_everything_and_decide_nothing() {
    let app = TestApp::start().await;
    teams(&app).await;
    let sue = app.sign_in("sue", &["platform-sre"]).await;
    let wide = machine(&app, &sue, None, "propose").await;
    assert_eq!(wide.get("/api/v1/teams").await.count(), 2);
    assert_eq!(wide.get("/api/v1/documents/team/orders").await.status, 200);
    let preview = json!({ "documents": [prod_eu()], "attest": [], "lift": [] });
    assert_eq!(wide.post("/api/v1/requests/preview", &preview).await.status, 200);
    for (method, path) in [
        ("POST", "/api/v1/machines"),
        ("DELETE", "/api/v1/machines/propose-all"),
        ("POST", "/api/v1/suspensions"),
        ("GET", "/api/v1/sessions"),
        ("DELETE", "/api/v1/session"),
        ("POST", "/api/v1/requests/0199b5d0-0000-7000-8000-000000000009/acts"),
    ] {
        let answer = wide.send(method, path, |request| request.json(&json!({}))).await;
        assert_eq!(answer.status, 403, "{method} {path}: {}", answer.body);
    }
    // It runs out by itself.
    app.clock.advance(SignedDuration::from_hours(90 * 24));
    assert_eq!(wide.get("/api/v1/session").await.status, 401);
}
