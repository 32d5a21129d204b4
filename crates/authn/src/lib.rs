//! OIDC towards the identity provider: discovery, keys, sign-in, and session tokens.
//!
//! What makes a token an act is judged in `acts`; here a person merely signs in. Nothing here
//! stores anything.

pub mod code_flow;
pub mod issuer;
pub mod session;
pub mod sign_in;

pub use code_flow::{CodeFlow, FlowError};
pub use issuer::{Issuer, IssuerError, Metadata};
pub use session::SessionToken;
pub use sign_in::{SignInError, SignInRules, verify_sign_in};
