//! TLS of a listening process.

use std::path::PathBuf;

use serde::Deserialize;

/// A certificate and its key. Both are read again when they change.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// The certificate with its chain, PEM.
    pub cert_file: PathBuf,
    /// Its key, PEM.
    pub key_file: PathBuf,
}
