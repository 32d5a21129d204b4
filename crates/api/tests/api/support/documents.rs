//! Documents that tests propose and apply.

use serde_json::{Value, json};
use strongroom_domain::document::Document;

/// The team of the design, with its binding.
pub fn payments() -> Value {
    team("payments", "payments-leads", "payments-dev", "payments-prod")
}

/// Another tenant.
pub fn orders() -> Value {
    team("orders", "orders-leads", "orders-dev", "orders-prod")
}

/// A team with one claim and one binding, in the normal form.
pub fn team(name: &str, owners: &str, editors: &str, namespace: &str) -> Value {
    normal(&json!({
        "apiVersion": "strongroom.dev/v1",
        "kind": "Team",
        "metadata": { "name": name },
        "spec": {
            "displayName": name.to_uppercase(),
            "contact": format!("{name}@example.com"),
            "people": {
                "owners": [{ "group": owners }],
                "editors": [{ "group": editors }],
                "viewers": [],
            },
            "mounts": [{ "name": "kv", "type": "kv-v2", "maxVersions": 10 }],
            "namespaces": [{
                "cluster": "prod-eu", "name": namespace, "environment": "production",
                "tokenTtl": "20m",
            }],
            "bindings": [{
                "name": "api", "cluster": "prod-eu", "namespace": namespace,
                "serviceAccounts": ["api"],
                "access": [{ "mount": "kv", "path": "prod/api/*", "level": "read" }],
            }],
        },
    }))
}

/// The cluster of the design.
pub fn prod_eu() -> Value {
    normal(&json!({
        "apiVersion": "strongroom.dev/v1",
        "kind": "Cluster",
        "metadata": { "name": "prod-eu" },
        "spec": {
            "server": "https://kubernetes.example.com:6443",
            "ca": "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
            "auth": { "method": "kubernetes" },
            "audience": "strongroom",
            "credentials": "prod-eu",
        },
    }))
}

/// Platform rules that reserve a name.
pub fn platform(reserved: &str) -> Value {
    normal(&json!({
        "apiVersion": "strongroom.dev/v1",
        "kind": "Platform",
        "metadata": { "name": "platform" },
        "spec": { "reservedNames": [reserved] },
    }))
}

/// The normal form of a document.
pub fn normal(value: &Value) -> Value {
    Document::from_value(value).unwrap().to_value()
}
