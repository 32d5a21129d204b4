//! Every format of one binding as snapshots, and what must hold of all of them.

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

fn team() -> Team {
    match Document::from_yaml(TEAM).unwrap().pop().unwrap() {
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
