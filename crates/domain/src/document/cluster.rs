//! The `Cluster` document: a Kubernetes cluster whose service accounts may log in to the engine.

use serde_json::{Value, json};
use strongroom_vault_model::name::ClusterName;
use strongroom_vault_model::object::LoginMethod;

use super::reader::Field;

/// A cluster as its document declares it. Its auth mount is `auth/k8s/<name>`.
///
/// Reviewer token and reader credential are files of the executor; the document only names them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// The cluster's name in Strongroom.
    pub name: ClusterName,
    /// The API server, `https://host[:port]`.
    pub server: String,
    /// The API server's CA, PEM.
    pub ca: String,
    /// How the engine finds out whether a token is genuine.
    pub login: Login,
    /// The audience a workload's token must be made for.
    pub audience: String,
    /// The name of the executor's credential files for this cluster.
    pub credentials: ClusterName,
}

/// How the engine finds out whether a workload's token is genuine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Login {
    /// It asks the API server (`TokenReview`); a deleted account or pod is refused at once.
    Kubernetes,
    /// It checks the signature itself; a token works for logins until it expires.
    Jwt {
        /// The `iss` of the cluster's tokens.
        issuer: String,
        /// The keys that sign them.
        keys: Keys,
    },
}

/// The public keys that sign a cluster's tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keys {
    /// PEM, as the document gives them; a rotation is a change of the document.
    Given(Vec<String>),
    /// The engine fetches them.
    Jwks {
        /// `https://host[:port]/path`.
        url: String,
        /// The CA of that address, PEM; the engine's own roots where it is empty.
        ca: String,
    },
}

impl Login {
    /// As the engine's auth mount is called.
    pub fn method(&self) -> LoginMethod {
        match self {
            Self::Kubernetes => LoginMethod::Kubernetes,
            Self::Jwt { .. } => LoginMethod::Jwt,
        }
    }

    fn value(&self) -> Value {
        match self {
            Self::Kubernetes => json!({ "method": "kubernetes" }),
            Self::Jwt { issuer, keys: Keys::Given(keys) } => {
                json!({ "method": "jwt", "issuer": issuer, "keys": keys })
            }
            Self::Jwt { issuer, keys: Keys::Jwks { url, ca } } if ca.is_empty() => {
                json!({ "method": "jwt", "issuer": issuer, "jwks": { "url": url } })
            }
            Self::Jwt { issuer, keys: Keys::Jwks { url, ca } } => {
                json!({ "method": "jwt", "issuer": issuer, "jwks": { "url": url, "ca": ca } })
            }
        }
    }
}

impl Cluster {
    pub(super) fn spec_value(&self) -> Value {
        json!({
            "server": self.server,
            "ca": self.ca,
            "auth": self.login.value(),
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
    let ca = map
        .required("ca")
        .and_then(|f| pem(&f, "CERTIFICATE", "the CA is one or more PEM certificates"));
    let login = map.required("auth").and_then(|f| login(&f));
    let audience = map.required("audience").and_then(|f| {
        let text = f.text(1, 200)?;
        if !text.bytes().all(|b| b.is_ascii_alphanumeric() || b".:/_-".contains(&b)) {
            f.fault("the audience is made of letters, digits and `. : / _ -`");
            return None;
        }
        Some(text)
    });
    let credentials = map.required("credentials").and_then(|f| f.parse());
    Some(Cluster {
        name: name?,
        server: server?,
        ca: ca?,
        login: login?,
        audience: audience?,
        credentials: credentials?,
    })
}

fn login(field: &Field<'_>) -> Option<Login> {
    let map = field.map(&["method", "issuer", "keys", "jwks"])?;
    let methods = [("kubernetes", LoginMethod::Kubernetes), ("jwt", LoginMethod::Jwt)];
    let method = map.required("method").and_then(|f| f.word(&methods))?;
    let (keys, jwks) = (map.optional("keys"), map.optional("jwks"));
    if method == LoginMethod::Kubernetes {
        for given in [map.optional("issuer"), keys, jwks].into_iter().flatten() {
            given.fault("belongs to `method: jwt` only; the API server checks the tokens here");
        }
        return Some(Login::Kubernetes);
    }
    let issuer = map.required("issuer").and_then(|f| {
        let text = f.text(1, 300)?;
        // An issuer is compared byte by byte, and need not be an address.
        if !text.bytes().all(|b| b.is_ascii_graphic()) {
            f.fault("the issuer is what stands in the tokens as `iss`, without spaces");
            return None;
        }
        Some(text)
    });
    let keys = match (keys, jwks) {
        (Some(keys), None) => {
            let given = keys.each(|f| pem(f, "PUBLIC KEY", "a key is one PEM public key"))?;
            if given.is_empty() || given.len() > 10 {
                keys.fault("give one to ten keys, or `jwks`");
                return None;
            }
            Keys::Given(given)
        }
        (None, Some(jwks)) => {
            let map = jwks.map(&["url", "ca"])?;
            let url = map.required("url").and_then(|f| {
                let text = f.text(1, 500)?;
                let (origin, path) = split_origin(&text);
                if !is_https_origin(origin) || !path.bytes().all(is_plain_in_path) {
                    f.fault("the address is `https://host[:port]/path`, nothing more");
                    return None;
                }
                Some(text)
            });
            let ca = match map.optional("ca") {
                Some(f) => pem(&f, "CERTIFICATE", "the CA is one or more PEM certificates"),
                None => Some(String::new()),
            };
            Keys::Jwks { url: url?, ca: ca? }
        }
        _ => {
            field.fault("give exactly one of `keys` (PEM) and `jwks` (an address)");
            return None;
        }
    };
    Some(Login::Jwt { issuer: issuer?, keys })
}

/// PEM blocks of one kind.
fn pem(field: &Field<'_>, kind: &str, fault: &str) -> Option<String> {
    let text = field.ascii_block(64 * 1024)?;
    let begins = text.starts_with(&format!("-----BEGIN {kind}-----\n"));
    if !begins || !text.trim_end().ends_with(&format!("-----END {kind}-----")) {
        field.fault(fault);
        return None;
    }
    Some(text)
}

/// `https://host:port` and the rest.
fn split_origin(url: &str) -> (&str, &str) {
    let start = "https://".len().min(url.len());
    let end = url.get(start..).and_then(|rest| rest.find('/')).map_or(url.len(), |at| start + at);
    url.split_at_checked(end).unwrap_or((url, ""))
}

fn is_plain_in_path(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"/._~-".contains(&byte)
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
