//! The published JSON schema of documents.
//!
//! Written by hand next to the decoder, for editors and CI; a test holds both to the same answers
//! over a corpus. The decoder stays the judge: it also knows rules that cross fields.

use serde_json::{Value, json};

/// JSON Schema (2020-12) of all kinds of documents.
pub fn schema() -> Value {
    let slug = json!({
        "type": "string", "minLength": 2, "maxLength": 32, "pattern": "^[a-z][a-z0-9]*(-[a-z0-9]+)*$"
    });
    let label = json!({
        "type": "string", "minLength": 1, "maxLength": 63, "pattern": "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"
    });
    let account = json!({
        "type": "string", "minLength": 1, "maxLength": 253,
        "pattern": "^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$"
    });
    let group = json!({ "type": "string", "minLength": 1, "maxLength": 128 });
    let group_item = object(&json!({ "group": group }), &["group"]);
    let groups = json!({ "type": "array", "items": group_item, "maxItems": 1000 });
    let duration = json!({ "type": "string", "pattern": "^[0-9]+[smhd]$" });
    let votes = object(
        &json!({
            "owners": { "type": "integer", "minimum": 0, "maximum": 9 },
            "platform": { "type": "integer", "minimum": 0, "maximum": 9 },
        }),
        &[],
    );
    let access = object(
        &json!({
            "mount": slug,
            "path": {
                "type": "string", "maxLength": 512,
                "pattern": "^(\\*|[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*(/\\*)?)$",
                "description": "one secret (prod/api) or everything beneath a folder (prod/api/*)"
            },
            "level": { "enum": ["list", "read", "write", "admin"] },
        }),
        &["mount", "path", "level"],
    );
    let binding = object(
        &json!({
            "name": slug,
            "cluster": label,
            "namespace": label,
            "serviceAccounts": { "type": "array", "items": account, "minItems": 1, "maxItems": 1000 },
            "team": slug,
            "people": group_item,
            "access": { "type": "array", "items": access, "minItems": 1, "maxItems": 1000 },
            "until": { "type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$" },
        }),
        &["name", "access"],
    );
    let mount = object(
        &json!({
            "name": slug,
            "type": { "const": "kv-v2" },
            "maxVersions": { "type": "integer", "minimum": 1, "maximum": 1000 },
        }),
        &["name", "type"],
    );
    let claim = object(
        &json!({
            "cluster": label,
            "name": label,
            "environment": { "enum": ["production", "staging", "development"] },
            "tokenTtl": duration,
        }),
        &["cluster", "name", "environment"],
    );
    let team = object(
        &json!({
            "displayName": { "type": "string", "minLength": 1, "maxLength": 100 },
            "contact": { "type": "string", "minLength": 1, "maxLength": 200 },
            "people": object(
                &json!({
                    "owners": { "type": "array", "items": group_item, "minItems": 1, "maxItems": 1000 },
                    "editors": groups,
                    "viewers": groups,
                }),
                &["owners"],
            ),
            "mounts": { "type": "array", "items": mount, "maxItems": 1000 },
            "namespaces": { "type": "array", "items": claim, "maxItems": 1000 },
            "bindings": { "type": "array", "items": binding, "maxItems": 1000 },
            "limits": object(
                &json!({ "requestsPerSecond": { "type": "integer", "minimum": 1, "maximum": 1_000_000 } }),
                &[],
            ),
            "removed": { "type": "boolean" },
        }),
        &["displayName", "contact", "people"],
    );
    let certificates = json!({ "type": "string", "pattern": "^-----BEGIN CERTIFICATE-----" });
    let key = json!({ "type": "string", "pattern": "^-----BEGIN PUBLIC KEY-----" });
    let keys = json!({ "type": "array", "items": key, "minItems": 1, "maxItems": 10 });
    let jwks = object(
        &json!({
            "url": { "type": "string", "pattern": "^https://[^/]+[A-Za-z0-9/._~-]*$" },
            "ca": certificates,
        }),
        &["url"],
    );
    let cluster = object(
        &json!({
            "server": { "type": "string", "pattern": "^https://" },
            "ca": certificates,
            "auth": { "oneOf": [
                object(&json!({ "method": { "const": "kubernetes" } }), &["method"]),
                signed_by(&json!({ "keys": keys }), "keys"),
                signed_by(&json!({ "jwks": jwks }), "jwks"),
            ] },
            "audience": { "type": "string", "pattern": "^[A-Za-z0-9.:/_-]{1,200}$" },
            "credentials": label,
        }),
        &["server", "ca", "auth", "audience", "credentials"],
    );
    let platform = object(
        &json!({
            "approvals": object(
                &json!({ "low": votes, "normal": votes, "high": votes, "critical": votes }),
                &[],
            ),
            "ceilings": object(&json!({ "tokenTtl": duration }), &[]),
            "reservedNames": { "type": "array", "items": slug, "maxItems": 1000 },
        }),
        &[],
    );
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Strongroom documents",
        "oneOf": [
            kind("Team", &slug, &team),
            kind("Cluster", &label, &cluster),
            kind("Platform", &json!({ "const": "platform" }), &platform),
        ],
    })
}

/// A `jwt` login; `source` says where its keys come from.
fn signed_by(source: &Value, name: &str) -> Value {
    let mut properties = json!({
        "method": { "const": "jwt" },
        "issuer": { "type": "string", "pattern": "^[!-~]{1,300}$" },
    });
    properties[name] = source[name].clone();
    object(&properties, &["method", "issuer", name])
}

fn object(properties: &Value, required: &[&str]) -> Value {
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

fn kind(kind: &str, name: &Value, spec: &Value) -> Value {
    object(
        &json!({
            "apiVersion": { "const": super::API_VERSION },
            "kind": { "const": kind },
            "metadata": object(&json!({ "name": name }), &["name"]),
            "spec": spec,
        }),
        &["apiVersion", "kind", "metadata", "spec"],
    )
}
