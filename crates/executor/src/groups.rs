//! The groups that carry bindings' rights: who is in them, and how they end.
//!
//! A group that is not there is never made here: only a request brings rights back.

use std::collections::BTreeSet;

use serde_json::Value;
use strongroom_domain::document::team::Binding;
use strongroom_domain::document::{Document, Team};
use strongroom_engine::identity::Entity;
use strongroom_plan::desired;
use strongroom_plan::steps::same;
use strongroom_vault_model::object::{Account, Fields, ObjectKey, fingerprint};
use strongroom_vault_model::policy::PolicyName;
use strongroom_vault_model::wire;

use crate::accounts::order;
use crate::error::ExecutorError;
use crate::object::Reading;
use crate::record::{Write, Written};
use crate::start::Executor;

/// What was found of a group that was to be made true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Members {
    /// It has just the members that it must have.
    True,
    /// It is not there: taken away, by us or by hand; only a request brings it back.
    Gone,
    /// A hand took members out, perhaps in an emergency: nobody comes in until the team changes.
    /// These are left.
    TakenOut(BTreeSet<String>),
}

impl Executor {
    /// An account's entity, if it is in the group now.
    pub(crate) async fn member_of(
        &self,
        name: &PolicyName,
        account: &Account,
    ) -> Result<Option<Entity>, ExecutorError> {
        let entity = self.entity_of(account).await?;
        let key = ObjectKey::Group(name.clone());
        let mut reading = self.reading();
        self.read_now(&mut reading, &key).await?;
        let present = reading.answer(&key).map(members_in).unwrap_or_default();
        Ok(entity.filter(|entity| present.contains(&entity.id)))
    }

    /// Deletes the group that carries a policy: every live token loses it with its next request.
    pub(crate) async fn group_end(
        &mut self,
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
        tracing::info!(binding = %name, why, "binding is suspended");
        self.attached.members_forget(name);
        self.object_end(&mut reading, &key, standing_order).await
    }

    /// Takes all accounts out of a group that stays: every live token loses it with its next request.
    pub(crate) async fn group_empty(
        &mut self,
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
        if reading.answer(&key).map(members_in).is_none_or(|members| members.is_empty()) {
            return Ok(());
        }
        if found.get("owner") != fields.get("owner") {
            return Err(ExecutorError::Stopped(format!("the group {name} is not Strongroom's")));
        }
        tracing::info!(binding = %name, why, "binding is suspended");
        self.members_write(&mut reading, &key, &fields, &[], standing_order).await?;
        self.attached.members_are(name, &BTreeSet::new());
        Ok(())
    }

    /// Whether a group is there as this document of the team wants it.
    pub(crate) async fn group_is_of(
        &self,
        team: &Team,
        name: &PolicyName,
    ) -> Result<bool, ExecutorError> {
        let key = ObjectKey::Group(name.clone());
        let mut reading = self.reading();
        let (found, _) = self.read_now(&mut reading, &key).await?;
        let wanted = self.group_fields(team, &key)?;
        Ok(matches!((wanted, found), (Some(wanted), Some(found)) if same(&key, &wanted, &found)))
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
        self.object_end(&mut reading, &key, standing_order).await
    }

    /// Deletes what was found to be ours.
    async fn object_end(
        &self,
        reading: &mut Reading,
        key: &ObjectKey,
        standing_order: &str,
    ) -> Result<(), ExecutorError> {
        let name = key.name();
        let write = order(standing_order, "delete", key.kind(), &name);
        self.intent(&write).await?;
        let written = self.write_object(reading, key, None, true).await?;
        self.receipt(&write, "written", &written).await
    }

    /// Makes a group's members exactly these entities, unless a hand took away. `is_whole`: these are
    /// the entities of all accounts that the binding names; otherwise one that a hand took out may be
    /// missing here for another reason, and nothing says that it is back.
    pub(crate) async fn group_members(
        &mut self,
        team: &Team,
        name: &PolicyName,
        binding: &Binding,
        members: &BTreeSet<String>,
        is_whole: bool,
    ) -> Result<Members, ExecutorError> {
        let key = ObjectKey::Group(name.clone());
        let mut reading = self.reading();
        let (found, _) = self.read_now(&mut reading, &key).await?;
        let (Some(found), Some(data)) = (found, reading.answer(&key)) else {
            return Ok(Members::Gone);
        };
        let now = members_in(data);
        let missing = members.difference(&now).count();
        // Just these were in it, and some are not any more although nothing else has changed.
        let was_there = self.attached.members_were(name, members) == Some(true);
        if missing > 0 && (was_there || self.attached.is_taken_out(name)) {
            self.taken_out_keep(name, true).await?;
        }
        let taken_out = (missing > 0 || !is_whole) && self.attached.is_taken_out(name);
        let target: BTreeSet<String> =
            if taken_out { members.intersection(&now).cloned().collect() } else { members.clone() };
        if now != target {
            // Members leave with their entity or by a plan; these came in by hand.
            let strange = now.difference(members).count();
            if strange > 0 {
                self.members_tell(name, strange, None).await?;
            }
            let Some(fields) = self.group_fields(team, &key)? else {
                return Ok(Members::Gone);
            };
            let ours = found.get("owner") == fields.get("owner");
            let no_groups =
                found.get("anchors").and_then(Value::as_array).is_none_or(Vec::is_empty);
            if !ours || !no_groups {
                return Err(ExecutorError::Stopped(format!(
                    "the group {name} is not as Strongroom left it"
                )));
            }
            let list: Vec<String> = target.iter().cloned().collect();
            self.members_write(&mut reading, &key, &fields, &list, "attach accounts").await?;
            let count = list.len();
            tracing::info!(binding = %binding.name, team = %team.name, count, "members");
        }
        if taken_out {
            return Ok(Members::TakenOut(target));
        }
        self.attached.members_are(name, members);
        self.taken_out_keep(name, false).await?;
        self.drift.hands.remove(name);
        Ok(Members::True)
    }
}

/// The entities in a group, as the engine answered.
pub(crate) fn members_in(data: &Value) -> BTreeSet<String> {
    let items = data.get("member_entity_ids").and_then(Value::as_array);
    items.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// The accounts that a group's fields name.
pub(crate) fn accounts_in(fields: &Fields) -> impl Iterator<Item = Account> {
    let items = fields.get("accounts").and_then(Value::as_array).into_iter().flatten();
    let names = items.filter_map(Value::as_str);
    names
        .filter_map(|text| Account::from_entity_name(&format!("sa.{}", text.replacen('/', ".", 2))))
}
