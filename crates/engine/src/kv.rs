//! KV version 2 with check-and-set: the executor's heads, and people's own values.

use std::fmt;

use serde_json::{Value, json};

use crate::answer::Envelope;
use crate::error::{EngineError, Failure};
use crate::session::Session;

/// One version of a value. Its `Debug` does not show the value.
#[derive(Clone, PartialEq)]
pub struct Versioned {
    /// The value.
    pub data: Value,
    /// Its version, from 1.
    pub version: u64,
}

impl fmt::Debug for Versioned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Versioned").field("version", &self.version).finish_non_exhaustive()
    }
}

/// Reads the newest version; `None` when there never was one.
///
/// A deleted newest version is [`Failure::Deleted`], not an absence: heads are never deleted.
pub async fn read(
    session: &Session,
    mount: &str,
    path: &str,
) -> Result<Option<Versioned>, EngineError> {
    let template = "{mount}/data/{path}";
    let Some(answer) = session.read(&format!("{mount}/data/{path}"), template).await? else {
        return Ok(None);
    };
    let version = answer.pointer("/metadata/version").and_then(Value::as_u64);
    match (answer.get("data"), version) {
        (Some(data), Some(version)) if data.is_object() => {
            Ok(Some(Versioned { data: data.clone(), version }))
        }
        _ => Err(EngineError::new(Failure::Malformed("a value without data".into()), template)),
    }
}

/// Writes a value if the newest version is still `expected` (0: nothing is there).
pub async fn write_cas(
    session: &Session,
    mount: &str,
    path: &str,
    data: &Value,
    expected: u64,
) -> Result<(u64, Envelope), EngineError> {
    let template = "{mount}/data/{path}";
    let body = json!({ "data": data, "options": { "cas": expected } });
    let envelope = session.write(&format!("{mount}/data/{path}"), template, &body).await?;
    let version = envelope.data.get("version").and_then(Value::as_u64).unwrap_or(expected + 1);
    Ok((version, envelope))
}

/// Writes a value whatever is there.
pub async fn write(
    session: &Session,
    mount: &str,
    path: &str,
    data: &Value,
) -> Result<u64, EngineError> {
    let template = "{mount}/data/{path}";
    let body = json!({ "data": data });
    let envelope = session.write(&format!("{mount}/data/{path}"), template, &body).await?;
    Ok(envelope.data.get("version").and_then(Value::as_u64).unwrap_or(0))
}

/// Writes these values and keeps the others of a secret that is there.
pub async fn patch(
    session: &Session,
    mount: &str,
    path: &str,
    data: &Value,
) -> Result<u64, EngineError> {
    let (target, template) = (format!("{mount}/data/{path}"), "{mount}/data/{path}");
    let body = json!({ "data": data });
    let envelope = session.patch(&target, template, &body).await?;
    Ok(envelope.data.get("version").and_then(Value::as_u64).unwrap_or(0))
}

/// The names in a folder, which ends in `/` or is empty for the whole mount.
pub async fn list(
    session: &Session,
    mount: &str,
    folder: &str,
) -> Result<Vec<String>, EngineError> {
    session.list(&format!("{mount}/metadata/{folder}"), "{mount}/metadata/{folder}").await
}
