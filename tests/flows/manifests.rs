//! The kit's manifests against schemas: a real API server with the published definitions reads them
//! as they are, and refuses a field that it does not know.
//!
//! The definitions of External Secrets and of the Secrets Store CSI driver are those of their
//! projects' modules. Vault Secrets Operator's module is not to be had, so for its three kinds the
//! server is told here which fields they have, as far as the kit uses them; that is our reading of
//! its v1beta1 and not its own word. An agent's HCL and the scripts have no schema: `kit.rs` runs them.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};
use strongroom_domain::document::{Cluster, Document, Team};
use strongroom_kit::{Engine, File, Format, Kit, Wish, sheet};
use strongroom_lab::Parts;
use strongroom_lab::kubernetes::{Address, KubernetesApi};

use crate::support::Lab;

/// A legal name that a reader of YAML could take for a number.
const ODD: &str = "20261123";

const LOGINS: [&str; 2] = [
    "{ method: kubernetes }",
    "{ method: jwt, issuer: \"https://kubernetes.example.com\", \
     jwks: { url: \"https://kubernetes.example.com/openid/v1/jwks\" } }",
];

fn only<T>(text: &str, pick: impl Fn(Document) -> Option<T>) -> T {
    Document::from_yaml(text).unwrap().into_iter().find_map(pick).unwrap()
}

/// A team with folders, single secrets, two mounts, a long path and two accounts.
fn team(namespace: &str, account: &str) -> Team {
    let text = format!(
        "apiVersion: strongroom.dev/v1\nkind: Team\nmetadata: {{ name: payments }}\nspec:\n  \
         displayName: Payments\n  contact: payments@example.com\n  people:\n    \
         owners: [{{ group: payments-leads }}]\n  \
         mounts: [{{ name: kv, type: kv-v2 }}, {{ name: certs, type: kv-v2 }}]\n  namespaces:\n    \
         - {{ cluster: prod-eu, name: \"{namespace}\", environment: production }}\n  bindings:\n    \
         - name: api\n      cluster: prod-eu\n      namespace: \"{namespace}\"\n      \
         serviceAccounts: [\"{account}\", worker]\n      access:\n        \
         - {{ mount: kv, path: prod/api/*, level: read }}\n        \
         - {{ mount: kv, path: prod/Shared_key, level: read }}\n        \
         - {{ mount: kv, path: \"2026\", level: read }}\n        \
         - {{ mount: certs, path: prod/Shared_key, level: read }}\n        \
         - {{ mount: kv, path: prod/region-eu-central-1/payments-gateway/settlement/database/*, \
         level: write }}\n"
    );
    only(&text, |document| match document {
        Document::Team(team) => Some(*team),
        _ => None,
    })
}

fn cluster(login: &str) -> Cluster {
    let text = format!(
        "apiVersion: strongroom.dev/v1\nkind: Cluster\nmetadata: {{ name: prod-eu }}\nspec:\n  \
         server: https://127.0.0.1:6443\n  ca: |\n    -----BEGIN CERTIFICATE-----\n    AAAA\n    \
         -----END CERTIFICATE-----\n  auth: {login}\n  audience: strongroom\n  credentials: prod-eu\n"
    );
    only(&text, |document| match document {
        Document::Cluster(cluster) => Some(*cluster),
        _ => None,
    })
}

fn kit(lab: &Lab, namespace: &str, account: &str, login: &str, has_ca: bool) -> Kit {
    let team = team(namespace, account);
    let ca_pem = if has_ca { lab.text("/engine/ca_pem").to_owned() } else { String::new() };
    let engine = Engine { address: "https://bao.example.com:8200".into(), ca_pem };
    let wish = Wish { account: Some(account.parse().unwrap()), secret: None };
    Kit::new(engine, &team, &team.bindings[0], &cluster(login), &wish).unwrap()
}

/// What a person makes of a file: its documents as they are, or a Deployment around a fragment.
fn documents(file: &File, namespace: &str) -> Vec<String> {
    if !file.name.starts_with("pod-template") {
        return file.text.split("\n---\n").map(str::to_owned).collect();
    }
    let labels = "metadata:\n  labels: { app: web }\n";
    let template = if file.text.contains("\nmetadata:\n") {
        file.text.replace("metadata:\n", labels)
    } else {
        format!("{labels}{}", file.text)
    };
    let (before, after) = template.split_once("- name: app").unwrap();
    let template = format!("{before}- image: example.com/web\n      name: app{after}");
    let indented: String = template.lines().flat_map(|line| ["    ", line, "\n"]).collect();
    vec![format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  namespace: \
         \"{namespace}\"\nspec:\n  selector: {{ matchLabels: {{ app: web }} }}\n  template:\n{indented}"
    )]
}

fn is_yaml(file: &File) -> bool {
    Path::new(file.name).extension().is_some_and(|extension| extension == "yaml")
}

async fn objection(api: &KubernetesApi, namespace: &str, text: &str) -> Option<String> {
    let value: Value = serde_yaml_ng::from_str(text).unwrap();
    let word = |name: &str| value[name].as_str().unwrap();
    let address = Address { api_version: word("apiVersion"), kind: word("kind"), namespace };
    api.objection_to(address, text).await.unwrap()
}

/// The published definitions, and ours for what cannot be had.
async fn define(api: &KubernetesApi) {
    for file in Parts::find().unwrap().definitions().unwrap() {
        let text = std::fs::read_to_string(file).unwrap();
        let definition: Value = serde_yaml_ng::from_str(&text).unwrap();
        api.define(&definition).await.unwrap();
    }
    let text = json!({ "type": "string" });
    let method = json!({ "type": "object", "properties": {
        "role": text, "serviceAccount": text, "audiences": { "type": "array", "items": text },
    }});
    for (kind, required, fields) in [
        ("VaultConnection", vec!["address"], json!({ "address": text, "caCertSecretRef": text })),
        (
            "VaultAuth",
            vec![],
            json!({
                "vaultConnectionRef": text, "mount": text, "kubernetes": method, "jwt": method,
                "method": { "type": "string", "enum": ["kubernetes", "jwt", "appRole", "aws", "gcp"] },
            }),
        ),
        (
            "VaultStaticSecret",
            vec!["destination", "mount", "path", "type"],
            json!({
                "vaultAuthRef": text, "mount": text, "path": text,
                "type": { "type": "string", "enum": ["kv-v1", "kv-v2"] },
                "refreshAfter": { "type": "string", "pattern": "^([0-9]+(\\.[0-9]+)?(s|m|h))$" },
                "destination": { "type": "object", "required": ["name"], "properties": {
                    "name": text, "create": { "type": "boolean" },
                }},
            }),
        ),
    ] {
        let plural = format!("{}s", kind.to_lowercase());
        let spec = json!({ "type": "object", "properties": fields, "required": required });
        let schema = json!({ "type": "object", "properties": { "spec": spec } });
        api.define(&json!({
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": { "name": format!("{plural}.secrets.hashicorp.com") },
            "spec": {
                "group": "secrets.hashicorp.com",
                "scope": "Namespaced",
                "names": { "kind": kind, "plural": plural, "singular": kind.to_lowercase() },
                "versions": [{
                    "name": "v1beta1", "served": true, "storage": true,
                    "schema": { "openAPIV3Schema": schema },
                }],
            },
        }))
        .await
        .unwrap();
    }
}

#[tokio::test]
async fn kit_04_every_manifest_is_one_that_the_api_server_takes() {
    let lab = Lab::get();
    let api = lab.kubernetes();
    define(&api).await;
    let names = [("kit-schemas", "api"), (ODD, "1e3")];
    let (mut taken, mut kinds) = (0, BTreeSet::new());
    for (namespace, account) in names {
        api.create_namespace(namespace).await.unwrap();
        for login in LOGINS {
            for has_ca in [true, false] {
                let kit = kit(&lab, namespace, account, login, has_ca);
                for format in Format::ALL {
                    let files = sheet(&kit, format).files;
                    for file in files.iter().filter(|file| is_yaml(file)) {
                        for text in documents(file, namespace) {
                            let refused = objection(&api, namespace, &text).await;
                            assert_eq!(refused, None, "{format:?} {}:\n{text}", file.name);
                            let value: Value = serde_yaml_ng::from_str(&text).unwrap();
                            kinds.insert(value["kind"].as_str().unwrap().to_owned());
                            taken += 1;
                        }
                    }
                }
            }
        }
    }
    let kinds: Vec<String> = kinds.into_iter().collect();
    assert_eq!(
        kinds,
        [
            "Deployment",
            "ExternalSecret",
            "Job",
            "Role",
            "RoleBinding",
            "Secret",
            "SecretProviderClass",
            "SecretStore",
            "VaultAuth",
            "VaultConnection",
            "VaultStaticSecret"
        ]
    );
    println!("KIT-04: {taken} manifests of {} kinds were taken", kinds.len());
}

/// The server reads every field: what is misspelt is refused, in each kind.
#[tokio::test]
async fn kit_05_a_misspelt_field_is_refused() {
    let lab = Lab::get();
    let api = lab.kubernetes();
    define(&api).await;
    let namespace = "kit-misspelt";
    api.create_namespace(namespace).await.unwrap();
    let mut refused = 0;
    for login in LOGINS {
        let kit = kit(&lab, namespace, "api", login, true);
        for (format, kind, right, wrong) in [
            (Format::Eso, "SecretStore", "caBundle:", "caBundel:"),
            (Format::Eso, "SecretStore", "audiences:", "audience:"),
            (Format::Eso, "ExternalSecret", "refreshInterval:", "refreshAfter:"),
            (Format::Eso, "ExternalSecret", "secretStoreRef:", "storeRef:"),
            (Format::Csi, "SecretProviderClass", "parameters:", "params:"),
            (Format::Csi, "Deployment", "volumeAttributes:", "attributes:"),
            (Format::Vso, "Secret", "stringData:", "stringdata:"),
            (Format::Vso, "VaultConnection", "caCertSecretRef:", "caSecretRef:"),
            (Format::Vso, "VaultAuth", "serviceAccount:", "serviceAccountName:"),
            (Format::Vso, "VaultStaticSecret", "refreshAfter:", "refreshInterval:"),
            (Format::Injector, "Deployment", "serviceAccountToken:", "serviceAccount:"),
            (Format::Http, "Deployment", "expirationSeconds:", "expiresAfter:"),
            (Format::Ci, "Role", "resourceNames:", "names:"),
            (Format::Ci, "RoleBinding", "subjects:", "subject:"),
            (Format::Check, "Job", "backoffLimit:", "backOffLimit:"),
        ] {
            let files = sheet(&kit, format).files;
            let texts = files.iter().flat_map(|file| documents(file, namespace));
            let head = format!("\nkind: {kind}\n");
            let text = texts.filter(|text| text.contains(&head)).find(|text| text.contains(right));
            let text = text.unwrap_or_else(|| panic!("no {right} in a {kind} of {format:?}"));
            assert_eq!(objection(&api, namespace, &text).await, None, "{text}");
            let told = objection(&api, namespace, &text.replace(right, wrong)).await;
            let told = told.unwrap_or_else(|| panic!("{wrong} is taken in a {kind}"));
            assert!(told.contains(wrong.trim_end_matches(':')), "{kind} {wrong}: {told}");
            refused += 1;
        }
    }
    println!("KIT-05: {refused} misspelt fields were refused");
}
