//! Engine paths and the paths of secrets inside a team's own mount.
//!
//! A [`SecretPath`] is what a document may name; the path types are what the renderer makes
//! of names. Nobody else joins segments.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::name::{ClusterName, MountName, NameError, TeamName};

const KIND: &str = "path";

/// A secret, or everything beneath a folder, inside one mount: `prod/api` or `prod/api/*`.
///
/// The only pattern is a trailing `/*`. `*` alone is everything in the mount.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretPath {
    segments: Vec<String>,
    beneath: bool,
}

impl SecretPath {
    /// Checks each segment against `[A-Za-z0-9_][A-Za-z0-9._-]*`; at most 16 segments, 512 bytes.
    pub fn new(text: &str) -> Result<Self, NameError> {
        let refuse = |rule: &str| Err(NameError::new(KIND, text, rule));
        if text.len() > 512 {
            return refuse("a path has at most 512 characters");
        }
        let (folder, beneath) = match text {
            "*" => ("", true),
            _ => match text.strip_suffix("/*") {
                Some(folder) => (folder, true),
                None => (text, false),
            },
        };
        if folder.is_empty() && text != "*" {
            return refuse("a path names a secret (prod/api) or everything beneath (prod/api/*)");
        }
        let segments: Vec<String> =
            folder.split('/').filter(|_| !folder.is_empty()).map(str::to_owned).collect();
        if segments.len() > 16 {
            return refuse("a path has at most 16 segments");
        }
        if !segments.iter().all(|segment| is_segment(segment)) {
            return refuse(
                "each segment starts with a letter, digit or underscore and goes on with letters, \
                 digits, `.`, `_` or `-`; the only pattern is a trailing `/*`",
            );
        }
        Ok(Self { segments, beneath })
    }

    /// Whether it means everything beneath a folder rather than one secret.
    pub fn is_beneath(&self) -> bool {
        self.beneath
    }

    /// Whether it means the whole mount.
    pub fn is_whole_mount(&self) -> bool {
        self.beneath && self.segments.is_empty()
    }

    /// Whether every secret that `other` reaches is reached by this path too.
    pub fn covers(&self, other: &Self) -> bool {
        if self.beneath {
            // `a/*` covers `a/b` and `a/b/*`, not the secret `a` itself.
            other.segments.starts_with(&self.segments)
                && (other.segments.len() > self.segments.len() || other.beneath)
        } else {
            !other.beneath && self.segments == other.segments
        }
    }

    /// Whether it means everything beneath the folder that has this secret's name.
    pub fn is_folder_of(&self, secret: &Self) -> bool {
        self.beneath && !secret.beneath && self.segments == secret.segments
    }

    /// Whether any secret is reached by both.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.covers(other) || other.covers(self)
    }
}

fn is_segment(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

impl fmt::Display for SecretPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.segments.join("/"))?;
        match (self.beneath, self.segments.is_empty()) {
            (true, true) => f.write_str("*"),
            (true, false) => f.write_str("/*"),
            (false, _) => Ok(()),
        }
    }
}

impl fmt::Debug for SecretPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_string())
    }
}

impl FromStr for SecretPath {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::new(text)
    }
}

impl Serialize for SecretPath {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SecretPath {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Self::new(&String::deserialize(from)?).map_err(serde::de::Error::custom)
    }
}

/// Where a team's mount stands in the engine: `team/<team>/<mount>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TeamMount {
    /// The team that owns the mount.
    pub team: TeamName,
    /// The mount's name inside the team.
    pub mount: MountName,
}

impl fmt::Display for TeamMount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "team/{}/{}", self.team, self.mount)
    }
}

/// The path of a cluster's auth mount below `auth/`: `k8s/<cluster>`.
pub fn auth_mount(cluster: &ClusterName) -> String {
    format!("k8s/{cluster}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_secret_or_everything_beneath() {
        for good in ["a", "prod/api", "prod/api/*", "*", "_x/A.b-c", "0"] {
            assert_eq!(SecretPath::new(good).unwrap().to_string(), good);
        }
        for bad in [
            "", "/", "/a", "a/", "a//b", ".", "..", "a/../b", "a/.", ".a", "-a", "a*", "a/*/b",
            "**", "/*", "a/+/b", "+", "a%2fb", "a b", "a\u{0}", "a\nb", "${x}", "{{x}}", "a\"",
            "é",
        ] {
            assert!(SecretPath::new(bad).is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn covering_follows_segments_not_letters() {
        let path = |text| SecretPath::new(text).unwrap();
        assert!(path("a/*").covers(&path("a/b")));
        assert!(path("a/*").covers(&path("a/b/*")));
        assert!(path("a/*").covers(&path("a/*")));
        assert!(!path("a/*").covers(&path("a")));
        assert!(!path("a/*").covers(&path("ab")));
        assert!(!path("a/b").covers(&path("a/*")));
        assert!(path("*").covers(&path("a")));
        assert!(path("a/b").overlaps(&path("a/*")));
        assert!(path("a/*").is_folder_of(&path("a")));
        assert!(!path("*").is_folder_of(&path("a")));
        assert!(!path("a/*").is_folder_of(&path("a/*")));
        assert!(!path("a").is_folder_of(&path("a")));
    }

    proptest! {
        #[test]
        fn what_is_taken_comes_back_unchanged(text in "\\PC{0,40}") {
            if let Ok(path) = SecretPath::new(&text) {
                prop_assert_eq!(path.to_string(), text.clone());
                prop_assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-/*".contains(&b)));
            }
        }
    }
}
