//! Applied documents and their revisions.

use axum::Json;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use strongroom_app::document;
use strongroom_domain::Digest;
use strongroom_domain::id::RequestId;
use strongroom_domain::subject::Subject;
use utoipa::ToSchema;

use crate::extract::{Path, Query, SignedIn, named};
use crate::problem::Problem;
use crate::shape::{HashText, SubjectText};

/// The query of `GET /api/v1/documents/{kind}/{name}`.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct ShowQuery {
    revision: Option<i64>,
}

/// One revision of a document.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DocumentView {
    #[schema(value_type = SubjectText)]
    subject: Subject,
    revision: i64,
    document: Value,
    #[schema(value_type = HashText)]
    hash: Digest,
    #[schema(value_type = Option<Uuid>)]
    request_id: Option<RequestId>,
    managed_by: Option<String>,
    state: String,
}

/// An applied document, or one of its revisions. The platform is `platform/platform`.
#[utoipa::path(
    get,
    path = "/api/v1/documents/{kind}/{name}",
    operation_id = "document_get",
    params(("kind" = String, Path, description = "`team`, `cluster` or `platform`", example = "team"), ("name" = String, Path, description = "Its name", example = "payments"), ShowQuery),
    responses((status = 200, body = DocumentView))
)]
pub(crate) async fn show(
    SignedIn(ctx): SignedIn,
    Path((kind, name)): Path<(String, String)>,
    Query(query): Query<ShowQuery>,
) -> Result<Json<DocumentView>, Problem> {
    let subject: Subject = if (kind.as_str(), name.as_str()) == ("platform", "platform") {
        Subject::Platform
    } else {
        named(&format!("{kind}/{name}"))?
    };
    let view = document::document_get(&ctx, &subject, query.revision).await?;
    Ok(Json(DocumentView {
        subject: view.subject,
        revision: view.revision,
        document: view.document,
        hash: view.hash,
        request_id: view.request,
        managed_by: view.managed_by,
        state: view.state,
    }))
}
