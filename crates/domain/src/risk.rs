//! Words for risk. How it is computed from a plan is in `plan`.

use serde::{Deserialize, Serialize};

/// How much can go wrong if a change is a mistake or a lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Risk {
    /// Only narrows the team's own access, or adds inside its own mounts outside production.
    Low,
    /// Anything that no other rule names.
    Normal,
    /// Production, people, claims, longer ends, writing workloads, whole mounts.
    High,
    /// Data, the engine, or somebody else's access.
    Critical,
}

impl Risk {
    /// The word in plans and pages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

impl std::fmt::Display for Risk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One reason for a risk, in plain words.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RiskReason {
    /// The risk that this reason alone gives.
    pub risk: Risk,
    /// The reason, one sentence without a stop.
    pub text: String,
}
