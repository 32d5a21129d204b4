//! Applied documents and their revisions.

use axum::Json;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use strongroom_app::document;
use strongroom_domain::Digest;
use strongroom_domain::id::RequestId;
use strongroom_domain::subject::Subject;

use crate::extract::{Path, Query, SignedIn, named};
use crate::problem::Problem;

/// The query of `GET /api/v1/documents/{kind}/{name}`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ShowQuery {
    revision: Option<i64>,
}

/// One revision of a document.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DocumentView {
    subject: Subject,
    revision: i64,
    document: Value,
    hash: Digest,
    request_id: Option<RequestId>,
    managed_by: Option<String>,
    state: String,
}

/// `GET /api/v1/documents/{kind}/{name}`. The platform is `platform/platform`.
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
