//! What breaks, each on a private lab: what one of these tests does to its parts, no other sees.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod crash;
mod drift;
mod holds;
mod private;
mod replicas;
mod restore;
#[path = "../flows/support.rs"]
#[expect(dead_code, reason = "the other tests use the rest")]
mod support;
mod tamper;
