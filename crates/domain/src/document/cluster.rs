//! The `Cluster` document: a Kubernetes cluster whose service accounts may log in to the engine.

use serde_json::{Value, json};
use strongroom_vault_model::name::ClusterName;

use super::reader::Field;

/// A cluster as its document declares it. Its auth mount is `auth/k8s/<name>`.
///
/// Only login by `TokenReview` (`method: kubernetes`) exists so far. Reviewer token and reader
/// credential are files of the executor; the document only names them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// The cluster's name in Strongroom.
    pub name: ClusterName,
    /// The API server, `https://host[:port]`.
    pub server: String,
    /// The API server's CA, PEM.
    pub ca: String,
    /// The audience a workload's token must be made for.
    pub audience: String,
    /// The name of the executor's credential files for this cluster.
    pub credentials: ClusterName,
}

impl Cluster {
    pub(super) fn spec_value(&self) -> Value {
        json!({
            "server": self.server,
            "ca": self.ca,
            "auth": { "method": "kubernetes" },
            "audience": self.audience,
            "credentials": self.credentials,
        })
    }
}

pub(super) fn decode(name: &Field<'_>, spec: &Field<'_>) -> Option<Cluster> {
    let name = name.parse();
    let map = spec.map(&["server", "ca", "auth", "audience", "credentials"])?;
    let server = map.required("server").and_then(|f| {
        let text = f.text(1, 300)?;
        if !is_https_origin(&text) {
            f.fault("the server is `https://host` or `https://host:port`, nothing more");
            return None;
        }
        Some(text)
    });
    let ca = map.required("ca").and_then(|f| {
        let text = f.ascii_block(64 * 1024)?;
        let begins = text.starts_with("-----BEGIN CERTIFICATE-----\n");
        if !begins || !text.trim_end().ends_with("-----END CERTIFICATE-----") {
            f.fault("the CA is one or more PEM certificates");
            return None;
        }
        Some(text)
    });
    let method = map
        .required("auth")
        .and_then(|f| f.map(&["method"]))
        .and_then(|auth| auth.required("method").and_then(|f| f.word(&[("kubernetes", ())])));
    let audience = map.required("audience").and_then(|f| {
        let text = f.text(1, 200)?;
        if !text.bytes().all(|b| b.is_ascii_alphanumeric() || b".:/_-".contains(&b)) {
            f.fault("the audience is made of letters, digits and `. : / _ -`");
            return None;
        }
        Some(text)
    });
    let credentials = map.required("credentials").and_then(|f| f.parse());
    method?;
    Some(Cluster {
        name: name?,
        server: server?,
        ca: ca?,
        audience: audience?,
        credentials: credentials?,
    })
}

fn is_https_origin(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("https://") else {
        return false;
    };
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !rest.ends_with(']') => (host, Some(port)),
        _ => (rest, None),
    };
    let port_ok = port.is_none_or(|p| {
        !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit()) && p.parse::<u16>().is_ok()
    });
    let host_ok = match host.strip_prefix('[').and_then(|h| h.strip_suffix(']')) {
        Some(v6) => v6.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            !host.is_empty()
                && host.len() <= 253
                && host.split('.').all(|label| {
                    !label.is_empty()
                        && !label.starts_with('-')
                        && !label.ends_with('-')
                        && label
                            .bytes()
                            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
                })
        }
    };
    port_ok && host_ok
}
