//! The life of a token.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use strongroom_engine::error::Failure;
use strongroom_engine::session::AppRole;
use strongroom_engine::{Session, auth};
use strongroom_vault_model::bootstrap::EXECUTOR_ROLE;

use crate::server::{SHORT_ROLE, Server, approle, first_secret_id};

/// What the engine says of the token that the session uses now.
async fn token(session: &Session) -> Value {
    let template = "auth/token/lookup-self";
    session.read(template, template).await.unwrap().unwrap()
}

async fn accessor(session: &Session) -> String {
    token(session).await["accessor"].as_str().unwrap().to_owned()
}

pub async fn is_renewed_in_time_and_then_logs_in_anew(server: &Server) {
    let session = Session::approle(server.client(), approle(SHORT_ROLE));
    let first = accessor(&session).await;
    let begun = Instant::now();
    let mut seen_renewed = false;
    // The token lives two seconds, renewed four; not one call may fail meanwhile.
    loop {
        let now = token(&session).await;
        if now["accessor"] != first.as_str() {
            break;
        }
        seen_renewed |= begun.elapsed() > Duration::from_millis(2100);
        assert!(begun.elapsed() < Duration::from_secs(20), "never logs in anew");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(seen_renewed, "the token was replaced without being renewed first");
}

pub async fn a_revoked_token_is_replaced(server: &Server) {
    let session = server.executor();
    let first = accessor(&session).await;
    let template = "auth/token/revoke-accessor";
    let body = json!({ "accessor": first });
    server.admin().write(template, template, &body).await.unwrap();
    assert_ne!(accessor(&session).await, first);

    // A session without a login of its own has no way back.
    let login = auth::approle_login(&server.client(), &approle(EXECUTOR_ROLE)).await;
    let session = Session::with_login(server.client(), login.unwrap());
    let body = json!({ "accessor": accessor(&session).await });
    server.admin().write(template, template, &body).await.unwrap();
    let refused = session.read("sys/auth", "sys/auth").await.unwrap_err();
    assert_eq!(refused.failure, Failure::Denied);
}

/// Whoever asks again and again for what it may not have must not fill the engine with tokens.
pub async fn a_denial_that_is_meant_makes_no_new_token(server: &Server) {
    let session = server.executor();
    let first = accessor(&session).await;
    for _ in 0..3 {
        let refused = session.read("sys/config/cors", "sys/config/cors").await;
        let refused = refused.unwrap_err();
        assert_eq!(refused.failure, Failure::Denied);
        assert_eq!(refused.to_string(), "read sys/config/cors in the engine: permission denied");
    }
    assert_eq!(accessor(&session).await, first);
}

pub async fn revoke_self_ends_the_token(server: &Server) {
    let session = server.executor();
    let first = accessor(&session).await;
    session.revoke_self().await.unwrap();
    let template = "auth/token/lookup-accessor";
    let body = json!({ "accessor": first });
    assert!(server.admin().write(template, template, &body).await.is_err());
    // Twice is no error: there is nothing to give back.
    session.revoke_self().await.unwrap();
    assert_ne!(accessor(&session).await, first);
}

/// What the executor does at its first start: the `SecretID` it was given stood in a file.
pub async fn a_secret_id_can_be_replaced(server: &Server) {
    let first = first_secret_id(EXECUTOR_ROLE).into();
    let session = server.executor();
    let own = auth::approle_new_secret_id(&session, EXECUTOR_ROLE).await.unwrap();
    auth::approle_destroy_secret_id(&session, EXECUTOR_ROLE, &first).await.unwrap();
    session.replace_secret_id(own).await;
    session.revoke_self().await.unwrap();
    let now = accessor(&session).await;
    assert!(!now.is_empty(), "it logs in with the new one");

    let old = AppRole { secret_id: first, ..approle(EXECUTOR_ROLE) };
    let refused = auth::approle_login(&server.client(), &old).await.unwrap_err();
    let refused = refused.failure;
    assert!(matches!(refused, Failure::Invalid(_) | Failure::Denied), "{refused:?}");
    let shown = format!("{session:?} {old:?}");
    assert!(!shown.contains("secret-id-of"), "{shown}");
}
