//! Namespaces that documents claim, and who claims them already.

use std::collections::{BTreeMap, BTreeSet};

use strongroom_domain::document::team::{Binding, Holder};
use strongroom_domain::document::{Document, Team};
use strongroom_domain::name::TeamName;
use strongroom_domain::subject::Subject;
use strongroom_storage::request::Visibility;

use crate::context::Ctx;
use crate::error::{AppError, FieldFault};

/// Where documents of a body stand, and what they are.
pub(crate) type Placed<'a> = (String, &'a Document);

/// A fault for each namespace that another team claims, in this body or as applied.
pub(crate) async fn foreign_claims(
    ctx: &Ctx,
    visibility: &Visibility,
    documents: &[Placed<'_>],
) -> Result<Vec<FieldFault>, AppError> {
    let mut wanted: BTreeMap<String, Vec<(String, &Team)>> = BTreeMap::new();
    for (base, document) in documents {
        let Document::Team(team) = document else {
            continue;
        };
        for (number, claim) in team.namespaces.iter().enumerate() {
            let place = format!("{base}/spec/namespaces/{number}");
            let name = format!("{}/{}", claim.cluster, claim.name);
            wanted.entry(name).or_default().push((place, team));
        }
    }
    let names: BTreeSet<String> = wanted.keys().cloned().collect();
    if names.is_empty() {
        return Ok(Vec::new());
    }
    // A team of this very body may give up in it what another one takes.
    let proposed: BTreeMap<&str, &Team> = documents
        .iter()
        .filter_map(|(_, document)| match document {
            Document::Team(team) => Some((team.name.as_str(), &**team)),
            _ => None,
        })
        .collect();
    let mut faults = Vec::new();
    for (name, places) in &wanted {
        for (place, _) in places.iter().skip(1) {
            let message = format!("the namespace {name} is claimed twice in this request");
            faults.push(FieldFault::new(place, message));
        }
    }
    for row in ctx.app.store.claims_of_namespaces(&names).await? {
        let name = format!("{}/{}", row.cluster, row.namespace);
        let given_up = proposed.get(row.team.as_str()).is_some_and(|team| {
            !team.namespaces.iter().any(|c| format!("{}/{}", c.cluster, c.name) == name)
        });
        if given_up {
            continue;
        }
        // Who holds it is told only to those who may see that team.
        let holder = if visibility.all || visibility.teams.contains(&row.team) {
            format!("the team {}", row.team)
        } else {
            "another team".to_owned()
        };
        for (place, team) in wanted.get(&name).into_iter().flatten() {
            if team.name.as_str() != row.team {
                faults.push(FieldFault::new(
                    place,
                    format!(
                        "the namespace {name} is claimed by {holder}; a namespace has one team"
                    ),
                ));
            }
        }
    }
    Ok(faults)
}

/// The owners of teams whose namespaces a document begins to use, or uses otherwise than the applied
/// one: they vote on it, so they see the request.
pub(crate) async fn hosts_owners(
    ctx: &Ctx,
    base: Option<&Document>,
    document: &Document,
) -> Result<Vec<String>, AppError> {
    let (Document::Team(team), base) = (document, base) else {
        return Ok(Vec::new());
    };
    let same = |binding: &Binding| match base {
        Some(Document::Team(base)) => base.bindings.contains(binding),
        _ => false,
    };
    let hosts: BTreeSet<&TeamName> = team
        .bindings
        .iter()
        .filter(|binding| !same(binding))
        .filter_map(|binding| match &binding.holder {
            Holder::Accounts { host, .. } => host.as_ref(),
            Holder::People { .. } => None,
        })
        .collect();
    let mut groups = BTreeSet::new();
    for host in hosts {
        let state = ctx.app.store.subject_state_get(&Subject::Team(host.clone())).await?;
        let bytes = state.and_then(|state| state.applied_document);
        if let Some(Ok(Document::Team(host))) = bytes.as_deref().map(Document::from_canonical) {
            groups.extend(host.people.owners.iter().map(ToString::to_string));
        }
    }
    Ok(groups.into_iter().collect())
}

/// The groups that a team's document names as owners and editors: they see a request for the team
/// before the team exists, because they vote on it.
pub(crate) fn seen_by(document: &Document) -> Vec<String> {
    let Document::Team(team) = document else {
        return Vec::new();
    };
    let groups = team.people.owners.iter().chain(&team.people.editors);
    let groups: BTreeSet<String> = groups.map(ToString::to_string).collect();
    groups.into_iter().collect()
}
