//! The answers about kits.

use serde::{Deserialize, Serialize};

views! {
    /// `GET /teams/{name}/bindings/{binding}/kit`.
    KitView {
        /// The team.
        team: String,
        /// The binding.
        binding: String,
        /// The cluster.
        cluster: String,
        /// The namespace.
        namespace: String,
        /// The service account.
        account: String,
        /// The binding's other accounts.
        others: Vec<String>,
        /// The path of the login below `auth/`.
        auth_mount: String,
        /// `kubernetes` or `jwt`.
        method: String,
        /// The role of the login.
        role: String,
        /// The audience of the account's token.
        audience: String,
        /// Where the engine is.
        engine: KitEngine,
        /// What the files read.
        secrets: Vec<KitSecret>,
        /// How the account stands.
        state: Option<String>,
        /// Why.
        reason: Option<String>,
        /// Ready files.
        formats: Vec<KitSheet>,
    }

    /// Where the engine is.
    KitEngine {
        /// `https://host[:port]`.
        address: String,
        /// Its CA, PEM; empty where the system's roots do.
        ca_pem: String,
    }

    /// One secret that the files read.
    KitSecret {
        /// `team/TEAM/MOUNT`.
        mount: String,
        /// Its path in the mount.
        path: String,
        /// The folder that is granted, where the path is only an example in it.
        beneath: Option<String>,
        /// What may be done there.
        level: String,
        /// As `kv` names it.
        short_path: String,
    }

    /// Ready files of one format.
    KitSheet {
        /// The word.
        format: String,
        /// What it is.
        title: String,
        /// The files.
        files: Vec<KitFile>,
        /// What has to be known.
        notes: Vec<String>,
    }

    /// `POST /teams/{name}/bindings/{binding}/checks`.
    CheckMade {
        /// The Job.
        check: KitSheet,
        /// Until when it may report.
        expires_at: String,
    }

    /// One file.
    KitFile {
        /// Its name.
        name: String,
        /// What is in it.
        text: String,
    }
}

/// What a check is asked for in particular.
#[derive(Debug, Clone, Default)]
pub struct CheckWish {
    /// One of the binding's accounts.
    pub account: Option<String>,
    /// A secret inside the binding's paths.
    pub secret: Option<String>,
}
