//! Vault Secrets Operator: connection, login and one Secret for each secret.

use std::fmt::Write as _;

use strongroom_vault_model::object::LoginMethod;

use super::{CA_SECRET, File, IN_A_SECRET, ca_secret, file, object_name};
use crate::kit::Kit;
use crate::text::{plain, quoted};

pub fn files(kit: &Kit) -> (Vec<File>, Vec<String>) {
    let (namespace, account) = (plain(kit.namespace.as_str()), plain(kit.account.as_str()));
    let ca = ca_secret(kit);
    let ca_ref =
        if ca.is_some() { format!("  caCertSecretRef: {CA_SECRET}\n") } else { String::new() };
    let login = match kit.login {
        LoginMethod::Kubernetes => "kubernetes",
        LoginMethod::Jwt => "jwt",
    };
    let mut text = format!(
        "apiVersion: secrets.hashicorp.com/v1beta1\nkind: VaultConnection\nmetadata:\n  \
         name: strongroom\n  namespace: {namespace}\nspec:\n  address: {address}\n{ca_ref}---\n\
         apiVersion: secrets.hashicorp.com/v1beta1\nkind: VaultAuth\nmetadata:\n  \
         name: {account}\n  namespace: {namespace}\nspec:\n  vaultConnectionRef: strongroom\n  \
         method: {login}\n  mount: {mount}\n  {login}:\n    role: {role}\n    \
         serviceAccount: {account}\n    audiences: [{audience}]\n",
        address = quoted(&kit.engine.address),
        mount = kit.auth_mount(),
        role = quoted(kit.role()),
        audience = quoted(&kit.audience),
    );
    for secret in &kit.secrets {
        let name = object_name(kit, secret);
        let _ = write!(
            text,
            "---\napiVersion: secrets.hashicorp.com/v1beta1\nkind: VaultStaticSecret\nmetadata:\n  \
             name: {name}\n  namespace: {namespace}\nspec:\n  vaultAuthRef: {account}\n  \
             type: kv-v2\n  mount: {mount}\n  path: {path}\n  refreshAfter: 60s\n  \
             destination:\n    name: {name}\n    create: true\n",
            mount = secret.mount,
            path = quoted(&secret.path.to_string()),
        );
    }
    let files = ca.into_iter().chain([file("vault-secrets-operator.yaml", text)]).collect();
    (files, vec![IN_A_SECRET.to_owned()])
}
