//! Documents, people, change requests and their state machine, ledger event types, typed ids and
//! the clock.
//!
//! Everything here is pure: no I/O, no async, no ambient time or randomness. The engine's own
//! objects are in `vault-model`, the way from documents to engine writes is in `plan`.

pub mod act;
pub mod check;
pub mod clock;
pub mod document;
pub mod ended;
pub mod event;
pub mod head;
pub mod hold;
pub mod id;
pub mod machine;
pub mod metric;
pub mod packed;
pub mod person;
pub mod pins;
pub mod request;
pub mod risk;
pub mod stored;
pub mod subject;

pub use strongroom_vault_model::canonical::{self, Digest};
pub use strongroom_vault_model::name;
