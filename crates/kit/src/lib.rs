//! From an approved binding to a running workload: what the workload has to know, and ready files
//! for the ways people run secrets into pods.
//!
//! Pure text from documents that were checked before. It must never contain a secret, and never
//! name a path, role or audience that the binding does not have.

mod formats;
mod kit;
mod text;

pub use formats::{File, Format, Reporting, Sheet, check_sheet, sheet};
pub use kit::{Engine, Kit, KitError, Secret, Wish};

#[cfg(test)]
mod tests;
