//! Engine objects that plans are made of: which there are, what each is called, and what it holds.
//!
//! An object's content is a flat map of the fields that matter, spelled as the engine spells them,
//! so that wanted and found are compared field by field and a plan can show any of them. Secrets
//! never stand in a field: a reviewer token is named by its credential.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::canonical::{Digest, to_bytes};
use crate::name::{ClusterName, GroupName, NameError, NamespaceName, ServiceAccountName, TeamName};
use crate::path::{SecretPath, TeamMount};
use crate::policy::{Area, Capability, Mark, PolicyName, RulePath, Rules, TeamRole};

/// The auth mount where people sign in to the engine.
pub const PEOPLE_MOUNT: &str = "people";

/// The mount in which the executor keeps its heads.
pub const HEADS_MOUNT: &str = "strongroom";

/// What an object holds, by field.
pub type Fields = BTreeMap<String, Value>;

/// Which object.
///
/// The order of the variants is the order in which grants are written; every prefix is safe
/// because rights only flow once the group at the end is there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectKey {
    /// A cluster's auth mount `auth/k8s/<cluster>`.
    AuthMount(ClusterName),
    /// Its configuration.
    AuthConfig(ClusterName),
    /// A team's secret engine `team/<team>/<mount>`.
    Mount(TeamMount),
    /// Its KV settings.
    MountConfig(TeamMount),
    /// Its rate limit.
    RateLimit(TeamMount),
    /// A policy.
    Policy(PolicyName),
    /// A namespace's role on a cluster's auth mount.
    Role(ClusterName, NamespaceName),
    /// The external group that stands for a provider's group.
    Anchor(AnchorName),
    /// The alias that ties an anchor to the provider's group.
    AnchorAlias(AnchorName),
    /// The internal group that carries a policy.
    Group(PolicyName),
}

/// The name of an anchor, made from the provider's group so that any group name is safe.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AnchorName(String);

impl AnchorName {
    /// The anchor of a provider's group.
    pub fn of(group: &GroupName) -> Self {
        let digest = Digest::labelled("strongroom/anchor/1", group.as_str().as_bytes());
        Self(format!("people.{}", &digest.to_string()[..32]))
    }

    /// An anchor's name as the engine holds it.
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("people.")?;
        let hex = rest.len() == 32
            && rest.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        hex.then(|| Self(text.to_owned()))
    }

    /// The engine's name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A service account as the engine names its entity: `sa.<cluster>.<namespace>.<account>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Account {
    /// The cluster.
    pub cluster: ClusterName,
    /// The namespace.
    pub namespace: NamespaceName,
    /// The service account.
    pub account: ServiceAccountName,
}

impl Account {
    /// The entity's name.
    pub fn entity_name(&self) -> String {
        format!("sa.{}.{}.{}", self.cluster, self.namespace, self.account)
    }

    /// The account whose entity has this name. Cluster and namespace hold no dot.
    pub fn from_entity_name(text: &str) -> Option<Self> {
        let mut parts = text.splitn(4, '.');
        (parts.next()? == "sa").then_some(())?;
        Some(Self {
            cluster: ClusterName::new(parts.next()?).ok()?,
            namespace: NamespaceName::new(parts.next()?).ok()?,
            account: ServiceAccountName::new(parts.next()?).ok()?,
        })
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.cluster, self.namespace, self.account)
    }
}

impl ObjectKey {
    /// The kind, as plans and journals call it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::AuthMount(_) => "auth-mount",
            Self::AuthConfig(_) => "auth-config",
            Self::Mount(_) => "mount",
            Self::MountConfig(_) => "mount-config",
            Self::RateLimit(_) => "rate-limit",
            Self::Policy(_) => "policy",
            Self::Role(..) => "role",
            Self::Anchor(_) => "anchor",
            Self::AnchorAlias(_) => "anchor-alias",
            Self::Group(_) => "group",
        }
    }

    /// The name inside its kind.
    pub fn name(&self) -> String {
        match self {
            Self::AuthMount(cluster) | Self::AuthConfig(cluster) => {
                format!("auth/{}", crate::path::auth_mount(cluster))
            }
            Self::Mount(mount) | Self::MountConfig(mount) => mount.to_string(),
            Self::RateLimit(mount) => format!("team.{}.{}", mount.team, mount.mount),
            Self::Policy(name) | Self::Group(name) => name.to_string(),
            Self::Role(cluster, namespace) => {
                format!("auth/{}/role/{namespace}", crate::path::auth_mount(cluster))
            }
            Self::Anchor(anchor) | Self::AnchorAlias(anchor) => anchor.as_str().to_owned(),
        }
    }

    /// The object that a plan calls by this kind and name.
    pub fn parse(kind: &str, name: &str) -> Result<Self, NameError> {
        let wrong = || NameError::new("object name", name, "not the name of a managed object");
        let cluster = |text: Option<&str>| ClusterName::new(text.ok_or_else(wrong)?);
        let team_mount = |text: &str, separator: char| {
            let rest = text.strip_prefix("team").and_then(|t| t.strip_prefix(separator));
            let (team, mount) = rest.and_then(|t| t.split_once(separator)).ok_or_else(wrong)?;
            Ok::<_, NameError>(TeamMount { team: team.parse()?, mount: mount.parse()? })
        };
        match kind {
            "auth-mount" => Ok(Self::AuthMount(cluster(name.strip_prefix("auth/k8s/"))?)),
            "auth-config" => Ok(Self::AuthConfig(cluster(name.strip_prefix("auth/k8s/"))?)),
            "mount" => Ok(Self::Mount(team_mount(name, '/')?)),
            "mount-config" => Ok(Self::MountConfig(team_mount(name, '/')?)),
            "rate-limit" => Ok(Self::RateLimit(team_mount(name, '.')?)),
            "policy" => Ok(Self::Policy(name.parse()?)),
            "group" => Ok(Self::Group(name.parse()?)),
            "role" => {
                let rest = name.strip_prefix("auth/k8s/").ok_or_else(wrong)?;
                let (on, role) = rest.split_once("/role/").ok_or_else(wrong)?;
                Ok(Self::Role(ClusterName::new(on)?, NamespaceName::new(role)?))
            }
            "anchor" => Ok(Self::Anchor(AnchorName::parse(name).ok_or_else(wrong)?)),
            "anchor-alias" => Ok(Self::AnchorAlias(AnchorName::parse(name).ok_or_else(wrong)?)),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind(), self.name())
    }
}

impl Serialize for ObjectKey {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        json!({ "kind": self.kind(), "name": self.name() }).serialize(to)
    }
}

impl<'de> Deserialize<'de> for ObjectKey {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Raw {
            kind: String,
            name: String,
        }
        let raw = Raw::deserialize(from)?;
        Self::parse(&raw.kind, &raw.name).map_err(serde::de::Error::custom)
    }
}

/// The hash by which a plan names the state of an object before or after a step.
pub fn fingerprint(fields: &Fields) -> Digest {
    let bytes = to_bytes(fields).expect("fields hold only text, integers, booleans and lists");
    Digest::labelled("strongroom/object/1", &bytes)
}

fn fields<const N: usize>(entries: [(&str, Value); N]) -> Fields {
    entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// How the engine finds out whether a service account's token is genuine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginMethod {
    /// It asks the cluster's API server each time (`TokenReview`).
    Kubernetes,
    /// It checks the signature itself, with the cluster's public keys.
    Jwt,
}

impl LoginMethod {
    /// The engine's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Kubernetes => "kubernetes",
            Self::Jwt => "jwt",
        }
    }
}

/// A cluster's auth mount.
pub fn auth_mount(mark: &Mark, cluster: &ClusterName, method: LoginMethod) -> Fields {
    fields([
        ("type", json!(method.as_str())),
        ("description", json!(format!("{mark}auth/k8s/{cluster}"))),
    ])
}

/// How a cluster's auth mount asks the API server about tokens.
pub fn auth_config(server: &str, ca: &str, credentials: &ClusterName) -> Fields {
    fields([
        ("kubernetes_host", json!(server)),
        ("kubernetes_ca_cert", json!(ca)),
        ("disable_local_ca_jwt", json!(true)),
        ("pem_keys", json!([])),
        // The token itself is a file of the executor. Reads tell only whether one is set.
        ("token_reviewer", json!(format!("credential {credentials}"))),
    ])
}

/// How a cluster's auth mount checks signatures itself: by these keys, or by those at an address.
pub fn auth_config_jwt(issuer: &str, keys: &[String], jwks: Option<(&str, &str)>) -> Fields {
    let (url, ca) = jwks.unwrap_or_default();
    let keys: Vec<&str> = keys.iter().map(|key| key.trim_end()).collect();
    fields([
        ("bound_issuer", json!(issuer)),
        ("jwt_validation_pubkeys", json!(keys)),
        ("jwks_url", json!(url)),
        ("jwks_ca_pem", json!(ca)),
        // Otherwise the engine would take whatever the key allows.
        ("jwt_supported_algs", json!(["RS256", "ES256"])),
        ("oidc_discovery_url", json!("")),
        ("default_role", json!("")),
    ])
}

/// A team's KV version 2 mount. A mount that left the team's document keeps its data.
pub fn mount(mark: &Mark, at: &TeamMount, quarantined: bool) -> Fields {
    let state = if quarantined { " (quarantined)" } else { "" };
    fields([
        ("type", json!("kv")),
        ("version", json!("2")),
        ("description", json!(format!("{mark}{at}{state}"))),
    ])
}

/// A KV mount's settings.
pub fn mount_config(max_versions: u32) -> Fields {
    fields([
        ("max_versions", json!(max_versions)),
        ("cas_required", json!(false)),
        ("delete_version_after", json!("0s")),
    ])
}

/// Requests per second on one mount, per node and client address.
pub fn rate_limit(at: &TeamMount, rate: u32) -> Fields {
    fields([
        ("path", json!(format!("{at}/"))),
        ("rate", json!(rate)),
        ("interval", json!(1)),
        ("role", json!("")),
    ])
}

/// A policy's text, and where the engine knows ends of policies, its end.
pub fn policy(text: &str, expiration: Option<&str>) -> Fields {
    let mut fields = fields([("policy", json!(text))]);
    if let Some(end) = expiration {
        fields.insert("expiration".to_owned(), json!(end));
    }
    fields
}

/// A namespace's role. It carries no rights: `token_policies` is empty and is never sent.
///
/// The fields are the same for every method; `wire` says them in the words of the mount's type.
pub fn role(
    method: LoginMethod,
    namespace: &NamespaceName,
    accounts: &BTreeSet<ServiceAccountName>,
    audience: &str,
    ttl: u32,
    max_ttl: u32,
) -> Fields {
    let mut fields = fields([
        ("bound_service_account_names", json!(accounts)),
        ("bound_service_account_namespaces", json!([namespace])),
        ("bound_service_account_namespace_selector", json!("")),
        ("audience", json!(audience)),
        ("alias_name_source", json!("serviceaccount_uid")),
        ("token_policies", json!([])),
        ("token_no_default_policy", json!(true)),
        ("token_period", json!(0)),
        ("token_ttl", json!(ttl)),
        ("token_max_ttl", json!(max_ttl)),
    ]);
    if method == LoginMethod::Jwt {
        fields.insert("login".to_owned(), json!(method.as_str()));
    }
    fields
}

/// Fields of a role that only ever take away from who may log in or what a token lasts. They are never
/// written by a plan; where somebody set one by hand it is not taken off by itself.
pub const ROLE_NARROWS: [&str; 6] = [
    "bound_claims",
    "bound_subject",
    "token_bound_cidrs",
    "token_explicit_max_ttl",
    "token_num_uses",
    "token_strictly_bind_ip",
];

/// The external group of one provider group. It carries no rights.
pub fn anchor(mark: &Mark) -> Fields {
    fields([("type", json!("external")), ("policies", json!([])), ("owner", json!(mark.as_str()))])
}

/// The alias by which the engine recognises the provider's group at sign-in.
pub fn anchor_alias(group: &GroupName) -> Fields {
    fields([("name", json!(group)), ("mount", json!(PEOPLE_MOUNT))])
}

/// The internal group that carries one policy to its members.
///
/// `accounts` are the service accounts that may be members; which of them are is attached later,
/// inside the pinned namespace only.
pub fn group(
    mark: &Mark,
    name: &PolicyName,
    anchors: &BTreeSet<AnchorName>,
    accounts: &BTreeSet<Account>,
) -> Fields {
    fields([
        ("type", json!("internal")),
        ("policies", json!([crate::policy::SELF_POLICY, name.to_string()])),
        ("anchors", anchors.iter().map(|anchor| json!(anchor.as_str())).collect()),
        ("accounts", accounts.iter().map(|account| json!(account.to_string())).collect()),
        ("owner", json!(mark.as_str())),
    ])
}

/// The rules of a team's people, by role.
pub fn people_rules(team: &TeamName, mounts: &[TeamMount], role: TeamRole) -> Rules {
    use Capability::{Create, Delete, List, Patch, Read, Update};
    debug_assert!(mounts.iter().all(|mount| &mount.team == team));
    let everything = SecretPath::new("*").expect("the whole mount is a valid path");
    let mut rules = Rules::default();
    for mount in mounts {
        let at = |area| RulePath { mount: mount.clone(), area, path: everything.clone() };
        rules.allow(at(Area::Metadata), &[List, Read]);
        if role != TeamRole::Viewer {
            rules.allow(at(Area::Data), &[Create, Update, Patch]);
        }
        if role == TeamRole::Owner {
            rules.allow(at(Area::Data), &[Delete]);
            rules.allow(at(Area::Delete), &[Update]);
            rules.allow(at(Area::Undelete), &[Update]);
        }
    }
    rules
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_parse_back_from_kind_and_name() {
        let cluster = ClusterName::new("prod-eu").unwrap();
        let mount = TeamMount { team: "payments".parse().unwrap(), mount: "kv".parse().unwrap() };
        let anchor = AnchorName::of(&GroupName::new("payments-dev").unwrap());
        let keys = [
            ObjectKey::AuthMount(cluster.clone()),
            ObjectKey::AuthConfig(cluster.clone()),
            ObjectKey::Mount(mount.clone()),
            ObjectKey::MountConfig(mount.clone()),
            ObjectKey::RateLimit(mount),
            ObjectKey::Policy("team.payments.owner".parse().unwrap()),
            ObjectKey::Role(cluster, NamespaceName::new("payments-prod").unwrap()),
            ObjectKey::Anchor(anchor.clone()),
            ObjectKey::AnchorAlias(anchor),
            ObjectKey::Group("team.payments.binding.api".parse().unwrap()),
        ];
        for key in &keys {
            assert_eq!(&ObjectKey::parse(key.kind(), &key.name()).unwrap(), key);
        }
        assert!(keys.is_sorted());
        for (kind, name) in [("mount", "team/a/b/c"), ("mount", "secret"), ("policy", "root")] {
            assert!(ObjectKey::parse(kind, name).is_err());
        }
    }

    #[test]
    fn entity_names_parse_back_even_with_dots_in_the_account() {
        for text in ["sa.prod-eu.payments-prod.api", "sa.a.b.c.d.e"] {
            assert_eq!(Account::from_entity_name(text).unwrap().entity_name(), text);
        }
        for text in ["sa.a.b", "entity_1234", "sa.a.B.c", "people.x"] {
            assert!(Account::from_entity_name(text).is_none(), "{text}");
        }
        // `a.b` in namespace `c` and `b` in namespace `a.c`, were it possible, would never meet.
        let one = Account::from_entity_name("sa.x.b.a").unwrap();
        let two = Account::from_entity_name("sa.x.b.a.b").unwrap();
        assert_ne!(one, two);
    }
}
