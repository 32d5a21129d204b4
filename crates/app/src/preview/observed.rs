//! What a preview takes for observed: the clusters' inventory as stored, and the engine as the
//! applied documents left it, with the differences that the executor found since.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use strongroom_domain::document::team::Holder;
use strongroom_domain::document::{Document, Team};
use strongroom_domain::name::{ClusterName, GroupName};
use strongroom_plan::build::{LiveNamespaces, keys, named_namespaces};
use strongroom_plan::desired::desired;
use strongroom_plan::sharing::{host_roles, shared};
use strongroom_plan::{Change, Context, Holds, Observed};
use strongroom_storage::finding::FindingRow;
use strongroom_storage::inventory::Inventory;
use strongroom_vault_model::object::{self, AnchorName, ObjectKey};

use crate::context::Ctx;
use crate::error::AppError;
use crate::health::executor_get;

/// Stands for the UID of a namespace whose cluster is not known now. It is shown to nobody.
const UNKNOWN_UID: &str = "unknown";

/// When the executor last knew what a preview is made from, and what is to be said when none is at
/// work.
pub(crate) async fn seen(ctx: &Ctx) -> Result<(Option<Timestamp>, Option<String>), AppError> {
    let nobody = |when: String| {
        format!(
            "no executor is at work{when}: what is in the engine and the clusters now is not known, \
             and nothing is frozen or applied before there is one again"
        )
    };
    Ok(match executor_get(&ctx.app).await? {
        Some(lease) if lease.is_held => (lease.looked_at, None),
        Some(lease) => (lease.looked_at, Some(nobody(format!(" since {:.0}", lease.until)))),
        None => (None, Some(nobody(String::new()))),
    })
}

/// The inventory of the clusters that some documents name.
#[derive(Debug, Default)]
pub(super) struct Clusters {
    known: BTreeMap<String, Inventory>,
    unknown: BTreeMap<String, String>,
}

impl Clusters {
    /// Loads them.
    pub(super) async fn load(ctx: &Ctx, changes: &[Change]) -> Result<Self, AppError> {
        let mut clusters = Self::default();
        let engine = ctx.app.store.engine_get().await?;
        for name in names(changes) {
            let found = match engine {
                Some(engine) => ctx.app.store.inventory_get(engine, name.as_str()).await?,
                None => None,
            };
            match found {
                Some((status, inventory)) if status.known => {
                    clusters.known.insert(name.to_string(), inventory);
                }
                found => {
                    let why = found.and_then(|(status, _)| status.reason);
                    let why = why.unwrap_or_else(|| "it was never read".to_owned());
                    clusters.unknown.insert(name.to_string(), why);
                }
            }
        }
        Ok(clusters)
    }

    /// Clusters that are not known now, and why.
    pub(super) fn unknown(&self) -> &BTreeMap<String, String> {
        &self.unknown
    }

    /// A namespace's UID.
    pub(super) fn namespace(&self, cluster: &ClusterName, name: &str) -> Option<String> {
        let inventory = self.known.get(cluster.as_str())?;
        let found = inventory.namespaces.iter().find(|(each, _)| each == name);
        found.map(|(_, uid)| uid.clone())
    }

    /// A service account's UID.
    pub(super) fn account(&self, cluster: &ClusterName, ns: &str, name: &str) -> Option<String> {
        let inventory = self.known.get(cluster.as_str())?;
        let found = inventory.accounts.iter().find(|(space, each, _)| space == ns && each == name);
        found.map(|(_, _, uid)| uid.clone())
    }

    /// UIDs for the plan. What is not known now is taken to be there, unchanged: the preview says
    /// so in words, and the executor reads the cluster itself.
    pub(super) fn live_namespaces(&self, changes: &[Change]) -> LiveNamespaces {
        let pins = |name: &str| changes.iter().find_map(|change| change.base_pins.get(name));
        let live = |name: String| {
            let (cluster, namespace) = name.split_once('/')?;
            let uid = if self.known.contains_key(cluster) {
                self.namespace(&cluster.parse().ok()?, namespace)
            } else {
                Some(pins(&name).cloned().unwrap_or_else(|| UNKNOWN_UID.to_owned()))
            };
            Some((name, uid))
        };
        let based: BTreeSet<String> =
            changes.iter().flat_map(|c| c.base_pins.keys().cloned()).collect();
        named_namespaces(changes).into_iter().chain(based).filter_map(live).collect()
    }
}

fn names(changes: &[Change]) -> BTreeSet<ClusterName> {
    let named = |team: &Team| -> Vec<ClusterName> {
        let claimed = team.namespaces.iter().map(|claim| claim.cluster.clone());
        claimed.chain(shared(team).map(|shared| shared.cluster.clone())).collect()
    };
    teams(changes).flat_map(named).collect()
}

fn teams(changes: &[Change]) -> impl Iterator<Item = &Team> {
    changes.iter().flat_map(|change| [Some(&change.proposed), change.base.as_ref()]).filter_map(
        |document| match document {
            Some(Document::Team(team)) => Some(&**team),
            _ => None,
        },
    )
}

/// The engine as the applied documents left it, and what findings tell of it since; everything else
/// is taken to be absent.
pub(super) async fn observe(
    ctx: &Ctx,
    context: &Context,
    changes: &[Change],
    live: &LiveNamespaces,
    findings: &[FindingRow],
) -> Result<Observed, AppError> {
    let internal = |error: Box<dyn std::error::Error + Send + Sync>| AppError::Internal(error);
    let keys = keys(context, changes).map_err(|refusal| internal(refusal.into()))?;
    let mut observed: Observed = keys.into_iter().map(|key| (key, None)).collect();
    for (anchor, group) in shared_anchors(ctx, changes).await? {
        observed.insert(ObjectKey::Anchor(anchor.clone()), Some(object::anchor(&context.mark)));
        observed.insert(ObjectKey::AnchorAlias(anchor), Some(object::anchor_alias(&group)));
    }
    // As things stand before anything is lifted.
    let holds = Holds { lift: BTreeSet::new(), ..context.holds.clone() };
    let before = Context { holds, ..context.clone() };
    for (key, fields) in host_roles(&before, changes) {
        observed.insert(key, Some(fields));
    }
    for change in changes {
        let Some(base) = &change.base else { continue };
        let suspended: BTreeSet<String> = change
            .base_pins
            .iter()
            .filter(|(name, pinned)| {
                live.get(*name).is_some_and(|uid| uid.as_ref() != Some(pinned))
            })
            .map(|(name, _)| name.clone())
            .collect();
        let objects = desired(&before, base, &suspended).map_err(|e| internal(e.into()))?;
        for (key, fields) in objects {
            observed.insert(key, Some(fields));
        }
    }
    for (key, fields) in findings.iter().filter_map(|row| row.finding.observed()) {
        if observed.get(&key).is_some() {
            observed.insert(key, fields);
        }
    }
    Ok(observed)
}

/// Anchors that applied documents of other teams already brought.
async fn shared_anchors(
    ctx: &Ctx,
    changes: &[Change],
) -> Result<Vec<(AnchorName, GroupName)>, AppError> {
    let mut groups: BTreeSet<String> = BTreeSet::new();
    for team in teams(changes) {
        let people = &team.people;
        let of_people = people.owners.iter().chain(&people.editors).chain(&people.viewers);
        groups.extend(of_people.map(ToString::to_string));
        groups.extend(team.bindings.iter().filter_map(|binding| match &binding.holder {
            Holder::People { group } => Some(group.to_string()),
            Holder::Accounts { .. } => None,
        }));
    }
    let own: BTreeSet<String> = teams(changes).map(|team| team.name.to_string()).collect();
    let used = ctx.app.store.groups_in_use(&groups, &own).await?;
    let anchor = |group: String| {
        let group = GroupName::new(&group).ok()?;
        Some((AnchorName::of(&group), group))
    };
    Ok(used.into_iter().filter_map(anchor).collect())
}
