//! The server, as anybody may see it: its version, its clock, and the trust that it publishes.

use jiff::{SignedDuration, Timestamp};
use strongroom_domain::clock::{Clock as _, SystemClock};
use url::Url;

use super::report::Report;
use crate::api::Api;
use crate::failure::Failure;
use crate::trust::Trust;

/// How far two clocks may be apart: half of what the executor forgives a provider.
const MOST_SKEW: SignedDuration = SignedDuration::from_secs(30);

/// Looks at it. `api` shows nothing.
pub(super) async fn look(api: &Api, url: &Url, pinned: Option<&Trust>, report: &mut Report) {
    let asked_at = SystemClock.now();
    let hello = api.hello().await;
    let answered_at = SystemClock.now();
    let published = api.trust().await;
    match &hello {
        Ok(hello) => {
            report.green("server", format!("{url} answers"));
            version(hello.version.as_deref(), env!("CARGO_PKG_VERSION"), report);
            clock(hello.at, asked_at, answered_at, report);
        }
        // A proxy may let nothing through but the API.
        Err(_) if published.is_ok() => {
            report.green("server", format!("{url} answers"));
            report.unknown_all(&["version", "clock"], "`/livez` of the server is not answered");
        }
        Err(failure) => {
            report.failed("server", failure);
            report.unknown_all(&["version", "clock", "trust"], "the server does not answer");
            return;
        }
    }
    trust(pinned, published, report);
}

/// Versions that differ in more than the last number may not understand each other.
fn version(told: Option<&str>, own: &str, report: &mut Report) {
    let Some(told) = told else {
        report
            .unknown("version", format!("this client is {own}; the server does not tell its own"));
        return;
    };
    let alike = |text: &str| {
        let mut parts = text.split('.').map(str::to_owned);
        (parts.next(), parts.next())
    };
    if alike(told) == alike(own) {
        report.green("version", format!("the server is {told}, this client {own}"));
    } else {
        let next = "use the client of the server's version";
        report.red("version", format!("the server is {told}, this client {own}"), next);
    }
}

/// The server's clock was read somewhere between the two times of this machine.
fn clock(told: Option<Timestamp>, before: Timestamp, after: Timestamp, report: &mut Report) {
    let Some(told) = told else {
        report.unknown("clock", "the server does not tell the time");
        return;
    };
    // A `Date` header leaves the fraction of its second out.
    let until = told + SignedDuration::from_secs(1);
    let (ahead, behind) = (told.duration_since(after), before.duration_since(until));
    let apart = ahead.max(behind).max(SignedDuration::ZERO).as_secs();
    let text = match apart {
        0 => "no difference to the server's".to_owned(),
        _ if ahead > behind => format!("{apart} s behind the server's"),
        _ => format!("{apart} s ahead of the server's"),
    };
    if SignedDuration::from_secs(apart) > MOST_SKEW {
        let next =
            "set this machine's clock by NTP, or tell the platform team that the server's is wrong";
        report.red("clock", text, next);
    } else {
        report.green("clock", text);
    }
}

/// What is published is held against what was pinned; nothing is taken over.
fn trust(
    pinned: Option<&Trust>,
    published: Result<crate::api::types::TrustView, Failure>,
    report: &mut Report,
) {
    let published = match published {
        Ok(view) => view,
        Err(failure) => return report.failed("trust", &failure),
    };
    let published = match Trust::new(published) {
        Ok(trust) => trust,
        Err(error) => {
            let next = "tell the platform team; sign nothing meanwhile";
            return report.red(
                "trust",
                format!("what the server publishes may not be pinned: {error}"),
                next,
            );
        }
    };
    let Some(pinned) = pinned else {
        return report.unknown("trust", "nothing is pinned here for this server");
    };
    let changes = pinned.changes_to(&published);
    if changes.is_empty() {
        return report.green("trust", "the server publishes what is pinned");
    }
    report.red(
        "trust",
        changes.join("; "),
        "ask the platform team by another way whether this is so, then `strongroom login \
         --accept-new-trust`",
    );
}

#[cfg(test)]
mod tests {
    use strongroom_acts::SigningKey;

    use super::super::report::{Check, Verdict};
    use super::*;

    fn one(look: impl FnOnce(&mut Report)) -> Check {
        let mut report = Report::default();
        look(&mut report);
        report.checks.remove(0)
    }

    #[test]
    fn versions_that_differ_in_the_last_number_only_go_together() {
        for (told, verdict) in [
            (Some("0.1.0"), Verdict::Green),
            (Some("0.1.7"), Verdict::Green),
            (Some("0.2.0"), Verdict::Red),
            (Some("1.1.0"), Verdict::Red),
            (None, Verdict::Unknown),
        ] {
            assert_eq!(one(|report| version(told, "0.1.0", report)).verdict, verdict, "{told:?}");
        }
    }

    #[test]
    fn a_clock_is_as_far_off_as_is_certain() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let before = at("2026-11-23T18:00:00.9Z");
        let after = at("2026-11-23T18:00:02Z");
        let told = |text: &str| one(|report| clock(Some(at(text)), before, after, report));
        assert_eq!(told("2026-11-23T18:00:00Z").text, "no difference to the server's");
        assert_eq!(told("2026-11-23T18:00:02Z").text, "no difference to the server's");
        assert_eq!(told("2026-11-23T18:00:32Z").text, "30 s behind the server's");
        assert_eq!(told("2026-11-23T18:00:32Z").verdict, Verdict::Green);
        assert_eq!(told("2026-11-23T18:00:33Z").verdict, Verdict::Red);
        let ahead = told("2026-11-23T17:59:00Z");
        assert_eq!(
            (ahead.verdict, ahead.text.as_str()),
            (Verdict::Red, "59 s ahead of the server's")
        );
        assert_eq!(one(|report| clock(None, before, after, report)).verdict, Verdict::Unknown);
    }

    #[test]
    fn other_trust_is_red_and_told() {
        let key = SigningKey::generate().unwrap().public();
        let view = crate::trust::tests::view(&[key]);
        let pinned = Trust::new(view.clone()).unwrap();
        let same = one(|report| trust(Some(&pinned), Ok(view.clone()), report));
        assert_eq!(same.verdict, Verdict::Green);
        assert_eq!(one(|report| trust(None, Ok(view.clone()), report)).verdict, Verdict::Unknown);

        let mut other = view.clone();
        other.engine.address = "https://evil:8200".into();
        let changed = one(|report| trust(Some(&pinned), Ok(other), report));
        assert_eq!(changed.verdict, Verdict::Red);
        assert!(
            changed.text.contains("the engine's address was https://engine.example.com:8200, now")
        );
        assert!(changed.next.unwrap().contains("--accept-new-trust"));

        let mut unfit = view;
        unfit.executor_keys.clear();
        let refused = one(|report| trust(Some(&pinned), Ok(unfit), report));
        assert_eq!(refused.verdict, Verdict::Red);
        assert!(refused.text.contains("no key of its executor"), "{}", refused.text);
    }
}
