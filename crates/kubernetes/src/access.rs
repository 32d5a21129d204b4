//! The client's configuration, made from given values alone.
//!
//! It must take nothing from the surroundings: no kubeconfig, no service account of the pod it may
//! run in, no proxy out of the environment. Whatever stands between us and the API server could
//! tell us UIDs.

use std::net::IpAddr;
use std::time::Duration;

use kube::Config;
use kube::config::AuthInfo;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use secrecy::ExposeSecret as _;

use crate::cluster::{ClusterAccess, ConnectError};

/// How long it may take to reach the API server.
const CONNECT: Duration = Duration::from_secs(5);

/// How long an answer may be silent. A watch is an answer that goes on; its own timeout ends it
/// before this one does.
const READ: Duration = Duration::from_secs(330);

/// How long a request may take to be sent.
const WRITE: Duration = Duration::from_secs(15);

pub(crate) fn config(access: &ClusterAccess) -> Result<Config, ConnectError> {
    let wrong = |why: &str| ConnectError::Config(why.to_owned());
    let server = access.server.parse().map_err(|_| wrong("the server's address is not a URL"))?;
    let mut config = Config::new(server);
    let uri = &config.cluster_url;
    let host = uri.host().unwrap_or_default();
    let loopback =
        host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    match uri.scheme_str() {
        Some("https") => {}
        Some("http") if loopback => {}
        _ => {
            return Err(wrong("the server's address must be https (plain http on loopback only)"));
        }
    }
    let user = uri.authority().is_some_and(|authority| authority.as_str().contains('@'));
    if host.is_empty() || user || uri.query().is_some() {
        return Err(wrong("the server's address is a host and a port, without user and query"));
    }
    if access.token.expose_secret().trim().is_empty() {
        return Err(wrong("the reader's token is empty"));
    }
    let certificates: Result<Vec<Vec<u8>>, _> =
        CertificateDer::pem_slice_iter(access.ca_pem.as_bytes())
            .map(|certificate| certificate.map(|der| der.to_vec()))
            .collect();
    let certificates = certificates.map_err(|_| wrong("the CA is not a PEM certificate"))?;
    if certificates.is_empty() {
        return Err(wrong("the CA holds no certificate"));
    }
    config.root_cert = Some(certificates);
    config.auth_info = AuthInfo { token: Some(access.token.clone()), ..AuthInfo::default() };
    config.connect_timeout = Some(CONNECT);
    config.read_timeout = Some(READ);
    config.reset_reader_on_write = true;
    config.write_timeout = Some(WRITE);
    // Callers come again by themselves; a retry in here would only hide the reason from them.
    config.default_retry = false;
    Ok(config)
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;
    use crate::scripted::ca_pem;

    fn refused(server: &str, ca_pem: &str, token: &str) -> Option<String> {
        let access = ClusterAccess {
            server: server.into(),
            ca_pem: ca_pem.into(),
            token: SecretString::from(token),
        };
        config(&access).err().map(|error| error.to_string())
    }

    #[test]
    fn only_https_or_loopback_with_a_ca_and_a_token() {
        for good in [
            "https://k8s.example.com:6443",
            "https://r.example.com/k8s/clusters/c1",
            "http://127.0.0.1:1",
            "http://[::1]:1",
        ] {
            assert_eq!(refused(good, &ca_pem(), "t"), None, "{good}");
        }
        for bad in [
            "http://k8s.example.com",
            "http://localhost:1",
            "https://u:p@k8s.example.com",
            "https://k8s.example.com/?x=1",
            "k8s.example.com",
            "/x",
            "",
        ] {
            assert!(refused(bad, &ca_pem(), "t").is_some(), "{bad}");
        }
        let ca = |pem: &str| refused("https://k8s.example.com", pem, "t").unwrap();
        assert!(ca("").ends_with("the CA holds no certificate"));
        let broken = "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n";
        assert!(ca(broken).ends_with("the CA is not a PEM certificate"));
        assert!(
            refused("https://k8s.example.com", &ca_pem(), " ").unwrap().contains("token is empty")
        );
    }

    #[test]
    fn nothing_comes_from_the_surroundings() {
        let access = ClusterAccess {
            server: "https://k8s.example.com".into(),
            ca_pem: ca_pem(),
            token: SecretString::from("t"),
        };
        let config = config(&access).unwrap();
        assert!(config.proxy_url.is_none() && config.root_cert_file.is_none());
        assert!(config.auth_info.token_file.is_none() && !config.accept_invalid_certs);
    }
}
