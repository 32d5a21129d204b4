//! Every route is closed, except those on this list.

use std::collections::BTreeSet;

use serde_json::json;
use strongroom_api::{Guard, Route, routes};
use strongroom_authorization::rights::RULES;
use strongroom_authorization::{Resource, Verb};

use crate::support::TestApp;
use crate::support::client::Client;

/// Adding a line here opens a route to everybody. Say why in the review.
const OPEN: [(&str, &str); 8] = [
    ("GET", "/livez"),
    ("GET", "/readyz"),
    ("GET", "/api/v1/trust"),
    ("GET", "/api/v1/schema"),
    ("POST", "/api/v1/sign-ins"),
    ("POST", "/api/v1/sign-ins/{id}/complete"),
    // A check's ticket in the body is good for one report, and decides nothing.
    ("POST", "/api/v1/checks"),
    ("GET", "/api/v1/openapi.json"),
];

#[test]
fn the_open_routes_are_exactly_these() {
    let open: Vec<(String, String)> = routes()
        .into_iter()
        .filter(Route::is_open)
        .map(|route| (route.method.to_string(), route.path))
        .collect();
    let expected: Vec<(String, String)> =
        OPEN.iter().map(|(method, path)| ((*method).to_owned(), (*path).to_owned())).collect();
    assert_eq!(open, expected);
}

#[tokio::test]
async fn no_route_answers_without_a_live_session_unless_it_is_open() {
    let app = TestApp::start().await;
    let ended = app.sign_in("alice", &["payments-dev"]).await;
    assert_eq!(ended.delete("/api/v1/session").await.status, 204);
    let forged = format!("srs_{}", "A".repeat(43));
    let key = format!("srk_{}", "A".repeat(43));
    let jwt = "eyJhbGciOiJFUzI1NiIsImtpZCI6IngifQ.eyJpc3MiOiJ4In0.AAAA";
    let callers = [
        ("nobody", app.nobody()),
        ("an ended session", ended),
        ("a forged token", Client::new(&app.url, Some(&forged), None)),
        ("a forged key", Client::new(&app.url, Some(&key), None)),
        ("a forged service account", Client::new(&app.url, Some(jwt), None)),
        ("no token at all", Client::new(&app.url, Some("x"), None)),
    ];
    let mut closed = 0;
    for route in routes() {
        let path = route.path.replace("{id}", "0199b5d0-0000-7000-8000-000000000009");
        let path = path.replace("{kind}", "team").replace("{name}", "payments");
        let path = path.replace("{binding}", "api").replace("{machine}", "ci");
        for (who, caller) in &callers {
            let answer =
                caller.send(route.method.as_str(), &path, |request| request.json(&json!({}))).await;
            if route.is_open() {
                assert_ne!(answer.body["code"], "unauthenticated", "{path} as {who}");
            } else {
                closed += 1;
                assert_eq!(answer.status, 401, "{} {path} as {who}", route.method);
                assert_eq!(answer.body["code"], "unauthenticated");
                assert_eq!(answer.headers["www-authenticate"], "Bearer");
            }
        }
    }
    assert!(closed > 40, "the table of routes lost its routes");
}

#[tokio::test]
async fn the_body_is_not_even_read_before_the_session() {
    let app = TestApp::start().await;
    for path in ["/api/v1/requests", "/api/v1/requests/preview"] {
        let answer = app.nobody().send("POST", path, |request| request.body("{not json")).await;
        assert_eq!(answer.status, 401, "{path}");
    }
}

/// A route without a row in the table of rights would be closed to all, and a row that nothing asks
/// for would be a right nobody knows of.
#[test]
fn every_route_has_its_right_and_every_right_is_asked_for() {
    let needed: BTreeSet<(Resource, Verb)> = routes()
        .iter()
        .filter_map(|route| match route.guard {
            Guard::Open => None,
            Guard::Right(resource, verb, _) => Some((resource, verb)),
        })
        .collect();
    let given: BTreeSet<(Resource, Verb)> = RULES
        .iter()
        .flat_map(|(_, resource, verbs)| verbs.iter().map(|verb| (*resource, *verb)))
        .collect();
    let missing: Vec<_> = needed.difference(&given).collect();
    assert!(missing.is_empty(), "routes without a row: {missing:?}");
    // What use cases ask for themselves.
    let inside = BTreeSet::from([
        (Resource::Session, Verb::ListAll),
        (Resource::Session, Verb::EndAny),
        (Resource::PlatformDocument, Verb::Read),
        (Resource::PlatformDocument, Verb::Submit),
    ]);
    let unused: Vec<_> =
        given.difference(&needed).filter(|right| !inside.contains(right)).collect();
    assert!(unused.is_empty(), "rights that nothing asks for: {unused:?}");
}
