//! What anybody may read: the deployment's trust, to be pinned, and the schema of documents.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};
use strongroom_app::trust;
use strongroom_domain::document::schema;

use crate::problem::Problem;
use crate::state::AppState;

/// `GET /api/v1/trust`.
pub(crate) async fn trust(State(state): State<AppState>) -> Result<Json<Value>, Problem> {
    let mut value = trust::trust_get(&state.app).await?;
    let sign_in = &state.sign_in;
    value["signIn"] = json!({ "clientId": sign_in.rules.client, "scopes": sign_in.scopes });
    Ok(Json(value))
}

/// `GET /api/v1/schema`.
pub(crate) async fn schema() -> Json<Value> {
    Json(schema::schema())
}
