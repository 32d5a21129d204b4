//! Teams, and how their bindings stand.

use axum::Json;
use jiff::Timestamp;
use serde::Serialize;
use strongroom_app::check::CheckRow;
use strongroom_app::team::{self, Bound};
use utoipa::ToSchema;

use crate::extract::{Path, SignedIn, named};
use crate::problem::Problem;
use crate::v1::Page;

/// A team or a cluster of a list.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Named {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    display_name: Option<String>,
    revision: i64,
    state: String,
    updated_at: Timestamp,
}

impl From<team::Named> for Named {
    fn from(named: team::Named) -> Self {
        Self {
            name: named.name,
            display_name: named.display_name,
            revision: named.revision,
            state: named.state,
            updated_at: named.updated_at,
        }
    }
}

/// Teams.
#[utoipa::path(
    get,
    path = "/api/v1/teams",
    operation_id = "team_list",
    responses((status = 200, body = Page<Named>))
)]
pub(crate) async fn list(SignedIn(ctx): SignedIn) -> Result<Json<Page<Named>>, Problem> {
    let teams = team::team_list(&ctx).await?;
    Ok(Json(Page::whole(teams.into_iter().map(Into::into).collect())))
}

/// How one service account of a binding stands.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BindingView {
    /// The team whose binding it is: another one for a guest in this team's namespace.
    team: String,
    binding: String,
    cluster: String,
    namespace: String,
    account: String,
    namespace_uid: Option<String>,
    account_uid: Option<String>,
    state: String,
    reason: Option<String>,
    /// What was found otherwise in the engine.
    differs: Vec<String>,
    /// What the newest check in the cluster said of itself.
    check: Option<CheckView>,
    updated_at: Timestamp,
}

/// What a check said. It is the word of whoever held its ticket.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CheckView {
    green: bool,
    /// What was red.
    faulty: Vec<String>,
    reported_at: Timestamp,
}

impl From<CheckRow> for CheckView {
    fn from(row: CheckRow) -> Self {
        Self {
            green: row.report.is_green(),
            faulty: row.report.faulty(),
            reported_at: row.reported_at,
        }
    }
}

/// A team's bindings and how each of their accounts stands, guests in its namespaces too.
#[utoipa::path(
    get,
    path = "/api/v1/teams/{name}/bindings",
    operation_id = "binding_list",
    params(("name" = String, Path, description = "The team's name", example = "payments")),
    responses((status = 200, body = Page<BindingView>))
)]
pub(crate) async fn bindings(
    SignedIn(ctx): SignedIn,
    Path(name): Path<String>,
) -> Result<Json<Page<BindingView>>, Problem> {
    let rows = team::binding_list(&ctx, &named(&name)?).await?;
    let items = rows
        .into_iter()
        .map(|Bound { row, differs, check }| BindingView {
            team: row.team,
            binding: row.binding,
            cluster: row.cluster,
            namespace: row.namespace,
            account: row.account,
            namespace_uid: row.namespace_uid,
            account_uid: row.account_uid,
            state: row.state,
            reason: row.reason,
            differs,
            check: check.map(Into::into),
            updated_at: row.updated_at,
        })
        .collect();
    Ok(Json(Page::whole(items)))
}
