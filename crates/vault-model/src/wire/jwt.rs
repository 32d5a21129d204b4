//! The spelling of auth mounts that check a cluster's tokens by public keys.
//!
//! The alias is the account's UID here too, and what is bound are the same names; only the engine's
//! words differ. Whatever could widen a login and is never written shows up as a field of its own.

use serde_json::{Map, Value, json};

use super::{extras, sorted};
use crate::object::{Fields, LoginMethod, ROLE_NARROWS};

const UID: &str = "/kubernetes.io/serviceaccount/uid";
const ACCOUNT: &str = "/kubernetes.io/serviceaccount/name";
const NAMESPACE: &str = "/kubernetes.io/namespace";

/// The fields of a configuration that are written.
pub(super) const CONFIG: [&str; 7] = [
    "bound_issuer",
    "jwt_validation_pubkeys",
    "jwks_url",
    "jwks_ca_pem",
    "jwt_supported_algs",
    "oidc_discovery_url",
    "default_role",
];

/// The body that writes a role; `token` is what bounds its tokens.
pub(super) fn role_body(fields: &Fields, mut token: Value) -> Value {
    let get = |name: &str| fields.get(name).cloned().unwrap_or(Value::Null);
    let mut claims =
        fields.get("bound_claims").and_then(Value::as_object).cloned().unwrap_or_default();
    claims.insert(NAMESPACE.to_owned(), get("bound_service_account_namespaces"));
    claims.insert(ACCOUNT.to_owned(), get("bound_service_account_names"));
    let own = json!({
        "role_type": "jwt",
        "user_claim": UID,
        "user_claim_json_pointer": true,
        "bound_claims_type": "string",
        "bound_claims": claims,
        "bound_audiences": [get("audience")],
    });
    if let (Some(body), Value::Object(own)) = (token.as_object_mut(), own) {
        // What a hand has narrowed and is to stay so.
        let kept = ROLE_NARROWS.iter().filter_map(|name| Some((*name, fields.get(*name)?)));
        body.extend(kept.map(|(name, value)| (name.to_owned(), value.clone())));
        body.extend(own);
    }
    token
}

/// A configuration as it was read.
pub(super) fn config_observed(data: &Value, put: &mut impl FnMut(&str, Value)) {
    for name in CONFIG {
        put(name, data.get(name).cloned().unwrap_or(Value::Null));
    }
    for name in ["provider_config", "oidc_client_id"] {
        extras(&json!({ name: data.get(name) }), &[], put);
    }
}

/// A role as it was read.
pub(super) fn role_observed(data: &Value, put: &mut impl FnMut(&str, Value)) {
    let get = |name: &str| data.get(name).cloned().unwrap_or(Value::Null);
    put("login", json!(LoginMethod::Jwt.as_str()));
    let empty = Map::new();
    let mut claims = data.get("bound_claims").and_then(Value::as_object).unwrap_or(&empty).clone();
    put("bound_service_account_names", sorted(&claims.remove(ACCOUNT).unwrap_or_default()));
    put("bound_service_account_namespaces", claims.remove(NAMESPACE).unwrap_or_default());
    put("bound_service_account_namespace_selector", json!(""));
    if !claims.is_empty() {
        put("bound_claims", Value::Object(claims));
    }
    let audiences = get("bound_audiences");
    let one = audiences.as_array().filter(|all| all.len() == 1).and_then(|all| all.first());
    put("audience", one.cloned().unwrap_or(audiences.clone()));
    let by_uid = get("user_claim") == UID && get("user_claim_json_pointer") == true;
    let other = || format!("claim {}", get("user_claim"));
    put("alias_name_source", json!(if by_uid { "serviceaccount_uid".to_owned() } else { other() }));
    for (name, usual) in [("role_type", "jwt"), ("bound_claims_type", "string")] {
        if get(name) != usual {
            put(name, get(name));
        }
    }
    extras(data, &ROLE, put);
}

/// The fields of a role that are written or looked at one by one.
const ROLE: [&str; 11] = [
    "role_type",
    "user_claim",
    "user_claim_json_pointer",
    "bound_claims_type",
    "bound_claims",
    "bound_audiences",
    "token_policies",
    "token_no_default_policy",
    "token_period",
    "token_ttl",
    "token_max_ttl",
];
