//! The database: rows that anybody with access may have edited, and one lease.
//!
//! The conditions of each write are those of the product's SQL. A read may come from an older
//! snapshot; a write never does.

use std::rc::Rc;

use strongroom_domain::request::State;

use crate::scenery::Doc;

/// Which request, counted from 0.
pub(crate) type RequestNumber = usize;

/// Which plan, counted from 0 in this schedule; stands for its hash.
pub(crate) type PlanNumber = usize;

/// How long the lease lasts, seconds.
pub(crate) const LEASE: i64 = 20;

/// How much of the lease must be left to write, seconds. The engine's deadline is shorter.
pub(crate) const MARGIN: i64 = 6;

/// The lease row.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lease {
    pub(crate) holder: usize,
    pub(crate) epoch: i64,
    pub(crate) expires: i64,
}

/// What a submission wants, as it was signed.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    /// Which of the subjects.
    pub(crate) subject: usize,
    pub(crate) base_revision: u64,
    pub(crate) proposed: Doc,
    /// The number of the revision, given by the database.
    pub(crate) revision: u64,
}

/// A signed submission.
#[derive(Debug, Clone)]
pub(crate) struct Submitted {
    pub(crate) submitter: usize,
    pub(crate) documents: Vec<Wanted>,
}

/// One change request.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) request: RequestNumber,
    pub(crate) state: State,
    pub(crate) version: u32,
    pub(crate) round: u32,
    pub(crate) submitted: Rc<Submitted>,
}

/// What an act does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Approve,
    Reject,
    Withdraw,
}

/// What the provider signed. Nobody else can make one.
#[derive(Debug, Clone)]
pub(crate) struct Signed {
    pub(crate) person: usize,
    pub(crate) kind: Kind,
    pub(crate) stage: String,
    pub(crate) plan: PlanNumber,
}

/// The executor's signed answer to an act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Receipt {
    Counted,
    Refused,
    /// Not the executor's: somebody wrote it into the row.
    Forged,
}

/// One act.
#[derive(Debug, Clone)]
pub(crate) struct Act {
    pub(crate) number: usize,
    pub(crate) request: RequestNumber,
    /// `None`: the row holds no token that verifies.
    pub(crate) signed: Option<Rc<Signed>>,
    pub(crate) receipt: Option<Receipt>,
}

/// Every table.
#[derive(Debug, Clone, Default)]
pub(crate) struct Database {
    pub(crate) lease: Lease,
    pub(crate) rows: Vec<Row>,
    /// Request, round, plan.
    pub(crate) plans: Vec<(RequestNumber, u32, PlanNumber)>,
    pub(crate) acts: Vec<Act>,
}

impl Database {
    /// Takes or renews the lease.
    pub(crate) fn lease_acquire(&mut self, holder: usize, now: i64) -> Option<i64> {
        let lease = &mut self.lease;
        let valid = lease.expires > now;
        if lease.holder != holder && valid {
            return None;
        }
        if lease.holder != holder || !valid {
            lease.epoch += 1;
        }
        lease.holder = holder;
        lease.expires = now + LEASE;
        Some(lease.epoch)
    }

    /// Whether the lease is this holder's in this epoch.
    pub(crate) fn lease_holds(&self, holder: usize, epoch: i64, now: i64) -> bool {
        let lease = &self.lease;
        lease.holder == holder && lease.epoch == epoch && lease.expires > now
    }

    /// Whether it will be for as long as a write takes.
    pub(crate) fn lease_check(&self, holder: usize, epoch: i64, now: i64) -> bool {
        self.lease_holds(holder, epoch, now + MARGIN)
    }

    pub(crate) fn lease_raise(&mut self, holder: usize, epoch: i64, to: i64, now: i64) -> bool {
        let ours = self.lease_holds(holder, epoch, now);
        if ours {
            self.lease.epoch = to;
        }
        ours
    }

    /// Moves a request on, if nobody else did since the row was read.
    pub(crate) fn transition(&mut self, row: &Row, to: State) -> bool {
        let found = self.rows.iter_mut().find(|r| r.request == row.request);
        let Some(found) = found.filter(|found| found.version == row.version) else {
            return false;
        };
        found.state = to;
        found.version += 1;
        true
    }

    /// Stores a frozen plan and moves its request to review.
    pub(crate) fn freeze(&mut self, row: &Row, round: u32, plan: PlanNumber) -> bool {
        if self.plans.iter().any(|(request, r, _)| *request == row.request && *r == round)
            || !self.transition(row, State::InReview)
        {
            return false;
        }
        if let Some(found) = self.rows.iter_mut().find(|r| r.request == row.request) {
            found.round = round;
        }
        self.plans.push((row.request, round, plan));
        true
    }

    /// The plan of the latest round.
    pub(crate) fn plan_latest(&self, request: RequestNumber) -> Option<(u32, PlanNumber)> {
        let of_request = self.plans.iter().filter(|(r, ..)| *r == request);
        of_request.map(|(_, round, plan)| (*round, *plan)).max_by_key(|(round, _)| *round)
    }

    /// Answers an act, once.
    pub(crate) fn receipt(&mut self, act: usize, receipt: Receipt) -> bool {
        let found = self.acts.iter_mut().find(|each| each.number == act);
        let Some(found) = found.filter(|found| found.receipt.is_none()) else {
            return false;
        };
        found.receipt = Some(receipt);
        true
    }
}
