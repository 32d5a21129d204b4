//! Probes.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};
use strongroom_app::health;

use crate::problem::Problem;
use crate::state::AppState;

/// `GET /livez`: the process answers.
pub(crate) async fn live() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

/// `GET /readyz`: it can work.
pub(crate) async fn ready(State(state): State<AppState>) -> Result<Json<Value>, Problem> {
    health::ready(&state.app).await?;
    Ok(Json(json!({ "status": "ok" })))
}
