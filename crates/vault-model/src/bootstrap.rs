//! What an engine needs before Strongroom can own it: the executor's policy and `AppRole`, the heads
//! mount, the people's sign-in, and the policy of what a token may do with itself.
//!
//! A pure list of requests, so that the same list serves the `initialize` stanza of a new engine
//! and the command that prepares an existing one. It holds no grant on any team's data.

pub mod compare;

use serde_json::{Value, json};

use crate::object::{HEADS_MOUNT, PEOPLE_MOUNT};
use crate::path::TeamMount;
use crate::policy::SELF_POLICY;

/// One write to a fresh engine.
#[derive(Debug, Clone, PartialEq)]
pub struct BootstrapRequest {
    /// A name for the request, unique in the list.
    pub name: &'static str,
    /// The path, without a leading slash.
    pub path: String,
    /// The body.
    pub data: Value,
}

/// What differs from engine to engine.
#[derive(Debug, Clone)]
pub struct Bootstrap {
    /// The provider that people sign in with at the engine.
    pub oidc_discovery_url: String,
    /// The engine's own client at the provider.
    pub oidc_client_id: String,
    /// Its secret.
    pub oidc_client_secret: String,
    /// The `RoleID` of the executor.
    pub executor_role_id: String,
    /// The first `SecretID` of the executor; it replaces it at its first login.
    pub executor_secret_id: String,
    /// The `RoleID` of the auditor.
    pub auditor_role_id: String,
    /// The `SecretID` of the auditor. It opens nothing but the question what a token may do.
    pub auditor_secret_id: String,
    /// Where the executor may log in from, as CIDR blocks.
    pub executor_addresses: Vec<String>,
}

/// What the executor may do in the engine, and nothing else.
///
/// Whoever may write policies and attach them to groups is root-equivalent inside the engine: these
/// rules stop accidents, not a thief (threat model). There is no rule for any team's data.
pub const EXECUTOR_POLICY: &str = r#"# The executor's own policy. No tenant data, no deletion of mounts, no audit devices, no snapshots.
path "sys/policies/acl/team.*" { capabilities = ["create", "read", "update", "delete"] }
path "sys/policies/acl/strongroom.self" { capabilities = ["read"] }
path "sys/policies/acl" { capabilities = ["list"] }
path "sys/policies/detailed/acl" { capabilities = ["list"] }
path "sys/mounts" { capabilities = ["read"] }
path "sys/mounts/team/*" { capabilities = ["create", "read", "update"] }
path "team/+/+/config" { capabilities = ["create", "read", "update"] }
path "sys/auth" { capabilities = ["read"] }
path "sys/auth/people" { capabilities = ["read", "sudo"] }
path "sys/auth/k8s/+" {
  capabilities = ["create", "read", "update", "sudo"]
  allowed_parameters = {
    "type" = ["kubernetes", "jwt"]
    "description" = []
  }
}
path "auth/k8s/+/config" { capabilities = ["create", "read", "update"] }
path "auth/k8s/+/role/" { capabilities = ["list"] }
path "auth/k8s/+/role/+" {
  capabilities = ["create", "read", "update", "delete"]
  denied_parameters = {
    "token_policies" = []
    "policies" = []
  }
}
path "identity/entity/name/sa.*" { capabilities = ["read", "delete"] }
path "identity/entity/id/+" {
  capabilities = ["read", "update", "delete"]
  denied_parameters = { "policies" = [] }
}
path "identity/entity-alias" {
  capabilities = ["create", "update"]
  denied_parameters = {
    "canonical_id" = []
    "entity_id" = []
    "id" = []
  }
}
path "identity/lookup/entity" { capabilities = ["create", "update"] }
path "identity/group/name" { capabilities = ["list"] }
path "identity/group/name/team.*" { capabilities = ["create", "read", "update", "delete"] }
path "identity/group/name/people.*" {
  capabilities = ["create", "read", "update"]
  denied_parameters = { "policies" = [] }
}
path "identity/group-alias" { capabilities = ["create", "update"] }
path "sys/quotas/rate-limit/team.*" { capabilities = ["create", "read", "update", "delete"] }
path "strongroom/data/*" { capabilities = ["create", "read", "update"] }
path "strongroom/metadata/*" { capabilities = ["list", "read"] }
path "sys/audit" { capabilities = ["read", "sudo"] }
path "auth/approle/role/strongroom-executor/secret-id" { capabilities = ["create", "update"] }
path "auth/approle/role/strongroom-executor/secret-id/destroy" { capabilities = ["create", "update"] }
path "sys/capabilities-self" { capabilities = ["create", "update"] }
path "auth/token/lookup-self" { capabilities = ["read"] }
path "auth/token/renew-self" { capabilities = ["create", "update"] }
path "auth/token/revoke-self" { capabilities = ["create", "update"] }
"#;

/// What any token may do with itself; without it an agent cannot renew.
pub const SELF_POLICY_TEXT: &str = r#"# What a token may do with itself. Shared by all groups of Strongroom; names no tenant path.
path "auth/token/lookup-self" { capabilities = ["read"] }
path "auth/token/renew-self" { capabilities = ["update"] }
path "auth/token/revoke-self" { capabilities = ["update"] }
path "sys/capabilities-self" { capabilities = ["update"] }
path "sys/leases/renew" { capabilities = ["update"] }
path "sys/leases/revoke" { capabilities = ["update"] }
path "sys/wrapping/unwrap" { capabilities = ["update"] }
"#;

/// What the auditor may do: ask what a token may do.
pub const AUDITOR_POLICY: &str = r#"# The auditor's own policy: it asks what a token may do, and reads no secret.
path "sys/capabilities-accessor" { capabilities = ["create", "update"] }
path "auth/token/lookup-accessor" { capabilities = ["create", "update"] }
path "sys/policies/acl/strongroom-executor" { capabilities = ["read"] }
path "auth/token/lookup-self" { capabilities = ["read"] }
path "auth/token/renew-self" { capabilities = ["create", "update"] }
path "auth/token/revoke-self" { capabilities = ["create", "update"] }
"#;

/// What the executor's token must be refused: data of these mounts, and what belongs to the engine's
/// administrators.
pub fn forbidden_paths(mounts: &[TeamMount]) -> Vec<String> {
    const BELOW: [&str; 6] = ["data", "metadata", "subkeys", "delete", "undelete", "destroy"];
    const OTHERS: [&str; 29] = [
        "sys/audit/one",
        "sys/raw/x",
        "sys/storage/raft/snapshot",
        "sys/storage/raft/snapshot-force",
        "sys/storage/raft/configuration",
        "sys/plugins/catalog/secret/x",
        "sys/generate-root/attempt",
        "sys/generate-root-token/attempt",
        "sys/seal",
        "sys/step-down",
        "sys/remount",
        "sys/rotate",
        "sys/namespaces/x",
        "sys/policies/acl/strongroom-executor",
        "sys/policies/acl/strongroom-auditor",
        "sys/policies/acl/default",
        "sys/mounts/secret",
        "sys/auth/approle",
        "sys/config/auditing/request-headers/x-strongroom-write",
        "auth/token/create",
        "auth/token/create-orphan",
        "auth/token/accessors/",
        "auth/people/config",
        "auth/people/role/people",
        "auth/approle/role/strongroom-executor",
        "identity/entity/merge",
        "identity/group/name/admins",
        "identity/oidc/key/default",
        "cubbyhole/x",
    ];
    let of_mounts = mounts
        .iter()
        .flat_map(|mount| BELOW.iter().map(move |area| format!("{mount}/{area}/strongroom-asks")));
    of_mounts.chain(OTHERS.iter().map(ToString::to_string)).collect()
}

/// The name of the auditor's `AppRole`.
pub const AUDITOR_ROLE: &str = "strongroom-auditor";

/// The name of the executor's `AppRole`.
pub const EXECUTOR_ROLE: &str = "strongroom-executor";

impl Bootstrap {
    /// The requests, in order. The last ones need the provider to be reachable from the engine.
    pub fn requests(&self) -> Vec<BootstrapRequest> {
        let request = |name, path: String, data| BootstrapRequest { name, path, data };
        let role = format!("auth/approle/role/{EXECUTOR_ROLE}");
        let auditor = format!("auth/approle/role/{AUDITOR_ROLE}");
        let people = format!("auth/{PEOPLE_MOUNT}");
        vec![
            request(
                "executor-policy",
                format!("sys/policies/acl/{EXECUTOR_ROLE}"),
                json!({ "policy": EXECUTOR_POLICY }),
            ),
            request(
                "self-policy",
                format!("sys/policies/acl/{SELF_POLICY}"),
                json!({ "policy": SELF_POLICY_TEXT }),
            ),
            // Joins the executor's journal with the engine's audit log: most writes are answered
            // without the engine's own request id.
            request(
                "write-id",
                "sys/config/auditing/request-headers/x-strongroom-write".into(),
                json!({ "hmac": false }),
            ),
            request("approle", "sys/auth/approle".into(), json!({ "type": "approle" })),
            request(
                "executor-role",
                role.clone(),
                json!({
                    "token_policies": [EXECUTOR_ROLE],
                    "token_no_default_policy": true,
                    "token_ttl": "10m",
                    "token_max_ttl": "1h",
                    "token_bound_cidrs": self.executor_addresses,
                    "secret_id_bound_cidrs": self.executor_addresses,
                }),
            ),
            request(
                "executor-role-id",
                format!("{role}/role-id"),
                json!({ "role_id": self.executor_role_id }),
            ),
            request(
                "executor-secret-id",
                format!("{role}/custom-secret-id"),
                json!({ "secret_id": self.executor_secret_id }),
            ),
            request(
                "auditor-policy",
                format!("sys/policies/acl/{AUDITOR_ROLE}"),
                json!({ "policy": AUDITOR_POLICY }),
            ),
            request(
                "auditor-role",
                auditor.clone(),
                json!({
                    "token_policies": [AUDITOR_ROLE],
                    "token_no_default_policy": true,
                    "token_ttl": "10m",
                    "token_max_ttl": "1h",
                    "token_bound_cidrs": self.executor_addresses,
                    "secret_id_bound_cidrs": self.executor_addresses,
                }),
            ),
            request(
                "auditor-role-id",
                format!("{auditor}/role-id"),
                json!({ "role_id": self.auditor_role_id }),
            ),
            request(
                "auditor-secret-id",
                format!("{auditor}/custom-secret-id"),
                json!({ "secret_id": self.auditor_secret_id }),
            ),
            request(
                "heads",
                format!("sys/mounts/{HEADS_MOUNT}"),
                json!({
                    "type": "kv",
                    "options": { "version": "2" },
                    "description": "Strongroom's heads: what is applied. Do not edit or delete.",
                }),
            ),
            request("people", format!("sys/{people}"), json!({ "type": "oidc" })),
            request(
                "people-config",
                format!("{people}/config"),
                json!({
                    "oidc_discovery_url": self.oidc_discovery_url,
                    "oidc_client_id": self.oidc_client_id,
                    "oidc_client_secret": self.oidc_client_secret,
                    "default_role": "people",
                }),
            ),
            request(
                "people-role",
                format!("{people}/role/people"),
                json!({
                    "role_type": "oidc",
                    "user_claim": "sub",
                    "groups_claim": "groups",
                    "oidc_scopes": ["groups"],
                    "allowed_redirect_uris": ["http://127.0.0.1/oidc/callback"],
                    "token_no_default_policy": true,
                    "token_ttl": "15m",
                    "token_max_ttl": "1h",
                }),
            ),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn bootstrap() -> Bootstrap {
        Bootstrap {
            oidc_discovery_url: "https://idp.example.com".into(),
            oidc_client_id: "engine".into(),
            oidc_client_secret: "secret".into(),
            executor_role_id: "role".into(),
            executor_secret_id: "first".into(),
            auditor_role_id: "auditor".into(),
            auditor_secret_id: "second".into(),
            executor_addresses: vec!["10.0.0.5/32".into()],
        }
    }

    #[test]
    fn every_request_has_a_name_of_its_own() {
        let requests = bootstrap().requests();
        let names: std::collections::BTreeSet<&str> =
            requests.iter().map(|request| request.name).collect();
        assert_eq!(names.len(), requests.len());
    }
}
