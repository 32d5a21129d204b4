//! Signing in: a nonce of ours, a token of the provider's, a session.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use strongroom_app::session;
use strongroom_authn::session::random_text;
use strongroom_authn::{IssuerError, SessionToken, SignInError, verify_sign_in};
use strongroom_domain::id::SignInId;
use utoipa::ToSchema;

use crate::body::Body;
use crate::extract::{Path, named};
use crate::problem::{Problem, no_randomness};
use crate::state::AppState;
use crate::v1::session::PersonView;

/// The body of `POST /api/v1/sign-ins`: nothing yet.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Begin {}

/// A sign-in that was begun.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Begun {
    #[schema(value_type = Uuid)]
    sign_in_id: SignInId,
    nonce: String,
    issuer: String,
    client_id: String,
    scopes: Vec<String>,
    expires_at: Timestamp,
}

/// Begins a sign-in: a nonce for the provider's token.
#[utoipa::path(
    post,
    path = "/api/v1/sign-ins",
    operation_id = "sign_in_begin",
    request_body = Begin,
    responses((status = 201, body = Begun))
)]
pub(crate) async fn begin(
    State(state): State<AppState>,
    Body(Begin {}): Body<Begin>,
) -> Result<(StatusCode, Json<Begun>), Problem> {
    let nonce = random_text().map_err(no_randomness)?;
    let begun = session::sign_in_begin(&state.app, &nonce).await?;
    let body = Begun {
        sign_in_id: begun.sign_in,
        nonce,
        issuer: state.issuer.url().to_owned(),
        client_id: state.sign_in.rules.client.clone(),
        scopes: state.sign_in.scopes.clone(),
        expires_at: begun.expires_at,
    };
    Ok((StatusCode::CREATED, Json(body)))
}

/// The body of `POST /api/v1/sign-ins/{id}/complete`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Complete {
    id_token: String,
}

/// A session that was opened. The token is shown this once.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Completed {
    token: String,
    expires_at: Timestamp,
    person: PersonView,
}

/// Opens a session with the provider's token. The session's token is shown this once.
#[utoipa::path(
    post,
    path = "/api/v1/sign-ins/{id}/complete",
    operation_id = "sign_in_complete",
    params(("id" = Uuid, Path, description = "The sign-in that was begun")),
    request_body = Complete,
    responses((status = 201, body = Completed))
)]
pub(crate) async fn complete(
    State(state): State<AppState>,
    Path(id): Path<String>,
    Body(body): Body<Complete>,
) -> Result<(StatusCode, Json<Completed>), Problem> {
    let sign_in: SignInId = named(&id)?;
    let nonce = session::sign_in_use(&state.app, sign_in).await?;
    let now = state.app.now().as_second();
    let person = verify_sign_in(&state.issuer, &state.sign_in.rules, &body.id_token, &nonce, now)
        .await
        .map_err(refusal)?;
    let token = SessionToken::generate().map_err(no_randomness)?;
    let expires_at = session::session_create(&state.app, person.clone(), token.hash()).await?;
    let body = Completed {
        token: token.expose().to_owned(),
        expires_at,
        person: PersonView::from(&person),
    };
    Ok((StatusCode::CREATED, Json(body)))
}

fn refusal(error: SignInError) -> Problem {
    match error {
        // A key that the provider does not publish is the token's fault, not the provider's.
        SignInError::Issuer(unknown @ IssuerError::UnknownKey(_)) => {
            Problem::sign_in_refused(format!("the sign-in is refused: {unknown}"))
        }
        SignInError::Issuer(error) => Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "provider_unavailable",
            "The identity provider does not answer",
            "the identity provider's keys cannot be read",
            "try again in a moment; if it stays so, tell the platform team the trace id",
        )
        .caused_by(error),
        refused => Problem::sign_in_refused(refused.to_string()),
    }
}
