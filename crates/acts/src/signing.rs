//! The executor's signature on plans and receipts: Ed25519 over a domain line and the bytes.

use std::fmt;

use ed25519_dalek::pkcs8::{DecodePrivateKey as _, DecodePublicKey as _, EncodePrivateKey as _};
use ed25519_dalek::pkcs8::{EncodePublicKey as _, spki::der::pem::LineEnding};
use ed25519_dalek::{Signature, Signer as _};
use strongroom_domain::Digest;

/// What is signed; a signature over one kind of thing is never one over another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A frozen plan's canonical bytes.
    Plan,
    /// A receipt's canonical bytes.
    Receipt,
}

impl Purpose {
    fn message(self, bytes: &[u8]) -> Vec<u8> {
        let label = match self {
            Self::Plan => "strongroom/signed-plan/1",
            Self::Receipt => "strongroom/signed-receipt/1",
        };
        [label.as_bytes(), b"\n", bytes].concat()
    }
}

/// A key file does not hold what it must, or no randomness is to be had.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Not a PKCS#8 Ed25519 private key in PEM.
    #[error("read an Ed25519 private key (PKCS#8 PEM)")]
    Private,
    /// Not an Ed25519 public key in PEM.
    #[error("read an Ed25519 public key (SPKI PEM)")]
    Public,
    /// The operating system gave no randomness.
    #[error("get randomness for a new key")]
    Random(#[from] getrandom::Error),
}

/// The executor's private key. Its `Debug` shows the public half only.
pub struct SigningKey(ed25519_dalek::SigningKey);

impl SigningKey {
    /// A new key.
    pub fn generate() -> Result<Self, KeyError> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed)?;
        Ok(Self(ed25519_dalek::SigningKey::from_bytes(&seed)))
    }

    /// The key in a PKCS#8 PEM text.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        ed25519_dalek::SigningKey::from_pkcs8_pem(pem).map(Self).map_err(|_| KeyError::Private)
    }

    /// The key as PKCS#8 PEM, for its file.
    pub fn to_pem(&self) -> Result<String, KeyError> {
        let pem = self.0.to_pkcs8_pem(LineEnding::LF).map_err(|_| KeyError::Private)?;
        Ok(pem.to_string())
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// Signs bytes for one purpose; 64 bytes.
    pub fn sign(&self, purpose: Purpose, bytes: &[u8]) -> Vec<u8> {
        self.0.sign(&purpose.message(bytes)).to_bytes().to_vec()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.public().id())
    }
}

/// A public key of the executor, as the floor file and the clients hold it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey(ed25519_dalek::VerifyingKey);

impl PublicKey {
    /// The key in an SPKI PEM text.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        ed25519_dalek::VerifyingKey::from_public_key_pem(pem)
            .map(Self)
            .map_err(|_| KeyError::Public)
    }

    /// The key as SPKI PEM.
    pub fn to_pem(&self) -> Result<String, KeyError> {
        self.0.to_public_key_pem(LineEnding::LF).map_err(|_| KeyError::Public)
    }

    /// A short name for the key: the first 16 hexadecimal digits of the SHA-256 of its bytes.
    pub fn id(&self) -> String {
        Digest::of(self.0.as_bytes()).to_string()[..16].to_owned()
    }

    /// Whether this key signed these bytes for this purpose.
    pub fn verifies(&self, purpose: Purpose, bytes: &[u8], signature: &[u8]) -> bool {
        let Ok(signature) = Signature::from_slice(signature) else {
            return false;
        };
        self.0.verify_strict(&purpose.message(bytes), &signature).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_holds_for_its_bytes_purpose_and_key_only() {
        let key = SigningKey::generate().unwrap();
        let signature = key.sign(Purpose::Plan, b"plan");
        let public = PublicKey::from_pem(&key.public().to_pem().unwrap()).unwrap();
        assert!(public.verifies(Purpose::Plan, b"plan", &signature));
        assert!(!public.verifies(Purpose::Plan, b"plan2", &signature));
        assert!(!public.verifies(Purpose::Receipt, b"plan", &signature));
        assert!(!public.verifies(Purpose::Plan, b"plan", &signature[..63]));
        let other = SigningKey::generate().unwrap();
        assert!(!other.public().verifies(Purpose::Plan, b"plan", &signature));
        let again = SigningKey::from_pem(&key.to_pem().unwrap()).unwrap();
        assert_eq!(again.public(), key.public());
        assert!(!format!("{key:?}").contains(&key.to_pem().unwrap()[40..60]));
    }
}
