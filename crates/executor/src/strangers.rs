//! What stands in the engine beside what is managed: leftovers that bear our mark, and foreign
//! objects, which are listed and never touched.

use std::collections::BTreeSet;

use serde_json::Value;
use strongroom_domain::subject::Subject;
use strongroom_engine::{Call, Method};
use strongroom_plan::drift::{Drift, judge};
use strongroom_storage::finding::Finding;
use strongroom_vault_model::object::{Fields, ObjectKey};
use strongroom_vault_model::path::auth_mount;
use strongroom_vault_model::policy::PolicyName;

use crate::error::ExecutorError;
use crate::finding::{Severity, finding};
use crate::object::Reading;
use crate::start::Executor;

/// Something that bears our mark and that no head stands for.
pub(crate) type Leftover = (Subject, ObjectKey, Option<Fields>, Drift);

impl Executor {
    /// Reads what has a bulk form: all policies with their texts, and all mounts.
    pub(crate) async fn prefill(&self, reading: &mut Reading) -> Result<(), ExecutorError> {
        let template = "sys/policies/detailed/acl";
        if self.policies_expire {
            let envelope = self.engine.call(Call::new(Method::List, template, template)).await?;
            let infos = envelope.data.get("key_info").and_then(Value::as_object);
            for (name, info) in infos.into_iter().flatten() {
                reading.know(format!("sys/policies/acl/{name}"), Some(info.clone()));
            }
        }
        let mounts = self.engine.read("sys/mounts", "sys/mounts").await?.unwrap_or_default();
        for (path, mount) in mounts.as_object().into_iter().flatten() {
            if mount.is_object() && path.ends_with('/') {
                let path = path.trim_end_matches('/');
                reading.know(format!("sys/mounts/{path}"), Some(mount.clone()));
            }
        }
        Ok(())
    }

    /// Leftovers of ours, and findings about what is not ours.
    pub(crate) async fn strangers(
        &self,
        reading: &mut Reading,
        known: &BTreeSet<ObjectKey>,
        looked_at: &BTreeSet<Subject>,
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
                // What is being applied or not believed is left alone.
                if known.contains(&key)
                    || (self.has_head(&subject) && !looked_at.contains(&subject))
                {
                    continue;
                }
                let (found, _) = self.read_now(reading, &key).await?;
                match judge(&self.mark, &key, None, found.as_ref()) {
                    Some(drift) => leftover.push((subject, key, None, drift)),
                    None if found.is_some() => {
                        foreign.push(listed(&key.to_string(), "is not marked as Strongroom's"));
                    }
                    None => {}
                }
            }
        }
        foreign.extend(self.foreign_mounts(reading));
        foreign.extend(self.foreign_roles(known).await?);
        Ok((leftover, foreign))
    }

    /// Whether the engine holds a head of this subject, be it one that cannot be believed: then what
    /// bears our mark may stand for something, and nothing follows from not knowing for what.
    pub(crate) fn has_head(&self, subject: &Subject) -> bool {
        self.heads.contains_key(subject) || self.unbelieved.contains_key(subject)
    }

    fn foreign_mounts(&self, reading: &Reading) -> Vec<Finding> {
        let mounts = reading.known_beneath("sys/mounts/team/");
        let unmarked = mounts.filter(|(path, mount)| {
            let name = path.trim_start_matches("sys/mounts/");
            let description = mount.get("description").and_then(Value::as_str).unwrap_or_default();
            !description.starts_with(&format!("{}{name}", self.mark))
        });
        unmarked
            .map(|(path, _)| {
                let name = path.trim_start_matches("sys/mounts/");
                listed(&format!("mount {name}"), "is not marked as Strongroom's")
            })
            .collect()
    }

    async fn foreign_roles(
        &self,
        known: &BTreeSet<ObjectKey>,
    ) -> Result<Vec<Finding>, ExecutorError> {
        let mut foreign = Vec::new();
        for cluster in self.clusters.keys() {
            let path = format!("auth/{}/role", auth_mount(cluster));
            for name in self.engine.list(&path, "auth/k8s/{cluster}/role").await? {
                let key = ObjectKey::parse("role", &format!("{path}/{name}"));
                if !key.as_ref().is_ok_and(|key| known.contains(key)) {
                    let mut each = listed(
                        &format!("role {path}/{name}"),
                        "belongs to no applied team, on an auth mount that is Strongroom's",
                    );
                    let read = self.engine.read(&format!("{path}/{name}"), "{role}").await?;
                    let carries = read.as_ref().and_then(|role| role.get("token_policies"));
                    if carries.and_then(Value::as_array).is_some_and(|list| !list.is_empty()) {
                        "alarm".clone_into(&mut each.severity);
                        each.text.push_str(", and carries policies of its own");
                    }
                    foreign.push(each);
                }
            }
        }
        Ok(foreign)
    }
}

fn listed(what: &str, why: &str) -> Finding {
    let mut found = finding(
        "foreign",
        what,
        Severity::Info,
        format!("{what} {why}"),
        "it is left alone; an administrator of the engine decides about it",
    );
    found.object = Some(what.chars().take(500).collect());
    found
}
