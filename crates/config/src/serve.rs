//! Configuration of `strongroom serve`.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::Path;

use ipnet::IpNet;
use serde::Deserialize;
use strongroom_domain::name::GroupName;

use crate::file::{ConfigError, beside, read_yaml};
use crate::issuer::{default_groups_claim, default_person_claim};
use crate::{ClusterKeys, Database, IssuerConfig, TlsConfig};

/// What the API process is told. It holds no key that writes anything to an engine.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ServeConfig {
    /// Where to listen. Without TLS only on loopback.
    pub listen: SocketAddr,
    /// The certificate to listen with.
    #[serde(default)]
    pub tls: Option<TlsConfig>,
    /// Where probes and metrics are answered, in plain HTTP.
    #[serde(default)]
    pub probes: Option<SocketAddr>,
    /// The database, as the role `strongroom_api`.
    #[serde(default)]
    pub database: Database,
    /// Who signs people in.
    pub issuer: IssuerConfig,
    /// The public client that the command line signs in with. It is never an act client.
    pub sign_in_client: String,
    /// What a sign-in asks for.
    #[serde(default = "default_scopes")]
    pub sign_in_scopes: Vec<String>,
    /// The claim that tells people apart.
    #[serde(default = "default_person_claim")]
    pub person_claim: String,
    /// The claim with the groups.
    #[serde(default = "default_groups_claim")]
    pub groups_claim: String,
    /// Groups that see everything and may propose clusters and rules.
    #[cfg_attr(test, schemars(with = "Vec<String>"))]
    pub platform_groups: Vec<GroupName>,
    /// Groups that see everything and change nothing.
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "Vec<String>"))]
    pub auditor_groups: Vec<GroupName>,
    /// How many open requests one person may have.
    #[serde(default = "default_open_requests")]
    pub open_requests_per_person: u32,
    /// How many calls a minute are taken.
    #[serde(default)]
    pub calls_per_minute: CallsPerMinute,
    /// Proxies before this server, as networks: of whoever is nobody yet, their `X-Forwarded-For` says
    /// the address.
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "Vec<String>"))]
    pub trusted_proxies: Vec<IpNet>,
    /// How long sessions live.
    #[serde(default)]
    pub session: SessionConfig,
    /// Clusters whose service accounts may ask with their own tokens, where they were enrolled.
    #[serde(default)]
    pub clusters: Vec<ClusterKeys>,
}

fn default_scopes() -> Vec<String> {
    vec!["openid".to_owned(), "groups".to_owned()]
}

fn default_open_requests() -> u32 {
    100
}

/// How many calls a minute are taken; as many may come at once.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct CallsPerMinute {
    /// Of one person or machine.
    pub caller: NonZeroU32,
    /// Of all machines of one team.
    pub team: NonZeroU32,
    /// From one address, by whoever is nobody yet.
    pub nobody: NonZeroU32,
}

impl Default for CallsPerMinute {
    fn default() -> Self {
        let calls = |count| NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN);
        Self { caller: calls(1200), team: calls(6000), nobody: calls(600) }
    }
}

/// How long sessions live.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
    /// Reads and checks the file, and makes its paths absolute; everything that is wrong is told
    /// at once.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let mut config: Self = read_yaml(path)?;
        for file in
            [&mut config.database.url_file, &mut config.issuer.ca_file].into_iter().flatten()
        {
            *file = beside(path, file);
        }
        if let Some(tls) = &mut config.tls {
            for file in [&mut tls.cert_file, &mut tls.key_file] {
                *file = beside(path, file);
            }
        }
        for cluster in &mut config.clusters {
            cluster.keys_file = beside(path, &cluster.keys_file);
        }
        let faults = config.faults();
        if faults.is_empty() {
            return Ok(config);
        }
        Err(ConfigError::Values { path: path.to_owned(), faults })
    }

    fn faults(&self) -> Vec<String> {
        let mut faults = self.issuer.faults();
        let mut need = |ok: bool, sentence: &str| {
            if !ok {
                faults.push(sentence.to_owned());
            }
        };
        need(
            self.tls.is_some() || self.listen.ip().is_loopback(),
            "listen: only a loopback address is taken without `tls`, because sessions would go in \
             plain HTTP; name a certificate, or put a TLS proxy before it",
        );
        need(!self.platform_groups.is_empty(), "platform_groups: name at least one group");
        need(!self.sign_in_client.is_empty(), "sign_in_client: name the sign-in client");
        need(
            self.sign_in_scopes.iter().any(|scope| scope == "openid"),
            "sign_in_scopes: `openid` must be among them, or there is no ID token",
        );
        need(!self.person_claim.is_empty(), "person_claim: name a claim, such as `sub`");
        need(!self.groups_claim.is_empty(), "groups_claim: name a claim, such as `groups`");
        need((1..=1440).contains(&self.session.idle_minutes), "session.idle_minutes: 1 to 1440");
        need((1..=168).contains(&self.session.absolute_hours), "session.absolute_hours: 1 to 168");
        need(
            (1..=10_000).contains(&self.open_requests_per_person),
            "open_requests_per_person: 1 to 10000",
        );
        if let Some(net) = self.trusted_proxies.iter().find(|net| net.prefix_len() == 0) {
            faults.push(format!(
                "trusted_proxies: {net} is everybody, who could then call from any address they like; \
                 name the proxies' own"
            ));
        }
        for (number, cluster) in self.clusters.iter().enumerate() {
            let name = &cluster.name;
            if cluster.issuer.is_empty() || cluster.audience.is_empty() {
                faults.push(format!("clusters: {name} needs an issuer and an audience"));
            }
            if self.clusters[..number].iter().any(|other| other.name == *name) {
                faults.push(format!("clusters: {name} stands there twice"));
            }
            let same = |other: &&ClusterKeys| {
                other.issuer == cluster.issuer && other.keys_file == cluster.keys_file
            };
            if let Some(other) = self.clusters[..number].iter().find(same) {
                let other = &other.name;
                faults.push(format!("clusters: {name} and {other} have the same issuer and keys"));
            }
        }
        let both = self.auditor_groups.iter().find(|group| self.platform_groups.contains(group));
        if let Some(group) = both {
            faults.push(format!(
                "auditor_groups: {group} is a platform group; auditors change nothing"
            ));
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<ServeConfig, ConfigError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("serve.yaml");
        std::fs::write(&path, text).unwrap();
        ServeConfig::read(&path)
    }

    const GOOD: &str = "listen: 127.0.0.1:8080\n\
                        database: { url_file: db.url }\n\
                        issuer: { url: https://idp.example.com }\n\
                        sign_in_client: strongroom-cli\n\
                        platform_groups: [platform-sre]\n";

    #[test]
    fn the_sample_is_good_and_says_the_defaults() {
        let sample = read(crate::SERVE_SAMPLE).unwrap();
        let bare = read(GOOD).unwrap();
        assert_eq!(sample.session.idle_minutes, bare.session.idle_minutes);
        assert_eq!(sample.session.absolute_hours, bare.session.absolute_hours);
        assert_eq!(sample.open_requests_per_person, bare.open_requests_per_person);
        assert_eq!(sample.sign_in_scopes, bare.sign_in_scopes);
        assert_eq!(sample.person_claim, bare.person_claim);
        assert_eq!(sample.groups_claim, bare.groups_claim);
    }

    #[test]
    fn paths_are_beside_the_file_and_the_issuers_own_host_is_allowed() {
        let config = read(GOOD).unwrap();
        assert!(config.database.url_file.unwrap().is_absolute());
        assert_eq!(config.issuer.allowed_hosts(), ["idp.example.com"]);
    }

    #[test]
    fn everything_wrong_is_told_at_once() {
        let text = "listen: 0.0.0.0:8080\n\
                    issuer: { url: \"http://idp.example.com\", hosts: [\"https://x\"] }\n\
                    sign_in_client: \"\"\nsign_in_scopes: [profile]\n\
                    platform_groups: []\n\
                    open_requests_per_person: 0\n\
                    trusted_proxies: [0.0.0.0/0]\n\
                    session: { idle_minutes: 0, absolute_hours: 1000 }\n";
        let told = read(text).unwrap_err().to_string();
        for part in [
            "listen: only a loopback",
            "issuer.url: an https",
            "issuer.hosts: \"https://x\"",
            "sign_in_client",
            "sign_in_scopes",
            "platform_groups: name",
            "open_requests_per_person",
            "trusted_proxies: 0.0.0.0/0 is everybody",
            "session.idle_minutes",
            "session.absolute_hours",
        ] {
            assert!(told.contains(part), "{part}: {told}");
        }
    }

    #[test]
    fn unknown_keys_are_named_with_their_file() {
        let told = read(&format!("{GOOD}colour: red\n")).unwrap_err().to_string();
        assert!(told.contains("serve.yaml") && told.contains("`colour`"), "{told}");
    }

    #[test]
    fn the_database_url_is_in_a_file_or_in_the_environment_only() {
        let told = read(&GOOD.replace("url_file: db.url", "url: postgres://u:p@h/d"));
        assert!(told.unwrap_err().to_string().contains("`url`"));
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("db.url"), "postgres://u:p@h/d\n").unwrap();
        let database = Database { url_file: Some("db.url".into()) };
        let url = database.url(&dir.path().join("serve.yaml")).unwrap();
        assert_eq!(secrecy::ExposeSecret::expose_secret(&url), "postgres://u:p@h/d");
        assert!(!format!("{url:?}").contains("u:p"));
    }
}
