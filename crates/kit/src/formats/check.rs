//! A Job in the namespace that logs in as the account, reads what the binding grants, and says
//! green or red with the reason. It prints no value.

use std::fmt::Write as _;

use super::http::login;
use super::{File, TOKEN_DIR, file, token_volume};
use crate::kit::Kit;
use crate::text::indented;

/// Also when the engine was not reached: curl has said so on the line before.
const REFUSED: &str = "echo 'red: the login is refused: another account or audience than the \
                       binding has, or the engine is not reached'";

pub fn files(kit: &Kit) -> (Vec<File>, Vec<String>) {
    let mut reads = String::new();
    for secret in &kit.secrets {
        let _ = write!(
            reads,
            "code=$(printf 'header = \"X-Vault-Token: %s\"' \"$token\" | curl -sS $ca -K - -o /dev/null \
             -w '%{{http_code}}' \"$engine/v1/{path}\")\n\
             case $code in\n  200) echo 'green: {short} is read' ;;\n  \
             404) echo 'green: {short} may be read; there is no such secret yet' ;;\n  \
             403) echo 'red: {short} is refused: the binding does not stand; strongroom get bindings --team {team}'; \
             red=1 ;;\n  *) echo \"red: {short}: the engine answered $code\"; red=1 ;;\nesac\n",
            path = secret.data_path(),
            short = secret.short_path(),
            team = kit.team,
        );
    }
    let script = format!(
        "set -eu\nred=0\njwt=$(cat {TOKEN_DIR}/token)\n{login}{reads}exit $red\n",
        login = login(kit, REFUSED)
    );
    let text = format!(
        "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: strongroom-check-{binding}\n  \
         namespace: {namespace}\nspec:\n  backoffLimit: 0\n  ttlSecondsAfterFinished: 600\n  \
         template:\n    spec:\n      serviceAccountName: {account}\n      restartPolicy: Never\n      \
         automountServiceAccountToken: false\n      containers:\n        - name: check\n          \
         image: curlimages/curl:8.11.1\n          command: [/bin/sh, -c]\n          args:\n            - |\n{script}          \
         securityContext:\n            allowPrivilegeEscalation: false\n            \
         runAsNonRoot: true\n            runAsUser: 100\n            \
         capabilities: {{ drop: [ALL] }}\n            \
         seccompProfile: {{ type: RuntimeDefault }}\n          volumeMounts:\n            \
         - {{ name: strongroom-token, mountPath: {TOKEN_DIR}, readOnly: true }}\n      \
         volumes:\n{volume}",
        binding = kit.binding,
        namespace = kit.namespace,
        account = kit.account,
        script = indented(&script, 14),
        volume = token_volume(kit, 8),
    );
    (
        vec![file("check.yaml", text)],
        vec![format!(
            "kubectl apply -f check.yaml && kubectl logs -f -n {namespace} \
             --pod-running-timeout=1m job/strongroom-check-{binding}",
            namespace = kit.namespace,
            binding = kit.binding,
        )],
    )
}
