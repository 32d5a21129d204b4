//! What an engine that is there already holds of what Strongroom needs: the same, nothing, something
//! older of ours, or something of somebody else's.

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde_json::Value;

use super::BootstrapRequest;

/// How the engine stands to one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It is there as it should be.
    Same,
    /// It is not there.
    New,
    /// It is there by a name of ours, and holds something else: a sentence per field.
    Differs(Vec<String>),
    /// It is somebody else's, and must not be touched.
    Foreign(String),
}

/// Where a request's object is read back. A `SecretID` is never told again: the engine lists those that
/// there are.
pub fn read_at(request: &BootstrapRequest) -> String {
    match request.name {
        "approle" | "people" => "sys/auth".to_owned(),
        "heads" => "sys/mounts".to_owned(),
        _ => request.path.replace("/custom-secret-id", "/secret-id"),
    }
}

/// Whether [`read_at`] is a list: then what was read are its names.
pub fn is_listed(request: &BootstrapRequest) -> bool {
    request.name.ends_with("-secret-id")
}

/// Compares what was read there with what the request writes.
pub fn compare(request: &BootstrapRequest, read: Option<&Value>) -> Standing {
    let Some(read) = read else { return Standing::New };
    match request.name {
        "approle" | "people" => mount(request, read, "sys/auth/", &["type"]),
        "heads" => mount(request, read, "sys/mounts/", &["type", "options", "description"]),
        "write-id" => {
            let header = request.path.rsplit('/').next().unwrap_or_default();
            fields(&request.data, read.get(header).unwrap_or(read))
        }
        name if name.ends_with("-secret-id") => match read.as_array().map(Vec::as_slice) {
            Some([_, ..]) => Standing::Same,
            _ => Standing::New,
        },
        name if name.ends_with("-role-id") => match fields(&request.data, read) {
            Standing::Differs(_) => Standing::Differs(vec!["the RoleID is another one".into()]),
            same => same,
        },
        "executor-role" | "auditor-role" => {
            fields(&with(&request.data, &[("bind_secret_id", true.into())]), read)
                .and_absent(read, &["token_period", "policies"])
        }
        "people-role" => fields(&request.data, read)
            .and_absent(read, &["token_policies", "policies", "token_period"]),
        // By another provider, client or keys it is a sign-in of somebody else's.
        "people-config" => match fields(&without(&request.data, "oidc_client_secret"), read) {
            Standing::Differs(why) => Standing::Foreign(format!(
                "people sign in there otherwise already ({})",
                why.join("; ")
            )),
            same => same,
        },
        _ => fields(&request.data, read),
    }
}

impl Standing {
    /// What must not be set, however it stands otherwise.
    fn and_absent(self, read: &Value, names: &[&str]) -> Self {
        let is_set = |name: &&&str| match read.get(**name) {
            None | Some(Value::Null) => false,
            Some(Value::Array(items)) => !items.is_empty(),
            Some(Value::Number(number)) => number.as_i64() != Some(0),
            Some(_) => true,
        };
        let mut why: Vec<String> = names
            .iter()
            .filter(is_set)
            .map(|name| format!("{name} is {}, and must not be set", read[*name]))
            .collect();
        match self {
            Self::Same if !why.is_empty() => Self::Differs(why),
            Self::Differs(mut more) => {
                more.append(&mut why);
                Self::Differs(more)
            }
            other => other,
        }
    }
}

/// A mount at our path that is not just what we would make, or one beneath it, is somebody else's.
fn mount(request: &BootstrapRequest, all: &Value, prefix: &str, names: &[&str]) -> Standing {
    let path = request.path.strip_prefix(prefix).unwrap_or(&request.path);
    let own = format!("{path}/");
    let mut keys = all.as_object().into_iter().flatten().map(|(key, _)| key);
    if let Some(beneath) = keys.find(|key| key.starts_with(&own) && **key != own) {
        return Standing::Foreign(format!("{beneath} is mounted beneath it"));
    }
    let Some(found) = all.get(&own) else { return Standing::New };
    let other = names.iter().find(|name| {
        request.data.get(**name).is_some_and(|wanted| !same(name, wanted, found.get(**name)))
    });
    let Some(name) = other else { return Standing::Same };
    let is = found.get(*name).unwrap_or(&Value::Null);
    let mut why = format!("there is something else already: its {name} is {is}");
    if *name == "description" {
        // Made by hand before this command was there: only whoever made it knows.
        why.push_str(
            "; if it is Strongroom's, give it the description of `sys/mounts/strongroom` here",
        );
    }
    Standing::Foreign(why)
}

fn fields(wanted: &Value, read: &Value) -> Standing {
    let wanted = wanted.as_object().into_iter().flatten();
    let differs: Vec<String> = wanted
        .filter(|(name, wanted)| !same(name, wanted, read.get(*name)))
        .map(|(name, wanted)| match (name.as_str(), read.get(name)) {
            ("policy", Some(_)) => "the policy's text is another one".to_owned(),
            (_, None) => format!("{name} is not set, {wanted} is needed"),
            (_, Some(is)) => format!("{name} is {is}, {wanted} is needed"),
        })
        .collect();
    if differs.is_empty() { Standing::Same } else { Standing::Differs(differs) }
}

fn with(data: &Value, more: &[(&str, Value)]) -> Value {
    let mut data = data.clone();
    for (name, value) in more {
        data[*name] = value.clone();
    }
    data
}

fn without(data: &Value, name: &str) -> Value {
    let mut data = data.clone();
    if let Some(fields) = data.as_object_mut() {
        fields.remove(name);
    }
    data
}

/// Engines tell durations in seconds, lists in an order of their own, and addresses in a spelling of
/// their own.
fn same(name: &str, wanted: &Value, read: Option<&Value>) -> bool {
    match (wanted, read) {
        (Value::String(text), Some(Value::Number(number))) => seconds(text) == number.as_i64(),
        (Value::Array(wanted), Some(Value::Array(read))) if name.ends_with("_bound_cidrs") => {
            let set = |items: &[Value]| -> Option<BTreeSet<(IpAddr, u8)>> {
                items.iter().map(|item| network(item.as_str()?)).collect()
            };
            set(wanted).is_some_and(|wanted| Some(wanted) == set(read))
        }
        (Value::Array(wanted), Some(Value::Array(read))) => {
            let set = |items: &[Value]| -> BTreeSet<String> {
                items.iter().map(ToString::to_string).collect()
            };
            set(wanted) == set(read)
        }
        (wanted, Some(read)) => wanted == read,
        (_, None) => false,
    }
}

/// A network; a bare address is all of its bits.
pub fn network(text: &str) -> Option<(IpAddr, u8)> {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address.parse().ok()?, Some(bits.parse().ok()?)),
        None => (text.parse().ok()?, None),
    };
    let most = match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    };
    let bits = bits.unwrap_or(most);
    (bits <= most).then_some((address, bits))
}

fn seconds(text: &str) -> Option<i64> {
    let (number, unit) = text.split_at(text.len().checked_sub(1)?);
    let factor = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return None,
    };
    number.parse::<i64>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::bootstrap::tests::bootstrap;

    fn request(name: &str) -> BootstrapRequest {
        bootstrap().requests().into_iter().find(|request| request.name == name).unwrap()
    }

    #[test]
    fn what_an_engine_tells_of_our_own_is_the_same() {
        let role = request("executor-role");
        let told = json!({
            "token_policies": ["strongroom-executor"], "token_no_default_policy": true,
            "token_ttl": 600, "token_max_ttl": 3600, "token_bound_cidrs": ["10.0.0.5"],
            "secret_id_bound_cidrs": ["10.0.0.5/32"], "bind_secret_id": true,
            "token_period": 0, "token_type": "default",
        });
        assert_eq!(compare(&role, Some(&told)), Standing::Same);
        let mut wider = told.clone();
        wider["token_ttl"] = json!(86_400);
        let Standing::Differs(why) = compare(&role, Some(&wider)) else { panic!() };
        assert_eq!(why, ["token_ttl is 86400, \"10m\" is needed"]);
        assert_eq!(compare(&role, None), Standing::New);
        let header = json!({ "x-strongroom-write": { "hmac": false } });
        assert_eq!(compare(&request("write-id"), Some(&header)), Standing::Same);
        // A SecretID is due as long as the role has none at all.
        let secret = request("executor-secret-id");
        assert_eq!(read_at(&secret), "auth/approle/role/strongroom-executor/secret-id");
        assert!(is_listed(&secret) && !is_listed(&role));
        assert_eq!(compare(&secret, None), Standing::New);
        assert_eq!(compare(&secret, Some(&json!(["accessor"]))), Standing::Same);
        let other = compare(&request("executor-role-id"), Some(&json!({ "role_id": "x" })));
        assert_eq!(other, Standing::Differs(vec!["the RoleID is another one".into()]));
    }

    #[test]
    fn what_would_open_a_role_wider_is_a_change() {
        let people = request("people-role");
        let mut told = people.data.clone();
        (told["token_ttl"], told["token_max_ttl"]) = (json!(900), json!(3600));
        told["token_policies"] = json!([]);
        assert_eq!(compare(&people, Some(&told)), Standing::Same);
        told["token_policies"] = json!(["admin"]);
        assert!(matches!(compare(&people, Some(&told)), Standing::Differs(_)));
        let networks = ["10.0.0.0/8", "::1", "fe80::/10", "10.0.0.5"];
        assert!(networks.iter().all(|text| network(text).is_some()));
        for bad in ["", "10.0.0.0/33", "x/8", "10.0.0.0/", "::1/129", "10.0.0"] {
            assert_eq!(network(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_others_have_at_our_places_is_foreign() {
        let auth = json!({ "approle/": { "type": "approle" }, "people/": { "type": "userpass" } });
        assert_eq!(compare(&request("approle"), Some(&auth)), Standing::Same);
        assert!(matches!(compare(&request("people"), Some(&auth)), Standing::Foreign(_)));
        let mounts = json!({ "strongroom/": {
            "type": "kv", "options": { "version": "2" }, "description": "a team's own",
        } });
        assert!(matches!(compare(&request("heads"), Some(&mounts)), Standing::Foreign(_)));
        assert_eq!(compare(&request("heads"), Some(&json!({}))), Standing::New);
        let beneath = json!({ "strongroom/kv/": { "type": "kv" } });
        assert!(matches!(compare(&request("heads"), Some(&beneath)), Standing::Foreign(_)));
        let config = |client: &str| {
            let url = "https://idp.example.com";
            json!({ "oidc_discovery_url": url, "oidc_client_id": client, "default_role": "people" })
        };
        let people = request("people-config");
        assert_eq!(compare(&people, Some(&config("engine"))), Standing::Same);
        assert!(matches!(compare(&people, Some(&config("other"))), Standing::Foreign(_)));
        let keys = json!({ "jwks_url": "https://other.example.com" });
        assert!(matches!(compare(&people, Some(&keys)), Standing::Foreign(_)));
        assert_eq!(compare(&people, None), Standing::New);
    }
}
