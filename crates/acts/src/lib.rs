//! Canonical bytes, hashes, nonces and verification of signed acts.
//!
//! An act is an OIDC sign-in whose nonce is the hash of what the person does. Client, ballot and
//! executor compute it with this crate, each from its own data. Nothing here does I/O or reads a
//! clock: keys and times are passed in, so that the executor's judgement can be repeated later
//! from what its receipt holds.

pub mod receipt;
pub mod signing;
pub mod statement;
pub mod token;

pub use signing::{PublicKey, SigningKey};
pub use statement::{comment_digest, new_salt, nonce, submission_digest};
pub use token::{Accepted, Expectation, Refusal, TokenRules};
