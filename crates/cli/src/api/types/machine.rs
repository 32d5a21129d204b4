//! Machines as the API tells them.

use serde::{Deserialize, Serialize};

views! {
    /// The machine that asks.
    MachineSelf {
        /// The one team it may see.
        team: Option<String>,
        /// What it may do.
        scope: String,
    }
    /// A live machine.
    MachineView {
        /// Its name.
        name: String,
        /// The one team it may see; all where there is none.
        team: Option<String>,
        /// What it may do.
        scope: String,
        /// The first characters of its key.
        key_hint: Option<String>,
        /// The account it is.
        account: Option<AccountRef>,
        /// That account's UID.
        account_uid: Option<String>,
        /// Who made it.
        created_by: String,
        /// When.
        created_at: String,
        /// When it ends.
        expires_at: String,
        /// When it last asked.
        last_used_at: Option<String>,
    }
    /// A service account.
    AccountRef {
        /// The cluster.
        cluster: String,
        /// The namespace.
        namespace: String,
        /// The account.
        account: String,
    }
}

/// A machine that was made, with its key where it has one.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MachineMade {
    /// Its name.
    pub name: String,
    /// When it ends.
    pub expires_at: String,
    /// The audience of the tokens that it shows, where it has no key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
    /// The key, this once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}
