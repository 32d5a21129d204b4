//! What was made to stand still, or ended, while a plan was half done: the rest of the plan gives
//! nothing of it back, and lifts no hold that is newer than what people signed.
//!
//! It must never stop a plan for this: a hold is lifted by a request about the same subject, which
//! begins when the plan is done.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use strongroom_domain::document::Document;
use strongroom_domain::head::Head;
use strongroom_domain::hold::{Hold, Target};
use strongroom_plan::model::Step;
use strongroom_plan::{Holds, Plan};
use strongroom_vault_model::object::ObjectKey;
use strongroom_vault_model::policy::{PolicyName, TeamRole};

use crate::error::ExecutorError;
use crate::start::Executor;

/// The outcome of a step that was left out: its object reaches nothing now, by a hold or an end.
pub(crate) const STANDS_STILL: &str = "stands-still";

/// How long a plan writes before what may not wait is looked at.
pub(crate) const LOOK: Duration = Duration::from_secs(1);

impl Executor {
    /// What may not wait until a long plan is done: who suspends something, what ends, and accounts
    /// that come and go. `true`: something was written, so what was read before may be of before.
    ///
    /// What goes wrong here is for the next pass, and stops no plan.
    pub(crate) async fn others_look(&mut self) -> Result<bool, ExecutorError> {
        let written = self.written.load(Ordering::Relaxed);
        let looked = self.orders_take().await;
        self.left_for_later(looked)?;
        let looked = self.suspensions_take().await;
        self.left_for_later(looked)?;
        let looked = self.inventory_store().await;
        self.left_for_later(looked)?;
        let looked = self.bindings_keep().await;
        self.left_for_later(looked)?;
        Ok(self.written.load(Ordering::Relaxed) != written)
    }

    fn left_for_later(&self, looked: Result<(), ExecutorError>) -> Result<(), ExecutorError> {
        // A head whose write failed is not known: nothing goes on before all are loaded again.
        if self.epoch == 0 || matches!(looked, Err(ExecutorError::LeaseLost)) {
            return Err(ExecutorError::LeaseLost);
        }
        if let Err(error) = looked {
            tracing::warn!(%error, "left for after the plan");
        }
        Ok(())
    }

    /// What the plan lifts. A hold that was made after the plan was frozen stands, whatever it says.
    pub(crate) fn lifted(&self, plan: &Plan) -> Vec<Target> {
        let is_newer = |target: &&Target| {
            let head = self.heads.get(&target.subject());
            let hold = head.and_then(|head| head.head.holds.get(*target));
            hold.is_some_and(|hold| hold.since > plan.frozen_at)
        };
        plan.lift.iter().filter(|target| !is_newer(target)).cloned().collect()
    }

    /// The groups of this plan's documents that must not be there now: of teams and bindings that
    /// are held, and of bindings that have ended.
    pub(crate) fn groups_still(&self, plan: &Plan) -> Result<BTreeSet<PolicyName>, ExecutorError> {
        let lift = self.lifted(plan).into_iter().collect();
        let holds = Holds { now: self.held.clone(), lift, ..Holds::default() };
        let today = self.today();
        let mut still = BTreeSet::new();
        for planned in &plan.documents {
            let document = Document::from_value(&planned.document)
                .map_err(|_| ExecutorError::Stopped(format!("the plan of {}", planned.subject)))?;
            let Document::Team(team) = document else { continue };
            if holds.team_is_held(&team) {
                let roles = TeamRole::ALL.into_iter();
                still.extend(roles.map(|role| PolicyName::People(team.name.clone(), role)));
            }
            for binding in &team.bindings {
                let has_ended = binding.until.is_some_and(|until| until < today);
                if has_ended || holds.ends_group(&team, binding) {
                    still.insert(PolicyName::Binding(team.name.clone(), binding.name.clone()));
                }
            }
        }
        Ok(still)
    }
}

/// Whether the step makes or fills one of these groups.
pub(crate) fn gives_back(step: &Step, still: &BTreeSet<PolicyName>) -> bool {
    matches!(&step.object, ObjectKey::Group(name) if step.after.is_some() && still.contains(name))
}

/// A hold on what a half-done plan is lifting: it is newer than the plan, so that it stands.
pub(crate) fn newer_than_lift(head: &Head, target: &Target, hold: Hold) -> Option<Hold> {
    let plan = Plan::from_canonical(head.applying.as_ref()?.plan.as_bytes()).ok()?;
    let first = jiff::Timestamp::from_second(plan.frozen_at.as_second() + 1).ok()?;
    plan.lift.contains(target).then(|| Hold { since: hold.since.max(first), ..hold })
}
