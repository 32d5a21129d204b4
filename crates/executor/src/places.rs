//! Where the accounts of bindings are, by the heads: whom news of a cluster concern.
//!
//! It may name a team too many, which then is looked at in vain. It must never miss one.

use std::collections::{BTreeMap, BTreeSet};

use strongroom_domain::document::Team;
use strongroom_domain::document::team::Holder;
use strongroom_kubernetes::{Inventory, InventoryState};
use strongroom_vault_model::name::{ClusterName, NamespaceName, TeamName};

/// The teams with bindings for accounts of each namespace, and how many bindings each team has.
#[derive(Debug, Default)]
pub(crate) struct Places {
    teams: BTreeMap<ClusterName, BTreeMap<NamespaceName, Vec<TeamName>>>,
    bindings: BTreeMap<TeamName, usize>,
    count: usize,
}

impl Places {
    /// A document of the team, applied or being applied. Places it had before stay.
    pub(crate) fn add(&mut self, team: &Team) {
        for binding in &team.bindings {
            let Holder::Accounts { cluster, namespace, .. } = &binding.holder else {
                continue;
            };
            let cluster = self.teams.entry(cluster.clone()).or_default();
            let teams = cluster.entry(namespace.clone()).or_default();
            if !teams.contains(&team.name) {
                teams.push(team.name.clone());
            }
        }
    }

    /// How many bindings the team's applied document has.
    pub(crate) fn count(&mut self, team: &TeamName, bindings: usize) {
        let before = self.bindings.insert(team.clone(), bindings).unwrap_or(0);
        self.count = self.count - before + bindings;
    }

    /// All bindings of all teams.
    pub(crate) fn bindings(&self) -> usize {
        self.count
    }

    /// Whom it concerns that a cluster is now in another state than it was.
    pub(crate) fn concerned(
        &self,
        cluster: &ClusterName,
        before: Option<&InventoryState>,
        now: &InventoryState,
    ) -> BTreeSet<TeamName> {
        let Some(teams) = self.teams.get(cluster) else {
            return BTreeSet::new();
        };
        let (Some(InventoryState::Known(before)), InventoryState::Known(now)) = (before, now)
        else {
            return teams.values().flatten().cloned().collect();
        };
        let changed = changed(before, now);
        let of = |name: &&str| NamespaceName::new(*name).ok().and_then(|name| teams.get(&name));
        changed.iter().filter_map(of).flatten().cloned().collect()
    }
}

/// The namespaces in which anything is another.
fn changed<'i>(before: &'i Inventory, now: &'i Inventory) -> BTreeSet<&'i str> {
    let mut changed = BTreeSet::new();
    for (some, others) in [(before, now), (now, before)] {
        let namespaces = some.namespaces.iter();
        let moved = namespaces.filter(|(name, uid)| others.namespaces.get(*name) != Some(uid));
        changed.extend(moved.map(|(name, _)| name.as_str()));
        let accounts = some.accounts.iter();
        let moved = accounts.filter(|(name, uid)| others.accounts.get(*name) != Some(uid));
        changed.extend(moved.map(|((namespace, _), _)| namespace.as_str()));
    }
    changed
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use strongroom_domain::document::Document;

    use super::*;

    fn team(name: &str, namespaces: &[&str]) -> Team {
        let claims: Vec<String> = namespaces
            .iter()
            .map(|n| format!("{{ cluster: eu, name: {n}, environment: development }}"))
            .collect();
        let bindings: Vec<String> = namespaces
            .iter()
            .map(|n| {
                format!(
                    "{{ name: {n}, cluster: eu, namespace: {n}, serviceAccounts: [api], \
                     access: [{{ mount: kv, path: {n}/*, level: read }}] }}"
                )
            })
            .collect();
        let text = format!(
            "apiVersion: strongroom.dev/v1\nkind: Team\nmetadata: {{ name: {name} }}\nspec:\n  \
             displayName: Some\n  contact: some@example.com\n  people: {{ owners: [{{ group: some }}] }}\n  \
             mounts: [{{ name: kv, type: kv-v2 }}]\n  namespaces: [{}]\n  bindings: [{}]\n",
            claims.join(", "),
            bindings.join(", ")
        );
        match Document::from_yaml(&text).unwrap().remove(0) {
            Document::Team(team) => *team,
            other => panic!("{other:?}"),
        }
    }

    fn known(namespaces: &[(&str, &str)], accounts: &[(&str, &str)]) -> InventoryState {
        let pair = |(name, uid): &(&str, &str)| ((*name).to_owned(), (*uid).to_owned());
        let account = |(namespace, uid): &(&str, &str)| {
            (((*namespace).to_owned(), "api".to_owned()), (*uid).to_owned())
        };
        InventoryState::Known(Arc::new(Inventory {
            namespaces: namespaces.iter().map(pair).collect(),
            accounts: accounts.iter().map(account).collect(),
        }))
    }

    #[test]
    fn news_concern_those_who_have_bindings_where_anything_changed() {
        let mut places = Places::default();
        for (name, namespaces) in
            [("aa", &["one", "two"][..]), ("bb", &["two"]), ("cc", &["three"])]
        {
            let team = team(name, namespaces);
            places.add(&team);
            places.count(&team.name, team.bindings.len());
        }
        assert_eq!(places.bindings(), 4);
        let before = known(&[("one", "1"), ("two", "2"), ("three", "3")], &[("three", "x")]);
        let unknown = InventoryState::Unknown { reason: "away".into() };
        let eu = ClusterName::new("eu").unwrap();
        let concerned = |before: Option<&InventoryState>, now: &InventoryState| {
            let teams = places.concerned(&eu, before, now);
            teams.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(concerned(Some(&before), &before), "");
        for (now, whom) in [
            // A namespace made anew, one that is gone, an account that comes, goes, is another.
            (known(&[("one", "9"), ("two", "2"), ("three", "3")], &[("three", "x")]), "aa"),
            (known(&[("one", "1"), ("three", "3")], &[("three", "x")]), "aa bb"),
            (known(&[("one", "1"), ("two", "2"), ("three", "3")], &[]), "cc"),
            (known(&[("one", "1"), ("two", "2"), ("three", "3")], &[("three", "y")]), "cc"),
            (
                known(
                    &[("one", "1"), ("two", "2"), ("three", "3"), ("four", "4")],
                    &[("three", "x"), ("two", "z"), ("four", "w")],
                ),
                "aa bb",
            ),
        ] {
            assert_eq!(concerned(Some(&before), &now), whom);
            assert_eq!(concerned(Some(&now), &before), whom, "the other way round");
        }
        assert_eq!(concerned(None, &before), "aa bb cc", "seen for the first time");
        assert_eq!(concerned(Some(&before), &unknown), "aa bb cc");
        assert_eq!(concerned(Some(&unknown), &before), "aa bb cc");
        let us = ClusterName::new("us").unwrap();
        assert!(places.concerned(&us, None, &before).is_empty(), "another cluster");
    }

    #[test]
    fn a_team_that_moves_stays_known_where_it_was() {
        let mut places = Places::default();
        places.add(&team("aa", &["one"]));
        places.count(&TeamName::new("aa").unwrap(), 1);
        places.add(&team("aa", &["two"]));
        places.count(&TeamName::new("aa").unwrap(), 3);
        assert_eq!(places.bindings(), 3);
        let eu = ClusterName::new("eu").unwrap();
        let (before, now) = (known(&[("one", "1")], &[]), known(&[("one", "2")], &[]));
        assert_eq!(places.concerned(&eu, Some(&before), &now).len(), 1);
    }
}
