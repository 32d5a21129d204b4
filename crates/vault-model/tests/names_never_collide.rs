//! Names of different tenants never become one engine name, and nothing of one tenant is a
//! beginning of what is another's.
//!
//! Pairs are made close to each other on purpose: few letters, hyphens moved, endings added.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use strongroom_vault_model::name::{
    BindingName, ClusterName, GroupName, MountName, NamespaceName, ServiceAccountName, TeamName,
};
use strongroom_vault_model::object::{Account, AnchorName, ObjectKey};
use strongroom_vault_model::path::{SecretPath, TeamMount};
use strongroom_vault_model::policy::{Area, PolicyName, RulePath, TeamRole};
use strongroom_vault_model::wire::read_path;

const PAIRS: u32 = 100_000;

const AREAS: [Area; 6] =
    [Area::Data, Area::Delete, Area::Destroy, Area::Metadata, Area::Subkeys, Area::Undelete];

/// One tenant with one of everything.
#[derive(Debug, Clone, PartialEq)]
struct Tenant {
    team: TeamName,
    mount: MountName,
    binding: BindingName,
    cluster: ClusterName,
    namespace: NamespaceName,
    account: ServiceAccountName,
    group: GroupName,
    path: SecretPath,
}

/// Chance with a seed: a failure comes back in the next run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(most).unwrap()).unwrap()
    }

    /// Letters of this alphabet until they are a name.
    fn name<T>(&mut self, letters: &str, parse: impl Fn(&str) -> Option<T>) -> T {
        let letters: Vec<char> = letters.chars().collect();
        loop {
            let length = 1 + self.below(7);
            let text: String = (0..length).map(|_| letters[self.below(letters.len())]).collect();
            if let Some(name) = parse(&text) {
                return name;
            }
        }
    }

    /// A name that looks like this one, or the same.
    fn near<T: Clone>(&mut self, old: &T, text: &str, parse: impl Fn(&str) -> Option<T>) -> T {
        let at = self.below(text.len() + 1);
        let (start, end) = text.split_at(at);
        let other = match self.below(8) {
            0 => format!("{text}-c"),
            1 => format!("{text}.c"),
            2 => format!("{start}-{end}"),
            3 => format!("{start}.{end}"),
            4 => format!("{start}{}", end.get(1..).unwrap_or_default()),
            5 => format!("{text}{text}"),
            6 => text.replacen('-', ".", 1),
            _ => return old.clone(),
        };
        parse(&other).unwrap_or_else(|| old.clone())
    }

    fn tenant(&mut self) -> Tenant {
        let slug = "ab1-";
        Tenant {
            team: self.name(slug, |text| text.parse().ok()),
            mount: self.name(slug, |text| text.parse().ok()),
            binding: self.name(slug, |text| text.parse().ok()),
            cluster: self.name("ab-", |text| text.parse().ok()),
            namespace: self.name("ab-", |text| text.parse().ok()),
            account: self.name("ab-.", |text| text.parse().ok()),
            group: self.name("abA/. -", |text| text.parse().ok()),
            path: self.name("ab/*.", |text| text.parse().ok()),
        }
    }

    fn neighbour(&mut self, of: &Tenant) -> Tenant {
        Tenant {
            team: self.near(&of.team, of.team.as_str(), |text| text.parse().ok()),
            mount: self.near(&of.mount, of.mount.as_str(), |text| text.parse().ok()),
            binding: self.near(&of.binding, of.binding.as_str(), |text| text.parse().ok()),
            cluster: self.near(&of.cluster, of.cluster.as_str(), |text| text.parse().ok()),
            namespace: self.near(&of.namespace, of.namespace.as_str(), |text| text.parse().ok()),
            account: self.near(&of.account, of.account.as_str(), |text| text.parse().ok()),
            group: self.near(&of.group, of.group.as_str(), |text| text.parse().ok()),
            path: of.path.clone(),
        }
    }
}

impl Tenant {
    fn at(&self) -> TeamMount {
        TeamMount { team: self.team.clone(), mount: self.mount.clone() }
    }

    fn keys(&self) -> Vec<ObjectKey> {
        let people = TeamRole::ALL.map(|role| PolicyName::People(self.team.clone(), role));
        let binding = PolicyName::Binding(self.team.clone(), self.binding.clone());
        let mut keys = vec![
            ObjectKey::AuthMount(self.cluster.clone()),
            ObjectKey::AuthConfig(self.cluster.clone()),
            ObjectKey::Mount(self.at()),
            ObjectKey::MountConfig(self.at()),
            ObjectKey::RateLimit(self.at()),
            ObjectKey::Role(self.cluster.clone(), self.namespace.clone()),
            ObjectKey::Anchor(AnchorName::of(&self.group)),
        ];
        for name in people.into_iter().chain([binding]) {
            keys.extend([ObjectKey::Policy(name.clone()), ObjectKey::Group(name)]);
        }
        keys
    }

    fn service_account(&self) -> Account {
        Account {
            cluster: self.cluster.clone(),
            namespace: self.namespace.clone(),
            account: self.account.clone(),
        }
    }

    fn rules(&self) -> Vec<String> {
        let rule = |area| RulePath { mount: self.at(), area, path: self.path.clone() }.to_string();
        AREAS.map(rule).to_vec()
    }
}

/// As the engine reads a rule: exact, or everything that begins like it.
fn reaches(rule: &str, path: &str) -> bool {
    rule.strip_suffix('*').map_or(rule == path, |start| path.starts_with(start))
}

fn check(one: &Tenant, two: &Tenant) {
    // A path of the engine stands for one object, and tells which.
    let mut by_path: BTreeMap<String, ObjectKey> = BTreeMap::new();
    for key in one.keys().into_iter().chain(two.keys()) {
        assert_eq!(ObjectKey::parse(key.kind(), &key.name()).unwrap(), key);
        let path = read_path(&key);
        assert_eq!(path, path.to_lowercase(), "engines fold some names");
        let before = by_path.insert(path.clone(), key.clone());
        assert!(before.is_none_or(|before| before == key), "{path}: {one:?} {two:?}");
    }
    let (a, b) = (one.service_account(), two.service_account());
    assert_eq!(a == b, a.entity_name() == b.entity_name(), "{one:?} {two:?}");
    assert_eq!(Account::from_entity_name(&a.entity_name()).as_ref(), Some(&a));
    let anchors = [&one.group, &two.group].map(AnchorName::of);
    assert_eq!(one.group == two.group, anchors[0] == anchors[1]);

    // Neither mount is a beginning of the other, and no rule of one reaches into the other.
    if one.at() == two.at() {
        return;
    }
    let (mine, theirs) = (format!("{}/", one.at()), format!("{}/", two.at()));
    assert!(!mine.starts_with(&theirs) && !theirs.starts_with(&mine), "{mine} {theirs}");
    for rule in one.rules() {
        for other in two.rules() {
            let inside = other.strip_suffix('*').unwrap_or(&other);
            for path in [inside, &format!("{inside}x"), &theirs, theirs.trim_end_matches('/')] {
                assert!(!reaches(&rule, path), "{rule} reaches {path}");
            }
        }
    }
    if one.team != two.team {
        let (mine, theirs) = (format!("team/{}/", one.team), format!("team/{}/", two.team));
        assert!(!mine.starts_with(&theirs) && !theirs.starts_with(&mine), "{mine} {theirs}");
    }
}

#[test]
fn iso_05_no_two_tenants_share_a_name_or_a_path() {
    let mut chance = Chance(0x5eed_0005);
    let (mut alike, mut teams) = (0, 0);
    for number in 0..PAIRS {
        let one = chance.tenant();
        let two = if number % 4 == 0 { chance.tenant() } else { chance.neighbour(&one) };
        check(&one, &two);
        teams += u32::from(one.team != two.team);
        let (a, b) = (one.team.as_str(), two.team.as_str());
        alike += u32::from(a != b && (a.starts_with(b) || b.starts_with(a)));
    }
    assert!(
        teams > PAIRS / 4 && alike > PAIRS / 10,
        "{teams} {alike}: the pairs are too far apart"
    );
    println!(
        "ISO-05: 0 collisions of {PAIRS} pairs, {teams} of two teams, {alike} with slugs that begin \
         alike"
    );
}
