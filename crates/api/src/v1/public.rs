//! What anybody may read: the deployment's trust, to be pinned, and the schema of documents.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};
use strongroom_app::trust;
use strongroom_domain::document::schema;

use crate::problem::Problem;
use crate::state::AppState;

/// The trust of the deployment, to be pinned: keys, act clients and addresses.
#[utoipa::path(
    get,
    path = "/api/v1/trust",
    operation_id = "trust_get",
    responses((status = 200, body = Object))
)]
pub(crate) async fn trust(State(state): State<AppState>) -> Result<Json<Value>, Problem> {
    let mut value = trust::trust_get(&state.app).await?;
    let sign_in = &state.sign_in;
    value["signIn"] = json!({ "clientId": sign_in.rules.client, "scopes": sign_in.scopes });
    Ok(Json(value))
}

/// The JSON schema of all kinds of documents.
#[utoipa::path(
    get,
    path = "/api/v1/schema",
    operation_id = "schema_get",
    responses((status = 200, body = Object))
)]
pub(crate) async fn schema() -> Json<Value> {
    Json(schema::schema())
}
