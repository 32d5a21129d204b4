//! Every document comes back as itself: from YAML, from JSON, from its canonical bytes.
//!
//! `STRONGROOM_FULL` in the environment raises the number of cases fiftyfold.

use std::fmt::Debug;
use std::str::FromStr;

use jiff::civil::Date;
use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};

use strongroom_vault_model::name::{GroupName, TeamName};

use super::super::cluster::{Cluster, Keys, Login};
use super::super::duration::Seconds;
use super::super::platform::{Approvals, Platform, Votes};
use super::super::reader::is_unsafe_in_text;
use super::super::team::{
    Access, Binding, Claim, Environment, Holder, Level, Mount, People, Team, reaches_production,
};
use super::super::{Document, schema};

/// A typed value from generated text; what the type refuses is drawn again.
fn typed<T: FromStr + Debug>(pattern: &'static str) -> impl Strategy<Value = T> {
    pattern.prop_filter_map("the type refuses it", |text: String| text.parse().ok())
}

fn slug<T: FromStr + Debug>() -> impl Strategy<Value = T> {
    typed("[a-z][a-z0-9-]{1,12}|true|null|yes|off|nan|inf|e5|x0")
}

fn label<T: FromStr + Debug>() -> impl Strategy<Value = T> {
    typed("[a-z0-9-]{1,12}|0x1f|1e3|0o7|007|12345|null|no")
}

/// Free text that tries to be something else in YAML.
fn free_text() -> impl Strategy<Value = String> {
    let tricky = select(vec![
        "null",
        "~",
        "true",
        "No",
        "0x1F",
        "1_000",
        "1e3",
        ".inf",
        ".nan",
        "2027-06-30",
        "a: b",
        "- a",
        "# x",
        "a #b",
        "&a",
        "*a",
        "!x",
        "!!str x",
        "%x",
        "@x",
        "`x",
        "'",
        "\"",
        "\\",
        "\\n",
        "{a}",
        "[a]",
        "|",
        ">",
        "---",
        "...",
        " lead",
        "trail ",
        "x:",
        ":x",
        "?",
        "? x",
        "<<",
        "=",
        "\u{a0}",
        "é",
        "\u{1f510}",
        "\u{fffd}",
        "\u{e000}",
        "12:30:45",
        "0b1",
        "-1",
        "+1",
        "1.0",
    ]);
    prop_oneof![
        tricky.prop_map(str::to_owned),
        "\\PC{1,25}".prop_filter("not taken", |text| !text.chars().any(is_unsafe_in_text)),
        "[ -~]{1,60}",
    ]
}

fn seconds(least: u32, most: u32) -> impl Strategy<Value = Seconds> {
    let number = prop_oneof![least..=most, (least / 60 + 1..=most / 60).prop_map(|n| n * 60)];
    number.prop_map(|number| Seconds::new(number).unwrap())
}

fn date() -> impl Strategy<Value = Date> {
    (1..=9999_i16, 1..=12_i8, 1..=28_i8).prop_map(|(y, m, d)| Date::new(y, m, d).unwrap())
}

fn people() -> impl Strategy<Value = People> {
    let groups =
        |least| btree_set(typed("[ -~]{1,20}"), least..4).prop_map(|set| set.into_iter().collect());
    (groups(1), groups(0), groups(0)).prop_map(|(owners, editors, viewers)| People {
        owners,
        editors,
        viewers,
    })
}

/// What a binding is made of before the team is known: numbers choose mount and claim.
type Loose = (String, Vec<(usize, String, Level)>, Option<usize>, Option<Date>);

fn loose() -> impl Strategy<Value = Loose> {
    let path =
        "(\\*|[A-Za-z0-9_][A-Za-z0-9._-]{0,6}(/[A-Za-z0-9_][A-Za-z0-9._-]{0,6}){0,3}(/\\*)?)";
    let levels = vec![Level::List, Level::Read, Level::Write, Level::Admin];
    let access = vec((any::<usize>(), path, select(levels)), 1..4);
    ("[a-z][a-z0-9]{2,8}", access, option::of(any::<usize>()), option::of(date()))
}

fn team() -> impl Strategy<Value = Team> {
    let mounts = btree_set(slug(), 1..4);
    let places = btree_set((label(), label()), 0..4);
    let environments =
        vec![Environment::Production, Environment::Staging, Environment::Development];
    let more = (vec((select(environments), seconds(60, 86_400)), 4), vec(1..=1000_u32, 4));
    let accounts = btree_set(typed("[a-z0-9.-]{1,12}"), 1..3);
    let group = typed::<GroupName>("[ -~]{1,20}");
    let bindings = (vec(loose(), 0..5), accounts, group, option::of(1..=1_000_000_u32));
    let head = (slug::<TeamName>(), free_text(), free_text(), people());
    (head, mounts, places, more, bindings).prop_map(|parts| {
        let ((name, display_name, contact, people), mounts, places, (claims, versions), rest) =
            parts;
        let (loose, accounts, group, requests_per_second) = rest;
        let mounts: Vec<Mount> = mounts
            .into_iter()
            .zip(versions)
            .map(|(name, max_versions)| Mount { name, max_versions })
            .collect();
        let namespaces: Vec<Claim> = places
            .into_iter()
            .zip(claims)
            .map(|((cluster, name), (environment, token_ttl))| Claim {
                cluster,
                name,
                environment,
                token_ttl,
            })
            .collect();
        let host: TeamName =
            if name.as_str() == "other-team" { "host-team" } else { "other-team" }.parse().unwrap();
        let mut bindings: Vec<Binding> = Vec::new();
        for (name, access, place, until) in loose {
            let Ok(name) = name.parse() else { continue };
            let holder = match place {
                Some(number) if !namespaces.is_empty() => {
                    let claim = &namespaces[number % namespaces.len()];
                    let (cluster, namespace) = (claim.cluster.clone(), claim.name.clone());
                    let accounts = accounts.clone();
                    Holder::Accounts { cluster, namespace, accounts, host: None }
                }
                // Another team's, where this one claims nothing.
                Some(_) => Holder::Accounts {
                    cluster: "there".parse().unwrap(),
                    namespace: "theirs".parse().unwrap(),
                    accounts: accounts.clone(),
                    host: Some(host.clone()),
                },
                _ => Holder::People { group: group.clone() },
            };
            let access = access
                .into_iter()
                .map(|(number, path, level)| Access {
                    mount: mounts[number % mounts.len()].name.clone(),
                    path: path.parse().unwrap(),
                    level,
                })
                .collect();
            if bindings.iter().all(|other| other.name != name) {
                bindings.push(Binding { name, holder, access, until });
            }
        }
        let mut team = Team {
            removed: namespaces.is_empty() && bindings.is_empty(),
            name,
            display_name,
            contact,
            people,
            mounts,
            namespaces,
            bindings,
            requests_per_second,
        };
        let whole = team.clone();
        for binding in &mut team.bindings {
            let person = matches!(binding.holder, Holder::People { .. });
            if person && binding.until.is_none() && reaches_production(&whole, binding) {
                binding.until = Some(Date::constant(2027, 6, 30));
            }
        }
        team
    })
}

fn cluster() -> impl Strategy<Value = Cluster> {
    let line = "[A-Za-z0-9+/= ]{0,64}";
    let server = prop_oneof![
        "https://[a-z0-9]{1,10}(\\.[a-z0-9]{1,10}){0,2}(:[1-9][0-9]{0,3})?",
        Just("https://[2001:db8::1]:6443".to_owned()),
    ];
    let end = select(vec!["", "\n", "\n\n", " \n"]);
    let key = "[A-Za-z0-9+/=]{1,40}"
        .prop_map(|line| format!("-----BEGIN PUBLIC KEY-----\n{line}\n-----END PUBLIC KEY-----\n"));
    let ca = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n";
    let keys = prop_oneof![
        vec(key, 1..4).prop_map(Keys::Given),
        ("https://[a-z]{1,9}(:[1-9][0-9]{0,3})?(/[a-z0-9._~-]{1,9}){0,3}", select(vec!["", ca]))
            .prop_map(|(url, ca)| Keys::Jwks { url, ca: ca.to_owned() }),
    ];
    let login = prop_oneof![
        Just(Login::Kubernetes),
        ("[!-~]{1,40}", keys).prop_map(|(issuer, keys)| Login::Jwt { issuer, keys }),
    ];
    (label(), server, vec(line, 0..4), end, login, "[A-Za-z0-9.:/_-]{1,20}", label()).prop_map(
        |(name, server, lines, end, login, audience, credentials)| Cluster {
            name,
            server,
            ca: format!(
                "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----{end}",
                lines.join("\n")
            ),
            login,
            audience,
            credentials,
        },
    )
}

fn platform() -> impl Strategy<Value = Platform> {
    let votes = (0..=9_u32, 0..=9_u32).prop_map(|(owners, platform)| Votes {
        owners,
        platform: if owners == 0 { platform.max(1) } else { platform },
    });
    let approvals = [votes.clone(), votes.clone(), votes.clone(), votes];
    (approvals, seconds(1, 366 * 86_400), vec(slug(), 0..3)).prop_map(
        |([low, normal, high, critical], token_ttl_ceiling, reserved_names)| Platform {
            approvals: Approvals { low, normal, high, critical },
            token_ttl_ceiling,
            reserved_names,
        },
    )
}

fn document() -> impl Strategy<Value = Document> {
    prop_oneof![
        4 => team().prop_map(|team| Document::Team(Box::new(team))),
        2 => cluster().prop_map(|cluster| Document::Cluster(Box::new(cluster))),
        1 => platform().prop_map(|platform| Document::Platform(Box::new(platform))),
    ]
}

fn check<S: Strategy>(
    cases: u32,
    strategy: &S,
    test: impl Fn(S::Value) -> Result<(), TestCaseError>,
) {
    let times = if std::env::var_os("STRONGROOM_FULL").is_some() { 50 } else { 1 };
    // Names that a type refuses are drawn again; over many cases that adds up.
    let config = Config {
        cases: cases * times,
        max_local_rejects: u32::MAX,
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new(config).run(strategy, test).unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn every_document_comes_back_as_itself() {
    let validator = jsonschema::validator_for(&schema::schema()).unwrap();
    check(300, &document(), |document| {
        let yaml = document.to_yaml();
        prop_assert_eq!(Document::from_yaml(&yaml), Ok(vec![document.clone()]), "{}", yaml);
        prop_assert_eq!(Document::from_value(&document.to_value()), Ok(document.clone()));
        prop_assert_eq!(Document::from_canonical(&document.canonical()), Ok(document.clone()));
        prop_assert!(validator.is_valid(&document.to_value()), "the schema refuses {}", yaml);
        Ok(())
    });
}

#[test]
fn several_documents_in_one_text_come_back_in_order() {
    check(60, &vec(document(), 2..4), |documents| {
        let texts: Vec<String> = documents.iter().map(Document::to_yaml).collect();
        prop_assert_eq!(Document::from_yaml(&texts.join("---\n")), Ok(documents));
        Ok(())
    });
}
