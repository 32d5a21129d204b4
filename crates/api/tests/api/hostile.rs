//! Bodies, queries, paths and headers of callers who mean no good, or are merely wrong.

use serde_json::{Value, json};

use crate::support::TestApp;
use crate::support::act::submission;
use crate::support::documents::payments;

#[tokio::test]
async fn bodies_that_are_none() {
    let app = TestApp::start().await;
    let alice = app.sign_in("alice", &["payments-dev"]).await;
    let json_type = "application/json";
    let deep = format!("{{\"documents\":{}{}}}", "[".repeat(200), "]".repeat(200));
    let large = format!("{{\"documents\":[\"{}\"]}}", "x".repeat(1024 * 1024));
    for (body, kind, status, code) in [
        ("", json_type, 400, "malformed"),
        ("{", json_type, 400, "malformed"),
        ("{}", "text/plain", 415, "unsupported_media_type"),
        ("{}", "application/jsonp", 415, "unsupported_media_type"),
        ("[]", json_type, 422, "invalid"),
        ("null", json_type, 422, "invalid"),
        ("{\"documents\":[],\"colour\":1}", json_type, 422, "invalid"),
        ("{\"documents\":{}}", json_type, 422, "invalid"),
        ("{\"documents\":[],\"documents\":[]}", json_type, 422, "invalid"),
        ("{\"documents\":[{\"kind\":1,\"kind\":2}]}", json_type, 422, "invalid"),
        ("\u{feff}{}", json_type, 400, "malformed"),
        (&deep, json_type, 400, "malformed"),
        (&large, json_type, 413, "too_large"),
    ] {
        let answer = alice
            .send("POST", "/api/v1/requests/preview", |request| {
                request.header("content-type", kind).body(body.to_owned())
            })
            .await;
        let start: String = body.chars().take(40).collect();
        assert_eq!((answer.status, answer.text("/code")), (status, code), "{start}");
    }
}

/// What is small when it is sent stays small here.
#[tokio::test]
async fn no_body_is_inflated() {
    let app = TestApp::start().await;
    for (coding, status) in [("gzip", 415), ("br, gzip", 415), ("x", 415), ("identity", 201)] {
        let answer = app
            .nobody()
            .send("POST", "/api/v1/sign-ins", |request| {
                let request = request.header("content-type", "application/json");
                request.header("content-encoding", coding).body("{}")
            })
            .await;
        assert_eq!(answer.status, status, "{coding}: {:#}", answer.body);
    }
}

#[tokio::test]
async fn documents_of_strange_values_are_faults_and_not_failures() {
    let app = TestApp::start().await;
    let alice = app.sign_in("alice", &["payments-dev"]).await;
    let good = submission(&[payments()]);
    let body = app.submit_body(&alice, &good).to_string();
    for strange in [
        "18446744073709551615",
        "-9223372036854775808",
        "1e308",
        "0.1",
        "null",
        "true",
        "\"\\u0000\"",
        "{}",
        "[[[[1]]]]",
    ] {
        for name in ["\"displayName\":", "\"maxVersions\":", "\"tokenTtl\":"] {
            let begins = body.find(name).unwrap() + name.len();
            let ends = begins + body[begins..].find([',', '}']).unwrap();
            let spoilt = format!("{}{strange}{}", &body[..begins], &body[ends..]);
            let answer = alice
                .send("POST", "/api/v1/requests", |request| {
                    request.header("content-type", "application/json").body(spoilt)
                })
                .await;
            assert_eq!(answer.status, 422, "{name}{strange}: {:#}", answer.body);
        }
    }
}

#[tokio::test]
async fn an_unknown_field_is_named() {
    let app = TestApp::start().await;
    let alice = app.sign_in("alice", &["payments-dev"]).await;
    let answer =
        alice.post("/api/v1/requests/preview", &json!({ "documents": [], "force": true })).await;
    insta::assert_snapshot!(answer.shown(), @r#"
    422
    {
      "code": "invalid",
      "detail": "what was sent cannot be taken as it is",
      "errors": [
        {
          "message": "unknown field `force`, expected one of `documents`, `attest`, `lift` at line 1 column 23",
          "pointer": ""
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
async fn queries_and_paths_that_name_nothing() {
    let app = TestApp::start().await;
    let alice = app.sign_in("alice", &["payments-dev"]).await;
    for (path, status) in [
        ("/api/v1/requests?limit=0", 400),
        ("/api/v1/requests?limit=201", 400),
        ("/api/v1/requests?limit=-1", 400),
        ("/api/v1/requests?state=done", 400),
        ("/api/v1/requests?subject=payments", 400),
        ("/api/v1/requests?cursor=nonsense", 400),
        ("/api/v1/requests?all=true", 400),
        ("/api/v1/events?request=1", 400),
        ("/api/v1/events?after=x", 400),
        ("/api/v1/documents/platform/platform?revision=x", 400),
        // What one may not see is not there, however it is asked for.
        ("/api/v1/documents/team/payments?revision=x", 404),
        ("/api/v1/requests/1", 404),
        ("/api/v1/requests/%00", 404),
        ("/api/v1/requests/%ff", 404),
        ("/api/v1/requests/..%2f..%2fsession", 404),
        ("/api/v1/teams/PAYMENTS/bindings", 404),
        ("/api/v1/teams/'%20OR%201=1--/bindings", 404),
        ("/api/v1/documents/team/%e2%80%ae", 404),
        ("/api/v1/documents/../../etc/passwd", 404),
        ("/api/v2/session", 404),
        ("/", 404),
    ] {
        let answer = alice.get(path).await;
        assert_eq!(answer.status, status, "{path}: {:#}", answer.body);
        assert_eq!(answer.headers["content-type"], "application/problem+json", "{path}");
    }
    for (method, path) in
        [("PUT", "/api/v1/session"), ("DELETE", "/api/v1/requests"), ("PATCH", "/api/v1/teams")]
    {
        let answer = alice.send(method, path, |request| request).await;
        assert_eq!((answer.status, answer.text("/code")), (405, "method_not_allowed"), "{path}");
        assert!(answer.headers.contains_key("allow"));
    }
}

#[tokio::test]
async fn every_answer_carries_the_same_protective_headers() {
    let app = TestApp::start().await;
    for path in ["/livez", "/readyz", "/api/v1/session", "/nowhere"] {
        let answer = app.nobody().get(path).await;
        for (name, value) in [
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
        ] {
            assert_eq!(answer.headers[name], value, "{path}");
        }
        assert!(answer.headers.contains_key("x-request-id"));
        assert!(answer.headers.contains_key("content-security-policy"));
        let cors = answer.headers.keys().any(|name| name.as_str().starts_with("access-control"));
        assert!(!cors, "no other origin reads this API");
    }
}

#[tokio::test]
async fn no_origin_is_let_in_and_ids_are_ours() {
    let app = TestApp::start().await;
    let answer = app
        .nobody()
        .send("OPTIONS", "/api/v1/session", |request| {
            request
                .header("origin", "https://evil.example.com")
                .header("access-control-request-method", "GET")
        })
        .await;
    assert_eq!(answer.status, 405);
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let answer = app
        .nobody()
        .send("GET", "/nowhere", |request| {
            request
                .header("x-request-id", "<script>")
                .header("traceparent", format!("00-{trace}-00f067aa0ba902b7-01"))
        })
        .await;
    assert_ne!(answer.headers["x-request-id"], "<script>");
    assert_eq!(answer.text("/traceId"), trace);
}

#[tokio::test]
async fn two_tokens_are_none() {
    let app = TestApp::start().await;
    let alice = app.sign_in("alice", &["payments-dev"]).await;
    let answer = alice
        .send("GET", "/api/v1/session", |request| request.header("authorization", "Bearer x"))
        .await;
    assert_eq!(answer.status, 401);
}

#[tokio::test]
async fn a_failure_of_ours_says_nothing_about_its_cause() {
    let app = TestApp::start().await;
    let sue = app.sign_in("sue", &["platform-sre"]).await;
    app.executor
        .store
        .trust_put(&json!({ "deployment": 1 }), "2026-11-23T12:00:00Z".parse().unwrap())
        .await
        .unwrap();
    let body = json!({ "documents": [crate::support::documents::prod_eu()] });
    let answer = sue.post("/api/v1/requests/preview", &body).await;
    insta::assert_snapshot!(answer.shown(), @r#"
    500
    {
      "code": "internal",
      "detail": "something went wrong here",
      "errors": [],
      "hint": "tell the platform team the trace id",
      "status": 500,
      "title": "Something went wrong",
      "traceId": "[traceId]",
      "type": "urn:strongroom:problem:internal"
    }
    "#);
    assert_eq!(answer.body["errors"], Value::Array(Vec::new()));
}
