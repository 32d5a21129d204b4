//! Configuration of `strongroom execute`.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use strongroom_domain::id::EngineId;

use crate::Database;
use crate::file::{ConfigError, beside, read_yaml};

/// What the executor is told besides its floor file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExecuteConfig {
    /// The database, as the role `strongroom_executor`.
    pub database: Database,
    /// What no database row can change.
    pub floor_file: PathBuf,
    /// The Ed25519 key that signs plans and receipts (PKCS#8 PEM).
    pub signing_key_file: PathBuf,
    /// Where the executor keeps what it must remember on its own host.
    pub state_dir: PathBuf,
    /// The engine it writes to.
    pub engine: EngineConfig,
}

/// One engine.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EngineConfig {
    /// Strongroom's id of the engine.
    pub id: EngineId,
    /// Its name for people.
    pub name: String,
    /// `https://host:port` of the active node.
    pub address: String,
    /// The CA to trust instead of the system's.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// The executor's `RoleID`.
    pub role_id_file: PathBuf,
    /// The first `SecretID`; the executor replaces it at its first login and keeps the new one in
    /// its state directory.
    pub secret_id_file: PathBuf,
}

impl ExecuteConfig {
    /// Reads the file and makes its paths absolute.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let mut config: Self = read_yaml(path)?;
        for file in [
            &mut config.database.url_file,
            &mut config.floor_file,
            &mut config.signing_key_file,
            &mut config.state_dir,
            &mut config.engine.role_id_file,
            &mut config.engine.secret_id_file,
        ] {
            *file = beside(path, file);
        }
        if let Some(file) = &mut config.engine.ca_file {
            *file = beside(path, file);
        }
        Ok(config)
    }
}
