//! Who the caller is, and live sessions.

use std::collections::BTreeSet;

use axum::Json;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use strongroom_app::context::Caller;
use strongroom_app::session::{self, LiveSession};
use strongroom_domain::id::{MachineId, SessionId};
use strongroom_domain::machine::Scope;
use strongroom_domain::name::TeamName;
use strongroom_domain::person::SignedPerson;
use utoipa::ToSchema;

use crate::extract::{Path, Query, SignedIn, named};
use crate::problem::Problem;
use crate::shape::ScopeWord;
use crate::v1::Page;

/// A person as of the sign-in.
#[derive(Debug, Serialize, ToSchema)]
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
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Session {
    #[serde(flatten)]
    person: PersonView,
    /// Whether a group of the person is the platform's.
    platform: bool,
    /// Whether the person sees everything and changes nothing.
    auditor: bool,
    /// The machine that asks, if none of the people.
    #[serde(skip_serializing_if = "Option::is_none")]
    machine: Option<MachineView>,
    expires_at: Timestamp,
}

/// The machine that asks.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SessionMachine)]
pub(crate) struct MachineView {
    #[schema(value_type = Uuid)]
    machine_id: MachineId,
    #[schema(value_type = Option<String>)]
    team: Option<TeamName>,
    #[schema(value_type = ScopeWord)]
    scope: Scope,
}

/// Who asks, and until when.
#[utoipa::path(
    get,
    path = "/api/v1/session",
    operation_id = "session_get",
    responses((status = 200, body = Session))
)]
pub(crate) async fn show(SignedIn(ctx): SignedIn) -> Json<Session> {
    let person = PersonView::from(&ctx.person);
    Json(Session {
        person,
        platform: ctx.is_platform(),
        auditor: ctx.is_auditor(),
        machine: ctx.machine().map(|machine| MachineView {
            machine_id: machine.id,
            team: machine.team.clone(),
            scope: machine.scope,
        }),
        expires_at: ctx.expires_at,
    })
}

/// The query of `GET /api/v1/sessions`.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListQuery {
    /// Everybody's.
    #[serde(default)]
    all: bool,
}

/// A live session. Its token is known to nobody but who holds it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LiveView {
    #[schema(value_type = Uuid)]
    session_id: SessionId,
    person: String,
    display: String,
    /// Whether it is the one that asks.
    current: bool,
    signed_in_at: Timestamp,
    last_used_at: Timestamp,
    idle_expires_at: Timestamp,
    expires_at: Timestamp,
}

/// Live sessions: one's own, or everybody's for the platform.
#[utoipa::path(
    get,
    path = "/api/v1/sessions",
    operation_id = "session_list",
    params(ListQuery),
    responses((status = 200, body = Page<LiveView>))
)]
pub(crate) async fn list(
    SignedIn(ctx): SignedIn,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<LiveView>>, Problem> {
    let rows = session::session_list(&ctx, query.all).await?;
    let view = |row: LiveSession| LiveView {
        current: matches!(&ctx.caller, Caller::Session(own) if *own == row.session),
        session_id: row.session,
        person: row.person.person,
        display: row.display,
        signed_in_at: row.signed_in_at,
        last_used_at: row.last_used_at,
        idle_expires_at: row.idle_expires_at,
        expires_at: row.expires_at,
    };
    Ok(Json(Page::whole(rows.into_iter().map(view).collect())))
}

/// Ends another session: one of one's own, or anybody's for the platform.
#[utoipa::path(
    delete,
    path = "/api/v1/sessions/{id}",
    operation_id = "session_end_other",
    params(("id" = Uuid, Path, description = "The session")),
    responses((status = 204))
)]
pub(crate) async fn end_other(
    SignedIn(ctx): SignedIn,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    session::session_end_other(&ctx, named(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends the session that asks.
#[utoipa::path(
    delete,
    path = "/api/v1/session",
    operation_id = "session_end",
    responses((status = 204))
)]
pub(crate) async fn end(SignedIn(ctx): SignedIn) -> Result<StatusCode, Problem> {
    session::session_end(&ctx).await?;
    Ok(StatusCode::NO_CONTENT)
}
