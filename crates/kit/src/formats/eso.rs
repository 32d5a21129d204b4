//! External Secrets Operator: a store of the namespace and one Secret for each secret.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use strongroom_vault_model::object::LoginMethod;

use super::{File, IN_A_SECRET, file, object_name};
use crate::kit::{Kit, Secret};
use crate::text::{plain, quoted};

pub fn files(kit: &Kit) -> (Vec<File>, Vec<String>) {
    let namespace = plain(kit.namespace.as_str());
    let ca = match kit.engine.ca_pem.trim() {
        "" => String::new(),
        pem => format!("      caBundle: {}\n", STANDARD.encode(pem)),
    };
    let (mount, role, account, audience) =
        (kit.auth_mount(), quoted(kit.role()), plain(kit.account.as_str()), quoted(&kit.audience));
    let auth = match kit.login {
        LoginMethod::Kubernetes => format!(
            "        kubernetes:\n          mountPath: {mount}\n          role: {role}\n          \
             serviceAccountRef:\n            name: {account}\n            audiences: [{audience}]\n"
        ),
        LoginMethod::Jwt => format!(
            "        jwt:\n          path: {mount}\n          role: {role}\n          \
             kubernetesServiceAccountToken:\n            serviceAccountRef:\n              \
             name: {account}\n            audiences: [{audience}]\n            \
             expirationSeconds: 600\n"
        ),
    };
    let mut text = String::new();
    let mut stores = BTreeSet::new();
    for secret in &kit.secrets {
        if stores.insert(&secret.mount) {
            let _ = write!(
                text,
                "apiVersion: external-secrets.io/v1\nkind: SecretStore\nmetadata:\n  \
                 name: {store}\n  namespace: {namespace}\nspec:\n  provider:\n    vault:\n      \
                 server: {address}\n      path: {path}\n      version: v2\n{ca}      auth:\n{auth}---\n",
                store = store_name(kit, secret),
                address = quoted(&kit.engine.address),
                path = secret.mount,
            );
        }
    }
    let wanted: Vec<String> = kit
        .secrets
        .iter()
        .map(|secret| {
            let name = object_name(kit, secret);
            format!(
                "apiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata:\n  name: {name}\n  \
                 namespace: {namespace}\nspec:\n  refreshInterval: 1m\n  secretStoreRef:\n    \
                 kind: SecretStore\n    name: {store}\n  target:\n    name: {name}\n  \
                 dataFrom:\n    - extract:\n        key: {path}\n",
                store = store_name(kit, secret),
                path = quoted(&secret.path.to_string()),
            )
        })
        .collect();
    text.push_str(&wanted.join("---\n"));
    (vec![file("external-secrets.yaml", text)], vec![IN_A_SECRET.to_owned()])
}

/// A store is of one account and one mount: that of another binding in the namespace is another.
fn store_name(kit: &Kit, secret: &Secret) -> String {
    format!("strongroom-{}-{}-{}", kit.account, secret.mount.team, secret.mount.mount)
}
