//! What stands in the engine beside what is managed: leftovers that bear our mark, and foreign
//! objects, which are listed and never touched.

use std::collections::BTreeSet;

use serde_json::Value;
use strongroom_domain::subject::Subject;
use strongroom_plan::drift::{Drift, judge};
use strongroom_storage::finding::Finding;
use strongroom_vault_model::object::{Fields, ObjectKey};
use strongroom_vault_model::path::auth_mount;
use strongroom_vault_model::policy::PolicyName;

use crate::bulk::Bulk;
use crate::error::ExecutorError;
use crate::finding::{Severity, finding};
use crate::object::Reading;
use crate::start::Executor;

/// Something that bears our mark and that no head stands for.
pub(crate) type Leftover = (Subject, ObjectKey, Option<Fields>, Drift);

impl Executor {
    /// Leftovers of ours, and findings about what is not ours.
    pub(crate) async fn strangers(
        &self,
        reading: &mut Reading,
        bulk: &Bulk,
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
                if bulk.is_known(&key) || (self.has_head(&subject) && !looked_at.contains(&subject))
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
        foreign.extend(
            bulk.unmarked
                .iter()
                .map(|path| listed(&format!("mount {path}"), "is not marked as Strongroom's")),
        );
        foreign.extend(self.foreign_roles(bulk).await?);
        Ok((leftover, foreign))
    }

    /// Whether the engine holds a head of this subject, be it one that cannot be believed: then what
    /// bears our mark may stand for something, and nothing follows from not knowing for what.
    pub(crate) fn has_head(&self, subject: &Subject) -> bool {
        self.heads.contains_key(subject) || self.unbelieved.contains_key(subject)
    }

    async fn foreign_roles(&self, bulk: &Bulk) -> Result<Vec<Finding>, ExecutorError> {
        let mut foreign = Vec::new();
        for cluster in self.clusters.keys() {
            let path = format!("auth/{}/role", auth_mount(cluster));
            for name in self.engine.list(&path, "auth/k8s/{cluster}/role").await? {
                let key = ObjectKey::parse("role", &format!("{path}/{name}"));
                if !key.as_ref().is_ok_and(|key| bulk.is_known(key)) {
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
