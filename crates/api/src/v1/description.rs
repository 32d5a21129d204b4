//! The API's description of itself.

use axum::Json;
use utoipa::openapi::OpenApi;

use crate::description::description;

/// This description.
#[utoipa::path(
    get,
    path = "/api/v1/openapi.json",
    operation_id = "description_get",
    responses((status = 200, body = Object))
)]
pub(crate) async fn show() -> Json<&'static OpenApi> {
    Json(description())
}
