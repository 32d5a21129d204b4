//! Configuration of `strongroom execute`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use strongroom_domain::id::EngineId;
use url::Url;

use crate::Database;
use crate::file::{ConfigError, beside, read_yaml};

/// What the executor is told besides its floor file.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ExecuteConfig {
    /// The database, as the role `strongroom_executor`.
    #[serde(default)]
    pub database: Database,
    /// What no database row can change.
    pub floor_file: PathBuf,
    /// The Ed25519 key that signs plans and receipts (PKCS#8 PEM).
    pub signing_key_file: PathBuf,
    /// Where the executor keeps what it must remember on its own host.
    pub state_dir: PathBuf,
    /// The engine it writes to.
    pub engine: EngineConfig,
    /// When removals stop by themselves.
    #[serde(default)]
    pub brake: BrakeConfig,
    /// How drift is looked for.
    #[serde(default)]
    pub drift: DriftConfig,
    /// Where probes and metrics are answered, in plain HTTP.
    #[serde(default)]
    pub probes: Option<SocketAddr>,
}

/// How often everything is looked at.
#[derive(Debug, Clone, Copy, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct DriftConfig {
    /// At most so often, in seconds, and only when the engine says that something was stored.
    pub sweep_seconds: u32,
}

impl Default for DriftConfig {
    fn default() -> Self {
        Self { sweep_seconds: 300 }
    }
}

/// Removals that follow from what is observed stop by themselves beyond this within an hour.
#[derive(Debug, Clone, Copy, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct BrakeConfig {
    /// So many bindings may lose their rights in any case.
    #[serde(default = "default_brake_count")]
    pub count: u32,
    /// Or this share of all bindings, in percent, where that is more.
    #[serde(default = "default_brake_share")]
    pub share_percent: u8,
}

fn default_brake_count() -> u32 {
    20
}

fn default_brake_share() -> u8 {
    5
}

impl Default for BrakeConfig {
    fn default() -> Self {
        Self { count: default_brake_count(), share_percent: default_brake_share() }
    }
}

/// One engine.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct EngineConfig {
    /// Strongroom's id of the engine.
    #[cfg_attr(test, schemars(with = "String"))]
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
    /// Another identity in the engine, which asks what the executor may do.
    #[serde(default)]
    pub auditor: Option<AuditorConfig>,
    /// The engine's audit log, where the executor can read it: what others touch is seen at once
    /// and named with who did it.
    #[serde(default)]
    pub audit_file: Option<PathBuf>,
}

/// The credential of the auditor.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AuditorConfig {
    /// Its `RoleID`.
    pub role_id_file: PathBuf,
    /// Its `SecretID`.
    pub secret_id_file: PathBuf,
}

impl ExecuteConfig {
    /// Reads and checks the file, and makes its paths absolute.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let mut config: Self = read_yaml(path)?;
        for file in [
            &mut config.floor_file,
            &mut config.signing_key_file,
            &mut config.state_dir,
            &mut config.engine.role_id_file,
            &mut config.engine.secret_id_file,
        ] {
            *file = beside(path, file);
        }
        if let Some(auditor) = &mut config.engine.auditor {
            for file in [&mut auditor.role_id_file, &mut auditor.secret_id_file] {
                *file = beside(path, file);
            }
        }
        for file in [
            &mut config.database.url_file,
            &mut config.engine.ca_file,
            &mut config.engine.audit_file,
        ]
        .into_iter()
        .flatten()
        {
            *file = beside(path, file);
        }
        let mut faults = Vec::new();
        let address = Url::parse(&config.engine.address).ok();
        if !address.is_some_and(|url| url.scheme() == "https" && url.path() == "/") {
            faults.push("engine.address: `https://host:port` and nothing more".to_owned());
        }
        if !(1..=100).contains(&config.engine.name.chars().count()) {
            faults.push("engine.name: 1 to 100 characters".to_owned());
        }
        if faults.is_empty() {
            return Ok(config);
        }
        Err(ConfigError::Values { path: path.to_owned(), faults })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<ExecuteConfig, ConfigError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("execute.yaml");
        std::fs::write(&path, text).unwrap();
        ExecuteConfig::read(&path)
    }

    #[test]
    fn the_sample_is_good_and_its_paths_are_beside_it() {
        let config = read(crate::EXECUTE_SAMPLE).unwrap();
        let files = [
            config.floor_file,
            config.signing_key_file,
            config.engine.role_id_file,
            config.engine.secret_id_file,
            config.database.url_file.unwrap(),
            config.engine.ca_file.unwrap(),
        ];
        assert!(files.iter().all(|file| file.is_absolute()), "{files:?}");
    }

    #[test]
    fn everything_wrong_is_told_at_once() {
        let text = crate::EXECUTE_SAMPLE
            .replace("https://openbao.example.com:8200", "http://openbao.example.com:8200/v1")
            .replace("name: main", "name: \"\"");
        let told = read(&text).unwrap_err().to_string();
        assert!(told.contains("engine.address") && told.contains("engine.name"), "{told}");
        let told = read(&format!("{}root_token: x\n", crate::EXECUTE_SAMPLE)).unwrap_err();
        assert!(told.to_string().contains("`root_token`"), "{told}");
    }
}
