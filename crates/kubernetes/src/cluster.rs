//! Live reads of one cluster.
//!
//! *Absent* is said only when the API server itself says so about the very object that was asked
//! for, because a removal follows from it. Everything else that is no answer is *unknown*.

use std::fmt;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use kube::Client;
use kube::api::Api;
use kube::core::PartialObjectMeta;
use secrecy::SecretString;
use strongroom_domain::name::{KubernetesUid, NamespaceName, ServiceAccountName};

use crate::access;
use crate::reason::{is_absent, reason};

/// How long one live read may take.
const LIVE_READ: Duration = Duration::from_secs(10);

/// How to reach a cluster. Given values only: never an ambient kubeconfig or service account.
#[derive(Debug, Clone)]
pub struct ClusterAccess {
    /// `https://host:port`.
    pub server: String,
    /// The CA to trust, PEM.
    pub ca_pem: String,
    /// The reader's token.
    pub token: SecretString,
}

/// The client could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The given values make no configuration.
    #[error("set up a client for the cluster: {0}")]
    Config(String),
}

/// What a live read says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    /// It is there and not being deleted.
    Found {
        /// Its UID.
        uid: String,
    },
    /// The API server says that there is none, or that it is being deleted.
    Absent,
    /// Nothing can be said.
    Unknown {
        /// Why.
        reason: String,
    },
}

/// An account inside a namespace whose UID was the same before and after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// Both are there.
    Found {
        /// The namespace's UID, read twice.
        namespace_uid: String,
        /// The account's UID.
        account_uid: String,
    },
    /// The namespace is there, the account is not.
    NoAccount {
        /// The namespace's UID.
        namespace_uid: String,
    },
    /// The namespace is not there.
    NoNamespace,
    /// Nothing can be said: an error, or the namespace changed while we looked.
    Unknown {
        /// Why.
        reason: String,
    },
}

/// One cluster.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
    live_read: Duration,
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cluster")
    }
}

impl Cluster {
    /// A client for the cluster. Nothing is sent yet.
    #[expect(
        clippy::unused_async,
        reason = "the client spawns its worker when it is made, so it must be made inside a runtime"
    )]
    pub async fn connect(access: &ClusterAccess) -> Result<Self, ConnectError> {
        let config = access::config(access)?;
        let client =
            Client::try_from(config).map_err(|error| ConnectError::Config(reason(&error)))?;
        Ok(Self { client, live_read: LIVE_READ })
    }

    /// The same client with less patience.
    #[cfg(test)]
    pub(crate) fn with_live_read(mut self, patience: Duration) -> Self {
        self.live_read = patience;
        self
    }

    pub(crate) fn client(&self) -> Client {
        self.client.clone()
    }

    /// The UID of a namespace, read live.
    pub async fn namespace(&self, name: &NamespaceName) -> Lookup {
        let api: Api<PartialObjectMeta<Namespace>> = Api::all(self.client());
        self.look_up(api.get(name.as_str()), "namespaces", None, name.as_str()).await
    }

    /// The UID of a service account, read live.
    pub async fn account(&self, namespace: &NamespaceName, name: &ServiceAccountName) -> Lookup {
        let api: Api<PartialObjectMeta<ServiceAccount>> =
            Api::namespaced(self.client(), namespace.as_str());
        let read = api.get(name.as_str());
        self.look_up(read, "serviceaccounts", Some(namespace.as_str()), name.as_str()).await
    }

    /// Namespace UID, account, namespace UID again: only if the namespace is the same before and
    /// after is the account one of this namespace.
    pub async fn settled(&self, namespace: &NamespaceName, name: &ServiceAccountName) -> Settled {
        let before = self.namespace(namespace).await;
        let account = self.account(namespace, name).await;
        let after = self.namespace(namespace).await;
        settle(before, account, after)
    }

    async fn look_up<K>(
        &self,
        read: impl Future<Output = Result<PartialObjectMeta<K>, kube::Error>>,
        plural: &str,
        namespace: Option<&str>,
        name: &str,
    ) -> Lookup {
        let unknown = |reason: String| Lookup::Unknown { reason };
        match tokio::time::timeout(self.live_read, read).await {
            Err(_) => unknown(format!(
                "the API server did not answer within {} seconds",
                self.live_read.as_secs()
            )),
            Ok(Err(error)) if is_absent(&error, plural, name) => Lookup::Absent,
            Ok(Err(error)) => unknown(reason(&error)),
            Ok(Ok(object)) => {
                let found = object.metadata;
                let told = (found.namespace.as_deref(), found.name.as_deref());
                if told != (namespace, Some(name)) {
                    return unknown("the API server answered with another object".to_owned());
                }
                if found.deletion_timestamp.is_some() {
                    return Lookup::Absent;
                }
                match found.uid.map(KubernetesUid::new) {
                    Some(Ok(uid)) => Lookup::Found { uid: uid.as_str().to_owned() },
                    Some(Err(error)) => unknown(error.to_string()),
                    None => unknown("the API server told no UID".to_owned()),
                }
            }
        }
    }
}

fn settle(before: Lookup, account: Lookup, after: Lookup) -> Settled {
    match (before, account, after) {
        (Lookup::Unknown { reason }, _, _)
        | (_, Lookup::Unknown { reason }, _)
        | (_, _, Lookup::Unknown { reason }) => Settled::Unknown { reason },
        (Lookup::Absent, _, Lookup::Absent) => Settled::NoNamespace,
        (Lookup::Found { uid: before }, account, Lookup::Found { uid: after })
            if before == after =>
        {
            match account {
                Lookup::Found { uid } => Settled::Found { namespace_uid: before, account_uid: uid },
                _ => Settled::NoAccount { namespace_uid: before },
            }
        }
        _ => Settled::Unknown { reason: "the namespace changed while it was read".into() },
    }
}

#[cfg(test)]
mod tests;
