//! Live reads against scripted answers: what counts as absent, and what as no answer.

use std::time::Instant;

use serde_json::{Value, json};

use super::*;
use crate::scripted::{Answer, Scripted, failure, object};

const ONE: &str = "0199b5d0-0000-4000-8000-000000000001";
const TWO: &str = "0199b5d0-0000-4000-8000-000000000002";

fn payments() -> NamespaceName {
    NamespaceName::new("payments").unwrap()
}

fn api() -> ServiceAccountName {
    ServiceAccountName::new("api").unwrap()
}

/// What is made of this one answer about the namespace `payments`.
async fn namespace_from(answer: impl Fn() -> Answer + Send + Sync + 'static) -> Lookup {
    let server = Scripted::start(move |_, _| answer()).await;
    server.cluster().await.namespace(&payments()).await
}

async fn unknown_from(answer: impl Fn() -> Answer + Send + Sync + 'static) -> String {
    match namespace_from(answer).await {
        Lookup::Unknown { reason } => reason,
        other => panic!("{other:?}"),
    }
}

fn not_found(kind: &str, name: &str) -> Answer {
    failure(404, "NotFound", &json!({ "kind": kind, "name": name }))
}

#[tokio::test]
async fn found_is_asked_for_as_metadata_with_the_readers_token() {
    let server = Scripted::start(|_, _| Answer::Json(200, object("", "payments", ONE))).await;
    let found = server.cluster().await.namespace(&payments()).await;
    assert_eq!(found, Lookup::Found { uid: ONE.into() });
    let request = &server.requests()[0].to_ascii_lowercase();
    assert!(request.starts_with("get /api/v1/namespaces/payments"), "{request}");
    assert!(request.contains("as=partialobjectmetadata;"), "{request}");
    assert!(request.contains("authorization: bearer the-reader"), "{request}");
}

#[tokio::test]
async fn absent_is_only_what_the_api_server_says_about_this_object() {
    assert_eq!(namespace_from(|| not_found("namespaces", "payments")).await, Lookup::Absent);
    let going = || {
        let mut object = object("", "payments", ONE);
        object["metadata"]["deletionTimestamp"] = "2026-11-23T00:00:00Z".into();
        Answer::Json(200, object)
    };
    assert_eq!(namespace_from(going).await, Lookup::Absent);

    let page = || Answer::Text(404, "<html>404 page not found</html>");
    assert!(unknown_from(page).await.contains("404"));
    assert!(unknown_from(|| not_found("namespaces", "orders")).await.contains("404"));
    assert!(unknown_from(|| not_found("serviceaccounts", "payments")).await.contains("404"));
    assert!(unknown_from(|| failure(404, "NotFound", &Value::Null)).await.contains("404"));
    assert!(unknown_from(|| Answer::Json(404, json!({}))).await.contains("answered"));
    let other_reason = || {
        let details = json!({ "kind": "namespaces", "name": "payments" });
        failure(404, "Expired", &details)
    };
    assert!(unknown_from(other_reason).await.contains("404"));
}

#[tokio::test]
async fn every_other_failure_is_unknown_and_says_why() {
    for code in [401, 403, 429, 500, 503] {
        let reason = unknown_from(move || failure(code, "Why", &Value::Null)).await;
        assert_eq!(reason, format!("the API server answered {code}: a message about Why"));
    }
    // A redirect is not followed: the object would be another server's.
    unknown_from(|| Answer::Text(302, "")).await;
    let not_json = unknown_from(|| Answer::Text(200, "hello")).await;
    assert_eq!(not_json, "the API server's answer is not what was asked for");
    let long = unknown_from(|| failure(500, &"x".repeat(5000), &Value::Null)).await;
    assert_eq!(long.chars().count(), 300);
}

#[tokio::test]
async fn an_answer_about_something_else_is_unknown() {
    let other = unknown_from(|| Answer::Json(200, object("", "orders", ONE))).await;
    assert!(other.contains("another object"), "{other}");
    let account = unknown_from(|| Answer::Json(200, object("orders", "payments", ONE))).await;
    assert!(account.contains("another object"), "{account}");
    let bad = unknown_from(|| Answer::Json(200, object("", "payments", "../../x"))).await;
    assert!(bad.contains("UUID"), "{bad}");
    let none = unknown_from(|| {
        let mut object = object("", "payments", ONE);
        object["metadata"]["uid"] = Value::Null;
        Answer::Json(200, object)
    });
    assert_eq!(none.await, "the API server told no UID");
}

#[tokio::test]
async fn a_slow_or_missing_server_is_unknown_in_bounded_time() {
    let start = Instant::now();
    let server = Scripted::start(|_, _| Answer::Silence).await;
    let cluster = server.cluster().await.with_live_read(Duration::from_secs(1));
    let Lookup::Unknown { reason } = cluster.namespace(&payments()).await else { panic!() };
    assert_eq!(reason, "the API server did not answer within 1 seconds");
    drop(server);
    let Lookup::Unknown { reason } = cluster.namespace(&payments()).await else { panic!() };
    assert!(reason.starts_with("the API server cannot be read: "), "{reason}");
    assert!(start.elapsed() < Duration::from_secs(8));
}

/// A server where the namespace's first and second reading differ.
async fn settled_between(before: Script, account: Script, after: Script) -> Settled {
    let server = Scripted::start(move |target, number| {
        if target.contains("serviceaccounts") {
            account()
        } else if number == 0 {
            before()
        } else {
            after()
        }
    })
    .await;
    server.cluster().await.settled(&payments(), &api()).await
}

type Script = fn() -> Answer;

#[tokio::test]
async fn k8s_01_an_account_counts_only_inside_a_namespace_that_stays_the_same() {
    let one: Script = || Answer::Json(200, object("", "payments", ONE));
    let two: Script = || Answer::Json(200, object("", "payments", TWO));
    let gone: Script = || not_found("namespaces", "payments");
    let broken: Script = || Answer::Text(502, "bad gateway");
    let account: Script = || Answer::Json(200, object("payments", "api", TWO));
    let elsewhere: Script = || Answer::Json(200, object("orders", "api", TWO));
    let no_account: Script = || not_found("serviceaccounts", "api");

    let found = Settled::Found { namespace_uid: ONE.into(), account_uid: TWO.into() };
    assert_eq!(settled_between(one, account, one).await, found);
    let none = Settled::NoAccount { namespace_uid: ONE.into() };
    assert_eq!(settled_between(one, no_account, one).await, none);
    assert_eq!(settled_between(gone, no_account, gone).await, Settled::NoNamespace);

    for (before, account, after) in [
        (one, account, two),
        (one, account, gone),
        (gone, account, one),
        (one, no_account, two),
        (broken, account, one),
        (one, broken, one),
        (one, account, broken),
        (one, elsewhere, one),
        (gone, broken, gone),
    ] {
        let settled = settled_between(before, account, after).await;
        assert!(matches!(settled, Settled::Unknown { .. }), "{settled:?}");
    }
}
