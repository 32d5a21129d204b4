//! What a document becomes in the engine (design section 4).

use std::collections::{BTreeMap, BTreeSet};

use jiff::ToSpan as _;
use strongroom_domain::document::cluster::{Keys, Login};
use strongroom_domain::document::team::{Access, Binding, Claim, Holder, Level};
use strongroom_domain::document::{Cluster, Document, Team};
use strongroom_vault_model::name::GroupName;
use strongroom_vault_model::object::{self, Account, AnchorName, Fields, ObjectKey};
use strongroom_vault_model::path::TeamMount;
use strongroom_vault_model::policy::{
    Area, Capability, PolicyError, PolicyName, RulePath, Rules, TeamRole,
};

use crate::build::Context;

/// Objects by key.
pub type Objects = BTreeMap<ObjectKey, Fields>;

/// The objects that a document stands for.
///
/// `suspended` names namespaces (`cluster/namespace`) whose UID is not the pinned one: their
/// bindings lose their groups.
pub fn desired(
    context: &Context,
    document: &Document,
    suspended: &BTreeSet<String>,
) -> Result<Objects, PolicyError> {
    match document {
        Document::Team(team) => team_objects(context, team, suspended),
        Document::Cluster(cluster) => Ok(cluster_objects(context, cluster)),
        Document::Platform(_) => Ok(Objects::new()),
    }
}

fn cluster_objects(context: &Context, cluster: &Cluster) -> Objects {
    let name = &cluster.name;
    let config = match &cluster.login {
        Login::Kubernetes => {
            object::auth_config(&cluster.server, &cluster.ca, &cluster.credentials)
        }
        Login::Jwt { issuer, keys: Keys::Given(keys) } => {
            object::auth_config_jwt(issuer, keys, None)
        }
        Login::Jwt { issuer, keys: Keys::Jwks { url, ca } } => {
            object::auth_config_jwt(issuer, &[], Some((url, ca)))
        }
    };
    [
        (
            ObjectKey::AuthMount(name.clone()),
            object::auth_mount(&context.mark, name, cluster.login.method()),
        ),
        (ObjectKey::AuthConfig(name.clone()), config),
    ]
    .into()
}

/// The mounts of a team, as engine paths.
pub fn mounts(team: &Team) -> Vec<TeamMount> {
    let at = |mount: &strongroom_domain::document::team::Mount| TeamMount {
        team: team.name.clone(),
        mount: mount.name.clone(),
    };
    team.mounts.iter().map(at).collect()
}

fn team_objects(
    context: &Context,
    team: &Team,
    suspended: &BTreeSet<String>,
) -> Result<Objects, PolicyError> {
    let mut objects = Objects::new();
    if team.removed {
        return Ok(objects);
    }
    let mounts = mounts(team);
    for (mount, at) in team.mounts.iter().zip(&mounts) {
        objects.insert(ObjectKey::Mount(at.clone()), object::mount(&context.mark, at, false));
        objects
            .insert(ObjectKey::MountConfig(at.clone()), object::mount_config(mount.max_versions));
        if let Some(rate) = team.requests_per_second {
            objects.insert(ObjectKey::RateLimit(at.clone()), object::rate_limit(at, rate));
        }
    }
    for role in TeamRole::ALL {
        let groups = match role {
            TeamRole::Owner => &team.people.owners,
            TeamRole::Editor => &team.people.editors,
            TeamRole::Viewer => &team.people.viewers,
        };
        if groups.is_empty() || mounts.is_empty() {
            continue;
        }
        let name = PolicyName::People(team.name.clone(), role);
        let rules = object::people_rules(&team.name, &mounts, role);
        let text = rules.render_checked(&context.mark, &name)?;
        objects.insert(ObjectKey::Policy(name.clone()), object::policy(&text, None));
        let held = context.holds.team_is_held(team);
        add_people_group(context, &mut objects, name, groups, held);
    }
    for binding in &team.bindings {
        add_binding(context, &mut objects, team, binding, suspended)?;
    }
    add_roles(context, &mut objects, team);
    Ok(objects)
}

/// The internal group of people, with the anchors it needs. While it is held there is no group.
fn add_people_group(
    context: &Context,
    objects: &mut Objects,
    name: PolicyName,
    groups: &[GroupName],
    held: bool,
) {
    let mut anchors = BTreeSet::new();
    for group in groups {
        let anchor = AnchorName::of(group);
        objects.insert(ObjectKey::Anchor(anchor.clone()), object::anchor(&context.mark));
        objects.insert(ObjectKey::AnchorAlias(anchor.clone()), object::anchor_alias(group));
        anchors.insert(anchor);
    }
    if held {
        return;
    }
    let fields = object::group(&context.mark, &name, &anchors, &BTreeSet::new());
    objects.insert(ObjectKey::Group(name), fields);
}

fn add_binding(
    context: &Context,
    objects: &mut Objects,
    team: &Team,
    binding: &Binding,
    suspended: &BTreeSet<String>,
) -> Result<(), PolicyError> {
    if has_ended(context, binding) {
        return Ok(());
    }
    let name = PolicyName::Binding(team.name.clone(), binding.name.clone());
    let text = binding_rules(team, &binding.access).render_checked(&context.mark, &name)?;
    let expiration = if context.policies_expire { end_of(binding) } else { None };
    objects.insert(ObjectKey::Policy(name.clone()), object::policy(&text, expiration.as_deref()));
    let held = context.holds.ends_group(team, binding);
    match &binding.holder {
        Holder::People { group } => {
            add_people_group(context, objects, name, std::slice::from_ref(group), held);
        }
        Holder::Accounts { cluster, namespace, .. } => {
            if held || suspended.contains(&format!("{cluster}/{namespace}")) {
                return Ok(());
            }
            let accounts = accounts(binding);
            let fields = object::group(&context.mark, &name, &BTreeSet::new(), &accounts);
            objects.insert(ObjectKey::Group(name), fields);
        }
    }
    Ok(())
}

/// The service accounts of a binding; none for a binding of people.
pub fn accounts(binding: &Binding) -> BTreeSet<Account> {
    match &binding.holder {
        Holder::People { .. } => BTreeSet::new(),
        Holder::Accounts { cluster, namespace, accounts, .. } => accounts
            .iter()
            .map(|account| Account {
                cluster: cluster.clone(),
                namespace: namespace.clone(),
                account: account.clone(),
            })
            .collect(),
    }
}

/// Whether the binding's last day is over.
pub fn has_ended(context: &Context, binding: &Binding) -> bool {
    binding.until.is_some_and(|until| until < context.today)
}

/// The first moment after the binding's last day, as the engine spells times.
fn end_of(binding: &Binding) -> Option<String> {
    let next = binding.until?.checked_add(1.day()).ok()?;
    Some(format!("{next}T00:00:00Z"))
}

/// The rules of one binding's policy.
pub fn binding_rules(team: &Team, access: &[Access]) -> Rules {
    use Capability::{Create, Delete, List, Patch, Read, Update};
    let mut rules = Rules::default();
    for each in access {
        let mount = TeamMount { team: team.name.clone(), mount: each.mount.clone() };
        let at = |area| RulePath { mount: mount.clone(), area, path: each.path.clone() };
        // `list` on one exact secret would list the folder of the same name: that is more than
        // the one secret.
        let metadata: &[_] = if each.path.is_beneath() { &[List, Read] } else { &[Read] };
        rules.allow(at(Area::Metadata), metadata);
        if each.level >= Level::Read {
            rules.allow(at(Area::Data), &[Read]);
            rules.allow(at(Area::Subkeys), &[Read]);
        }
        if each.level >= Level::Write {
            rules.allow(at(Area::Data), &[Create, Update, Patch]);
        }
        if each.level >= Level::Admin {
            rules.allow(at(Area::Data), &[Delete]);
            rules.allow(at(Area::Metadata), &[Delete]);
            for area in [Area::Delete, Area::Undelete, Area::Destroy] {
                rules.allow(at(area), &[Update]);
            }
        }
    }
    rules
}

/// One role per claimed namespace that any binding uses.
///
/// Bindings that have ended count: a role carries no rights, and being there is how a claim is
/// known in the engine. If it went with time alone, another team's role could stand in its place
/// while the applied document still names it.
fn add_roles(context: &Context, objects: &mut Objects, team: &Team) {
    objects.extend(team.namespaces.iter().filter_map(|claim| role_of(context, team, claim)));
}

/// The role of one claimed namespace: whoever may log in there by bindings of the team itself, and
/// by those of others that it shares its accounts with. `None` when nobody may.
pub(crate) fn role_of(
    context: &Context,
    team: &Team,
    claim: &Claim,
) -> Option<(ObjectKey, Fields)> {
    let mut names = context.sharing.guests.accounts(&claim.cluster, &claim.name);
    for binding in &team.bindings {
        if let Holder::Accounts { cluster, namespace, accounts, host: None } = &binding.holder
            && cluster == &claim.cluster
            && namespace == &claim.name
        {
            names.extend(accounts.iter().cloned());
        }
    }
    let cluster = context.clusters.get(&claim.cluster)?;
    if names.is_empty() {
        return None;
    }
    let ttl = claim.token_ttl.get();
    let max_ttl = ttl.max(context.token_ttl_ceiling());
    let (method, audience) = (cluster.login.method(), &cluster.audience);
    Some((
        ObjectKey::Role(claim.cluster.clone(), claim.name.clone()),
        object::role(method, &claim.name, &names, audience, ttl, max_ttl),
    ))
}
