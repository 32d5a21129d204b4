//! Plain HTTP: two calls, as a script that runs in the pod.

use std::fmt::Write as _;

use super::{File, TOKEN_DIR, file, token_volume};
use crate::kit::Kit;
use crate::text::{plain, quoted, shell};

/// Logs in and leaves the engine's token in `$token`, or ends; `$jwt` is the account's token.
pub fn login(kit: &Kit) -> String {
    let (address, ca) = connection(kit);
    format!(
        "{address}{ca}token=$(curl -fsS $ca --data @- \"$engine/v1/auth/{mount}/login\" <<EOF \
         | sed -n 's/.*\"client_token\":\"\\([^\"]*\\)\".*/\\1/p'\n\
         {{\"role\": {role}, \"jwt\": \"$jwt\"}}\nEOF\n)\n\
         test -n \"$token\" || {{ echo 'the login gave no token' >&2; exit 1; }}\n",
        mount = kit.auth_mount(),
        role = quoted(kit.role()),
    )
}

/// Where the engine is, in `$engine`, and what curl must know of its CA, in `$ca`.
pub fn connection(kit: &Kit) -> (String, String) {
    let address = format!("engine={}\n", shell(kit.engine.address.trim_end_matches('/')));
    let ca = if kit.engine.ca_pem.trim().is_empty() {
        "ca=''\n".to_owned()
    } else {
        format!(
            "ca_file=$(mktemp)\ntrap 'rm -f \"$ca_file\"' EXIT\ncat > \"$ca_file\" <<'EOF'\n{}\nEOF\n\
             ca=\"--cacert $ca_file\"\n",
            kit.engine.ca_pem.trim()
        )
    };
    (address, ca)
}

/// Reads each secret with the token; the token stays out of the list of processes.
pub fn read(kit: &Kit) -> String {
    let mut text = String::new();
    for secret in &kit.secrets {
        let _ = writeln!(
            text,
            "printf 'header = \"X-Vault-Token: %s\"' \"$token\" | curl -fsS $ca -K - \
             \"$engine/v1/{}\"; echo",
            secret.data_path()
        );
    }
    text
}

pub fn files(kit: &Kit) -> (Vec<File>, Vec<String>) {
    let script = format!(
        "#!/bin/sh\n# Runs in a pod of the account {namespace}/{account}.\nset -eu\n\
         jwt=$(cat {TOKEN_DIR}/token)\n{login}{read}",
        namespace = kit.namespace,
        account = kit.account,
        login = login(kit),
        read = read(kit),
    );
    let pod = format!(
        "# To be merged into the pod template of your Deployment (spec.template).\n\
         spec:\n  serviceAccountName: {account}\n  containers:\n    - name: app # yours\n      \
         volumeMounts:\n        \
         - {{ name: strongroom-token, mountPath: {TOKEN_DIR}, readOnly: true }}\n  \
         volumes:\n{volume}",
        account = plain(kit.account.as_str()),
        volume = token_volume(kit, 4),
    );
    (vec![file("read.sh", script), file("pod-template.yaml", pod)], Vec::new())
}
