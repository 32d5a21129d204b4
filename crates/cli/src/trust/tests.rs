//! What is pinned at the first sign-in, and what a later change of it is answered with.

use strongroom_acts::SigningKey;

use super::*;
use crate::api::types::{ActClients, EngineView, ExecutorKey, SignInClient};

pub(crate) fn view(keys: &[PublicKey]) -> TrustView {
    TrustView {
        deployment: "0199b5d0-0000-7000-8000-000000000001".into(),
        issuer: "https://idp.example.com/v1".into(),
        sign_in: SignInClient { client_id: "signin".into(), scopes: vec!["openid".into()] },
        act_clients: ActClients { cli: "act".into() },
        executor_keys: keys
            .iter()
            .map(|key| ExecutorKey { id: key.id(), pem: key.to_pem().unwrap() })
            .collect(),
        engine: EngineView {
            address: "https://engine.example.com:8200".into(),
            ca_pem: String::new(),
            people_mount: "people".into(),
            people_role: "people".into(),
        },
        groups_claim: "groups".into(),
        person_claim: "sub".into(),
    }
}

#[test]
fn the_same_trust_is_taken_again() {
    let key = SigningKey::generate().unwrap().public();
    let pinned = Trust::new(view(std::slice::from_ref(&key))).unwrap();
    refuse_change(&pinned, &Trust::new(view(&[key])).unwrap()).unwrap();
}

type Vary<'a> = (&'a str, &'a dyn Fn(&mut TrustView));

#[test]
fn every_change_is_refused_and_told() {
    let key = SigningKey::generate().unwrap().public();
    let other = SigningKey::generate().unwrap().public();
    let pinned = Trust::new(view(std::slice::from_ref(&key))).unwrap();
    let vary: [Vary<'_>; 11] = [
        ("the deployment was", &|v| {
            v.deployment = "0199b5d0-0000-7000-8000-00000000ffff".into();
        }),
        ("the issuer was", &|v| {
            v.issuer = "https://evil.example.com/v1".into();
        }),
        ("the act client was act, now evil", &|v| {
            v.act_clients.cli = "evil".into();
        }),
        ("the sign-in client", &|v| {
            v.sign_in.client_id = "evil".into();
        }),
        ("the claim with the groups", &|v| {
            v.groups_claim = "g".into();
        }),
        ("tells people apart", &|v| v.person_claim = "email".into()),
        ("the engine's address", &|v| {
            v.engine.address = "https://evil:8200".into();
        }),
        ("the engine's CA", &|v| v.engine.ca_pem = "x".into()),
        ("the engine's auth mount", &|v| {
            v.engine.people_mount = "x".into();
        }),
        ("the engine's role", &|v| v.engine.people_role = "x".into()),
        ("a key that is not pinned", &|v| {
            v.executor_keys.push(ExecutorKey { id: other.id(), pem: other.to_pem().unwrap() });
        }),
    ];
    for (told, change) in vary {
        let mut changed = view(std::slice::from_ref(&key));
        change(&mut changed);
        let failure = refuse_change(&pinned, &Trust::new(changed).unwrap()).unwrap_err();
        assert_eq!(failure.exit, Exit::Conflict);
        assert!(failure.render().contains(told), "{}", failure.render());
        assert!(failure.render().contains("--accept-new-trust"));
        assert_eq!(failure.why.len(), 1, "{told}");
    }
    let replaced = Trust::new(view(&[other])).unwrap();
    assert_eq!(refuse_change(&pinned, &replaced).unwrap_err().why.len(), 2);
}

#[test]
fn what_nobody_may_pin_is_refused() {
    let key = SigningKey::generate().unwrap().public();
    let refused = |change: &dyn Fn(&mut TrustView)| {
        let mut view = view(std::slice::from_ref(&key));
        change(&mut view);
        Trust::new(view).unwrap_err()
    };
    assert_eq!(refused(&|v| v.deployment = "x".into()), TrustError::Deployment);
    assert_eq!(refused(&|v| v.executor_keys.clear()), TrustError::NoKey);
    let renamed = refused(&|v| v.executor_keys[0].id = "0000".into());
    assert_eq!(renamed, TrustError::Key("0000".into()));
    assert!(matches!(refused(&|v| v.issuer = "http://idp".into()), TrustError::Issuer(_)));
    assert_eq!(refused(&|v| v.act_clients.cli = "signin".into()), TrustError::OneClient);
}

#[test]
fn fingerprints_are_read_in_groups() {
    let key = SigningKey::generate().unwrap().public();
    let shown = fingerprint(&key);
    assert_eq!(shown.replace(':', ""), key.id());
    assert_eq!(shown.len(), 19);
}
