//! A model of the engine: objects by key, changed by steps only, and who may do what there.
//!
//! The access rules are the engine's own, written a second time from its documentation: for one
//! token the rules of all its policies are put together, the same path adds up, and for a request
//! one rule wins: the exact one, else the longest prefix.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use serde_json::Value;
use strongroom_vault_model::object::{Fields, ObjectKey};
use strongroom_vault_model::policy::{self, ParsedRules, PolicyName};

use crate::model::{Action, Step};
use crate::{Change, Context, Observed, keys};

/// Every object of the engine. A group's `accounts` are those that are members right now.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Engine(pub BTreeMap<ObjectKey, Fields>);

/// Somebody, something and what they may do to it.
pub type Grant = (String, String, String);

impl Engine {
    pub fn observe(&self, context: &Context, changes: &[Change]) -> Observed {
        let keys = keys(context, changes).expect("documents render");
        keys.into_iter().map(|key| (key.clone(), self.0.get(&key).cloned())).collect()
    }

    /// Does one step, and insists that it finds what it expects.
    pub fn apply(&mut self, step: &Step) {
        let mut found = self.0.get(&step.object).cloned();
        let mut before = step.before.clone();
        if matches!(step.object, ObjectKey::Group(_)) {
            // Who is attached right now is no part of a step's expectation.
            for fields in [&mut found, &mut before].into_iter().flatten() {
                fields.remove("accounts");
            }
        }
        assert_eq!(found, before, "step {} finds something else", step.ordinal);
        match (step.action, &step.after) {
            (Action::Delete, None) => {
                assert!(
                    !matches!(step.object, ObjectKey::Mount(_) | ObjectKey::AuthMount(_)),
                    "a plan never deletes a mount"
                );
                self.0.remove(&step.object);
            }
            (Action::Create, Some(after)) => {
                assert!(found.is_none());
                self.0.insert(step.object.clone(), after.clone());
            }
            (Action::Update, Some(after)) => {
                assert!(found.is_some());
                self.0.insert(step.object.clone(), after.clone());
            }
            other => panic!("step {} is {other:?}", step.ordinal),
        }
    }

    pub fn apply_all(&mut self, steps: &[Step]) {
        for (number, step) in steps.iter().enumerate() {
            assert_eq!(step.ordinal as usize, number + 1);
            self.apply(step);
        }
    }

    fn group_members(&self, group: &Fields) -> BTreeSet<String> {
        let mut holders = BTreeSet::new();
        for account in texts(group, "accounts") {
            holders.insert(format!("account {account}"));
        }
        for name in texts(group, "anchors") {
            let alias = self.0.iter().find_map(|(key, fields)| match key {
                ObjectKey::AnchorAlias(anchor) if anchor.as_str() == name => Some(fields),
                _ => None,
            });
            let anchored = self.0.keys().any(|key| match key {
                ObjectKey::Anchor(anchor) => anchor.as_str() == name,
                _ => false,
            });
            // Neither an anchor without its alias nor an alias without its anchor has members.
            if anchored
                && let Some(provider_group) = alias.and_then(|fields| fields["name"].as_str())
            {
                holders.insert(format!("group {provider_group}"));
            }
        }
        holders
    }

    /// The rules that each holder's token carries on a day, policy by policy.
    fn holdings(&self, day: Date) -> BTreeMap<String, BTreeMap<PolicyName, ParsedRules>> {
        let mut holdings: BTreeMap<String, BTreeMap<PolicyName, ParsedRules>> = BTreeMap::new();
        for (key, fields) in &self.0 {
            let ObjectKey::Group(_) = key else { continue };
            for name in texts(fields, "policies") {
                let Ok(name) = name.parse::<PolicyName>() else {
                    continue;
                };
                let Some(policy) = self.0.get(&ObjectKey::Policy(name.clone())) else {
                    continue;
                };
                let end = policy.get("expiration").and_then(Value::as_str);
                if end.is_some_and(|end| *end <= *format!("{day}T00:00:00Z")) {
                    continue;
                }
                let rules = policy::parse(policy["policy"].as_str().unwrap_or_default())
                    .expect("a policy of the safe subset");
                for holder in self.group_members(fields) {
                    holdings.entry(holder).or_default().insert(name.clone(), rules.clone());
                }
            }
        }
        holdings
    }

    /// What the engine lets each holder do on a day: all policies of a token together.
    pub fn effective(&self, day: Date, paths: &BTreeSet<String>) -> BTreeSet<Grant> {
        let mut grants = BTreeSet::new();
        for (holder, policies) in self.holdings(day) {
            let mut merged = ParsedRules::new();
            for (path, words) in policies.into_values().flatten() {
                merged.entry(path).or_default().extend(words);
            }
            add_grants(&mut grants, &holder, &merged, paths);
        }
        grants
    }

    /// What people approved for each holder: each policy by itself, added up. A narrow rule of one
    /// policy can hide a wider one of another; taking it away brings back what was approved before,
    /// not something new.
    pub fn approved(&self, day: Date, paths: &BTreeSet<String>) -> BTreeSet<Grant> {
        let mut grants = BTreeSet::new();
        for (holder, policies) in self.holdings(day) {
            for rules in policies.values() {
                add_grants(&mut grants, &holder, rules, paths);
            }
        }
        grants
    }

    /// Request paths that meet every rule of this engine from inside, from above and from beside.
    pub fn sample_paths(&self) -> BTreeSet<String> {
        let mut paths = BTreeSet::new();
        for (key, fields) in &self.0 {
            let ObjectKey::Policy(_) = key else { continue };
            for path in policy::parse(fields["policy"].as_str().unwrap()).unwrap().into_keys() {
                let stem = path.strip_suffix("/*").unwrap_or(&path);
                paths.insert(stem.to_owned());
                for more in ["/", "/x", "/x/"] {
                    paths.insert(format!("{stem}{more}"));
                }
            }
        }
        paths
    }
}

/// A list of texts in a field.
pub fn texts<'f>(fields: &'f Fields, name: &str) -> Vec<&'f str> {
    let items = fields.get(name).and_then(Value::as_array);
    items.into_iter().flatten().filter_map(Value::as_str).collect()
}

fn add_grants(
    grants: &mut BTreeSet<Grant>,
    holder: &str,
    rules: &ParsedRules,
    paths: &BTreeSet<String>,
) {
    for path in paths {
        for word in winner(rules, path).into_iter().flatten() {
            // A request for a path with a slash at the end is a list, and only that.
            if path.ends_with('/') == (word == "list") {
                grants.insert((holder.to_owned(), path.clone(), word.clone()));
            }
        }
    }
}

/// The one rule that decides about a request.
pub fn winner<'r>(rules: &'r ParsedRules, path: &str) -> Option<&'r BTreeSet<String>> {
    let trimmed = path.strip_suffix('/').unwrap_or(path);
    let longest = || {
        rules
            .iter()
            .filter_map(|(rule, words)| Some((rule.strip_suffix('*')?, words)))
            .filter(|(prefix, _)| path.starts_with(prefix))
            .max_by_key(|(prefix, _)| prefix.len())
            .map(|(_, words)| words)
    };
    rules.get(path).or_else(|| rules.get(trimmed)).or_else(longest)
}

#[test]
fn one_rule_wins_as_in_the_engine() {
    let rules = policy::parse(
        "path \"a/*\" { capabilities = [\"read\", \"list\"] }\n\
         path \"a/b\" { capabilities = [\"update\"] }\n\
         path \"a/c/*\" { capabilities = [\"delete\"] }\n",
    )
    .unwrap();
    let words = |path| {
        winner(&rules, path).map(|words| words.iter().cloned().collect::<Vec<_>>().join(","))
    };
    assert_eq!(words("a/x").as_deref(), Some("list,read"));
    assert_eq!(words("a/b").as_deref(), Some("update"));
    assert_eq!(words("a/b/").as_deref(), Some("update"));
    assert_eq!(words("a/c/d").as_deref(), Some("delete"));
    assert_eq!(words("a/c").as_deref(), Some("list,read"));
    assert_eq!(words("a"), None);
    assert_eq!(words("ab"), None);
}
