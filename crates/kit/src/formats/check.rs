//! A Job in the namespace that logs in as the account, reads what the binding grants, says green or
//! red with the reason, and tells Strongroom once where it has a ticket. It prints no value.

use std::fmt::Write as _;

use super::http::connection;
use super::{File, TOKEN_DIR, file, token_volume};
use crate::kit::{Kit, Secret};
use crate::text::{indented, plain, quoted, shell};

/// Where a check tells how it went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reporting {
    /// The ticket, good for one report.
    pub ticket: String,
    /// Where the report goes.
    pub address: String,
}

/// A status as a number: curl prints `000` where nobody answered, and nothing where it did not run.
const NUMBER: &str = "number() { n=${1#00}; echo \"${n:-0}\"; }\n";

/// Logs in and leaves the engine's token in `$token` and the answer's status in `$login`; `$jwt` is the
/// account's token.
fn login(kit: &Kit) -> String {
    let (address, ca) = connection(kit);
    format!(
        "{address}{ca}answer=$(curl -sS $ca -w '\\n%{{http_code}}' --data @- \
         \"$engine/v1/auth/{mount}/login\" <<EOF || true\n\
         {{\"role\": {role}, \"jwt\": \"$jwt\"}}\nEOF\n)\n\
         login=$(number \"$(printf '%s' \"$answer\" | tail -n 1)\")\n\
         token=$(printf '%s' \"$answer\" | sed -n 's/.*\"client_token\":\"\\([^\"]*\\)\".*/\\1/p')\n\
         case $login in\n  \
         200) test -n \"$token\" || {{ echo 'red: the login gave no token'; red=1; }} ;;\n  \
         0) echo 'red: the engine is not reached'; red=1 ;;\n  \
         400|403) echo 'red: the login is refused: another account or audience than the binding has'; red=1 ;;\n  \
         *) echo \"red: the login is answered with $login\"; red=1 ;;\nesac\n",
        mount = kit.auth_mount(),
        role = quoted(kit.role()),
    )
}

/// Reads one secret and says how that went; the token stays out of the list of processes.
fn read(kit: &Kit, secret: &Secret) -> String {
    format!(
        "code=$(printf 'header = \"X-Vault-Token: %s\"' \"$token\" | curl -sS $ca -K - -o /dev/null \
         -w '%{{http_code}}' \"$engine/v1/{path}\" || true)\n\
         code=$(number \"$code\")\n\
         reads=\"$reads,{{\\\"secret\\\":\\\"{short}\\\",\\\"status\\\":$code}}\"\n\
         case $code in\n  200) echo 'green: {short} is read' ;;\n  \
         404) echo 'green: {short} may be read; there is no such secret yet' ;;\n  \
         403) echo 'red: {short} is refused: the binding does not stand; strongroom get bindings --team {team}'; \
         red=1 ;;\n  *) echo \"red: {short}: the engine answered $code\"; red=1 ;;\nesac\n",
        path = secret.data_path(),
        short = secret.short_path(),
        team = kit.team,
    )
}

/// Tells how it went. That it could not be told is no fault of the binding.
fn report(reporting: &Reporting) -> String {
    format!(
        "told=$(curl -sS -o /dev/null -w '%{{http_code}}' -H 'Content-Type: application/json' --data @- \
         {address} <<EOF || true\n\
         {{\"ticket\":\"{ticket}\",\"login\":$login,\"reads\":[${{reads#,}}]}}\nEOF\n)\n\
         case $told in\n  204) echo 'told Strongroom' ;;\n  \
         *) echo \"not told to Strongroom: it answered $told (409: told before, or the hour is over)\" ;;\nesac\n",
        address = shell(&reporting.address),
        ticket = reporting.ticket,
    )
}

pub fn files(kit: &Kit, reporting: Option<&Reporting>) -> (Vec<File>, Vec<String>) {
    let mut reads = String::new();
    for secret in &kit.secrets {
        let _ = write!(reads, "{}", read(kit, secret));
    }
    let script = format!(
        "set -eu\nred=0\nreads=''\n{NUMBER}jwt=$(cat {TOKEN_DIR}/token)\n{login}\
         if test -n \"$token\"; then\n{reads}fi\n{report}exit $red\n",
        login = login(kit),
        reads = reads,
        report = reporting.map(report).unwrap_or_default(),
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
        namespace = plain(kit.namespace.as_str()),
        account = plain(kit.account.as_str()),
        script = indented(&script, 14),
        volume = token_volume(kit, 8),
    );
    let run = format!(
        "kubectl replace --force -f check.yaml && kubectl logs -f -n {namespace} \
         --pod-running-timeout=1m job/strongroom-check-{binding}",
        namespace = kit.namespace,
        binding = kit.binding,
    );
    let told = "it tells Strongroom how it went, once, within the hour: `strongroom get bindings` shows \
                it; --no-report makes one that tells nobody";
    let told = reporting.map(|_| told.to_owned());
    (vec![file("check.yaml", text)], std::iter::once(run).chain(told).collect())
}
