//! What only a session or a key shows: who one is, whether the executor works, what stands.

use jiff::{SignedDuration, Timestamp};
use strongroom_domain::clock::Clock as _;

use super::report::Report;
use crate::api::types::{AnswerView, FindingView, Session, WhatView};
use crate::client::Client;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::machine;
use crate::render::text::{count, time, time_text};

/// A group that nobody has: the answer about it is empty, and says how old it is all the same.
const NOBODY: &str = "strongroom-doctor";

/// How the server begins to say that no executor holds the lease.
const AWAY: &str = "no executor is at work";

/// How old the executor's last look may be. It looks several times a minute; many teams take longer.
const LOOKED: SignedDuration = SignedDuration::from_mins(10);

/// How long before its end a session is not worth beginning with.
const ENDS_SOON: SignedDuration = SignedDuration::from_mins(10);

/// Whether the session or key is good, and for how long.
pub(super) async fn session(
    client: Result<&Client, &Failure>,
    has_server: bool,
    report: &mut Report,
) {
    match client {
        Err(_) if !has_server => report.unknown("session", "no server is known"),
        Err(failure) => report.failed("session", failure),
        Ok(client) => match client.api.session().await {
            Ok(session) => judge_session(&session, client.clock.now(), report),
            Err(failure) if failure.exit == Exit::LoginNeeded => {
                let next = if client.is_machine {
                    "make another key: `strongroom machine create`"
                } else {
                    "run `strongroom login`"
                };
                report.red("session", "it has ended, or the server does not know it", next);
            }
            Err(failure) => report.failed("session", &failure),
        },
    }
}

fn judge_session(session: &Session, now: Timestamp, report: &mut Report) {
    let who = match &session.machine {
        Some(own) => {
            format!("machine {}, may {}", session.person.display, machine::may(&own.scope))
        }
        None => session.person.display.clone(),
    };
    let Ok(until) = session.expires_at.parse::<Timestamp>() else {
        return report
            .unknown("session", format!("{who}, until {}", time_text(&session.expires_at)));
    };
    let left = until.duration_since(now);
    let text = format!("{who}, until {} ({} min more)", time(until), left.as_mins().max(0));
    if left < ENDS_SOON && session.machine.is_none() {
        report.red("session", text, "run `strongroom login` before you begin something long");
    } else {
        report.green("session", text);
    }
}

/// Whether the executor works, and whether an alarm stands.
pub(super) async fn look(client: Option<&Client>, report: &mut Report) {
    let Some(client) = client else {
        return report.unknown_all(&["executor", "findings"], "it needs a session or a key");
    };
    match client.api.what_can("group", NOBODY, &[]).await {
        Ok(answer) => executor(&answer, client.clock.now(), report),
        Err(failure) => report.unknown("executor", told(&failure)),
    }
    match client.api.findings(false).await {
        Ok(standing) => findings(&standing, report),
        Err(failure) => report.unknown("findings", told(&failure)),
    }
}

fn told(failure: &Failure) -> String {
    format!("{}: {}", failure.what, failure.why.join("; "))
}

fn executor(answer: &AnswerView<WhatView>, now: Timestamp, report: &mut Report) {
    let next = "tell the platform team: nothing is frozen, applied, attached or suspended meanwhile; \
                secrets are served all the same";
    if let Some(away) = answer.beside.iter().find(|line| line.starts_with(AWAY)) {
        return report.red("executor", away.as_str(), next);
    }
    let at = answer.observed_at.as_deref().and_then(|text| text.parse::<Timestamp>().ok());
    let Some(at) = at else {
        return report.unknown("executor", "at work; it has not looked at the engine yet");
    };
    let text = format!("at work; it last looked at the engine at {}", time(at));
    if now.duration_since(at) > LOOKED {
        report.red(
            "executor",
            text,
            "its passes fail or take long: the platform team looks at its log",
        );
    } else {
        report.green("executor", text);
    }
}

fn findings(standing: &[FindingView], report: &mut Report) {
    let of = |severity: &str| standing.iter().filter(|each| each.severity == severity).count();
    let (alarms, warnings) = (of("alarm"), of("warning"));
    let text = format!(
        "{} and {} of what you may see",
        count(alarms, "alarm", "alarms"),
        count(warnings, "warning", "warnings")
    );
    if alarms > 0 {
        report.red(
            "findings",
            text,
            "`strongroom get findings -o wide` says what, by whom, and what to do",
        );
    } else {
        report.green("findings", text);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::report::{Check, Verdict};
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn one(look: impl FnOnce(&mut Report)) -> Check {
        let mut report = Report::default();
        look(&mut report);
        report.checks.remove(0)
    }

    #[test]
    fn a_session_says_whose_it_is_and_how_long() {
        let session: Session = serde_json::from_value(json!({
            "issuer": "i", "person": "e-1", "display": "bob", "expiresAt": "2026-11-24T00:00:00Z",
        }))
        .unwrap();
        let judged = |now: &str| one(|report| judge_session(&session, at(now), report));
        let good = judged("2026-11-23T23:00:00Z");
        assert_eq!(good.verdict, Verdict::Green);
        assert_eq!(good.text, "bob, until 2026-11-24 00:00:00Z (60 min more)");
        let late = judged("2026-11-23T23:55:00Z");
        assert_eq!(late.verdict, Verdict::Red);
        assert!(late.next.unwrap().contains("strongroom login"));
    }

    #[test]
    fn an_executor_that_is_away_or_does_not_look_is_red() {
        let judged = |observed_at: Option<&str>, beside: &[&str]| {
            let answer = AnswerView {
                items: Vec::new(),
                observed_at: observed_at.map(str::to_owned),
                beside: beside.iter().map(|line| (*line).to_owned()).collect(),
            };
            one(|report| executor(&answer, at("2026-11-23T18:00:00Z"), report)).verdict
        };
        assert_eq!(judged(Some("2026-11-23T17:59:00Z"), &["tokens …"]), Verdict::Green);
        assert_eq!(judged(Some("2026-11-23T17:40:00Z"), &[]), Verdict::Red);
        let away = ["no executor is at work since 2026-11-23T17:59:00Z: …"];
        assert_eq!(judged(Some("2026-11-23T17:59:00Z"), &away), Verdict::Red);
        assert_eq!(judged(None, &[]), Verdict::Unknown);
    }

    #[test]
    fn alarms_are_red_and_warnings_are_counted() {
        let finding = |severity: &str| -> FindingView {
            serde_json::from_value(json!({
                "key": "drift x", "kind": "drift", "severity": severity, "text": "t",
                "nextStep": "n", "firstSeen": "2026-11-23T18:00:00Z",
            }))
            .unwrap()
        };
        let quiet = one(|report| findings(&[finding("warning"), finding("info")], report));
        assert_eq!(quiet.verdict, Verdict::Green);
        assert_eq!(quiet.text, "0 alarms and 1 warning of what you may see");
        let loud = one(|report| findings(&[finding("alarm")], report));
        assert_eq!(loud.verdict, Verdict::Red);
        assert!(loud.next.unwrap().contains("get findings"));
    }
}
