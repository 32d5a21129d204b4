//! Subjects and domains as casbin reads them.
//!
//! A name is always linked to itself there: a subject that is called like a role has that role
//! everywhere. So subjects are made here alone, with prefixes that no role has, and nothing that a
//! person or a provider chose stands in one unhashed.

use sha2::{Digest as _, Sha256};
use strongroom_domain::name::TeamName;

use crate::rights::Role;

/// What somebody is besides their teams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// A member of the platform.
    Platform,
    /// An auditor.
    Auditor,
    /// Anybody else.
    Person,
    /// A machine of one team that reads.
    Reader,
    /// One that proposes as well.
    Proposer,
    /// A machine of the platform's that reads everything.
    WideReader,
    /// One that proposes as well.
    WideProposer,
}

impl Standing {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Platform,
        Self::Auditor,
        Self::Person,
        Self::Reader,
        Self::Proposer,
        Self::WideReader,
        Self::WideProposer,
    ];

    /// The role that goes with it.
    pub fn role(self) -> Role {
        match self {
            Self::Platform => Role::Platform,
            Self::Auditor => Role::Auditor,
            Self::Person => Role::Person,
            Self::Reader => Role::Reader,
            Self::Proposer => Role::Proposer,
            Self::WideReader => Role::WideReader,
            Self::WideProposer => Role::WideProposer,
        }
    }

    pub(crate) fn subject(self) -> &'static str {
        match self {
            Self::Platform => "standing:platform",
            Self::Auditor => "standing:auditor",
            Self::Person => "standing:person",
            Self::Reader => "standing:reader",
            Self::Proposer => "standing:proposer",
            Self::WideReader => "standing:wide-reader",
            Self::WideProposer => "standing:wide-proposer",
        }
    }
}

/// A machine in its own team.
pub(crate) const ENROLLED: &str = "standing:enrolled";

/// A provider's group.
pub(crate) fn group(name: &str) -> String {
    format!("group:{}", hex::encode(Sha256::digest(name.as_bytes())))
}

/// A team's domain.
pub(crate) fn team(name: &TeamName) -> String {
    format!("team:{name}")
}

/// The domain of what belongs to no team.
pub(crate) const NOWHERE: &str = "none:";
