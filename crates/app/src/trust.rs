//! What the executor published for clients, passed on as it is.
//!
//! Clients pin it at their first sign-in; the API is not believed about it later.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;
use strongroom_domain::id::DeploymentId;

use crate::context::App;
use crate::error::AppError;

/// The part of the published trust that the API itself compares with.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Trust {
    /// The deployment.
    pub deployment: DeploymentId,
    /// The one issuer.
    pub issuer: String,
    /// The clients for acts, by the program that uses them.
    act_clients: BTreeMap<String, String>,
}

impl Trust {
    /// Whether acts are signed through this client.
    pub fn is_act_client(&self, audience: &str) -> bool {
        self.act_clients.values().any(|client| client == audience)
    }

    /// The clients for acts.
    pub fn act_clients(&self) -> BTreeSet<&str> {
        self.act_clients.values().map(String::as_str).collect()
    }
}

/// What the executor published, whole.
pub async fn trust_get(app: &App) -> Result<Value, AppError> {
    app.store.trust_get().await?.ok_or_else(|| AppError::Precondition {
        message: "the executor has not published anything yet".to_owned(),
        hint: "start `strongroom execute` once; then try again".to_owned(),
    })
}

/// The part that is compared with.
pub(crate) async fn trust(app: &App) -> Result<Trust, AppError> {
    let value = trust_get(app).await?;
    serde_json::from_value(value).map_err(|_| AppError::corrupt("trust"))
}
