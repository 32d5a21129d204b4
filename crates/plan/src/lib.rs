//! From documents and what is observed to an exact, ordered, explainable plan.
//!
//! Everything here is a pure function: no I/O, no clock, no async. The executor freezes what comes
//! out and later makes it again; both must be equal byte for byte. Pages use the same functions for
//! previews. Whether a plan may be applied is decided by acts, never here.

pub mod batch;
pub mod build;
pub mod desired;
pub mod drift;
pub mod follow;
pub mod holds;
pub mod model;
pub mod ownership;
mod pins;
pub mod reach;
mod regain;
pub mod resume;
pub mod risk;
pub mod sharing;
mod size;
pub mod stages;
pub mod steps;
pub mod summary;

pub use build::{Change, Context, Draft, Refusal, VotedDocuments, build, build_since_vote, keys};
pub use holds::Holds;
pub use model::{Plan, PlanError};
pub use steps::Observed;

#[cfg(test)]
mod tests;
