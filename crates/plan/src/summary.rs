//! A plan in plain words, made from the plan's own bytes.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use strongroom_domain::Digest;
use strongroom_domain::document::team::{Binding, Claim, Environment, Holder, Level, Mount};
use strongroom_domain::document::{Document, Team};
use strongroom_vault_model::name::ServiceAccountName;
use strongroom_vault_model::policy::PolicyName;

use crate::build::{Change, Context};
use crate::follow;
use crate::model::Step;

/// What is said when there is nothing else to say.
pub const NOBODY: &str = "nobody's access changes";

/// What a plan does, whoever reads it: the preview's reader and the voter the same sentences.
pub fn whole(
    context: &Context,
    changes: &[Change],
    steps: &[Step],
    attest: &[String],
    pins: &BTreeMap<String, String>,
) -> Vec<String> {
    let mut lines = changed(changes);
    lines.extend(follow::sentences(context, changes));
    for namespace in attest {
        let uid = pins.get(namespace).map_or("unknown", String::as_str);
        lines.push(format!(
            "the namespace {namespace} is trusted with the UID that it has now: {uid}"
        ));
    }
    let lift = context.holds.lift.iter();
    lines.extend(lift.map(|target| format!("{target} goes on again, which was held")));
    lines.extend(comes_back(context, changes));
    if lines.is_empty() && !steps.is_empty() {
        lines.push("the engine is brought back to what is applied".into());
    }
    or_nothing(lines)
}

/// Accounts that a hand took out of a group, and that a change of the team puts back.
pub(crate) fn comes_back(context: &Context, changes: &[Change]) -> impl Iterator<Item = String> {
    let bound = |name: &PolicyName| {
        changes.iter().any(|change| match (&change.proposed, name) {
            (Document::Team(team), PolicyName::Binding(owner, binding)) => {
                team.name == *owner && team.bindings.iter().any(|each| each.name == *binding)
            }
            _ => false,
        })
    };
    context.taken_out.iter().filter(move |name| bound(name)).map(come_back)
}

/// What people sign so that accounts come back into a group that a hand took them out of.
pub fn come_back(group: &PolicyName) -> String {
    format!("accounts come back into the group {group}, which were taken out of it by hand")
}

/// One sentence per thing that changes for somebody.
pub fn sentences(changes: &[Change]) -> Vec<String> {
    or_nothing(changed(changes))
}

fn or_nothing(mut lines: Vec<String>) -> Vec<String> {
    if lines.is_empty() {
        lines.push(NOBODY.into());
    }
    lines
}

fn changed(changes: &[Change]) -> Vec<String> {
    let mut lines = Vec::new();
    for change in changes {
        if change.base.as_ref() == Some(&change.proposed) {
            continue;
        }
        match (&change.base, &change.proposed) {
            (Some(Document::Team(base)), Document::Team(team)) => {
                team_change(&mut lines, base, team);
            }
            (_, Document::Team(team)) => new_team(&mut lines, team),
            (None, Document::Cluster(cluster)) => lines.push(format!(
                "cluster {} is new: logins there are checked at {}",
                cluster.name, cluster.server
            )),
            (Some(base), Document::Cluster(_)) => {
                fields(&mut lines, &base.to_value(), &change.proposed.to_value());
            }
            (base, Document::Platform(_)) => {
                let rules = || Document::Platform(Box::default()).to_value();
                let base = base.as_ref().map_or_else(rules, Document::to_value);
                fields(&mut lines, &base, &change.proposed.to_value());
            }
        }
    }
    lines
}

/// One sentence per field of the specification that is another: whoever votes reads each rule as it
/// was and as it will be.
fn fields(lines: &mut Vec<String>, base: &Value, proposed: &Value) {
    let (mut before, mut after) = (BTreeMap::new(), BTreeMap::new());
    leaves(String::new(), &base["spec"], &mut before);
    leaves(String::new(), &proposed["spec"], &mut after);
    let subject = match proposed["metadata"]["name"].as_str() {
        Some(name) if proposed["kind"] == "Cluster" => format!("cluster {name}"),
        _ => "platform".to_owned(),
    };
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for name in names.into_iter().filter(|name| before.get(*name) != after.get(*name)) {
        let word = |side: &BTreeMap<String, String>| {
            side.get(name).cloned().unwrap_or_else(|| "nothing".to_owned())
        };
        lines.push(format!("{subject}: {name} is {} instead of {}", word(&after), word(&before)));
    }
}

/// The values of a document by the path of their field; a text of several lines by its hash.
fn leaves(path: String, value: &Value, out: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                let dot = if path.is_empty() { "" } else { "." };
                leaves(format!("{path}{dot}{name}"), value, out);
            }
        }
        Value::String(text) if text.trim_end().contains('\n') => {
            let hash = Digest::of(text.as_bytes()).to_string();
            out.insert(path, format!("the text with SHA-256 {hash}"));
        }
        Value::String(text) => {
            out.insert(path, text.clone());
        }
        Value::Array(items) => {
            let items: Vec<String> = items
                .iter()
                .map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned))
                .collect();
            out.insert(path, format!("[{}]", items.join(", ")));
        }
        other => {
            out.insert(path, other.to_string());
        }
    }
}

fn new_team(lines: &mut Vec<String>, team: &Team) {
    lines.push(format!("team {} ({}) is new", team.name, team.display_name));
    for mount in &team.mounts {
        lines.push(mounted(team, mount));
    }
    limit(lines, None, team);
    people(lines, None, team);
    for claim in &team.namespaces {
        lines.push(claimed(claim));
    }
    for binding in &team.bindings {
        lines.push(gives(team, binding));
    }
}

fn team_change(lines: &mut Vec<String>, base: &Team, team: &Team) {
    names(lines, base, team);
    removal(lines, base, team);
    people(lines, Some(base), team);
    for mount in &team.mounts {
        let at = format!("team/{}/{}", team.name, mount.name);
        let new = mount.max_versions;
        match base.mounts.iter().find(|old| old.name == mount.name).map(|old| old.max_versions) {
            None => lines.push(mounted(team, mount)),
            Some(old) if new < old => lines.push(format!(
                "{at} keeps {new} versions of each secret instead of {old}; older ones are removed \
                 for good"
            )),
            Some(old) if new > old => {
                lines.push(format!("{at} keeps {new} versions of each secret instead of {old}"));
            }
            Some(_) => {}
        }
    }
    for old in &base.mounts {
        if !team.mounts.iter().any(|mount| mount.name == old.name) {
            let at = format!("team/{}/{}", team.name, old.name);
            lines.push(format!("all access to {at} ends; its data is kept (quarantined)"));
        }
    }
    limit(lines, Some(base), team);
    claims(lines, base, team);
    for binding in &team.bindings {
        match base.bindings.iter().find(|old| old.name == binding.name) {
            None => lines.push(gives(team, binding)),
            Some(old) if old != binding => {
                lines.push(format!("binding {} changes: {}", binding.name, gives(team, binding)));
            }
            Some(_) => {}
        }
    }
    for old in &base.bindings {
        if !team.bindings.iter().any(|binding| binding.name == old.name) {
            lines.push(format!("binding {} ends: {} loses its access", old.name, holder(old)));
        }
    }
}

fn names(lines: &mut Vec<String>, base: &Team, team: &Team) {
    if base.display_name != team.display_name {
        lines.push(format!("team {} is shown as {}", team.name, team.display_name));
    }
    if base.contact != team.contact {
        lines.push(format!("team {} is reached at {}", team.name, team.contact));
    }
}

fn removal(lines: &mut Vec<String>, base: &Team, team: &Team) {
    let name = &team.name;
    match (base.removed, team.removed) {
        (false, true) => lines.push(format!(
            "team {name} is taken off: all access to its secrets ends at once, its data is kept \
             (quarantined), and its name is never given to another team"
        )),
        (true, false) => {
            lines.push(format!("team {name} comes back, with the data that was kept"));
        }
        _ => {}
    }
}

fn mounted(team: &Team, mount: &Mount) -> String {
    format!(
        "a secret engine is mounted at team/{}/{}, which keeps {} versions of each secret",
        team.name, mount.name, mount.max_versions
    )
}

fn limit(lines: &mut Vec<String>, base: Option<&Team>, team: &Team) {
    let old = base.and_then(|base| base.requests_per_second);
    let mounts = format!("each mount of {}", team.name);
    match (old, team.requests_per_second) {
        (old, Some(new)) if old != Some(new) => {
            let before = old.map(|old| format!(" instead of {old}")).unwrap_or_default();
            lines.push(format!("{mounts} takes at most {new} requests per second{before}"));
        }
        (Some(old), None) => {
            lines.push(format!("{mounts} is no longer limited to {old} requests per second"));
        }
        _ => {}
    }
}

fn claimed(claim: &Claim) -> String {
    format!(
        "the namespace {} ({}) becomes the team's, as {}; tokens there live {}",
        claim.name,
        claim.cluster,
        claim.environment.as_str(),
        claim.token_ttl
    )
}

fn claims(lines: &mut Vec<String>, base: &Team, team: &Team) {
    for claim in &team.namespaces {
        let place = format!("the namespace {} ({})", claim.name, claim.cluster);
        let Some(old) = base.claim(&claim.cluster, &claim.name) else {
            lines.push(claimed(claim));
            continue;
        };
        if old.environment != claim.environment {
            let (from, to) = (old.environment.as_str(), claim.environment.as_str());
            lines.push(format!("{place} counts as {to} instead of {from}"));
            if old.environment == Environment::Production {
                lines.push(format!("through {place} nothing is guarded as production any more"));
            }
        }
        if old.token_ttl != claim.token_ttl {
            let word = if claim.token_ttl > old.token_ttl { "longer" } else { "shorter" };
            lines.push(format!(
                "tokens in {place} live {word}: {} instead of {}",
                claim.token_ttl, old.token_ttl
            ));
        }
    }
    for old in &base.namespaces {
        if team.claim(&old.cluster, &old.name).is_none() {
            lines.push(format!(
                "the namespace {} ({}) is the team's no longer",
                old.name, old.cluster
            ));
        }
    }
}

fn people(lines: &mut Vec<String>, base: Option<&Team>, team: &Team) {
    let none = Vec::new();
    let old = |pick: fn(&Team) -> &Vec<_>| base.map_or(&none, pick).clone();
    let lists = [
        ("decide for the team", old(|t| &t.people.owners), &team.people.owners),
        ("set values without reading them", old(|t| &t.people.editors), &team.people.editors),
        ("see the names of secrets", old(|t| &t.people.viewers), &team.people.viewers),
    ];
    for (what, before, after) in lists {
        for group in after.iter().filter(|group| !before.contains(group)) {
            lines.push(format!("people in {group} will {what}"));
        }
        for group in before.iter().filter(|group| !after.contains(group)) {
            lines.push(format!("people in {group} will no longer {what}"));
        }
    }
}

fn holder(binding: &Binding) -> String {
    match &binding.holder {
        Holder::People { group } => format!("the group {group}"),
        Holder::Accounts { cluster, namespace, accounts, host } => {
            let names: Vec<&str> = accounts.iter().map(ServiceAccountName::as_str).collect();
            let word = if names.len() == 1 { "service account" } else { "service accounts" };
            let whose =
                host.as_ref().map(|team| format!(" of the team {team}")).unwrap_or_default();
            format!("{word} {} in {namespace} ({cluster}){whose}", names.join(", "))
        }
    }
}

fn gives(team: &Team, binding: &Binding) -> String {
    let mut parts = Vec::new();
    for access in &binding.access {
        let verb = match access.level {
            Level::List => "list",
            Level::Read => "read",
            Level::Write => "read and set",
            Level::Admin => "read, set and delete",
        };
        let path = access.path.to_string();
        let what = match path.strip_suffix("/*") {
            _ if access.path.is_whole_mount() => "everything".to_owned(),
            Some(folder) => format!("everything beneath {folder}"),
            None => path,
        };
        parts.push(format!("{verb} {what} in team/{}/{}", team.name, access.mount));
    }
    let end = binding.until.map(|until| format!(", until {until}")).unwrap_or_default();
    format!("{} will {}{end}", holder(binding), parts.join(" and "))
}
