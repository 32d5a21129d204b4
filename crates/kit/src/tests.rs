//! Every format of one binding as snapshots, and what must hold of all of them.

use serde_json::Value;
use strongroom_domain::document::{Cluster, Document, Team};

use super::*;

const TEAM: &str = "apiVersion: strongroom.dev/v1
kind: Team
metadata: { name: payments }
spec:
  displayName: Payments
  contact: payments@example.com
  people: { owners: [{ group: payments-leads }] }
  mounts: [{ name: kv, type: kv-v2 }]
  namespaces: [{ cluster: prod-eu, name: payments-prod, environment: production }]
  limits: { requestsPerSecond: 200 }
  bindings:
    - name: api
      cluster: prod-eu
      namespace: payments-prod
      serviceAccounts: [api, worker]
      access:
        - { mount: kv, path: prod/api/*, level: read }
        - { mount: kv, path: prod/Shared_key, level: read }
        - { mount: kv, path: prod/names/*, level: list }
    - name: oncall
      people: { group: payments-leads }
      access: [{ mount: kv, path: prod/api/*, level: read }]
      until: 2099-01-01
    - name: lists
      cluster: prod-eu
      namespace: payments-prod
      serviceAccounts: [api]
      access: [{ mount: kv, path: prod/api/*, level: list }]
";

/// Names that are legal and that readers of YAML take for numbers and truth values, paths with the
/// same letters, one that is long, and the same path in two mounts.
const ODD: &str = "apiVersion: strongroom.dev/v1
kind: Team
metadata: { name: payments }
spec:
  displayName: Payments
  contact: payments@example.com
  people: { owners: [{ group: payments-leads }] }
  mounts: [{ name: kv, type: kv-v2 }, { name: certs, type: kv-v2 }]
  namespaces: [{ cluster: prod-eu, name: \"007\", environment: production }]
  bindings:
    - name: \"no\"
      cluster: prod-eu
      namespace: \"007\"
      serviceAccounts: [\"1e3\"]
      access:
        - { mount: kv, path: prod/Shared_key, level: read }
        - { mount: kv, path: prod/shared-key, level: read }
        - { mount: certs, path: prod/shared-key, level: read }
        - { mount: kv, path: \"12\", level: read }
        - { mount: kv, path: \"___\", level: read }
        - { mount: kv, path: prod/region-eu-central-1/payments-gateway/settlement/database, level: read }
        - { mount: kv, path: prod/region-eu-central-1/payments-gateway/settlement/partner/*, level: read }
    - name: batch
      cluster: prod-eu
      namespace: \"007\"
      serviceAccounts: [batch]
      access: [{ mount: kv, path: prod/shared-key, level: read }]
";

fn team() -> Team {
    read(TEAM)
}

fn read(text: &str) -> Team {
    match Document::from_yaml(text).unwrap().pop().unwrap() {
        Document::Team(team) => *team,
        other => panic!("{other:?}"),
    }
}

fn cluster(auth: &str) -> Cluster {
    let text = format!(
        "apiVersion: strongroom.dev/v1\nkind: Cluster\nmetadata: {{ name: prod-eu }}\nspec:\n  \
         server: https://127.0.0.1:6443\n  ca: |\n    -----BEGIN CERTIFICATE-----\n    AAAA\n    \
         -----END CERTIFICATE-----\n  auth: {auth}\n  audience: strongroom\n  credentials: prod-eu\n"
    );
    match Document::from_yaml(&text).unwrap().pop().unwrap() {
        Document::Cluster(cluster) => *cluster,
        other => panic!("{other:?}"),
    }
}

fn engine() -> Engine {
    Engine {
        address: "https://bao.example.com:8200".into(),
        ca_pem: "-----BEGIN CERTIFICATE-----\nBBBB\n-----END CERTIFICATE-----\n".into(),
    }
}

const KUBERNETES: &str = "{ method: kubernetes }";
const JWT: &str = "{ method: jwt, issuer: \"https://kubernetes.example.com\", \
                   jwks: { url: \"https://kubernetes.example.com/openid/v1/jwks\" } }";

fn kit(auth: &str, binding: usize, wish: &Wish) -> Result<Kit, KitError> {
    let team = team();
    Kit::new(engine(), &team, &team.bindings[binding], &cluster(auth), wish)
}

fn text(kit: &Kit, format: Format) -> String {
    let sheet = sheet(kit, format);
    let files = sheet.files.iter().map(|file| format!("== {}\n{}", file.name, file.text));
    let notes = sheet.notes.iter().map(|note| format!("-- {note}\n"));
    files.chain(notes).collect()
}

#[test]
fn every_format_of_a_binding() {
    let kit = kit(KUBERNETES, 0, &Wish::default()).unwrap();
    for format in Format::ALL {
        insta::assert_snapshot!(format.as_str(), text(&kit, format));
    }
}

#[test]
fn where_the_login_is_by_jwt() {
    let kit = kit(JWT, 0, &Wish::default()).unwrap();
    for format in [Format::Injector, Format::Agent, Format::Vso, Format::Eso] {
        insta::assert_snapshot!(format!("{}-jwt", format.as_str()), text(&kit, format));
    }
}

#[test]
fn files_can_be_read_by_what_reads_them() {
    for auth in [KUBERNETES, JWT] {
        let mut kit = kit(auth, 0, &Wish::default()).unwrap();
        for ca_pem in [kit.engine.ca_pem.clone(), String::new()] {
            kit.engine.ca_pem = ca_pem;
            for format in Format::ALL {
                for file in sheet(&kit, format).files {
                    if std::path::Path::new(file.name).extension().is_some_and(|e| e == "yaml") {
                        for document in serde_yaml_ng::Deserializer::from_str(&file.text) {
                            use serde_yaml_ng::Value;
                            use serde_yaml_ng::with::singleton_map::deserialize;
                            let value: Value = deserialize(document).unwrap();
                            assert!(value.is_mapping(), "{format:?} {}: {value:?}", file.name);
                        }
                    }
                    assert!(file.text.ends_with('\n'), "{format:?} {}", file.name);
                    // A token of the default audience would be refused at the login.
                    if file.text.contains("serviceAccountToken:") {
                        assert!(file.text.contains("audience: \"strongroom\""), "{}", file.text);
                    }
                }
            }
        }
    }
}

#[test]
fn only_what_the_binding_reads() {
    let wish = |text: &str| Wish { secret: Some(text.parse().unwrap()), ..Wish::default() };
    let found = kit(KUBERNETES, 0, &wish("prod/api/db")).unwrap();
    assert_eq!(found.secrets.len(), 1);
    assert_eq!(found.secrets[0].data_path(), "team/payments/kv/data/prod/api/db");
    assert_eq!(found.secrets[0].short_path(), "payments/kv/prod/api/db");
    for other in ["prod/other/db", "prod/names/x", "prod/api/*", "prod/api"] {
        let refused = kit(KUBERNETES, 0, &wish(other)).unwrap_err();
        assert!(matches!(refused, KitError::NoSecret { .. }), "{other}: {refused}");
    }
    let account = |name: &str| Wish { account: Some(name.parse().unwrap()), ..Wish::default() };
    assert_eq!(kit(KUBERNETES, 0, &account("worker")).unwrap().account.as_str(), "worker");
    let refused = kit(KUBERNETES, 0, &account("root")).unwrap_err().to_string();
    assert!(refused.contains("api, worker"), "{refused}");
    assert_eq!(kit(KUBERNETES, 1, &Wish::default()), Err(KitError::ForPeople));
    assert_eq!(kit(KUBERNETES, 2, &Wish::default()), Err(KitError::ReadsNothing));
}

/// The documents of a kit, with what `kubectl` tells them apart by. The check's Job has its binding's
/// name and is nobody else's.
fn objects(kit: &Kit) -> Vec<(String, Value)> {
    let formats = Format::ALL.into_iter().filter(|format| *format != Format::Check);
    let files = formats.flat_map(|format| sheet(kit, format).files);
    let mut found = Vec::new();
    // A fragment of a pod has no kind.
    for file in files.filter(|file| file.text.contains("\nkind: ")) {
        for document in file.text.split("\n---\n") {
            let value: Value = serde_yaml_ng::from_str(document).unwrap();
            let text = |at: &str| value.pointer(at).and_then(Value::as_str).unwrap();
            let identity = ["/kind", "/metadata/namespace", "/metadata/name"].map(text);
            found.push((identity.join(" "), value));
        }
    }
    found
}

#[test]
fn odd_names_stay_names_and_no_two_secrets_share_one() {
    let team = read(ODD);
    for auth in [KUBERNETES, JWT] {
        let kit = |binding: usize| {
            let wish = Wish::default();
            Kit::new(engine(), &team, &team.bindings[binding], &cluster(auth), &wish).unwrap()
        };
        let (odd, batch) = (kit(0), kit(1));
        let mut names: Vec<&str> = odd.secrets.iter().map(|secret| secret.name.as_str()).collect();
        assert!(names.iter().all(|name| (1..=41).contains(&name.len())), "{names:?}");
        names.sort_unstable();
        insta::allow_duplicates! {
            insta::assert_snapshot!(names.join("\n"), @r"
            12
            gateway-settlement-partner-example
            payments-gateway-settlement-database
            prod-shared-key
            prod-shared-key-2
            prod-shared-key-3
            secret
            ");
        }
        // What another binding of the namespace has under the same name is the same.
        let others = objects(&batch);
        for (identity, value) in objects(&odd) {
            for (_, other) in others.iter().filter(|(other, _)| *other == identity) {
                assert_eq!(value, *other, "{identity}");
            }
        }
    }
    for name in ["1e3", "007", "no", "Null", "2024-01-01", "_x"] {
        assert_eq!(text::plain(name), format!("\"{name}\""));
    }
    for name in ["api", "payments-prod", "north", "e3"] {
        assert_eq!(text::plain(name), name);
    }
}
