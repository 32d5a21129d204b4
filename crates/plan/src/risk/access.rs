//! What a change of a team's bindings is worth.
//!
//! A binding is compared with the one of its name; what it gives beyond that is judged as if it
//! were new, so a rename, a move or a second binding never costs less than saying it plainly.

use std::collections::BTreeSet;

use jiff::civil::Date;
use strongroom_domain::document::Team;
use strongroom_domain::document::team::{
    Access, Binding, Environment, Holder, Level, is_production_path,
};
use strongroom_domain::risk::Risk;

use super::Judged;

/// Every binding of a team, against what the team had.
pub(super) fn changes(found: &mut Judged, base: &Team, team: &Team) {
    for binding in &team.bindings {
        let old = base.bindings.iter().find(|old| old.name == binding.name);
        if old != Some(binding) {
            judge(found, Some(base), team, binding);
        }
        judge_kept(found, base, team, binding);
    }
    for old in &base.bindings {
        if !team.bindings.iter().any(|binding| binding.name == old.name) {
            let calmer = no_longer(base, team, old);
            found.narrow(format!("{} is taken off{calmer}", old.name));
        }
    }
}

/// One binding that is new or not what it was.
pub(super) fn judge(found: &mut Judged, base: Option<&Team>, team: &Team, binding: &Binding) {
    let name = &binding.name;
    let old = base.and_then(|base| base.bindings.iter().find(|old| old.name == *name));
    if let Some((old, base)) = old.zip(base) {
        match (old.until, binding.until) {
            (None, Some(_)) => found.narrow(format!("{name} gets an end")),
            (Some(_), None) => longer(found, binding, format!("{name} no longer ends")),
            (Some(old), Some(new)) if new > old => {
                longer(found, binding, format!("{name} ends later"));
            }
            (Some(old), Some(new)) if new < old => found.narrow(format!("{name} ends earlier")),
            _ => {}
        }
        if !added(Some(binding), old).is_empty() {
            let calmer = no_longer(base, team, old);
            found.narrow(format!("{name} gives less than before{calmer}"));
        }
    }
    for access in added(old, binding) {
        // The applied document counts too: what production used until this very request is not
        // made harmless by taking production off in the same breath.
        judge_access(found, team, base, binding, access);
        if let Some(base) = base {
            judge_end(found, base, binding, access);
        }
    }
}

/// What lasts longer than people agreed to is as much as what is new: for accounts of another team
/// that team agrees too.
fn longer(found: &mut Judged, binding: &Binding, text: String) {
    match &binding.holder {
        Holder::Accounts { host: Some(host), .. } => found.share(host, text),
        _ => found.add(Risk::High, text),
    }
}

/// What the new binding gives to anybody that the old one did not give to the same.
fn added<'a>(old: Option<&Binding>, new: &'a Binding) -> Vec<&'a Access> {
    let Some(old) = old else {
        return new.access.iter().collect();
    };
    let same_holders = match (&old.holder, &new.holder) {
        (Holder::Accounts { accounts, .. }, Holder::Accounts { accounts: new_accounts, .. }) => {
            same_place(&old.holder, &new.holder) && new_accounts.is_subset(accounts)
        }
        (old, new) => same_place(old, new),
    };
    let covered = |access: &&Access| old.access.iter().any(|had| covers(had, access));
    new.access.iter().filter(|access| !(same_holders && covered(access))).collect()
}

/// Whether it is the same namespace, or the same group of people. Whoever runs things in a
/// namespace can be any of its accounts.
pub(crate) fn same_place(one: &Holder, other: &Holder) -> bool {
    match (one, other) {
        (
            Holder::Accounts { cluster, namespace, host, .. },
            Holder::Accounts {
                cluster: other_cluster,
                namespace: other_namespace,
                host: other_host,
                ..
            },
        ) => cluster == other_cluster && namespace == other_namespace && host == other_host,
        (Holder::People { group }, Holder::People { group: other }) => group == other,
        _ => false,
    }
}

fn covers(had: &Access, access: &Access) -> bool {
    had.mount == access.mount && had.path.covers(&access.path) && had.level >= access.level
}

fn environment(team: &Team, binding: &Binding) -> Option<Environment> {
    match &binding.holder {
        // What another team uses its namespace for is not ours to know: the stricter is taken.
        Holder::Accounts { host: Some(_), .. } => Some(Environment::Production),
        Holder::Accounts { cluster, namespace, .. } => {
            team.claim(cluster, namespace).map(|claim| claim.environment)
        }
        Holder::People { .. } => None,
    }
}

fn judge_access(
    found: &mut Judged,
    team: &Team,
    base: Option<&Team>,
    binding: &Binding,
    access: &Access,
) {
    let (name, path, mount) = (&binding.name, &access.path, &access.mount);
    let place = format!("{mount}/{path}");
    let mut high = false;
    if let Holder::Accounts { namespace, host: Some(host), .. } = &binding.holder {
        let text = format!("{name} gives accounts of the team {host} ({namespace}) {place}");
        found.share(host, text);
    }
    let environment = environment(team, binding);
    if environment == Some(Environment::Production) {
        found.add(Risk::High, format!("{name} reaches {place} from production"));
        high = true;
    } else if is_production_path(team, access)
        || base.is_some_and(|base| is_production_path(base, access))
    {
        found.add(Risk::High, format!("{name} reaches {place}, which production uses"));
        high = true;
    }
    if environment.is_some() && access.level >= Level::Write {
        found.add(Risk::High, format!("{name} lets a workload change {place}"));
        high = true;
    }
    if path.is_whole_mount() {
        found.add(Risk::High, format!("{name} reaches the whole mount {mount}"));
        high = true;
    }
    if !high {
        let risk = if environment.is_some() { Risk::Low } else { Risk::Normal };
        found.add(risk, format!("{name} reaches {place}"));
    }
}

/// Whether `one` lasts longer than `other`.
fn lasts_longer(one: Option<Date>, other: Option<Date>) -> bool {
    match (one, other) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(one), Some(other)) => one > other,
    }
}

/// An end is not got round by a binding of another name: what one binding gives the same namespace
/// or people only until a day, no other gives them longer without being a longer end date.
fn judge_end(found: &mut Judged, base: &Team, binding: &Binding, access: &Access) {
    let here = || base.bindings.iter().filter(|had| same_place(&had.holder, &binding.holder));
    let had_already = here().any(|had| {
        had.access.iter().any(|each| covers(each, access))
            && !lasts_longer(binding.until, had.until)
    });
    if had_already {
        return;
    }
    for had in here().filter(|had| had.name != binding.name) {
        let same_path = had
            .access
            .iter()
            .any(|each| each.mount == access.mount && each.path.overlaps(&access.path));
        if let Some(end) = had.until
            && same_path
            && lasts_longer(binding.until, had.until)
        {
            let (name, other, path) = (&binding.name, &had.name, &access.path);
            found.add(
                Risk::High,
                format!(
                    "{name} reaches {}/{path} longer than {other}, which ends on {end}",
                    access.mount
                ),
            );
        }
    }
}

/// What a binding outside production had before, and production begins to use now.
fn judge_kept(found: &mut Judged, base: &Team, team: &Team, binding: &Binding) {
    if environment(team, binding) == Some(Environment::Production) {
        return;
    }
    let old = base.bindings.iter().find(|old| old.name == binding.name);
    let added = added(old, binding);
    for access in binding.access.iter().filter(|access| !added.contains(access)) {
        if is_production_path(team, access) && !is_production_path(base, access) {
            let (name, mount, path) = (&binding.name, &access.mount, &access.path);
            found.add(
                Risk::High,
                format!("{name} reaches {mount}/{path}, which production begins to use"),
            );
        }
    }
}

fn no_longer(base: &Team, team: &Team, old: &Binding) -> String {
    if environment(base, old) == Some(Environment::Production) {
        no_longer_production(team, [old])
    } else {
        String::new()
    }
}

/// The paths of what was production that the proposed document does not know as such; the end of a
/// sentence, empty if there are none.
pub(super) fn no_longer_production<'b>(
    team: &Team,
    were: impl IntoIterator<Item = &'b Binding>,
) -> String {
    let gone: BTreeSet<String> = were
        .into_iter()
        .flat_map(|binding| &binding.access)
        .filter(|access| !is_production_path(team, access))
        .map(|access| format!("{}/{}", access.mount, access.path))
        .collect();
    if gone.is_empty() {
        return String::new();
    }
    let paths = gone.into_iter().collect::<Vec<_>>().join(", ");
    format!("; {paths} then no longer counts as production")
}
