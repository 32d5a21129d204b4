//! One call to an API server: bounded in time, and told in words when it fails.

use std::fmt;
use std::time::Duration;

use kube::Client;
use kube::api::{GetParams, Patch, PatchParams, PostParams};
use kube::core::Request;
use serde_json::Value;

use super::OWNER;
use crate::reason::reason;

/// How long one call may take. Some clusters ask a webhook about each right.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the client calls an answer that is none of an API server's own.
const NO_STATUS: &str = "Failed to parse error data";

/// The API server could not be asked, or refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {reason}")]
pub struct CallError {
    /// What was attempted.
    pub what: String,
    /// Why it failed.
    pub reason: String,
    /// What the API server itself answered; `None` where something before it did, or nobody.
    pub code: Option<u16>,
}

/// What is done with an object or a collection.
#[derive(Clone, Copy)]
pub(super) enum Call<'a> {
    /// Reads one.
    Get,
    /// Asks a review.
    Ask(&'a Value),
    /// Makes a token of one.
    Token(&'a Value),
    /// Server-side apply under our one field manager, never forced: who else holds a field keeps it.
    Apply { body: &'a Value, dry_run: bool },
}

impl fmt::Display for Call<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Get => "read",
            Self::Ask(_) => "ask",
            Self::Token(_) => "make a token of",
            Self::Apply { dry_run: true, .. } => "try to apply",
            Self::Apply { dry_run: false, .. } => "apply",
        })
    }
}

/// Sends the call.
pub(super) async fn send(
    client: &Client,
    collection: &str,
    name: &str,
    call: Call<'_>,
) -> Result<Value, CallError> {
    let what = format!("{call} {collection}/{name}").trim_end_matches('/').to_owned();
    let path = Request::new(collection);
    let request = match call {
        Call::Get => path.get(name, &GetParams::default()),
        Call::Ask(body) => path.create(&PostParams::default(), body.to_string().into_bytes()),
        Call::Token(body) => {
            let body = body.to_string().into_bytes();
            path.create_subresource("token", name, &PostParams::default(), body)
        }
        Call::Apply { body, dry_run } => {
            let params = PatchParams { dry_run, ..PatchParams::apply(OWNER) };
            path.patch(name, &params, &Patch::Apply(body))
        }
    };
    let request = request.map_err(|error| CallError {
        what: what.clone(),
        reason: error.to_string(),
        code: None,
    })?;
    answer(what, client.request(request)).await
}

/// The answer, or why there is none.
pub(super) async fn answer<T>(
    what: String,
    call: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, CallError> {
    match tokio::time::timeout(PATIENCE, call).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => {
            let code = match &error {
                kube::Error::Api(status) if status.reason != NO_STATUS => Some(status.code),
                _ => None,
            };
            Err(CallError { what, reason: reason(&error), code })
        }
        Err(_) => {
            let patience = PATIENCE.as_secs();
            let reason = format!("the API server did not answer within {patience} seconds");
            Err(CallError { what, reason, code: None })
        }
    }
}
