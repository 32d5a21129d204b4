//! Use cases, one module per resource, one function per operation.
//!
//! Each function takes a [`Ctx`], looks at what it loaded, and answers with what is there or with
//! one [`AppError`]. Nothing here talks HTTP, and nothing outside the database changes: an engine
//! is written by the executor only, which believes none of this and checks again.

pub mod access;
pub mod act;
pub mod check;
pub mod claim;
pub mod comment;
pub mod context;
pub mod document;
mod ends;
pub mod error;
pub mod event;
pub mod finding;
pub mod health;
pub mod inbox;
pub mod inventory;
pub mod kit;
pub mod live;
pub mod machine;
pub mod preview;
pub mod reach;
mod remembered;
pub mod repeated;
pub mod request;
pub mod session;
pub mod signers;
pub mod status;
pub mod submit;
pub mod suspension;
pub mod team;
pub mod trust;

pub use context::{App, Ctx, Rules};
pub use error::{AppError, FieldFault};
