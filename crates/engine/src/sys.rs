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
        Err(TooOld { product: self.product, version: self.version })
    }
}

/// Asks an engine what it is. Works without a token, and only on the active node.
pub async fn about(client: &EngineClient) -> Result<About, EngineError> {
    let template = "sys/health";
    let health = ask(client, template).await?;
    let status = ask(client, "sys/seal-status").await?;
    let malformed = |why: &str| EngineError::new(Failure::Malformed(why.into()), template);
    let text = |name: &str| health.get(name).and_then(Value::as_str).unwrap_or_default();
    Ok(About {
        product: product(&health, &status)
            .ok_or_else(|| malformed("neither OpenBao nor Vault says such things of itself"))?,
        version: Version::parse(text("version"))
            .ok_or_else(|| malformed("no version in sys/health"))?,
        cluster_id: text("cluster_id").to_owned(),
    })
}

async fn ask(client: &EngineClient, path: &'static str) -> Result<Value, EngineError> {
    let call = Call::new(Method::Get, path, path);
    Ok(client.call(call, None).await?.data)
}

/// Tells the product by what only one of them says, never by a version number and never by what
/// is missing: Vault says in `sys/health` of every edition whether it is the enterprise one,
/// OpenBao says in `sys/seal-status` when its source was committed where Vault says `build_date`.
fn product(health: &Value, status: &Value) -> Option<Product> {
    let vault = health.get("enterprise").is_some_and(Value::is_boolean);
    let openbao = status.get("commit_date").is_some_and(Value::is_string);
    match (vault, openbao) {
        (true, false) => Some(Product::Vault),
        (false, true) => Some(Product::OpenBao),
        _ => None,
    }
}

/// Whether the engine ends policies by itself: asked of the policy's own answer, which names the
/// field only where it exists.
pub fn policies_expire(policy_answer: &Value) -> bool {
    policy_answer.get("version").is_some() && policy_answer.get("cas_required").is_some()
}

/// What an engine can do that another one cannot: found by asking, never from the version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// Policies have versions and may end by themselves.
    pub policies_expire: bool,
    /// All policies with their texts come in one list, and this token may have it.
    pub policy_list_is_detailed: bool,
    /// There are vault namespaces.
    pub namespaces: bool,
}

/// Asks what the engine can do. `policy` is one that the session may read.
pub async fn capabilities(session: &Session, policy: &str) -> Result<Capabilities, EngineError> {
    let path = format!("sys/policies/acl/{policy}");
    let answer = session.read(&path, "sys/policies/acl/{name}").await?;
    let template = "sys/policies/detailed/acl";
    let detailed = Call::new(Method::List, template, template);
    let policy_list_is_detailed = match session.call(detailed).await {
        Ok(envelope) => envelope.data.get("key_info").is_some(),
        Err(error) if matches!(error.failure, Failure::NotFound | Failure::Denied) => false,
        Err(error) => return Err(error),
    };
    let namespaces = match session.client().in_namespace("any").await {
        Ok(_) => true,
        Err(error) if error.failure == Failure::NamespaceIgnored => false,
        Err(error) => return Err(error),
    };
    Ok(Capabilities {
        policies_expire: answer.as_ref().is_some_and(policies_expire),
        policy_list_is_detailed,
        namespaces,
    })
}

/// What the session's token may do at these paths.
pub async fn capabilities_self(
    session: &Session,
    paths: &[&str],
) -> Result<Vec<(String, Vec<String>)>, EngineError> {
    let template = "sys/capabilities-self";
    let envelope = session.write(template, template, &json!({ "paths": paths })).await?;
    let of = |path: &str| -> Vec<String> {
        let words = envelope.data.get(path).and_then(Value::as_array);
        words.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    Ok(paths.iter().map(|path| ((*path).to_owned(), of(path))).collect())
}

/// The same about another token, by its accessor.
pub async fn capabilities_of(
    session: &Session,
    accessor: &str,
    paths: &[String],
) -> Result<Vec<(String, Vec<String>)>, EngineError> {
    let template = "sys/capabilities-accessor";
    let body = json!({ "accessor": accessor, "paths": paths });
    let envelope = session.write(template, template, &body).await?;
    let of = |path: &String| {
        let words = envelope.data.get(path).and_then(Value::as_array).ok_or_else(|| {
            EngineError::new(Failure::Malformed(format!("no answer about {path}")), template)
        })?;
        Ok(words.iter().filter_map(Value::as_str).map(str::to_owned).collect())
    };
    paths.iter().map(|path| Ok((path.clone(), of(path)?))).collect()
}

/// The index up to which the engine has applied what was stored; reads leave it as it is. `None`
/// where the engine does not tell it. Needs no token.
pub async fn applied_index(client: &EngineClient) -> Result<Option<u64>, EngineError> {
    let leader = ask(client, "sys/leader").await?;
    Ok(leader.get("raft_applied_index").and_then(Value::as_u64))
}

/// The accessor of an auth mount; `None` when it is not there.
pub async fn auth_accessor(session: &Session, mount: &str) -> Result<Option<String>, EngineError> {
    let template = "sys/auth/{mount}";
    let answer = session.read(&format!("sys/auth/{mount}"), template).await?;
    Ok(answer.and_then(|data| Some(data.get("accessor")?.as_str()?.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_order_by_number_and_odd_ones_are_not_guessed() {
        let version = |text| Version::parse(text);
        assert_eq!(version("2.7.2"), Some(Version(2, 7, 2)));
        assert_eq!(version("v1.21.0+ent.hsm"), Some(Version(1, 21, 0)));
        assert_eq!(version("2.8.0-beta20261101"), Some(Version(2, 8, 0)));
        assert!(version("2.10.0") > version("2.9.9"));
        for odd in ["", "2.7", "2.7.x", "2.7.2.1", "latest", "2..7"] {
            assert_eq!(version(odd), None, "{odd}");
        }
    }

    #[test]
    fn a_product_is_told_by_what_it_says_and_not_by_what_is_missing() {
        let bare = json!({});
        let vault = json!({ "enterprise": false });
        let openbao = json!({ "commit_date": "2026-10-26T20:32:27Z" });
        assert_eq!(product(&vault, &bare), Some(Product::Vault));
        assert_eq!(product(&bare, &openbao), Some(Product::OpenBao));
        assert_eq!(product(&bare, &bare), None);
        assert_eq!(product(&vault, &openbao), None);
    }

    #[test]
    fn the_minimum_is_a_line_of_its_own_for_each_product() {
        let about = |product, version| About { product, version, cluster_id: String::new() };
        for (product, version, good) in [
            (Product::OpenBao, Version(2, 6, 4), false),
            (Product::OpenBao, Version(2, 7, 0), true),
            (Product::OpenBao, Version(3, 0, 0), true),
            (Product::Vault, Version(2, 2, 1), false),
            (Product::Vault, Version(2, 2, 2), true),
        ] {
            let about = about(product, version);
            assert_eq!(about.ensure_supported(false).is_ok(), good, "{about:?}");
            assert!(about.ensure_supported(true).is_ok());
        }
    }
}
