//! A plan in plain words, made from the plan's own bytes.

use strongroom_domain::document::team::{Binding, Holder, Level};
use strongroom_domain::document::{Document, Team};
use strongroom_vault_model::name::ServiceAccountName;

use crate::build::Change;

/// One sentence per thing that changes for somebody.
pub fn sentences(changes: &[Change]) -> Vec<String> {
    let mut lines = Vec::new();
    for change in changes {
        match (&change.base, &change.proposed) {
            (Some(Document::Team(base)), Document::Team(team)) => {
                team_change(&mut lines, base, team);
            }
            (_, Document::Team(team)) => new_team(&mut lines, team),
            (base, Document::Cluster(cluster)) => {
                let verb = if base.is_some() { "changes" } else { "is new" };
                lines.push(format!(
                    "cluster {} {verb}: logins there are checked at {}",
                    cluster.name, cluster.server
                ));
            }
            (_, Document::Platform(_)) => lines.push("the rules of the platform change".into()),
        }
    }
    if lines.is_empty() {
        lines.push("nobody's access changes".into());
    }
    lines
}

fn new_team(lines: &mut Vec<String>, team: &Team) {
    lines.push(format!("team {} ({}) is new", team.name, team.display_name));
    for mount in &team.mounts {
        lines.push(format!("a secret engine is mounted at team/{}/{}", team.name, mount.name));
    }
    people(lines, None, team);
    for binding in &team.bindings {
        lines.push(gives(team, binding));
    }
}

fn team_change(lines: &mut Vec<String>, base: &Team, team: &Team) {
    people(lines, Some(base), team);
    for mount in &team.mounts {
        if !base.mounts.iter().any(|old| old.name == mount.name) {
            lines.push(format!("a secret engine is mounted at team/{}/{}", team.name, mount.name));
        }
    }
    for old in &base.mounts {
        if !team.mounts.iter().any(|mount| mount.name == old.name) {
            let at = format!("team/{}/{}", team.name, old.name);
            lines.push(format!("all access to {at} ends; its data is kept (quarantined)"));
        }
    }
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
        Holder::Accounts { cluster, namespace, accounts } => {
            let names: Vec<&str> = accounts.iter().map(ServiceAccountName::as_str).collect();
            let word = if names.len() == 1 { "service account" } else { "service accounts" };
            format!("{word} {} in {namespace} ({cluster})", names.join(", "))
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
