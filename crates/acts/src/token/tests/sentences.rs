//! Every way a token can fail to be an act, with the sentence that whoever signed it reads.
//!
//! The other tests show that each rule holds; this one shows that each failure that a real provider
//! or a real thief brings has its sentence, and prints them.

use super::*;

/// A good token with something changed in its claims.
fn changed(change: impl Fn(&mut serde_json::Map<String, Value>)) -> Result<Accepted, Refusal> {
    let mut claims = claims();
    change(claims.as_object_mut().unwrap());
    judged(&claims)
}

/// A good token under other rules.
fn under<T>(change: impl Fn(&mut TokenRules) -> T) -> Result<Accepted, Refusal> {
    let mut rules = rules();
    let _ = change(&mut rules);
    judge(&mint(&claims()), &provider()[0].jwk, &rules, &vote())
}

/// A good token of another make.
fn made(algorithm: Algorithm, kid: Option<&str>) -> Result<Accepted, Refusal> {
    let token = mint_with(&provider()[0], algorithm, kid, &claims());
    judge(&token, &provider()[0].jwk, &rules(), &vote())
}

/// A good token as a vote that needs a sign-in after this freeze.
fn fresh(frozen_at: i64) -> Result<Accepted, Refusal> {
    let expected = Expectation { frozen_at: Some(frozen_at), fresh: true, ..vote() };
    judge(&mint(&claims()), &provider()[0].jwk, &rules(), &expected)
}

#[test]
fn every_token_that_is_no_act_is_told_why() {
    let elsewhere = json!({ "groups": "src1" });
    let no_groups = || Refusal::NoGroups("groups".into());
    let overage = changed(|claims| {
        claims.remove("groups");
        claims.insert("_claim_names".into(), elsewhere.clone());
    });
    let hybrid = changed(|claims| {
        claims.insert("c_hash".into(), json!("LDktKdoQak3Pk0cnXxCltA"));
        claims.insert("nonce".into(), json!("made-by-a-false-page"));
    });
    let kid = Some("key-1");
    let table = [
        ("groups missing", without("groups"), no_groups()),
        ("groups as one text", with("groups", "platform-sre"), no_groups()),
        ("overage: _claim_names instead of groups", overage, Refusal::GroupOverage),
        (
            "overage: _claim_names beside groups",
            with("_claim_names", elsewhere.clone()),
            Refusal::GroupOverage,
        ),
        ("overage: hasgroups", with("hasgroups", true), Refusal::GroupOverage),
        ("of the sign-in client", with("aud", "strongroom-cli"), Refusal::Audience),
        ("of the other act client", with("aud", "strongroom-ballot"), Refusal::Audience),
        ("of two clients", with("aud", json!([CLIENT, "strongroom-web"])), Refusal::Audience),
        ("another azp", with("azp", "strongroom-web"), Refusal::AuthorizedParty),
        ("of a hybrid flow that a false page began", hybrid, Refusal::Nonce),
        ("of another act", with("nonce", "srg1.another"), Refusal::Nonce),
        ("an ordinary sign-in's nonce", with("nonce", "n-0S6_WzA2Mj"), Refusal::Nonce),
        ("no nonce", without("nonce"), Refusal::Nonce),
        ("no auth_time", without("auth_time"), Refusal::NoAuthTime),
        ("auth_time as a text", with("auth_time", "now"), Refusal::NoAuthTime),
        ("an old session", with("auth_time", NOW - 306), Refusal::StaleSignIn),
        ("older than a vote may be", under(|rules| rules.vote_max_age = 9), Refusal::TooOld),
        ("from the future", with("iat", NOW + 61), Refusal::Future),
        ("signed in in the future", with("auth_time", NOW + 61), Refusal::Future),
        ("before the freeze", judged(&times(NOW - 1001, NOW - 1002)), Refusal::BeforeFreeze),
        ("a session from before the freeze", fresh(NOW - 9), Refusal::SignInBeforeFreeze),
        ("no end", without("exp"), Refusal::NoExpiry),
        ("another issuer", with("iss", "https://idp.example.com/v2"), Refusal::Issuer),
        ("nobody", without("sub"), Refusal::NoPerson("sub".into())),
        ("RS384", made(Algorithm::RS384, kid), Refusal::Algorithm),
        ("no kid", made(Algorithm::RS256, None), Refusal::NoKeyId),
        ("another key's kid", made(Algorithm::RS256, Some("key-2")), Refusal::Signature),
        (
            "a denied key",
            under(|rules| rules.denied_kids.insert("key-1".into())),
            Refusal::DeniedKey,
        ),
        (
            "a denied person",
            under(|rules| rules.denied_people.insert("subject-of-bob".into())),
            Refusal::DeniedPerson,
        ),
        (
            "before not_before",
            under(|rules| rules.not_before = Some(NOW)),
            Refusal::BeforeNotBefore,
        ),
        ("a password only", under(|r| r.acr.insert("phrh".into())), Refusal::Strength),
    ];
    let mut told = BTreeSet::new();
    for (what, result, wanted) in &table {
        let found = result.as_ref().expect_err(what);
        assert_eq!(found, wanted, "{what}");
        println!("  {what:<40}  {found}");
        told.insert(found.to_string());
    }
    println!("tokens: {} of {} refused, {} sentences", table.len(), table.len(), told.len());
}

#[test]
fn what_an_accepted_token_can_meet_later_is_the_floor_and_time() {
    let later = [
        under(|rules| rules.denied_kids.insert("key-1".into())),
        under(|rules| rules.denied_people.insert("subject-of-bob".into())),
        under(|rules| rules.not_before = Some(NOW)),
        under(|rules| rules.vote_max_age = 9),
        under(|rules| rules.sign_in_max_age = 4),
        under(|rules| rules.acr.insert("phrh".into())),
        under(|rules| rules.act_clients.remove(CLIENT)),
        under(|rules| rules.person_claim = "employee".into()),
        under(|rules| rules.groups_claim = "roles".into()),
    ];
    for refused in later {
        assert!(refused.as_ref().unwrap_err().comes_later(), "{refused:?}");
    }
    // What only a changed row, or a clock, makes of it.
    for refused in [with("nonce", "other"), with("iat", NOW + 61), with("iss", "https://evil")] {
        assert!(!refused.as_ref().unwrap_err().comes_later(), "{refused:?}");
    }
}
