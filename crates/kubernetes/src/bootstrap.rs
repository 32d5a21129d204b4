//! What a cluster needs before Strongroom can read it: a namespace, two accounts, and the least
//! rights.
//!
//! A pure list of objects, so that what is printed for `kubectl`, what is applied and what is
//! compared are one list. It holds no right on Secrets, on workloads, or on anybody's tokens. Only
//! [`administrator`] writes to a cluster, with an administrator's own kubeconfig; the executor uses
//! nothing in here.

pub mod administrator;
mod call;
pub mod compare;
pub mod holder;
pub mod keys;
pub mod rights;

pub use call::CallError;
use serde_json::{Value, json};
use strongroom_domain::name::NamespaceName;

/// Says whose an object is.
pub const OWNER_LABEL: &str = "app.kubernetes.io/managed-by";

/// The value of [`OWNER_LABEL`] at what is ours, and the one field manager of our writes.
pub const OWNER: &str = "strongroom";

/// The account that reads namespaces and service accounts.
pub const READER: &str = "reader";

/// The account that reviews tokens.
pub const REVIEWER: &str = "reviewer";

/// The rights of the reader: exactly what the executor's watches and live reads ask for.
const READER_ROLE: &str = "strongroom-reader";

/// Of every cluster: may ask the API server about tokens and rights of others.
const DELEGATOR_ROLE: &str = "system:auth-delegator";

const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1";

/// One object that must be there.
#[derive(Debug, Clone, PartialEq)]
pub struct Needed {
    /// The path of its collection.
    pub collection: String,
    /// The object, with nothing in it that is not ours to say.
    pub body: Value,
}

impl Needed {
    fn text(&self, pointer: &str) -> &str {
        self.body.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    /// Its kind.
    pub fn kind(&self) -> &str {
        self.text("/kind")
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.text("/metadata/name")
    }

    /// Kind and name as `kubectl` takes them.
    pub fn shown(&self) -> String {
        let kind = self.kind().to_ascii_lowercase();
        match self.text("/metadata/namespace") {
            "" => format!("{kind}/{}", self.name()),
            namespace => format!("{kind}/{} -n {namespace}", self.name()),
        }
    }
}

/// What differs from cluster to cluster.
#[derive(Debug, Clone)]
pub struct Bootstrap {
    /// Where the accounts are.
    pub namespace: NamespaceName,
    /// Whether the engine asks this cluster about tokens; it checks signatures itself otherwise.
    pub with_reviewer: bool,
}

impl Bootstrap {
    /// The objects, in the order in which they can be made.
    pub fn objects(&self) -> Vec<Needed> {
        let accounts = format!("/api/v1/namespaces/{}/serviceaccounts", self.namespace);
        let mut objects = vec![
            Needed {
                collection: "/api/v1/namespaces".to_owned(),
                body: json!({
                    "apiVersion": "v1",
                    "kind": "Namespace",
                    "metadata": { "labels": labels(), "name": self.namespace },
                }),
            },
            Needed { collection: accounts.clone(), body: self.account(READER) },
        ];
        if self.with_reviewer {
            objects.push(Needed { collection: accounts, body: self.account(REVIEWER) });
        }
        objects.push(Needed {
            collection: format!("{RBAC}/clusterroles"),
            body: json!({
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "ClusterRole",
                "metadata": { "labels": labels(), "name": READER_ROLE },
                "rules": [{
                    "apiGroups": [""],
                    "resources": ["namespaces", "serviceaccounts"],
                    "verbs": ["get", "list", "watch"],
                }],
            }),
        });
        objects.push(self.binding(READER, READER_ROLE));
        if self.with_reviewer {
            objects.push(self.binding(REVIEWER, DELEGATOR_ROLE));
        }
        objects
    }

    /// No pod is to run as these accounts; one that does gets no token by itself.
    fn account(&self, name: &str) -> Value {
        json!({
            "apiVersion": "v1",
            "automountServiceAccountToken": false,
            "kind": "ServiceAccount",
            "metadata": { "labels": labels(), "name": name, "namespace": self.namespace },
        })
    }

    fn binding(&self, account: &str, role: &str) -> Needed {
        Needed {
            collection: format!("{RBAC}/clusterrolebindings"),
            body: json!({
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "ClusterRoleBinding",
                "metadata": { "labels": labels(), "name": format!("strongroom-{account}") },
                "roleRef": {
                    "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role,
                },
                "subjects": [{
                    "kind": "ServiceAccount", "name": account, "namespace": self.namespace,
                }],
            }),
        }
    }
}

fn labels() -> Value {
    json!({ OWNER_LABEL: OWNER })
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn objects(with_reviewer: bool) -> Vec<Needed> {
        let namespace = NamespaceName::new("strongroom-system").unwrap();
        Bootstrap { namespace, with_reviewer }.objects()
    }

    #[test]
    fn every_object_is_ours_and_a_cluster_of_public_keys_has_no_reviewer() {
        let shown = |objects: &[Needed]| -> Vec<String> {
            for object in objects {
                assert_eq!(object.body["metadata"]["labels"][OWNER_LABEL], OWNER);
            }
            objects.iter().map(Needed::shown).collect()
        };
        let all = [
            "namespace/strongroom-system",
            "serviceaccount/reader -n strongroom-system",
            "serviceaccount/reviewer -n strongroom-system",
            "clusterrole/strongroom-reader",
            "clusterrolebinding/strongroom-reader",
            "clusterrolebinding/strongroom-reviewer",
        ];
        assert_eq!(shown(&objects(true)), all);
        let without: Vec<&str> =
            all.into_iter().filter(|shown| !shown.contains("reviewer")).collect();
        assert_eq!(shown(&objects(false)), without);
    }

    #[test]
    fn the_role_is_what_the_reader_is_asked_about() {
        let objects = objects(true);
        let role = objects.iter().find(|object| object.kind() == "ClusterRole").unwrap();
        let rules = role.body["rules"].as_array().unwrap();
        let needed = rights::Account::Reader.needed().into_iter().collect();
        assert_eq!(rights::of_rules(rules), needed);
    }
}
