//! Typed engine objects and names, their canonical form, and policy text rendered and parsed back.
//!
//! This crate is the narrow gate of invariant I1: every byte that reaches an engine path, policy
//! name, role name or policy body is either a server-made id or comes from a type in [`name`] or
//! [`path`]. It does no I/O, knows no clock and no tenant rules. Documents that become these
//! objects live in `domain`; the comparison of wanted with found lives in `plan`.

pub mod bootstrap;
pub mod canonical;
pub mod name;
pub mod object;
pub mod path;
pub mod policy;
pub mod wire;

pub use name::NameError;
