//! The handlers of version 1, one file per resource.

pub(crate) mod acts;
pub(crate) mod checks;
pub(crate) mod clusters;
pub(crate) mod comments;
pub(crate) mod description;
pub(crate) mod documents;
pub(crate) mod events;
pub(crate) mod findings;
pub(crate) mod health;
pub(crate) mod inbox;
pub(crate) mod kit;
pub(crate) mod machines;
pub(crate) mod preview;
pub(crate) mod public;
pub(crate) mod reach;
pub(crate) mod requests;
pub(crate) mod session;
pub(crate) mod sign_ins;
pub(crate) mod signers;
pub(crate) mod status;
pub(crate) mod suspensions;
pub(crate) mod teams;

use axum::Json;
use axum::http::{HeaderName, StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;

/// A list.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Page<T> {
    items: Vec<T>,
    next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// A list that is whole.
    fn whole(items: Vec<T>) -> Self {
        Self { items, next_cursor: None }
    }
}

/// What is done by the executor: where it will be told, and when to look there.
type Accepted<T> = (StatusCode, [(HeaderName, String); 2], Json<T>);

fn accepted<T>(place: String, body: T) -> Accepted<T> {
    let headers = [(header::LOCATION, place), (header::RETRY_AFTER, "1".to_owned())];
    (StatusCode::ACCEPTED, headers, Json(body))
}

/// Bytes in JSON: standard base64.
fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// A hash in JSON: hexadecimal. One that has not the length of a hash is not shown as one.
fn hex(bytes: &[u8]) -> Option<String> {
    let bytes: [u8; 32] = bytes.try_into().ok()?;
    Some(strongroom_domain::Digest::from_bytes(bytes).to_string())
}
