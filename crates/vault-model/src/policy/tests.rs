//! Golden text, and the round trip through an independent parser.

use proptest::prelude::*;

use super::*;
use crate::name::MountName;

fn mark() -> Mark {
    Mark::new(uuid::Uuid::nil())
}

fn rule(mount: &str, area: Area, path: &str) -> RulePath {
    RulePath {
        mount: TeamMount {
            team: TeamName::new("payments").unwrap(),
            mount: MountName::new(mount).unwrap(),
        },
        area,
        path: SecretPath::new(path).unwrap(),
    }
}

fn name() -> PolicyName {
    "team.payments.binding.api".parse().unwrap()
}

#[test]
fn the_text_is_golden() {
    let mut rules = Rules::default();
    rules.allow(rule("kv", Area::Data, "prod/api/*"), &[Capability::Read]);
    rules.allow(rule("kv", Area::Metadata, "prod/api/*"), &[Capability::Read, Capability::List]);
    insta::assert_snapshot!(rules.render_checked(&mark(), &name()).unwrap());
}

#[test]
fn a_narrow_rule_takes_over_what_wider_rules_allow() {
    let mut rules = Rules::default();
    rules.allow(rule("kv", Area::Data, "prod/*"), &[Capability::Read]);
    rules.allow(rule("kv", Area::Data, "prod/api"), &[Capability::Create, Capability::Update]);
    let parsed = parse(&rules.render_checked(&mark(), &name()).unwrap()).unwrap();
    let words = &parsed["team/payments/kv/data/prod/api"];
    assert_eq!(words.iter().map(String::as_str).collect::<Vec<_>>(), ["create", "read", "update"]);
    assert_eq!(parsed["team/payments/kv/data/prod/*"].len(), 1);
}

#[test]
fn the_rule_of_a_secret_keeps_the_list_of_the_folder_of_its_name() {
    let mut rules = Rules::default();
    rules.allow(rule("kv", Area::Metadata, "prod/api/*"), &[Capability::List, Capability::Read]);
    rules.allow(rule("kv", Area::Metadata, "prod/api"), &[Capability::Read]);
    rules.allow(rule("kv", Area::Metadata, "prod/db"), &[Capability::Read]);
    rules.allow(rule("kv", Area::Data, "prod/api/*"), &[Capability::Update]);
    rules.allow(rule("kv", Area::Data, "prod/api"), &[Capability::Read]);
    let parsed = parse(&rules.render_checked(&mark(), &name()).unwrap()).unwrap();
    let words = |path: &str| parsed[path].iter().map(String::as_str).collect::<Vec<_>>().join(" ");
    assert_eq!(words("team/payments/kv/metadata/prod/api"), "list read");
    assert_eq!(words("team/payments/kv/metadata/prod/db"), "read");
    assert_eq!(words("team/payments/kv/data/prod/api"), "read", "only the list is taken over");
}

#[test]
fn all_but_the_safe_subset_is_refused() {
    for text in [
        "path \"a\" { capabilities = [\"deny\"] }",
        "path \"a\" { capabilities = [\"read\", \"sudo\"] }",
        "path \"a/+/b\" { capabilities = [\"read\"] }",
        "path \"a/*/b\" { capabilities = [\"read\"] }",
        "path \"a/b*\" { capabilities = [\"read\"] }",
        "path \"*\" { capabilities = [\"read\"] }",
        "path \"a/{{identity.entity.id}}\" { capabilities = [\"read\"] }",
        "path \"a\" { capabilities = [\"read\"]\n allowed_parameters = { \"x\" = [] } }",
        "path \"a\" { capabilities = \"read\" }",
        "path \"a\" { policy = \"write\" }",
        "path \"a\" { capabilities = [\"read\"] }\npath \"a\" { capabilities = [\"list\"] }",
        "name = \"x\"",
        "path \"a\" {",
    ] {
        assert!(parse(text).is_err(), "{text} was taken");
    }
}

#[test]
fn policy_names_parse_back() {
    for text in ["team.payments.owner", "team.a1.binding.b2"] {
        assert_eq!(text.parse::<PolicyName>().unwrap().to_string(), text);
    }
    for text in ["team.payments.root", "team.payments", "root", "team.a1.binding.b2.c3", "people.x"]
    {
        assert!(text.parse::<PolicyName>().is_err(), "{text}");
    }
}

/// ISO-02 of the checks: hostile text in every place that a document can reach. The case count is
/// raised to a million by `cargo xtask test --full`.
#[test]
fn iso_02_hostile_text_parses_back_equal_or_is_refused() {
    let cases = if std::env::var_os("STRONGROOM_FULL").is_some() { 1_000_000 } else { 20_000 };
    let workers = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let each = cases / u32::try_from(workers).unwrap() + 1;
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(move || hostile_cases(each));
        }
    });
    println!("ISO-02: 0 of {} hostile texts unequal", each as usize * workers);
}

/// So many of them, each run with a seed of its own.
fn hostile_cases(cases: u32) {
    let hostile = prop_oneof![
        "[a-z][a-z0-9-]{1,8}",
        "\\PC{0,12}",
        "[\"\\\\{}$%#\n\r\t\u{0}*+/. a-z<-]{0,12}",
        Just("<<EOT\nx\nEOT".to_owned()),
        Just("${file(\"/etc/passwd\")}".to_owned()),
        Just("%{ if true }x%{ endif }".to_owned()),
        Just("a\" { capabilities = [\"sudo\"] } path \"b".to_owned()),
        Just("/* c */".to_owned()),
        "[a-z0-9_.-]{1,8}(/[a-zA-Z0-9_.-]{1,8}){0,3}(/\\*)?",
    ];
    let rendered = std::cell::Cell::new(0_u32);
    let mut runner = proptest::test_runner::TestRunner::new(proptest::test_runner::Config {
        cases,
        failure_persistence: None,
        ..Default::default()
    });
    let inputs = (hostile.clone(), hostile.clone(), hostile.clone(), hostile);
    runner
        .run(&inputs, |(team, mount, path, binding)| {
            let names = (
                TeamName::new(team.as_str()),
                MountName::new(mount.as_str()),
                SecretPath::new(&path),
                BindingName::new(binding.as_str()),
            );
            let (team, mount, path, binding) = match names {
                (Ok(team), Ok(mount), Ok(path), Ok(binding)) => (team, mount, path, binding),
                // Refused; the parts that were taken are still tried with good neighbours.
                (team, mount, path, binding) => (
                    team.unwrap_or_else(|_| TeamName::new("payments").unwrap()),
                    mount.unwrap_or_else(|_| MountName::new("kv").unwrap()),
                    path.unwrap_or_else(|_| SecretPath::new("a/*").unwrap()),
                    binding.unwrap_or_else(|_| BindingName::new("api").unwrap()),
                ),
            };
            let mut rules = Rules::default();
            let at =
                RulePath { mount: TeamMount { team: team.clone(), mount }, area: Area::Data, path };
            rules.allow(at.clone(), &[Capability::Read]);
            let text = rules.render_checked(&mark(), &PolicyName::Binding(team, binding));
            let parsed = parse(&text.expect("rendered text parses back equal")).unwrap();
            prop_assert_eq!(parsed.len(), 1);
            prop_assert!(parsed.contains_key(&at.to_string()));
            rendered.set(rendered.get() + 1);
            Ok(())
        })
        .unwrap();
    assert_eq!(rendered.get(), cases);
}
