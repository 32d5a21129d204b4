//! The `Team` document: one tenant's people, mounts, namespaces and bindings.

use std::collections::BTreeSet;

use jiff::civil::Date;
use serde_json::{Value, json};
use strongroom_vault_model::name::{
    BindingName, ClusterName, GroupName, MountName, NamespaceName, ServiceAccountName, TeamName,
};
use strongroom_vault_model::path::SecretPath;

use super::duration::Seconds;
use super::reader::Field;

/// A tenant as its document declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Team {
    /// The slug.
    pub name: TeamName,
    /// For people to read; free text without control characters.
    pub display_name: String,
    /// Where the team is reached.
    pub contact: String,
    /// Groups of the identity provider and what their members are in the team.
    pub people: People,
    /// The team's secret engines.
    pub mounts: Vec<Mount>,
    /// The Kubernetes namespaces the team claims.
    pub namespaces: Vec<Claim>,
    /// Who reaches what.
    pub bindings: Vec<Binding>,
    /// Requests per second on each mount, if limited.
    pub requests_per_second: Option<u32>,
    /// Whether the team is taken off: nobody reaches anything, its data is kept, its name stays used.
    pub removed: bool,
}

/// The team's people by group.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct People {
    /// They decide for the team.
    pub owners: Vec<GroupName>,
    /// They set values.
    pub editors: Vec<GroupName>,
    /// They see names of secrets.
    pub viewers: Vec<GroupName>,
}

/// A secret engine of the team. KV version 2 is the only type so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// The name; the engine path is `team/<team>/<name>`.
    pub name: MountName,
    /// How many versions of a secret are kept.
    pub max_versions: u32,
}

/// What a namespace is used for. It belongs to the claim, not to the namespace's labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Environment {
    /// Real users depend on it.
    Production,
    /// The rehearsal.
    Staging,
    /// Everything else.
    Development,
}

/// A namespace that the team claims.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The cluster it is in.
    pub cluster: ClusterName,
    /// Its name there.
    pub name: NamespaceName,
    /// What it is used for.
    pub environment: Environment,
    /// How long a workload's token lives before it is renewed.
    pub token_ttl: Seconds,
}

/// Access for service accounts of one namespace, or for one group of people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// The name inside the team.
    pub name: BindingName,
    /// Who gets the access.
    pub holder: Holder,
    /// What may be reached.
    pub access: Vec<Access>,
    /// The last day (UTC) of the access, if it ends.
    pub until: Option<Date>,
}

/// Who a binding is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holder {
    /// Service accounts of one namespace.
    Accounts {
        /// The cluster.
        cluster: ClusterName,
        /// The namespace.
        namespace: NamespaceName,
        /// Exact names.
        accounts: BTreeSet<ServiceAccountName>,
        /// The team that claims the namespace, where that is another one.
        host: Option<TeamName>,
    },
    /// A group of the identity provider.
    People {
        /// The group.
        group: GroupName,
    },
}

/// One path in one mount at one level.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Access {
    /// The team's mount.
    pub mount: MountName,
    /// One secret or everything beneath a folder.
    pub path: SecretPath,
    /// What may be done there.
    pub level: Level,
}

/// What may be done at a path; each level includes the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// List and read metadata.
    List,
    /// Read values too.
    Read,
    /// Set values too; no delete.
    Write,
    /// Delete, undelete and destroy too.
    Admin,
}

const LEVELS: &[(&str, Level)] = &[
    ("list", Level::List),
    ("read", Level::Read),
    ("write", Level::Write),
    ("admin", Level::Admin),
];

const ENVIRONMENTS: &[(&str, Environment)] = &[
    ("production", Environment::Production),
    ("staging", Environment::Staging),
    ("development", Environment::Development),
];

fn word_of<T: PartialEq>(words: &[(&'static str, T)], value: &T) -> &'static str {
    words.iter().find(|(_, each)| each == value).map_or("", |(word, _)| word)
}

impl Level {
    /// The word in documents.
    pub fn as_str(self) -> &'static str {
        word_of(LEVELS, &self)
    }
}

impl Environment {
    /// The word in documents.
    pub fn as_str(self) -> &'static str {
        word_of(ENVIRONMENTS, &self)
    }
}

/// A team's kept versions of a secret when the document says nothing.
const DEFAULT_MAX_VERSIONS: u32 = 10;

/// A workload token's life when the document says nothing.
const DEFAULT_TOKEN_TTL: u32 = 20 * 60;

impl Team {
    /// The claim on a namespace, if the team has it.
    pub fn claim(&self, cluster: &ClusterName, namespace: &NamespaceName) -> Option<&Claim> {
        self.namespaces.iter().find(|c| &c.cluster == cluster && &c.name == namespace)
    }

    pub(super) fn spec_value(&self) -> Value {
        let groups = |groups: &[GroupName]| -> Value {
            groups.iter().map(|group| json!({ "group": group })).collect()
        };
        let mut spec = json!({
            "displayName": self.display_name,
            "contact": self.contact,
            "people": {
                "owners": groups(&self.people.owners),
                "editors": groups(&self.people.editors),
                "viewers": groups(&self.people.viewers),
            },
            "mounts": self.mounts.iter().map(|mount| json!({
                "name": mount.name, "type": "kv-v2", "maxVersions": mount.max_versions,
            })).collect::<Value>(),
            "namespaces": self.namespaces.iter().map(|claim| json!({
                "cluster": claim.cluster,
                "name": claim.name,
                "environment": claim.environment.as_str(),
                "tokenTtl": claim.token_ttl.to_string(),
            })).collect::<Value>(),
            "bindings": self.bindings.iter().map(binding_value).collect::<Value>(),
        });
        if let Some(rate) = self.requests_per_second {
            spec["limits"] = json!({ "requestsPerSecond": rate });
        }
        if self.removed {
            spec["removed"] = json!(true);
        }
        spec
    }
}

fn binding_value(binding: &Binding) -> Value {
    let mut value = json!({ "name": binding.name });
    match &binding.holder {
        Holder::Accounts { cluster, namespace, accounts, host } => {
            value["cluster"] = json!(cluster);
            value["namespace"] = json!(namespace);
            value["serviceAccounts"] = json!(accounts);
            if let Some(host) = host {
                value["team"] = json!(host);
            }
        }
        Holder::People { group } => value["people"] = json!({ "group": group }),
    }
    value["access"] = binding
        .access
        .iter()
        .map(|a| json!({ "mount": a.mount, "path": a.path, "level": a.level.as_str() }))
        .collect();
    if let Some(until) = binding.until {
        value["until"] = json!(until.to_string());
    }
    value
}

pub(super) fn decode(name: &Field<'_>, spec: &Field<'_>) -> Option<Team> {
    let name = name.parse();
    let map = spec.map(&[
        "displayName",
        "contact",
        "people",
        "mounts",
        "namespaces",
        "bindings",
        "limits",
        "removed",
    ])?;
    let display_name = map.required("displayName").and_then(|f| f.text(1, 100));
    let contact = map.required("contact").and_then(|f| f.text(1, 200));
    let people = map.required("people").and_then(|f| decode_people(&f));
    let mounts = map.or("mounts", Vec::new(), |f| f.each(decode_mount));
    let namespaces = map.or("namespaces", Vec::new(), |f| f.each(decode_claim));
    let bindings_field = map.optional("bindings");
    let bindings = map.or("bindings", Vec::new(), |f| f.each(decode_binding));
    let requests_per_second = map.or("limits", None, |f| {
        f.map(&["requestsPerSecond"])?
            .or("requestsPerSecond", None, |f| Some(u32::try_from(f.integer(1, 1_000_000)?).ok()))
    });
    let removed = map.or("removed", false, |f| f.flag());
    let team = Team {
        name: name?,
        display_name: display_name?,
        contact: contact?,
        people: people?,
        mounts: mounts?,
        namespaces: namespaces?,
        bindings: bindings?,
        requests_per_second: requests_per_second?,
        removed: removed?,
    };
    if let Some(field) = map.optional("removed")
        && team.removed
        && !(team.namespaces.is_empty() && team.bindings.is_empty())
    {
        field.fault("a removed team has no namespaces and no bindings; take them out too");
        return None;
    }
    check_unique(&map.required("people")?, &team)?;
    if let Some(field) = bindings_field {
        check_bindings(&field, &team)?;
    }
    Some(team)
}

fn decode_people(field: &Field<'_>) -> Option<People> {
    let map = field.map(&["owners", "editors", "viewers"])?;
    let groups = |key| {
        map.or(key, Vec::new(), |f| f.each(|item| item.map(&["group"])?.required("group")?.parse()))
    };
    let (owners, editors, viewers) = (groups("owners"), groups("editors"), groups("viewers"));
    let people = People { owners: owners?, editors: editors?, viewers: viewers? };
    if people.owners.is_empty() {
        field.fault("a team needs at least one owners group: somebody must be able to decide");
        return None;
    }
    Some(people)
}

fn decode_mount(field: &Field<'_>) -> Option<Mount> {
    let map = field.map(&["name", "type", "maxVersions", "existing", "prefix"])?;
    for key in ["existing", "prefix"] {
        if let Some(field) = map.optional(key) {
            field.fault("adopting an existing mount is reserved and not taken yet");
        }
    }
    let name = map.required("name").and_then(|f| f.parse());
    let kind = map.required("type").and_then(|f| f.word(&[("kv-v2", ())]));
    let max_versions =
        map.or("maxVersions", DEFAULT_MAX_VERSIONS, |f| u32::try_from(f.integer(1, 1000)?).ok());
    kind?;
    Some(Mount { name: name?, max_versions: max_versions? })
}

fn decode_claim(field: &Field<'_>) -> Option<Claim> {
    let map = field.map(&["cluster", "name", "environment", "tokenTtl"])?;
    let cluster = map.required("cluster").and_then(|f| f.parse());
    let name = map.required("name").and_then(|f| f.parse());
    let environment = map.required("environment").and_then(|f| f.word(ENVIRONMENTS));
    let token_ttl = match map.optional("tokenTtl") {
        None => Seconds::new(DEFAULT_TOKEN_TTL),
        Some(f) => {
            let ttl = f.parse::<Seconds>();
            if let Some(ttl) = ttl
                && !(60..=86_400).contains(&ttl.get())
            {
                f.fault("a token lives 60s to 24h");
            }
            ttl
        }
    };
    Some(Claim { cluster: cluster?, name: name?, environment: environment?, token_ttl: token_ttl? })
}

fn decode_binding(field: &Field<'_>) -> Option<Binding> {
    let map = field.map(&[
        "name",
        "cluster",
        "namespace",
        "serviceAccounts",
        "team",
        "people",
        "access",
        "until",
    ])?;
    let name = map.required("name").and_then(|f| f.parse());
    let holder = if let Some(people) = map.optional("people") {
        for key in ["cluster", "namespace", "serviceAccounts", "team"] {
            if let Some(field) = map.optional(key) {
                field.fault("a binding is for service accounts or for people, not for both");
            }
        }
        let group = people.map(&["group"]).and_then(|m| m.required("group"));
        group.and_then(|f| f.parse()).map(|group| Holder::People { group })
    } else {
        let cluster = map.required("cluster").and_then(|f| f.parse());
        let namespace = map.required("namespace").and_then(|f| f.parse());
        let accounts = map.required("serviceAccounts").and_then(|f| {
            let accounts: BTreeSet<_> = f.each(Field::parse)?.into_iter().collect();
            if accounts.is_empty() {
                f.fault("name at least one service account; there is no pattern for all of them");
                return None;
            }
            Some(accounts)
        });
        let host = map.or("team", None, |f| f.parse().map(Some));
        match (cluster, namespace, accounts, host) {
            (Some(cluster), Some(namespace), Some(accounts), Some(host)) => {
                Some(Holder::Accounts { cluster, namespace, accounts, host })
            }
            _ => None,
        }
    };
    let access = map.required("access").and_then(|f| {
        let access = f.each(decode_access)?;
        if access.is_empty() {
            f.fault("a binding needs at least one path");
            return None;
        }
        Some(access)
    });
    let until = map.or("until", None, |f| Some(Some(f.parse::<DateText>()?.0)));
    Some(Binding { name: name?, holder: holder?, access: access?, until: until? })
}

fn decode_access(field: &Field<'_>) -> Option<Access> {
    let map = field.map(&["mount", "path", "level"])?;
    let mount = map.required("mount").and_then(|f| f.parse());
    let path = map.required("path").and_then(|f| f.parse());
    let level = map.required("level").and_then(|f| f.word(LEVELS));
    Some(Access { mount: mount?, path: path?, level: level? })
}

/// A date in one spelling only.
struct DateText(Date);

impl std::str::FromStr for DateText {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "a date is written as 2027-06-30";
        let date: Date = text.parse().map_err(|_| wrong)?;
        if date.to_string() == text { Ok(Self(date)) } else { Err(wrong) }
    }
}

fn check_unique(place: &Field<'_>, team: &Team) -> Option<()> {
    let mut ok = true;
    let mut check = |what: &str, names: Vec<String>| {
        let mut seen = BTreeSet::new();
        for name in names {
            if !seen.insert(name.clone()) {
                place.fault(format!("{what} {name:?} stands in the document twice"));
                ok = false;
            }
        }
    };
    check("the mount", team.mounts.iter().map(|m| m.name.to_string()).collect());
    check("the binding", team.bindings.iter().map(|b| b.name.to_string()).collect());
    let claims = team.namespaces.iter().map(|c| format!("{}/{}", c.cluster, c.name)).collect();
    check("the namespace", claims);
    for groups in [&team.people.owners, &team.people.editors, &team.people.viewers] {
        check("the group", groups.iter().map(ToString::to_string).collect());
    }
    ok.then_some(())
}

/// Names that a binding uses must stand in the same document; people who reach production need an
/// end date.
fn check_bindings(field: &Field<'_>, team: &Team) -> Option<()> {
    let mut ok = true;
    for (binding, place) in team.bindings.iter().zip(field.list()?) {
        let mut fault = |message: String| {
            place.fault(message);
            ok = false;
        };
        for access in &binding.access {
            if !team.mounts.iter().any(|mount| mount.name == access.mount) {
                fault(format!("the team has no mount {:?}", access.mount));
            }
        }
        match &binding.holder {
            Holder::Accounts { cluster, namespace, host: None, .. } => {
                if team.claim(cluster, namespace).is_none() {
                    fault(format!(
                        "the team does not claim the namespace {namespace} of cluster {cluster}; \
                         add it under `namespaces`, or name the team that claims it as `team`"
                    ));
                }
            }
            Holder::Accounts { cluster, namespace, host: Some(host), .. } => {
                if *host == team.name || team.claim(cluster, namespace).is_some() {
                    fault(
                        "`team` names another team whose namespace it is; leave it out".to_owned(),
                    );
                }
            }
            Holder::People { .. } => {
                if binding.until.is_none() && reaches_production(team, binding) {
                    fault(
                        "people who read a path that production uses need an end date: add `until`"
                            .to_owned(),
                    );
                }
            }
        }
    }
    ok.then_some(())
}

/// Whether a binding reaches a path that a binding of a production namespace reaches.
pub fn reaches_production(team: &Team, binding: &Binding) -> bool {
    binding.access.iter().any(|access| is_production_path(team, access))
}

/// Whether any production binding of the team reaches this path.
pub fn is_production_path(team: &Team, access: &Access) -> bool {
    team.bindings.iter().any(|other| {
        let Holder::Accounts { cluster, namespace, host, .. } = &other.holder else {
            return false;
        };
        // What another team uses its namespace for is not ours to know: the stricter is taken.
        (host.is_some()
            || team
                .claim(cluster, namespace)
                .is_some_and(|c| c.environment == Environment::Production))
            && other
                .access
                .iter()
                .any(|each| each.mount == access.mount && each.path.overlaps(&access.path))
    })
}
