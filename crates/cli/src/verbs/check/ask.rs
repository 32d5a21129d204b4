//! The engine's own word: a login with the account's token, and a read of every path.

use std::time::Duration;

use secrecy::SecretString;
use strongroom_engine::error::Failure as Cause;
use strongroom_engine::{EngineClient, EngineError, Session, auth, kv};

use super::facts::{Asked, Facts};
use crate::failure::chain;
use crate::screen::Screen;
use crate::verbs::doctor::Report;
use crate::verbs::kv::give_back;

/// How long one call may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Logs in and asks; says whether the engine denied something.
pub(super) async fn ask(
    screen: Screen,
    facts: &Facts,
    token: &SecretString,
    report: &mut Report,
) -> bool {
    let client = match EngineClient::new(&facts.engine, TIMEOUT) {
        Ok(client) => client,
        Err(error) => {
            let text = format!("{} cannot be asked: {}", facts.engine.url, chain(&error));
            report.red("engine", text, "check the engine's address and CA");
            return false;
        }
    };
    let login = auth::kubernetes_login(&client, &facts.mount, &facts.role, token).await;
    let login = match login {
        Ok(login) => login,
        Err(error) => return tell_login(&error, facts, report),
    };
    report.green("login", format!("auth/{}, role {}", facts.mount, facts.role));
    let session = Session::with_login(client, login);
    let mut is_denied = false;
    for path in &facts.paths {
        // The value is dropped here, unseen.
        let found = kv::read(&session, &path.mount, &path.secret).await;
        is_denied |= tell_read(path, found.map(|found| found.is_some()), facts, report);
    }
    give_back(&session, screen).await;
    is_denied
}

/// What a login that failed means; says whether it was denied.
fn tell_login(error: &EngineError, facts: &Facts, report: &mut Report) -> bool {
    let place = format!("auth/{}, role {}", facts.mount, facts.role);
    match &error.failure {
        Cause::Denied | Cause::Invalid(_) => {
            // Without a role the engine answers a wrong request; what it says is told as it is.
            let why = match &error.failure {
                Cause::Denied => {
                    "the account is none of the namespace's, deleted, or made anew since"
                }
                _ => "nothing of the namespace is applied yet, or the login is another cluster's",
            };
            report.red("login", format!("{place}: {}; {why}", error.failure), facts.look());
            true
        }
        _ => {
            tell_trouble("login", &place, error, report);
            false
        }
    }
}

/// What a read gave, without what was read; says whether it was denied.
fn tell_read(
    path: &Asked,
    found: Result<bool, EngineError>,
    facts: &Facts,
    report: &mut Report,
) -> bool {
    let name = &path.name;
    let error = match found {
        Ok(true) => {
            report.green("read", format!("{name} is read"));
            return false;
        }
        Ok(false) if path.is_example => {
            report.green("read", format!("{name} may be read"));
            return false;
        }
        Ok(false) => {
            report.green("read", format!("{name} may be read; there is no such secret yet"));
            return false;
        }
        Err(error) => error,
    };
    match &error.failure {
        Cause::Deleted => {
            report.green("read", format!("{name} may be read; its newest version is deleted"));
            false
        }
        Cause::Denied => {
            report.red(
                "read",
                format!(
                    "{name} is refused: the binding does not stand or does not grant it, or the \
                     account was made anew since"
                ),
                facts.look(),
            );
            true
        }
        _ => {
            tell_trouble("read", name, &error, report);
            false
        }
    }
}

/// What is no answer about rights.
fn tell_trouble(check: &'static str, place: &str, error: &EngineError, report: &mut Report) {
    let request = error.request_id.as_ref().map(|id| format!(" (request {id})"));
    let text = format!("{place}: {}{}", error.failure, request.unwrap_or_default());
    let next = match &error.failure {
        Cause::Unreachable(_) | Cause::TimedOut(_) | Cause::UnknownOutcome(_) => {
            "look at the network between here and the engine, its address and its CA"
        }
        Cause::RateLimited(_) => "ask for a higher `limits.requestsPerSecond`, or read less often",
        Cause::Sealed => "the engine is sealed; its operators unseal it",
        _ => "ask the platform team what the engine's log says of this request",
    };
    report.red(check, text, next);
}

#[cfg(test)]
mod tests;
