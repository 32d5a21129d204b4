//! What a plan would give back because the engine holds less than what is applied.
//!
//! Documents alone do not show this: somebody may have narrowed the engine by hand in an
//! emergency. Nothing here decides anything; the risk of the plan is raised from it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use strongroom_vault_model::object::{Fields, ObjectKey, ROLE_NARROWS};
use strongroom_vault_model::path::TeamMount;
use strongroom_vault_model::policy;

use crate::desired::Objects;
use crate::model::Step;
use crate::steps::members;

/// The objects of the applied document of which the steps restore something that is missing.
pub fn regained(base: &Objects, steps: &[Step]) -> BTreeSet<ObjectKey> {
    let mut seen = BTreeSet::new();
    let mut keys = BTreeSet::new();
    for step in steps {
        // Of two steps on one group the first shows what was found.
        if !seen.insert(&step.object) {
            continue;
        }
        let last = steps.iter().rfind(|other| other.object == step.object);
        let wanted = last.and_then(|last| last.after.as_ref());
        if let (Some(base), Some(wanted)) = (base.get(&step.object), wanted)
            && restores(&step.object, step.before.as_ref(), base, wanted)
        {
            keys.insert(step.object.clone());
        }
    }
    keys
}

/// Mounts that no applied document stands for and that are there all the same: they were taken off,
/// their data was kept, and the plan mounts them again. Documents call them new.
pub fn returning<'s>(base: &Objects, steps: &'s [Step]) -> Vec<&'s TeamMount> {
    let back = |step: &'s Step| match &step.object {
        ObjectKey::Mount(at) if step.before.is_some() && !base.contains_key(&step.object) => {
            Some(at)
        }
        _ => None,
    };
    steps.iter().filter_map(back).collect()
}

/// Mounts of which the steps keep fewer versions than the engine holds now, whatever the documents
/// say of the past: a mount that comes back, or one that was changed by hand.
pub fn shortened(steps: &[Step]) -> impl Iterator<Item = &TeamMount> {
    steps.iter().filter_map(|step| match &step.object {
        ObjectKey::MountConfig(at) => {
            let held = versions(step.before.as_ref()?);
            (versions(step.after.as_ref()?) < held).then_some(at)
        }
        _ => None,
    })
}

/// How many versions a KV mount keeps; none said is the engine's own number.
fn versions(fields: &Fields) -> u64 {
    match fields.get("max_versions").and_then(Value::as_u64) {
        None | Some(0) => 10,
        Some(number) => number,
    }
}

fn restores(key: &ObjectKey, found: Option<&Fields>, base: &Fields, wanted: &Fields) -> bool {
    match key {
        ObjectKey::Group(_) => {
            found.is_none()
                || ["policies", "anchors"].iter().any(|field| lacks(field, found, base, wanted))
        }
        ObjectKey::Role(..) => {
            let narrowed = |name: &&str| found.is_some_and(|found| found.contains_key(*name));
            ROLE_NARROWS.iter().any(narrowed)
                || LIVES.iter().any(|field| longer(field, found, base, wanted))
                || lacks("bound_service_account_names", found, base, wanted)
        }
        ObjectKey::Policy(_) => {
            let allowed = |fields: Option<&Fields>| fields.map_or_else(BTreeMap::new, rules);
            let (found_rules, base_rules) = (allowed(found), rules(base));
            let rule_lost = rules(wanted).iter().any(|(path, words)| {
                let given = |all: &policy::ParsedRules| {
                    all.iter().any(|(wider, more)| covers(wider, path) && words.is_subset(more))
                };
                given(&base_rules) && !given(&found_rules)
            });
            rule_lost || end_lost(found, base, wanted)
        }
        // Without it, or with another, the provider's group is in none of the teams that name it.
        ObjectKey::AnchorAlias(_) => found != Some(wanted),
        _ => false,
    }
}

/// How long tokens of a role live, seconds.
const LIVES: [&str; 2] = ["token_ttl", "token_max_ttl"];

/// Whether tokens live shorter than the applied document says, and longer by the plan.
fn longer(field: &str, found: Option<&Fields>, base: &Fields, wanted: &Fields) -> bool {
    let seconds = |fields: &Fields| fields.get(field).and_then(Value::as_u64);
    let (Some(held), base, wanted) = (found.and_then(seconds), seconds(base), seconds(wanted))
    else {
        return false;
    };
    base.is_some_and(|base| held < base) && wanted.is_some_and(|wanted| held < wanted)
}

/// Whether the applied and the wanted list share something that was not found.
fn lacks(field: &str, found: Option<&Fields>, base: &Fields, wanted: &Fields) -> bool {
    let found = found.map(|fields| members(fields, field)).unwrap_or_default();
    members(base, field).intersection(&members(wanted, field)).any(|each| !found.contains(each))
}

/// Whether the engine ends the policy earlier than the applied document says, and the plan later.
fn end_lost(found: Option<&Fields>, base: &Fields, wanted: &Fields) -> bool {
    let end = |fields: &Fields| fields.get("expiration").and_then(Value::as_str).map(str::to_owned);
    let Some(found) = found.and_then(end) else {
        return false;
    };
    end(base).as_ref() != Some(&found) && end(wanted).is_none_or(|wanted| wanted > found)
}

/// The rules of a policy's text; a text outside the safe subset gives nothing that can be relied on.
fn rules(fields: &Fields) -> policy::ParsedRules {
    let text = fields.get("policy").and_then(Value::as_str).unwrap_or_default();
    policy::parse(text).unwrap_or_default()
}

fn covers(wider: &str, path: &str) -> bool {
    wider == path || wider.strip_suffix('*').is_some_and(|prefix| path.starts_with(prefix))
}
