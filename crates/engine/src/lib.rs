//! The one HTTP client for OpenBao and Vault: thin, typed where it counts, honest about outcomes.
//!
//! It follows no redirect, repeats no write, keeps fields it does not know, and says when it cannot
//! know whether a write happened. It never logs a token, a body or the path of a secret: spans and
//! errors carry path templates. What to write is decided elsewhere.

mod answer;
pub mod audit;
pub mod auth;
mod bulk;
pub mod client;
pub mod error;
pub mod identity;
pub mod kv;
pub mod path;
pub mod session;
pub mod sys;
mod window;

pub use answer::Envelope;
pub use client::{Call, EngineAddress, EngineClient, Method, WRITE_ID_HEADER};
pub use error::EngineError;
pub use session::Session;
pub use window::Window;
