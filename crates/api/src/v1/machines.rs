//! Machines: API keys and service accounts that ask in nobody's name.

use axum::http::StatusCode;
use axum::{Extension, Json};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use strongroom_app::Ctx;
use strongroom_app::machine::{self, MachineInput, MachineRow, Made, ProofInput};
use strongroom_authn::ApiKey;
use strongroom_domain::id::MachineId;
use strongroom_domain::machine::Scope;
use strongroom_domain::name::TeamName;
use utoipa::ToSchema;

use crate::body::Body;
use crate::extract::{Path, SignedIn, named};
use crate::idempotency::ShownOnce;
use crate::problem::{Problem, no_randomness};
use crate::shape::ScopeWord;
use crate::v1::Page;

/// How long a machine lives when nothing is asked for.
const LIFETIME: SignedDuration = SignedDuration::from_hours(90 * 24);

/// The body of `POST /api/v1/machines` and of a team's.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Create {
    name: String,
    #[schema(value_type = ScopeWord)]
    scope: Scope,
    /// In 90 days when it is left out.
    expires_at: Option<Timestamp>,
    /// The service account that it is; a key is made when it is left out.
    account: Option<AccountRef>,
}

/// A service account.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccountRef {
    cluster: String,
    namespace: String,
    account: String,
}

/// A machine that was made. The key is shown this once.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Created {
    #[schema(value_type = Uuid)]
    machine_id: MachineId,
    name: String,
    expires_at: Timestamp,
    /// The one audience of the tokens that it shows, where it has no key.
    #[serde(skip_serializing_if = "Option::is_none")]
    audience: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
}

/// A machine and, this once, its key.
type Answer = (StatusCode, Extension<ShownOnce>, Json<Created>);

/// Makes a machine that sees all teams. A key is shown this once.
#[utoipa::path(
    post,
    path = "/api/v1/machines",
    operation_id = "machine_create",
    request_body = Create,
    responses((status = 201, body = Created))
)]
pub(crate) async fn create(
    SignedIn(ctx): SignedIn,
    Body(body): Body<Create>,
) -> Result<Answer, Problem> {
    make(&ctx, None, body).await
}

/// Makes a machine of a team. A key is shown this once.
#[utoipa::path(
    post,
    path = "/api/v1/teams/{name}/machines",
    operation_id = "machine_create_in_team",
    params(("name" = String, Path, description = "The team's name", example = "payments")),
    request_body = Create,
    responses((status = 201, body = Created))
)]
pub(crate) async fn create_in_team(
    SignedIn(ctx): SignedIn,
    Path(team): Path<String>,
    Body(body): Body<Create>,
) -> Result<Answer, Problem> {
    make(&ctx, Some(&named(&team)?), body).await
}

async fn make(ctx: &Ctx, team: Option<&TeamName>, body: Create) -> Result<Answer, Problem> {
    let expires_at = body.expires_at.unwrap_or_else(|| ctx.app.now() + LIFETIME);
    let (key, proof) = if let Some(AccountRef { cluster, namespace, account }) = body.account {
        (None, ProofInput::Account { cluster, namespace, account })
    } else {
        let key = ApiKey::generate().map_err(no_randomness)?;
        let proof = ProofInput::Key { hash: key.hash(), hint: key.hint() };
        (Some(key.expose().to_owned()), proof)
    };
    let name = body.name.clone();
    let input = MachineInput { name: body.name, scope: body.scope, proof, expires_at };
    let Made { machine, audience } = machine::machine_create(ctx, team, input).await?;
    let made = Created { machine_id: machine, name, expires_at, audience, key };
    Ok((StatusCode::CREATED, Extension(ShownOnce), Json(made)))
}

/// A live machine.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MachineView {
    #[schema(value_type = Uuid)]
    machine_id: MachineId,
    name: String,
    team: Option<String>,
    #[schema(value_type = ScopeWord)]
    scope: Scope,
    key_hint: Option<String>,
    account: Option<AccountRef>,
    account_uid: Option<String>,
    created_by: String,
    created_at: Timestamp,
    expires_at: Timestamp,
    last_used_at: Option<Timestamp>,
}

impl From<MachineRow> for MachineView {
    fn from(row: MachineRow) -> Self {
        let account_uid = row.account.as_ref().map(|account| account.uid.clone());
        let account = row.account.map(|account| AccountRef {
            cluster: account.cluster,
            namespace: account.namespace,
            account: account.account,
        });
        Self {
            machine_id: row.machine,
            name: row.name,
            team: row.team,
            scope: row.scope,
            key_hint: row.key_hint,
            account,
            account_uid,
            created_by: row.created_by,
            created_at: row.created_at,
            expires_at: row.expires_at,
            last_used_at: row.last_used_at,
        }
    }
}

/// Live machines that one may see.
#[utoipa::path(
    get,
    path = "/api/v1/machines",
    operation_id = "machine_list",
    responses((status = 200, body = Page<MachineView>))
)]
pub(crate) async fn list(SignedIn(ctx): SignedIn) -> Result<Json<Page<MachineView>>, Problem> {
    let rows = machine::machine_list(&ctx).await?;
    Ok(Json(Page::whole(rows.into_iter().map(MachineView::from).collect())))
}

/// Ends a machine that sees all teams.
#[utoipa::path(
    delete,
    path = "/api/v1/machines/{machine}",
    operation_id = "machine_end",
    params(("machine" = String, Path, description = "The machine's name", example = "ci")),
    responses((status = 204))
)]
pub(crate) async fn end(
    SignedIn(ctx): SignedIn,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    machine::machine_end(&ctx, None, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends a machine of a team.
#[utoipa::path(
    delete,
    path = "/api/v1/teams/{name}/machines/{machine}",
    operation_id = "machine_end_in_team",
    params(("name" = String, Path, description = "The team's name", example = "payments"), ("machine" = String, Path, description = "The machine's name", example = "ci")),
    responses((status = 204))
)]
pub(crate) async fn end_in_team(
    SignedIn(ctx): SignedIn,
    Path((team, name)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    machine::machine_end(&ctx, Some(&named(&team)?), &name).await?;
    Ok(StatusCode::NO_CONTENT)
}
