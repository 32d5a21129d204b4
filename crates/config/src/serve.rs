//! Configuration of `strongroom serve`.

use std::net::SocketAddr;
use std::path::Path;

use serde::Deserialize;
use strongroom_domain::name::GroupName;

use crate::file::{ConfigError, read_yaml};
use crate::issuer::{default_groups_claim, default_person_claim};
use crate::{Database, IssuerConfig};

/// What the API process is told. It holds no key that writes anything to an engine.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServeConfig {
    /// Where to listen. Only loopback until the process speaks TLS itself.
    pub listen: SocketAddr,
    /// The database, as the role `strongroom_api`.
    pub database: Database,
    /// Who signs people in.
    pub issuer: IssuerConfig,
    /// The public client that the command line signs in with.
    pub sign_in_client: String,
    /// The claim that tells people apart.
    #[serde(default = "default_person_claim")]
    pub person_claim: String,
    /// The claim with the groups.
    #[serde(default = "default_groups_claim")]
    pub groups_claim: String,
    /// Groups that see everything and may propose clusters and rules.
    pub platform_groups: Vec<GroupName>,
    /// Groups that see everything and change nothing.
    #[serde(default)]
    pub auditor_groups: Vec<GroupName>,
    /// How long sessions live.
    #[serde(default)]
    pub session: SessionConfig,
}

/// How long sessions live.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SessionConfig {
    /// Without use, minutes.
    pub idle_minutes: u32,
    /// At most, hours.
    pub absolute_hours: u32,
}

impl Default for SessionConfig {
    fn default() -> Self {
        Self { idle_minutes: 30, absolute_hours: 12 }
    }
}

impl ServeConfig {
    /// Reads and checks the file.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let config: Self = read_yaml(path)?;
        let mut faults = Vec::new();
        if !config.listen.ip().is_loopback() {
            faults.push(
                "listen: only a loopback address is taken, because the process speaks plain HTTP; \
                 put a TLS proxy before it"
                    .to_owned(),
            );
        }
        if config.platform_groups.is_empty() {
            faults.push("platform_groups: name at least one group".to_owned());
        }
        if faults.is_empty() {
            return Ok(config);
        }
        Err(ConfigError::Values { path: path.to_owned(), faults })
    }
}
