//! Reading engine objects: each path once in a look, several side by side.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::Value;
use strongroom_engine::{EngineError, Envelope};
use strongroom_plan::steps::Observed;
use strongroom_vault_model::object::{Fields, ObjectKey};
use strongroom_vault_model::policy;
use strongroom_vault_model::wire::{self, Ids};

use crate::error::ExecutorError;
use crate::start::Executor;

/// How many reads go on side by side.
const SIDE_BY_SIDE: usize = 8;

/// The most bytes of an object's fields in a finding.
const MOST_TOLD: usize = 50_000;

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

    /// What is beneath a mount that is not there need not be asked for.
    fn is_beneath_nothing(&self, key: &ObjectKey) -> bool {
        parent(key).is_some_and(|p| self.answers.get(&wire::read_path(&p)) == Some(&None))
    }

    /// Forgets what was read of an object that is as it should be: an estate is larger than memory.
    pub(crate) fn forget(&mut self, key: &ObjectKey) {
        self.answers.remove(&wire::read_path(key));
    }

    /// What was read of an object, as fields; an anchor's id is kept.
    pub(crate) fn understood(&mut self, key: &ObjectKey) -> Option<Fields> {
        let data = self.answers.get(&wire::read_path(key))?.as_ref()?;
        if let ObjectKey::Anchor(anchor) = key
            && let Some(id) = data.get("id").and_then(Value::as_str)
        {
            self.ids.anchors.insert(anchor.clone(), id.to_owned());
        }
        wire::observed(key, data, &self.ids)
    }

    /// What was read of an object, for a finding: JSON `null` when it is not there, `None` when it was
    /// not read or cannot be stored. Of a policy's text that Strongroom never writes only the first
    /// line is told, with its mark: nobody knows what the rest holds.
    pub(crate) fn told(&mut self, key: &ObjectKey) -> Option<Value> {
        if self.is_beneath_nothing(key) {
            return Some(Value::Null);
        }
        if !self.answers.contains_key(&wire::read_path(key)) {
            return None;
        }
        let mut fields = self.understood(key);
        if let Some(text) = fields.as_mut().and_then(|fields| fields.get_mut("policy"))
            && let Some(whole) = text.as_str()
            && policy::parse(whole).is_err()
        {
            *text = Value::String(format!("{}\n", whole.lines().next().unwrap_or_default()));
        }
        let told = serde_json::to_value(fields).ok()?;
        let text = told.to_string();
        // The database takes no NUL in JSON.
        (text.len() <= MOST_TOLD && !text.contains("\\u0000")).then_some(told)
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
        // A slow engine must not make a large plan outlive the lease before its first write.
        self.lease_keep_during(self.read_missing(reading, keys)).await?;
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
        Ok(reading.understood(key))
    }

    /// Reads one object now.
    pub(crate) async fn read_now(
        &self,
        reading: &mut Reading,
        key: &ObjectKey,
    ) -> Result<(Option<Fields>, Option<String>), ExecutorError> {
        let envelope = self.engine.get(&wire::read_path(key), wire::template(key)).await?;
        self.learn(reading, key, envelope).await
    }

    /// Reads some objects now, side by side.
    pub(crate) async fn read_now_each(
        &self,
        reading: &mut Reading,
        keys: &[&ObjectKey],
    ) -> Result<Vec<(Option<Fields>, Option<String>)>, ExecutorError> {
        let get = |key: &&ObjectKey| {
            let (path, template) = (wire::read_path(key), wire::template(key));
            async move { self.engine.get(&path, template).await }
        };
        let answers = futures::future::try_join_all(keys.iter().map(get)).await?;
        let mut found = Vec::new();
        for (key, envelope) in keys.iter().zip(answers) {
            found.push(self.learn(reading, key, envelope).await?);
        }
        Ok(found)
    }

    async fn learn(
        &self,
        reading: &mut Reading,
        key: &ObjectKey,
        envelope: Option<Envelope>,
    ) -> Result<(Option<Fields>, Option<String>), ExecutorError> {
        let request_id = envelope.as_ref().and_then(|envelope| envelope.request_id.clone());
        reading.know(wire::read_path(key), envelope.map(|envelope| envelope.data));
        Ok((self.observe_one(reading, key).await?, request_id))
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
