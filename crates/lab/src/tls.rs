//! A private CA and a server certificate for loopback addresses.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, KeyUsagePurpose};

use crate::process::write_private;

/// Files of one server's certificate.
#[derive(Debug, Clone)]
pub struct ServerTls {
    /// The CA, PEM.
    pub ca_pem: String,
    /// The file with the server's certificate.
    pub cert_file: PathBuf,
    /// The file with its key.
    pub key_file: PathBuf,
}

impl ServerTls {
    /// Takes up the certificate in `dir` or makes a new CA and one certificate for the names.
    pub fn in_dir(dir: &Path, names: &[&str]) -> Result<Self> {
        let (ca_file, cert_file, key_file) =
            (dir.join("ca.pem"), dir.join("cert.pem"), dir.join("key.pem"));
        if let (Ok(ca_pem), true, true) =
            (std::fs::read_to_string(&ca_file), cert_file.is_file(), key_file.is_file())
        {
            return Ok(Self { ca_pem, cert_file, key_file });
        }
        std::fs::create_dir_all(dir)?;
        let mut ca = CertificateParams::new(Vec::new())?;
        ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        ca.distinguished_name.push(rcgen::DnType::CommonName, "strongroom lab CA");
        let issuer = CertifiedIssuer::self_signed(ca, KeyPair::generate()?).context("make a CA")?;
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let key = KeyPair::generate()?;
        let mut leaf = CertificateParams::new(names)?;
        leaf.distinguished_name.push(rcgen::DnType::CommonName, "strongroom lab");
        leaf.use_authority_key_identifier_extension = true;
        let certificate = leaf.signed_by(&key, &issuer).context("make a certificate")?;
        let ca_pem = issuer.pem();
        std::fs::write(&ca_file, &ca_pem)?;
        std::fs::write(&cert_file, certificate.pem())?;
        write_private(&key_file, key.serialize_pem().as_bytes())?;
        Ok(Self { ca_pem, cert_file, key_file })
    }
}
