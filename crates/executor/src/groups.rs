//! The groups that carry bindings' rights: who is in them, and how they end.
//!
//! A group that is not there is never made here: only a request brings rights back.

use std::collections::BTreeSet;

use serde_json::Value;
use strongroom_domain::document::team::Binding;
use strongroom_domain::document::{Document, Team};
use strongroom_plan::desired;
use strongroom_vault_model::object::{Fields, ObjectKey, fingerprint};
use strongroom_vault_model::policy::PolicyName;
use strongroom_vault_model::wire;

use crate::accounts::order;
use crate::error::ExecutorError;
use crate::object::Reading;
use crate::record::{Write, Written};
use crate::start::Executor;

impl Executor {
    /// The entities that are in a group now; none where there is no group.
    pub(crate) async fn members_of(
        &self,
        name: &PolicyName,
    ) -> Result<BTreeSet<String>, ExecutorError> {
        let key = ObjectKey::Group(name.clone());
        let mut reading = self.reading();
        self.read_now(&mut reading, &key).await?;
        Ok(reading.answer(&key).map(members_in).unwrap_or_default())
    }

    /// Deletes the group that carries a policy: every live token loses it with its next request.
    pub(crate) async fn group_end(
        &self,
        name: &PolicyName,
        standing_order: &str,
        why: &str,
    ) -> Result<(), ExecutorError> {
        let key = ObjectKey::Group(name.clone());
        let mut reading = self.reading();
        let (found, _) = self.read_now(&mut reading, &key).await?;
        let Some(found) = found else { return Ok(()) };
        if found.get("owner").and_then(Value::as_str) != Some(self.mark.as_str()) {
            return Err(ExecutorError::Stopped(format!("the group {name} is not Strongroom's")));
        }
        let text = name.to_string();
        tracing::info!(binding = %name, why, "binding is suspended");
        let write = order(standing_order, "delete", "group", &text);
        self.intent(&write).await?;
        let written = self.write_object(&mut reading, &key, None, true).await?;
        self.receipt(&write, "written", &written).await
    }

    /// Takes all accounts out of a group that stays: every live token loses it with its next request.
    pub(crate) async fn group_empty(
        &self,
        team: &Team,
        name: &PolicyName,
        standing_order: &str,
        why: &str,
    ) -> Result<(), ExecutorError> {
        let key = ObjectKey::Group(name.clone());
        let mut reading = self.reading();
        let (found, _) = self.read_now(&mut reading, &key).await?;
        let (Some(found), Some(fields)) = (found, self.group_fields(team, &key)?) else {
            return Ok(());
        };
        let members = reading.answer(&key).and_then(|data| data.get("member_entity_ids"));
        if members.and_then(Value::as_array).is_none_or(Vec::is_empty) {
            return Ok(());
        }
        if found.get("owner") != fields.get("owner") {
            return Err(ExecutorError::Stopped(format!("the group {name} is not Strongroom's")));
        }
        tracing::info!(binding = %name, why, "binding is suspended");
        self.members_write(&mut reading, &key, &fields, &[], standing_order).await
    }

    /// What a group of a team should be.
    fn group_fields(&self, team: &Team, key: &ObjectKey) -> Result<Option<Fields>, ExecutorError> {
        let document = Document::Team(Box::new(team.clone()));
        let context = self.context(&[], &[])?;
        let mut objects = desired::desired(&context, &document, &BTreeSet::new())
            .map_err(|error| ExecutorError::Stopped(error.to_string()))?;
        Ok(objects.remove(key))
    }

    /// Writes a group with exactly these members, and reads it back.
    async fn members_write(
        &self,
        reading: &mut Reading,
        key: &ObjectKey,
        fields: &Fields,
        members: &[String],
        standing_order: &str,
    ) -> Result<(), ExecutorError> {
        let name = key.name();
        let write = Write {
            after: Some(fingerprint(fields)),
            ..order(standing_order, "members", "group", &name)
        };
        self.intent(&write).await?;
        let (path, body) = wire::write(key, fields, true, &reading.ids, members)
            .map_err(|error| ExecutorError::Stopped(error.to_string()))?;
        let done = self.engine.write(&path, wire::template(key), &body).await?;
        let mut written = Written::of(&done);
        written.read_back = self.read_now(reading, key).await?.1;
        self.receipt(&write, "written", &written).await
    }

    /// Deletes the policy of a binding that has ended; its group is gone by then.
    pub(crate) async fn policy_end(
        &self,
        name: &PolicyName,
        standing_order: &str,
    ) -> Result<(), ExecutorError> {
        let key = ObjectKey::Policy(name.clone());
        let mut reading = self.reading();
        let (found, _) = self.read_now(&mut reading, &key).await?;
        let Some(found) = found else { return Ok(()) };
        let text = found.get("policy").and_then(Value::as_str).unwrap_or_default();
        if !text.starts_with(&format!("# {}{name}\n", self.mark)) {
            return Err(ExecutorError::Stopped(format!("the policy {name} is not Strongroom's")));
        }
        let text = name.to_string();
        let write = order(standing_order, "delete", "policy", &text);
        self.intent(&write).await?;
        let written = self.write_object(&mut reading, &key, None, true).await?;
        self.receipt(&write, "written", &written).await
    }

    /// Makes a group's members exactly these entities. A group that is not there was taken away,
    /// by us or by hand, and only a request brings it back: `false`.
    pub(crate) async fn group_members(
        &mut self,
        team: &Team,
        name: &PolicyName,
        binding: &Binding,
        members: &BTreeSet<String>,
    ) -> Result<bool, ExecutorError> {
        let key = ObjectKey::Group(name.clone());
        let mut reading = self.reading();
        let (found, _) = self.read_now(&mut reading, &key).await?;
        let (Some(found), Some(data)) = (found, reading.answer(&key)) else {
            return Ok(false);
        };
        let now = members_in(data);
        if now == *members {
            self.attached.members_are(name, members);
            return Ok(true);
        }
        // Members leave with their entity or by a plan; these came in by hand.
        let strange = now.difference(members).count();
        if strange > 0 {
            self.members_tell(name, strange, None).await?;
        }
        let Some(fields) = self.group_fields(team, &key)? else {
            return Ok(false);
        };
        let ours = found.get("owner") == fields.get("owner");
        let no_groups = found.get("anchors").and_then(Value::as_array).is_none_or(Vec::is_empty);
        if !ours || !no_groups {
            return Err(ExecutorError::Stopped(format!(
                "the group {name} is not as Strongroom left it"
            )));
        }
        let list: Vec<String> = members.iter().cloned().collect();
        self.members_write(&mut reading, &key, &fields, &list, "attach accounts").await?;
        self.attached.members_are(name, members);
        tracing::info!(binding = %binding.name, team = %team.name, count = list.len(), "members");
        Ok(true)
    }
}

/// The entities in a group, as the engine answered.
pub(crate) fn members_in(data: &Value) -> BTreeSet<String> {
    let items = data.get("member_entity_ids").and_then(Value::as_array);
    items.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}
