//! Which namespace UIDs a plan trusts, and what stands against its documents before any step is made.
//!
//! A UID is trusted by a vote and by nothing else; what a cluster reports now only says whether the
//! pinned one is still there.

use std::collections::{BTreeMap, BTreeSet};

use strongroom_domain::document::{Document, Team};
use strongroom_vault_model::name::TeamName;

use crate::build::{Change, Context, LiveNamespaces, Refusal, claims, named_namespaces};
use crate::sharing::shared;

/// A namespace keeps the UID that was voted on, unless this very request asks to trust a new one.
pub(crate) fn pin(
    context: &Context,
    changes: &[Change],
    live: &LiveNamespaces,
    attest: &[String],
) -> Result<BTreeMap<String, String>, Vec<Refusal>> {
    let mut pins = BTreeMap::new();
    let mut refusals = Vec::new();
    let mut subjects = BTreeSet::new();
    for change in changes {
        if let Some(base) = &change.base
            && base.subject() != change.proposed.subject()
        {
            refusals.push(Refusal::OtherSubject(base.subject()));
        }
        if !subjects.insert(change.proposed.subject()) {
            refusals.push(Refusal::SubjectTwice(change.proposed.subject()));
        }
        let Document::Team(team) = &change.proposed else {
            continue;
        };
        if change.base.is_none() && context.platform.reserved_names.contains(&team.name) {
            refusals.push(Refusal::ReservedName(team.name.clone()));
        }
        check_team(context, team, &mut refusals);
        for name in claims(team) {
            let Some(live) = live.get(&name) else {
                refusals.push(Refusal::UnknownNamespace(name));
                continue;
            };
            let kept = change.base_pins.get(&name).filter(|_| !attest.contains(&name));
            let Some(uid) = kept.or(live.as_ref()) else {
                refusals.push(Refusal::NoNamespace(name));
                continue;
            };
            if pins.insert(name.clone(), uid.clone()).is_some() {
                refusals.push(Refusal::ClaimedTwice(name));
            }
        }
    }
    let named = named_namespaces(changes);
    for name in attest {
        if !named.contains(name) {
            refusals.push(Refusal::NotClaimed(name.clone()));
        }
    }
    let after = context.after(changes);
    for change in changes {
        pin_shared(&after, change, live, attest, &mut pins, &mut refusals);
        check_given_up(&after, changes, change, &mut refusals);
    }
    context.holds.check(changes, &mut refusals);
    if refusals.is_empty() { Ok(pins) } else { Err(refusals) }
}

/// A namespace of another team is trusted with the UID that its own team trusts, or by an older vote
/// on this team's document.
fn pin_shared(
    after: &Context,
    change: &Change,
    live: &LiveNamespaces,
    attest: &[String],
    pins: &mut BTreeMap<String, String>,
    refusals: &mut Vec<Refusal>,
) {
    let Document::Team(team) = &change.proposed else {
        return;
    };
    for each in shared(team) {
        let (name, host) = (each.place(), each.host.clone());
        let theirs = after.sharing.hosts.get(each.host);
        if theirs.is_none_or(|host| host.team.claim(each.cluster, each.namespace).is_none()) {
            refusals.push(Refusal::NotTheirs(name, host));
            continue;
        }
        if let Some(kept) = change.base_pins.get(&name).filter(|_| !attest.contains(&name)) {
            // In one request with its own team the namespace has that team's pin, which people
            // trust anew only where they are told so.
            if pins.get(&name).is_some_and(|theirs| theirs != kept) {
                refusals.push(Refusal::Anew(name));
            } else {
                pins.insert(name, kept.clone());
            }
            continue;
        }
        let Some(Some(live)) = live.get(&name) else {
            refusals.push(Refusal::NoNamespace(name));
            continue;
        };
        let trusted = pins.get(&name).or_else(|| theirs.and_then(|host| host.pins.get(&name)));
        if trusted != Some(live) {
            refusals.push(Refusal::NotTrustedThere(name, host));
            continue;
        }
        pins.insert(name, live.clone());
    }
}

/// A claim is not given up while another team's rights rest on it: whoever claims it next never
/// agreed to them. Where the same request names the next team as their host, that team's owners sign.
fn check_given_up(
    after: &Context,
    changes: &[Change],
    change: &Change,
    refusals: &mut Vec<Refusal>,
) {
    let (Some(Document::Team(base)), Document::Team(team)) = (&change.base, &change.proposed)
    else {
        return;
    };
    for claim in &base.namespaces {
        if team.claim(&claim.cluster, &claim.name).is_none() {
            let name = format!("{}/{}", claim.cluster, claim.name);
            let rests = |guest: &&TeamName| {
                let proposed = changes.iter().find_map(|change| match &change.proposed {
                    Document::Team(team) if team.name == **guest => Some(team),
                    _ => None,
                });
                proposed.is_none_or(|guest| {
                    shared(guest).any(|each| each.place() == name && *each.host == base.name)
                })
            };
            let guests = after.sharing.guests.teams(&claim.cluster, &claim.name).filter(rests);
            refusals.extend(guests.map(|team| Refusal::StillShared(name.clone(), team.clone())));
        }
    }
}

fn check_team(context: &Context, team: &Team, refusals: &mut Vec<Refusal>) {
    let ceiling = context.token_ttl_ceiling();
    for claim in &team.namespaces {
        if !context.clusters.contains_key(&claim.cluster) {
            refusals.push(Refusal::NoCluster(claim.cluster.clone()));
        }
        if claim.token_ttl.get() > ceiling {
            let name = format!("{}/{}", claim.cluster, claim.name);
            refusals.push(Refusal::TokenTtl(name, ceiling));
        }
    }
}
