//! Sharing across teams: bindings of one team for service accounts in a namespace of another.
//!
//! The *host* is the team that claims the namespace, the *guest* the team whose secrets are reached.
//! Rights stay the guest's (its policy, its group); only the names that may log in stand in the
//! host's role. Nothing here decides who must sign; `risk` and `stages` do.

use std::collections::{BTreeMap, BTreeSet};

use strongroom_domain::document::team::Holder;
use strongroom_domain::document::{Document, Team};
use strongroom_vault_model::name::{ClusterName, NamespaceName, ServiceAccountName, TeamName};

use crate::build::{Change, Context};
use crate::desired::{Objects, role_of};

/// A namespace.
type Place = (ClusterName, NamespaceName);

/// What is applied for a team whose namespace another one uses.
#[derive(Debug, Clone)]
pub struct Host {
    /// Its applied document.
    pub team: Team,
    /// Namespace UIDs that its applied plan pinned.
    pub pins: BTreeMap<String, String>,
}

/// What a plan knows about other teams.
#[derive(Debug, Clone, Default)]
pub struct Sharing {
    /// The teams whose namespaces the documents name.
    pub hosts: BTreeMap<TeamName, Host>,
    /// Every team's accounts in namespaces of others.
    pub guests: Guests,
}

/// Which accounts of others' namespaces teams have bindings for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Guests(BTreeMap<TeamName, BTreeMap<Place, BTreeSet<ServiceAccountName>>>);

impl Guests {
    /// What one team's document says, instead of what was said before.
    pub fn set(&mut self, team: &Team) {
        self.0.remove(&team.name);
        self.add(team);
    }

    /// What one team's document says, beside what was said before.
    pub fn add(&mut self, team: &Team) {
        let mut places = self.0.remove(&team.name).unwrap_or_default();
        for shared in shared(team) {
            let place = (shared.cluster.clone(), shared.namespace.clone());
            places.entry(place).or_default().extend(shared.accounts.iter().cloned());
        }
        if !places.is_empty() {
            self.0.insert(team.name.clone(), places);
        }
    }

    /// A team has no document any more.
    pub fn forget(&mut self, team: &TeamName) {
        self.0.remove(team);
    }

    /// The accounts of a namespace that others have bindings for.
    pub fn accounts(
        &self,
        cluster: &ClusterName,
        namespace: &NamespaceName,
    ) -> BTreeSet<ServiceAccountName> {
        let place = (cluster.clone(), namespace.clone());
        self.0.values().filter_map(|places| places.get(&place)).flatten().cloned().collect()
    }

    /// The teams that have bindings for accounts of a namespace of another.
    pub fn teams<'g>(
        &'g self,
        cluster: &ClusterName,
        namespace: &NamespaceName,
    ) -> impl Iterator<Item = &'g TeamName> {
        let place = (cluster.clone(), namespace.clone());
        self.0.iter().filter(move |(_, places)| places.contains_key(&place)).map(|(team, _)| team)
    }
}

/// One binding of a team for accounts of another.
#[derive(Debug, Clone, Copy)]
pub struct Shared<'t> {
    /// The team that claims the namespace.
    pub host: &'t TeamName,
    /// The cluster.
    pub cluster: &'t ClusterName,
    /// The namespace.
    pub namespace: &'t NamespaceName,
    /// The accounts.
    pub accounts: &'t BTreeSet<ServiceAccountName>,
}

impl Shared<'_> {
    /// The namespace as `cluster/namespace`.
    pub fn place(&self) -> String {
        format!("{}/{}", self.cluster, self.namespace)
    }
}

/// A team's bindings for accounts of other teams.
pub fn shared(team: &Team) -> impl Iterator<Item = Shared<'_>> {
    team.bindings.iter().filter_map(|binding| match &binding.holder {
        Holder::Accounts { cluster, namespace, accounts, host: Some(host) } => {
            Some(Shared { host, cluster, namespace, accounts })
        }
        _ => None,
    })
}

/// The teams whose namespaces these documents name, before or after.
pub fn hosts_of(changes: &[Change]) -> BTreeSet<TeamName> {
    teams(changes).flat_map(shared).map(|shared| shared.host.clone()).collect()
}

fn teams(changes: &[Change]) -> impl Iterator<Item = &Team> {
    let sides = changes.iter().flat_map(|change| change.base.iter().chain([&change.proposed]));
    sides.filter_map(|document| match document {
        Document::Team(team) => Some(&**team),
        _ => None,
    })
}

impl Context {
    /// The same once these documents are applied.
    pub(crate) fn after(&self, changes: &[Change]) -> Self {
        let mut after = self.clone();
        for change in changes {
            if let Document::Team(team) = &change.proposed {
                after.sharing.guests.set(team);
                let pins = change.base_pins.clone();
                let host = Host { team: (**team).clone(), pins };
                after.sharing.hosts.insert(team.name.clone(), host);
            }
        }
        after
    }
}

/// The roles of other teams' namespaces that these documents name, before or after, with every name
/// that may log in by this context.
pub fn host_roles(context: &Context, changes: &[Change]) -> Objects {
    let mut objects = Objects::new();
    for shared in teams(changes).flat_map(shared) {
        let Some(host) = context.sharing.hosts.get(shared.host) else {
            continue;
        };
        let claim = host.team.claim(shared.cluster, shared.namespace);
        objects.extend(claim.and_then(|claim| role_of(context, &host.team, claim)));
    }
    objects
}
