//! Signed suspensions.

use axum::Json;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use strongroom_app::suspension;
use strongroom_domain::hold::Target;

use crate::body::Body;
use crate::extract::{Path, SignedIn, named};
use crate::problem::Problem;
use crate::v1::acts::{ActView, SignedAct, Stored};

/// The body of `POST /api/v1/suspensions`. The reason is the act's comment.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Suspend {
    target: Target,
    act: SignedAct,
}

/// A suspension and what the executor said about it.
#[derive(Debug, Serialize)]
pub(crate) struct SuspensionView {
    target: String,
    act: ActView,
}

/// `POST /api/v1/suspensions`.
pub(crate) async fn create(
    SignedIn(ctx): SignedIn,
    Body(body): Body<Suspend>,
) -> Result<(StatusCode, Json<Stored>), Problem> {
    let act_id = suspension::suspension_create(&ctx, &body.target, &body.act.into()).await?;
    Ok((StatusCode::ACCEPTED, Json(Stored { act_id })))
}

/// `GET /api/v1/suspensions/{id}`.
pub(crate) async fn show(
    SignedIn(ctx): SignedIn,
    Path(id): Path<String>,
) -> Result<Json<SuspensionView>, Problem> {
    let row = suspension::suspension_get(&ctx, named(&id)?).await?;
    Ok(Json(SuspensionView { target: row.target, act: row.act.into() }))
}
