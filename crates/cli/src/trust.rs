//! Pinned trust: what the deployment was when the person first signed in, and what has changed.
//!
//! The API server is not believed about any of this after the first sign-in. A server that could
//! change the issuer, the act client or the executor's keys could have people sign anything, and
//! one that could change the engine's address could read the values they set.

use std::fmt::Write as _;

use strongroom_acts::PublicKey;
use strongroom_domain::id::DeploymentId;
use url::Url;

use crate::api::is_loopback;
use crate::api::types::TrustView;
use crate::exit::Exit;
use crate::failure::Failure;

/// The trust in the shape in which it is used.
#[derive(Debug, Clone)]
pub struct Trust {
    /// The deployment.
    pub deployment: DeploymentId,
    /// The executor's keys.
    pub keys: Vec<PublicKey>,
    /// The rest, as published.
    pub view: TrustView,
}

/// Something in what a server publishes that nobody may pin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// The deployment's id.
    #[error("the deployment's id is no UUID")]
    Deployment,
    /// A key of the executor.
    #[error("the executor's key {0:?} is no Ed25519 public key, or is not called by its own id")]
    Key(String),
    /// No key at all.
    #[error("the deployment publishes no key of its executor; has `strongroom execute` run once?")]
    NoKey,
    /// The issuer.
    #[error("the issuer is not an https address: {0:?}")]
    Issuer(String),
    /// One client for everything.
    #[error("sign-ins and acts use the same client at the provider")]
    OneClient,
}

impl Trust {
    /// Checks what a server publishes, or what a context file holds.
    pub fn new(view: TrustView) -> Result<Self, TrustError> {
        let deployment = view.deployment.parse().map_err(|_| TrustError::Deployment)?;
        let mut keys = Vec::new();
        for key in &view.executor_keys {
            let public = PublicKey::from_pem(&key.pem)
                .ok()
                .filter(|public| public.id() == key.id)
                .ok_or_else(|| TrustError::Key(key.id.clone()))?;
            keys.push(public);
        }
        if keys.is_empty() {
            return Err(TrustError::NoKey);
        }
        let issuer: Option<Url> = view.issuer.parse().ok();
        let safe =
            |url: &Url| url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url));
        if !issuer.as_ref().is_some_and(safe) {
            return Err(TrustError::Issuer(view.issuer));
        }
        if view.sign_in.client_id == view.act_clients.cli {
            return Err(TrustError::OneClient);
        }
        Ok(Self { deployment, keys, view })
    }

    /// The client that acts of this program are signed through.
    pub fn act_client(&self) -> &str {
        &self.view.act_clients.cli
    }

    /// What a person compares on first use.
    pub fn introduction(&self) -> String {
        let mut out = String::new();
        let mut line = |name: &str, text: &str| {
            let _ = writeln!(out, "  {name:<13} {}", crate::render::text::clean(text));
        };
        line("deployment", &self.view.deployment);
        line("issuer", &self.view.issuer);
        line("act client", self.act_client());
        for key in &self.keys {
            line("executor key", &fingerprint(key));
        }
        line("engine", &self.view.engine.address);
        out
    }

    /// What differs from this pinned trust, one sentence each.
    pub fn changes_to(&self, new: &Self) -> Vec<String> {
        let mut changes = Vec::new();
        let mut compare = |what: &str, old: &str, new: &str| {
            if old != new {
                changes.push(format!("{what} was {old}, now {new}"));
            }
        };
        let (old, now) = (&self.view, &new.view);
        compare("the deployment", &old.deployment, &now.deployment);
        compare("the issuer", &old.issuer, &now.issuer);
        compare("the act client", self.act_client(), new.act_client());
        compare("the sign-in client", &old.sign_in.client_id, &now.sign_in.client_id);
        compare("the claim with the groups", &old.groups_claim, &now.groups_claim);
        compare("the claim that tells people apart", &old.person_claim, &now.person_claim);
        compare("the engine's address", &old.engine.address, &now.engine.address);
        compare("the engine's auth mount", &old.engine.people_mount, &now.engine.people_mount);
        compare("the engine's role", &old.engine.people_role, &now.engine.people_role);
        if old.engine.ca_pem.trim() != now.engine.ca_pem.trim() {
            changes.push("the engine's CA is another one".to_owned());
        }
        for key in new.keys.iter().filter(|key| !self.keys.contains(key)) {
            changes
                .push(format!("the executor has a key that is not pinned: {}", fingerprint(key)));
        }
        for key in self.keys.iter().filter(|key| !new.keys.contains(key)) {
            changes.push(format!("a pinned key of the executor is gone: {}", fingerprint(key)));
        }
        changes
    }
}

/// Refuses changed trust with what changed and how to accept it.
pub fn refuse_change(pinned: &Trust, new: &Trust) -> Result<(), Failure> {
    let changes = pinned.changes_to(new);
    if changes.is_empty() {
        return Ok(());
    }
    let mut failure =
        Failure::new(Exit::Conflict, "sign in: the server publishes other trust than was pinned");
    failure.why = changes;
    Err(failure.next(
        "ask the platform team by another way whether this is so; then run \
         `strongroom login --accept-new-trust`",
    ))
}

/// A key's short name in groups of four, to be read aloud.
pub fn fingerprint(key: &PublicKey) -> String {
    let id = key.id();
    let groups: Vec<&str> =
        id.as_bytes().chunks(4).filter_map(|chunk| std::str::from_utf8(chunk).ok()).collect();
    groups.join(":")
}

#[cfg(test)]
pub(crate) mod tests;
