//! What was made to stand still, or ended, while a plan was half done: the rest of the plan gives
//! nothing of it back, and lifts no hold that is newer than what people signed.
//!
//! It must never stop a plan for good over this: a hold is lifted by a request about the same
//! subject, which begins when the plan is done.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use strongroom_domain::document::{Document, Team};
use strongroom_domain::head::{Applied, Head};
use strongroom_domain::hold::{Hold, Target};
use strongroom_domain::pins::Pins;
use strongroom_domain::subject::Subject;
use strongroom_plan::model::{PlannedDocument, Step};
use strongroom_plan::{Holds, Plan};
use strongroom_vault_model::name::BindingName;
use strongroom_vault_model::object::ObjectKey;
use strongroom_vault_model::policy::{PolicyName, TeamRole};

use crate::error::ExecutorError;
use crate::start::Executor;

/// The outcome of a step that was left out: its object reaches nothing now, by a hold or an end.
pub(crate) const STANDS_STILL: &str = "stands-still";

/// How long a plan writes before what may not wait is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Why a group must not be there now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Still {
    /// Somebody holds it: it is taken away at once.
    Held,
    /// Its last day is over: it is taken away as soon as the brake lets it.
    Ended,
}

/// Groups that must not be there now.
pub(crate) type StillGroups = BTreeMap<PolicyName, Still>;

/// When others were last looked at while a plan is carried out, and what follows for its steps.
#[derive(Debug)]
pub(crate) struct Meanwhile {
    looked: Instant,
    /// Each step is judged by what is there: after an interruption, and when something else wrote.
    /// A plan that was made a moment ago knows of everything.
    pub(crate) again: Option<StillGroups>,
}

/// One side of a plan that is half done: what is narrowed in spite of it.
pub(crate) struct Side {
    pub(crate) holds: Holds,
    pub(crate) team: Team,
    pub(crate) pins: Pins,
    /// Bindings that the plan gives to another holder: those of now may still be in the group, which
    /// is emptied at most.
    pub(crate) moved: BTreeSet<BindingName>,
    /// Bindings that reach what another one reached, which is held.
    pub(crate) beside: BTreeSet<BindingName>,
}

impl Executor {
    /// Begins to carry a plan out.
    pub(crate) fn meanwhile(&self, plan: &Plan, resume: bool) -> Result<Meanwhile, ExecutorError> {
        let again = if resume { Some(self.groups_still(plan)?) } else { None };
        Ok(Meanwhile { looked: Instant::now(), again })
    }

    /// Keeps the lease, and looks at what may not wait until a long plan is done: who suspends or
    /// freezes something, what ends, and other teams' accounts that come and go.
    pub(crate) async fn meanwhile_look(
        &mut self,
        plan: &Plan,
        meanwhile: &mut Meanwhile,
    ) -> Result<(), ExecutorError> {
        self.lease_keep().await?;
        if meanwhile.looked.elapsed() < LOOK {
            return Ok(());
        }
        let written = self.written.load(Ordering::Relaxed);
        let looked = self.orders_take().await;
        self.left_for_later(looked)?;
        let looked = self.suspensions_take().await;
        self.left_for_later(looked)?;
        let looked = self.inventory_store().await;
        self.left_for_later(looked)?;
        let looked = self.bindings_keep().await;
        self.left_for_later(looked)?;
        self.may_write(plan).await?;
        let still = self.groups_still(plan)?;
        let is_as_planned = self.written.load(Ordering::Relaxed) == written && still.is_empty();
        if !is_as_planned || meanwhile.again.is_some() {
            meanwhile.again = Some(still);
        }
        meanwhile.looked = Instant::now();
        Ok(())
    }

    /// What goes wrong in such a look is for the next pass, and stops no plan.
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

    /// What the plan lifts: the very holds that its signers knew of.
    pub(crate) fn lifted(&self, plan: &Plan) -> Vec<Target> {
        let is_newer = |target: &&Target| {
            self.hold(target).is_some_and(|hold| plan.lifts.get(*target) != Some(&hold.since))
        };
        plan.lift.iter().filter(|target| !is_newer(target)).cloned().collect()
    }

    /// What holds this, by its head.
    pub(crate) fn hold(&self, target: &Target) -> Option<&Hold> {
        self.heads.get(&target.subject())?.head.holds.get(target)
    }

    /// When a hold is made: now, and later than the one that it stands in place of. So no plan that
    /// lifts that one lifts this.
    pub(crate) fn hold_since(&self, target: &Target) -> Result<Timestamp, ExecutorError> {
        let now = self.clock.now().as_second();
        let after = self.hold(target).map_or(now, |standing| standing.since.as_second() + 1);
        let seconds = now.max(after);
        Timestamp::from_second(seconds).map_err(|error| ExecutorError::Stopped(error.to_string()))
    }

    /// Whether a plan that has begun lifts this very hold.
    pub(crate) fn is_being_lifted(&self, target: &Target, hold: &Hold) -> bool {
        let begun = self.heads.values().filter_map(|head| head.head.applying.as_ref());
        let mut plans = begun.filter_map(|begun| Plan::from_canonical(begun.plan.as_bytes()).ok());
        plans.any(|plan| plan.lifts.get(target) == Some(&hold.since))
    }

    /// The holds that stand although this plan is carried out.
    pub(crate) fn holds_over(&self, plan: Option<&Plan>) -> Holds {
        let lift = plan.map(|plan| self.lifted(plan).into_iter().collect()).unwrap_or_default();
        Holds { now: self.held.clone(), lift, ..Holds::default() }
    }

    /// Bindings of the plan by which the holder of another one reaches the same, which is held since
    /// the plan was frozen: the held one, and the plan's. Older holds were known to those who signed.
    fn beside(
        &self,
        plan: &Plan,
        base: Option<&Team>,
        team: &Team,
    ) -> Vec<(BindingName, BindingName)> {
        let Some(base) = base else { return Vec::new() };
        let mut holds = self.holds_over(Some(plan));
        holds
            .now
            .retain(|target, _| self.hold(target).is_some_and(|hold| hold.since >= plan.frozen_at));
        holds.beside(base, team)
    }

    /// What is held of a binding is held of those, too, that the plan puts beside it.
    pub(crate) fn held_beside(&self, plan: &Plan, head: &Head) -> BTreeMap<Target, Hold> {
        let target = head.applying.as_ref().and_then(|begun| begun.target.team());
        let Some(team) = target else { return BTreeMap::new() };
        let base = head.applied.as_ref().and_then(Applied::team);
        let of = |name: BindingName| Target::Binding(team.name.clone(), name);
        let beside = self.beside(plan, base.as_ref(), &team).into_iter();
        beside
            .filter_map(|(held, name)| Some((of(name), head.holds.get(&of(held))?.clone())))
            .filter(|(target, _)| !head.holds.contains_key(target))
            .collect()
    }

    /// Why a plan that is half done goes back instead of waiting: nobody could let it go on, for the
    /// request that thaws is about the platform, too.
    pub(crate) fn stops_itself(&self, plan: &Plan) -> Option<String> {
        let is_of_platform = |planned: &PlannedDocument| planned.subject == Subject::Platform;
        // Whichever of its heads say so already: each of them keeps others off all of them.
        if !plan.documents.iter().any(is_of_platform) {
            return None;
        }
        let why = self.held.get(&Target::Platform)?;
        let lifted = self.lifted(plan).contains(&Target::Platform);
        (!lifted).then(|| format!("{why}; what this request began is put back, propose it again"))
    }

    /// The groups of this plan's documents that must not be there now: of teams and bindings that
    /// are held, of bindings by which the holder of a held one would reach the same, and of those
    /// that have ended.
    pub(crate) fn groups_still(&self, plan: &Plan) -> Result<StillGroups, ExecutorError> {
        let holds = self.holds_over(Some(plan));
        let today = self.today();
        let mut still = StillGroups::new();
        for planned in &plan.documents {
            let document = Document::from_value(&planned.document)
                .map_err(|_| ExecutorError::Stopped(format!("the plan of {}", planned.subject)))?;
            let Document::Team(team) = document else { continue };
            if holds.team_is_held(&team) {
                let roles = TeamRole::ALL.into_iter();
                let names = roles.map(|role| PolicyName::People(team.name.clone(), role));
                still.extend(names.map(|name| (name, Still::Held)));
            }
            let applied = self.heads.get(&planned.subject).and_then(|h| h.head.applied.as_ref());
            let base = applied.and_then(Applied::team);
            let beside = self.beside(plan, base.as_ref(), &team);
            for binding in &team.bindings {
                let is_held = holds.ends_group(&team, binding)
                    || beside.iter().any(|(_, name)| *name == binding.name);
                let has_ended = binding.until.is_some_and(|until| until < today);
                let why = if is_held { Still::Held } else { Still::Ended };
                if is_held || has_ended {
                    let name = PolicyName::Binding(team.name.clone(), binding.name.clone());
                    still.insert(name, why);
                }
            }
        }
        Ok(still)
    }

    /// Both sides of every plan that is being applied. Its own steps decide what is given; what is
    /// held, has ended or is in another namespace is taken away all the same. What the plan says of
    /// a binding counts: what it makes must not be taken for what it takes away.
    pub(crate) fn begun_sides(&self) -> Vec<Side> {
        let mut sides = Vec::new();
        for head in self.heads.values() {
            let Some(applying) = &head.head.applying else { continue };
            let plan = Plan::from_canonical(applying.plan.as_bytes()).ok();
            let holds = self.holds_over(plan.as_ref());
            let target = applying.target.team();
            let base = head.head.applied.as_ref().and_then(Applied::team);
            let beside = match (&plan, &target) {
                (Some(plan), Some(team)) => self.beside(plan, base.as_ref(), team),
                _ => Vec::new(),
            };
            if let (Some(mut team), Some(applied)) = (base, &head.head.applied) {
                let mut moved = BTreeSet::new();
                team.bindings.retain(|binding| {
                    let mut planned = target.iter().flat_map(|team| &team.bindings);
                    match planned.find(|each| each.name == binding.name) {
                        Some(same) if same.holder == binding.holder => false,
                        Some(_) => moved.insert(binding.name.clone()),
                        None => true,
                    }
                });
                let (holds, pins) = (holds.clone(), applied.pins.clone());
                sides.push(Side { holds, team, pins, moved, beside: BTreeSet::new() });
            }
            if let Some(team) = target {
                let pins = applying.target.pins.clone();
                let beside = beside.into_iter().map(|(_, name)| name).collect();
                sides.push(Side { holds, team, pins, moved: BTreeSet::new(), beside });
            }
        }
        sides
    }

    /// Nothing is given under rules that nobody can read.
    pub(crate) fn platform_is_believed(&self, lift: &[Target]) -> Result<(), ExecutorError> {
        let platform = Subject::Platform;
        if let Some(why) = self.unbelieved.get(&platform) {
            return Err(ExecutorError::Wait(format!(
                "the rules of the platform cannot be read in the engine: {why}; an SRE puts the head \
                 back there (KV keeps older versions)"
            )));
        }
        let is_gone = !self.heads.contains_key(&platform) && !lift.contains(&Target::Platform);
        match self.differing.get(&platform) {
            Some(what) if is_gone => Err(ExecutorError::Wait(format!(
                "the rules of the platform are gone from the engine: {what}; a request with the \
                 Platform document and --lift platform goes on"
            ))),
            _ => Ok(()),
        }
    }
}

/// Why the step's group must not be there, if it must not.
pub(crate) fn why_still(step: &Step, still: &StillGroups) -> Option<Still> {
    match &step.object {
        ObjectKey::Group(name) if step.after.is_some() => still.get(name).copied(),
        _ => None,
    }
}
