//! A provider made of test keys, and one refusal per rule.
//!
//! Every test starts from a token that is taken and spoils exactly one thing, so that a refusal can
//! come from no other rule.

use std::sync::OnceLock;

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::json;

use super::*;

const NOW: i64 = 1_795_000_000;
const ISSUER: &str = "https://idp.example.com/v1";
const CLIENT: &str = "strongroom-cli";
const NONCE: &str = "the-nonce-of-this-sign-in";

struct Key {
    private: EncodingKey,
    public: Value,
}

fn part(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn p256(kid: &str) -> Key {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let point = pair.public_key().as_ref();
    let public = json!({
        "kty": "EC", "crv": "P-256", "kid": kid, "x": part(&point[1..33]), "y": part(&point[33..]),
    });
    Key { private: EncodingKey::from_ec_der(pair.to_pkcs8v1().unwrap().as_ref()), public }
}

fn ed25519(kid: &str) -> Key {
    let pair = Ed25519KeyPair::generate().unwrap();
    let public = json!({
        "kty": "OKP", "crv": "Ed25519", "kid": kid, "x": part(pair.public_key().as_ref()),
    });
    Key { private: EncodingKey::from_ed_der(pair.to_pkcs8v1().unwrap().as_ref()), public }
}

/// RSA keys take long to make: the one that all tests share.
fn rsa() -> &'static Key {
    static KEY: OnceLock<Key> = OnceLock::new();
    KEY.get_or_init(|| {
        let pair = aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap();
        let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        let modulus = pair.public_key().modulus().big_endian_without_leading_zero();
        let exponent = pair.public_key().exponent().big_endian_without_leading_zero();
        let public = json!({
            "kty": "RSA", "kid": "key-rsa", "n": part(modulus), "e": part(exponent),
        });
        // The signer takes PKCS#1; for 2048 bits it begins behind 26 bytes of PKCS#8.
        Key { private: EncodingKey::from_rsa_der(&der.as_ref()[26..]), public }
    })
}

fn key() -> &'static Key {
    static KEY: OnceLock<Key> = OnceLock::new();
    KEY.get_or_init(|| p256("key-1"))
}

fn mint(key: &Key, algorithm: Algorithm, claims: &Value) -> String {
    let mut header = Header::new(algorithm);
    header.kid = key.public["kid"].as_str().map(str::to_owned);
    encode(&header, claims, &key.private).unwrap()
}

/// A sign-in of alice, a moment ago.
fn claims() -> Value {
    json!({
        "iss": ISSUER, "aud": CLIENT, "sub": "subject-of-alice", "nonce": NONCE,
        "iat": NOW - 5, "exp": NOW + 600, "auth_time": NOW - 10,
        "groups": ["payments-dev"], "preferred_username": "alice", "email": "alice@example.com",
    })
}

fn rules() -> SignInRules {
    SignInRules { client: CLIENT.into(), person_claim: "sub".into(), groups_claim: "groups".into() }
}

fn judged_by(rules: &SignInRules, claims: &Value) -> Result<SignIn, String> {
    let token = mint(key(), Algorithm::ES256, claims);
    judge_sign_in(ISSUER, rules, &token, &key().public, NONCE, NOW).map_err(|e| e.to_string())
}

fn with(claim: &str, value: impl Into<Value>) -> Result<SignIn, String> {
    let mut claims = claims();
    claims[claim] = value.into();
    judged_by(&rules(), &claims)
}

fn without(claim: &str) -> Result<SignIn, String> {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(claim);
    judged_by(&rules(), &claims)
}

#[track_caller]
fn refused(outcome: Result<SignIn, String>, part: &str) {
    let sentence = outcome.expect_err("it was taken");
    assert!(sentence.starts_with("the sign-in is refused: "), "{sentence}");
    assert!(sentence.contains(part), "{sentence}");
}

#[test]
fn a_good_sign_in_says_who_it_is() {
    let signed = judged_by(&rules(), &claims()).unwrap();
    assert_eq!(
        signed.person.id,
        PersonId { issuer: ISSUER.into(), person: "subject-of-alice".into() }
    );
    assert_eq!(signed.person.display, "alice");
    assert_eq!(signed.person.groups, BTreeSet::from(["payments-dev".to_owned()]));
    assert_eq!((signed.subject.as_str(), signed.auth_time), ("subject-of-alice", NOW - 10));
    assert_eq!(Value::Object(signed.claims), claims());
    assert!(with("aud", json!([CLIENT])).is_ok());
    assert!(with("azp", CLIENT).is_ok());
    assert!(with("nbf", NOW).is_ok());
    assert!(with("groups", json!([])).unwrap().person.groups.is_empty(), "no group is an answer");
}

#[test]
fn each_listed_algorithm_is_taken() {
    let edwards = ed25519("key-ed");
    for (key, algorithm) in [
        (rsa(), Algorithm::RS256),
        (rsa(), Algorithm::PS256),
        (key(), Algorithm::ES256),
        (&edwards, Algorithm::EdDSA),
    ] {
        let token = mint(key, algorithm, &claims());
        let signed = judge_sign_in(ISSUER, &rules(), &token, &key.public, NONCE, NOW);
        assert!(signed.is_ok(), "{algorithm:?}: {signed:?}");
    }
}

#[test]
fn other_algorithms_and_no_signature_are_refused() {
    let judge = |token: &str| {
        judge_sign_in(ISSUER, &rules(), token, &rsa().public, NONCE, NOW).map_err(|e| e.to_string())
    };
    refused(judge(&mint(rsa(), Algorithm::RS512, &claims())), "algorithm that is not taken");
    // The public key as a shared secret: the oldest trick with tokens.
    let mut header = Header::new(Algorithm::HS256);
    header.kid = Some("key-rsa".into());
    let secret = EncodingKey::from_secret(rsa().public["n"].as_str().unwrap().as_bytes());
    let forged = encode(&header, &claims(), &secret).unwrap();
    refused(judge(&forged), "algorithm that is not taken");
    let none = format!(
        "{}.{}.",
        part(br#"{"alg":"none","kid":"key-rsa"}"#),
        part(claims().to_string().as_bytes())
    );
    refused(judge(&none), "not a signed token");
    for text in ["", "x", "a.b.c", &"x".repeat(70_000)] {
        refused(judge(text), "not a signed token");
    }
}

#[test]
fn another_key_a_changed_token_and_a_token_without_key_id_are_refused() {
    let token = mint(key(), Algorithm::ES256, &claims());
    let judge = |token: &str, key: &Value| {
        judge_sign_in(ISSUER, &rules(), token, key, NONCE, NOW).map_err(|e| e.to_string())
    };
    let other = p256("key-1");
    refused(judge(&token, &other.public), "signature on the token does not verify");
    refused(judge(&token, &p256("key-2").public), "signature on the token does not verify");
    let pieces: Vec<&str> = token.split('.').collect();
    let mut richer = claims();
    richer["groups"] = json!(["platform-sre"]);
    let changed = [pieces[0], &part(richer.to_string().as_bytes()), pieces[2]].join(".");
    refused(judge(&changed, &key().public), "signature on the token does not verify");
    let nameless = encode(&Header::new(Algorithm::ES256), &claims(), &key().private).unwrap();
    refused(judge(&nameless, &key().public), "does not name the key");
}

#[test]
fn issuer_audience_party_and_nonce_are_exact() {
    for other in
        ["https://idp.example.com/v1/", "https://idp.example.com", "HTTPS://idp.example.com/v1"]
    {
        refused(with("iss", other), "another issuer");
    }
    refused(without("iss"), "another issuer");
    let audience = "not made for the sign-in client, or not for it alone";
    refused(with("aud", "strongroom-cli-act"), audience);
    refused(with("aud", json!([CLIENT, "other"])), audience);
    refused(with("aud", json!([])), audience);
    refused(without("aud"), audience);
    refused(with("azp", "other"), "another authorized party");
    refused(with("azp", Value::Null), "another authorized party");
    refused(with("nonce", "another"), "does not belong to the sign-in that was begun");
    refused(without("nonce"), "does not belong to the sign-in that was begun");
    let mut empty = claims();
    empty["nonce"] = "".into();
    let token = mint(key(), Algorithm::ES256, &empty);
    let unasked = judge_sign_in(ISSUER, &rules(), &token, &key().public, "", NOW);
    refused(unasked.map_err(|e| e.to_string()), "does not belong");
}

#[test]
fn times_have_a_minute_of_leeway_and_no_more() {
    assert!(with("iat", NOW + 60).is_ok());
    refused(with("iat", NOW + 61), "made in the future");
    refused(without("iat"), "does not say when it was made");
    refused(with("iat", "soon"), "does not say when it was made");
    assert!(with("nbf", NOW + 60).is_ok());
    refused(with("nbf", NOW + 61), "not valid yet");
    refused(with("nbf", "soon"), "not valid yet");
    assert!(with("exp", NOW - 59).is_ok());
    refused(with("exp", NOW - 60), "has run out; sign in again");
    refused(with("exp", i64::MIN), "has run out");
    refused(without("exp"), "has no end");
    refused(without("auth_time"), "does not say when the person signed in");
    refused(with("auth_time", NOW + 56), "made in the future");
    assert!(with("auth_time", NOW - 86_460).is_ok());
    refused(with("auth_time", NOW - 86_461), "more than a day ago");
    refused(with("auth_time", i64::MIN), "more than a day ago");
}

#[test]
fn groups_must_be_in_the_token() {
    refused(
        without("groups"),
        "carries no groups; the provider must put them into the claim \"groups\"",
    );
    refused(with("groups", "payments-dev"), "carries no groups");
    refused(with("groups", json!(["payments-dev", 7])), "carries no groups");
    refused(with("hasgroups", true), "too many");
    refused(with("_claim_names", json!({ "groups": "src1" })), "too many");
    assert!(with("_claim_names", json!({ "photo": "src1" })).is_ok());
    let rules = SignInRules { groups_claim: "roles".into(), ..rules() };
    let mut other = claims();
    other["roles"] = json!(["payments-leads"]);
    let signed = judged_by(&rules, &other).unwrap();
    assert_eq!(signed.person.groups, BTreeSet::from(["payments-leads".to_owned()]));
    refused(judged_by(&rules, &claims()), "\"roles\"");
}

#[test]
fn the_person_is_the_claim_that_was_configured() {
    let rules = SignInRules { person_claim: "email".into(), ..rules() };
    let signed = judged_by(&rules, &claims()).unwrap();
    assert_eq!(signed.person.id.person, "alice@example.com");
    assert_eq!(signed.subject, "subject-of-alice");
    let mut other = claims();
    for bad in [json!(""), json!(7), json!("x".repeat(257)), Value::Null] {
        other["email"] = bad;
        refused(judged_by(&rules, &other), "does not carry the claim \"email\"");
    }
    refused(without("sub"), "names no subject");
}

#[test]
fn a_display_name_shows_nothing_that_is_not_there() {
    let name = with("preferred_username", "ali\u{202e}ce\n").unwrap().person.display;
    assert_eq!(name, "alice");
    let long = with("preferred_username", "x".repeat(200)).unwrap().person.display;
    assert_eq!(long.len(), 100);
    let next = with("preferred_username", "\u{200b}").unwrap().person.display;
    assert_eq!(next, "alice@example.com");
}
