//! People as the identity provider's signed tokens name them.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// One person: the issuer and the value of the person claim. Two acts are of the same person
/// exactly when both are equal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PersonId {
    /// The issuer, exact.
    pub issuer: String,
    /// The value of the person claim.
    pub person: String,
}

/// A person as of one signed sign-in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SignedPerson {
    /// Who it is.
    pub id: PersonId,
    /// A name for people to read; proves nothing.
    pub display: String,
    /// The groups in the signed token.
    pub groups: BTreeSet<String>,
}

impl SignedPerson {
    /// Whether the signed token says the person is in one of these groups.
    pub fn in_any<'g>(&self, groups: impl IntoIterator<Item = &'g str>) -> bool {
        groups.into_iter().any(|group| self.groups.contains(group))
    }
}
