//! Signing an act: the statement, its nonce, the sign-in that signs it, and the executor's answer.
//!
//! Nonce and hash are computed here, from what was shown, never taken from the API.

use std::time::Duration;

use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use strongroom_acts::receipt::Answer as Signed;
use strongroom_acts::token::unverified_claims;
use strongroom_acts::{comment_digest, new_salt, nonce};
use strongroom_domain::Digest;
use strongroom_domain::act::{ActItem, ActKind, Statement};
use strongroom_domain::clock::Clock as _;
use strongroom_domain::id::RequestId;

use crate::api::types::{ActItemView, PersonView};
use crate::client::Client;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::machine::must_be_a_person;
use crate::render::text::clean;
use crate::signin::{self, SignIn};
use crate::verify;

/// The longest a sign-in may be ago, seconds.
const MAX_AGE: u32 = 300;

/// A signed act as the API takes it. The token goes into one body and nowhere else.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SignedAct<'a> {
    /// What was signed.
    pub statement: Statement,
    /// The provider's token over its nonce.
    #[serde(serialize_with = "expose")]
    pub id_token: SecretString,
    /// The comment whose hash the statement holds.
    pub comment: &'a str,
}

fn expose<S: serde::Serializer>(token: &SecretString, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(token.expose_secret())
}

impl SignedAct<'_> {
    /// SHA-256 of the token, by which a receipt names it.
    pub fn token_digest(&self) -> Digest {
        Digest::of(self.id_token.expose_secret().as_bytes())
    }
}

/// What is to be signed.
#[derive(Debug)]
pub struct Act<'a> {
    /// What is done.
    pub kind: ActKind,
    /// To what.
    pub item: ActItem,
    /// A word to the others.
    pub comment: &'a str,
    /// Set where the sign-in itself has to be later than this.
    pub after: Option<Timestamp>,
}

/// Has the person sign in for exactly this act.
pub async fn sign<'a>(client: &Client, act: Act<'a>) -> Result<SignedAct<'a>, Failure> {
    let what = format!("sign the act ({})", act.kind.as_str());
    must_be_a_person(client, &what)?;
    let failed = |error: &dyn std::error::Error| Failure::new(Exit::Failed, &what).caused_by(error);
    let trust = client.pinned(&what)?;
    let statement = Statement {
        deployment: trust.deployment,
        issuer: trust.view.issuer.clone(),
        audience: trust.act_client().to_owned(),
        act: act.kind,
        items: vec![act.item],
        comment: comment_digest(act.comment),
        salt: new_salt().map_err(|error| failed(&error))?,
    };
    let nonce = nonce(&statement).map_err(|error| failed(&error))?;
    let me = client.api.session().await?.person;
    let max_age = match act.after {
        Some(after) => {
            wait_past(client, after).await;
            fresh_max_age(after, client.clock.now())
        }
        None => MAX_AGE,
    };
    let id_token = signin::id_token(
        client.screen,
        &SignIn {
            issuer: &statement.issuer,
            client_id: &statement.audience,
            scopes: &["openid", "groups"],
            nonce: &nonce,
            max_age: Some(max_age),
            login_again: act.after.is_some(),
            purpose: &what,
        },
    )
    .await?;
    is_the_same(&me, &id_token, &what)?;
    Ok(SignedAct { statement, id_token, comment: act.comment })
}

/// Who signed in the browser is who this session belongs to: otherwise the request would be one
/// person's by the session and another's by the signature. Only a slip is caught here; what counts
/// is verified by the executor.
fn is_the_same(me: &PersonView, id_token: &SecretString, what: &str) -> Result<(), Failure> {
    let Some(claims) = unverified_claims(id_token.expose_secret()) else { return Ok(()) };
    let mut texts = claims.as_object().into_iter().flatten().filter_map(|(_, each)| each.as_str());
    let names = ["preferred_username", "email", "name"];
    let other = names.iter().find_map(|name| claims.get(name)?.as_str());
    // Without a name on both sides only ids are left, and a provider may give each client its own.
    let (Some(other), true) = (other, me.display != me.person) else { return Ok(()) };
    if texts.any(|text| text == me.person || text == me.display) {
        return Ok(());
    }
    let (me, other) = (clean(&me.display), clean(other));
    Err(Failure::new(Exit::Denied, what.to_owned())
        .because(format!("you are logged in here as {me}, and the browser signed in as {other}"))
        .next(format!(
            "nothing was sent; sign out at the provider and sign in there as {me}, or run \
             `strongroom login` as {other}"
        )))
}

/// Waits until a sign-in is later than this. `auth_time` has whole seconds: within the second of the freeze it could not be told apart.
pub async fn wait_past(client: &Client, after: Timestamp) {
    while client.clock.now().as_second() <= after.as_second() {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The provider must have the person sign in again if that was before the freeze.
fn fresh_max_age(after: Timestamp, now: Timestamp) -> u32 {
    let since = now.as_second() - after.as_second();
    u32::try_from(since.max(1)).unwrap_or(MAX_AGE).min(MAX_AGE)
}

/// What the executor says about an act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It counts, and the receipt is signed.
    Counted,
    /// It does not.
    Refused(String),
    /// Nothing yet.
    None,
}

/// Polls for the receipt of an act that was just sent, and verifies it.
pub async fn answer(
    client: &Client,
    request: RequestId,
    act: &SignedAct<'_>,
    act_id: Option<&str>,
) -> Result<Answer, Failure> {
    client.screen.progress("waiting for the executor's receipt …");
    let deadline = tokio::time::Instant::now() + client.patience;
    loop {
        let acts = client.api.acts(request).await?;
        for each in &acts {
            let ours =
                act_id.map_or(each.kind == act.statement.act.as_str(), |id| each.act_id == id);
            if ours && let Some(answer) = judge(client, each, act)? {
                return Ok(answer);
            }
        }
        if tokio::time::Instant::now() >= deadline {
            return Ok(Answer::None);
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

/// What one stored act's receipt says, verified; nothing while there is none.
pub fn judge(
    client: &Client,
    found: &ActItemView,
    act: &SignedAct<'_>,
) -> Result<Option<Answer>, Failure> {
    let Some(view) = &found.receipt else {
        return Ok(None);
    };
    let signed = verify::receipt(view, &client.pinned("read the executor's receipt")?.keys);
    let statement = &act.statement;
    let forged = || {
        Failure::new(Exit::Conflict, "read the executor's receipt")
            .because("it does not carry the signature of a pinned key for exactly this act")
            .next("tell the platform team; do not rely on this act until it is cleared up")
    };
    match (view.verdict.as_str(), signed) {
        ("counted", Some(Ok(Signed::Counted(receipt)))) => {
            let token = act.token_digest();
            if verify::receipt_is_for(&receipt, statement.act, &statement.items, &token) {
                // Who signed is who signed in in the browser, whoever this context belongs to.
                client.screen.say(&format!("signed as {}", clean(&receipt.display)));
                Ok(Some(Answer::Counted))
            } else {
                Err(forged())
            }
        }
        (_, Some(Ok(Signed::Refused(refused)))) if view.verdict == "refused" => {
            if refused.token == act.token_digest() {
                Ok(Some(Answer::Refused(refused.refused)))
            } else {
                Err(forged())
            }
        }
        (_, Some(_)) | ("counted", None) => Err(forged()),
        // An unsigned refusal is believed: whoever could forge it could as well have withheld the act.
        _ => {
            let reason = view.reason.clone().filter(|reason| !reason.is_empty());
            Ok(Some(Answer::Refused(reason.unwrap_or_else(|| "no reason given".to_owned()))))
        }
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    #[test]
    fn another_person_in_the_browser_is_told_before_anything_is_sent() {
        let me: PersonView = serde_json::from_value(serde_json::json!({
            "issuer": "i", "person": "e-1", "display": "bob",
        }))
        .unwrap();
        let signed = |claims: serde_json::Value| {
            let payload = URL_SAFE_NO_PAD.encode(claims.to_string());
            let token = SecretString::from(format!("h.{payload}.s"));
            is_the_same(&me, &token, "sign the act (submit)")
        };
        signed(serde_json::json!({ "sub": "e-1", "name": "Robert" })).unwrap();
        signed(serde_json::json!({ "sub": "pairwise-7", "email": "bob" })).unwrap();
        signed(serde_json::json!({ "sub": "pairwise-7" })).unwrap();
        let told = signed(serde_json::json!({ "sub": "e-2", "preferred_username": "alice" }));
        let told = told.unwrap_err().render();
        assert!(told.contains("logged in here as bob") && told.contains("as alice"), "{told}");
    }

    #[test]
    fn a_fresh_sign_in_is_asked_for_as_narrowly_as_the_provider_allows() {
        let at = |second| Timestamp::from_second(second).unwrap();
        assert_eq!(fresh_max_age(at(100), at(101)), 1);
        assert_eq!(fresh_max_age(at(100), at(100)), 1);
        assert_eq!(fresh_max_age(at(100), at(90)), 1);
        assert_eq!(fresh_max_age(at(100), at(140)), 40);
        assert_eq!(fresh_max_age(at(100), at(4000)), 300);
    }
}
