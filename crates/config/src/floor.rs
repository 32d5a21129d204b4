//! The floor file: what the executor believes whatever the database says.
//!
//! It stands on the executor's host, is written by the people who run it, and no row, request or
//! Platform document can lower it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};
use strongroom_domain::document::duration::Seconds;
use strongroom_domain::id::DeploymentId;
use strongroom_domain::name::{ClusterName, GroupName};
use strongroom_domain::{Digest, canonical};
use url::Url;

use crate::IssuerConfig;
use crate::file::{ConfigError, beside, read_secret, read_text, read_yaml};
use crate::issuer::{default_groups_claim, default_person_claim};

/// The floor, checked.
#[derive(Debug, Clone)]
pub struct Floor {
    /// The random id of this deployment; part of every signed act and of every mark in the engine.
    pub deployment: DeploymentId,
    /// The one issuer whose tokens can be acts.
    pub issuer: IssuerConfig,
    /// The issuer's CA, if one is given.
    pub issuer_ca_pem: Option<String>,
    /// Clients that are used for acts and nothing else.
    pub act_clients: BTreeSet<String>,
    /// The claim that tells people apart.
    pub person_claim: String,
    /// The claim with the groups.
    pub groups_claim: String,
    /// Groups whose members vote for the platform.
    pub platform_groups: BTreeSet<GroupName>,
    /// Platform votes that `high` needs at least.
    pub high_platform_votes: u32,
    /// People besides the submitter that `critical` needs at least.
    pub critical_votes: u32,
    /// The longest time from sign-in to act, seconds.
    pub sign_in_max_age: u32,
    /// How long a vote lives, seconds.
    pub vote_max_age: u32,
    /// How long a vote on `critical` lives, seconds.
    pub critical_vote_max_age: u32,
    /// How long a submission lives, seconds.
    pub submission_max_age: u32,
    /// The longest life of a workload's token, seconds.
    pub token_ttl_ceiling: u32,
    /// Public keys of executors, the present one and old ones, PEM.
    pub executor_keys: Vec<String>,
    /// Provider keys that are not believed any more.
    pub denied_kids: BTreeSet<String>,
    /// People who may not act.
    pub denied_people: BTreeSet<String>,
    /// Acts signed in before this time do not count.
    pub not_before: Option<Timestamp>,
    /// Values of `acr` of which one is demanded; empty demands nothing.
    pub acr: BTreeSet<String>,
    /// Clusters whose credentials are here.
    pub clusters: Vec<ClusterCredential>,
    /// Write to engines that are older than the minimum (tests only).
    pub allow_engine_below_minimum: bool,
}

/// Credentials of one cluster, and the server and CA they are for.
#[derive(Debug, Clone)]
pub struct ClusterCredential {
    /// The name that Cluster documents use.
    pub name: ClusterName,
    /// The API server they are for, exactly.
    pub server: String,
    /// The CA they are for, exactly.
    pub ca_pem: String,
    /// Reads namespaces and service accounts.
    pub reader: SecretString,
    /// Reviews tokens; given to the engine. A cluster whose tokens the engine checks by public keys
    /// needs none.
    pub reviewer: Option<SecretString>,
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct Raw {
    /// The random id of this deployment.
    #[cfg_attr(test, schemars(with = "String"))]
    deployment: DeploymentId,
    /// The one issuer whose tokens can be acts.
    issuer: IssuerConfig,
    /// Clients that are used for acts and nothing else.
    act_clients: BTreeSet<String>,
    /// The claim that tells people apart.
    #[serde(default = "default_person_claim")]
    person_claim: String,
    /// The claim with the groups.
    #[serde(default = "default_groups_claim")]
    groups_claim: String,
    /// Groups whose members vote for the platform.
    #[cfg_attr(test, schemars(with = "BTreeSet<String>"))]
    platform_groups: BTreeSet<GroupName>,
    /// Votes that no Platform document can lower.
    #[serde(default)]
    minimum_votes: MinimumVotes,
    /// How long acts live.
    #[serde(default)]
    ages: Ages,
    /// The longest life of a workload's token.
    #[serde(default = "default_ceiling")]
    token_ttl_ceiling: String,
    /// Public keys of executors, the present one and old ones, PEM.
    executor_keys: Vec<String>,
    /// Provider keys that are not believed any more.
    #[serde(default)]
    denied_kids: BTreeSet<String>,
    /// People who may not act.
    #[serde(default)]
    denied_people: BTreeSet<String>,
    /// Acts signed in before this time do not count.
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    not_before: Option<Timestamp>,
    /// Values of `acr` of which one is demanded; empty demands nothing.
    #[serde(default)]
    acr: BTreeSet<String>,
    /// Clusters whose credentials are here.
    #[serde(default)]
    clusters: Vec<RawCluster>,
    /// Write to engines that are older than the minimum (tests only).
    #[serde(default)]
    allow_engine_below_minimum: bool,
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
struct MinimumVotes {
    /// Platform votes that `high` needs at least.
    high_platform: u32,
    /// People besides the submitter that `critical` needs at least.
    critical: u32,
}

impl Default for MinimumVotes {
    fn default() -> Self {
        Self { high_platform: 1, critical: 2 }
    }
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
struct Ages {
    /// The longest time from sign-in to act.
    sign_in: String,
    /// How long a vote lives.
    vote: String,
    /// How long a vote on `critical` lives.
    critical_vote: String,
    /// How long a submission lives.
    submission: String,
}

impl Default for Ages {
    fn default() -> Self {
        Self {
            sign_in: "5m".into(),
            vote: "72h".into(),
            critical_vote: "24h".into(),
            submission: "14d".into(),
        }
    }
}

fn default_ceiling() -> String {
    "24h".to_owned()
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct RawCluster {
    /// The name that Cluster documents use.
    #[cfg_attr(test, schemars(with = "String"))]
    name: ClusterName,
    /// The API server they are for, exactly.
    server: String,
    /// The CA they are for, PEM; this or `ca_file`.
    #[serde(default)]
    ca: Option<String>,
    /// The file with that CA; this or `ca`.
    #[serde(default)]
    ca_file: Option<PathBuf>,
    /// Reads namespaces and service accounts.
    reader_token_file: PathBuf,
    /// Reviews tokens; a cluster of method `jwt` needs none.
    #[serde(default)]
    reviewer_token_file: Option<PathBuf>,
}

#[derive(Deserialize)]
struct OnlyClusters {
    #[serde(default)]
    clusters: Vec<RawCluster>,
}

impl ClusterCredential {
    /// The credentials in a floor file, or in a file that holds nothing but its `clusters`. What else
    /// stands there is not looked at: somebody who asks about a cluster need not have the rest.
    pub fn read_all(path: &Path) -> Result<Vec<Self>, ConfigError> {
        let raw: OnlyClusters = read_yaml(path)?;
        let mut faults = Vec::new();
        let clusters = read_clusters(path, &raw.clusters, &mut faults);
        if faults.is_empty() {
            Ok(clusters)
        } else {
            Err(ConfigError::Values { path: path.to_owned(), faults })
        }
    }
}

impl Floor {
    /// Reads and checks the file; everything that is wrong is told at once.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let mut raw: Raw = read_yaml(path)?;
        if let Some(file) = &mut raw.issuer.ca_file {
            *file = beside(path, file);
        }
        let mut faults = raw.issuer.faults();
        let issuer_ca_pem = keep(&mut faults, "issuer.ca_file", raw.issuer.ca_pem(path)).flatten();
        let mut age = |name: &str, text: &str| match text.parse::<Seconds>() {
            Ok(seconds) => seconds.get(),
            Err(error) => {
                faults.push(format!("{name}: {error}"));
                0
            }
        };
        let sign_in_max_age = age("ages.sign_in", &raw.ages.sign_in);
        let vote_max_age = age("ages.vote", &raw.ages.vote);
        let critical_vote_max_age = age("ages.critical_vote", &raw.ages.critical_vote);
        let submission_max_age = age("ages.submission", &raw.ages.submission);
        let token_ttl_ceiling = age("token_ttl_ceiling", &raw.token_ttl_ceiling);
        let clusters = read_clusters(path, &raw.clusters, &mut faults);
        check(&raw, &mut faults);
        if !faults.is_empty() {
            return Err(ConfigError::Values { path: path.to_owned(), faults });
        }
        Ok(Self {
            deployment: raw.deployment,
            issuer_ca_pem,
            issuer: raw.issuer,
            act_clients: raw.act_clients,
            person_claim: raw.person_claim,
            groups_claim: raw.groups_claim,
            platform_groups: raw.platform_groups,
            high_platform_votes: raw.minimum_votes.high_platform,
            critical_votes: raw.minimum_votes.critical,
            sign_in_max_age,
            vote_max_age,
            critical_vote_max_age,
            submission_max_age,
            token_ttl_ceiling,
            executor_keys: raw.executor_keys,
            denied_kids: raw.denied_kids,
            denied_people: raw.denied_people,
            not_before: raw.not_before,
            acr: raw.acr,
            clusters,
            allow_engine_below_minimum: raw.allow_engine_below_minimum,
        })
    }

    /// A hash over everything in the floor but the clusters' tokens, so that two executors can see
    /// whether they stand on the same floor.
    pub fn digest(&self) -> Digest {
        let clusters: Vec<Value> = self
            .clusters
            .iter()
            .map(|each| json!({ "name": each.name, "server": each.server, "ca": each.ca_pem }))
            .collect();
        let content = json!({
            "deployment": self.deployment,
            "issuer": self.issuer.url,
            "issuerCa": self.issuer_ca_pem,
            "issuerHosts": self.issuer.allowed_hosts(),
            "actClients": self.act_clients,
            "personClaim": self.person_claim,
            "groupsClaim": self.groups_claim,
            "platformGroups": self.platform_groups,
            "highPlatformVotes": self.high_platform_votes,
            "criticalVotes": self.critical_votes,
            "signInMaxAge": self.sign_in_max_age,
            "voteMaxAge": self.vote_max_age,
            "criticalVoteMaxAge": self.critical_vote_max_age,
            "submissionMaxAge": self.submission_max_age,
            "tokenTtlCeiling": self.token_ttl_ceiling,
            "executorKeys": self.executor_keys,
            "deniedKids": self.denied_kids,
            "deniedPeople": self.denied_people,
            "notBefore": self.not_before,
            "acr": self.acr,
            "clusters": clusters,
            "allowEngineBelowMinimum": self.allow_engine_below_minimum,
        });
        let bytes = canonical::to_bytes(&content)
            .expect("a floor holds only text, integers, booleans, lists and maps with text keys");
        Digest::labelled("strongroom/floor/1", &bytes)
    }
}

/// What could be read, or a fault.
fn keep<T>(faults: &mut Vec<String>, field: &str, read: Result<T, ConfigError>) -> Option<T> {
    read.map_err(|error| {
        let why = std::error::Error::source(&error).map(|why| format!(": {why}"));
        faults.push(format!("{field}: {error}{}", why.unwrap_or_default()));
    })
    .ok()
}

fn read_clusters(
    path: &Path,
    raw: &[RawCluster],
    faults: &mut Vec<String>,
) -> Vec<ClusterCredential> {
    let mut clusters = Vec::new();
    let mut names = BTreeSet::new();
    for cluster in raw {
        let field = |name: &str| format!("clusters.{}.{name}", cluster.name);
        if !names.insert(&cluster.name) {
            faults.push(format!("clusters: {} stands there twice", cluster.name));
        }
        let origin = Url::parse(&cluster.server).ok();
        if !origin.is_some_and(|url| url.scheme() == "https" && url.path() == "/") {
            faults.push(format!("{}: `https://host:port`, nothing more", field("server")));
        }
        let ca = match (&cluster.ca, &cluster.ca_file) {
            (Some(text), None) => Some(text.clone()),
            (None, Some(file)) => keep(faults, &field("ca_file"), read_text(&beside(path, file))),
            _ => {
                faults.push(format!("{}: give exactly one of ca and ca_file", field("ca")));
                None
            }
        };
        let mut secret =
            |name: &str, file: &Path| keep(faults, &field(name), read_secret(&beside(path, file)));
        let reader = secret("reader_token_file", &cluster.reader_token_file);
        let file = cluster.reviewer_token_file.as_ref();
        let reviewer = file.map(|file| secret("reviewer_token_file", file));
        if let (Some(ca_pem), Some(reader), None | Some(Some(_))) = (ca, reader, &reviewer) {
            let reviewer = reviewer.flatten();
            let (name, server) = (cluster.name.clone(), cluster.server.clone());
            clusters.push(ClusterCredential { name, server, ca_pem, reader, reviewer });
        }
    }
    clusters
}

fn check(raw: &Raw, faults: &mut Vec<String>) {
    let mut need = |ok: bool, sentence: &str| {
        if !ok {
            faults.push(sentence.to_owned());
        }
    };
    need(!raw.act_clients.is_empty(), "act_clients: name at least one client");
    need(!raw.person_claim.is_empty(), "person_claim: name a claim, such as `sub`");
    need(!raw.groups_claim.is_empty(), "groups_claim: name a claim, such as `groups`");
    need(!raw.platform_groups.is_empty(), "platform_groups: name at least one group");
    need(!raw.executor_keys.is_empty(), "executor_keys: the executor's public key is missing");
    need(
        raw.executor_keys.iter().all(|key| key.starts_with("-----BEGIN PUBLIC KEY-----")),
        "executor_keys: each is a public key in PEM (`-----BEGIN PUBLIC KEY-----`)",
    );
    need(raw.minimum_votes.critical > 0, "minimum_votes.critical: at least one person");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(text: &str) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("floor.yaml");
        std::fs::write(&path, text).unwrap();
        (dir, path)
    }

    const GOOD: &str = "deployment: 0199b5d0-0000-7000-8000-000000000001\n\
                        issuer: { url: https://idp.example.com }\n\
                        act_clients: [strongroom-cli-act]\n\
                        platform_groups: [platform-sre]\n\
                        executor_keys: [-----BEGIN PUBLIC KEY-----]\n";

    #[test]
    fn defaults_are_the_ones_of_the_design() {
        let (_dir, path) = write(GOOD);
        let floor = Floor::read(&path).unwrap();
        assert_eq!(floor.person_claim, "sub");
        assert_eq!(floor.vote_max_age, 72 * 3600);
        assert_eq!(floor.critical_vote_max_age, 24 * 3600);
        assert_eq!(floor.submission_max_age, 14 * 86_400);
        assert_eq!((floor.high_platform_votes, floor.critical_votes), (1, 2));
        assert!(!floor.allow_engine_below_minimum);
    }

    #[test]
    fn everything_wrong_is_told_at_once_and_unknown_keys_are_named() {
        let text = GOOD.replace("[strongroom-cli-act]", "[]").replace(
            "executor_keys: [-----BEGIN PUBLIC KEY-----]",
            "executor_keys: []\nages: { vote: soon }",
        );
        let (_dir, path) = write(&text);
        let told = Floor::read(&path).unwrap_err().to_string();
        for part in ["ages.vote: a duration is", "act_clients: name", "executor_keys: the"] {
            assert!(told.contains(part), "{told}");
        }
        let (_dir, path) = write(&format!("{GOOD}colour: red\n"));
        assert!(Floor::read(&path).unwrap_err().to_string().contains("colour"));
    }

    const CLUSTER: &str = "clusters: [{ name: prod-eu, server: \"https://k8s:6443\", ca: CA, \
                           reader_token_file: reader, reviewer_token_file: reviewer }]\n";

    #[test]
    fn clusters_are_read_with_their_files_and_every_missing_one_is_told() {
        let (_dir, path) = write(&format!("{GOOD}{CLUSTER}"));
        let told = Floor::read(&path).unwrap_err().to_string();
        for part in ["clusters.prod-eu.reader_token_file: read", "prod-eu.reviewer_token_file"] {
            assert!(told.contains(part), "{told}");
        }
        for name in ["reader", "reviewer"] {
            std::fs::write(path.with_file_name(name), format!("{name}-token\n")).unwrap();
        }
        let floor = Floor::read(&path).unwrap();
        assert_eq!(floor.clusters[0].ca_pem, "CA");
        // The same without the rest of the floor.
        std::fs::write(&path, CLUSTER).unwrap();
        let alone = ClusterCredential::read_all(&path).unwrap();
        assert_eq!((alone.len(), alone[0].server.as_str()), (1, "https://k8s:6443"));
        std::fs::remove_file(path.with_file_name("reviewer")).unwrap();
        let told = ClusterCredential::read_all(&path).unwrap_err().to_string();
        assert!(told.contains("prod-eu.reviewer_token_file"), "{told}");
        assert!(!format!("{floor:?}").contains("reader-token"));
    }

    #[test]
    fn the_digest_follows_every_value_and_no_secret() {
        let (_dir, path) = write(&format!("{GOOD}{CLUSTER}"));
        let digest = |token: &str, extra: &str| {
            for name in ["reader", "reviewer"] {
                std::fs::write(path.with_file_name(name), token).unwrap();
            }
            std::fs::write(&path, format!("{GOOD}{CLUSTER}{extra}")).unwrap();
            Floor::read(&path).unwrap().digest()
        };
        let base = digest("one", "");
        assert_eq!(base, digest("two", ""));
        for extra in ["acr: [high]", "denied_kids: [k]", "ages: { vote: 1h }", "person_claim: x"] {
            assert_ne!(base, digest("one", extra), "{extra}");
        }
    }

    #[test]
    fn the_sample_is_good_and_says_the_defaults() {
        let (_dir, path) = write(crate::FLOOR_SAMPLE);
        let sample = Floor::read(&path).unwrap();
        let (_dir, path) = write(GOOD);
        let mut bare = Floor::read(&path).unwrap();
        bare.executor_keys = sample.executor_keys.clone();
        assert_eq!(sample.digest(), bare.digest());
    }
}
