//! What stands still, and what a request lets go on.
//!
//! A hold takes groups away and nothing else: policies and roles stay, and carry nothing without
//! them. Who made a hold and whether a request may lift it is decided elsewhere.

use std::collections::{BTreeMap, BTreeSet};

use strongroom_domain::document::team::{Binding, Holder};
use strongroom_domain::document::{Document, Team};
use strongroom_domain::hold::Target;
use strongroom_domain::risk::Risk;
use strongroom_domain::subject::Subject;

use crate::build::{Change, Refusal};
use crate::risk::Assessment;

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

    /// What lifting is worth.
    pub(crate) fn judge(&self, document: &Document, assessment: &mut Assessment) {
        let subject = document.subject();
        for target in self.lift.iter().filter(|target| target.subject() == subject) {
            if let Some(why) = self.now.get(target) {
                assessment
                    .raise(Risk::High, format!("{target} goes on again, which was held: {why}"));
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
