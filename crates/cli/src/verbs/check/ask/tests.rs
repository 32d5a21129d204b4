//! What the engine's answers mean. The answers themselves are a real engine's in the end-to-end tests.

use super::super::facts::tests::facts;
use super::*;
use crate::render::text::Style;

fn error(cause: Cause) -> EngineError {
    EngineError::new(cause, "{mount}/data/{path}")
}

fn read(found: Result<bool, Cause>, number: usize) -> (bool, String) {
    let (facts, mut report) = (facts(), Report::default());
    let found = found.map_err(error);
    let is_denied = tell_read(&facts.paths[number], found, &facts, &mut report);
    (is_denied, report.text(Style::PLAIN))
}

#[test]
fn what_may_be_read_is_green_whether_it_is_there_or_not() {
    for (found, number, told) in [
        (Ok(true), 1, "payments/kv/prod/key is read"),
        (Ok(false), 0, "payments/kv/prod/api/* may be read\n"),
        (Ok(false), 1, "there is no such secret yet"),
        (Err(Cause::Deleted), 1, "its newest version is deleted"),
    ] {
        let (is_denied, text) = read(found, number);
        assert!(!is_denied && text.starts_with("green    read") && text.contains(told), "{text}");
    }
}

#[test]
fn only_a_refusal_is_a_denial() {
    let (is_denied, text) = read(Err(Cause::Denied), 0);
    assert!(is_denied);
    insta::assert_snapshot!(text, @"red      read      payments/kv/prod/api/* is refused: the binding does not stand or does not grant it, or the account was made anew since; next: `strongroom get bindings --team payments -o wide` tells how it stands and why");
    for (cause, told) in [
        (Cause::RateLimited(None), "limits.requestsPerSecond"),
        (Cause::Sealed, "unseal"),
        (Cause::TimedOut("10 s".into()), "look at the network"),
        (Cause::Server(500), "ask the platform team"),
    ] {
        let (is_denied, text) = read(Err(cause), 0);
        assert!(!is_denied && text.starts_with("red      read") && text.contains(told), "{text}");
    }
}

#[test]
fn a_login_is_denied_by_either_word() {
    let login = |cause| {
        let (facts, mut report) = (facts(), Report::default());
        let is_denied = tell_login(&error(cause), &facts, &mut report);
        (is_denied, report.text(Style::PLAIN))
    };
    for cause in [Cause::Denied, Cause::Invalid(vec!["invalid role name".into()])] {
        let (is_denied, text) = login(cause);
        assert!(is_denied && text.contains("get bindings --team payments"), "{text}");
    }
    let (is_denied, text) = login(Cause::Unreachable("connection refused".into()));
    assert!(!is_denied && text.contains("look at the network"), "{text}");
}

#[tokio::test]
async fn an_engine_that_is_not_there_is_red_and_no_denial() {
    let (mut facts, mut report) = (facts(), Report::default());
    let screen = Screen::new(&crate::tests::globals());
    for url in ["https://127.0.0.1:1", "bao.example.com"] {
        facts.engine.url = url.to_owned();
        let token = SecretString::from("a.b.c");
        assert!(!ask(screen, &facts, &token, &mut report).await, "{url}");
    }
    let text = report.text(Style::PLAIN);
    assert!(text.contains("red      login") && text.contains("red      engine"), "{text}");
    assert!(!text.contains("a.b.c"), "{text}");
}
