//! Submissions: what is taken, and every reason why not.

use jiff::SignedDuration;
use serde_json::{Value, json};
use strongroom_domain::Digest;
use strongroom_domain::act::{ActKind, Submission};
use strongroom_domain::request::State;

use crate::support::act::{based_on, submission};
use crate::support::client::{Answer, Client};
use crate::support::documents::{normal, orders, payments, platform, prod_eu, team};
use crate::support::{SIGN_IN_CLIENT, TestApp};

const PATH: &str = "/api/v1/requests";

async fn send(app: &TestApp, who: &Client, submission: &Submission) -> Answer {
    who.post(PATH, &app.submit_body(who, submission)).await
}

#[tokio::test]
async fn a_submission_is_stored_as_it_was_signed() {
    let app = TestApp::start().await;
    let alice = app.sign_in("alice", &["payments-dev"]).await;
    let submission = submission(&[payments()]);
    let body = app.submit_body(&alice, &submission);
    let answer = alice.post(PATH, &body).await;
    insta::assert_snapshot!(answer.shown(), @r#"
    201
    {
      "requestId": "[id]",
      "state": "submitted"
    }
    "#);
    let location = answer.headers["location"].to_str().unwrap().to_owned();
    assert_eq!(location, format!("{PATH}/{}", submission.request));

    let shown = alice.get(&location).await;
    assert_eq!(shown.status, 200);
    assert_eq!(shown.body["documents"][0]["document"], payments());
    assert_eq!(shown.body["documents"][0]["revision"], json!(1));
    assert_eq!(shown.text("/submittedBy/display"), "alice");
    assert_eq!(shown.text("/expiresAt"), "2026-12-07T12:00:00Z");

    let stored = app.executor.request(submission.request).await;
    let back: Submission = serde_json::from_slice(&stored.submission).unwrap();
    assert_eq!(back, submission);
    let acts = app.executor.store.acts_of_request(submission.request).await.unwrap();
    assert_eq!(acts.len(), 1);
    assert_eq!(acts[0].id_token, body["act"]["idToken"].as_str().unwrap());
    assert_eq!(acts[0].token_digest, Digest::of(acts[0].id_token.as_bytes()).as_bytes());
    let work = app.executor.store.work_claim("test", 60, 10).await.unwrap();
    assert_eq!(work.len(), 1);
    assert_eq!(work[0].key, submission.request.to_string());
}

#[tokio::test]
async fn the_ledger_says_who_submitted_what_and_holds_no_token() {
    let app = TestApp::start().await;
    let alice = app.sign_in("alice", &["payments-dev"]).await;
    let request = app.submit(&alice, &[payments()]).await;
    let events = alice.get(&format!("/api/v1/events?request={request}")).await;
    let kinds: Vec<&Value> =
        events.body["items"].as_array().unwrap().iter().map(|item| &item["kind"]).collect();
    assert_eq!(kinds, ["request.submitted", "act.received"]);
    assert_eq!(events.text("/items/0/event/detail/reason"), "we need it");
    assert!(!events.body.to_string().contains("eyJ"), "an ID token is in the ledger");
    let acts = alice.get(&format!("{PATH}/{request}/acts")).await;
    assert!(!acts.body.to_string().contains("eyJ"), "an ID token is shown");
}

#[tokio::test]
async fn one_person_has_only_so_many_open_requests() {
    let app = TestApp::start().await;
    let alice = app.sign_in("alice", &["payments-dev"]).await;
    let mut open = Vec::new();
    for _ in 0..5 {
        open.push(app.submit(&alice, &[payments()]).await);
    }
    let sixth = submission(&[payments()]);
    let refused = send(&app, &alice, &sixth).await;
    insta::assert_snapshot!(refused.shown(), @r#"
    409
    {
      "code": "conflict",
      "detail": "you have 5 open requests, which is as many as one person, or all machines of one team, may have",
      "errors": [],
      "hint": "withdraw those that are not needed any more (`strongroom withdraw <id>`; a machine's are rejected by who votes), or wait until some are decided",
      "status": 409,
      "title": "In conflict",
      "traceId": "[traceId]",
      "type": "urn:strongroom:problem:conflict"
    }
    "#);
    // Nobody else is held up, and one that is over makes room.
    let amy = app.sign_in("amy", &["payments-dev"]).await;
    app.submit(&amy, &[payments()]).await;
    app.executor.transition(open[0], State::Withdrawn).await;
    assert_eq!(send(&app, &alice, &sixth).await.status, 201);
}

#[tokio::test]
async fn the_same_submission_again_is_the_same_and_another_is_refused() {
    let app = TestApp::start().await;
    let alice = app.sign_in("alice", &["payments-dev"]).await;
    let first = submission(&[payments()]);
    let body = app.submit_body(&alice, &first);
    assert_eq!(alice.post(PATH, &body).await.status, 201);
    let again = alice.post(PATH, &body).await;
    assert_eq!((again.status, again.text("/state")), (200, "submitted"));

    let mut other = first.clone();
    other.reason = "another reason".to_owned();
    let refused = send(&app, &alice, &other).await;
    insta::assert_snapshot!(refused.shown(), @r#"
    409
    {
      "code": "conflict",
      "detail": "a request with this id and another content is there already",
      "errors": [],
      "hint": "make a new id for a new request",
      "status": 409,
      "title": "In conflict",
      "traceId": "[traceId]",
      "type": "urn:strongroom:problem:conflict"
    }
    "#);

    // Somebody else with the same id learns nothing but that it is taken.
    let eve = app.sign_in("eve", &["payments-dev-too"]).await;
    let stolen = send(&app, &eve, &first).await;
    assert_eq!(stolen.status, 409);

    // One token is one act.
    let mut second = submission(&[team("second", "a", "b", "second-prod")]);
    second.request = first.request;
    assert_eq!(send(&app, &alice, &second).await.status, 409);
}

#[tokio::test]
async fn one_token_serves_one_request() {
    let app = TestApp::start().await;
    let alice = app.sign_in("alice", &["payments-dev"]).await;
    let first = submission(&[payments()]);
    let body = app.submit_body(&alice, &first);
    assert_eq!(alice.post(PATH, &body).await.status, 201);
    let acts = app.executor.store.acts_of_request(first.request).await.unwrap();

    let request = first.request;
    let hash = app.executor.freeze_plan(request, &[("platform", "platform-sre")]).await;
    let mut vote = app.act_body(&alice, ActKind::Reject, request, (1, "", hash));
    vote["idToken"] = json!(acts[0].id_token);
    let answer = alice.post(&format!("{PATH}/{request}/acts"), &vote).await;
    assert_eq!((answer.status, answer.text("/code")), (409, "conflict"));
}

#[tokio::test]
async fn every_fault_of_shape_is_told_at_its_place() {
    let app = TestApp::start().await;
    let alice = app.sign_in("alice", &["payments-dev"]).await;
    let faults = |change: fn(&mut Submission)| {
        let (app, alice) = (&app, &alice);
        async move {
            let mut submission = submission(&[payments(), orders()]);
            change(&mut submission);
            let answer = send(app, alice, &submission).await;
            answer.pointers().into_iter().map(str::to_owned).collect::<Vec<_>>()
        }
    };
    assert_eq!(faults(|s| s.reason = "  ".into()).await, ["/submission/reason"]);
    assert_eq!(faults(|s| s.reason = "x".repeat(2001)).await, ["/submission/reason"]);
    assert_eq!(faults(|s| s.reason = "a\u{202e}b".into()).await, ["/submission/reason"]);
    assert_eq!(faults(|s| s.documents.reverse()).await, ["/submission/documents"]);
    assert_eq!(faults(|s| s.documents.clear()).await, ["/submission/documents"]);
    assert_eq!(
        faults(|s| s.request = "0199b5d0-0000-4000-8000-000000000001".parse().unwrap()).await,
        ["/submission/request"]
    );
    assert_eq!(
        faults(|s| s.documents[0].subject = "team/alpha".parse().unwrap()).await,
        ["/submission/documents/0/subject"]
    );
    assert_eq!(
        faults(|s| s.documents[1].base_revision = 3).await,
        ["/submission/documents/1/baseHash"]
    );
    assert_eq!(
        faults(|s| s.attest = vec!["prod-eu/elsewhere".into()]).await,
        ["/submission/attest/0"]
    );
    let spoilt = faults(|s| {
        s.documents[0].document["spec"]["colour"] = json!("red");
        s.documents[1].document["spec"]["mounts"][0]["type"] = json!("kv-v1");
    });
    assert_eq!(
        spoilt.await,
        [
            "/submission/documents/0/document/spec/colour",
            "/submission/documents/1/document/spec/mounts/0/type",
        ]
    );
    let shorter = faults(|s| {
        // Valid, and not the form that the hash is made of.
        s.documents[0].document["spec"]["namespaces"][0]["tokenTtl"] = json!("1200s");
    });
    assert_eq!(shorter.await, ["/submission/documents/0/document"]);
}

#[tokio::test]
async fn at_most_twenty_documents() {
    let app = TestApp::start().await;
    let alice = app.sign_in("alice", &["payments-dev"]).await;
    let teams = |count: usize| -> Vec<Value> {
        (0..count).map(|n| team(&format!("t{n:02}"), "a", "b", &format!("n{n:02}"))).collect()
    };
    assert_eq!(send(&app, &alice, &submission(&teams(20))).await.status, 201);
    let answer = send(&app, &alice, &submission(&teams(21))).await;
    assert_eq!(answer.pointers(), ["/submission/documents"]);
}

#[tokio::test]
async fn the_act_is_of_this_submission_and_of_nothing_else() {
    let app = TestApp::start().await;
    let alice = app.sign_in("alice", &["payments-dev"]).await;
    let faults = |change: fn(&TestApp, &mut Value)| {
        let (app, alice) = (&app, &alice);
        async move {
            let submission = submission(&[payments()]);
            let mut body = app.submit_body(alice, &submission);
            change(app, &mut body);
            let answer = alice.post(PATH, &body).await;
            answer.pointers().into_iter().map(str::to_owned).collect::<Vec<_>>()
        }
    };
    // What is in the statement is in the nonce, so the token no longer fits either.
    assert_eq!(
        faults(|_, b| b["act"]["statement"]["deployment"] =
            json!("0199b5d0-0000-7000-8000-0000000000ff"))
        .await,
        ["/act/statement/deployment", "/act/idToken"]
    );
    assert_eq!(
        faults(|_, b| b["act"]["statement"]["issuer"] = json!("https://evil")).await,
        ["/act/statement/issuer", "/act/idToken"]
    );
    assert_eq!(
        faults(|_, b| b["act"]["statement"]["audience"] = json!(SIGN_IN_CLIENT)).await,
        ["/act/statement/audience", "/act/idToken"]
    );
    assert_eq!(
        faults(|_, b| b["act"]["comment"] = json!("other")).await,
        ["/act/statement/comment"]
    );
    assert_eq!(
        faults(|_, b| b["act"]["statement"]["act"] = json!("approve")).await,
        ["/act/idToken", "/act/statement/act"]
    );
    assert_eq!(
        faults(|_, b| b["act"]["statement"]["salt"] = json!("short")).await,
        ["/act/statement/salt"]
    );
    assert_eq!(
        faults(|_, b| b["act"]["statement"]["items"] = json!([])).await,
        ["/act/statement/items", "/act/statement/items"]
    );
    assert_eq!(
        faults(|_, b| b["submission"]["reason"] = json!("what nobody signed")).await,
        ["/act/statement/items/0/content"]
    );
    assert_eq!(faults(|_, b| b["act"]["idToken"] = json!("x.y.z")).await, ["/act/idToken"]);
    // An ordinary sign-in's token is no act: its nonce is the API's.
    let sign_in = faults(|app, b| {
        let claims = app.claims("alice", &["payments-dev"], "the-nonce-of-a-sign-in");
        b["act"]["idToken"] = json!(app.provider.sign(&claims));
    });
    assert_eq!(sign_in.await, ["/act/idToken"]);
}

#[tokio::test]
async fn a_base_that_has_moved_is_a_conflict() {
    let app = TestApp::start().await;
    let alice = app.sign_in("alice", &["payments-dev"]).await;
    let hash = app.executor.apply(&payments(), 3, json!({})).await;
    let fresh = based_on(submission(&[payments()]), 3, hash);
    assert_eq!(send(&app, &alice, &fresh).await.status, 201);

    for stale in [
        based_on(submission(&[payments()]), 2, hash),
        based_on(submission(&[payments()]), 3, Digest::of(b"other")),
        submission(&[payments()]),
    ] {
        let answer = send(&app, &alice, &stale).await;
        assert_eq!(answer.status, 409, "{:#}", answer.body);
        assert_eq!(answer.text("/detail"), "team/payments has changed since");
    }
    app.executor.freeze_subject("team/payments", "the database is behind its head").await;
    let answer = send(&app, &alice, &based_on(submission(&[payments()]), 3, hash)).await;
    insta::assert_snapshot!(answer.shown(), @r#"
    409
    {
      "code": "conflict",
      "detail": "team/payments is frozen: the database is behind its head",
      "errors": [],
      "hint": "ask the platform team; --lift goes on from what the document says (critical)",
      "status": 409,
      "title": "In conflict",
      "traceId": "[traceId]",
      "type": "urn:strongroom:problem:conflict"
    }
    "#);
}

#[tokio::test]
async fn names_and_namespaces_of_others_are_not_taken() {
    let app = TestApp::start().await;
    app.executor.apply(&orders(), 1, json!({})).await;
    app.executor.apply(&platform("security"), 1, json!({})).await;
    let alice = app.sign_in("alice", &["payments-dev"]).await;

    let theirs = team("payments", "payments-leads", "payments-dev", "orders-prod");
    let answer = send(&app, &alice, &submission(&[theirs])).await;
    insta::assert_snapshot!(answer.shown(), @r#"
    422
    {
      "code": "invalid",
      "detail": "what was sent cannot be taken as it is",
      "errors": [
        {
          "message": "the namespace prod-eu/orders-prod is claimed by another team; a namespace has one team",
          "pointer": "/submission/documents/0/document/spec/namespaces/0"
        }
      ],
      "hint": "correct what `errors` names and send it again",
      "status": 422,
      "title": "Not valid",
      "traceId": "[traceId]",
      "type": "urn:strongroom:problem:invalid"
    }
    "#);

    let answer = send(&app, &alice, &submission(&[orders()])).await;
    assert_eq!(answer.pointers(), ["/submission/documents/0/subject"]);

    let reserved = team("security", "payments-leads", "payments-dev", "security-prod");
    let answer = send(&app, &alice, &submission(&[reserved])).await;
    assert_eq!(answer.pointers(), ["/submission/documents/0/document/metadata/name"]);

    let twice = [team("one", "a", "b", "shared"), team("two", "a", "b", "shared")];
    let answer = send(&app, &alice, &submission(&twice)).await;
    assert_eq!(answer.pointers(), ["/submission/documents/1/document/spec/namespaces/0"]);

    // A platform member, who may see the other team, is told its name.
    let sue = app.sign_in("sue", &["platform-sre"]).await;
    let theirs = team("payments", "payments-leads", "payments-dev", "orders-prod");
    let answer = send(&app, &sue, &submission(&[theirs])).await;
    assert!(answer.text("/errors/0/message").contains("the team orders"));
}

#[tokio::test]
async fn a_namespace_may_move_within_one_request() {
    let app = TestApp::start().await;
    let hash = app.executor.apply(&orders(), 1, json!({})).await;
    let sue = app.sign_in("sue", &["platform-sre"]).await;
    let mut without = orders();
    without["spec"]["namespaces"] = json!([]);
    without["spec"]["bindings"] = json!([]);
    let taker = team("payments", "payments-leads", "payments-dev", "orders-prod");
    let mut both = submission(&[normal(&without), taker]);
    both.documents[0].base_revision = 1;
    both.documents[0].base_hash = Some(hash);
    let answer = send(&app, &sue, &both).await;
    assert_eq!(answer.status, 201, "{:#}", answer.body);
}

#[tokio::test]
async fn clusters_and_rules_are_the_platforms_and_auditors_only_look() {
    let app = TestApp::start().await;
    let alice = app.sign_in("alice", &["payments-dev"]).await;
    let answer = send(&app, &alice, &submission(&[prod_eu()])).await;
    insta::assert_snapshot!(answer.shown(), @r#"
    403
    {
      "code": "forbidden",
      "detail": "clusters and platform rules are proposed by the platform team",
      "errors": [],
      "hint": "ask a member of the platform team to submit it",
      "status": 403,
      "title": "Not allowed",
      "traceId": "[traceId]",
      "type": "urn:strongroom:problem:forbidden"
    }
    "#);
    assert_eq!(send(&app, &alice, &submission(&[platform("security")])).await.status, 403);

    let ada = app.sign_in("ada", &["auditors", "payments-dev"]).await;
    let answer = send(&app, &ada, &submission(&[payments()])).await;
    assert_eq!((answer.status, answer.text("/code")), (403, "forbidden"));

    let sue = app.sign_in("sue", &["platform-sre"]).await;
    assert_eq!(send(&app, &sue, &submission(&[prod_eu()])).await.status, 201);
}

#[tokio::test]
async fn nothing_is_submitted_before_the_executor_ever_ran() {
    let app = TestApp::start_without_trust().await;
    let alice = app.sign_in("alice", &["payments-dev"]).await;
    let answer = send(&app, &alice, &submission(&[payments()])).await;
    assert_eq!((answer.status, answer.text("/code")), (503, "not_ready"));
}

#[tokio::test]
async fn lists_come_newest_first_in_pages() {
    let app = TestApp::start().await;
    let alice = app.sign_in("alice", &["payments-dev"]).await;
    let mut requests = Vec::new();
    for number in 0..5 {
        app.clock.advance(SignedDuration::from_secs(1));
        let document = team(&format!("t{number}"), "a", "b", &format!("n{number}"));
        requests.push(app.submit(&alice, &[document]).await.to_string());
    }
    requests.reverse();
    let mut seen: Vec<String> = Vec::new();
    let mut cursor = String::new();
    for _ in 0..3 {
        let page = alice.get(&format!("{PATH}?limit=2{cursor}")).await;
        for item in page.body["items"].as_array().unwrap() {
            seen.push(item["requestId"].as_str().unwrap().to_owned());
        }
        if let Some(next) = page.body["nextCursor"].as_str() {
            cursor = format!("&cursor={next}");
        }
    }
    assert_eq!(seen, requests);
    let one = alice.get(&format!("{PATH}?subject=team/t3&state=submitted")).await;
    assert_eq!(one.count(), 1);
    assert_eq!(one.body["items"][0]["documents"], json!(["team/t3"]));
    assert_eq!(one.body["nextCursor"], Value::Null);
    assert_eq!(alice.get(&format!("{PATH}?state=applied")).await.count(), 0);
}
