//! Who can reach what, against a linear walk over what the model engine holds.

use std::collections::BTreeSet;

use jiff::civil::Date;
use strongroom_domain::document::{Document, Team};
use strongroom_vault_model::object::Account;
use strongroom_vault_model::path::{SecretPath, TeamMount};
use strongroom_vault_model::policy::PolicyName;

use crate::reach::{Deed, Holder, Reach};
use crate::tests::engine::{Engine, Grant};
use crate::tests::support::{PAYMENTS, applied, dev_binding, one, shop};

fn team(text: &str) -> Team {
    let Document::Team(team) = one(text) else { unreachable!("a team") };
    *team
}

fn day(text: &str) -> Date {
    text.parse().unwrap()
}

fn called(holder: &Holder) -> String {
    match holder {
        Holder::Account(account) => format!("account {account}"),
        Holder::Group(group) => format!("group {group}"),
    }
}

/// Everything that the index says about these paths, in the words of the model engine.
fn answers(reach: &Reach, paths: &BTreeSet<String>) -> BTreeSet<Grant> {
    let mut grants = BTreeSet::new();
    for path in paths {
        for reached in reach.who_can(path) {
            // A request for a path with a slash at the end is a list, and only that.
            let words = reached.may.iter().filter(|word| path.ends_with('/') == (*word == "list"));
            grants.extend(words.map(|word| (called(&reached.holder), path.clone(), word.clone())));
        }
    }
    grants
}

/// A shop in which a narrow binding of an account hides what a wider one of the same account allows.
fn hiding() -> String {
    let more = [
        dev_binding("narrow", "dev/one", "list"),
        dev_binding("folder", "dev/two/*", "write"),
        dev_binding("same", "dev/two/*", "list"),
    ];
    shop(&more.concat())
}

#[test]
fn it_says_what_the_engine_would() {
    let (payments, shop) = (one(PAYMENTS), one(&hiding()));
    let engine: Engine = applied(&[&payments, &shop]);
    let today = day("2026-11-23");
    let mut reach = Reach::default();
    reach.set(&team(PAYMENTS), today);
    reach.set(&team(&hiding()), today);
    let paths = engine.sample_paths();
    let wanted = engine.effective(today, &paths);
    assert!(wanted.len() > 100, "{}", wanted.len());
    assert_eq!(answers(&reach, &paths), wanted);
    // The other way round: every rule of a holder is one that decides at its own path.
    let holders: BTreeSet<Holder> =
        paths.iter().flat_map(|path| reach.who_can(path)).map(|reached| reached.holder).collect();
    for holder in holders {
        let all = reach.what_can(&holder);
        assert!(!all.is_empty());
        for reached in all {
            let at = reached.rule.replace('*', "anything");
            let found = reach.who_can(&at).into_iter().any(|other| {
                other.rule == reached.rule
                    && other.may.is_superset(&reached.may)
                    && other.policies.is_superset(&reached.policies)
            });
            assert!(found, "{reached:?}");
        }
    }
}

#[test]
fn what_has_ended_or_is_gone_gives_nothing() {
    let mut reach = Reach::default();
    let path = "team/shop/kv/data/dev/x";
    let account = Holder::Account(Account {
        cluster: "lab".parse().unwrap(),
        namespace: "shop-dev".parse().unwrap(),
        account: "web".parse().unwrap(),
    });
    let reaches = |reach: &Reach| reach.who_can(path).iter().any(|each| each.holder == account);
    reach.set(&team(&shop("")), day("2026-11-23"));
    assert!(reaches(&reach) && !reach.what_can(&account).is_empty());
    reach.set(&team(&shop("")), day("2027-07-01"));
    assert!(!reaches(&reach) && reach.what_can(&account).is_empty());
    reach.set(&team(&shop("")), day("2026-11-23"));
    reach.forget(&"shop".parse().unwrap());
    assert!(reach.who_can(path).is_empty() && reach.what_can(&account).is_empty());
    assert!(reach.who_can("sys/mounts").is_empty() && reach.who_can("").is_empty());
}

#[test]
fn what_does_not_count_hides_nothing_and_gives_nothing() {
    let inner = [dev_binding("wide", "dev/*", "admin"), dev_binding("inner", "dev/two/*", "read")];
    let mut reach = Reach::default();
    reach.set(&team(&shop(&inner.concat())), day("2026-11-23"));
    let mount = TeamMount { team: "shop".parse().unwrap(), mount: "kv".parse().unwrap() };
    let secret = SecretPath::new("dev/two/x").unwrap();
    let of = |name: &str| PolicyName::Binding("shop".parse().unwrap(), name.parse().unwrap());
    let held = |counts: &dyn Fn(&Holder, &PolicyName) -> bool| {
        let all = reach.who_may(&mount, &secret, counts);
        all.into_iter().find(|each| matches!(each.holder, Holder::Account(_))).unwrap()
    };
    // The rule of the inner folder decides, and hides what the outer one allows.
    let all = held(&|_, _| true);
    assert!(all.now.contains_key(&Deed::Read) && !all.now.contains_key(&Deed::Write), "{all:#?}");
    assert!(all.later.is_empty(), "{all:#?}");
    // Without it the outer one does.
    let without = held(&|_, policy| *policy != of("inner"));
    let write = &without.now[&Deed::Write];
    assert!(write.policies.contains(&of("wide")) && !write.policies.contains(&of("inner")));
    // Nothing counts: all of it comes later.
    let none = held(&|_, _| false);
    assert_eq!(none.now.len(), 0);
    assert_eq!(none.later, all.now);
}
