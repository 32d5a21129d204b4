//! What all handlers share.

use std::sync::Arc;

use strongroom_app::App;
use strongroom_authn::{Issuer, SignInRules, WorkloadIssuer};

use crate::limit::Limits;

/// What all handlers share.
#[derive(Debug, Clone)]
pub struct AppState {
    /// The use cases' side.
    pub app: Arc<App>,
    /// The identity provider.
    pub issuer: Arc<Issuer>,
    /// How people sign in.
    pub sign_in: Arc<SignIn>,
    /// How often somebody may ask.
    pub limits: Arc<Limits>,
    /// Clusters whose service accounts may show their tokens.
    pub workloads: Arc<[WorkloadIssuer]>,
}

/// How people sign in.
#[derive(Debug, Clone)]
pub struct SignIn {
    /// What a sign-in's token must be.
    pub rules: SignInRules,
    /// What is asked for.
    pub scopes: Vec<String>,
}
