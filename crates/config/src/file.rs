//! Reading configuration and secret files.

use std::path::{Path, PathBuf};

use secrecy::SecretString;
use serde::de::DeserializeOwned;

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is not what it must be; the message names line and field.
    #[error("{path}: {message}")]
    Shape {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// Everything that is wrong with the values.
    #[error("{path}: {}", faults.join("; "))]
    Values {
        /// The file.
        path: PathBuf,
        /// One sentence each.
        faults: Vec<String>,
    },
}

/// Reads a YAML file into a type that refuses unknown fields.
pub fn read_yaml<T: DeserializeOwned>(path: &Path) -> Result<T, ConfigError> {
    let text = read_text(path)?;
    serde_yaml_ng::from_str(&text)
        .map_err(|error| ConfigError::Shape { path: path.to_owned(), message: error.to_string() })
}

/// Reads a text file.
pub fn read_text(path: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(path)
        .map_err(|source| ConfigError::Read { path: path.to_owned(), source })
}

/// Reads a secret; a newline at the end is not part of it.
pub fn read_secret(path: &Path) -> Result<SecretString, ConfigError> {
    Ok(SecretString::from(read_text(path)?.trim_end_matches('\n').to_owned()))
}

/// A path as the configuration file means it.
pub fn beside(config: &Path, path: &Path) -> PathBuf {
    config.parent().map_or_else(|| path.to_owned(), |dir| dir.join(path))
}
