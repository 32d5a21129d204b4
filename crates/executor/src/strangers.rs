//! What stands in the engine beside what is managed: leftovers that bear our mark, and foreign
//! objects, which are listed and never touched.

use serde_json::Value;
use strongroom_domain::subject::Subject;
use strongroom_plan::drift::{Drift, judge};
use strongroom_storage::finding::{FOREIGN, Finding};
use strongroom_vault_model::object::ObjectKey;
use strongroom_vault_model::path::auth_mount;
use strongroom_vault_model::policy::PolicyName;

use crate::bulk::Bulk;
use crate::error::ExecutorError;
use crate::finding::{Severity, finding};
use crate::object::Reading;
use crate::start::Executor;

/// Something that bears our mark and that no head stands for.
pub(crate) type Leftover = (Subject, ObjectKey, Drift);

impl Executor {
    /// Leftovers of ours, and findings about what is not ours.
    pub(crate) async fn strangers(
        &self,
        reading: &mut Reading,
        bulk: &Bulk,
    ) -> Result<(Vec<Leftover>, Vec<Finding>), ExecutorError> {
        let (mut leftover, mut foreign) = (Vec::new(), Vec::new());
        for list in ["sys/policies/acl", "identity/group/name"] {
            for name in self.engine.list(list, list).await? {
                if !name.starts_with("team.") {
                    continue;
                }
                let Ok(parsed) = name.parse::<PolicyName>() else {
                    foreign.push(listed(&format!("{list}/{name}"), "bears a name like ours"));
                    continue;
                };
                let subject = Subject::Team(parsed.team().clone());
                let key = match list {
                    "sys/policies/acl" => ObjectKey::Policy(parsed),
                    _ => ObjectKey::Group(parsed),
                };
                if bulk.is_known(&key) || self.is_wanted(&key)? {
                    continue;
                }
                let (found, _) = self.read_now(reading, &key).await?;
                match judge(&self.mark, &key, None, found.as_ref()) {
                    Some(drift) => leftover.push((subject, key, drift)),
                    None if found.is_some() => {
                        foreign.push(listed(&key.to_string(), "is not marked as Strongroom's"));
                    }
                    None => {}
                }
            }
        }
        foreign.extend(
            bulk.unmarked
                .iter()
                .map(|path| listed(&format!("mount {path}"), "is not marked as Strongroom's")),
        );
        foreign.extend(self.foreign_roles(bulk).await?);
        for each in &mut foreign {
            each.culprit.clone_from(&self.drift.culprit);
        }
        Ok((leftover, foreign))
    }

    /// Whether the engine holds a head of this subject, be it one that cannot be believed: then what
    /// bears our mark may stand for something, and nothing follows from not knowing for what.
    pub(crate) fn has_head(&self, subject: &Subject) -> bool {
        self.heads.contains_key(subject) || self.unbelieved.contains_key(subject)
    }

    /// Tells of an object that somebody touched and no head stands for, or that it is gone. A role is
    /// read, for what it carries.
    pub(crate) async fn stranger_tell(
        &mut self,
        key: &ObjectKey,
        is_there: bool,
        who: &str,
    ) -> Result<(), ExecutorError> {
        let listed = match key {
            ObjectKey::Role(cluster, _) if self.clusters.contains_key(cluster) => {
                self.foreign_role(&key.name()).await?
            }
            ObjectKey::Policy(_) | ObjectKey::Group(_) | ObjectKey::Mount(_) => {
                is_there.then(|| listed(&key.to_string(), "is not marked as Strongroom's"))
            }
            _ => return Ok(()),
        };
        match listed {
            Some(mut each) => {
                each.culprit = Some(who.to_owned());
                self.found(each).await
            }
            None => self.resolved(&format!("{FOREIGN} {key}")).await,
        }
    }

    async fn foreign_roles(&self, bulk: &Bulk) -> Result<Vec<Finding>, ExecutorError> {
        let mut foreign = Vec::new();
        for cluster in self.clusters.keys() {
            let path = format!("auth/{}/role", auth_mount(cluster));
            for name in self.engine.list(&path, "auth/k8s/{cluster}/role").await? {
                let key = ObjectKey::parse("role", &format!("{path}/{name}"));
                let is_ours = match &key {
                    Ok(key) => bulk.is_known(key) || self.is_wanted(key)?,
                    Err(_) => false,
                };
                if !is_ours {
                    foreign.extend(self.foreign_role(&format!("{path}/{name}")).await?);
                }
            }
        }
        Ok(foreign)
    }

    async fn foreign_role(&self, path: &str) -> Result<Option<Finding>, ExecutorError> {
        let Some(role) = self.engine.read(path, "{role}").await? else { return Ok(None) };
        let why = "belongs to no applied team, on an auth mount that is Strongroom's";
        let mut each = listed(&format!("role {path}"), why);
        let carries = role.get("token_policies").and_then(Value::as_array);
        if carries.is_some_and(|list| !list.is_empty()) {
            "alarm".clone_into(&mut each.severity);
            each.text.push_str(", and carries policies of its own");
        }
        Ok(Some(each))
    }
}

fn listed(what: &str, why: &str) -> Finding {
    let mut found = finding(
        FOREIGN,
        what,
        Severity::Info,
        format!("{what} {why}"),
        "it is left alone; an administrator of the engine decides about it",
    );
    found.object = Some(what.chars().take(500).collect());
    found
}
