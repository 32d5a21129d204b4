//! How objects travel: the engine path of each, the body that writes it, and what of an answer
//! counts.
//!
//! The only place that knows both our fields and the engine's spelling of them. It sends nothing
//! itself, and a secret (a reviewer token) is added by the sender, never here.

mod jwt;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::name::ClusterName;
use crate::object::{Account, AnchorName, Fields, LoginMethod, ObjectKey, PEOPLE_MOUNT};
use crate::path::auth_mount;

/// The engine's ids of what stands in a group, by our names; and the other way round for reading.
#[derive(Debug, Clone, Default)]
pub struct Ids {
    /// External groups.
    pub anchors: BTreeMap<AnchorName, String>,
    /// Entities of service accounts.
    pub accounts: BTreeMap<Account, String>,
    /// The accessor of the people's auth mount.
    pub people_accessor: String,
}

/// The path that reads an object, and where its answer differs from the path that writes it.
pub fn read_path(key: &ObjectKey) -> String {
    match key {
        ObjectKey::AuthMount(cluster) => format!("sys/auth/{}", auth_mount(cluster)),
        ObjectKey::AuthConfig(cluster) => auth_config_path(cluster),
        ObjectKey::Mount(mount) => format!("sys/mounts/{mount}"),
        ObjectKey::MountConfig(mount) => format!("{mount}/config"),
        ObjectKey::RateLimit(_) => format!("sys/quotas/rate-limit/{}", key.name()),
        ObjectKey::Policy(name) => format!("sys/policies/acl/{name}"),
        ObjectKey::Role(..) => key.name(),
        // An alias comes with its group.
        ObjectKey::Anchor(anchor) | ObjectKey::AnchorAlias(anchor) => {
            format!("identity/group/name/{}", anchor.as_str())
        }
        ObjectKey::Group(name) => format!("identity/group/name/{name}"),
    }
}

fn auth_config_path(cluster: &ClusterName) -> String {
    format!("auth/{}/config", auth_mount(cluster))
}

/// A path with the tenant's names taken out, for logs and spans.
pub fn template(key: &ObjectKey) -> &'static str {
    match key {
        ObjectKey::AuthMount(_) => "sys/auth/k8s/{cluster}",
        ObjectKey::AuthConfig(_) => "auth/k8s/{cluster}/config",
        ObjectKey::Mount(_) => "sys/mounts/team/{team}/{mount}",
        ObjectKey::MountConfig(_) => "team/{team}/{mount}/config",
        ObjectKey::RateLimit(_) => "sys/quotas/rate-limit/{name}",
        ObjectKey::Policy(_) => "sys/policies/acl/{name}",
        ObjectKey::Role(..) => "auth/k8s/{cluster}/role/{namespace}",
        ObjectKey::Anchor(_) | ObjectKey::Group(_) => "identity/group/name/{name}",
        ObjectKey::AnchorAlias(_) => "identity/group-alias",
    }
}

/// Something an object's body needs is not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("write {object}: {missing} is not known")]
pub struct WireError {
    /// The object.
    pub object: String,
    /// What is missing.
    pub missing: String,
}

/// The path and body that write an object.
///
/// `members` are the entity ids that a group keeps; the caller decides them, never this function.
pub fn write(
    key: &ObjectKey,
    fields: &Fields,
    exists: bool,
    ids: &Ids,
    members: &[String],
) -> Result<(String, Value), WireError> {
    let missing = |what: &str| WireError { object: key.to_string(), missing: what.to_owned() };
    let pick = |names: &[&str]| -> Value {
        let pairs =
            names.iter().filter_map(|name| Some(((*name).to_owned(), fields.get(*name)?.clone())));
        Value::Object(pairs.collect::<Map<_, _>>())
    };
    let path = read_path(key);
    Ok(match key {
        ObjectKey::AuthMount(_) => (path, pick(&["type", "description"])),
        ObjectKey::AuthConfig(_) if fields.contains_key("kubernetes_host") => {
            (path, pick(&["kubernetes_host", "kubernetes_ca_cert", "disable_local_ca_jwt"]))
        }
        ObjectKey::AuthConfig(_) => (path, pick(&jwt::CONFIG)),
        ObjectKey::Mount(_) if exists => (format!("{path}/tune"), pick(&["description"])),
        ObjectKey::Mount(_) => {
            let mut body = pick(&["type", "description"]);
            body["options"] = json!({ "version": fields.get("version") });
            (path, body)
        }
        ObjectKey::MountConfig(_) => {
            (path, pick(&["max_versions", "cas_required", "delete_version_after"]))
        }
        ObjectKey::RateLimit(_) => (path, pick(&["path", "rate", "interval"])),
        ObjectKey::Policy(_) => (path, pick(&["policy", "expiration"])),
        ObjectKey::Role(..) if login(fields) == LoginMethod::Jwt => {
            (path, jwt::role_body(fields, pick(&TOKEN_FIELDS)))
        }
        ObjectKey::Role(..) => {
            // `token_policies` is refused by the executor's own policy in any spelling.
            let names: Vec<&str> = fields
                .keys()
                .map(String::as_str)
                .filter(|name| !matches!(*name, "token_policies"))
                .collect();
            (path, pick(&names))
        }
        ObjectKey::Anchor(_) => {
            (path, json!({ "type": "external", "metadata": { "owner": fields.get("owner") } }))
        }
        ObjectKey::AnchorAlias(anchor) => {
            let id = ids.anchors.get(anchor).ok_or_else(|| missing("the id of its group"))?;
            let body = json!({
                "name": fields.get("name"),
                "mount_accessor": ids.people_accessor,
                "canonical_id": id,
            });
            ("identity/group-alias".to_owned(), body)
        }
        ObjectKey::Group(_) => {
            let mut anchors = Vec::new();
            for name in texts(fields.get("anchors")) {
                let anchor = AnchorName::parse(&name).ok_or_else(|| missing(&name))?;
                anchors.push(ids.anchors.get(&anchor).ok_or_else(|| missing(&name))?);
            }
            let body = json!({
                "type": "internal",
                "policies": fields.get("policies"),
                "member_group_ids": anchors,
                "member_entity_ids": members,
                "metadata": { "owner": fields.get("owner") },
            });
            (path, body)
        }
    })
}

/// What of an engine's answer counts, in our fields.
///
/// Anything that gives rights and that we would never write shows up as a difference.
pub fn observed(key: &ObjectKey, data: &Value, ids: &Ids) -> Option<Fields> {
    let get = |name: &str| data.get(name).cloned().unwrap_or(Value::Null);
    let mut fields = Fields::new();
    let mut put = |name: &str, value: Value| {
        fields.insert(name.to_owned(), value);
    };
    match key {
        ObjectKey::AuthMount(_) => {
            put("type", get("type"));
            put("description", get("description"));
        }
        ObjectKey::AuthConfig(_) if data.get("jwt_validation_pubkeys").is_some() => {
            jwt::config_observed(data, &mut put);
        }
        ObjectKey::AuthConfig(_) => {
            put("kubernetes_host", get("kubernetes_host"));
            put("kubernetes_ca_cert", get("kubernetes_ca_cert"));
            put("disable_local_ca_jwt", get("disable_local_ca_jwt"));
            put("pem_keys", list_or_empty(&get("pem_keys")));
            let set = data.get("token_reviewer_jwt_set") == Some(&Value::Bool(true));
            put("token_reviewer", json!(if set { REVIEWER_SET } else { "not set" }));
        }
        ObjectKey::Mount(_) => {
            put("type", get("type"));
            put("version", data.pointer("/options/version").cloned().unwrap_or(Value::Null));
            put("description", get("description"));
        }
        ObjectKey::MountConfig(_) => {
            put("max_versions", get("max_versions"));
            put("cas_required", get("cas_required"));
            put("delete_version_after", get("delete_version_after"));
        }
        ObjectKey::RateLimit(_) => {
            put("path", get("path"));
            put("rate", whole(&get("rate")));
            put("interval", whole(&get("interval")));
            put("role", data.get("role").cloned().unwrap_or_else(|| json!("")));
        }
        ObjectKey::Policy(_) => {
            put("policy", get("policy"));
            if let Some(end) = data.get("expiration").filter(|end| is_time(end)) {
                put("expiration", end.clone());
            }
        }
        ObjectKey::Role(..) if data.get("role_type").is_some() => {
            jwt::role_observed(data, &mut put);
            for name in TOKEN_FIELDS {
                put(name, get(name));
            }
            put("token_policies", list_or_empty(&get("token_policies")));
        }
        ObjectKey::Role(..) => {
            put("bound_service_account_names", sorted(&get("bound_service_account_names")));
            put("bound_service_account_namespaces", get("bound_service_account_namespaces"));
            let selector = "bound_service_account_namespace_selector";
            put(selector, data.get(selector).cloned().unwrap_or_else(|| json!("")));
            put("audience", get("audience"));
            put("alias_name_source", get("alias_name_source"));
            put("token_policies", list_or_empty(&get("token_policies")));
            put("token_no_default_policy", get("token_no_default_policy"));
            put("token_period", get("token_period"));
            put("token_ttl", get("token_ttl"));
            put("token_max_ttl", get("token_max_ttl"));
            extras(data, &KUBERNETES_ROLE, &mut put);
        }
        ObjectKey::Anchor(_) => {
            put("type", get("type"));
            put("policies", list_or_empty(&get("policies")));
            put("owner", owner(data));
        }
        ObjectKey::AnchorAlias(_) => {
            let alias = data.get("alias").filter(|alias| alias.get("id").is_some())?;
            put("name", alias.get("name").cloned().unwrap_or(Value::Null));
            let accessor = alias.get("mount_accessor").and_then(Value::as_str).unwrap_or_default();
            let ours = accessor == ids.people_accessor;
            put("mount", json!(if ours { PEOPLE_MOUNT } else { accessor }));
        }
        ObjectKey::Group(_) => {
            put("type", get("type"));
            put("policies", sorted(&get("policies")));
            let name_of = |id: &String| {
                let known = ids.anchors.iter().find(|(_, known)| *known == id);
                known.map_or_else(
                    || format!("foreign group {id}"),
                    |(name, _)| name.as_str().to_owned(),
                )
            };
            let mut anchors: Vec<String> =
                texts(data.get("member_group_ids")).iter().map(name_of).collect();
            anchors.sort();
            put("anchors", json!(anchors));
            let name_of = |id: &String| {
                let known = ids.accounts.iter().find(|(_, known)| *known == id);
                known.map_or_else(|| format!("foreign entity {id}"), |(name, _)| name.to_string())
            };
            let mut accounts: Vec<String> =
                texts(data.get("member_entity_ids")).iter().map(name_of).collect();
            accounts.sort();
            put("accounts", json!(accounts));
            put("owner", owner(data));
        }
    }
    Some(fields)
}

/// What bounds a login's token, the same on every mount.
const TOKEN_FIELDS: [&str; 4] =
    ["token_no_default_policy", "token_period", "token_ttl", "token_max_ttl"];

/// The fields of a role that are written and compared one by one.
const KUBERNETES_ROLE: [&str; 10] = [
    "bound_service_account_names",
    "bound_service_account_namespaces",
    "bound_service_account_namespace_selector",
    "audience",
    "alias_name_source",
    "token_policies",
    "token_no_default_policy",
    "token_period",
    "token_ttl",
    "token_max_ttl",
];

/// Every field of an answer that is not `known` and is not what the engine has where nothing was
/// written. Which fields there are differs by version: one that nobody here has heard of counts too.
fn extras(data: &Value, known: &[&str], put: &mut impl FnMut(&str, Value)) {
    for (name, value) in data.as_object().into_iter().flatten() {
        let unset = match value {
            Value::Null | Value::Bool(false) => true,
            Value::Bool(true) => false,
            Value::Number(number) => number.as_f64() == Some(0.0),
            Value::String(text) => {
                text.is_empty() || UNSET.contains(&(name.as_str(), text.as_str()))
            }
            Value::Array(items) => items.is_empty(),
            Value::Object(fields) => fields.is_empty(),
        };
        if !unset && !known.contains(&name.as_str()) {
            put(name, value.clone());
        }
    }
}

/// What the engine says of fields that were never written, where that is a word.
const UNSET: [(&str, &str); 2] = [("token_type", "default"), ("callback_mode", "client")];

fn login(fields: &Fields) -> LoginMethod {
    match fields.get("login").and_then(Value::as_str) {
        Some("jwt") => LoginMethod::Jwt,
        _ => LoginMethod::Kubernetes,
    }
}

/// What an observed auth configuration says of a reviewer token that is there.
pub const REVIEWER_SET: &str = "set";

fn owner(data: &Value) -> Value {
    data.pointer("/metadata/owner").cloned().unwrap_or(Value::Null)
}

fn texts(value: Option<&Value>) -> Vec<String> {
    let items = value.and_then(Value::as_array);
    items.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn list_or_empty(value: &Value) -> Value {
    if value.is_null() { json!([]) } else { value.clone() }
}

fn sorted(value: &Value) -> Value {
    let mut items = texts(Some(value));
    items.sort();
    json!(items)
}

/// The engine writes some whole numbers as `100.0`.
fn whole(value: &Value) -> Value {
    match value.as_f64() {
        #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and small")]
        Some(number) if number.fract() == 0.0 && number.abs() < 1e15 => json!(number as i64),
        _ => value.clone(),
    }
}

/// Whether the engine's `expiration` names a time; zero times mean none.
fn is_time(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.is_empty() && !text.starts_with("0001-"))
}
