//! OIDC towards the identity provider: discovery, keys, sign-in; session tokens, API keys,
//! tickets of checks and service accounts' tokens.
//!
//! What makes a token an act is judged in `acts`; here a person merely signs in. Nothing here
//! stores anything.

pub mod api_key;
pub mod check_ticket;
pub mod code_flow;
mod http;
pub mod issuer;
mod opaque;
#[cfg(test)]
mod scripted;
pub mod session;
pub mod sign_in;
pub mod workload;

pub use api_key::ApiKey;
pub use check_ticket::CheckTicket;
pub use code_flow::{CodeFlow, FlowError};
pub use issuer::{Issuer, IssuerError, Metadata};
pub use session::{Lifetimes, SessionToken};
pub use sign_in::{SignIn, SignInError, SignInRefusal, SignInRules, judge_sign_in, verify_sign_in};
pub use workload::{Workload, WorkloadIssuer, verify_workload};
