//! Roles that follow a Cluster or Platform document: what every team's roles take from it.
//!
//! A role names its cluster's audience and the platform's longest life of tokens. A plan that changes
//! either rewrites the roles of all teams under one of its standing orders, so that it stays small
//! however many teams there are. A role that somebody changed by hand is none of its business.

use std::collections::BTreeSet;

use strongroom_domain::document::{Cluster, Document, Team};
use strongroom_vault_model::object::{Fields, ObjectKey};

use crate::build::{Change, Context};
use crate::desired::role_of;
use crate::steps::same;

/// The standing order under which roles are written again.
pub const ORDER: &str = "write what a Cluster or Platform document says into the roles of teams";

/// What roles take from documents that are not their team's.
pub const FIELDS: [&str; 2] = ["audience", "token_max_ttl"];

/// What roles held and what they are to hold.
#[derive(Debug, Clone)]
pub struct Follow {
    /// The contexts in which a role may have been written.
    before: Vec<Context>,
    after: Context,
    orders: BTreeSet<String>,
}

/// One role that becomes another.
#[derive(Debug, Clone, PartialEq)]
pub struct Following {
    /// The role.
    pub key: ObjectKey,
    /// What it is to hold.
    pub after: Fields,
    /// What it may hold before.
    before: Vec<Fields>,
}

impl Following {
    /// Whether the role is as some plan left it, so that it is written again.
    pub fn is_ours(&self, found: &Fields) -> bool {
        !same(&self.key, &self.after, found)
            && self.before.iter().any(|before| same(&self.key, before, found))
    }
}

impl Follow {
    /// What follows from these changes; `None` when no role of any team does.
    pub fn of(context: &Context, changes: &[Change]) -> Option<Self> {
        let orders = orders(context, changes);
        if orders.is_empty() {
            return None;
        }
        let mut before = context.clone();
        for change in changes {
            if let Some(Document::Cluster(cluster)) = &change.base {
                before.clusters.insert(cluster.name.clone(), (**cluster).clone());
            }
        }
        let by_steps = context.after(changes);
        let mut after = by_steps.clone();
        for change in changes {
            match &change.proposed {
                Document::Platform(platform) => after.platform = (**platform).clone(),
                Document::Cluster(cluster) => {
                    after.clusters.insert(cluster.name.clone(), (**cluster).clone());
                }
                Document::Team(_) => {}
            }
        }
        Some(Self { before: vec![before, by_steps], after, orders })
    }

    /// The standing orders under which it is done; people signed each of them, or nothing follows.
    pub fn orders(&self) -> &BTreeSet<String> {
        &self.orders
    }

    /// The way back of a plan that stopped in the middle.
    /// The way back of a plan that stopped in the middle.
    #[must_use]
    pub fn back(self) -> Self {
        let Self { before, after, orders } = self;
        let mut before = before.into_iter();
        match before.next() {
            Some(first) => {
                Self { before: [after].into_iter().chain(before).collect(), after: first, orders }
            }
            None => Self { before: Vec::new(), after, orders },
        }
    }

    /// The roles of one team, by its document once the plan is applied.
    pub fn roles(&self, team: &Team) -> Vec<Following> {
        if team.removed {
            return Vec::new();
        }
        let following = |claim| {
            let (key, after) = role_of(&self.after, team, claim)?;
            let before = self.before.iter().filter_map(|context| role_of(context, team, claim));
            let before: Vec<Fields> = before.map(|(_, fields)| fields).collect();
            before.iter().any(|before| *before != after).then_some(Following { key, after, before })
        };
        team.namespaces.iter().filter_map(following).collect()
    }
}

/// Whether tokens may live longer in all clusters once this is applied.
pub fn lengthens(context: &Context, changes: &[Change]) -> bool {
    changes.iter().any(|change| ceiling(context, change).is_some_and(|(old, new)| new > old))
}

/// The longest life of workloads' tokens, seconds, where a change makes it another: old and new.
fn ceiling(context: &Context, change: &Change) -> Option<(u32, u32)> {
    let Document::Platform(proposed) = &change.proposed else { return None };
    let after = Context { platform: (**proposed).clone(), ..context.clone() };
    let (old, new) = (context.token_ttl_ceiling(), after.token_ttl_ceiling());
    (old != new).then_some((old, new))
}

/// The audience of a cluster, where a change makes it another: the cluster as it was and will be.
fn audience(change: &Change) -> Option<(&Cluster, &Cluster)> {
    match (&change.base, &change.proposed) {
        (Some(Document::Cluster(base)), Document::Cluster(proposed))
            if base.audience != proposed.audience =>
        {
            Some((&**base, &**proposed))
        }
        _ => None,
    }
}

/// The standing orders that these changes bring for roles, each as people read it before they vote.
pub(crate) fn orders(context: &Context, changes: &[Change]) -> BTreeSet<String> {
    let audiences = changes.iter().filter_map(audience).map(|(_, proposed)| {
        format!(
            "write the audience {} into the role of every namespace that a team claims in the cluster \
             {}",
            proposed.audience, proposed.name
        )
    });
    let ceilings = changes.iter().filter_map(|change| ceiling(context, change)).map(|(_, new)| {
        format!(
            "write {new} seconds, or the namespace's own tokenTtl where that is longer, as the longest \
             life of tokens into the role of every namespace that a team claims"
        )
    });
    audiences.chain(ceilings).collect()
}

/// What it means for workloads, one sentence each.
pub(crate) fn sentences(context: &Context, changes: &[Change]) -> Vec<String> {
    let audiences = changes.iter().filter_map(audience).map(|(base, proposed)| {
        format!(
            "workloads in cluster {} log in with tokens made for {} from then on; those made for {} are \
             refused",
            proposed.name, proposed.audience, base.audience
        )
    });
    let ceilings = changes.iter().filter_map(|change| ceiling(context, change)).map(|(old, new)| {
        format!(
            "tokens of all workloads live {new} seconds at most, with their renewals, instead of {old}; \
             those of a namespace with a longer tokenTtl live that long"
        )
    });
    audiences.chain(ceilings).collect()
}
