//! Writing one engine object: sent, read back, compared. The caller has recorded the intent.
//!
//! An outcome that is not known is never taken for a success: what is there decides.

use std::time::Duration;

use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use strongroom_engine::error::Failure;
use strongroom_engine::{EngineError, Envelope};
use strongroom_plan::steps::same;
use strongroom_vault_model::object::{Fields, ObjectKey};
use strongroom_vault_model::wire;

use crate::error::ExecutorError;
use crate::fault;
use crate::groups::{accounts_in, members_in};
use crate::object::Reading;
use crate::record::Written;
use crate::start::Executor;

/// What came of a write.
#[derive(Debug)]
pub(crate) struct Wrote {
    written: Written,
    /// Why it is not known whether it happened.
    unknown: Option<EngineError>,
    /// What was read back.
    answer: Option<Value>,
}

impl Reading {
    /// Learns what was read back, and compares it with what was written.
    pub(crate) fn compare(
        &mut self,
        key: &ObjectKey,
        after: Option<&Fields>,
        wrote: Wrote,
    ) -> Result<Written, ExecutorError> {
        self.know(wire::read_path(key), wrote.answer);
        let found = self.understood(key);
        let as_wanted = match (after, &found) {
            (None, None) => true,
            (Some(wanted), Some(found)) => same(key, wanted, found),
            _ => false,
        };
        if as_wanted {
            return Ok(wrote.written);
        }
        if let Some(error) = wrote.unknown {
            // It did not happen, or has not yet: the next look at this object alone tells.
            return Err(ExecutorError::Engine(error));
        }
        Err(ExecutorError::Stopped(format!(
            "{key} does not read back as it was written{}",
            difference(after, found.as_ref())
        )))
    }
}

impl Executor {
    /// Writes an object, reads it back and compares. The caller has recorded the intent.
    pub(crate) async fn write_object(
        &self,
        reading: &mut Reading,
        key: &ObjectKey,
        after: Option<&Fields>,
        exists: bool,
    ) -> Result<Written, ExecutorError> {
        let wrote = self.write_sent(reading, key, after, exists).await?;
        reading.compare(key, after, wrote)
    }

    /// Writes an object and reads it back, beside others: nothing is learned yet.
    pub(crate) async fn write_sent(
        &self,
        reading: &Reading,
        key: &ObjectKey,
        after: Option<&Fields>,
        exists: bool,
    ) -> Result<Wrote, ExecutorError> {
        let sent = match after {
            Some(fields) => {
                if holds_beside(reading, key, fields) {
                    self.engine.delete(&wire::read_path(key), wire::template(key)).await?;
                    self.lease_lasts().await?;
                }
                if fault::twice() {
                    let _ = self.send(reading, key, fields, exists).await?;
                }
                self.send(reading, key, fields, exists).await
            }
            None => Ok(self.engine.delete(&wire::read_path(key), wire::template(key)).await?),
        };
        let mut unknown = None;
        let mut written = match sent {
            Ok(envelope) => Written::of(&envelope),
            // It may have happened: what is there decides.
            Err(ExecutorError::Engine(error)) if error.is_unknown_outcome() => {
                tracing::warn!(%error, "the outcome of a write is unknown; reading back");
                let (write, engine) = (error.write_id.clone(), error.request_id.clone());
                unknown = Some(error);
                Written { write, engine, ..Written::default() }
            }
            // An answer that got lost: what is there decides, and it must bear our mark to be ours.
            Err(ExecutorError::Engine(error)) if is_in_use(&error) => {
                Written { write: error.write_id, engine: error.request_id, ..Written::default() }
            }
            Err(error) => return Err(error),
        };
        let read = self.engine.get(&wire::read_path(key), wire::template(key)).await?;
        written.read_back = read.as_ref().and_then(|envelope| envelope.request_id.clone());
        Ok(Wrote { written, unknown, answer: read.map(|envelope| envelope.data) })
    }

    async fn send(
        &self,
        reading: &Reading,
        key: &ObjectKey,
        fields: &Fields,
        exists: bool,
    ) -> Result<Envelope, ExecutorError> {
        let members = match key {
            ObjectKey::Group(_) => {
                self.lease_keep_during(self.kept_members(reading, key, fields)).await?
            }
            _ => Vec::new(),
        };
        // Reading who stays may have taken long.
        if !members.is_empty() {
            self.lease_lasts().await?;
        }
        let (path, mut body) = wire::write(key, fields, exists, &reading.ids, &members)
            .map_err(|error| ExecutorError::Stopped(error.to_string()))?;
        if let ObjectKey::AuthConfig(_) = key
            && fields.contains_key("token_reviewer")
        {
            let credential = fields.get("token_reviewer").and_then(Value::as_str);
            let name = credential.and_then(|text| text.strip_prefix("credential "));
            let known = self.floor.clusters.iter().find(|c| Some(c.name.as_str()) == name);
            let Some(known) = known else {
                return Err(ExecutorError::Wait(format!(
                    "the floor file has no credentials called {name:?} for this cluster"
                )));
            };
            let Some(reviewer) = &known.reviewer else {
                return Err(ExecutorError::Wait(format!(
                    "the floor file names no reviewer_token_file for the credentials {}; an SRE \
                     adds it on the executor's host",
                    known.name
                )));
            };
            body["token_reviewer_jwt"] = json!(reviewer.expose_secret());
        }
        let mut tries = 0;
        loop {
            match self.engine.write(&path, wire::template(key), &body).await {
                // A new KV mount takes up to two seconds until it serves; nothing was written.
                Err(EngineError { failure: Failure::Invalid(errors), .. })
                    if tries < 40 && errors.iter().any(|e| e.contains("Upgrading from")) =>
                {
                    tries += 1;
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                result => return Ok(result?),
            }
        }
    }

    /// The entities that stay in a group: those in it now whose account the new content still
    /// names. Nobody comes in this way.
    async fn kept_members(
        &self,
        reading: &Reading,
        key: &ObjectKey,
        fields: &Fields,
    ) -> Result<Vec<String>, ExecutorError> {
        let Some(data) = reading.answer(key) else {
            return Ok(Vec::new());
        };
        let now = members_in(data);
        let mut kept = Vec::new();
        for account in accounts_in(fields) {
            if now.is_empty() {
                break;
            }
            let entity = self.entity_of(&account).await?;
            kept.extend(entity.map(|entity| entity.id).filter(|id| now.contains(id)));
        }
        Ok(kept)
    }
}

/// Whether a role holds what a write of these fields would leave: it goes with the whole role.
fn holds_beside(reading: &Reading, key: &ObjectKey, fields: &Fields) -> bool {
    let found = match (key, reading.answer(key)) {
        (ObjectKey::Role(..), Some(data)) => wire::observed(key, data, &reading.ids),
        _ => None,
    };
    found.is_some_and(|found| {
        let policies = |fields: &Fields| texts(fields.get("token_policies")).count();
        found.keys().any(|name| !fields.contains_key(name)) || policies(&found) > 0
    })
}

fn is_in_use(error: &EngineError) -> bool {
    matches!(&error.failure, Failure::Invalid(errors)
        if errors.iter().any(|error| error.contains("already in use")))
}

fn texts(value: Option<&Value>) -> impl Iterator<Item = &str> {
    value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

/// Which fields differ, by name only: a policy's text is long, and nothing else is worth a guess.
fn difference(after: Option<&Fields>, found: Option<&Fields>) -> String {
    let (Some(after), Some(found)) = (after, found) else {
        let what = if found.is_some() { "is still there" } else { "is not there" };
        return format!(" (it {what})");
    };
    let fields: Vec<&str> = after
        .keys()
        .chain(found.keys())
        .filter(|name| after.get(*name) != found.get(*name))
        .map(String::as_str)
        .collect();
    format!(" (fields: {})", fields.join(", "))
}
