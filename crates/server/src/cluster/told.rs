//! What is printed to be used elsewhere: objects for `kubectl`, the entry of the floor file, the Cluster
//! document, and the next steps. Pure; no token is in any of it.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result, anyhow};
use serde_json::{Value, json};
use strongroom_domain::document::{API_VERSION, Document, field_path};
use strongroom_domain::name::ClusterName;
use strongroom_kubernetes::bootstrap::Needed;
use strongroom_kubernetes::bootstrap::rights::Account;

use super::kept::{Kept, Place};
use crate::arguments::cluster::{AuthMethod, ClusterBootstrap};

/// The objects as YAML documents.
pub fn objects(objects: &[Needed]) -> Result<String> {
    let mut out = String::new();
    for needed in objects {
        let text = serde_yaml_ng::to_string(&needed.body).context("write an object as YAML")?;
        let _ = write!(out, "---\n{text}");
    }
    Ok(out)
}

/// The Cluster document; an address or CA that no document may name is refused with what to do.
pub fn document(options: &ClusterBootstrap, place: &Place, auth: &Value) -> Result<Document> {
    let value = json!({
        "apiVersion": API_VERSION,
        "kind": "Cluster",
        "metadata": { "name": options.name },
        "spec": {
            "server": place.server,
            "ca": place.ca_pem,
            "auth": auth,
            "audience": options.audience,
            "credentials": options.name,
        },
    });
    Document::from_value(&value).map_err(|faults| {
        let told = faults.iter().map(|fault| {
            let about = match fault.pointer.as_str() {
                "/spec/server" => format!(" ({}; another one: --api-server)", place.server),
                "/spec/ca" => " (another one: --ca-file)".to_owned(),
                _ => String::new(),
            };
            format!("{}: {}{about}", field_path(&fault.pointer), fault.message)
        });
        anyhow!("make the Cluster document: {}", told.collect::<Vec<_>>().join("; "))
    })
}

/// The cluster in `clusters` of the floor file. Paths are relative to that file, or in `dir`.
pub fn floor_entry(name: &ClusterName, place: &Place, dir: Option<&Path>) -> String {
    let file = |end: &str| {
        let file = format!("{name}-{end}");
        plain(&dir.map_or_else(|| file.clone(), |dir| dir.join(&file).display().to_string()))
    };
    let mut out = format!(
        "  - name: {}\n    server: {}\n    ca_file: {}\n    reader_token_file: {}\n",
        plain(name.as_str()),
        plain(&place.server),
        file("ca.pem"),
        file(Account::Reader.name()),
    );
    if place.with_reviewer {
        let _ = writeln!(out, "    reviewer_token_file: {}", file(Account::Reviewer.name()));
    }
    out
}

/// Text as YAML: as it is where it is read as itself, in quotes otherwise.
fn plain(text: &str) -> String {
    match serde_yaml_ng::from_str::<Value>(text) {
        Ok(Value::String(read)) if read == text => text.to_owned(),
        _ => Value::from(text).to_string(),
    }
}

/// The accounts whose tokens are needed.
pub fn accounts(options: &ClusterBootstrap) -> &'static [Account] {
    match options.auth {
        AuthMethod::Kubernetes => &[Account::Reader, Account::Reviewer],
        AuthMethod::Jwt => &[Account::Reader],
    }
}

/// What comes after `kubectl apply`, for whoever does it by hand.
pub fn by_hand(options: &ClusterBootstrap) -> String {
    let (name, namespace) = (&options.name, &options.namespace);
    let hours = options.token_ttl.div_ceil(3600);
    let mut out = "\nnothing was written: pipe it into `kubectl apply -f -`, or let `--apply \
                   --secrets-dir DIR` do it, make the tokens and ask the cluster back\n\nthe tokens, \
                   by hand:\n"
        .to_owned();
    for account in accounts(options) {
        let account = account.name();
        let _ = writeln!(
            out,
            "  kubectl -n {namespace} create token {account} --duration={hours}h > {name}-{account}"
        );
    }
    let _ = writeln!(
        out,
        "then name them under `clusters` of the floor file, and look at what they may do:\n  strongroom \
         cluster bootstrap {name} --verify --floor floor.yaml"
    );
    out
}

/// What comes after `--apply`.
pub fn next_steps(options: &ClusterBootstrap, kept: &Kept, place: &Place) -> String {
    let name = &options.name;
    let mut out = format!(
        "\n`clusters` of the floor file, on the executor's host:\n\n{}\nthen `strongroom config check \
         execute.yaml`, start `strongroom execute` anew, and propose the document of standard output:\n  \
         strongroom apply -f {name}.yaml --reason 'a cluster more'\n\nbefore the tokens end, the same \
         command with --renew-tokens, and `strongroom execute` started anew",
        kept.entry(place)
    );
    if place.with_reviewer {
        let _ = write!(
            out,
            "; the engine keeps the reviewer's old token until its administrator gives it the new one:\n  \
             bao write auth/k8s/{name}/config kubernetes_host={} kubernetes_ca_cert=@{} \
             disable_local_ca_jwt=true token_reviewer_jwt=@{}",
            place.server,
            kept.ca().display(),
            kept.token(Account::Reviewer).display(),
        );
    }
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_back_as_itself() {
        let texts = [
            "prod-eu",
            "true",
            "0x1f",
            "1e3",
            "a: b",
            "a #b",
            "https://h:1",
            "/a b/c",
            "~",
            "é\"\\",
        ];
        for text in texts {
            let read: Value = serde_yaml_ng::from_str(&format!("- k: {}\n", plain(text))).unwrap();
            assert_eq!(read[0]["k"], text);
        }
        assert_eq!((plain("prod-eu"), plain("true")), ("prod-eu".into(), "\"true\"".into()));
    }
}
