//! Machines that ask the API in nobody's name: what they may do there.
//!
//! A machine reads and proposes. It signs nothing, so the executor knows none of them.

use serde::{Deserialize, Serialize};

/// What a machine may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// See what its team sees.
    Read,
    /// Propose documents too. What it proposes counts as nobody's.
    Propose,
}

impl Scope {
    /// The word in rows, answers and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Propose => "propose",
        }
    }

    /// The scope that this word names.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Read, Self::Propose].into_iter().find(|scope| scope.as_str() == word)
    }
}
