//! What the command line and the kit say of a binding.

use serde_json::json;

use super::*;
use crate::args::{ClientCommand, Output};
use crate::render::text::Style;
use crate::tests::parse;

fn kit() -> KitView {
    serde_json::from_value(json!({
        "team": "payments", "binding": "api", "cluster": "prod-eu", "namespace": "payments-prod",
        "account": "api", "others": ["worker"], "authMount": "k8s/prod-eu", "method": "kubernetes",
        "role": "payments-prod", "audience": "strongroom", "state": "suspended", "reason": "INC-7",
        "engine": { "address": "https://bao.example.com:8200", "caPem": "" },
        "secrets": [
            { "mount": "team/payments/kv", "path": "prod/api/example", "beneath": "prod/api/*",
              "level": "read", "shortPath": "payments/kv/prod/api/example" },
            { "mount": "team/payments/kv", "path": "prod/key", "beneath": null, "level": "read",
              "shortPath": "payments/kv/prod/key" },
        ],
        "formats": [],
    }))
    .unwrap()
}

/// The binding of the kit, attached.
pub(in crate::verbs::check) fn facts() -> Facts {
    let kit = kit();
    let paths = kit.secrets.iter().map(asked).collect();
    Facts { standing: Some((Some("attached".into()), None)), ..Facts::of_kit(kit, paths) }
}

fn given(line: &str) -> Result<Facts, Failure> {
    let line = parse(line).unwrap();
    assert_eq!(line.globals.output, None::<Output>);
    let ClientCommand::Check(args) = line.command else { panic!("another verb") };
    let mount = args.mount.clone().unwrap();
    Facts::given(&args, ("payments", "api"), &mount, None)
}

#[test]
fn a_kit_says_it_all() {
    let facts = facts();
    assert_eq!(facts.accounts, ["api", "worker"]);
    assert_eq!(facts.engine.ca_pem, None);
    let names: Vec<_> = facts.paths.iter().map(|path| path.name.as_str()).collect();
    assert_eq!(names, ["payments/kv/prod/api/*", "payments/kv/prod/key"]);
    let mut report = Report::default();
    Facts::of_kit(kit(), Vec::new()).tell_standing(&mut report);
    insta::assert_snapshot!(report.text(Style::PLAIN), @"red      binding   suspended: INC-7; next: `strongroom get bindings --team payments -o wide` tells how it stands and why");
}

#[test]
fn a_pod_says_it_on_the_command_line() {
    let facts = given(
        "check payments/api --engine https://bao:8200/ --mount auth/k8s/prod-eu --role payments-prod \
         --path payments/kv/prod/a --path payments/kv/prod/b",
    )
    .unwrap();
    assert_eq!(facts.engine.url, "https://bao:8200");
    assert_eq!((facts.mount.as_str(), facts.role.as_str()), ("k8s/prod-eu", "payments-prod"));
    assert_eq!(facts.namespace.as_deref(), Some("payments-prod"));
    assert_eq!(facts.paths.len(), 2);
    assert_eq!(
        (facts.paths[1].mount.as_str(), facts.paths[1].secret.as_str()),
        ("team/payments/kv", "prod/b")
    );

    let missing =
        given("check payments/api --mount k8s/prod-eu --engine https://bao:8200").unwrap_err();
    assert_eq!(missing.exit, Exit::Usage);
    assert!(missing.render().contains("there is no --path"), "{}", missing.render());
    let folder =
        given("check payments/api --mount k8s/x --engine https://b --path payments/kv/a/*");
    assert_eq!(folder.unwrap_err().exit, Exit::Usage);
    // Half of it is no way to ask the server.
    assert!(parse("check payments/api --engine https://bao:8200").is_err());
    assert!(parse("check payments/api --role payments-prod").is_err());
}
