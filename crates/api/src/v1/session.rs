//! The session of the caller.

use std::collections::BTreeSet;

use axum::Json;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::Serialize;
use strongroom_app::session;
use strongroom_domain::person::SignedPerson;

use crate::extract::SignedIn;
use crate::problem::Problem;

/// A person as of the sign-in.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PersonView {
    issuer: String,
    person: String,
    display: String,
    groups: BTreeSet<String>,
}

impl From<&SignedPerson> for PersonView {
    fn from(person: &SignedPerson) -> Self {
        Self {
            issuer: person.id.issuer.clone(),
            person: person.id.person.clone(),
            display: person.display.clone(),
            groups: person.groups.clone(),
        }
    }
}

/// The caller's session.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Session {
    #[serde(flatten)]
    person: PersonView,
    /// Whether a group of the person is the platform's.
    platform: bool,
    /// Whether the person sees everything and changes nothing.
    auditor: bool,
    expires_at: Timestamp,
}

/// `GET /api/v1/session`.
pub(crate) async fn show(SignedIn(ctx): SignedIn) -> Json<Session> {
    let person = PersonView::from(&ctx.person);
    Json(Session {
        person,
        platform: ctx.is_platform(),
        auditor: ctx.is_auditor(),
        expires_at: ctx.session_expires_at,
    })
}

/// `DELETE /api/v1/session`.
pub(crate) async fn end(SignedIn(ctx): SignedIn) -> Result<StatusCode, Problem> {
    session::session_end(&ctx).await?;
    Ok(StatusCode::NO_CONTENT)
}
