//! Probes.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use strongroom_app::health;
use utoipa::ToSchema;

use crate::problem::Problem;
use crate::state::AppState;

/// It answers.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Alive {
    status: &'static str,
    /// By which a client says that the two do not go together.
    version: &'static str,
}

const OK: Alive = Alive { status: "ok", version: env!("CARGO_PKG_VERSION") };

/// Whether the process answers.
#[utoipa::path(
    get,
    path = "/livez",
    operation_id = "live",
    responses((status = 200, body = Alive))
)]
pub(crate) async fn live() -> Json<Alive> {
    Json(OK)
}

/// Whether it can work.
#[utoipa::path(
    get,
    path = "/readyz",
    operation_id = "ready",
    responses((status = 200, body = Alive))
)]
pub(crate) async fn ready(State(state): State<AppState>) -> Result<Json<Alive>, Problem> {
    health::ready(&state.app).await?;
    Ok(Json(OK))
}
