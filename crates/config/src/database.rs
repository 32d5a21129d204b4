//! Where the database is.

use std::path::{Path, PathBuf};

use secrecy::SecretString;
use serde::Deserialize;

use crate::file::{ConfigError, beside, read_secret};

/// The database of a process. The URL holds a password, so it stands in a file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// The file with the URL.
    pub url_file: PathBuf,
}

impl Database {
    /// Reads the URL.
    pub fn url(&self, config: &Path) -> Result<SecretString, ConfigError> {
        read_secret(&beside(config, &self.url_file))
    }
}
