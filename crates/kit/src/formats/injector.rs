//! The agent injector: annotations and a token volume on the pod template.

use std::fmt::Write as _;

use strongroom_vault_model::object::LoginMethod;

use super::{CA_SECRET, File, TOKEN_DIR, ca_secret, file, token_volume};
use crate::kit::Kit;
use crate::text::{plain, quoted};

pub fn files(kit: &Kit) -> (Vec<File>, Vec<String>) {
    let mut annotations = format!(
        "    vault.hashicorp.com/agent-inject: \"true\"\n    \
         vault.hashicorp.com/service: {}\n    \
         vault.hashicorp.com/auth-path: \"auth/{}\"\n    \
         vault.hashicorp.com/role: {}\n    \
         vault.hashicorp.com/agent-service-account-token-volume-name: \"strongroom-token\"\n",
        quoted(&kit.engine.address),
        kit.auth_mount(),
        quoted(kit.role()),
    );
    if kit.login == LoginMethod::Jwt {
        let _ = write!(
            annotations,
            "    vault.hashicorp.com/auth-type: \"jwt\"\n    \
             vault.hashicorp.com/auth-config-path: \"{TOKEN_DIR}/token\"\n    \
             vault.hashicorp.com/auth-config-remove_jwt_after_reading: \"false\"\n",
        );
    }
    let ca = ca_secret(kit);
    if ca.is_some() {
        let _ = write!(
            annotations,
            "    vault.hashicorp.com/tls-secret: \"{CA_SECRET}\"\n    \
             vault.hashicorp.com/ca-cert: \"/vault/tls/ca.crt\"\n",
        );
    }
    for secret in &kit.secrets {
        let (name, path) = (&secret.name, secret.data_path());
        let _ = write!(
            annotations,
            "    vault.hashicorp.com/agent-inject-secret-{name}: {path}\n    \
             vault.hashicorp.com/agent-inject-template-{name}: |\n      \
             {{{{ with secret \"{path}\" }}}}{{{{ range $key, $value := .Data.data -}}}}\n      \
             {{{{ $key }}}}={{{{ $value }}}}\n      \
             {{{{ end }}}}{{{{ end }}}}\n",
        );
    }
    let text = format!(
        "# To be merged into the pod template of your Deployment (spec.template).\n\
         metadata:\n  annotations:\n{annotations}\
         spec:\n  serviceAccountName: {account}\n  containers:\n    \
         - name: app # yours; its files are in /vault/secrets\n      \
         volumeMounts:\n        \
         - {{ name: strongroom-token, mountPath: {TOKEN_DIR}, readOnly: true }}\n  \
         volumes:\n{volume}",
        account = plain(kit.account.as_str()),
        volume = token_volume(kit, 4),
    );
    let notes = vec![
        "OpenBao's own injector knows the same annotations under openbao.openbao.org/".to_owned(),
    ];
    (ca.into_iter().chain([file("pod-template.yaml", text)]).collect(), notes)
}
