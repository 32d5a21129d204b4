//! A provider made of three keys, and one refusal per rule of design 5.5.
//!
//! Every test starts from a token that is accepted and spoils exactly one thing, so that a refusal
//! can come from no other rule. Nothing here installs a crypto provider: the library must work as
//! its users use it.

use std::sync::OnceLock;

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::pkcs8::EncodePrivateKey as _;
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::json;

use super::*;

mod sentences;

const NOW: i64 = 1_795_000_000;
const ISSUER: &str = "https://idp.example.com/v1";
const CLIENT: &str = "strongroom-cli-act";
const NONCE: &str = "srg1.the-hash-of-the-act";

/// A key of the provider and the JWK it publishes for it.
struct ProviderKey {
    algorithm: Algorithm,
    private: EncodingKey,
    jwk: Value,
}

fn rsa(kid: &str) -> ProviderKey {
    let pair = aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap();
    let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
    // The signer takes PKCS#1; for 2048 bits it begins behind 26 bytes of PKCS#8.
    let private = EncodingKey::from_rsa_der(&der.as_ref()[26..]);
    let public = pair.public_key();
    let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let jwk = json!({
        "kty": "RSA", "use": "sig", "kid": kid,
        "n": part(public.modulus().big_endian_without_leading_zero()),
        "e": part(public.exponent().big_endian_without_leading_zero()),
    });
    ProviderKey { algorithm: Algorithm::RS256, private, jwk }
}

fn p256(kid: &str) -> ProviderKey {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let private = EncodingKey::from_ec_der(pair.to_pkcs8v1().unwrap().as_ref());
    let point = pair.public_key().as_ref();
    let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let jwk = json!({
        "kty": "EC", "crv": "P-256", "kid": kid, "x": part(&point[1..33]), "y": part(&point[33..]),
    });
    ProviderKey { algorithm: Algorithm::ES256, private, jwk }
}

fn ed25519(kid: &str) -> ProviderKey {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).unwrap();
    let key = ed25519_dalek::SigningKey::from_bytes(&seed);
    let private = EncodingKey::from_ed_der(key.to_pkcs8_der().unwrap().as_bytes());
    let jwk = json!({
        "kty": "OKP", "crv": "Ed25519", "kid": kid,
        "x": URL_SAFE_NO_PAD.encode(key.verifying_key().as_bytes()),
    });
    ProviderKey { algorithm: Algorithm::EdDSA, private, jwk }
}

/// RSA keys take long to make: the two that all tests share.
fn provider() -> &'static [ProviderKey; 2] {
    static KEYS: OnceLock<[ProviderKey; 2]> = OnceLock::new();
    KEYS.get_or_init(|| [rsa("key-1"), rsa("key-2")])
}

fn mint_with(key: &ProviderKey, algorithm: Algorithm, kid: Option<&str>, claims: &Value) -> String {
    let mut header = Header::new(algorithm);
    header.kid = kid.map(str::to_owned);
    encode(&header, claims, &key.private).unwrap()
}

fn mint(claims: &Value) -> String {
    mint_with(&provider()[0], Algorithm::RS256, Some("key-1"), claims)
}

/// A token of bob, fresh from his sign-in.
fn claims() -> Value {
    json!({
        "iss": ISSUER, "aud": CLIENT, "sub": "subject-of-bob", "nonce": NONCE,
        "iat": NOW - 5, "exp": NOW + 600, "auth_time": NOW - 10,
        "groups": ["payments-leads"], "preferred_username": "bob", "acr": "phr",
    })
}

fn rules() -> TokenRules {
    TokenRules {
        issuer: ISSUER.into(),
        act_clients: [CLIENT.to_owned(), "strongroom-ballot".to_owned()].into(),
        person_claim: "sub".into(),
        groups_claim: "groups".into(),
        sign_in_max_age: 300,
        vote_max_age: 72 * 3600,
        acr: BTreeSet::new(),
        denied_kids: BTreeSet::new(),
        denied_people: BTreeSet::new(),
        not_before: None,
    }
}

fn vote() -> Expectation<'static> {
    Expectation {
        nonce: NONCE,
        audience: CLIENT,
        frozen_at: Some(NOW - 1000),
        fresh: false,
        now: NOW,
        latest: NOW,
    }
}

fn judged(claims: &Value) -> Result<Accepted, Refusal> {
    judge(&mint(claims), &provider()[0].jwk, &rules(), &vote())
}

/// What the rules say about the good token with one claim set to something else.
fn with(claim: &str, value: impl Into<Value>) -> Result<Accepted, Refusal> {
    let mut claims = claims();
    claims[claim] = value.into();
    judged(&claims)
}

fn without(claim: &str) -> Result<Accepted, Refusal> {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(claim);
    judged(&claims)
}

fn refusal(result: Result<Accepted, Refusal>) -> Refusal {
    result.expect_err("the token was accepted")
}

#[test]
fn a_good_token_tells_who_signed_in_when_and_by_which_key() {
    let token = mint(&claims());
    let accepted = judge(&token, &provider()[0].jwk, &rules(), &vote()).unwrap();
    assert_eq!(accepted.token, Digest::of(token.as_bytes()));
    assert_eq!(accepted.person.id.issuer, ISSUER);
    assert_eq!(accepted.person.id.person, "subject-of-bob");
    assert_eq!(accepted.person.display, "bob");
    assert_eq!(accepted.person.groups, ["payments-leads".to_owned()].into());
    assert_eq!((accepted.auth_time, accepted.issued_at), (NOW - 10, NOW - 5));
    assert_eq!(accepted.audience, CLIENT);
    assert_eq!(accepted.key, provider()[0].jwk);
    assert!(!accepted.late);
}

#[test]
fn each_of_the_four_algorithms_is_taken_with_its_key() {
    let rsa = &provider()[0];
    for algorithm in [Algorithm::RS256, Algorithm::PS256] {
        let token = mint_with(rsa, algorithm, Some("key-1"), &claims());
        judge(&token, &rsa.jwk, &rules(), &vote()).unwrap();
    }
    for key in [p256("ec"), ed25519("ed")] {
        let kid = key.jwk["kid"].as_str();
        let token = mint_with(&key, key.algorithm, kid, &claims());
        judge(&token, &key.jwk, &rules(), &vote()).unwrap();
        let mut parts: Vec<&str> = token.split('.').collect();
        let spoiled = mint_with(&key, key.algorithm, kid, &json!({ "iss": ISSUER }));
        parts[1] = spoiled.split('.').nth(1).unwrap();
        let result = judge(&parts.join("."), &key.jwk, &rules(), &vote());
        assert_eq!(refusal(result), Refusal::Signature);
    }
}

fn raw(header: &Value, claims: &Value, signature: &[u8]) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{}", part(header), part(claims), URL_SAFE_NO_PAD.encode(signature))
}

#[test]
fn what_is_no_signed_token_is_refused() {
    let good = mint(&claims());
    let whole = |token: &str| refusal(judge(token, &provider()[0].jwk, &rules(), &vote()));
    for token in ["", ".", "..", "a.b.c", "srs_session", &good[..40], &format!("{good}.x")] {
        assert_eq!(whole(token), Refusal::Malformed, "{token:?}");
    }
    assert_eq!(whole(&"a".repeat(MAX_TOKEN + 1)), Refusal::Malformed);
    // A signed text that is no map of claims.
    assert_eq!(refusal(judged(&json!(["iss", ISSUER]))), Refusal::Malformed);
    assert_eq!(refusal(without("iat")), Refusal::Malformed);
    assert_eq!(refusal(with("iat", "soon")), Refusal::Malformed);
}

#[test]
fn alg_none_is_no_signature() {
    for alg in ["none", "None", "NONE", ""] {
        for signature in [&b""[..], &[0; 256]] {
            let token = raw(&json!({ "alg": alg, "kid": "key-1" }), &claims(), signature);
            let result = judge(&token, &provider()[0].jwk, &rules(), &vote());
            assert_eq!(refusal(result), Refusal::Malformed, "{alg}");
        }
    }
}

#[test]
fn a_public_key_is_never_a_shared_secret() {
    let key = &provider()[0];
    let modulus = URL_SAFE_NO_PAD.decode(key.jwk["n"].as_str().unwrap()).unwrap();
    let spelled = key.jwk.to_string();
    for secret in [modulus.as_slice(), spelled.as_bytes()] {
        let forged = ProviderKey {
            algorithm: Algorithm::HS256,
            private: EncodingKey::from_secret(secret),
            jwk: Value::Null,
        };
        let token = mint_with(&forged, Algorithm::HS256, Some("key-1"), &claims());
        let result = judge(&token, &key.jwk, &rules(), &vote());
        assert_eq!(refusal(result), Refusal::Algorithm);
        // Even a provider that publishes a shared secret does not make it a signing key.
        let oct = json!({ "kty": "oct", "kid": "key-1", "k": URL_SAFE_NO_PAD.encode(secret) });
        assert_eq!(refusal(judge(&token, &oct, &rules(), &vote())), Refusal::Algorithm);
        let token = mint(&claims());
        assert_eq!(refusal(judge(&token, &oct, &rules(), &vote())), Refusal::Signature);
    }
}

#[test]
fn algorithms_outside_the_list_are_refused_even_when_they_verify() {
    let key = &provider()[0];
    for algorithm in [Algorithm::RS384, Algorithm::RS512, Algorithm::PS384, Algorithm::PS512] {
        let token = mint_with(key, algorithm, Some("key-1"), &claims());
        assert_eq!(refusal(judge(&token, &key.jwk, &rules(), &vote())), Refusal::Algorithm);
    }
}

#[test]
fn the_key_is_the_one_the_token_names() {
    let [first, second] = provider();
    let judge = |token: &str, jwk: &Value| refusal(judge(token, jwk, &rules(), &vote()));
    let no_kid = mint_with(first, Algorithm::RS256, None, &claims());
    assert_eq!(judge(&no_kid, &first.jwk), Refusal::NoKeyId);
    let empty = mint_with(first, Algorithm::RS256, Some(""), &claims());
    assert_eq!(judge(&empty, &first.jwk), Refusal::NoKeyId);
    let long = mint_with(first, Algorithm::RS256, Some(&"k".repeat(257)), &claims());
    assert_eq!(judge(&long, &first.jwk), Refusal::NoKeyId);
    // Unknown: no key of the provider has this id.
    let unknown = mint_with(first, Algorithm::RS256, Some("key-9"), &claims());
    assert_eq!(judge(&unknown, &first.jwk), Refusal::Signature);
    // The name of the first key over a signature of the second, and the other way round.
    let swapped = mint_with(second, Algorithm::RS256, Some("key-1"), &claims());
    assert_eq!(judge(&swapped, &first.jwk), Refusal::Signature);
    assert_eq!(judge(&swapped, &second.jwk), Refusal::Signature);
    // A key of another kind under the right name, and a key that is none.
    let token = mint(&claims());
    for jwk in [p256("key-1").jwk, ed25519("key-1").jwk, json!({ "kid": "key-1" }), Value::Null] {
        assert_eq!(judge(&token, &jwk), Refusal::Signature);
    }
}

#[test]
fn a_key_in_the_tokens_own_header_is_not_believed() {
    let [first, second] = provider();
    let mut header = Header::new(Algorithm::RS256);
    header.kid = Some("key-1".into());
    header.jwk = serde_json::from_value(second.jwk.clone()).ok();
    assert!(header.jwk.is_some());
    let token = encode(&header, &claims(), &second.private).unwrap();
    assert_eq!(refusal(judge(&token, &first.jwk, &rules(), &vote())), Refusal::Signature);
}

#[test]
fn a_denied_key_kills_even_a_good_signature() {
    let mut rules = rules();
    rules.denied_kids.insert("key-1".into());
    let result = judge(&mint(&claims()), &provider()[0].jwk, &rules, &vote());
    assert_eq!(refusal(result), Refusal::DeniedKey);
}

#[test]
fn one_changed_byte_breaks_the_signature() {
    let token = mint(&claims());
    let mut forged = claims();
    forged["groups"] = json!(["platform-sre"]);
    let payload = URL_SAFE_NO_PAD.encode(forged.to_string());
    let parts: Vec<&str> = token.split('.').collect();
    let token = format!("{}.{payload}.{}", parts[0], parts[2]);
    let result = judge(&token, &provider()[0].jwk, &rules(), &vote());
    assert_eq!(refusal(result), Refusal::Signature);
}

#[test]
fn the_issuer_is_exact() {
    for issuer in ["https://idp.example.com/v1/", "https://IDP.example.com/v1", "https://evil", ""]
    {
        assert_eq!(refusal(with("iss", issuer)), Refusal::Issuer, "{issuer}");
    }
    assert_eq!(refusal(with("iss", json!([ISSUER]))), Refusal::Issuer);
    assert_eq!(refusal(without("iss")), Refusal::Issuer);
}

#[test]
fn the_audience_is_one_act_client_and_nothing_else() {
    with("aud", json!([CLIENT])).unwrap();
    for audience in [
        json!([CLIENT, "strongroom-ballot"]),
        json!([CLIENT, CLIENT]),
        json!([]),
        json!([1]),
        json!(7),
        // An ordinary sign-in offered as a vote.
        json!("strongroom-web"),
        // An act client, but not the one the statement names.
        json!("strongroom-ballot"),
        Value::Null,
    ] {
        assert_eq!(refusal(with("aud", audience.clone())), Refusal::Audience, "{audience}");
    }
    assert_eq!(refusal(without("aud")), Refusal::Audience);
    // A statement that names the sign-in client makes no act client of it.
    let mut claims = claims();
    claims["aud"] = json!("strongroom-web");
    let expected = Expectation { audience: "strongroom-web", ..vote() };
    let result = judge(&mint(&claims), &provider()[0].jwk, &rules(), &expected);
    assert_eq!(refusal(result), Refusal::Audience);
}

#[test]
fn the_authorized_party_is_absent_or_the_client() {
    with("azp", CLIENT).unwrap();
    for party in [json!("strongroom-web"), json!(["x"]), Value::Null, json!("")] {
        assert_eq!(refusal(with("azp", party.clone())), Refusal::AuthorizedParty, "{party}");
    }
}

#[test]
fn the_nonce_is_the_hash_of_this_act() {
    for nonce in ["srg1.the-hash-of-another-act", "", "srg1.the-hash-of-the-act ", "n-0S6_WzA2Mj"] {
        assert_eq!(refusal(with("nonce", nonce)), Refusal::Nonce, "{nonce}");
    }
    assert_eq!(refusal(with("nonce", json!([NONCE]))), Refusal::Nonce);
    assert_eq!(refusal(without("nonce")), Refusal::Nonce);
}

#[test]
fn a_hybrid_flow_token_counts_only_by_its_nonce() {
    // OpenBao's code flow gives both hashes: neither says which flow it was.
    with("c_hash", "LDktKdoQak3Pk0cnXxCltA").unwrap();
    with("at_hash", "77QmUPtjPfzWtF2AnpK9RQ").unwrap();
    let mut claims = claims();
    claims["c_hash"] = json!("LDktKdoQak3Pk0cnXxCltA");
    claims["nonce"] = json!("made-by-a-false-page");
    assert_eq!(refusal(judged(&claims)), Refusal::Nonce);
}

/// A token made at `iat` after a sign-in at `auth_time`.
fn times(iat: i64, auth_time: i64) -> Value {
    let mut claims = claims();
    claims["iat"] = json!(iat);
    claims["auth_time"] = json!(auth_time);
    claims
}

#[test]
fn a_token_may_be_a_minute_ahead_of_us_and_no_more() {
    judged(&times(NOW + 60, NOW)).unwrap();
    assert_eq!(refusal(judged(&times(NOW + 61, NOW))), Refusal::Future);
    assert_eq!(refusal(judged(&times(i64::MAX, NOW))), Refusal::Future);
    // Nor may the sign-in be after the token by more than clocks differ.
    judged(&times(NOW - 100, NOW - 40)).unwrap();
    assert_eq!(refusal(judged(&times(NOW - 100, NOW - 39))), Refusal::Future);
    assert_eq!(refusal(judged(&times(NOW, i64::MAX))), Refusal::Future);
}

#[test]
fn a_vote_is_not_made_before_the_freeze() {
    let at = |iat, frozen_at| {
        let expected = Expectation { frozen_at, ..vote() };
        judge(&mint(&times(iat, NOW - 10)), &provider()[0].jwk, &rules(), &expected)
    };
    at(NOW - 5, Some(NOW - 5)).unwrap();
    assert_eq!(refusal(at(NOW - 5, Some(NOW - 4))), Refusal::BeforeFreeze);
    // A submission knows no freeze.
    at(NOW - 5, None).unwrap();
}

#[test]
fn the_sign_in_is_fresh() {
    assert_eq!(refusal(without("auth_time")), Refusal::NoAuthTime);
    assert_eq!(refusal(with("auth_time", "now")), Refusal::NoAuthTime);
    assert_eq!(refusal(with("auth_time", Value::Null)), Refusal::NoAuthTime);
    judged(&times(NOW, NOW - 300)).unwrap();
    assert_eq!(refusal(judged(&times(NOW, NOW - 301))), Refusal::StaleSignIn);
    assert_eq!(refusal(judged(&times(NOW, i64::MIN))), Refusal::StaleSignIn);
    assert!(judged(&times(i64::MIN, i64::MIN)).is_err());
}

#[test]
fn high_risk_needs_a_sign_in_after_the_freeze() {
    let at = |auth_time, fresh| {
        let expected = Expectation { frozen_at: Some(NOW - 50), fresh, ..vote() };
        judge(&mint(&times(NOW - 5, auth_time)), &provider()[0].jwk, &rules(), &expected)
    };
    at(NOW - 50, true).unwrap();
    assert_eq!(refusal(at(NOW - 51, true)), Refusal::SignInBeforeFreeze);
    at(NOW - 51, false).unwrap();
}

#[test]
fn a_vote_dies_with_its_sign_in() {
    let after = |seconds| {
        let latest = NOW - 10 + seconds;
        let expected = Expectation { latest, ..vote() };
        judge(&mint(&claims()), &provider()[0].jwk, &rules(), &expected)
    };
    after(72 * 3600).unwrap();
    assert_eq!(refusal(after(72 * 3600 + 1)), Refusal::TooOld);
    assert_eq!(refusal(after(i64::MAX / 2)), Refusal::TooOld);
}

#[test]
fn a_late_token_counts_within_the_age_of_a_vote_and_says_so() {
    let at = |now| {
        let expected = Expectation { now, latest: now, ..vote() };
        judge(&mint(&claims()), &provider()[0].jwk, &rules(), &expected)
    };
    assert!(!at(NOW + 600).unwrap().late);
    assert!(at(NOW + 601).unwrap().late);
    assert!(at(NOW + 71 * 3600).unwrap().late);
    assert_eq!(refusal(at(NOW + 73 * 3600)), Refusal::TooOld);
    assert_eq!(refusal(without("exp")), Refusal::NoExpiry);
    assert_eq!(refusal(with("exp", "never")), Refusal::NoExpiry);
}

#[test]
fn not_before_kills_older_sign_ins() {
    let at = |limit| {
        let rules = TokenRules { not_before: Some(limit), ..rules() };
        judge(&mint(&claims()), &provider()[0].jwk, &rules, &vote())
    };
    at(NOW - 10).unwrap();
    assert_eq!(refusal(at(NOW - 9)), Refusal::BeforeNotBefore);
}

#[test]
fn the_strength_of_the_sign_in_is_as_the_floor_demands() {
    let demanding = |acr: Option<&str>| {
        let rules = TokenRules { acr: ["phr".to_owned(), "phrh".to_owned()].into(), ..rules() };
        let mut claims = claims();
        claims["acr"] = acr.map_or(Value::Null, Value::from);
        judge(&mint(&claims), &provider()[0].jwk, &rules, &vote())
    };
    demanding(Some("phr")).unwrap();
    demanding(Some("phrh")).unwrap();
    for weak in [Some("pwd"), Some(""), None] {
        assert_eq!(refusal(demanding(weak)), Refusal::Strength);
    }
}

#[test]
fn a_token_without_a_person_is_nobody() {
    let no_person = Refusal::NoPerson("sub".into());
    assert_eq!(refusal(without("sub")), no_person);
    for wrong in [json!(""), json!(7), Value::Null, json!("x".repeat(257))] {
        assert_eq!(refusal(with("sub", wrong.clone())), no_person, "{wrong}");
    }
    assert_eq!(refusal(with("sub", json!(["bob"]))), Refusal::Malformed);
    // A claim of the deployment's own choice.
    let rules = TokenRules { person_claim: "employee".into(), ..rules() };
    let employee = |value: Value| {
        let mut claims = claims();
        claims["employee"] = value;
        judge(&mint(&claims), &provider()[0].jwk, &rules, &vote())
    };
    assert_eq!(employee(json!("e-17")).unwrap().person.id.person, "e-17");
    for wrong in [json!(17), json!(["e-17"]), json!(""), Value::Null] {
        assert_eq!(refusal(employee(wrong)), Refusal::NoPerson("employee".into()));
    }
}

#[test]
fn denied_people_may_not_act() {
    let denied = |who: &str| {
        let rules = TokenRules { denied_people: [who.to_owned()].into(), ..rules() };
        judge(&mint(&claims()), &provider()[0].jwk, &rules, &vote())
    };
    assert_eq!(refusal(denied("subject-of-bob")), Refusal::DeniedPerson);
    // The claim that tells people apart decides, not a name to read.
    denied("bob").unwrap();
}

#[test]
fn groups_come_from_the_token_or_it_is_refused() {
    let no_groups = Refusal::NoGroups("groups".into());
    assert_eq!(refusal(without("groups")), no_groups);
    for wrong in [json!("payments-leads"), json!([1]), json!(["a", null]), json!({}), Value::Null] {
        assert_eq!(refusal(with("groups", wrong.clone())), no_groups, "{wrong}");
    }
    // In no group at all is something the provider may say.
    assert!(with("groups", json!([])).unwrap().person.groups.is_empty());
}

#[test]
fn an_overage_is_refused_even_beside_some_groups() {
    assert_eq!(refusal(with("hasgroups", true)), Refusal::GroupOverage);
    let elsewhere = json!({ "groups": "src1" });
    assert_eq!(refusal(with("_claim_names", elsewhere.clone())), Refusal::GroupOverage);
    let mut claims = claims();
    claims["_claim_names"] = elsewhere;
    claims.as_object_mut().unwrap().remove("groups");
    assert_eq!(refusal(judged(&claims)), Refusal::GroupOverage);
    // Some other claim elsewhere is nothing to us.
    with("_claim_names", json!({ "photo": "src1" })).unwrap();
}

#[test]
fn the_name_to_read_cannot_deceive_a_page() {
    let display = |name: &str| with("preferred_username", name).unwrap().person.display;
    assert_eq!(display("bob\n\u{7}\u{0}"), "bob");
    assert_eq!(display("\u{202e}bob\u{200b}\u{feff}"), "bob");
    assert_eq!(display(&"b".repeat(1000)).len(), 100);
    // Nothing readable in it: the person's claim stands in.
    assert_eq!(display("\u{200b}\n"), "subject-of-bob");
    assert_eq!(display(""), "subject-of-bob");
}

#[test]
fn the_judgement_can_be_repeated_later_from_what_was_accepted() {
    let token = mint(&claims());
    let accepted = judge(&token, &provider()[0].jwk, &rules(), &vote()).unwrap();
    let again = judge(&token, &accepted.key, &rules(), &vote()).unwrap();
    assert_eq!(again, accepted);
    assert_eq!(verify_signature(&token, &accepted.key).unwrap(), claims());
    assert_eq!(key_id(&token).unwrap(), "key-1");
}

#[test]
fn a_refusal_is_one_plain_sentence() {
    let all = [
        Refusal::Malformed,
        Refusal::Algorithm,
        Refusal::NoKeyId,
        Refusal::DeniedKey,
        Refusal::Signature,
        Refusal::Issuer,
        Refusal::Audience,
        Refusal::AuthorizedParty,
        Refusal::Nonce,
        Refusal::Future,
        Refusal::BeforeFreeze,
        Refusal::NoAuthTime,
        Refusal::StaleSignIn,
        Refusal::SignInBeforeFreeze,
        Refusal::TooOld,
        Refusal::BeforeNotBefore,
        Refusal::Strength,
        Refusal::NoExpiry,
        Refusal::NoPerson("sub".into()),
        Refusal::DeniedPerson,
        Refusal::NoGroups("groups".into()),
        Refusal::GroupOverage,
    ];
    let told: BTreeSet<String> = all.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), all.len());
    assert!(told.iter().all(|text| text.starts_with(char::is_lowercase) && !text.ends_with('.')));
}
