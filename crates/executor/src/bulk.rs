//! What a sweep reads in bulk, as fingerprints: an estate's policies and mounts are larger than
//! memory.
//!
//! A fingerprint that is not there says nothing: what is not known to be as it should be is read
//! by itself.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};

use serde_json::Value;
use strongroom_engine::Method;
use strongroom_vault_model::object::{Fields, ObjectKey, fingerprint};
use strongroom_vault_model::policy::{Mark, PolicyName};
use strongroom_vault_model::wire::{self, Ids};

use crate::error::ExecutorError;
use crate::start::Executor;

/// Fingerprints of objects as they were read. Keyed anew each time, so nobody can prepare two
/// objects that look the same.
#[derive(Debug, Default)]
pub(crate) struct Bulk {
    key: RandomState,
    prints: HashMap<u64, u64>,
    known: HashSet<u64>,
    /// Mounts where Strongroom's are that do not bear its mark, by path.
    pub(crate) unmarked: Vec<String>,
}

impl Bulk {
    fn read(&mut self, key: &ObjectKey, data: &Value) {
        // Neither kind names anything by the engine's ids.
        if let Some(fields) = wire::observed(key, data, &Ids::default()) {
            let print = self.key.hash_one(fingerprint(&fields));
            self.prints.insert(self.key.hash_one(key), print);
        }
    }

    fn mount_read(&mut self, mark: &Mark, path: &str, data: &Value) {
        let path = path.trim_end_matches('/');
        if !path.starts_with("team/") {
            return;
        }
        let description = data.get("description").and_then(Value::as_str).unwrap_or_default();
        if !description.starts_with(&format!("{mark}{path}")) {
            self.unmarked.push(path.to_owned());
        }
        if let Ok(key) = ObjectKey::parse("mount", path) {
            self.read(&key, data);
        }
    }

    /// Whether the object was read and is just this.
    pub(crate) fn is(&self, key: &ObjectKey, wanted: &Fields) -> bool {
        let print = self.prints.get(&self.key.hash_one(key));
        print.is_some_and(|print| *print == self.key.hash_one(fingerprint(wanted)))
    }

    /// Some head stands for the object.
    pub(crate) fn know(&mut self, key: &ObjectKey) {
        self.known.insert(self.key.hash_one(key));
    }

    /// Whether a head stands for the object.
    pub(crate) fn is_known(&self, key: &ObjectKey) -> bool {
        self.known.contains(&self.key.hash_one(key))
    }
}

impl Executor {
    /// Reads what has a bulk form: all policies with their texts, and all mounts.
    pub(crate) async fn bulk_read(&self) -> Result<Bulk, ExecutorError> {
        let mut bulk = Bulk::default();
        let path = "sys/policies/detailed/acl";
        if self.policies_expire {
            let each = |name: &str, info: Value| {
                if let Ok(name) = name.parse::<PolicyName>() {
                    bulk.read(&ObjectKey::Policy(name), &info);
                }
            };
            self.engine.read_each(Method::List, path, path, &["data", "key_info"], each).await?;
        }
        let (path, mark) = ("sys/mounts", &self.mark);
        let each = |path: &str, mount: Value| bulk.mount_read(mark, path, &mount);
        self.engine.read_each(Method::Get, path, path, &["data"], each).await?;
        Ok(bulk)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn policy(name: &str) -> ObjectKey {
        ObjectKey::Policy(name.parse().unwrap())
    }

    #[test]
    fn only_what_was_read_and_is_the_same_is_known_to_be_so() {
        let mut bulk = Bulk::default();
        let key = policy("team.shop.owner");
        let data = json!({ "name": "team.shop.owner", "policy": "path \"a\" {}", "version": 3 });
        bulk.read(&key, &data);
        let read = wire::observed(&key, &data, &Ids::default()).unwrap();
        assert!(bulk.is(&key, &read));
        let mut other = read.clone();
        other.insert("policy".into(), json!("path \"b\" {}"));
        assert!(!bulk.is(&key, &other));
        assert!(!bulk.is(&policy("team.shop.editor"), &read), "it was not read");
        assert!(!bulk.is_known(&key));
        bulk.know(&key);
        assert!(bulk.is_known(&key) && !bulk.is_known(&policy("team.shop.editor")));
    }

    #[test]
    fn mounts_among_ours_without_our_mark_are_listed() {
        let mark = Mark::new(uuid::Uuid::from_u128(1));
        let mut bulk = Bulk::default();
        for (path, description) in [
            ("team/shop/kv/", format!("{mark}team/shop/kv")),
            ("team/mart/kv/", "by hand".to_owned()),
            ("secret/", String::new()),
        ] {
            bulk.mount_read(&mark, path, &json!({ "description": description, "type": "kv" }));
        }
        assert_eq!(bulk.unmarked, ["team/mart/kv"]);
    }
}
