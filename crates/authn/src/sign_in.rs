//! Judging the ID token of an ordinary sign-in. It opens a session and proves nothing more.

use std::collections::BTreeSet;

use strongroom_acts::token::{Expectation, Refusal, TokenRules, judge, key_id};
use strongroom_domain::person::SignedPerson;

use crate::issuer::{Issuer, IssuerError};

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

/// The sign-in is not taken.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// The provider cannot be asked for its keys.
    #[error(transparent)]
    Issuer(#[from] IssuerError),
    /// The token is not good.
    #[error("the sign-in is refused: {0}")]
    Refused(#[from] Refusal),
    /// The token ran out.
    #[error("the sign-in is refused: the token has run out; sign in again")]
    Expired,
}

/// Verifies a sign-in's token: the same rules as for acts, for the sign-in client.
pub async fn verify_sign_in(
    issuer: &Issuer,
    rules: &SignInRules,
    token: &str,
    nonce: &str,
    now: i64,
) -> Result<SignedPerson, SignInError> {
    let key = issuer.key(&key_id(token)?).await?;
    let token_rules = TokenRules {
        issuer: issuer.url().to_owned(),
        act_clients: BTreeSet::from([rules.client.clone()]),
        person_claim: rules.person_claim.clone(),
        groups_claim: rules.groups_claim.clone(),
        // A single sign-on session may be a day old.
        sign_in_max_age: 86_400,
        vote_max_age: 86_400,
        acr: BTreeSet::new(),
        denied_kids: BTreeSet::new(),
        denied_people: BTreeSet::new(),
        not_before: None,
    };
    let expected =
        Expectation { nonce, audience: &rules.client, frozen_at: None, fresh: false, now };
    let accepted = judge(token, &key, &token_rules, &expected)?;
    if accepted.late {
        return Err(SignInError::Expired);
    }
    Ok(accepted.person)
}
