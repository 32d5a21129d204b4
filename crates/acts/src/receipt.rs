//! The executor's signed receipt: what it decided about one act, and by which key.
//!
//! The token beside it holds personal data and may be deleted one day; the receipt holds its hash,
//! the verified claims that count, and the provider's key as it was, so that the token's signature
//! can be verified again at apply even when the provider has rotated its keys.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use strongroom_domain::act::{ActItem, ActKind};
use strongroom_domain::id::ActId;
use strongroom_domain::person::{PersonId, SignedPerson};
use strongroom_domain::{Digest, canonical};

use crate::signing::{Purpose, SigningKey};
use crate::token::Accepted;

/// What the executor says about one act.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Receipt {
    /// The version of this shape.
    pub version: u32,
    /// The act as stored.
    pub act: ActId,
    /// SHA-256 of the ID token.
    pub token: Digest,
    /// What was done.
    pub kind: ActKind,
    /// To what.
    pub items: Vec<ActItem>,
    /// Who signed.
    pub person: PersonId,
    /// A name to read.
    pub display: String,
    /// The groups in the signed token.
    pub groups: BTreeSet<String>,
    /// When the person signed in at the provider, Unix seconds.
    pub auth_time: i64,
    /// When the token was made, Unix seconds.
    pub issued_at: i64,
    /// The client the token was made for.
    pub audience: String,
    /// The provider's key that verified it.
    pub key: Value,
    /// When the executor decided, Unix seconds.
    pub received_at: i64,
    /// Whether the token had run out when the executor first saw it (it was down).
    pub late: bool,
}

impl Receipt {
    /// The receipt for a verified token.
    pub fn new(
        act: ActId,
        kind: ActKind,
        items: Vec<ActItem>,
        accepted: &Accepted,
        received_at: i64,
    ) -> Self {
        Self {
            version: 1,
            act,
            token: accepted.token,
            kind,
            items,
            person: accepted.person.id.clone(),
            display: accepted.person.display.clone(),
            groups: accepted.person.groups.clone(),
            auth_time: accepted.auth_time,
            issued_at: accepted.issued_at,
            audience: accepted.audience.clone(),
            key: accepted.key.clone(),
            received_at,
            late: accepted.late,
        }
    }

    /// The bytes that are stored and signed.
    pub fn canonical(&self) -> Vec<u8> {
        canonical::to_bytes(self)
            .expect("a receipt holds only text, integers, lists and a JSON key")
    }

    /// Canonical bytes and the executor's signature over them.
    pub fn sign(&self, key: &SigningKey) -> (Vec<u8>, Vec<u8>) {
        let bytes = self.canonical();
        let signature = key.sign(Purpose::Receipt, &bytes);
        (bytes, signature)
    }

    /// The person as of that sign-in.
    pub fn signed_person(&self) -> SignedPerson {
        SignedPerson {
            id: self.person.clone(),
            display: self.display.clone(),
            groups: self.groups.clone(),
        }
    }
}

/// What the executor says about an act that does not count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Refused {
    /// The version of this shape.
    pub version: u32,
    /// The act as stored.
    pub act: ActId,
    /// SHA-256 of the ID token.
    pub token: Digest,
    /// Why it does not count.
    pub refused: String,
}

impl Refused {
    /// Canonical bytes and the executor's signature over them.
    pub fn sign(&self, key: &SigningKey) -> (Vec<u8>, Vec<u8>) {
        let bytes = canonical::to_bytes(self).expect("a refusal holds only text and a number");
        let signature = key.sign(Purpose::Receipt, &bytes);
        (bytes, signature)
    }
}

/// Either answer, as its signed bytes say.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// The act counts.
    Counted(Box<Receipt>),
    /// It does not.
    Refused(Refused),
}

impl Answer {
    /// Reads signed bytes. The two shapes have no fields in common that would let one be the other.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let counted = serde_json::from_slice(bytes).map(Self::Counted);
        counted.or_else(|_| serde_json::from_slice(bytes).map(Self::Refused)).ok()
    }
}

#[cfg(test)]
mod tests;
