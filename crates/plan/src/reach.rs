//! Who can reach what, by the documents that are applied: asked by path or by holder.
//!
//! Of all policies of one token the engine takes the one most specific rule, so a narrow rule of one
//! can hide a wider one of another. What is answered here is what the engine allows to a token that has
//! just these policies. Nothing here knows what else is in the engine: that is said beside the answer.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use strongroom_domain::document::Team;
use strongroom_domain::document::team::Holder as Named;
use strongroom_vault_model::name::{GroupName, TeamName};
use strongroom_vault_model::object::{self, Account};
use strongroom_vault_model::path::{SecretPath, TeamMount};
use strongroom_vault_model::policy::{Area, PolicyName, RulePath, TeamRole, winner};

use crate::desired::{accounts, binding_rules, mounts};

/// Somebody who holds rights.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Holder {
    /// A service account.
    Account(Account),
    /// People in a provider's group, by this group alone.
    Group(GroupName),
}

/// What one rule lets a holder do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reached {
    /// Who.
    pub holder: Holder,
    /// The rule that decides, as it stands in the policies.
    pub rule: String,
    /// What it allows, in the engine's words.
    pub may: BTreeSet<String>,
    /// The policies in which the holder has it.
    pub policies: BTreeSet<PolicyName>,
}

/// What people ask about one secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Deed {
    /// See that it is there, its versions and their times.
    See,
    /// Read its values.
    Read,
    /// Set values.
    Write,
    /// Delete a version, so that it can be brought back.
    Delete,
    /// Bring a deleted version back.
    Undelete,
    /// Destroy a version for good.
    Destroy,
    /// Remove it with all its versions.
    Purge,
}

impl Deed {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::See,
        Self::Read,
        Self::Write,
        Self::Delete,
        Self::Undelete,
        Self::Destroy,
        Self::Purge,
    ];

    /// The word that people use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::See => "see",
            Self::Read => "read",
            Self::Write => "write",
            Self::Delete => "delete",
            Self::Undelete => "undelete",
            Self::Destroy => "destroy",
            Self::Purge => "purge",
        }
    }

    /// The engine's path and word for it.
    fn request(self, mount: &TeamMount, secret: &SecretPath) -> (String, &'static str) {
        let (area, word) = match self {
            Self::See => (Area::Metadata, "read"),
            Self::Read => (Area::Data, "read"),
            Self::Write => (Area::Data, "update"),
            Self::Delete => (Area::Data, "delete"),
            Self::Undelete => (Area::Undelete, "update"),
            Self::Destroy => (Area::Destroy, "update"),
            Self::Purge => (Area::Metadata, "delete"),
        };
        let path = RulePath { mount: mount.clone(), area, path: secret.clone() };
        (path.to_string(), word)
    }
}

/// What a holder may do with one secret, and by which rule each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holding {
    /// Who.
    pub holder: Holder,
    /// What, and why, by the policies that count now.
    pub now: BTreeMap<Deed, Reached>,
    /// What else, once all policies that the documents give count.
    pub later: BTreeMap<Deed, Reached>,
}

/// One rule of a holder in a team: the policies it stands in, and what each of them allows.
type Rule = BTreeMap<PolicyName, BTreeSet<String>>;

/// All rules of one holder in one team.
type Rules = BTreeMap<String, Rule>;

/// Everything that applied documents give.
#[derive(Debug, Clone, Default)]
pub struct Reach {
    teams: BTreeMap<TeamName, Vec<(Holder, Rules)>>,
    holders: BTreeMap<Holder, BTreeSet<TeamName>>,
}

impl Reach {
    /// What one team's document gives on a day, instead of what was known of it.
    pub fn set(&mut self, team: &Team, today: Date) {
        self.forget(&team.name);
        let mut held: BTreeMap<Holder, Rules> = BTreeMap::new();
        for (holder, policy, rules) in given(team, today) {
            let all = held.entry(holder).or_default();
            for (path, words) in rules {
                all.entry(path).or_default().entry(policy.clone()).or_default().extend(words);
            }
        }
        for holder in held.keys() {
            self.holders.entry(holder.clone()).or_default().insert(team.name.clone());
        }
        self.teams.insert(team.name.clone(), held.into_iter().collect());
    }

    /// A team has no document any more.
    pub fn forget(&mut self, team: &TeamName) {
        for (holder, _) in self.teams.remove(team).into_iter().flatten() {
            if let Some(teams) = self.holders.get_mut(&holder) {
                teams.remove(team);
                if teams.is_empty() {
                    self.holders.remove(&holder);
                }
            }
        }
    }

    /// Everybody who has a rule anywhere.
    pub fn holders(&self) -> impl Iterator<Item = &Holder> {
        self.holders.keys()
    }

    /// Everybody whom some rule lets do something at a path of the engine, such as
    /// `team/payments/kv/data/prod/api/db`; a path with `/` at its end is a list.
    pub fn who_can(&self, path: &str) -> Vec<Reached> {
        let team = path.strip_prefix("team/").and_then(|rest| rest.split('/').next());
        let team = team.and_then(|name| TeamName::new(name).ok());
        let holders = team.and_then(|team| self.teams.get(&team)).into_iter().flatten();
        holders.filter_map(|(holder, rules)| decided(holder, rules, path)).collect()
    }

    /// Who may do what with one secret, now and once everything counts. A policy that does not count
    /// for its holder now hides no rule of another.
    pub fn who_may(
        &self,
        mount: &TeamMount,
        secret: &SecretPath,
        counts: impl Fn(&Holder, &PolicyName) -> bool,
    ) -> Vec<Holding> {
        let asked = Deed::ALL.map(|deed| (deed, deed.request(mount, secret)));
        let may = |holder: &Holder, rules: &Rules| -> BTreeMap<Deed, Reached> {
            let allowed = asked.iter().filter_map(|(deed, (path, word))| {
                let reached = decided(holder, rules, path)?;
                reached.may.contains(*word).then_some((*deed, reached))
            });
            allowed.collect()
        };
        let holders = self.teams.get(&mount.team).into_iter().flatten();
        let held = holders.map(|(holder, rules)| {
            let counted: Rules = rules
                .iter()
                .map(|(path, rule)| (path.clone(), only(rule, |policy| counts(holder, policy))))
                .filter(|(_, rule)| !rule.is_empty())
                .collect();
            let (now, mut later) = (may(holder, &counted), may(holder, rules));
            later.retain(|deed, _| !now.contains_key(deed));
            Holding { holder: holder.clone(), now, later }
        });
        held.filter(|held| !held.now.is_empty() || !held.later.is_empty()).collect()
    }

    /// Every rule that a holder has, in all teams, by policy.
    pub fn what_can(&self, holder: &Holder) -> Vec<Reached> {
        let teams = self.holders.get(holder).into_iter().flatten();
        let rules = teams.filter_map(|team| self.teams.get(team)).flatten();
        let rules = rules.filter(|(each, _)| each == holder).flat_map(|(_, rules)| rules);
        rules
            .flat_map(|(path, rule)| rule.iter().map(move |(policy, may)| (path, policy, may)))
            .map(|(path, policy, may)| Reached {
                holder: holder.clone(),
                rule: path.clone(),
                may: may.clone(),
                policies: [policy.clone()].into(),
            })
            .collect()
    }
}

fn only(rule: &Rule, counts: impl Fn(&PolicyName) -> bool) -> Rule {
    let counted = rule.iter().filter(|(policy, _)| counts(policy));
    counted.map(|(policy, words)| (policy.clone(), words.clone())).collect()
}

/// The rule of a holder that decides about a path.
fn decided(holder: &Holder, rules: &Rules, path: &str) -> Option<Reached> {
    let (rule, held) = winner(rules, path)?;
    Some(Reached {
        holder: holder.clone(),
        rule: rule.to_owned(),
        may: held.values().flatten().cloned().collect(),
        policies: held.keys().cloned().collect(),
    })
}

/// Who gets which policy's rules by a document.
fn given(
    team: &Team,
    today: Date,
) -> Vec<(Holder, PolicyName, BTreeMap<String, BTreeSet<String>>)> {
    let mut given = Vec::new();
    if team.removed {
        return given;
    }
    let mounts = mounts(team);
    for role in TeamRole::ALL {
        let groups = match role {
            TeamRole::Owner => &team.people.owners,
            TeamRole::Editor => &team.people.editors,
            TeamRole::Viewer => &team.people.viewers,
        };
        if mounts.is_empty() {
            continue;
        }
        let name = PolicyName::People(team.name.clone(), role);
        let rules = object::people_rules(&team.name, &mounts, role).parsed();
        let of_group =
            |group: &GroupName| (Holder::Group(group.clone()), name.clone(), rules.clone());
        given.extend(groups.iter().map(of_group));
    }
    for binding in &team.bindings {
        if binding.until.is_some_and(|until| until < today) {
            continue;
        }
        let name = PolicyName::Binding(team.name.clone(), binding.name.clone());
        let rules = binding_rules(team, &binding.access).parsed();
        match &binding.holder {
            Named::People { group } => {
                given.push((Holder::Group(group.clone()), name, rules));
            }
            Named::Accounts { .. } => {
                let each = |account| (Holder::Account(account), name.clone(), rules.clone());
                given.extend(accounts(binding).into_iter().map(each));
            }
        }
    }
    given
}
