//! What is not as it should be.

use axum::Json;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use strongroom_app::finding::{self, FindingRow};
use utoipa::ToSchema;

use crate::extract::{Query, SignedIn};
use crate::problem::Problem;
use crate::v1::Page;

/// The query of `GET /api/v1/findings`.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListQuery {
    /// Those that are over too.
    #[serde(default)]
    all: bool,
}

/// One finding.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FindingView {
    key: String,
    kind: String,
    severity: String,
    subject: Option<String>,
    object: Option<String>,
    text: String,
    next_step: String,
    culprit: Option<String>,
    first_seen: Timestamp,
    last_seen: Timestamp,
    resolved_at: Option<Timestamp>,
}

impl From<FindingRow> for FindingView {
    fn from(row: FindingRow) -> Self {
        let finding = row.finding;
        Self {
            key: finding.key,
            kind: finding.kind,
            severity: finding.severity,
            subject: finding.subject,
            object: finding.object,
            text: finding.text,
            next_step: finding.next_step,
            culprit: finding.culprit,
            first_seen: row.first_seen,
            last_seen: row.last_seen,
            resolved_at: row.resolved_at,
        }
    }
}

/// What is not as it should be.
#[utoipa::path(
    get,
    path = "/api/v1/findings",
    operation_id = "finding_list",
    params(ListQuery),
    responses((status = 200, body = Page<FindingView>))
)]
pub(crate) async fn list(
    SignedIn(ctx): SignedIn,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<FindingView>>, Problem> {
    let rows = finding::finding_list(&ctx, query.all).await?;
    Ok(Json(Page::whole(rows.into_iter().map(Into::into).collect())))
}
