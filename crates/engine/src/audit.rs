//! Audit devices: changes are refused when fewer than two are there (invariant I11).

use serde_json::Value;

use crate::error::EngineError;
use crate::session::Session;

/// How many audit devices the engine has.
pub async fn device_count(session: &Session) -> Result<usize, EngineError> {
    let data = session.read("sys/audit", "sys/audit").await?.unwrap_or_default();
    let is_device = |value: &&Value| value.get("type").is_some_and(Value::is_string);
    Ok(data.as_object().map_or(0, |devices| devices.values().filter(is_device).count()))
}
