//! People as the identity provider's signed tokens name them, and what stands in their place where a
//! machine asks.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::id::MachineId;

/// The issuer of whoever is no person. It is no address, so no floor file can name it, and no
/// provider's token can be of it.
const MACHINES: &str = "strongroom:machine";

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

impl PersonId {
    /// A machine. It signs nothing: it is equal to nobody who votes.
    pub fn of_machine(machine: MachineId) -> Self {
        Self { issuer: MACHINES.to_owned(), person: machine.to_string() }
    }

    /// The machine that this is.
    pub fn machine(&self) -> Option<MachineId> {
        (self.issuer == MACHINES).then(|| self.person.parse().ok())?
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_nobody_that_a_provider_could_name() {
        let id: MachineId = "0199b5d0-0000-7000-8000-000000000001".parse().unwrap();
        let machine = PersonId::of_machine(id);
        assert_eq!(machine.machine(), Some(id));
        let person = |issuer: &str| PersonId { issuer: issuer.into(), person: id.to_string() };
        assert_eq!(person("https://idp.example.com").machine(), None);
        assert_eq!(PersonId { person: "alice".into(), ..machine.clone() }.machine(), None);
        assert_ne!(person("https://idp.example.com"), machine);
    }
}
