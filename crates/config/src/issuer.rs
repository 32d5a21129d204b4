//! The identity provider as a process is told about it.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::file::{ConfigError, beside, read_text};

/// The one issuer.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct IssuerConfig {
    /// The issuer, exactly as its tokens say it. Plain `http` is taken on loopback only.
    pub url: String,
    /// The CA to trust instead of the system's.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// Hosts that the provider's documents may send us to; the issuer's own host when empty.
    #[serde(default)]
    pub hosts: Vec<String>,
}

impl IssuerConfig {
    /// The CA to trust, if one is given.
    pub fn ca_pem(&self, config: &Path) -> Result<Option<String>, ConfigError> {
        self.ca_file.as_ref().map(|file| read_text(&beside(config, file))).transpose()
    }
}

/// The claim that tells people apart, when nothing else is said.
pub(crate) fn default_person_claim() -> String {
    "sub".to_owned()
}

/// The claim with the groups, when nothing else is said.
pub(crate) fn default_groups_claim() -> String {
    "groups".to_owned()
}
