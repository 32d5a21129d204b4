//! What a document is about: one team, one cluster, or the platform.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use strongroom_vault_model::NameError;
use strongroom_vault_model::name::{ClusterName, TeamName};

/// The subject of a document, of a revision and of a head. Written `team/payments`,
/// `cluster/prod-eu` or `platform`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// The rules of the whole deployment.
    Platform,
    /// One Kubernetes cluster.
    Cluster(ClusterName),
    /// One tenant.
    Team(TeamName),
}

/// The text names no subject.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubjectError {
    /// Neither `platform`, `cluster/<name>` nor `team/<name>`.
    #[error("a subject is `platform`, `cluster/<name>` or `team/<name>`")]
    Shape,
    /// The name part breaks its rule.
    #[error(transparent)]
    Name(#[from] NameError),
}

impl Subject {
    /// `platform`, `cluster` or `team`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Platform => "platform",
            Self::Cluster(_) => "cluster",
            Self::Team(_) => "team",
        }
    }

    /// The name part; the platform is called `platform`.
    pub fn name(&self) -> &str {
        match self {
            Self::Platform => "platform",
            Self::Cluster(name) => name.as_str(),
            Self::Team(name) => name.as_str(),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Platform => f.write_str("platform"),
            _ => write!(f, "{}/{}", self.kind(), self.name()),
        }
    }
}

impl FromStr for Subject {
    type Err = SubjectError;
    fn from_str(text: &str) -> Result<Self, SubjectError> {
        match text.split_once('/') {
            None if text == "platform" => Ok(Self::Platform),
            Some(("cluster", name)) => Ok(Self::Cluster(ClusterName::new(name)?)),
            Some(("team", name)) => Ok(Self::Team(TeamName::new(name)?)),
            _ => Err(SubjectError::Shape),
        }
    }
}

impl Serialize for Subject {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Subject {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}
