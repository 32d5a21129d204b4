//! What a frozen plan does, in plain words.
//!
//! The executor signs the same sentences that a preview shows. Plans without them are told from
//! their own steps: a new document whole, a change by what the writes take away and give.

use std::collections::BTreeSet;

use serde_json::Value;
use strongroom_domain::document::Document;
use strongroom_plan::model::{Action, Plan, Step};
use strongroom_plan::{Change, summary};
use strongroom_vault_model::name::GroupName;
use strongroom_vault_model::object::{AnchorName, Fields, ObjectKey};
use strongroom_vault_model::policy::{PolicyName, TeamRole};

use super::diff::Aliases;

/// Sentences about the plan, in the order of its documents and steps.
pub fn sentences(plan: &Plan, documents: &[Document], aliases: &Aliases) -> Vec<String> {
    if !plan.summary.is_empty() {
        return plan.summary.clone();
    }
    let mut said = Vec::new();
    let mut told = BTreeSet::new();
    for (planned, document) in plan.documents.iter().zip(documents) {
        if planned.base_revision == 0 {
            told.insert(planned.subject.clone());
            said.extend(summary::sentences(&[Change {
                base: None,
                proposed: document.clone(),
                base_pins: plan.pins.clone(),
            }]));
        }
    }
    let whole =
        |step: &Step| told.iter().any(|subject| belongs(step, subject.kind(), subject.name()));
    for step in plan.steps.iter().filter(|step| !whole(step)) {
        said.extend(step_words(step, aliases));
    }
    for namespace in &plan.attest {
        said.push(format!(
            "the namespace {namespace} is trusted with the UID that it has now: {}",
            plan.pins.get(namespace).map_or("unknown", String::as_str)
        ));
    }
    for target in &plan.lift {
        said.push(format!("{target} goes on again, which was held"));
    }
    if said.is_empty() {
        said.push(summary::NOBODY.to_owned());
    }
    said
}

/// Provider groups by the engine's name for them, from the documents of a plan.
pub fn aliases(documents: &[Document]) -> Aliases {
    let mut aliases = Aliases::new();
    let mut add = |group: &GroupName| {
        aliases.insert(AnchorName::of(group).as_str().to_owned(), group.to_string());
    };
    for document in documents {
        let Document::Team(team) = document else {
            continue;
        };
        let people = &team.people;
        people.owners.iter().chain(&people.editors).chain(&people.viewers).for_each(&mut add);
        for binding in &team.bindings {
            if let strongroom_domain::document::team::Holder::People { group } = &binding.holder {
                add(group);
            }
        }
    }
    aliases
}

/// Adds the groups that the steps themselves name.
pub fn step_aliases(aliases: &mut Aliases, steps: &[Step]) {
    for step in steps {
        let ObjectKey::AnchorAlias(anchor) = &step.object else {
            continue;
        };
        let fields = step.after.as_ref().or(step.before.as_ref());
        let name = fields.and_then(|fields| fields.get("name")).and_then(Value::as_str);
        if let Some(name) = name {
            aliases.insert(anchor.as_str().to_owned(), name.to_owned());
        }
    }
}

fn belongs(step: &Step, kind: &str, name: &str) -> bool {
    match &step.object {
        ObjectKey::AuthMount(cluster) | ObjectKey::AuthConfig(cluster) => {
            kind == "cluster" && cluster.as_str() == name
        }
        ObjectKey::Mount(at) | ObjectKey::MountConfig(at) | ObjectKey::RateLimit(at) => {
            kind == "team" && at.team.as_str() == name
        }
        ObjectKey::Policy(policy) | ObjectKey::Group(policy) => {
            kind == "team" && policy.team().as_str() == name
        }
        ObjectKey::Role(..) | ObjectKey::Anchor(_) | ObjectKey::AnchorAlias(_) => false,
    }
}

fn step_words(step: &Step, aliases: &Aliases) -> Vec<String> {
    let none = Fields::new();
    let before = step.before.as_ref().unwrap_or(&none);
    let after = step.after.as_ref().unwrap_or(&none);
    let deleted = step.action == Action::Delete;
    match &step.object {
        ObjectKey::AuthMount(cluster) if deleted => {
            vec![format!("no account of cluster {cluster} can log in any more")]
        }
        ObjectKey::AuthMount(cluster) => vec![format!("cluster {cluster} gets its logins")],
        ObjectKey::AuthConfig(cluster) => {
            let server = after.get("kubernetes_host").and_then(Value::as_str).unwrap_or("nowhere");
            vec![format!("logins of cluster {cluster} are checked at {server}")]
        }
        ObjectKey::Mount(at) => match step.action {
            Action::Create => vec![format!("a secret engine is mounted at {at}")],
            Action::Update => {
                vec![format!("the mount {at} changes: {}", text(after, "description"))]
            }
            Action::Delete => vec![format!("the mount {at} is removed with its data")],
        },
        ObjectKey::MountConfig(at) => vec![format!("the settings of the mount {at} change")],
        ObjectKey::RateLimit(at) if deleted => vec![format!("{at} has no rate limit any more")],
        ObjectKey::RateLimit(at) => {
            let rate = after.get("rate").map_or_else(String::new, Value::to_string);
            vec![format!("{at} is limited to {rate} requests per second")]
        }
        ObjectKey::Policy(name) => match step.action {
            Action::Create => Vec::new(),
            Action::Update => vec![format!("what {} may do changes", holder(name))],
            Action::Delete => vec![format!("what {} may do ends", holder(name))],
        },
        ObjectKey::Role(cluster, namespace) => {
            let (gone, come) = moved(before, after, "bound_service_account_names");
            let place = format!("namespace {namespace} of {cluster}");
            let mut words = Vec::new();
            for account in come {
                words.push(format!("service account {account} in {place} may log in"));
            }
            for account in gone {
                words.push(format!("service account {account} in {place} may no longer log in"));
            }
            if words.is_empty() {
                words.push(format!("how accounts in {place} log in changes"));
            }
            words
        }
        ObjectKey::Group(name) => {
            let (gone, come) = members(before, after, aliases);
            let rights = format!("what {} may do", holder(name));
            let mut words = Vec::new();
            for member in come {
                words.push(format!("{member} gets {rights}"));
            }
            for member in gone {
                words.push(format!("{member} loses {rights}"));
            }
            if words.is_empty() && step.action == Action::Update {
                words.push(format!("the group behind {rights} changes"));
            }
            words
        }
        // Anchors carry no rights.
        ObjectKey::Anchor(_) | ObjectKey::AnchorAlias(_) => Vec::new(),
    }
}

fn holder(name: &PolicyName) -> String {
    match name {
        PolicyName::Binding(team, binding) => format!("binding {binding} of {team}"),
        PolicyName::People(team, TeamRole::Owner) => format!("an owner of {team}"),
        PolicyName::People(team, TeamRole::Editor) => format!("an editor of {team}"),
        PolicyName::People(team, TeamRole::Viewer) => format!("a viewer of {team}"),
    }
}

fn text(fields: &Fields, field: &str) -> String {
    fields.get(field).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn list(fields: &Fields, field: &str) -> BTreeSet<String> {
    let items = fields.get(field).and_then(Value::as_array).into_iter().flatten();
    items.filter_map(Value::as_str).map(str::to_owned).collect()
}

fn moved(before: &Fields, after: &Fields, field: &str) -> (Vec<String>, Vec<String>) {
    let (old, new) = (list(before, field), list(after, field));
    (old.difference(&new).cloned().collect(), new.difference(&old).cloned().collect())
}

fn members(before: &Fields, after: &Fields, aliases: &Aliases) -> (Vec<String>, Vec<String>) {
    let account = |name: String| format!("service account {name}");
    let anchor = |name: String| match aliases.get(&name) {
        Some(group) => format!("the group {group}"),
        None => format!("the group behind {name}"),
    };
    let (gone_accounts, new_accounts) = moved(before, after, "accounts");
    let (gone_anchors, new_anchors) = moved(before, after, "anchors");
    let join = |accounts: Vec<String>, anchors: Vec<String>| {
        accounts.into_iter().map(account).chain(anchors.into_iter().map(anchor)).collect()
    };
    (join(gone_accounts, gone_anchors), join(new_accounts, new_anchors))
}
