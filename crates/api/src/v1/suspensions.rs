//! Signed suspensions.

use axum::Json;
use serde::{Deserialize, Serialize};
use strongroom_app::suspension;
use strongroom_domain::hold::Target;
use utoipa::ToSchema;

use crate::body::Body;
use crate::extract::{Path, SignedIn, named};
use crate::problem::Problem;
use crate::shape::TargetText;
use crate::v1::acts::{ActView, SignedAct, Stored};
use crate::v1::{Accepted, accepted};

/// The body of `POST /api/v1/suspensions`. The reason is the act's comment.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Suspend {
    #[schema(value_type = TargetText)]
    target: Target,
    act: SignedAct,
}

/// A suspension and what the executor said about it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SuspensionView {
    target: String,
    act: ActView,
}

/// Makes a binding, a team, a cluster or the platform stand still, by one signed act.
#[utoipa::path(
    post,
    path = "/api/v1/suspensions",
    operation_id = "suspension_create",
    request_body = Suspend,
    responses((status = 202, body = Stored, headers(("location" = String), ("retry-after" = String))))
)]
pub(crate) async fn create(
    SignedIn(ctx): SignedIn,
    Body(body): Body<Suspend>,
) -> Result<Accepted<Stored>, Problem> {
    let act_id = suspension::suspension_create(&ctx, &body.target, &body.act.into()).await?;
    Ok(accepted(format!("/api/v1/suspensions/{act_id}"), Stored { act_id }))
}

/// A suspension, and what the executor said about it.
#[utoipa::path(
    get,
    path = "/api/v1/suspensions/{id}",
    operation_id = "suspension_get",
    params(("id" = Uuid, Path, description = "The act")),
    responses((status = 200, body = SuspensionView))
)]
pub(crate) async fn show(
    SignedIn(ctx): SignedIn,
    Path(id): Path<String>,
) -> Result<Json<SuspensionView>, Problem> {
    let row = suspension::suspension_get(&ctx, named(&id)?).await?;
    Ok(Json(SuspensionView { target: row.target, act: row.act.into() }))
}
