//! Risk as pure code: the difference to what people last voted on, rule by rule (design section 5).

use std::collections::BTreeSet;

use strongroom_domain::document::team::{
    Access, Binding, Environment, Holder, Level, is_production_path,
};
use strongroom_domain::document::{Document, Team};
use strongroom_domain::risk::{Risk, RiskReason};
use strongroom_vault_model::name::GroupName;
use strongroom_vault_model::object::ObjectKey;

/// What a change is worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assessment {
    /// The highest risk of all reasons.
    pub risk: Risk,
    /// Why, highest first.
    pub reasons: Vec<RiskReason>,
    /// Whether the change only takes away what the team itself has.
    pub narrowing: bool,
}

/// Judges one document against the applied one.
pub fn assess(base: Option<&Document>, proposed: &Document, attest: &[String]) -> Assessment {
    let mut found = Reasons::default();
    match (base, proposed) {
        (_, Document::Cluster(cluster)) => {
            found.add(
                Risk::Critical,
                format!(
                    "cluster {} decides which API server is believed about every login there",
                    cluster.name
                ),
            );
        }
        (_, Document::Platform(_)) => {
            found.add(Risk::Critical, "the Platform document decides who must sign what".into());
        }
        (Some(Document::Team(base)), Document::Team(team)) => team_change(&mut found, base, team),
        (_, Document::Team(team)) => new_team(&mut found, team),
    }
    for namespace in attest {
        found.add(
            Risk::High,
            format!("the namespace {namespace} was made anew and would be trusted again"),
        );
    }
    let narrowing = found.narrows && found.reasons.is_empty();
    if narrowing {
        found.add(Risk::Low, "the change only takes access away from the team itself".into());
    } else if found.reasons.is_empty() {
        found.add(Risk::Normal, "the change touches no one's access".into());
    }
    found.reasons.sort_by(|a, b| (b.risk, &a.text).cmp(&(a.risk, &b.text)));
    found.reasons.dedup();
    let risk = found.reasons.first().map_or(Risk::Normal, |reason| reason.risk);
    Assessment { risk, reasons: found.reasons, narrowing }
}

impl Assessment {
    /// Adds what the change is worth since people last voted. What only takes away from the
    /// applied document stays that.
    pub fn add_up(&mut self, since_vote: Self) {
        if self.narrowing || since_vote.narrowing {
            return;
        }
        self.reasons.extend(since_vote.reasons);
        self.reasons.sort_by(|a, b| (b.risk, &a.text).cmp(&(a.risk, &b.text)));
        self.reasons.dedup();
        self.risk = self.risk.max(since_vote.risk);
    }

    /// The engine holds less of an object than what is applied, and the plan would give it back:
    /// a narrowing by hand in an emergency is never undone without people who see it.
    pub fn gives_back(&mut self, key: &ObjectKey) {
        let text =
            format!("the engine holds less than what is applied for {key}; it is given back");
        self.raise(Risk::High, text);
    }

    /// One more reason, which also means that the change does not merely narrow.
    pub(crate) fn raise(&mut self, risk: Risk, text: String) {
        if self.narrowing {
            self.narrowing = false;
            self.reasons.clear();
        }
        self.reasons.push(RiskReason { risk, text });
        self.reasons.sort_by(|a, b| (b.risk, &a.text).cmp(&(a.risk, &b.text)));
        self.risk = self.risk.max(risk);
    }
}

#[derive(Default)]
struct Reasons {
    reasons: Vec<RiskReason>,
    narrows: bool,
}

impl Reasons {
    fn add(&mut self, risk: Risk, text: String) {
        self.reasons.push(RiskReason { risk, text });
    }
}

fn new_team(found: &mut Reasons, team: &Team) {
    found.add(Risk::High, format!("{} is a new team and names its own people", team.name));
    for claim in &team.namespaces {
        found.add(
            Risk::High,
            format!("first claim on the namespace {} of {}", claim.name, claim.cluster),
        );
    }
    for binding in &team.bindings {
        judge_binding(found, None, team, binding);
    }
}

fn team_change(found: &mut Reasons, base: &Team, team: &Team) {
    judge_people(found, base, team);
    judge_mounts(found, base, team);
    judge_claims(found, base, team);
    for binding in &team.bindings {
        let old = base.bindings.iter().find(|old| old.name == binding.name);
        if old != Some(binding) {
            judge_binding(found, Some(base), team, binding);
        }
    }
    for old in &base.bindings {
        if !team.bindings.iter().any(|binding| binding.name == old.name) {
            found.narrows = true;
        }
    }
    if base.display_name != team.display_name || base.contact != team.contact {
        found.add(Risk::Normal, "the team's display name or contact changes".into());
    }
    if base.requests_per_second != team.requests_per_second {
        found.add(Risk::Normal, "the rate limit changes".into());
    }
}

fn judge_people(found: &mut Reasons, base: &Team, team: &Team) {
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

fn judge_mounts(found: &mut Reasons, base: &Team, team: &Team) {
    for old in &base.mounts {
        match team.mounts.iter().find(|mount| mount.name == old.name) {
            None => found.add(
                Risk::Critical,
                format!("the mount {} is taken off and its data quarantined", old.name),
            ),
            Some(mount) if mount.max_versions < old.max_versions => found.add(
                Risk::Critical,
                format!("older versions in the mount {} are removed", old.name),
            ),
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

fn judge_claims(found: &mut Reasons, base: &Team, team: &Team) {
    for claim in &team.namespaces {
        let place = format!("the namespace {} of {}", claim.name, claim.cluster);
        match base.claim(&claim.cluster, &claim.name) {
            None => found.add(Risk::High, format!("first claim on {place}")),
            Some(old) => {
                if old.environment != claim.environment {
                    found.add(
                        Risk::High,
                        format!(
                            "{place} changes from {} to {}",
                            old.environment.as_str(),
                            claim.environment.as_str()
                        ),
                    );
                }
                if claim.token_ttl > old.token_ttl {
                    found.add(Risk::High, format!("tokens of {place} live longer"));
                } else if claim.token_ttl < old.token_ttl {
                    found.narrows = true;
                }
            }
        }
    }
    for old in &base.namespaces {
        if team.claim(&old.cluster, &old.name).is_none() {
            found.add(
                Risk::High,
                format!("the claim on the namespace {} of {} is given up", old.name, old.cluster),
            );
        }
    }
}

fn judge_binding(found: &mut Reasons, base: Option<&Team>, team: &Team, binding: &Binding) {
    let name = &binding.name;
    let old = base.and_then(|base| base.bindings.iter().find(|old| old.name == *name));
    if let Some(old) = old {
        match (old.until, binding.until) {
            (None, Some(_)) => found.narrows = true,
            (Some(_), None) => found.add(Risk::High, format!("{name} no longer ends")),
            (Some(old), Some(new)) if new > old => {
                found.add(Risk::High, format!("{name} ends later"));
            }
            (Some(old), Some(new)) if new < old => found.narrows = true,
            _ => {}
        }
        if !is_subset(old, binding) {
            found.narrows = true;
        }
    }
    for access in added(old, binding) {
        // The applied document counts too: what production used until this very request is not
        // made harmless by taking production off in the same breath.
        judge_access(found, team, base, binding, access);
    }
}

/// Whether everything the old binding gave is still given.
fn is_subset(old: &Binding, new: &Binding) -> bool {
    added(Some(new), old).is_empty()
}

/// What the new binding gives to anybody that the old one did not give to the same.
fn added<'a>(old: Option<&Binding>, new: &'a Binding) -> Vec<&'a Access> {
    let Some(old) = old else {
        return new.access.iter().collect();
    };
    let same_holders = match (&old.holder, &new.holder) {
        (
            Holder::Accounts { cluster, namespace, accounts },
            Holder::Accounts { cluster: new_cluster, namespace: new_namespace, accounts: new },
        ) => cluster == new_cluster && namespace == new_namespace && new.is_subset(accounts),
        (Holder::People { group }, Holder::People { group: new }) => group == new,
        _ => false,
    };
    let covered = |access: &&Access| {
        old.access.iter().any(|had| {
            had.mount == access.mount && had.path.covers(&access.path) && had.level >= access.level
        })
    };
    new.access.iter().filter(|access| !(same_holders && covered(access))).collect()
}

fn judge_access(
    found: &mut Reasons,
    team: &Team,
    base: Option<&Team>,
    binding: &Binding,
    access: &Access,
) {
    let (name, path, mount) = (&binding.name, &access.path, &access.mount);
    let place = format!("{mount}/{path}");
    let mut high = false;
    let claim = match &binding.holder {
        Holder::Accounts { cluster, namespace, .. } => team.claim(cluster, namespace),
        Holder::People { .. } => None,
    };
    if claim.is_some_and(|claim| claim.environment == Environment::Production) {
        found.add(Risk::High, format!("{name} reaches {place} from production"));
        high = true;
    } else if is_production_path(team, access)
        || base.is_some_and(|base| is_production_path(base, access))
    {
        found.add(Risk::High, format!("{name} reaches {place}, which production uses"));
        high = true;
    }
    if claim.is_some() && access.level >= Level::Write {
        found.add(Risk::High, format!("{name} lets a workload change {place}"));
        high = true;
    }
    if path.is_whole_mount() {
        found.add(Risk::High, format!("{name} reaches the whole mount {mount}"));
        high = true;
    }
    if !high {
        let risk = if claim.is_some() { Risk::Low } else { Risk::Normal };
        found.add(risk, format!("{name} reaches {place}"));
    }
}
