//! Names that cannot hold a bad byte.
//!
//! Each type here has one private field and one constructor that checks it, so a value of the type
//! is proof. Nothing is ever normalised: a spelling that would have to be changed to be valid is
//! refused, because names judged in one spelling and used in another are the commonest hole in
//! this field (`checks.md` section 1). Separators (`/`, `.`) are put in by renderers only.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};

/// Why a name was refused: the kind of name, the text as given, and the rule it breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind} {given:?} is refused: {rule}")]
pub struct NameError {
    /// The kind of name in plain words, for example `team name`.
    pub kind: &'static str,
    /// The text as given, cut to 80 characters.
    pub given: String,
    /// The rule in plain words.
    pub rule: String,
}

impl NameError {
    pub(crate) fn new(kind: &'static str, given: &str, rule: impl Into<String>) -> Self {
        Self { kind, given: given.chars().take(80).collect(), rule: rule.into() }
    }
}

/// Words that mean something to an engine or to Strongroom itself and so can name no tenant thing.
const RESERVED: &[&str] = &[
    "admin",
    "audit",
    "auth",
    "cubbyhole",
    "default",
    "identity",
    "people",
    "platform",
    "response-wrapping",
    "root",
    "sa",
    "strongroom",
    "sys",
    "team",
];

fn check_slug(kind: &'static str, text: &str) -> Result<(), NameError> {
    let rule = "use 2 to 32 characters: lower-case letters, digits and single inner hyphens, \
                starting with a letter";
    let bytes = text.as_bytes();
    let shape = (2..=32).contains(&bytes.len())
        && bytes[0].is_ascii_lowercase()
        && bytes[bytes.len() - 1] != b'-'
        && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-')
        && !text.contains("--");
    if !shape {
        return Err(NameError::new(kind, text, rule));
    }
    if RESERVED.contains(&text) {
        return Err(NameError::new(kind, text, "this word is reserved"));
    }
    Ok(())
}

fn is_dns_label(text: &str) -> bool {
    let bytes = text.as_bytes();
    (1..=63).contains(&bytes.len())
        && bytes[0] != b'-'
        && bytes[bytes.len() - 1] != b'-'
        && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-')
}

fn check_label(kind: &'static str, text: &str) -> Result<(), NameError> {
    if is_dns_label(text) {
        return Ok(());
    }
    let rule = "use an exact DNS-1123 label: 1 to 63 lower-case letters, digits and inner hyphens \
                (no dots, no patterns)";
    Err(NameError::new(kind, text, rule))
}

fn check_cluster(kind: &'static str, text: &str) -> Result<(), NameError> {
    check_label(kind, text)?;
    if RESERVED.contains(&text) {
        return Err(NameError::new(kind, text, "this word is reserved"));
    }
    Ok(())
}

fn check_namespace(kind: &'static str, text: &str) -> Result<(), NameError> {
    check_label(kind, text)?;
    if text.starts_with("kube-") {
        let rule = "namespaces that start with `kube-` belong to Kubernetes itself";
        return Err(NameError::new(kind, text, rule));
    }
    Ok(())
}

fn check_subdomain(kind: &'static str, text: &str) -> Result<(), NameError> {
    if text.len() <= 253 && text.split('.').all(is_dns_label) {
        return Ok(());
    }
    let rule = "use an exact DNS-1123 subdomain: labels of lower-case letters, digits and inner \
                hyphens, joined by dots (no patterns)";
    Err(NameError::new(kind, text, rule))
}

fn check_uid(kind: &'static str, text: &str) -> Result<(), NameError> {
    let bytes = text.as_bytes();
    let shape = bytes.len() == 36
        && bytes.iter().enumerate().all(|(i, b)| match i {
            8 | 13 | 18 | 23 => *b == b'-',
            _ => b.is_ascii_digit() || (b'a'..=b'f').contains(b),
        });
    if shape {
        return Ok(());
    }
    Err(NameError::new(kind, text, "use a UUID as the Kubernetes API reports it"))
}

fn check_group(kind: &'static str, text: &str) -> Result<(), NameError> {
    // A provider's group name is data (the name of a group alias), never part of an engine path.
    // Still: one spelling only, so that two look-alike names are not two groups.
    let shape = (1..=128).contains(&text.len())
        && text.bytes().all(|b| (0x21..=0x7e).contains(&b) || b == b' ')
        && text.trim() == text
        && !text.contains("  ")
        && !text.contains(['*', '"', '\\', ',']);
    if shape {
        return Ok(());
    }
    let rule = "use 1 to 128 printable ASCII characters without quotes, backslash, comma, `*`, \
                or outer and double spaces";
    Err(NameError::new(kind, text, rule))
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident: $kind:literal, $check:path;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Checks the text against the rule of this kind of name. Never changes it.
            pub fn new(text: impl Into<String>) -> Result<Self, NameError> {
                let text = text.into();
                $check($kind, &text)?;
                Ok(Self(text))
            }

            /// The name as it stands in documents and in the engine.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", self.0)
            }
        }

        impl FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::new(text)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                Self::new(String::deserialize(from)?).map_err(serde::de::Error::custom)
            }
        }
    )*};
}

names! {
    /// A tenant's slug: immutable and never used twice.
    TeamName: "team name", check_slug;
    /// A mount inside a team; the engine path is `team/<team>/<mount>`.
    MountName: "mount name", check_slug;
    /// A binding inside a team.
    BindingName: "binding name", check_slug;
    /// A Kubernetes cluster as Strongroom calls it; the auth mount is `auth/k8s/<cluster>`.
    ClusterName: "cluster name", check_cluster;
    /// A Kubernetes namespace. Holds no dot, so it can be parsed out of a composed name.
    NamespaceName: "namespace", check_namespace;
    /// A Kubernetes service account. May hold dots, so it always comes last in a composed name.
    ServiceAccountName: "service account", check_subdomain;
    /// A UID as the Kubernetes API reports it, of a namespace or a service account.
    KubernetesUid: "Kubernetes UID", check_uid;
    /// A group as the identity provider names it.
    GroupName: "group", check_group;
}

#[cfg(test)]
mod tests;
