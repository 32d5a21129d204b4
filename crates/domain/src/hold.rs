//! Holds: what stands still until a request lifts it, and who made it so.
//!
//! A hold only ever takes away: a suspended binding, team or cluster reaches nothing, a frozen
//! platform applies nothing. It stands in the subject's head, so that no row brings access back.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use strongroom_vault_model::NameError;
use strongroom_vault_model::name::{BindingName, ClusterName, TeamName};

use crate::Digest;
use crate::person::PersonId;
use crate::subject::Subject;

/// What can be held. Written `platform`, `cluster/prod-eu`, `team/payments` or
/// `team/payments/api`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// Everything: nothing is applied and nobody is attached.
    Platform,
    /// Every binding of the cluster's service accounts.
    Cluster(ClusterName),
    /// Every binding of the team, and what its people may do.
    Team(TeamName),
    /// One binding.
    Binding(TeamName, BindingName),
}

/// A text names nothing that can be held.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// None of the four shapes.
    #[error("it is `platform`, `cluster/<name>`, `team/<name>` or `team/<name>/<binding>`")]
    Shape,
    /// A name in it breaks its rule.
    #[error(transparent)]
    Name(#[from] NameError),
}

impl Target {
    /// The subject whose head holds it.
    pub fn subject(&self) -> Subject {
        match self {
            Self::Platform => Subject::Platform,
            Self::Cluster(name) => Subject::Cluster(name.clone()),
            Self::Team(name) | Self::Binding(name, _) => Subject::Team(name.clone()),
        }
    }
}

impl From<Subject> for Target {
    fn from(subject: Subject) -> Self {
        match subject {
            Subject::Platform => Self::Platform,
            Subject::Cluster(name) => Self::Cluster(name),
            Subject::Team(name) => Self::Team(name),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Binding(team, binding) => write!(f, "team/{team}/{binding}"),
            _ => self.subject().fmt(f),
        }
    }
}

impl FromStr for Target {
    type Err = TargetError;
    fn from_str(text: &str) -> Result<Self, TargetError> {
        let parts: Vec<&str> = text.split('/').collect();
        match parts.as_slice() {
            ["platform"] => Ok(Self::Platform),
            ["cluster", name] => Ok(Self::Cluster(name.parse()?)),
            ["team", name] => Ok(Self::Team(name.parse()?)),
            ["team", name, binding] => Ok(Self::Binding(name.parse()?, binding.parse()?)),
            _ => Err(TargetError::Shape),
        }
    }
}

impl Serialize for Target {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Who made a hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", deny_unknown_fields, rename_all = "camelCase")]
pub enum HeldBy {
    /// A person, by a signed act.
    Person {
        /// Who.
        id: PersonId,
        /// A name to read.
        display: String,
        /// SHA-256 of the ID token that proves it.
        token: Digest,
    },
    /// Somebody on the executor's host, by a local command.
    Operator,
    /// The executor itself, because of what it observed.
    Executor,
}

impl HeldBy {
    /// Who it was, to read.
    pub fn display(&self) -> &str {
        match self {
            Self::Person { display, .. } => display,
            Self::Operator => "an operator on the executor's host",
            Self::Executor => "Strongroom itself",
        }
    }
}

/// One hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Hold {
    /// Who made it.
    pub by: HeldBy,
    /// Why.
    pub reason: String,
    /// Since when, whole seconds.
    pub since: Timestamp,
    /// Whether nothing is taken away: the subject merely stands still as it is.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub frozen: bool,
}

impl Hold {
    /// One sentence with the way out.
    pub fn sentence(&self, target: &Target) -> String {
        let verb = if *target == Target::Platform { "applying is frozen" } else { "is suspended" };
        let what = if *target == Target::Platform { String::new() } else { format!("{target} ") };
        format!(
            "{what}{verb} by {}: {}; a request with --lift {target} lifts it",
            self.by.display(),
            self.reason
        )
    }
}

/// What a suspension's `content` is the hash of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Suspension {
    /// What is to stand still.
    pub target: Target,
    /// Why.
    pub reason: String,
}

impl Suspension {
    /// The hash that a person signs.
    pub fn digest(&self) -> Digest {
        let bytes = crate::canonical::to_bytes(self).expect("a suspension holds only text");
        Digest::labelled("strongroom/suspend/1", &bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_come_back_from_their_text_and_nothing_else_is_one() {
        for text in ["platform", "cluster/prod-eu", "team/payments", "team/payments/api"] {
            assert_eq!(text.parse::<Target>().unwrap().to_string(), text);
        }
        for text in ["", "team", "team/", "team/a/b/c", "cluster/a/b", "Team/payments", "*"] {
            assert!(text.parse::<Target>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_hash_of_a_suspension_changes_with_each_part() {
        let one = |target: &str, reason: &str| {
            Suspension { target: target.parse().unwrap(), reason: reason.into() }.digest()
        };
        assert_ne!(one("team/payments", "x"), one("team/payments", "y"));
        assert_ne!(one("team/payments", "x"), one("team/orders", "x"));
    }
}
