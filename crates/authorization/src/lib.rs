//! Who may ask the API for what.
//!
//! Rights are code: a table of roles, kinds of things and verbs ([`rights`]), the same in every
//! deployment. Only who has which role is data: platform and auditor groups of the configuration, and
//! the groups that applied documents name. casbin decides from both ([`Snapshot`]). It never decides
//! about the engine: what is applied there is the executor's to verify, from signed acts alone.
//!
//! A pair that is not in the table is denied, and so is everybody when anything fails.

pub mod rights;
mod snapshot;
mod subject;
#[cfg(test)]
mod tests;

pub use rights::{Resource, Role, Verb};
pub use snapshot::{AuthorizationError, Membership, Snapshot};
pub use subject::Standing;
