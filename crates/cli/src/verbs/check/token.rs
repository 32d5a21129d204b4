//! The account's token: where it is read from, whose it says it is, and whether the engine can take
//! it. The signature is the engine's to check; nothing is believed here, only told before it is asked.

use std::io::Read as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use super::facts::Facts;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::render::text::time;
use crate::screen::Screen;
use crate::verbs::doctor::Report;

/// Where the kit's files put it in a pod.
const PROJECTED: &str = "/var/run/secrets/strongroom/token";

/// The most bytes of a token.
const LONGEST: u64 = 64 * 1024;

/// What a token says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claims {
    pub(super) namespace: String,
    pub(super) account: String,
    audiences: Vec<String>,
    ends_at: Option<Timestamp>,
}

/// Reads it from a file, from standard input, or where the kit's files put it.
pub(super) async fn read(screen: Screen, file: Option<&Path>) -> Result<SecretString, Failure> {
    let path = match file {
        Some(path) if path.as_os_str() == "-" => {
            return screen.secret("the account's token (not shown): ").await;
        }
        Some(path) => path,
        None if Path::new(PROJECTED).is_file() => Path::new(PROJECTED),
        None => {
            return Err(Failure::usage("find the account's token")
                .because(format!("there is no --token-file, and no {PROJECTED}"))
                .next(
                    "in a pod, project one (`strongroom kit TEAM/BINDING --format http` shows the \
                     volume); elsewhere, `kubectl create token ACCOUNT -n NAMESPACE --audience \
                     AUDIENCE | strongroom check TEAM/BINDING --token-file -`",
                ));
        }
    };
    let mut text = String::new();
    std::fs::File::open(path)
        .and_then(|opened| opened.take(LONGEST).read_to_string(&mut text))
        .map_err(|error| {
            Failure::new(Exit::Failed, format!("read {}", path.display())).caused_by(&error)
        })?;
    Ok(SecretString::from(text.trim()))
}

/// What the token says; nothing where it is no service account's.
pub(super) fn claims(token: &SecretString) -> Option<Claims> {
    let mut parts = token.expose_secret().split('.');
    let (Some(_), Some(payload), Some(_), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return None;
    };
    let value: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    let subject = value.get("sub")?.as_str()?.strip_prefix("system:serviceaccount:")?;
    let (namespace, account) = subject.split_once(':')?;
    let audiences = match value.get("aud") {
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Array(all)) => {
            all.iter().filter_map(Value::as_str).map(str::to_owned).collect()
        }
        _ => Vec::new(),
    };
    let ends_at = value.get("exp").and_then(Value::as_i64);
    Some(Claims {
        namespace: namespace.to_owned(),
        account: account.to_owned(),
        audiences,
        ends_at: ends_at.and_then(|at| Timestamp::from_second(at).ok()),
    })
}

/// Tells what is wrong with it before anybody is asked; says whether the engine can take it.
pub(super) fn judge(
    claims: Option<&Claims>,
    facts: &Facts,
    now: Timestamp,
    report: &mut Report,
) -> bool {
    let Some(claims) = claims else {
        report.red(
            "token",
            "it is not a service account's token",
            format!("make one: `kubectl create token ACCOUNT -n NAMESPACE{}`", facts.wanted()),
        );
        return false;
    };
    let is_alive = lifetime(claims, now, report);
    let is_ours = holder(claims, facts, report);
    let is_for_engine = audience(claims, facts, report);
    is_alive && is_ours && is_for_engine
}

fn lifetime(claims: &Claims, now: Timestamp, report: &mut Report) -> bool {
    match claims.ends_at {
        Some(at) if at <= now => {
            report.red(
                "token",
                format!("it ended at {}", time(at)),
                "take it anew from its file, which the kubelet renews, or make another with `kubectl \
                 create token`; if it should be good still, look at this machine's clock",
            );
            false
        }
        Some(at) => {
            let minutes = at.duration_since(now).as_mins();
            report.green("token", format!("until {} ({minutes} min more)", time(at)));
            true
        }
        None => {
            report.green("token", "it names no end");
            true
        }
    }
}

fn holder(claims: &Claims, facts: &Facts, report: &mut Report) -> bool {
    let own = format!("{}/{}", claims.namespace, claims.account);
    let namespace = facts.namespace.as_deref();
    let known = facts.accounts.is_empty() || facts.accounts.contains(&claims.account);
    if namespace.is_some_and(|namespace| namespace != claims.namespace) || !known {
        let wanted = match (namespace, facts.accounts.as_slice()) {
            (Some(namespace), []) => format!("the role is that of the namespace {namespace}"),
            (namespace, accounts) => format!(
                "the binding is for {} in the namespace {}",
                accounts.join(", "),
                namespace.unwrap_or(&claims.namespace)
            ),
        };
        report.red(
            "account",
            format!("the token is of {own}; {wanted}"),
            "look at the pod's `serviceAccountName` and namespace, or at the binding's accounts",
        );
        return false;
    }
    report.green("account", own);
    true
}

fn audience(claims: &Claims, facts: &Facts, report: &mut Report) -> bool {
    let own = match claims.audiences.as_slice() {
        [] => "nobody in particular".to_owned(),
        some => some.join(", "),
    };
    match &facts.audience {
        None => {
            report.unknown("audience", format!("the token is for {own}; --audience compares it"));
            true
        }
        Some(wanted) if claims.audiences.contains(wanted) => {
            report.green("audience", own);
            true
        }
        Some(wanted) => {
            report.red(
                "audience",
                format!("the token is for {own}; the engine takes those for {wanted}"),
                format!(
                    "a pod's ordinary token is for the API server: project another one, as `strongroom \
                     kit {} --format http` shows",
                    facts.binding
                ),
            );
            false
        }
    }
}

#[cfg(test)]
mod tests;
