//! What the engine says of itself: product, version, cluster, capabilities of a token.

use std::fmt;

use serde_json::{Value, json};

use crate::client::{Call, EngineClient, Method};
use crate::error::{EngineError, Failure};
use crate::session::Session;

/// Which product answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Product {
    /// OpenBao.
    OpenBao,
    /// HashiCorp Vault.
    Vault,
}

impl fmt::Display for Product {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OpenBao => "OpenBao",
            Self::Vault => "Vault",
        })
    }
}

/// A version, as far as it orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32, pub u32);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

impl Version {
    /// The first three numbers of a version text.
    pub fn parse(text: &str) -> Option<Self> {
        let core = text.trim_start_matches('v').split(['-', '+']).next()?;
        let mut parts = core.split('.').map(|part| part.parse().ok());
        let version = Self(parts.next()??, parts.next()??, parts.next()??);
        parts.next().is_none().then_some(version)
    }
}

/// What an engine is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// The product.
    pub product: Product,
    /// The version.
    pub version: Version,
    /// The engine's own cluster id.
    pub cluster_id: String,
}

/// The oldest versions whose access rules hold (see the threat model).
pub const MINIMUM_OPENBAO: Version = Version(2, 7, 0);
/// The same for Vault.
pub const MINIMUM_VAULT: Version = Version(2, 2, 2);

/// An engine too old to be written to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the engine is {product} {version}; Strongroom writes to OpenBao {MINIMUM_OPENBAO} or Vault \
     {MINIMUM_VAULT} and newer, because older ones have known ways around their own access rules. \
     Upgrade the engine (or set allow_engine_below_minimum in the floor file, for tests only)"
)]
pub struct TooOld {
    /// What it is.
    pub product: Product,
    /// Its version.
    pub version: Version,
}

impl About {
    /// Refuses an engine below the minimum, unless the floor file allows it.
    pub fn ensure_supported(&self, allow_below: bool) -> Result<(), TooOld> {
        let minimum = match self.product {
            Product::OpenBao => MINIMUM_OPENBAO,
            Product::Vault => MINIMUM_VAULT,
        };
        if self.version >= minimum || allow_below {
            return Ok(());
        }
        Err(TooOld {
            product: self.product,
            version: self.version,
        })
    }
}

/// Asks an engine what it is. Works without a token, and only on the active node.
pub async fn about(client: &EngineClient) -> Result<About, EngineError> {
    let template = "sys/health";
    let health = client
        .call(Call::new(Method::Get, template, template), None)
        .await?;
    let text = |name: &str| {
        health
            .data
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let version = Version::parse(text("version")).ok_or_else(|| {
        EngineError::new(
            Failure::Malformed("no version in sys/health".into()),
            template,
        )
    })?;
    Ok(About {
        product: product(&health.data),
        version,
        cluster_id: text("cluster_id").to_owned(),
    })
}

/// Tells the product by what only one of them answers, never by a version number: Vault says in
/// every edition whether it is the enterprise one, OpenBao has no such field.
fn product(health: &Value) -> Product {
    if health.get("enterprise").is_some() {
        Product::Vault
    } else {
        Product::OpenBao
    }
}

/// Whether the engine ends policies by itself: asked of the policy's own answer, which names the
/// field only where it exists.
pub fn policies_expire(policy_answer: &Value) -> bool {
    policy_answer.get("version").is_some() && policy_answer.get("cas_required").is_some()
}

/// What the session's token may do at these paths.
pub async fn capabilities_self(
    session: &Session,
    paths: &[&str],
) -> Result<Vec<(String, Vec<String>)>, EngineError> {
    let template = "sys/capabilities-self";
    let envelope = session
        .write(template, template, &json!({ "paths": paths }))
        .await?;
    let of = |path: &str| -> Vec<String> {
        let words = envelope.data.get(path).and_then(Value::as_array);
        words
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect()
    };
    Ok(paths
        .iter()
        .map(|path| ((*path).to_owned(), of(path)))
        .collect())
}

/// The accessor of an auth mount; `None` when it is not there.
pub async fn auth_accessor(session: &Session, mount: &str) -> Result<Option<String>, EngineError> {
    let template = "sys/auth/{mount}";
    let answer = session.read(&format!("sys/auth/{mount}"), template).await?;
    Ok(answer.and_then(|data| Some(data.get("accessor")?.as_str()?.to_owned())))
}
