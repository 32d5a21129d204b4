//! Who can reach what.

use serde::{Deserialize, Serialize};

views! {
    /// Somebody who may do something with a secret.
    WhoView {
        /// The account or the group.
        holder: String,
        /// The service account, as `CLUSTER/NAMESPACE/ACCOUNT`.
        #[serde(default)]
        account: Option<String>,
        /// The provider's group.
        #[serde(default)]
        group: Option<String>,
        /// The account's entity in the engine.
        #[serde(default)]
        entity: Option<String>,
        /// What, and by which rule.
        may: Vec<DeedView>,
        /// How each policy stands.
        through: Vec<ThroughView>,
    }
    /// What is allowed.
    DeedView {
        /// What.
        deed: String,
        /// Whether it counts now, or once the policies do.
        now: bool,
        /// The rule that decides.
        rule: String,
        /// The policies it stands in.
        policies: Vec<String>,
    }
    /// A rule that a holder has.
    WhatView {
        /// The rule.
        rule: String,
        /// What it allows, in the engine's words.
        capabilities: Vec<String>,
        /// How each policy stands.
        through: Vec<ThroughView>,
    }
    /// How a policy stands for a holder.
    ThroughView {
        /// The policy, and the group that carries it.
        policy: String,
        /// `attached` where it counts now.
        state: String,
        /// Why not.
        #[serde(default)]
        reason: Option<String>,
        /// The account's UID.
        #[serde(default)]
        account_uid: Option<String>,
        /// The applied revision.
        revision: u64,
        /// The request that brought it.
        #[serde(default)]
        request: Option<String>,
        /// What was found otherwise in the engine.
        #[serde(default)]
        differs: Vec<String>,
    }
}

/// An answer, and how far it goes.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AnswerView<T> {
    /// Who, or what.
    pub items: Vec<T>,
    /// When the executor last knew what is in the engine.
    pub observed_at: Option<String>,
    /// What is not in it.
    pub beside: Vec<String>,
}
