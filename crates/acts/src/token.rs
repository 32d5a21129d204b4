//! Judging the ID token of an act.
//!
//! The rules of design 5.5, one refusal per rule, each with its sentence. Time and key come from
//! the caller. What is accepted here is only "this person signed this nonce in this sign-in";
//! whether it counts as a vote is decided with `domain::request::Tally`.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::Value;
use strongroom_domain::Digest;
use strongroom_domain::document::reader::is_unsafe_in_text;
use strongroom_domain::person::{PersonId, SignedPerson};

/// The algorithms an act may be signed with.
const ALGORITHMS: [Algorithm; 4] =
    [Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::EdDSA];

/// How far ahead of our clock a token may be made, seconds.
const LEEWAY: i64 = 60;

/// The most bytes a token may have.
const MAX_TOKEN: usize = 64 * 1024;

/// What the floor file demands of every act.
#[derive(Debug, Clone)]
pub struct TokenRules {
    /// The one issuer.
    pub issuer: String,
    /// Act clients; a token is for exactly one of them.
    pub act_clients: BTreeSet<String>,
    /// The claim that tells people apart.
    pub person_claim: String,
    /// The claim that holds the groups.
    pub groups_claim: String,
    /// The longest time from sign-in to token, seconds.
    pub sign_in_max_age: i64,
    /// How long a vote lives after its sign-in, seconds.
    pub vote_max_age: i64,
    /// Values of `acr` of which one is demanded; empty demands nothing.
    pub acr: BTreeSet<String>,
    /// Key ids that are not believed any more.
    pub denied_kids: BTreeSet<String>,
    /// People who may not act.
    pub denied_people: BTreeSet<String>,
    /// Acts signed in before this time do not count, Unix seconds.
    pub not_before: Option<i64>,
}

/// What this act must be.
#[derive(Debug, Clone)]
pub struct Expectation<'a> {
    /// The nonce, recomputed from the executor's own data for this audience.
    pub nonce: &'a str,
    /// The audience the statement names.
    pub audience: &'a str,
    /// For votes: when the plan was frozen, Unix seconds.
    pub frozen_at: Option<i64>,
    /// For votes on `high` and above: the sign-in itself must be after the freeze.
    pub fresh: bool,
    /// The time now by the executor's clock, Unix seconds: nothing may be from later.
    pub now: i64,
    /// The time now by whichever clock is ahead, the executor's or the database's, Unix seconds:
    /// ages are judged by it, so that a clock which was put back makes nothing last longer.
    pub latest: i64,
}

/// A token that passed every rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Accepted {
    /// SHA-256 of the token.
    pub token: Digest,
    /// Who signed in, with groups.
    pub person: SignedPerson,
    /// When, Unix seconds.
    pub auth_time: i64,
    /// When the token was made, Unix seconds.
    pub issued_at: i64,
    /// The client it was made for.
    pub audience: String,
    /// The key that verified it, as the provider published it.
    pub key: Value,
    /// Whether the token had run out when it was first seen.
    pub late: bool,
}

/// Why a token is no act.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the sentence of each variant is its documentation")]
pub enum Refusal {
    #[error("the proof is not a signed token")]
    Malformed,
    #[error("the token is signed with an algorithm that is not taken (RS256, PS256, ES256, EdDSA)")]
    Algorithm,
    #[error("the token does not name the key it is signed with")]
    NoKeyId,
    #[error("the key that signed the token is denied by the floor file")]
    DeniedKey,
    #[error("the provider's signature on the token does not verify")]
    Signature,
    #[error("the token is from another issuer")]
    Issuer,
    #[error("the token was made for another client: an ordinary sign-in is not an act")]
    Audience,
    #[error("the token names another authorized party")]
    AuthorizedParty,
    #[error("the signed nonce is not the hash of this act")]
    Nonce,
    #[error("the token claims to be made in the future")]
    Future,
    #[error("the token was made before the plan was frozen")]
    BeforeFreeze,
    #[error("the token does not say when the person signed in; acts ask the provider for it")]
    NoAuthTime,
    #[error("the person signed in too long before the act")]
    StaleSignIn,
    #[error("a vote on this risk needs a sign-in after the plan was frozen")]
    SignInBeforeFreeze,
    #[error("the sign-in is older than a vote may be")]
    TooOld,
    #[error("the sign-in is from before the floor file's `not_before`")]
    BeforeNotBefore,
    #[error("the sign-in was not of the strength that the floor file demands")]
    Strength,
    #[error("the token has no end")]
    NoExpiry,
    #[error("the token does not carry the claim {0:?} that tells people apart")]
    NoPerson(String),
    #[error("this person may not act (floor file)")]
    DeniedPerson,
    #[error("the token carries no groups; the provider must put them into the claim {0:?}")]
    NoGroups(String),
    #[error(
        "the provider left the groups out because there are too many; ask for fewer groups in the token"
    )]
    GroupOverage,
}

impl Refusal {
    /// Whether a token that was accepted once can meet this refusal later: the floor file has
    /// changed, or time has gone by. Any other refusal of an accepted token is a changed row.
    pub fn comes_later(&self) -> bool {
        matches!(
            self,
            Self::DeniedKey
                | Self::DeniedPerson
                | Self::BeforeNotBefore
                | Self::TooOld
                | Self::StaleSignIn
                | Self::Strength
                | Self::Audience
                | Self::NoPerson(_)
                | Self::NoGroups(_)
        )
    }
}

/// The `kid` of a token, read before its signature can be verified.
pub fn key_id(token: &str) -> Result<String, Refusal> {
    if token.len() > MAX_TOKEN {
        return Err(Refusal::Malformed);
    }
    let header = decode_header(token).map_err(|_| Refusal::Malformed)?;
    if !ALGORITHMS.contains(&header.alg) {
        return Err(Refusal::Algorithm);
    }
    header.kid.filter(|kid| !kid.is_empty() && kid.len() <= 256).ok_or(Refusal::NoKeyId)
}

/// Verifies the signature with the key and gives the claims. No claim is judged.
pub fn verify_signature(token: &str, key: &Value) -> Result<Value, Refusal> {
    let kid = key_id(token)?;
    let jwk: Jwk = serde_json::from_value(key.clone()).map_err(|_| Refusal::Signature)?;
    if jwk.common.key_id.as_deref() != Some(kid.as_str()) {
        return Err(Refusal::Signature);
    }
    let algorithm = decode_header(token).map_err(|_| Refusal::Malformed)?.alg;
    let decoding = DecodingKey::from_jwk(&jwk).map_err(|_| Refusal::Signature)?;
    let mut validation = Validation::new(algorithm);
    // Every claim is judged by `judge`, with its own sentence and the caller's time.
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    let data =
        decode::<Value>(token, &decoding, &validation).map_err(|error| match error.kind() {
            // The claims are read after the signature was found good.
            ErrorKind::Json(_) => Refusal::Malformed,
            _ => Refusal::Signature,
        })?;
    if data.claims.is_object() { Ok(data.claims) } else { Err(Refusal::Malformed) }
}

/// Judges one token by all rules.
pub fn judge(
    token: &str,
    key: &Value,
    rules: &TokenRules,
    expected: &Expectation<'_>,
) -> Result<Accepted, Refusal> {
    if rules.denied_kids.contains(&key_id(token)?) {
        return Err(Refusal::DeniedKey);
    }
    let claims = verify_signature(token, key)?;
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let seconds = |name: &str| claims.get(name).and_then(Value::as_i64);

    if text("iss") != Some(rules.issuer.as_str()) {
        return Err(Refusal::Issuer);
    }
    let audience = single_audience(&claims).ok_or(Refusal::Audience)?;
    if audience != expected.audience || !rules.act_clients.contains(audience) {
        return Err(Refusal::Audience);
    }
    if claims.get("azp").is_some_and(|azp| azp.as_str() != Some(audience)) {
        return Err(Refusal::AuthorizedParty);
    }
    // A token of a hybrid flow is refused by this rule alone. Its `c_hash` tells nothing: OpenBao
    // puts it into the tokens of code flows as well.
    if text("nonce") != Some(expected.nonce) {
        return Err(Refusal::Nonce);
    }

    let issued_at = seconds("iat").ok_or(Refusal::Malformed)?;
    if issued_at > expected.now + LEEWAY {
        return Err(Refusal::Future);
    }
    if expected.frozen_at.is_some_and(|frozen| issued_at < frozen) {
        return Err(Refusal::BeforeFreeze);
    }
    let auth_time = seconds("auth_time").ok_or(Refusal::NoAuthTime)?;
    if auth_time > issued_at + LEEWAY {
        return Err(Refusal::Future);
    }
    if issued_at.saturating_sub(auth_time) > rules.sign_in_max_age {
        return Err(Refusal::StaleSignIn);
    }
    if expected.fresh && expected.frozen_at.is_some_and(|frozen| auth_time < frozen) {
        return Err(Refusal::SignInBeforeFreeze);
    }
    if rules.not_before.is_some_and(|limit| auth_time < limit) {
        return Err(Refusal::BeforeNotBefore);
    }
    if expected.latest.saturating_sub(auth_time) > rules.vote_max_age {
        return Err(Refusal::TooOld);
    }
    let expires_at = seconds("exp").ok_or(Refusal::NoExpiry)?;
    if !rules.acr.is_empty() && !text("acr").is_some_and(|acr| rules.acr.contains(acr)) {
        return Err(Refusal::Strength);
    }

    let person = person(&claims, rules)?;
    Ok(Accepted {
        token: Digest::of(token.as_bytes()),
        person,
        auth_time,
        issued_at,
        audience: audience.to_owned(),
        key: key.clone(),
        // A token that ran out while the executor was down still counts within `vote_max_age`,
        // and says so.
        late: expires_at < expected.now,
    })
}

fn single_audience(claims: &Value) -> Option<&str> {
    match claims.get("aud")? {
        Value::String(one) => Some(one),
        Value::Array(items) => match items.as_slice() {
            [Value::String(one)] => Some(one),
            _ => None,
        },
        _ => None,
    }
}

fn person(claims: &Value, rules: &TokenRules) -> Result<SignedPerson, Refusal> {
    let claim = |name: &str| claims.get(name).and_then(Value::as_str).filter(|t| !t.is_empty());
    let who = claim(&rules.person_claim)
        .filter(|text| text.len() <= 256)
        .ok_or_else(|| Refusal::NoPerson(rules.person_claim.clone()))?;
    if rules.denied_people.contains(who) {
        return Err(Refusal::DeniedPerson);
    }
    let overage = claims.get("hasgroups").is_some()
        || claims.get("_claim_names").is_some_and(|names| names.get(&rules.groups_claim).is_some());
    if overage {
        return Err(Refusal::GroupOverage);
    }
    let no_groups = || Refusal::NoGroups(rules.groups_claim.clone());
    let groups = claims.get(&rules.groups_claim).and_then(Value::as_array).ok_or_else(no_groups)?;
    let groups: Option<BTreeSet<String>> =
        groups.iter().map(|group| group.as_str().map(str::to_owned)).collect();
    let display = ["preferred_username", "email", "name"]
        .iter()
        .filter_map(|name| claim(name))
        .map(readable)
        .find(|name| !name.is_empty());
    Ok(SignedPerson {
        id: PersonId { issuer: rules.issuer.clone(), person: who.to_owned() },
        display: display.unwrap_or_else(|| readable(who)),
        groups: groups.ok_or_else(no_groups)?,
    })
}

/// What a token says of itself. Nothing is verified, so nothing may be decided by it.
pub fn unverified_claims(token: &str) -> Option<Value> {
    let mut parts = token.split('.');
    let (_, payload, _, None) = (parts.next()?, parts.next()?, parts.next()?, parts.next()) else {
        return None;
    };
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
}

/// A name without what would make a page show something else than what is there.
fn readable(name: &str) -> String {
    name.chars().filter(|c| !is_unsafe_in_text(*c)).take(100).collect()
}

#[cfg(test)]
mod tests;
