//! End-to-end tests through the built binary, on the shared lab of the test run.
//!
//! Every test makes its own team, namespaces and secrets, so that tests can run side by side. Ids
//! in the names are those of the project's list of checks.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "figures are printed for who reads the run")]

mod api;
mod approval;
mod bootstrap;
mod check;
mod claims;
mod cluster_bootstrap;
mod corpus;
mod credential;
mod entrances;
mod figures;
mod forger;
mod guides;
mod keyed;
mod kit;
mod kubernetes;
mod machines;
mod manifests;
mod page;
mod policies;
#[path = "../faults/private.rs"]
#[expect(dead_code, reason = "the tests of what breaks use the rest")]
mod private;
mod raw;
mod reach;
mod replay;
mod reuse;
mod sharing;
mod spelling;
mod stack;
mod support;
mod talk;
mod tenants;
mod terminal;
mod tokens;
mod verbs;
mod wire;
