//! A seeded simulation of approve, lease and apply, with faults in every call.
//!
//! The world is small: an engine of objects with check-and-set heads, a database with a lease row,
//! people who sign, two or three executors. What the executors decide is the product's own pure
//! code: `build_since_vote`, `progress`, `judge`, `Plan::is_still`, `Plan::target`, the heads'
//! transitions, `Tally`, `decide`, `can_become`. What is modelled is the order of their calls and
//! everything that can happen between two of them. `watch` holds ground truth, which no executor
//! reads, and compares after every effect.
//!
//! What is assumed, and so not shown: a write lands within the engine's deadline of its sending or
//! never, that deadline is shorter than the margin of the lease, a signature cannot be forged, and
//! acts are read on the database's writer (rows and plans may come from an older snapshot).
//! A database that loses its newest rows while a write is on its way is let off the order of that
//! one write.
//!
//! One seed is one schedule, always the same. `Omission` leaves one guard out; a test shows that
//! each omission is found.

mod bits;
mod database;
mod engine;
mod executor;
mod people;
mod rng;
mod scenery;
mod schedule;
mod trace;
mod truth;
mod watch;
mod world;

pub use scenery::Scenery;
pub use schedule::{Outcome, Statistics, run};

/// One guard that is left out, to show that the simulation would notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Omission {
    /// Neither the lease is looked at before a write, nor the clock, nor is a head fenced.
    Epoch,
    /// The clock is not looked at right before a write is sent.
    Clock,
    /// Heads are written without check-and-set.
    CheckAndSet,
    /// One person's votes count as often as they were given.
    Distinct,
    /// The submitter's own vote counts.
    Submitter,
    /// Votes for another plan of the same request count.
    AnyPlan,
    /// What was signed is not compared with what would be done now.
    Compare,
    /// After an interruption every step is done again without a look.
    Judge,
    /// After an interruption a head that had not begun is left as it was.
    OtherHeads,
    /// A request begins although another one is half way on one of its subjects.
    HalfWay,
    /// A reject that was counted before an interruption is forgotten.
    Rejects,
    /// The time-out of a write is taken for its failure.
    Unknown,
    /// Accounts are attached to whatever policy is there.
    Policy,
    /// Rows are moved and acts answered by whoever once had the lease.
    Rows,
    /// After an unanswered write of a head the executor goes by what it remembers.
    Memory,
}

impl Omission {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::Epoch,
        Self::Clock,
        Self::CheckAndSet,
        Self::Distinct,
        Self::Submitter,
        Self::AnyPlan,
        Self::Compare,
        Self::Judge,
        Self::OtherHeads,
        Self::HalfWay,
        Self::Rejects,
        Self::Unknown,
        Self::Policy,
        Self::Rows,
        Self::Memory,
    ];
}
