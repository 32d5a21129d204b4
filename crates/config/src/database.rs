//! Where the database is.

use std::path::{Path, PathBuf};

use secrecy::SecretString;
use serde::Deserialize;

use crate::file::{ConfigError, beside, read_secret};

/// The variable that gives the database URL where no file is named.
pub const URL_VARIABLE: &str = "STRONGROOM_DATABASE_URL";

/// The database of a process. The URL holds a password, so it stands in a file of its own or in
/// the environment, never in the configuration.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Database {
    /// The file with the URL.
    pub url_file: Option<PathBuf>,
}

impl Database {
    /// Reads the URL, from the file where one is named, else from [`URL_VARIABLE`].
    pub fn url(&self, config: &Path) -> Result<SecretString, ConfigError> {
        if let Some(file) = &self.url_file {
            return read_secret(&beside(config, file));
        }
        let value = std::env::var(URL_VARIABLE).ok().filter(|value| !value.is_empty());
        value.map(SecretString::from).ok_or_else(|| ConfigError::Values {
            path: config.to_owned(),
            faults: vec![format!(
                "database.url_file: name the file that holds the database URL, or set {URL_VARIABLE}"
            )],
        })
    }
}
