//! Discovery and keys against scripted answers, with a clock that the test moves.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use serde_json::json;
use strongroom_domain::clock::FixedClock;

use super::*;
use crate::scripted::{Answer, Scripted};

fn jwk(kid: &str) -> Value {
    json!({ "kty": "EC", "crv": "P-256", "kid": kid, "x": "AA", "y": "AA", "use": "sig" })
}

fn discovery(own: &str) -> Value {
    json!({
        "issuer": own, "authorization_endpoint": format!("{own}/authorize"),
        "token_endpoint": format!("{own}/token"), "jwks_uri": format!("{own}/keys"),
        "subject_types_supported": ["public"],
    })
}

fn body(value: &Value) -> Answer {
    Answer::Body(200, value.to_string())
}

/// A provider with a good discovery document whose keys the script answers for.
async fn provider(keys: impl Fn(usize) -> Answer + Send + Sync + 'static) -> Scripted {
    let asked = AtomicUsize::new(0);
    Scripted::start(move |own, path| match path {
        "/keys" => keys(asked.fetch_add(1, Ordering::SeqCst)),
        "/.well-known/openid-configuration" => body(&discovery(own)),
        _ => Answer::Body(404, String::new()),
    })
    .await
}

fn clock() -> Arc<FixedClock> {
    Arc::new(FixedClock::new(Timestamp::from_second(1_795_000_000).unwrap()))
}

fn issuer(provider: &Scripted, clock: &Arc<FixedClock>) -> Issuer {
    let clock: Arc<dyn Clock> = Arc::clone(clock) as _;
    Issuer::new(&provider.address, None, &[]).unwrap().with_clock(clock)
}

fn seconds(seconds: i64) -> SignedDuration {
    SignedDuration::from_secs(seconds)
}

#[tokio::test]
async fn a_key_is_fetched_once_and_again_when_the_keys_are_old() {
    let provider = provider(|_| body(&json!({ "keys": [jwk("one")] }))).await;
    let clock = clock();
    let issuer = issuer(&provider, &clock);
    for _ in 0..3 {
        assert_eq!(issuer.key("one").await.unwrap(), jwk("one"));
    }
    assert_eq!((provider.asked("/keys"), provider.asked("configuration")), (1, 1));
    clock.advance(seconds(15 * 60));
    issuer.key("one").await.unwrap();
    assert_eq!((provider.asked("/keys"), provider.asked("configuration")), (2, 2));
    // A clock that was put back makes nothing younger than it is.
    clock.advance(seconds(-3600));
    issuer.key("one").await.unwrap();
    assert_eq!(provider.asked("/keys"), 3);
    assert_eq!(issuer.metadata().await.unwrap().subject_types_supported, ["public"]);
}

#[tokio::test]
async fn a_new_key_is_found_and_only_a_fresh_answer_makes_one_unknown() {
    let keys = |number| match number {
        0 => body(&json!({ "keys": [jwk("one")] })),
        _ => body(&json!({ "keys": [jwk("one"), jwk("two")] })),
    };
    let provider = provider(keys).await;
    let clock = clock();
    let issuer = issuer(&provider, &clock);
    issuer.key("one").await.unwrap();
    // The provider turned to a new key meanwhile. We asked a moment ago: that is not "unknown".
    clock.advance(seconds(2));
    for _ in 0..10 {
        let early = issuer.key("two").await.unwrap_err();
        assert!(matches!(early, IssuerError::AskedLately(_)), "{early:?}");
    }
    assert_eq!(provider.asked("/keys"), 1, "a flood of unknown keys is not passed on");
    clock.advance(seconds(3));
    assert_eq!(issuer.key("two").await.unwrap(), jwk("two"));
    clock.advance(seconds(5));
    let unknown = issuer.key("three\n").await.unwrap_err();
    assert!(matches!(&unknown, IssuerError::UnknownKey(kid) if kid == "three"), "{unknown:?}");
    assert_eq!(provider.asked("/keys"), 3);
}

#[tokio::test]
async fn a_provider_that_fails_never_makes_a_key_unknown() {
    let keys = |number| match number {
        0 => body(&json!({ "keys": [jwk("one")] })),
        1 => Answer::Body(503, "{}".into()),
        2 => Answer::Body(404, "{}".into()),
        3 => body(&json!({ "keys": {} })),
        _ => Answer::Body(200, "<html>".into()),
    };
    let provider = provider(keys).await;
    let clock = clock();
    let issuer = issuer(&provider, &clock);
    issuer.key("one").await.unwrap();
    clock.advance(seconds(6));
    let down = issuer.key("two").await.unwrap_err();
    assert!(matches!(down, IssuerError::Unreachable(_)), "{down:?}");
    let again = issuer.key("two").await.unwrap_err();
    assert!(matches!(again, IssuerError::Unreachable(_)), "{again:?}");
    assert_eq!(provider.asked("/keys"), 2, "a provider in trouble is left alone for a while");
    assert_eq!(issuer.key("one").await.unwrap(), jwk("one"), "known keys go on");
    for part in ["status 404", "no list of keys", "expected value"] {
        clock.advance(seconds(6));
        let wrong = issuer.key("two").await.unwrap_err().to_string();
        assert!(wrong.contains("key set is not usable") && wrong.contains(part), "{wrong}");
    }
    // Old keys are not believed when the provider cannot be asked.
    clock.advance(seconds(15 * 60));
    assert!(issuer.key("one").await.is_err());
}

#[tokio::test]
async fn a_provider_that_is_gone_is_unreachable() {
    let provider = provider(|_| Answer::Silence).await;
    let issuer = issuer(&provider, &clock());
    drop(provider);
    let gone = issuer.key("one").await.unwrap_err();
    assert_eq!(
        gone.to_string(),
        "the identity provider cannot be reached (no connection); try again when it is back"
    );
}

#[tokio::test]
async fn a_slow_provider_is_given_up() {
    let provider = provider(|_| Answer::Silence).await;
    let mut issuer = issuer(&provider, &clock());
    issuer.http = Http::new(&provider.address, None, &[], Duration::from_secs(1)).unwrap();
    let start = Instant::now();
    let slow = issuer.key("one").await.unwrap_err().to_string();
    assert!(slow.contains("(time-out)"), "{slow}");
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn only_public_signature_keys_of_one_meaning_are_handed_on() {
    let provider = provider(|_| {
        let mut private = jwk("private");
        private["d"] = "secret".into();
        private["x5c"] = json!(["MII"]);
        let mut encryption = jwk("encryption");
        encryption["use"] = "enc".into();
        let shared = json!({ "kty": "oct", "kid": "shared", "k": "AA" });
        body(&json!({ "keys": [private, encryption, shared, jwk("twice"), jwk("twice")] }))
    })
    .await;
    let clock = clock();
    let issuer = issuer(&provider, &clock);
    assert_eq!(issuer.key("private").await.unwrap(), jwk("private"));
    for kid in ["encryption", "shared", ""] {
        clock.advance(seconds(6));
        let unknown = issuer.key(kid).await.unwrap_err();
        assert!(matches!(unknown, IssuerError::UnknownKey(_)), "{kid}: {unknown:?}");
    }
    let twice = issuer.key("twice").await.unwrap_err().to_string();
    assert!(twice.contains("two keys with the id twice"), "{twice}");
}

/// What discovery says about a document that was changed like this.
async fn discovered(change: impl Fn(&str, &mut Value) + Send + Sync + 'static) -> String {
    let provider = Scripted::start(move |own, _| {
        let mut document = discovery(own);
        change(own, &mut document);
        body(&document)
    })
    .await;
    issuer(&provider, &clock()).metadata().await.unwrap_err().to_string()
}

#[tokio::test]
async fn a_discovery_document_of_somebody_else_is_refused() {
    let other = discovered(|own, document| document["issuer"] = format!("{own}/").into()).await;
    assert!(other.contains("it names the issuer http://127.0.0.1"), "{other}");
    for member in ["authorization_endpoint", "token_endpoint", "jwks_uri"] {
        let away = discovered(move |_, document| {
            document[member] = "https://evil.example.com/x".into();
        });
        assert!(away.await.contains("name the host evil.example.com"), "{member}");
        let plain = discovered(move |_, document| {
            document[member] = "http://idp.example.com/x".into();
        });
        assert!(plain.await.contains("must be https"), "{member}");
        let missing = discovered(move |_, document| {
            document.as_object_mut().unwrap().remove(member);
        });
        assert!(missing.await.contains("discovery document is not usable"), "{member}");
    }
}

#[tokio::test]
async fn no_redirect_is_followed_and_no_endless_document_read() {
    let elsewhere = Scripted::start(|own, _| body(&discovery(own))).await;
    let target = elsewhere.address.clone();
    let provider = Scripted::start(move |_, _| Answer::Redirect(target.clone())).await;
    let moved = issuer(&provider, &clock()).metadata().await.unwrap_err().to_string();
    assert!(moved.contains("status 302"), "{moved}");
    assert_eq!(elsewhere.asked(""), 0);
    let provider = Scripted::start(|_, _| Answer::Body(200, "x".repeat(600 * 1024))).await;
    let large = issuer(&provider, &clock()).metadata().await.unwrap_err().to_string();
    assert!(large.contains("larger than 512 KiB"), "{large}");
}
