//! The provider's discovery document and keys, fetched with care.
//!
//! Only the hosts that the configuration lists are asked, no redirect is followed, answers are
//! bounded, and the issuer must call itself exactly what we call it.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Mutex;
use url::Url;

/// The largest document that is read from the provider.
const MAX_DOCUMENT: usize = 512 * 1024;

/// How long fetched keys are used before an unknown key makes us ask again.
const REFRESH_AFTER: Duration = Duration::from_secs(5);

/// The provider cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum IssuerError {
    /// The issuer's own address is not taken.
    #[error("the issuer's address must be https (plain http on loopback only): {0}")]
    Address(String),
    /// A document sends us somewhere that is not listed.
    #[error("the provider's documents name the host {0}, which is not in the list of hosts")]
    Host(String),
    /// No answer.
    #[error("the identity provider cannot be reached ({0}); try again when it is back")]
    Unreachable(String),
    /// Not the document it must be.
    #[error("the identity provider's {what} is not usable: {why}")]
    Document {
        /// Which document.
        what: &'static str,
        /// What is wrong.
        why: String,
    },
    /// The key is not among the provider's.
    #[error("the provider does not publish the key {0}")]
    UnknownKey(String),
}

/// What the discovery document says, as far as it is used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// The issuer.
    pub issuer: String,
    /// Where people sign in.
    pub authorization_endpoint: String,
    /// Where codes are redeemed.
    pub token_endpoint: String,
    /// Where the keys are.
    pub jwks_uri: String,
    /// `public` or `pairwise` subjects.
    #[serde(default)]
    pub subject_types_supported: Vec<String>,
}

/// One issuer.
#[derive(Debug)]
pub struct Issuer {
    url: String,
    hosts: BTreeSet<String>,
    http: reqwest::Client,
    cache: Mutex<Cache>,
}

#[derive(Debug, Default)]
struct Cache {
    metadata: Option<Metadata>,
    keys: Vec<Value>,
    fetched: Option<Instant>,
}

impl Issuer {
    /// An issuer with the hosts its documents may name; its own host when none are given.
    pub fn new(url: &str, ca_pem: Option<&str>, hosts: &[String]) -> Result<Self, IssuerError> {
        let parsed = check_url(url)?;
        let mut hosts: BTreeSet<String> = hosts.iter().cloned().collect();
        if hosts.is_empty() {
            hosts.extend(parsed.host_str().map(str::to_owned));
        }
        let mut builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(10));
        let wrong_ca = |error: reqwest::Error| IssuerError::Document {
            what: "CA certificate",
            why: error.to_string(),
        };
        if let Some(pem) = ca_pem {
            let bundle = reqwest::Certificate::from_pem_bundle(pem.as_bytes()).map_err(wrong_ca)?;
            builder = builder.tls_certs_only(bundle);
        }
        let http = builder.build().map_err(wrong_ca)?;
        Ok(Self { url: url.to_owned(), hosts, http, cache: Mutex::default() })
    }

    /// The issuer as tokens name it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The HTTP client that talks to this provider.
    pub(crate) fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// The discovery document.
    pub async fn metadata(&self) -> Result<Metadata, IssuerError> {
        let mut cache = self.cache.lock().await;
        if let Some(metadata) = &cache.metadata {
            return Ok(metadata.clone());
        }
        let metadata = self.discover().await?;
        cache.metadata = Some(metadata.clone());
        Ok(metadata)
    }

    /// The provider's key of this id, as a JWK. An unknown id makes us fetch the keys again, but
    /// not more often than every few seconds.
    pub async fn key(&self, kid: &str) -> Result<Value, IssuerError> {
        let metadata = self.metadata().await?;
        let mut cache = self.cache.lock().await;
        let find = |keys: &[Value]| {
            keys.iter().find(|key| key.get("kid").and_then(Value::as_str) == Some(kid)).cloned()
        };
        if let Some(key) = find(&cache.keys) {
            return Ok(key);
        }
        if cache.fetched.is_none_or(|at| at.elapsed() > REFRESH_AFTER) {
            let document = self.fetch(&metadata.jwks_uri, "key set").await?;
            let keys = document.get("keys").and_then(Value::as_array).cloned();
            cache.keys = keys.ok_or_else(|| IssuerError::Document {
                what: "key set",
                why: "there is no list of keys".to_owned(),
            })?;
            cache.fetched = Some(Instant::now());
        }
        find(&cache.keys)
            .ok_or_else(|| IssuerError::UnknownKey(kid.chars().take(80).collect()))
    }

    async fn discover(&self) -> Result<Metadata, IssuerError> {
        let address = format!("{}/.well-known/openid-configuration", self.url.trim_end_matches('/'));
        let document = self.fetch(&address, "discovery document").await?;
        let wrong = |why: String| IssuerError::Document { what: "discovery document", why };
        let metadata: Metadata =
            serde_json::from_value(document).map_err(|error| wrong(error.to_string()))?;
        if metadata.issuer != self.url {
            return Err(wrong(format!("it names the issuer {}", metadata.issuer)));
        }
        for endpoint in
            [&metadata.authorization_endpoint, &metadata.token_endpoint, &metadata.jwks_uri]
        {
            self.check_host(endpoint)?;
        }
        Ok(metadata)
    }

    fn check_host(&self, address: &str) -> Result<Url, IssuerError> {
        let url = check_url(address)?;
        let host = url.host_str().unwrap_or_default();
        if self.hosts.contains(host) { Ok(url) } else { Err(IssuerError::Host(host.to_owned())) }
    }

    async fn fetch(&self, address: &str, what: &'static str) -> Result<Value, IssuerError> {
        let url = self.check_host(address)?;
        let unreachable = |error: reqwest::Error| {
            IssuerError::Unreachable(if error.is_timeout() { "time-out" } else { "no connection" }.into())
        };
        let wrong = |why: String| IssuerError::Document { what, why };
        let mut answer = self.http.get(url).send().await.map_err(unreachable)?;
        if !answer.status().is_success() {
            return Err(wrong(format!("status {}", answer.status().as_u16())));
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(unreachable)? {
            if body.len() + chunk.len() > MAX_DOCUMENT {
                return Err(wrong("it is larger than 512 KiB".into()));
            }
            body.extend_from_slice(&chunk);
        }
        serde_json::from_slice(&body).map_err(|error| wrong(error.to_string()))
    }
}

fn check_url(address: &str) -> Result<Url, IssuerError> {
    let refuse = || IssuerError::Address(address.chars().take(200).collect());
    let url = Url::parse(address).map_err(|_| refuse())?;
    let loopback = match url.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        _ => false,
    };
    let scheme_ok = url.scheme() == "https" || (url.scheme() == "http" && loopback);
    let plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    if scheme_ok && plain { Ok(url) } else { Err(refuse()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_or_loopback_without_credentials() {
        for good in ["https://idp.example.com/x", "http://127.0.0.1:8200/v1", "http://[::1]:1"] {
            assert!(check_url(good).is_ok(), "{good}");
        }
        for bad in ["http://idp.example.com", "http://localhost", "https://u@idp", "ftp://x", "x"] {
            assert!(check_url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn documents_may_only_name_listed_hosts() {
        let issuer = Issuer::new("https://idp.example.com", None, &[]).unwrap();
        assert!(issuer.check_host("https://idp.example.com/keys").is_ok());
        let other = issuer.check_host("https://evil.example.com/keys").unwrap_err();
        assert!(other.to_string().contains("evil.example.com"));
    }
}
