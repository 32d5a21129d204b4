//! What people say about a change request; it is read as events.

use axum::http::StatusCode;
use serde::Deserialize;
use strongroom_app::comment;
use utoipa::ToSchema;

use crate::body::Body;
use crate::extract::{Path, SignedIn, named};
use crate::problem::Problem;

/// The body of `POST /api/v1/requests/{id}/comments`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Comment {
    /// At most 2000 characters. The ledger keeps it: no secret belongs into it.
    text: String,
}

/// Says something about a change request. It decides nothing, and is read as an event
/// `request.commented`.
#[utoipa::path(
    post,
    path = "/api/v1/requests/{id}/comments",
    operation_id = "comment_create",
    params(("id" = Uuid, Path, description = "The request")),
    request_body = Comment,
    responses((status = 204))
)]
pub(crate) async fn create(
    SignedIn(ctx): SignedIn,
    Path(id): Path<String>,
    Body(body): Body<Comment>,
) -> Result<StatusCode, Problem> {
    comment::comment_create(&ctx, named(&id)?, &body.text).await?;
    Ok(StatusCode::NO_CONTENT)
}
