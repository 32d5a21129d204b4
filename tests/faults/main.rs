//! What breaks, each on a private lab: what one of these tests does to its parts, no other sees.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod brake;
mod callers;
mod clock;
mod crash;
mod database_tls;
mod dependencies;
mod deployed;
mod drift;
mod ending;
mod engine;
mod follow;
mod garbage;
mod holds;
mod meanwhile;
mod members;
mod open;
mod poison;
mod private;
mod provider;
mod proxy;
mod quorum;
mod replicas;
mod restore;
mod selfcheck;
#[path = "../flows/support.rs"]
#[expect(dead_code, reason = "the other tests use the rest")]
mod support;
mod tamper;
mod turns;
mod unrecorded;
mod unsigned;
#[path = "../flows/wire.rs"]
mod wire;
