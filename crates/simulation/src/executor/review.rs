//! Deciding: counting acts that verify, and moving a request on.

use strongroom_domain::person::PersonId;
use strongroom_domain::request::{State, Tally, Vote, decide};

use super::{Executor, Go, Stop};
use crate::Omission;
use crate::database::{Act, Kind, Receipt, Row, Signed};
use crate::world::{Frozen, World};

/// Whether the signature is there and is about this plan.
fn verified<'a>(world: &World, act: &'a Act, frozen: &Frozen) -> Option<&'a Signed> {
    let signed = act.signed.as_deref()?;
    let same_request = || world.plans[signed.plan].plan.request == frozen.plan.request;
    let about = signed.plan == frozen.number || (world.omits(Omission::AnyPlan) && same_request());
    about.then_some(signed)
}

/// Verified again, from a receipt that is the executor's own.
fn counted<'a>(world: &World, act: &'a Act, frozen: &Frozen) -> Option<&'a Signed> {
    verified(world, act, frozen).filter(|_| act.receipt == Some(Receipt::Counted))
}

fn votes(world: &World, acts: &[Act], frozen: &Frozen) -> Vec<Vote> {
    acts.iter()
        .filter_map(|act| counted(world, act, frozen))
        .filter(|signed| signed.kind == Kind::Approve)
        .map(|signed| vote(world, signed))
        .collect()
}

fn vote(world: &World, signed: &Signed) -> Vote {
    Vote { by: world.scenery.people[signed.person].clone(), stage: signed.stage.clone() }
}

/// The submitter as the count knows him.
fn submitter(world: &World, frozen: &Frozen) -> PersonId {
    if world.omits(Omission::Submitter) {
        return PersonId { issuer: String::new(), person: String::new() };
    }
    frozen.plan.submitter.clone()
}

fn is_complete(world: &World, frozen: &Frozen, votes: &[Vote]) -> bool {
    if world.omits(Omission::Distinct) {
        return frozen.plan.stages.iter().all(|stage| {
            let given = votes.iter().filter(|vote| vote.stage == stage.name);
            given.count() >= stage.votes as usize
        });
    }
    Tally::count(&frozen.plan.stages, &submitter(world, frozen), votes).is_complete()
}

/// What a no that counts makes of the request, in whichever round it was said.
fn ended(world: &World, acts: &[Act], frozen: &Frozen) -> Option<State> {
    if world.omits(Omission::Rejects) {
        return None;
    }
    acts.iter().filter(|act| act.receipt == Some(Receipt::Counted)).find_map(|act| {
        let signed = act.signed.as_deref()?;
        let of_request = world.plans[signed.plan].plan.request == frozen.plan.request;
        match signed.kind {
            Kind::Reject if of_request => Some(State::Rejected),
            Kind::Withdraw if of_request => Some(State::Withdrawn),
            _ => None,
        }
    })
}

/// Whether this act counts beside what counts already.
fn may(world: &World, frozen: &Frozen, acts: &[Act], signed: &Signed) -> bool {
    match signed.kind {
        Kind::Approve => {
            let given = if world.omits(Omission::Distinct) {
                Vec::new()
            } else {
                votes(world, acts, frozen)
            };
            let submitter = submitter(world, frozen);
            let tally = Tally::count(&frozen.plan.stages, &submitter, &given);
            tally.judge(&submitter, &vote(world, signed)).is_ok()
        }
        Kind::Reject => {
            let person = &world.scenery.people[signed.person];
            person.groups.contains("sre")
                || frozen.plan.stages.iter().any(|stage| stage.admits(person))
        }
        Kind::Withdraw => signed.person == frozen.submitter,
    }
}

impl Executor {
    /// A request in review: judge new acts, then see whether it is decided. Gives whether it moved.
    pub(super) async fn review(&mut self, row: &Row) -> Go<bool> {
        self.submission(row)?;
        let frozen = self.frozen_plan(row).await?;
        loop {
            let acts = self.acts_of(row.request).await?;
            let Some(act) = acts.iter().find(|act| act.receipt.is_none()) else {
                return self.decided(row, &frozen, &acts).await;
            };
            let (counts, kind) = {
                let world = self.world.borrow();
                let signed = verified(&world, act, &frozen);
                let counts = signed.is_some_and(|signed| may(&world, &frozen, &acts, signed));
                (counts, signed.map(|signed| signed.kind))
            };
            let ends = counts && kind != Some(Kind::Approve);
            let receipt = if counts { Receipt::Counted } else { Receipt::Refused };
            // Beside the heads first: whoever takes the act away then takes away nothing.
            if ends && !self.world.borrow().omits(Omission::Rejects) {
                self.tombstone(row.request).await?;
            }
            self.receipt_store(act, receipt, ends).await?;
            if ends && self.world.borrow().omits(Omission::Rejects) {
                self.transition(row, State::Rejected).await?;
                return Ok(true);
            }
        }
    }

    async fn decided(&mut self, row: &Row, frozen: &Frozen, acts: &[Act]) -> Go<bool> {
        let next = {
            let world = self.world.borrow();
            let ended = ended(&world, acts, frozen);
            let complete = is_complete(&world, frozen, &votes(&world, acts, frozen));
            decide(row.state, ended, complete)
        };
        let Some(next) = next else {
            return Ok(false);
        };
        self.transition(row, next).await?;
        Ok(true)
    }

    /// Every signature, once more, right before the first write.
    pub(super) async fn check_signatures(&mut self, row: &Row, frozen: &Frozen) -> Go<()> {
        self.submission(row)?;
        let acts = self.acts_of(row.request).await?;
        let world = self.world.borrow();
        let complete = is_complete(&world, frozen, &votes(&world, &acts, frozen))
            && ended(&world, &acts, frozen).is_none();
        match (complete, row.state) {
            (true, _) => Ok(()),
            (false, State::Applying) => Err(Stop::Superseded),
            (false, _) => Err(Stop::Hostile),
        }
    }
}
