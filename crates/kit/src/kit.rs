//! What a workload of one binding has to know.

use std::collections::BTreeSet;

use strongroom_domain::document::team::{Binding, Holder, Level};
use strongroom_domain::document::{Cluster, Team};
use strongroom_vault_model::name::{
    BindingName, ClusterName, NamespaceName, ServiceAccountName, TeamName,
};
use strongroom_vault_model::object::LoginMethod;
use strongroom_vault_model::path::{SecretPath, TeamMount, auth_mount};

use crate::text::object_name;

/// The name of a secret that stands in for one the reader knows.
const EXAMPLE: &str = "example";

/// Where the engine is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Engine {
    /// `https://host[:port]`.
    pub address: String,
    /// Its CA, PEM; empty where the system's roots do.
    pub ca_pem: String,
}

/// What the reader asks for in particular.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wish {
    /// One of the binding's accounts; the first by name when left out.
    pub account: Option<ServiceAccountName>,
    /// A secret inside the binding's paths; an example when left out.
    pub secret: Option<SecretPath>,
}

/// One secret that the files read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secret {
    /// Its mount.
    pub mount: TeamMount,
    /// Its path inside the mount.
    pub path: SecretPath,
    /// What the document grants, where that is a whole folder.
    pub beneath: Option<SecretPath>,
    /// What may be done there.
    pub level: Level,
    /// For objects and files; no other secret of the kit has it.
    pub name: String,
}

impl Secret {
    /// The path by which the engine's API and templates read it.
    pub fn data_path(&self) -> String {
        format!("{}/data/{}", self.mount, self.path)
    }

    /// As `strongroom kv` names it.
    pub fn short_path(&self) -> String {
        format!("{}/{}/{}", self.mount.team, self.mount.mount, self.path)
    }
}

/// What a workload of one binding has to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kit {
    /// Where the engine is.
    pub engine: Engine,
    /// The team.
    pub team: TeamName,
    /// The binding.
    pub binding: BindingName,
    /// The cluster the workload runs in.
    pub cluster: ClusterName,
    /// How the cluster's accounts log in.
    pub login: LoginMethod,
    /// The audience that the account's token must be made for.
    pub audience: String,
    /// The namespace.
    pub namespace: NamespaceName,
    /// The service account.
    pub account: ServiceAccountName,
    /// The binding's other accounts.
    pub others: Vec<ServiceAccountName>,
    /// What it reads; never empty.
    pub secrets: Vec<Secret>,
    /// Requests per second on the mount, for each address of a client, where they are limited.
    pub requests_per_second: Option<u32>,
}

/// Why there is no kit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KitError {
    /// People read with `strongroom kv get`.
    #[error("the binding is for a group of people: they read with `strongroom kv get`")]
    ForPeople,
    /// The wished account is not in the binding.
    #[error("the binding names no account {account}; it names {known}")]
    NoAccount {
        /// The wish.
        account: ServiceAccountName,
        /// What there is.
        known: String,
    },
    /// The wished secret is outside the binding's paths.
    #[error("{secret} is not one secret that the binding reads; it reads {known}")]
    NoSecret {
        /// The wish.
        secret: SecretPath,
        /// What there is.
        known: String,
    },
    /// It lists names only.
    #[error("the binding lists names and reads no values: there is nothing to render")]
    ReadsNothing,
}

impl Kit {
    /// The kit of a binding that is applied.
    pub fn new(
        engine: Engine,
        team: &Team,
        binding: &Binding,
        cluster: &Cluster,
        wish: &Wish,
    ) -> Result<Self, KitError> {
        let Holder::Accounts { namespace, accounts, .. } = &binding.holder else {
            return Err(KitError::ForPeople);
        };
        let account = match &wish.account {
            None => accounts.first().cloned().ok_or(KitError::ReadsNothing)?,
            Some(account) if accounts.contains(account) => account.clone(),
            Some(account) => {
                let known: Vec<&str> = accounts.iter().map(ServiceAccountName::as_str).collect();
                return Err(KitError::NoAccount {
                    account: account.clone(),
                    known: known.join(", "),
                });
            }
        };
        let others = accounts.iter().filter(|each| **each != account).cloned().collect();
        Ok(Self {
            others,
            engine,
            team: team.name.clone(),
            binding: binding.name.clone(),
            cluster: cluster.name.clone(),
            login: cluster.login.method(),
            audience: cluster.audience.clone(),
            namespace: namespace.clone(),
            account,
            secrets: secrets(team, binding, wish.secret.as_ref())?,
            requests_per_second: team.requests_per_second,
        })
    }

    /// The path of the login below `auth/`.
    pub fn auth_mount(&self) -> String {
        auth_mount(&self.cluster)
    }

    /// The role of the login: the namespace has one, and it carries no rights.
    pub fn role(&self) -> &str {
        self.namespace.as_str()
    }
}

fn secrets(
    team: &Team,
    binding: &Binding,
    wish: Option<&SecretPath>,
) -> Result<Vec<Secret>, KitError> {
    let readable: Vec<_> =
        binding.access.iter().filter(|access| access.level >= Level::Read).collect();
    if readable.is_empty() {
        return Err(KitError::ReadsNothing);
    }
    let mut names = BTreeSet::new();
    let mut secret = |mount: &_, path, beneath, level| Secret {
        mount: TeamMount { team: team.name.clone(), mount: Clone::clone(mount) },
        name: own_name(&path, &mut names),
        path,
        beneath,
        level,
    };
    if let Some(wish) = wish {
        let found = readable.iter().find(|access| !wish.is_beneath() && access.path.covers(wish));
        let found = found.ok_or_else(|| KitError::NoSecret {
            secret: wish.clone(),
            known: readable.iter().map(|a| a.path.to_string()).collect::<Vec<_>>().join(", "),
        })?;
        return Ok(vec![secret(&found.mount, wish.clone(), None, found.level)]);
    }
    let made = readable.iter().filter_map(|access| {
        let path = access.path.clone();
        if !path.is_beneath() {
            return Some(secret(&access.mount, path, None, access.level));
        }
        let text = path.to_string();
        let example = format!("{}{EXAMPLE}", text.strip_suffix('*')?);
        Some(secret(&access.mount, SecretPath::new(&example).ok()?, Some(path), access.level))
    });
    Ok(made.collect())
}

/// Two paths can have the same letters, and two mounts the same path.
fn own_name(path: &SecretPath, taken: &mut BTreeSet<String>) -> String {
    let base = object_name(path);
    let mut name = base.clone();
    let mut number = 2;
    while !taken.insert(name.clone()) {
        name = format!("{base}-{number}");
        number += 1;
    }
    name
}
