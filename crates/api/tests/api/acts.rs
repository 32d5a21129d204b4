//! Votes: stored for the executor, refused early where they could only be refused.

use base64::Engine as _;
use jiff::SignedDuration;
use serde_json::json;
use strongroom_acts::submission_digest;
use strongroom_domain::Digest;
use strongroom_domain::act::{ActKind, Submission};
use strongroom_domain::id::RequestId;
use strongroom_domain::request::State;

use crate::support::TestApp;
use crate::support::client::Client;
use crate::support::documents::payments;

const STAGES: [(&str, &str); 2] =
    [("owners of payments", "payments-leads"), ("platform", "platform-sre")];

async fn in_review(app: &TestApp) -> (Client, RequestId, Digest) {
    let alice = app.sign_in("alice", &["payments-dev"]).await;
    let request = app.submit(&alice, &[payments()]).await;
    let hash = app.executor.freeze_plan(request, &STAGES).await;
    (alice, request, hash)
}

fn path(request: RequestId) -> String {
    format!("/api/v1/requests/{request}/acts")
}

#[tokio::test]
async fn the_plan_is_shown_once_it_is_frozen() {
    let app = TestApp::start().await;
    let alice = app.sign_in("alice", &["payments-dev"]).await;
    let request = app.submit(&alice, &[payments()]).await;
    let plan = format!("/api/v1/requests/{request}/plan");
    insta::assert_snapshot!(alice.get(&plan).await.shown(), @r#"
    404
    {
      "code": "plan_not_frozen",
      "detail": "the executor has not frozen a plan yet",
      "errors": [],
      "hint": "try again in a moment; if it stays so, `strongroom execute` is not running",
      "status": 404,
      "title": "Not there yet",
      "traceId": "[traceId]",
      "type": "urn:strongroom:problem:plan_not_frozen"
    }
    "#);

    let hash = app.executor.freeze_plan(request, &STAGES).await;
    let shown = alice.get(&plan).await;
    assert_eq!(shown.status, 200);
    assert_eq!(shown.text("/hash"), hash.to_string());
    let bytes = base64::engine::general_purpose::STANDARD.decode(shown.text("/canonical")).unwrap();
    assert_eq!(strongroom_plan::Plan::hash_of(&bytes), hash);
    let request = alice.get(&format!("/api/v1/requests/{request}")).await;
    assert_eq!(request.text("/state"), "in_review");
    assert_eq!(request.text("/planHash"), hash.to_string());
    assert_eq!(request.text("/risk"), "high");
}

#[tokio::test]
async fn a_vote_is_stored_once_and_shown_with_its_receipt() {
    let app = TestApp::start().await;
    let (_, request, hash) = in_review(&app).await;
    // Acts are listed in the order in which they came in.
    app.clock.advance(SignedDuration::from_secs(1));
    let bob = app.sign_in("bob", &["payments-leads"]).await;
    let vote = (1, "owners of payments", hash);
    let body = app.act_body(&bob, ActKind::Approve, request, vote);
    let answer = bob.post(&path(request), &body).await;
    assert_eq!(answer.status, 202, "{:#}", answer.body);
    let again = bob.post(&path(request), &body).await;
    assert_eq!((again.status, &again.body), (202, &answer.body));

    app.executor.count(answer.text("/actId")).await;
    let acts = bob.get(&path(request)).await;
    assert_eq!(acts.count(), 2);
    assert_eq!(acts.text("/items/1/kind"), "approve");
    assert_eq!(acts.text("/items/1/stage"), "owners of payments");
    assert_eq!(acts.text("/items/1/comment"), "fine");
    assert_eq!(acts.text("/items/1/receipt/verdict"), "counted");
    assert_eq!(acts.text("/items/1/receipt/person/display"), "bob");
    assert_eq!(acts.body["items"][1]["receipt"]["groups"], json!(["payments-leads"]));
    assert_eq!(acts.body["items"][0]["receipt"], json!(null));
}

#[tokio::test]
async fn a_vote_on_something_else_than_the_frozen_plan_is_refused_at_its_place() {
    let app = TestApp::start().await;
    let (_, request, hash) = in_review(&app).await;
    let bob = app.sign_in("bob", &["payments-leads"]).await;
    let other: RequestId = "0199b5d0-0000-7000-8000-0000000000ff".parse().unwrap();
    for (kind, about, vote, place) in [
        (ActKind::Approve, request, (2, "platform", hash), "/statement/items/0/round"),
        (
            ActKind::Approve,
            request,
            (1, "platform", Digest::of(b"x")),
            "/statement/items/0/content",
        ),
        (ActKind::Approve, request, (1, "owners of orders", hash), "/statement/items/0/stage"),
        (ActKind::Approve, request, (1, "", hash), "/statement/items/0/stage"),
        (ActKind::Reject, request, (1, "platform", hash), "/statement/items/0/stage"),
        (ActKind::Approve, other, (1, "platform", hash), "/statement/items/0/request"),
        (ActKind::Submit, request, (0, "", hash), "/statement/act"),
    ] {
        let body = app.act_body(&bob, kind, about, vote);
        let answer = bob.post(&path(request), &body).await;
        assert_eq!(answer.pointers(), [place], "{kind:?} {vote:?}");
    }
    // The frozen plan moved on while somebody read it.
    let body = app.act_body(&bob, ActKind::Approve, request, (1, "platform", hash));
    app.executor.freeze_plan(request, &STAGES).await;
    let answer = bob.post(&path(request), &body).await;
    insta::assert_snapshot!(answer.shown(), @r#"
    422
    {
      "code": "invalid",
      "detail": "what was sent cannot be taken as it is",
      "errors": [
        {
          "message": "the plan is in round 2; read it again and sign that",
          "pointer": "/statement/items/0/round"
        }
      ],
      "hint": "correct what `errors` names and send it again",
      "status": 422,
      "title": "Not valid",
      "traceId": "[traceId]",
      "type": "urn:strongroom:problem:invalid"
    }
    "#);
}

#[tokio::test]
async fn only_the_submitter_withdraws() {
    let app = TestApp::start().await;
    let (alice, request, hash) = in_review(&app).await;
    let bob = app.sign_in("bob", &["payments-leads"]).await;
    let body = app.act_body(&bob, ActKind::Withdraw, request, (1, "", hash));
    insta::assert_snapshot!(bob.post(&path(request), &body).await.shown(), @r#"
    403
    {
      "code": "forbidden",
      "detail": "only the submitter can take a request back",
      "errors": [],
      "hint": "reject it if you have a vote in it",
      "status": 403,
      "title": "Not allowed",
      "traceId": "[traceId]",
      "type": "urn:strongroom:problem:forbidden"
    }
    "#);
    let body = app.act_body(&alice, ActKind::Withdraw, request, (1, "", hash));
    assert_eq!(alice.post(&path(request), &body).await.status, 202);
}

#[tokio::test]
async fn acts_come_while_they_can_count() {
    let app = TestApp::start().await;
    let alice = app.sign_in("alice", &["payments-dev"]).await;
    let early = app.submit(&alice, &[payments()]).await;
    let bob = app.sign_in("bob", &["payments-leads"]).await;
    let body = app.act_body(&bob, ActKind::Approve, early, (1, "platform", Digest::of(b"x")));
    let answer = bob.post(&path(early), &body).await;
    assert_eq!((answer.status, answer.text("/detail")), (409, "the request is submitted"));

    let hash = app.executor.freeze_plan(early, &STAGES).await;
    app.executor.transition(early, State::Rejected).await;
    for kind in [ActKind::Approve, ActKind::Reject] {
        let body = app.act_body(&bob, kind, early, (1, "platform", hash));
        let answer = bob.post(&path(early), &body).await;
        assert_eq!((answer.status, answer.text("/detail")), (409, "the request is rejected"));
    }
}

/// A no may be to the submission itself, before there is a plan and after.
#[tokio::test]
async fn a_no_to_the_submission_is_taken_at_any_time() {
    let app = TestApp::start().await;
    let alice = app.sign_in("alice", &["payments-dev"]).await;
    let bob = app.sign_in("bob", &["payments-leads"]).await;
    let request = app.submit(&alice, &[payments()]).await;
    let shown = alice.get(&format!("/api/v1/requests/{request}/submission")).await;
    let bytes = base64::engine::general_purpose::STANDARD.decode(shown.text("/canonical")).unwrap();
    let submission: Submission = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(submission.request, request);
    let content = submission_digest(&submission);
    for (kind, who, vote, place) in [
        (ActKind::Withdraw, &alice, (0, "", Digest::of(b"x")), "/statement/items/0/content"),
        (ActKind::Reject, &bob, (0, "platform", content), "/statement/items/0/stage"),
        (ActKind::Reject, &bob, (1, "", content), "/statement/items/0/round"),
    ] {
        let answer = who.post(&path(request), &app.act_body(who, kind, request, vote)).await;
        assert_eq!(answer.pointers(), [place], "{kind:?} {vote:?}");
    }
    let no = (0, "", content);
    let body = app.act_body(&alice, ActKind::Withdraw, request, no);
    assert_eq!(alice.post(&path(request), &body).await.status, 202);
    let body = app.act_body(&bob, ActKind::Withdraw, request, no);
    assert_eq!(bob.post(&path(request), &body).await.status, 403);
    // Frozen in the meantime: it still says no to what was submitted. A yes never does.
    app.executor.freeze_plan(request, &STAGES).await;
    let body = app.act_body(&bob, ActKind::Reject, request, no);
    assert_eq!(bob.post(&path(request), &body).await.status, 202);
    let body = app.act_body(&bob, ActKind::Approve, request, (0, "platform", content));
    let answer = bob.post(&path(request), &body).await;
    assert_eq!(answer.pointers(), ["/statement/items/0/round"]);
    let mallory = app.sign_in("mallory", &["orders-dev"]).await;
    let hidden = mallory.get(&format!("/api/v1/requests/{request}/submission")).await;
    assert_eq!(hidden.status, 404);
}

#[tokio::test]
async fn auditors_do_not_vote() {
    let app = TestApp::start().await;
    let (_, request, hash) = in_review(&app).await;
    let ada = app.sign_in("ada", &["auditors"]).await;
    assert_eq!(ada.get(&path(request)).await.status, 200);
    let body = app.act_body(&ada, ActKind::Approve, request, (1, "platform", hash));
    let answer = ada.post(&path(request), &body).await;
    assert_eq!((answer.status, answer.text("/code")), (403, "forbidden"));
}

#[tokio::test]
async fn a_vote_sent_twice_at_once_is_one_act() {
    let app = TestApp::start().await;
    let (_, request, hash) = in_review(&app).await;
    let bob = app.sign_in("bob", &["payments-leads"]).await;
    let vote = (1, "owners of payments", hash);
    let body = app.act_body(&bob, ActKind::Approve, request, vote);
    let path = path(request);
    let (one, two) = tokio::join!(bob.post(&path, &body), bob.post(&path, &body));
    assert_eq!((one.status, two.status, &one.body), (202, 202, &two.body));
    assert_eq!(bob.get(&path).await.count(), 2, "the submission and one vote");
}
