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

/// One version as its metadata tells it; no value is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionInfo {
    /// From 1.
    pub version: u64,
    /// When it was stored, RFC 3339.
    pub created_at: String,
    /// When it was deleted, or will be; such a version can be brought back.
    pub deleted_at: Option<String>,
    /// Its value is gone for good.
    pub is_destroyed: bool,
}

/// The versions of a secret, newest first; `None` when there never was one.
pub async fn versions(
    session: &Session,
    mount: &str,
    path: &str,
) -> Result<Option<Vec<VersionInfo>>, EngineError> {
    let template = "{mount}/metadata/{path}";
    let Some(answer) = session.read(&format!("{mount}/metadata/{path}"), template).await? else {
        return Ok(None);
    };
    let malformed =
        || EngineError::new(Failure::Malformed("metadata without versions".into()), template);
    let found = answer.get("versions").and_then(Value::as_object).ok_or_else(malformed)?;
    let mut versions = Vec::new();
    for (number, told) in found {
        let text = |name: &str| told.get(name).and_then(Value::as_str).unwrap_or_default();
        versions.push(VersionInfo {
            version: number.parse().map_err(|_| malformed())?,
            created_at: text("created_time").to_owned(),
            deleted_at: Some(text("deletion_time").to_owned()).filter(|time| !time.is_empty()),
            is_destroyed: told.get("destroyed").and_then(Value::as_bool).unwrap_or(false),
        });
    }
    versions.sort_by_key(|each| std::cmp::Reverse(each.version));
    Ok(Some(versions))
}

/// Deletes these versions so that they can be brought back.
pub async fn delete(
    session: &Session,
    mount: &str,
    path: &str,
    versions: &[u64],
) -> Result<(), EngineError> {
    let body = json!({ "versions": versions });
    session.write(&format!("{mount}/delete/{path}"), "{mount}/delete/{path}", &body).await.map(drop)
}

/// Brings deleted versions back.
pub async fn undelete(
    session: &Session,
    mount: &str,
    path: &str,
    versions: &[u64],
) -> Result<(), EngineError> {
    let body = json!({ "versions": versions });
    let template = "{mount}/undelete/{path}";
    session.write(&format!("{mount}/undelete/{path}"), template, &body).await.map(drop)
}
