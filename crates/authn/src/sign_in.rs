//! Judging the ID token of an ordinary sign-in. It opens a session and proves nothing more.
//!
//! The signature is checked by `acts`, which has the one list of algorithms. The claims are judged
//! here, because a sign-in is refused for other reasons than an act and with other sentences.

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use strongroom_acts::token::{Refusal, key_id, verify_signature};
use strongroom_domain::document::reader::is_unsafe_in_text;
use strongroom_domain::person::{PersonId, SignedPerson};

use crate::issuer::{Issuer, IssuerError};

/// How far the provider's clock may be from ours, seconds.
const LEEWAY: i64 = 60;

/// How old the sign-in at the provider may be, seconds: a single sign-on session may last a day.
const SIGN_IN_MAX_AGE: i64 = 86_400;

/// What a sign-in must be.
#[derive(Debug, Clone)]
pub struct SignInRules {
    /// The client that people sign in with.
    pub client: String,
    /// The claim that tells people apart.
    pub person_claim: String,
    /// The claim with the groups.
    pub groups_claim: String,
}

/// A sign-in that was taken.
#[derive(Debug, Clone, PartialEq)]
pub struct SignIn {
    /// Who it is, with groups.
    pub person: SignedPerson,
    /// The provider's subject, whatever claim tells people apart.
    pub subject: String,
    /// When the person signed in at the provider, Unix seconds.
    pub auth_time: i64,
    /// Everything that was signed.
    pub claims: Map<String, Value>,
}

/// The sign-in is not taken.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// The provider cannot be asked for its keys.
    #[error(transparent)]
    Issuer(#[from] IssuerError),
    /// The token is not good.
    #[error("the sign-in is refused: {0}")]
    Refused(SignInRefusal),
    /// The token ran out.
    #[error("the sign-in is refused: the token has run out; sign in again")]
    Expired,
}

/// Why a token is no sign-in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the sentence of each variant is its documentation")]
pub enum SignInRefusal {
    #[error("what came is not a signed token")]
    Malformed,
    #[error("the token is signed with an algorithm that is not taken (RS256, PS256, ES256, EdDSA)")]
    Algorithm,
    #[error("the token does not name the key it is signed with")]
    NoKeyId,
    #[error("the provider's signature on the token does not verify")]
    Signature,
    #[error("the token is from another issuer")]
    Issuer,
    #[error("the token was not made for the sign-in client, or not for it alone")]
    Audience,
    #[error("the token names another authorized party")]
    AuthorizedParty,
    #[error("the token does not belong to the sign-in that was begun")]
    Nonce,
    #[error("the token does not say when it was made")]
    NoIssueTime,
    #[error("the token claims to be made in the future")]
    Future,
    #[error("the token is not valid yet")]
    NotYet,
    #[error("the token has no end")]
    NoExpiry,
    #[error(
        "the token does not say when the person signed in; the client asks the provider for it"
    )]
    NoAuthTime,
    #[error("the person signed in at the provider more than a day ago; sign in there again")]
    StaleSignIn,
    #[error("the token names no subject")]
    NoSubject,
    #[error("the token does not carry the claim {0:?} that tells people apart")]
    NoPerson(String),
    #[error("the token carries no groups; the provider must put them into the claim {0:?}")]
    NoGroups(String),
    #[error(
        "the provider left the groups out because there are too many; ask for fewer groups in the \
         token"
    )]
    GroupOverage,
}

impl From<Refusal> for SignInError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(match refusal {
            Refusal::Algorithm => SignInRefusal::Algorithm,
            Refusal::NoKeyId => SignInRefusal::NoKeyId,
            Refusal::Signature => SignInRefusal::Signature,
            // Reading key id and signature can say nothing else.
            _ => SignInRefusal::Malformed,
        })
    }
}

impl From<SignInRefusal> for SignInError {
    fn from(refusal: SignInRefusal) -> Self {
        Self::Refused(refusal)
    }
}

/// Verifies a sign-in's token with the provider's key; `now` in Unix seconds.
pub async fn verify_sign_in(
    issuer: &Issuer,
    rules: &SignInRules,
    token: &str,
    nonce: &str,
    now: i64,
) -> Result<SignedPerson, SignInError> {
    let key = issuer.key(&key_id(token)?).await?;
    Ok(judge_sign_in(issuer.url(), rules, token, &key, nonce, now)?.person)
}

/// Judges a sign-in's token by all rules, with the key that its header names.
pub fn judge_sign_in(
    issuer: &str,
    rules: &SignInRules,
    token: &str,
    key: &Value,
    nonce: &str,
    now: i64,
) -> Result<SignIn, SignInError> {
    let Value::Object(claims) = verify_signature(token, key)? else {
        return Err(SignInRefusal::Malformed.into());
    };
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let seconds = |name: &str| claims.get(name).and_then(Value::as_i64);
    let need = |ok: bool, refusal: SignInRefusal| if ok { Ok(()) } else { Err(refusal) };

    need(text("iss") == Some(issuer), SignInRefusal::Issuer)?;
    let alone = match claims.get("aud") {
        Some(Value::String(one)) => *one == rules.client,
        Some(Value::Array(items)) => {
            matches!(&items[..], [Value::String(one)] if *one == rules.client)
        }
        _ => false,
    };
    need(alone, SignInRefusal::Audience)?;
    let party = claims.get("azp").is_none_or(|azp| azp.as_str() == Some(&rules.client));
    need(party, SignInRefusal::AuthorizedParty)?;
    need(!nonce.is_empty() && text("nonce") == Some(nonce), SignInRefusal::Nonce)?;

    let soon = now.saturating_add(LEEWAY);
    let issued_at = seconds("iat").ok_or(SignInRefusal::NoIssueTime)?;
    need(issued_at <= soon, SignInRefusal::Future)?;
    if let Some(not_before) = claims.get("nbf") {
        need(not_before.as_i64().is_some_and(|at| at <= soon), SignInRefusal::NotYet)?;
    }
    let expires_at = seconds("exp").ok_or(SignInRefusal::NoExpiry)?;
    if expires_at.saturating_add(LEEWAY) <= now {
        return Err(SignInError::Expired);
    }
    let auth_time = seconds("auth_time").ok_or(SignInRefusal::NoAuthTime)?;
    need(auth_time <= issued_at.saturating_add(LEEWAY), SignInRefusal::Future)?;
    let age = now.saturating_sub(auth_time);
    need(age <= SIGN_IN_MAX_AGE + LEEWAY, SignInRefusal::StaleSignIn)?;

    let subject = identity(&claims, "sub").ok_or(SignInRefusal::NoSubject)?;
    let person = person(issuer, rules, &claims)?;
    Ok(SignIn { person, subject, auth_time, claims })
}

/// A claim that names somebody.
fn identity(claims: &Map<String, Value>, name: &str) -> Option<String> {
    let text = claims.get(name)?.as_str()?;
    (!text.is_empty() && text.len() <= 256).then(|| text.to_owned())
}

fn person(
    issuer: &str,
    rules: &SignInRules,
    claims: &Map<String, Value>,
) -> Result<SignedPerson, SignInRefusal> {
    let person = identity(claims, &rules.person_claim)
        .ok_or_else(|| SignInRefusal::NoPerson(rules.person_claim.clone()))?;
    let elsewhere = claims.get("_claim_names").and_then(|names| names.get(&rules.groups_claim));
    if claims.contains_key("hasgroups") || elsewhere.is_some() {
        return Err(SignInRefusal::GroupOverage);
    }
    let no_groups = || SignInRefusal::NoGroups(rules.groups_claim.clone());
    let groups = claims.get(&rules.groups_claim).and_then(Value::as_array).ok_or_else(no_groups)?;
    let groups: Option<BTreeSet<String>> =
        groups.iter().map(|group| group.as_str().map(str::to_owned)).collect();
    let display = ["preferred_username", "email", "name"]
        .iter()
        .filter_map(|name| identity(claims, name))
        .map(|name| readable(&name))
        .find(|name| !name.is_empty());
    Ok(SignedPerson {
        display: display.unwrap_or_else(|| readable(&person)),
        id: PersonId { issuer: issuer.to_owned(), person },
        groups: groups.ok_or_else(no_groups)?,
    })
}

/// A name without what would make a page show something else than what is there.
fn readable(name: &str) -> String {
    name.chars().filter(|c| !is_unsafe_in_text(*c)).take(100).collect()
}

#[cfg(test)]
mod tests;
