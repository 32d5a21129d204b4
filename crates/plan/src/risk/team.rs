//! What a change of a team's document is worth: people, mounts, claims, limits.

use std::collections::BTreeSet;

use strongroom_domain::document::Team;
use strongroom_domain::document::team::{Claim, Environment, Holder};
use strongroom_domain::risk::Risk;
use strongroom_vault_model::name::GroupName;

use super::{Judged, access};
use crate::sharing::shared;

/// A team that was not there before.
pub(super) fn first(found: &mut Judged, team: &Team) {
    found.add(Risk::High, format!("{} is a new team and names its own people", team.name));
    for claim in &team.namespaces {
        found.add(Risk::High, format!("first claim on {}", place(claim)));
    }
    for binding in &team.bindings {
        access::judge(found, None, team, binding);
    }
}

/// A team that was there.
pub(super) fn change(found: &mut Judged, base: &Team, team: &Team) {
    judge_removal(found, base, team);
    judge_people(found, base, team);
    judge_mounts(found, base, team);
    judge_claims(found, base, team);
    access::changes(found, base, team);
    if base.display_name != team.display_name || base.contact != team.contact {
        found.add(Risk::Normal, "the team's display name or contact changes".into());
    }
    if base.requests_per_second != team.requests_per_second {
        found.add(Risk::Normal, "the rate limit changes".into());
    }
}

fn judge_removal(found: &mut Judged, base: &Team, team: &Team) {
    let name = &team.name;
    match (base.removed, team.removed) {
        (false, true) => found.add(
            Risk::Critical,
            format!("{name} is taken off: nobody reaches its secrets any more, its data is kept"),
        ),
        (true, false) => {
            found.add(Risk::High, format!("{name} comes back with the data that was kept"));
        }
        _ => {}
    }
}

/// Namespaces of this team, or used by it, whose new UID is to be trusted.
pub(super) fn attested(found: &mut Judged, team: &Team, attest: &[String]) {
    for shared in shared(team).filter(|shared| attest.contains(&shared.place())) {
        let (place, host) = (shared.place(), shared.host);
        let text =
            format!("the namespace {place} of the team {host} was made anew and would be trusted");
        found.share(host, text);
    }
    for claim in &team.namespaces {
        let name = format!("{}/{}", claim.cluster, claim.name);
        if attest.contains(&name) {
            found.add(
                Risk::High,
                format!("the namespace {name} was made anew and would be trusted again"),
            );
        }
    }
}

fn place(claim: &Claim) -> String {
    format!("the namespace {} of {}", claim.name, claim.cluster)
}

fn judge_people(found: &mut Judged, base: &Team, team: &Team) {
    let lists = [
        ("owners", &base.people.owners, &team.people.owners),
        ("editors", &base.people.editors, &team.people.editors),
        ("viewers", &base.people.viewers, &team.people.viewers),
    ];
    for (what, old, new) in lists {
        let set = |groups: &[GroupName]| groups.iter().cloned().collect::<BTreeSet<_>>();
        for group in set(new).difference(&set(old)) {
            found.add(Risk::High, format!("the group {group} becomes {what} of the team"));
        }
        for group in set(old).difference(&set(new)) {
            found.add(Risk::High, format!("the group {group} is no longer {what} of the team"));
        }
    }
}

fn judge_mounts(found: &mut Judged, base: &Team, team: &Team) {
    for old in &base.mounts {
        match team.mounts.iter().find(|mount| mount.name == old.name) {
            None => found.add(
                Risk::Critical,
                format!("the mount {} is taken off and its data quarantined", old.name),
            ),
            Some(mount) if mount.max_versions < old.max_versions => {
                found.add(Risk::Critical, super::older_versions(old.name.as_str()));
            }
            Some(mount) if mount.max_versions > old.max_versions => {
                found.add(Risk::Normal, format!("the mount {} keeps more versions", old.name));
            }
            Some(_) => {}
        }
    }
    for mount in &team.mounts {
        if !base.mounts.iter().any(|old| old.name == mount.name) {
            found.add(Risk::Normal, format!("the mount {} is new", mount.name));
        }
    }
}

fn judge_claims(found: &mut Judged, base: &Team, team: &Team) {
    for claim in &team.namespaces {
        let place = place(claim);
        let Some(old) = base.claim(&claim.cluster, &claim.name) else {
            found.add(Risk::High, format!("first claim on {place}"));
            continue;
        };
        if old.environment != claim.environment {
            let (from, to) = (old.environment.as_str(), claim.environment.as_str());
            let calmer = no_longer(base, team, old);
            found.add(Risk::High, format!("{place} changes from {from} to {to}{calmer}"));
        }
        if claim.token_ttl > old.token_ttl {
            found.add(Risk::High, format!("tokens of {place} live longer"));
        } else if claim.token_ttl < old.token_ttl {
            found.narrow(format!("tokens of {place} live shorter"));
        }
    }
    for old in &base.namespaces {
        if team.claim(&old.cluster, &old.name).is_none() {
            let calmer = no_longer(base, team, old);
            found.add(Risk::High, format!("the claim on {} is given up{calmer}", place(old)));
        }
    }
}

/// The paths that were production through this namespace and are not any more.
fn no_longer(base: &Team, team: &Team, claim: &Claim) -> String {
    if claim.environment != Environment::Production {
        return String::new();
    }
    let of_claim = base.bindings.iter().filter(|binding| match &binding.holder {
        Holder::Accounts { cluster, namespace, .. } => {
            *cluster == claim.cluster && *namespace == claim.name
        }
        Holder::People { .. } => false,
    });
    access::no_longer_production(team, of_claim)
}
