//! Secrets Store CSI driver with the Vault provider: files of the pod, no Kubernetes Secret.

use std::fmt::Write as _;

use super::{File, file};
use crate::kit::Kit;
use crate::text::{indented, plain, quoted};

pub fn files(kit: &Kit) -> (Vec<File>, Vec<String>) {
    let mut objects = String::new();
    for secret in &kit.secrets {
        let _ = write!(
            objects,
            "- objectName: {}\n  secretPath: {}\n",
            plain(&secret.name),
            secret.data_path()
        );
    }
    let class = format!(
        "apiVersion: secrets-store.csi.x-k8s.io/v1\nkind: SecretProviderClass\nmetadata:\n  \
         name: {binding}\n  namespace: {namespace}\nspec:\n  provider: vault\n  parameters:\n    \
         vaultAddress: {address}\n    vaultAuthMountPath: {mount}\n    roleName: {role}\n    \
         audience: {audience}\n    objects: |\n{objects}",
        binding = plain(kit.binding.as_str()),
        namespace = plain(kit.namespace.as_str()),
        address = quoted(&kit.engine.address),
        mount = kit.auth_mount(),
        role = quoted(kit.role()),
        audience = quoted(&kit.audience),
        objects = indented(&objects, 6),
    );
    let pod = format!(
        "# To be merged into the pod template of your Deployment (spec.template).\n\
         spec:\n  serviceAccountName: {account}\n  containers:\n    - name: app # yours\n      \
         volumeMounts:\n        - {{ name: secrets, mountPath: /mnt/secrets, readOnly: true }}\n  \
         volumes:\n    - name: secrets\n      csi:\n        driver: secrets-store.csi.k8s.io\n        \
         readOnly: true\n        volumeAttributes:\n          secretProviderClass: {binding}\n",
        account = plain(kit.account.as_str()),
        binding = plain(kit.binding.as_str()),
    );
    let mut notes = vec![
        "each file holds a secret's whole answer as JSON; a line `secretKey: NAME` beneath its \
         secretPath gives one value"
            .to_owned(),
    ];
    if !kit.engine.ca_pem.trim().is_empty() {
        notes.push(
            "the provider's own pods must trust the engine's CA: who runs the cluster sets \
             `vaultCACertPath` or the provider's VAULT_CACERT"
                .to_owned(),
        );
    }
    (vec![file("secret-provider-class.yaml", class), file("pod-template.yaml", pod)], notes)
}
