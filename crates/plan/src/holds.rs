//! What stands still, and what a request lets go on.
//!
//! A hold of a team or a binding takes groups away, one of a cluster takes the members out of them,
//! and nothing else: policies and roles stay, and carry nothing without them. Who made a hold and whether a request may lift it is decided elsewhere.

use std::collections::{BTreeMap, BTreeSet};

use strongroom_domain::document::team::{Access, Binding, Holder};
use strongroom_domain::document::{Document, Team};
use strongroom_domain::hold::Target;
use strongroom_domain::risk::Risk;
use strongroom_domain::subject::Subject;
use strongroom_vault_model::name::{BindingName, TeamName};

use crate::build::{Change, Refusal};
use crate::risk::Assessment;
use crate::risk::access::same_place;

/// The holds that a plan is made under.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holds {
    /// What is held, each with a sentence that says by whom and why.
    pub now: BTreeMap<Target, String>,
    /// Subjects of which the stores tell different things, each with what differs.
    pub differing: BTreeMap<Subject, String>,
    /// What the request lets go on.
    pub lift: BTreeSet<Target>,
}

impl Holds {
    fn holds(&self, target: &Target) -> bool {
        self.now.contains_key(target) && !self.lift.contains(target)
    }

    /// Whether the whole team stands still.
    pub fn team_is_held(&self, team: &Team) -> bool {
        self.holds(&Target::Team(team.name.clone()))
    }

    /// Why a binding reaches nothing now: the sentence of the widest hold over it.
    pub fn over_binding(&self, team: &Team, binding: &Binding) -> Option<&str> {
        let mut targets = vec![Target::Team(team.name.clone())];
        if let Holder::Accounts { cluster, .. } = &binding.holder {
            targets.push(Target::Cluster(cluster.clone()));
        }
        targets.push(Target::Binding(team.name.clone(), binding.name.clone()));
        targets
            .iter()
            .filter(|target| self.holds(target))
            .find_map(|target| self.now.get(target).map(String::as_str))
    }

    /// Whether a hold takes the binding's group away, which a request about its team gives back. A
    /// cluster's hold takes out its members only: its lift names no team.
    pub fn ends_group(&self, team: &Team, binding: &Binding) -> bool {
        self.team_is_held(team)
            || self.holds(&Target::Binding(team.name.clone(), binding.name.clone()))
    }

    /// Whether lifting concerns this binding: what it had from before must end for good.
    pub fn lifts_binding(lift: &BTreeSet<Target>, team: &Team, binding: &Binding) -> bool {
        let of_cluster = match &binding.holder {
            Holder::Accounts { cluster, .. } => lift.contains(&Target::Cluster(cluster.clone())),
            Holder::People { .. } => false,
        };
        of_cluster
            || lift.contains(&Target::Team(team.name.clone()))
            || lift.contains(&Target::Binding(team.name.clone(), binding.name.clone()))
    }

    /// Everything to lift is held, and belongs to a document of the request.
    pub(crate) fn check(&self, changes: &[Change], refusals: &mut Vec<Refusal>) {
        let subjects: BTreeSet<Subject> =
            changes.iter().map(|change| change.proposed.subject()).collect();
        for target in &self.lift {
            let whole = Target::from(target.subject()) == *target;
            let differs = whole && self.differing.contains_key(&target.subject());
            if !subjects.contains(&target.subject()) {
                refusals.push(Refusal::LiftElsewhere(target.clone()));
            } else if !differs && !self.now.contains_key(target) {
                refusals.push(Refusal::NotHeld(target.clone()));
            }
        }
    }

    /// A hold is not got round by another name: what gives the same holder something at a path that
    /// is held is worth as much as lifting it.
    pub(crate) fn judge_beside(
        &self,
        base: Option<&Document>,
        proposed: &Document,
        assessment: &mut Assessment,
    ) {
        let (Some(Document::Team(base)), Document::Team(team)) = (base, proposed) else {
            return;
        };
        for (held, name) in self.beside(base, team) {
            let text = format!("{name} reaches what {held} reached, which is held");
            assessment.raise(Risk::High, text);
        }
    }

    /// New bindings by which the holder of a held one reaches the same: the held one, and the new.
    pub fn beside(&self, base: &Team, team: &Team) -> Vec<(BindingName, BindingName)> {
        let mut beside = Vec::new();
        for held in &base.bindings {
            let target = Target::Binding(base.name.clone(), held.name.clone());
            if !self.holds(&target) {
                continue;
            }
            for binding in &team.bindings {
                let new = !base.bindings.contains(binding) && binding.name != held.name;
                let same_path = |access: &Access| {
                    held.access
                        .iter()
                        .any(|had| had.mount == access.mount && had.path.overlaps(&access.path))
                };
                if new
                    && same_place(&held.holder, &binding.holder)
                    && binding.access.iter().any(same_path)
                {
                    beside.push((held.name.clone(), binding.name.clone()));
                }
            }
        }
        beside
    }

    /// What lifting is worth.
    pub(crate) fn judge(&self, document: &Document, assessment: &mut Assessment) {
        let subject = document.subject();
        for target in self.lift.iter().filter(|target| target.subject() == subject) {
            if let Some(why) = self.now.get(target) {
                let text = format!("{target} goes on again, which was held: {why}");
                let hosts = hosts_under(target, document);
                let risk = if hosts.is_empty() { Risk::High } else { Risk::Critical };
                assessment.hosts.extend(hosts);
                assessment.raise(risk, text);
            }
            if let Some(what) = self.differing.get(&subject)
                && Target::from(subject.clone()) == *target
            {
                assessment.raise(
                    Risk::Critical,
                    format!("{subject} is trusted again although its records differ: {what}"),
                );
            }
        }
    }
}

/// The other teams whose accounts reach something again when this is lifted.
fn hosts_under(target: &Target, document: &Document) -> BTreeSet<TeamName> {
    let Document::Team(team) = document else {
        return BTreeSet::new();
    };
    let concerned = |name: &BindingName| match target {
        Target::Binding(_, binding) => binding == name,
        Target::Team(_) => true,
        Target::Platform | Target::Cluster(_) => false,
    };
    let bindings = team.bindings.iter().filter(|binding| concerned(&binding.name));
    bindings
        .filter_map(|binding| match &binding.holder {
            Holder::Accounts { host, .. } => host.clone(),
            Holder::People { .. } => None,
        })
        .collect()
}
