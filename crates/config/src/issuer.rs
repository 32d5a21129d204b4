//! The identity provider as a process is told about it.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use url::{Host, Url};

use crate::file::{ConfigError, beside, read_text};

/// The one issuer.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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

    /// Hosts that the provider's documents may send us to.
    pub fn allowed_hosts(&self) -> Vec<String> {
        if !self.hosts.is_empty() {
            return self.hosts.clone();
        }
        let own = Url::parse(&self.url).ok().and_then(|url| url.host_str().map(str::to_owned));
        own.into_iter().collect()
    }

    /// What is wrong with the values.
    pub(crate) fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if !is_safe(&self.url) {
            faults.push(
                "issuer.url: an https address as the tokens say it (plain http on loopback only), \
                 without a query or a password"
                    .to_owned(),
            );
        }
        for host in &self.hosts {
            if Host::parse(host).is_err() {
                faults.push(format!("issuer.hosts: {host:?} is no host; write it without scheme"));
            }
        }
        faults
    }
}

fn is_safe(text: &str) -> bool {
    let Ok(url) = Url::parse(text) else {
        return false;
    };
    let loopback = match url.host() {
        Some(Host::Ipv4(address)) => Ipv4Addr::is_loopback(&address),
        Some(Host::Ipv6(address)) => Ipv6Addr::is_loopback(&address),
        _ => false,
    };
    let plain = url.username().is_empty() && url.password().is_none();
    let bare = url.query().is_none() && url.fragment().is_none();
    plain && bare && (url.scheme() == "https" || (url.scheme() == "http" && loopback))
}

/// The claim that tells people apart, when nothing else is said.
pub(crate) fn default_person_claim() -> String {
    "sub".to_owned()
}

/// The claim with the groups, when nothing else is said.
pub(crate) fn default_groups_claim() -> String {
    "groups".to_owned()
}
