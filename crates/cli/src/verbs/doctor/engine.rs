//! The engine, as anybody may see it. No token is sent to it, not even one that is at hand.

use std::time::Duration;

use strongroom_engine::error::Failure as Cause;
use strongroom_engine::sys::{About, about};
use strongroom_engine::{EngineAddress, EngineClient, EngineError};

use super::report::Report;
use crate::api::types::EngineView;
use crate::failure::chain;

/// How long one call may take; it is made more than once.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Looks at the one that the pinned trust names.
pub(super) async fn look(engine: Option<&EngineView>, report: &mut Report) {
    let Some(engine) = engine else {
        report.unknown("engine", "its address is pinned by the first sign-in");
        return;
    };
    let ca_pem = Some(engine.ca_pem.clone()).filter(|pem| !pem.trim().is_empty());
    let address = EngineAddress { url: engine.address.clone(), ca_pem };
    let client = match EngineClient::new(&address, TIMEOUT) {
        Ok(client) => client,
        Err(error) => {
            let text = format!("{} cannot be asked: {}", engine.address, chain(&error));
            let next = "compare what is pinned with what the platform team tells you";
            return report.red("engine", text, next);
        }
    };
    let found = about(&client).await;
    judge(&engine.address, found, report);
}

fn judge(address: &str, found: Result<About, EngineError>, report: &mut Report) {
    let error = match found {
        Ok(about) => {
            let text = format!("{address} is unsealed, {} {}", about.product, about.version);
            return report.green("engine", text);
        }
        Err(error) => error,
    };
    match &error.failure {
        Cause::Standby => report.green("engine", format!("{address} answers, as a standby")),
        Cause::Sealed => report.red(
            "engine",
            format!("{address} is sealed: nobody reads or sets a secret"),
            "whoever holds its unseal keys unseals it",
        ),
        Cause::NotInitialized => report.red(
            "engine",
            format!("{address} is not initialised"),
            "ask the platform team whether this is the right engine",
        ),
        Cause::Unreachable(_) | Cause::TimedOut(_) => report.red(
            "engine",
            format!("{address} is not reached from here: {}", chain(&error)),
            "`strongroom kv` and workloads need it: look at the network and name between here and there",
        ),
        _ => report.red(
            "engine",
            format!("{address} does not answer as an engine does: {}", chain(&error)),
            "look what answers there; a proxy may stand before it",
        ),
    }
}

#[cfg(test)]
mod tests {
    use strongroom_engine::sys::{Product, Version};

    use super::super::report::{Check, Verdict};
    use super::*;

    fn judged(found: Result<About, Cause>) -> Check {
        let found = found.map_err(|cause| EngineError::new(cause, "sys/health"));
        let mut report = Report::default();
        judge("https://engine.example.com:8200", found, &mut report);
        report.checks.remove(0)
    }

    #[test]
    fn what_the_engine_says_of_itself_is_judged() {
        let about = About {
            product: Product::OpenBao,
            version: Version(2, 7, 2),
            cluster_id: String::new(),
        };
        let good = judged(Ok(about));
        assert_eq!(good.verdict, Verdict::Green);
        assert_eq!(good.text, "https://engine.example.com:8200 is unsealed, OpenBao 2.7.2");
        assert_eq!(judged(Err(Cause::Standby)).verdict, Verdict::Green);
        for (cause, told) in [
            (Cause::Sealed, "is sealed"),
            (Cause::NotInitialized, "not initialised"),
            (Cause::Unreachable("connection refused".into()), "not reached from here"),
            (Cause::TimedOut("5 s".into()), "not reached from here"),
            (Cause::Malformed("no JSON".into()), "does not answer as an engine does"),
            (Cause::Server(502), "does not answer as an engine does"),
        ] {
            let bad = judged(Err(cause));
            assert_eq!(bad.verdict, Verdict::Red, "{told}");
            assert!(bad.text.contains(told), "{}", bad.text);
            assert!(bad.next.is_some(), "{told}");
        }
    }

    #[tokio::test]
    async fn without_a_pinned_address_nobody_is_asked() {
        let mut report = Report::default();
        look(None, &mut report).await;
        assert_eq!(report.checks[0].verdict, Verdict::Unknown);
    }
}
