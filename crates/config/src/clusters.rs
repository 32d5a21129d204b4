//! Clusters whose service accounts may ask the API with their own tokens.

use std::path::PathBuf;

use serde::Deserialize;
use strongroom_domain::name::ClusterName;

/// One cluster, as the API knows it: by its public keys alone.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ClusterKeys {
    /// As documents name it.
    #[cfg_attr(test, schemars(with = "String"))]
    pub name: ClusterName,
    /// The issuer, as its tokens name it.
    pub issuer: String,
    /// The one audience that a token must have.
    #[serde(default = "default_audience")]
    pub audience: String,
    /// Its public keys, a JWKS: `kubectl get --raw /openid/v1/jwks`.
    pub keys_file: PathBuf,
}

/// Never the one that the engine takes: whoever gets a token for the one could use it at the other.
fn default_audience() -> String {
    "strongroom-api".to_owned()
}
