//! A person's sign-in at the engine, through a real provider.

use strongroom_engine::auth::{oidc_auth_url, oidc_callback};
use strongroom_engine::error::Failure;
use strongroom_engine::{Session, sys};
use strongroom_lab::Browser;

use crate::server::{REDIRECT, Server};

/// Runs after the team's groups were written: the group `payments-dev` owns team `contract`.
pub async fn sign_in_gives_what_the_groups_give(server: &Server) {
    let client = server.client();
    let nonce = "a-nonce-of-this-client";
    let url = oidc_auth_url(&client, "people", "people", REDIRECT, nonce).await.unwrap();
    let mut browser = Browser::new("alice", "alice's password").unwrap();
    let back = browser.authorize(&url).await.unwrap();
    let of = |name: &str| {
        let found = back.query_pairs().find(|(key, _)| key == name);
        found.unwrap().1.into_owned()
    };
    let (state, code) = (of("state"), of("code"));
    let login = oidc_callback(&client, "people", &state, &code, nonce).await.unwrap();
    assert!(!login.entity_id.is_empty());
    assert_eq!(login.policies, ["strongroom.self", "team.contract.owner"]);
    let shown = format!("{login:?}");
    let session = Session::with_login(client.clone(), login);
    let may = sys::capabilities_self(&session, &["team/contract/kv/data/x"]).await.unwrap();
    assert!(may[0].1.contains(&"create".to_owned()), "{may:?}");
    assert!(!may[0].1.contains(&"read".to_owned()), "{may:?}");
    assert!(shown.contains("REDACTED"), "{shown}");
    session.revoke_self().await.unwrap();

    // A code is good once.
    let again = oidc_callback(&client, "people", &state, &code, nonce).await;
    assert!(again.is_err());
    // An address that the role does not allow gives no page.
    let elsewhere = "https://elsewhere.example/callback";
    let refused = oidc_auth_url(&client, "people", "people", elsewhere, nonce).await;
    let refused = refused.unwrap_err().failure;
    assert!(matches!(refused, Failure::Malformed(_) | Failure::Invalid(_)), "{refused:?}");
}
