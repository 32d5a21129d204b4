//! Requests to the provider: listed hosts only, no redirect, bounded answers, bounded time.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use serde_json::Value;
use url::Url;

use crate::issuer::IssuerError;

/// The largest answer that is read from the provider.
const MAX_ANSWER: usize = 512 * 1024;

/// The client that talks to one provider.
#[derive(Debug, Clone)]
pub(crate) struct Http {
    client: reqwest::Client,
    hosts: BTreeSet<String>,
}

/// An answer that was read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: reqwest::StatusCode,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Http {
    /// A client for the issuer at `url`, for these hosts; for the issuer's own when none are given.
    pub(crate) fn new(
        url: &str,
        ca_pem: Option<&str>,
        hosts: &[String],
        timeout: Duration,
    ) -> Result<Self, IssuerError> {
        let parsed = check_url(url)?;
        let mut hosts: BTreeSet<String> = hosts.iter().map(|host| host.to_lowercase()).collect();
        if hosts.is_empty() {
            hosts.extend(parsed.host_str().map(str::to_owned));
        }
        let mut builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(timeout / 2)
            .timeout(timeout);
        if is_loopback(&parsed) {
            // Nobody's proxy is between us and our own machine.
            builder = builder.no_proxy();
        }
        let wrong_ca = |error: reqwest::Error| IssuerError::Document {
            what: "CA certificate",
            why: error.to_string(),
        };
        if let Some(pem) = ca_pem {
            let bundle = reqwest::Certificate::from_pem_bundle(pem.as_bytes()).map_err(wrong_ca)?;
            if bundle.is_empty() {
                let why = "it holds no certificate".to_owned();
                return Err(IssuerError::Document { what: "CA certificate", why });
            }
            builder = builder.tls_certs_only(bundle);
        }
        Ok(Self { client: builder.build().map_err(wrong_ca)?, hosts })
    }

    /// An address that may be asked.
    pub(crate) fn check(&self, address: &str) -> Result<Url, IssuerError> {
        let url = check_url(address)?;
        let host = url.host_str().unwrap_or_default();
        if self.hosts.contains(host) { Ok(url) } else { Err(IssuerError::Host(host.to_owned())) }
    }

    /// Sends a request and reads the whole answer.
    pub(crate) async fn send(&self, request: reqwest::Request) -> Result<Answer, IssuerError> {
        self.check(request.url().as_str())?;
        let unreachable = |error: reqwest::Error| {
            let why = if error.is_timeout() { "time-out" } else { "no connection" };
            IssuerError::Unreachable(why.to_owned())
        };
        let mut answer = self.client.execute(request).await.map_err(unreachable)?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(unreachable)? {
            if body.len() + chunk.len() > MAX_ANSWER {
                let why = "it is larger than 512 KiB".to_owned();
                return Err(IssuerError::Document { what: "answer", why });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, headers, body })
    }

    /// Reads a JSON document.
    pub(crate) async fn document(
        &self,
        address: &str,
        what: &'static str,
    ) -> Result<Value, IssuerError> {
        let url = self.check(address)?;
        let answer = self.send(reqwest::Request::new(reqwest::Method::GET, url)).await?;
        let wrong = |why: String| IssuerError::Document { what, why };
        if answer.status.is_server_error() {
            // The provider is there and not well: that says nothing about its keys.
            let why = format!("it answers {}", answer.status.as_u16());
            return Err(IssuerError::Unreachable(why));
        }
        if !answer.status.is_success() {
            return Err(wrong(format!("status {}", answer.status.as_u16())));
        }
        serde_json::from_slice(&answer.body).map_err(|error| wrong(error.to_string()))
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(ip)) => IpAddr::V4(ip).is_loopback(),
        Some(url::Host::Ipv6(ip)) => IpAddr::V6(ip).is_loopback(),
        _ => false,
    }
}

/// An https address without credentials and fragment; plain http on loopback only.
pub(crate) fn check_url(address: &str) -> Result<Url, IssuerError> {
    let refuse = || IssuerError::Address(address.chars().take(200).collect());
    let url = Url::parse(address).map_err(|_| refuse())?;
    let scheme_ok = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url));
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
        for bad in [
            "http://idp.example.com",
            "http://localhost",
            "https://u@idp",
            "https://idp/#x",
            "ftp://x",
            "x",
        ] {
            assert!(check_url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn only_listed_hosts_are_asked() {
        let time = Duration::from_secs(1);
        let own = Http::new("https://idp.example.com", None, &[], time).unwrap();
        assert!(own.check("https://idp.example.com:8443/keys").is_ok());
        let other = own.check("https://evil.example.com/keys").unwrap_err();
        assert!(other.to_string().contains("evil.example.com"));
        let hosts = ["Keys.example.com".to_owned()];
        let listed = Http::new("https://idp.example.com", None, &hosts, time).unwrap();
        assert!(listed.check("https://keys.example.com/").is_ok());
        assert!(listed.check("https://idp.example.com/").is_err(), "the list is the whole list");
    }

    #[test]
    fn a_ca_without_a_certificate_trusts_nobody_and_is_refused() {
        let refused = Http::new("https://idp.example.com", Some(""), &[], Duration::from_secs(1));
        assert!(refused.unwrap_err().to_string().contains("no certificate"));
    }
}
