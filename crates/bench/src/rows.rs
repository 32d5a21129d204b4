//! The rows, each measured from outside a real executor.

pub mod attach;
pub mod converge;
pub mod edit;
pub mod handover;
pub mod quiet;
pub mod remove;
pub mod repair;
pub mod sweep;
