//! Generators: valid teams in a small world where everything meets everything, and changes.

use jiff::civil::Date;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use strongroom_domain::document::Document;
use strongroom_domain::document::team::{
    Access, Binding, Claim, Environment, Holder, Level, Mount, People, Team, reaches_production,
};
use strongroom_vault_model::name::GroupName;

const MOUNTS: [&str; 3] = ["kv", "alpha", "beta"];
const GROUPS: [&str; 4] = ["leads", "devs", "readers", "Team Ops"];
const ACCOUNTS: [&str; 3] = ["api", "worker", "web.v2"];
const BINDINGS: [&str; 4] = ["b1", "b2", "b3", "b4"];
const PLACES: [(&str, &str, Environment); 3] = [
    ("prod-eu", "prod", Environment::Production),
    ("prod-eu", "rehearsal", Environment::Staging),
    ("lab", "dev", Environment::Development),
];
const PATHS: [&str; 9] = [
    "*",
    "prod/*",
    "prod/api",
    "prod/api/*",
    "prod/api/db",
    "dev/*",
    "dev",
    "shared/*",
    "shared/x",
];
const LEVELS: [Level; 4] = [Level::List, Level::Read, Level::Write, Level::Admin];
/// One has come, the others are in the future.
const ENDS: [&str; 4] = ["2026-01-31", "2026-12-01", "2027-01-31", "2027-06-30"];

fn date(text: &str) -> Date {
    text.parse().unwrap()
}

fn access() -> impl Strategy<Value = Access> {
    (select(&MOUNTS), select(&PATHS), select(&LEVELS)).prop_map(|(mount, path, level)| Access {
        mount: mount.parse().unwrap(),
        path: path.parse().unwrap(),
        level,
    })
}

/// A binding without a name; the namespace is completed with the team's name.
fn binding() -> impl Strategy<Value = Binding> {
    let accounts = (select(&PLACES), subsequence(&ACCOUNTS, 1..=2)).prop_map(
        |((cluster, namespace, _), accounts)| Holder::Accounts {
            cluster: cluster.parse().unwrap(),
            namespace: namespace.parse().unwrap(),
            accounts: accounts.into_iter().map(|name| name.parse().unwrap()).collect(),
            host: None,
        },
    );
    let people = select(&GROUPS).prop_map(|group| Holder::People { group: group.parse().unwrap() });
    let holder = prop_oneof![3 => accounts, 1 => people];
    let until = prop_oneof![2 => Just(None), 1 => select(&ENDS).prop_map(Some)];
    (holder, prop::collection::vec(access(), 1..=3), until).prop_map(|(holder, access, until)| {
        Binding { name: "unnamed".parse().unwrap(), holder, access, until: until.map(date) }
    })
}

fn groups(least: usize) -> impl Strategy<Value = Vec<GroupName>> {
    subsequence(&GROUPS, least..=2)
        .prop_map(|names| names.into_iter().map(|name| name.parse().unwrap()).collect())
}

fn people() -> impl Strategy<Value = People> {
    (groups(1), groups(0), groups(0)).prop_map(|(owners, editors, viewers)| People {
        owners,
        editors,
        viewers,
    })
}

/// A valid team of this name.
pub fn team(name: &'static str) -> impl Strategy<Value = Team> {
    let mounts = (subsequence(&MOUNTS, 1..=3), 1..4_u32);
    let claims = (subsequence(&PLACES, 0..=3), select(&[600_u32, 1200, 3600]));
    let bindings = prop::collection::vec(binding(), 0..=4);
    let rate = prop::option::of(1..3_u32);
    (people(), mounts, claims, bindings, rate).prop_map(move |parts| {
        let (people, (mounts, max_versions), (claims, ttl), bindings, requests_per_second) = parts;
        let mut team = Team {
            removed: false,
            name: name.parse().unwrap(),
            display_name: "Team: #1 \"A\" — α".into(),
            contact: "null".into(),
            people,
            mounts: mounts
                .into_iter()
                .map(|name| Mount { name: name.parse().unwrap(), max_versions })
                .collect(),
            namespaces: claims.into_iter().map(|place| claim(name, place, ttl)).collect(),
            bindings: Vec::new(),
            requests_per_second,
        };
        for (name, binding) in BINDINGS.iter().zip(bindings) {
            add(&mut team, name, binding);
        }
        valid(team)
    })
}

fn claim(team: &str, place: (&str, &str, Environment), ttl: u32) -> Claim {
    let (cluster, namespace, environment) = place;
    Claim {
        cluster: cluster.parse().unwrap(),
        name: format!("{team}-{namespace}").parse().unwrap(),
        environment,
        token_ttl: strongroom_domain::document::duration::Seconds::new(ttl).unwrap(),
    }
}

fn add(team: &mut Team, name: &str, mut binding: Binding) {
    if let Holder::Accounts { namespace, .. } = &mut binding.holder {
        *namespace = format!("{}-{namespace}", team.name).parse().unwrap();
    }
    binding.name = name.parse().unwrap();
    team.bindings.retain(|other| other.name != binding.name);
    team.bindings.push(binding);
}

/// Takes away what the rules of documents do not allow, and proves that nothing else is wrong.
fn valid(mut team: Team) -> Team {
    for binding in &mut team.bindings {
        let mounts = &team.mounts;
        binding.access.retain(|access| mounts.iter().any(|mount| mount.name == access.mount));
    }
    let namespaces = team.namespaces.clone();
    team.bindings.retain(|binding| {
        let claimed = match &binding.holder {
            Holder::People { .. } => true,
            Holder::Accounts { cluster, namespace, accounts, .. } => {
                !accounts.is_empty()
                    && namespaces.iter().any(|c| c.cluster == *cluster && c.name == *namespace)
            }
        };
        claimed && !binding.access.is_empty()
    });
    let whole = team.clone();
    for binding in &mut team.bindings {
        let person = matches!(binding.holder, Holder::People { .. });
        if person && binding.until.is_none() && reaches_production(&whole, binding) {
            binding.until = Some(date(ENDS[2]));
        }
    }
    let document = Document::Team(Box::new(team));
    assert_eq!(Document::from_value(&document.to_value()).as_ref(), Ok(&document));
    let Document::Team(team) = document else { unreachable!("it is a team") };
    *team
}

/// One thing that is done to a team. Numbers are taken modulo what there is.
#[derive(Debug, Clone)]
pub enum Edit {
    DropBinding(usize),
    DropAccount(usize),
    DropAccess(usize),
    LowerLevel(usize, usize),
    NarrowPath(usize, usize),
    EndEarlier(usize),
    ShortenTtl(usize),
    PutBinding(&'static str, Binding),
    RenameBinding(usize, &'static str),
    AddAccount(usize, &'static str),
    MoveBinding(usize, (&'static str, &'static str, Environment)),
    GiveTo(usize, &'static str),
    RaiseLevel(usize, usize),
    WidenPath(usize, usize),
    EndLater(usize),
    NoEnd(usize),
    Environment(usize, Environment),
    Claim((&'static str, &'static str, Environment)),
    DropClaim(usize),
    LengthenTtl(usize),
    People(People),
    DropMount(usize),
    Trim(usize),
    Rate(Option<u32>),
    Rename,
}

/// An edit that only takes away.
pub fn narrowing() -> impl Strategy<Value = Edit> {
    let (i, j) = (0..8_usize, 0..8_usize);
    prop_oneof![
        i.clone().prop_map(Edit::DropBinding),
        i.clone().prop_map(Edit::DropAccount),
        i.clone().prop_map(Edit::DropAccess),
        (i.clone(), j.clone()).prop_map(|(i, j)| Edit::LowerLevel(i, j)),
        (i.clone(), j).prop_map(|(i, j)| Edit::NarrowPath(i, j)),
        i.clone().prop_map(Edit::EndEarlier),
        i.prop_map(Edit::ShortenTtl),
    ]
}

/// An edit that gives a workload outside production something to read, by some way or other.
pub fn reading() -> impl Strategy<Value = Edit> {
    let (i, place) = (0..8_usize, select(&PLACES[1..]));
    let put = (select(&BINDINGS), binding(), place.clone()).prop_map(|(name, mut put, place)| {
        let (cluster, namespace, _) = place;
        if let Holder::Accounts { cluster: c, namespace: n, .. } = &mut put.holder {
            *c = cluster.parse().unwrap();
            *n = namespace.parse().unwrap();
        }
        for access in &mut put.access {
            access.level = access.level.min(Level::Read);
        }
        Edit::PutBinding(name, put)
    });
    prop_oneof![
        6 => put,
        1 => (i.clone(), select(&BINDINGS)).prop_map(|(i, name)| Edit::RenameBinding(i, name)),
        1 => (i.clone(), select(&ACCOUNTS)).prop_map(|(i, name)| Edit::AddAccount(i, name)),
        1 => (i.clone(), place).prop_map(|(i, place)| Edit::MoveBinding(i, place)),
        1 => i.prop_map(Edit::NoEnd),
    ]
}

/// Any edit.
pub fn edit() -> impl Strategy<Value = Edit> {
    let (i, j) = (0..8_usize, 0..8_usize);
    let environments = [Environment::Production, Environment::Staging, Environment::Development];
    prop_oneof![
        6 => narrowing(),
        2 => (select(&BINDINGS), binding()).prop_map(|(name, put)| Edit::PutBinding(name, put)),
        1 => (i.clone(), select(&BINDINGS)).prop_map(|(i, name)| Edit::RenameBinding(i, name)),
        1 => (i.clone(), select(&ACCOUNTS)).prop_map(|(i, name)| Edit::AddAccount(i, name)),
        2 => (i.clone(), select(&PLACES)).prop_map(|(i, place)| Edit::MoveBinding(i, place)),
        1 => (i.clone(), select(&GROUPS)).prop_map(|(i, group)| Edit::GiveTo(i, group)),
        1 => (i.clone(), j.clone()).prop_map(|(i, j)| Edit::RaiseLevel(i, j)),
        1 => (i.clone(), j).prop_map(|(i, j)| Edit::WidenPath(i, j)),
        1 => i.clone().prop_map(Edit::EndLater),
        1 => i.clone().prop_map(Edit::NoEnd),
        1 => (i.clone(), select(environments.to_vec())).prop_map(|(i, e)| Edit::Environment(i, e)),
        1 => select(&PLACES).prop_map(Edit::Claim),
        1 => i.clone().prop_map(Edit::DropClaim),
        1 => i.clone().prop_map(Edit::LengthenTtl),
        1 => people().prop_map(Edit::People),
        1 => i.clone().prop_map(Edit::DropMount),
        1 => i.prop_map(Edit::Trim),
        1 => prop::option::of(1..3_u32).prop_map(Edit::Rate),
        1 => Just(Edit::Rename),
    ]
}

fn pick<T>(items: &mut [T], number: usize) -> Option<&mut T> {
    let count = items.len().max(1);
    items.get_mut(number % count)
}

fn pick_access(team: &mut Team, i: usize, j: usize) -> Option<&mut Access> {
    pick(&mut pick(&mut team.bindings, i)?.access, j)
}

/// The team after the edits; valid again.
pub fn edited(team: &Team, edits: &[Edit]) -> Team {
    let mut team = team.clone();
    for edit in edits {
        // An edit that meets nothing does nothing.
        let _met = apply(&mut team, edit);
    }
    valid(team)
}

fn apply(team: &mut Team, edit: &Edit) -> Option<()> {
    match edit {
        Edit::DropBinding(i) => {
            let name = pick(&mut team.bindings, *i)?.name.clone();
            team.bindings.retain(|binding| binding.name != name);
        }
        Edit::DropAccount(i) => {
            if let Holder::Accounts { accounts, .. } = &mut pick(&mut team.bindings, *i)?.holder {
                accounts.pop_last();
            }
        }
        Edit::DropAccess(i) => {
            pick(&mut team.bindings, *i)?.access.pop();
        }
        Edit::LowerLevel(i, j) => {
            let access = pick_access(team, *i, *j)?;
            let lower = LEVELS.iter().rev().find(|level| **level < access.level);
            access.level = lower.copied().unwrap_or(access.level);
        }
        Edit::RaiseLevel(i, j) => {
            let access = pick_access(team, *i, *j)?;
            let higher = LEVELS.iter().find(|level| **level > access.level);
            access.level = higher.copied().unwrap_or(access.level);
        }
        Edit::NarrowPath(i, j) => {
            let access = pick_access(team, *i, *j)?;
            let text = access.path.to_string();
            if let Some(folder) = text.strip_suffix('*') {
                let narrower = if j % 2 == 0 { "api" } else { "api/*" };
                access.path = format!("{folder}{narrower}").parse().unwrap();
            }
        }
        Edit::WidenPath(i, j) => {
            let access = pick_access(team, *i, *j)?;
            let text = access.path.to_string();
            let folder = text.trim_end_matches("/*").rsplit_once('/').map(|(folder, _)| folder);
            access.path = folder.map_or("*".to_owned(), |f| format!("{f}/*")).parse().unwrap();
        }
        Edit::EndEarlier(i) => {
            let binding = pick(&mut team.bindings, *i)?;
            let earlier = |end: &&str| binding.until.is_none_or(|until| date(end) < until);
            let end = ENDS.iter().rev().find(|end| earlier(end));
            binding.until = end.map(|end| date(end)).or(binding.until);
        }
        Edit::EndLater(i) => {
            let binding = pick(&mut team.bindings, *i)?;
            let until = binding.until?;
            binding.until =
                ENDS.iter().map(|end| date(end)).find(|end| *end > until).or(Some(until));
        }
        Edit::NoEnd(i) => pick(&mut team.bindings, *i)?.until = None,
        Edit::PutBinding(name, binding) => add(team, name, binding.clone()),
        Edit::RenameBinding(i, name) => {
            let mut binding = pick(&mut team.bindings, *i)?.clone();
            team.bindings
                .retain(|other| other.name != binding.name && other.name.as_str() != *name);
            binding.name = name.parse().unwrap();
            team.bindings.push(binding);
        }
        Edit::AddAccount(i, name) => {
            if let Holder::Accounts { accounts, .. } = &mut pick(&mut team.bindings, *i)?.holder {
                accounts.insert(name.parse().unwrap());
            }
        }
        Edit::MoveBinding(i, (to_cluster, to_namespace, _)) => {
            let to_namespace = format!("{}-{to_namespace}", team.name);
            let holder = &mut pick(&mut team.bindings, *i)?.holder;
            if let Holder::Accounts { cluster, namespace, .. } = holder {
                *cluster = to_cluster.parse().unwrap();
                *namespace = to_namespace.parse().unwrap();
            }
        }
        Edit::GiveTo(i, to_group) => {
            if let Holder::People { group } = &mut pick(&mut team.bindings, *i)?.holder {
                *group = to_group.parse().unwrap();
            }
        }
        Edit::Environment(i, environment) => {
            pick(&mut team.namespaces, *i)?.environment = *environment;
        }
        Edit::Claim(place) => {
            let claim = claim(team.name.as_str(), *place, 1200);
            if team.claim(&claim.cluster, &claim.name).is_none() {
                team.namespaces.push(claim);
            }
        }
        Edit::DropClaim(i) => {
            let name = pick(&mut team.namespaces, *i)?.name.clone();
            team.namespaces.retain(|claim| claim.name != name);
        }
        Edit::ShortenTtl(i) => change_ttl(team, *i, |ttl| ttl / 2),
        Edit::LengthenTtl(i) => change_ttl(team, *i, |ttl| ttl + 60),
        Edit::People(people) => team.people = people.clone(),
        Edit::DropMount(i) => {
            let name = pick(&mut team.mounts, *i)?.name.clone();
            team.mounts.retain(|mount| mount.name != name);
        }
        Edit::Trim(i) => {
            let mount = pick(&mut team.mounts, *i)?;
            mount.max_versions = mount.max_versions.saturating_sub(1).max(1);
        }
        Edit::Rate(rate) => team.requests_per_second = *rate,
        Edit::Rename => team.display_name.push('!'),
    }
    Some(())
}

fn change_ttl(team: &mut Team, number: usize, change: fn(u32) -> u32) {
    if let Some(claim) = pick(&mut team.namespaces, number) {
        let ttl = change(claim.token_ttl.get()).clamp(60, 3600);
        claim.token_ttl = strongroom_domain::document::duration::Seconds::new(ttl).unwrap();
    }
}

/// The same wishes in another order, where order means nothing.
pub fn reordered(team: &Team, by: usize) -> Team {
    fn turn<T>(items: &mut [T], by: usize) {
        items.reverse();
        let count = items.len().max(1);
        items.rotate_left(by % count);
    }
    let mut team = team.clone();
    turn(&mut team.people.owners, by);
    turn(&mut team.people.editors, by);
    turn(&mut team.people.viewers, by);
    turn(&mut team.mounts, by);
    turn(&mut team.namespaces, by);
    for binding in &mut team.bindings {
        turn(&mut binding.access, by);
    }
    turn(&mut team.bindings, by);
    team
}
