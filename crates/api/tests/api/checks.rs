//! Checks that report once from a cluster: who makes them, who may report, and what is shown of it.

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::support::TestApp;
use crate::support::client::{Answer, Client};
use crate::support::documents::{orders, payments, prod_eu};

const CHECKS: &str = "/api/v1/teams/payments/bindings/api/checks";

async fn ready() -> TestApp {
    let app = TestApp::start().await;
    for document in [payments(), orders(), prod_eu()] {
        app.executor.apply(&document, 1, json!({})).await;
    }
    app.executor.binding("payments").await;
    app
}

/// Makes a check and takes its ticket out of the Job.
async fn ticket(who: &Client) -> String {
    let made = who.post(CHECKS, &json!({ "server": "https://strongroom.example.com/" })).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let job = made.text("/check/files/0/text");
    assert!(job.contains("'https://strongroom.example.com/api/v1/checks'"), "{job}");
    let (_, rest) = job.split_once("\"ticket\":\"").unwrap();
    rest.split('"').next().unwrap().to_owned()
}

fn told(ticket: &str, status: u16) -> Value {
    let reads = json!([{ "secret": "payments/kv/prod/api/db", "status": status }]);
    json!({ "ticket": ticket, "login": 200, "reads": reads })
}

async fn shown(who: &Client) -> Value {
    who.get("/api/v1/teams/payments/bindings").await.body["items"][0]["check"].clone()
}

#[tokio::test]
async fn a_check_reports_once_and_its_team_sees_it() {
    let app = ready().await;
    let alice = app.sign_in("alice", &["payments-dev"]).await;
    assert_eq!(shown(&alice).await, Value::Null);
    let (first, second) = (ticket(&alice).await, ticket(&alice).await);
    let report = async |body: &Value| app.nobody().post("/api/v1/checks", body).await;

    assert_eq!(report(&told(&first, 200)).await.status, 204);
    let check = shown(&alice).await;
    assert_eq!((&check["green"], &check["faulty"]), (&json!(true), &json!([])));
    let again = report(&told(&first, 403)).await;
    insta::assert_snapshot!(again.shown(), @r#"
    409
    {
      "code": "conflict",
      "detail": "no check waits for this report: it was told already, or its hour is over",
      "errors": [],
      "hint": "make the Job again: `strongroom kit TEAM/BINDING --format check`",
      "status": 409,
      "title": "In conflict",
      "traceId": "[traceId]",
      "type": "urn:strongroom:problem:conflict"
    }
    "#);
    assert_eq!(
        shown(&alice).await["green"],
        true,
        "the second word of a ticket counts for nothing"
    );

    assert_eq!(report(&told(&second, 403)).await.status, 204);
    let check = shown(&alice).await;
    assert_eq!(check["green"], false);
    assert_eq!(check["faulty"], json!(["payments/kv/prod/api/db is refused (403)"]));

    // One event a report, by whoever made the check, and only the team sees it.
    let events = async |who: &Client| -> Vec<Value> {
        let page = who.get("/api/v1/events?subject=team/payments").await;
        let all = page.body["items"].as_array().cloned().unwrap_or_default();
        all.into_iter().filter(|event| event["kind"] == "binding.checked").collect()
    };
    let seen = events(&alice).await;
    assert_eq!(seen.len(), 2, "{seen:#?}");
    assert_eq!(seen[0]["event"]["actor"]["display"], "alice");
    assert_eq!(seen[0]["event"]["actor"]["signed"], false);
    let carol = app.sign_in("carol", &["orders-leads"]).await;
    assert!(events(&carol).await.is_empty());
}

#[tokio::test]
async fn only_the_teams_people_make_one_and_only_for_what_may_be_read() {
    let app = ready().await;
    let body = json!({ "server": "https://strongroom.example.com" });
    let post =
        async |who: &Client, path: &str, body: &Value| -> u16 { who.post(path, body).await.status };
    for (who, groups, status) in [
        ("bob", "payments-leads", 201),
        ("alice", "payments-dev", 201),
        ("sue", "platform-sre", 201),
        ("carol", "orders-leads", 404),
        // Auditors change nothing.
        ("ada", "auditors", 404),
    ] {
        let who = app.sign_in(who, &[groups]).await;
        assert_eq!(post(&who, CHECKS, &body).await, status, "{groups}");
    }
    let bob = app.sign_in("bob", &["payments-leads"]).await;
    let none = "/api/v1/teams/payments/bindings/none/checks";
    assert_eq!(post(&bob, none, &body).await, 404);
    for (field, value) in [
        ("server", json!("ftp://strongroom.example.com")),
        ("server", json!("https://user:pw@strongroom.example.com")),
        ("server", json!("https://strongroom.example.com/?q")),
        ("server", json!("strongroom.example.com")),
        ("server", json!(format!("https://strongroom.example.com/{}", "a".repeat(500)))),
        ("account", json!("root")),
        ("secret", json!("prod/other/db")),
    ] {
        let mut wrong = body.clone();
        wrong[field] = value;
        let answer = bob.post(CHECKS, &wrong).await;
        assert_eq!(
            (answer.status, answer.pointers()),
            (422, vec![&*format!("/{field}")]),
            "{wrong}"
        );
    }
    // What would end the shell's word does not.
    let sly = json!({ "server": "https://strongroom.example.com/'$(id)'" });
    let made = bob.post(CHECKS, &sly).await;
    let job = made.text("/check/files/0/text").to_owned();
    assert!(!job.contains("/'$(id)'/"), "{job}");
}

#[tokio::test]
async fn what_is_no_report_is_refused_and_the_ticket_stays_good() {
    let app = ready().await;
    let bob = app.sign_in("bob", &["payments-leads"]).await;
    let ticket = ticket(&bob).await;
    let report = async |body: &Value| -> Answer { app.nobody().post("/api/v1/checks", body).await };
    let good = told(&ticket, 200);
    for (pointer, value, place) in [
        ("/ticket", json!("srt_short"), "/ticket"),
        ("/login", json!(99), "/login"),
        ("/reads/0/status", json!(600), "/reads/0/status"),
        ("/reads/0/secret", json!(""), "/reads/0/secret"),
        ("/reads/0/secret", json!("a\u{1b}[2J"), "/reads/0/secret"),
        ("/reads/0/secret", json!("a".repeat(601)), "/reads/0/secret"),
        ("/reads", json!(vec![good["reads"][0].clone(); 101]), "/reads"),
    ] {
        let mut wrong = good.clone();
        *wrong.pointer_mut(pointer).unwrap() = value;
        let answer = report(&wrong).await;
        assert_eq!((answer.status, answer.pointers()), (422, vec![place]), "{wrong}");
    }
    let unknown = told(&format!("srt_{}", "A".repeat(43)), 200);
    assert_eq!(report(&unknown).await.status, 409);
    assert_eq!(report(&good).await.status, 204, "what was wrong before used nothing up");

    let late = self::ticket(&bob).await;
    app.clock.advance(SignedDuration::from_mins(61));
    assert_eq!(report(&told(&late, 200)).await.status, 409);
}
