//! Reading and writing one engine object.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use strongroom_engine::error::Failure;
use strongroom_engine::{EngineError, Envelope, identity};
use strongroom_plan::steps::{Observed, same};
use strongroom_vault_model::object::{Account, Fields, ObjectKey};
use strongroom_vault_model::wire::{self, Ids};

use crate::error::ExecutorError;
use crate::fault;
use crate::record::Written;
use crate::start::Executor;

/// How many reads go on side by side.
const SIDE_BY_SIDE: usize = 8;

/// What was read in one pass: each path once, and the engine's ids of groups.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    answers: BTreeMap<String, Option<Value>>,
    pub(crate) ids: Ids,
}

impl Reading {
    /// Takes what was read in bulk for what one path would have answered.
    pub(crate) fn know(&mut self, path: String, answer: Option<Value>) {
        self.answers.insert(path, answer);
    }

    /// What is known beneath a path.
    pub(crate) fn known_beneath(&self, prefix: &str) -> impl Iterator<Item = (&String, &Value)> {
        let beneath = self.answers.iter().filter(move |(path, _)| path.starts_with(prefix));
        beneath.filter_map(|(path, answer)| Some((path, answer.as_ref()?)))
    }

    /// What is beneath a mount that is not there need not be asked for.
    fn is_beneath_nothing(&self, key: &ObjectKey) -> bool {
        parent(key).is_some_and(|p| self.answers.get(&wire::read_path(&p)) == Some(&None))
    }

    /// Forgets what was read of an object that is as it should be: an estate is larger than memory.
    pub(crate) fn forget(&mut self, key: &ObjectKey) {
        self.answers.remove(&wire::read_path(key));
    }

    /// What the engine answered for an object, if it was read and is there.
    pub(crate) fn answer(&self, key: &ObjectKey) -> Option<&Value> {
        self.answers.get(&wire::read_path(key))?.as_ref()
    }
}

impl Executor {
    pub(crate) fn reading(&self) -> Reading {
        let ids = Ids { people_accessor: self.people_accessor.clone(), ..Ids::default() };
        Reading { answers: BTreeMap::new(), ids }
    }

    /// Observes objects, at most one read each.
    pub(crate) async fn observe(
        &self,
        reading: &mut Reading,
        keys: &BTreeSet<ObjectKey>,
    ) -> Result<Observed, ExecutorError> {
        self.read_missing(reading, keys).await?;
        let mut observed = Vec::new();
        // In this order anchors are known before the groups that name them.
        for key in keys {
            let found = self.observe_one(reading, key).await?;
            observed.push((key.clone(), found));
        }
        Ok(observed.into_iter().collect())
    }

    /// Reads what is not known yet, several objects at a time: reads follow from nothing but the
    /// key, except that mounts come before what is beneath them.
    async fn read_missing(
        &self,
        reading: &mut Reading,
        keys: &BTreeSet<ObjectKey>,
    ) -> Result<(), ExecutorError> {
        for beneath in [false, true] {
            let missing: BTreeMap<String, &'static str> = keys
                .iter()
                .filter(|key| parent(key).is_some() == beneath && !reading.is_beneath_nothing(key))
                .map(|key| (wire::read_path(key), wire::template(key)))
                .filter(|(path, _)| !reading.answers.contains_key(path))
                .collect();
            let read = |(path, template): (String, &'static str)| {
                let engine = self.engine.clone();
                async move {
                    let answer = engine.read(&path, template).await?;
                    Ok::<_, EngineError>((path, answer))
                }
            };
            let answers: Vec<(String, Option<Value>)> = stream::iter(missing)
                .map(read)
                .buffer_unordered(SIDE_BY_SIDE)
                .try_collect()
                .await?;
            reading.answers.extend(answers);
        }
        Ok(())
    }

    async fn observe_one(
        &self,
        reading: &mut Reading,
        key: &ObjectKey,
    ) -> Result<Option<Fields>, ExecutorError> {
        if reading.is_beneath_nothing(key) {
            return Ok(None);
        }
        let path = wire::read_path(key);
        if !reading.answers.contains_key(&path) {
            let answer = self.engine.read(&path, wire::template(key)).await?;
            reading.answers.insert(path.clone(), answer);
        }
        let Some(Some(data)) = reading.answers.get(&path) else {
            return Ok(None);
        };
        if let ObjectKey::Anchor(anchor) = key
            && let Some(id) = data.get("id").and_then(Value::as_str)
        {
            reading.ids.anchors.insert(anchor.clone(), id.to_owned());
        }
        Ok(wire::observed(key, data, &reading.ids))
    }

    /// Reads one object now.
    pub(crate) async fn read_now(
        &self,
        reading: &mut Reading,
        key: &ObjectKey,
    ) -> Result<(Option<Fields>, Option<String>), ExecutorError> {
        let path = wire::read_path(key);
        let envelope = self.engine.get(&path, wire::template(key)).await?;
        let request_id = envelope.as_ref().and_then(|envelope| envelope.request_id.clone());
        reading.answers.insert(path, envelope.map(|envelope| envelope.data));
        Ok((self.observe_one(reading, key).await?, request_id))
    }

    /// Writes an object, reads it back and compares. The caller has recorded the intent.
    pub(crate) async fn write_object(
        &self,
        reading: &mut Reading,
        key: &ObjectKey,
        after: Option<&Fields>,
        exists: bool,
    ) -> Result<Written, ExecutorError> {
        let sent = match after {
            Some(fields) => {
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
        let (found, read_back_id) = self.read_now(reading, key).await?;
        written.read_back = read_back_id;
        let as_wanted = match (after, &found) {
            (None, None) => true,
            (Some(wanted), Some(found)) => same(key, wanted, found),
            _ => false,
        };
        if as_wanted {
            return Ok(written);
        }
        if let Some(error) = unknown {
            // It did not happen, or has not yet: the next look at this object alone tells.
            return Err(ExecutorError::Engine(error));
        }
        Err(ExecutorError::Stopped(format!(
            "{key} does not read back as it was written{}",
            difference(after, found.as_ref())
        )))
    }

    async fn send(
        &self,
        reading: &Reading,
        key: &ObjectKey,
        fields: &Fields,
        exists: bool,
    ) -> Result<Envelope, ExecutorError> {
        let members = match key {
            ObjectKey::Group(_) => self.kept_members(reading, key, fields).await?,
            _ => Vec::new(),
        };
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
        let Some(Some(data)) = reading.answers.get(&wire::read_path(key)) else {
            return Ok(Vec::new());
        };
        let now: BTreeSet<&str> = texts(data.get("member_entity_ids")).collect();
        let mut kept = Vec::new();
        for name in texts(fields.get("accounts")) {
            let Some(account) = parse_account(name) else {
                continue;
            };
            if now.is_empty() {
                break;
            }
            let entity = identity::entity_by_name(&self.engine, &account.entity_name()).await?;
            kept.extend(entity.map(|entity| entity.id).filter(|id| now.contains(id.as_str())));
        }
        Ok(kept)
    }
}

/// The mount that an object is beneath.
fn parent(key: &ObjectKey) -> Option<ObjectKey> {
    match key {
        ObjectKey::MountConfig(mount) => Some(ObjectKey::Mount(mount.clone())),
        ObjectKey::AuthConfig(cluster) => Some(ObjectKey::AuthMount(cluster.clone())),
        _ => None,
    }
}

fn is_in_use(error: &EngineError) -> bool {
    matches!(&error.failure, Failure::Invalid(errors)
        if errors.iter().any(|error| error.contains("already in use")))
}

fn texts(value: Option<&Value>) -> impl Iterator<Item = &str> {
    value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

fn parse_account(text: &str) -> Option<Account> {
    Account::from_entity_name(&format!("sa.{}", text.replacen('/', ".", 2)))
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
