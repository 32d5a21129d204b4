//! What an answer means: a good one is taken apart, a bad one becomes an error by what the caller
//! may do next.
//!
//! Answers are hostile input: bounded in size and depth, and only JSON objects count. A write that
//! is answered with anything else has an unknown outcome, never a good one.

use std::fmt;
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use serde_json::Value;

use crate::client::Call;
use crate::error::{EngineError, Failure};

/// The largest answer that is read.
pub(crate) const MAX_ANSWER: usize = 16 * 1024 * 1024;

/// The largest answer of a bulk read: policies of some thirty thousand teams.
pub(crate) const MAX_BULK: usize = 64 * 1024 * 1024;

/// A good answer. Fields that we do not know stay in `data`.
///
/// Its `Debug` shows neither `data` nor `auth`: they hold secrets and tokens.
#[derive(Clone, Default)]
pub struct Envelope {
    /// The HTTP status.
    pub status: u16,
    /// The answer's `data`, or the whole body where there is no envelope (`sys/health`).
    pub data: Value,
    /// The answer's `auth`, for logins.
    pub auth: Value,
    /// Warnings of the engine.
    pub warnings: Vec<String>,
    /// The engine's id of the request, where it told one: an answer without a body tells none.
    pub request_id: Option<String>,
    /// Our own id of a write. It travels in [`crate::WRITE_ID_HEADER`], which the engine's audit
    /// log records beside its own id of the request.
    pub write_id: Option<String>,
}

impl fmt::Debug for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Envelope")
            .field("status", &self.status)
            .field("warnings", &self.warnings)
            .field("request_id", &self.request_id)
            .field("write_id", &self.write_id)
            .finish_non_exhaustive()
    }
}

/// What the head of an answer says.
#[derive(Debug)]
pub(crate) struct Head {
    status: StatusCode,
    retry_after: Option<Duration>,
    is_json: bool,
}

impl Head {
    pub(crate) fn of(status: StatusCode, headers: &HeaderMap) -> Self {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let seconds = text(RETRY_AFTER).and_then(|seconds| seconds.parse().ok());
        Self {
            status,
            retry_after: seconds.map(Duration::from_secs),
            is_json: text(CONTENT_TYPE).is_some_and(|kind| kind.starts_with("application/json")),
        }
    }
}

impl Head {
    /// Whether the answer is one that a good one may stand in.
    pub(crate) fn is_good(&self) -> bool {
        self.status.is_success() && self.is_json
    }
}

/// Takes a whole answer apart.
pub(crate) fn classify(call: &Call<'_>, head: &Head, body: &[u8]) -> Result<Envelope, EngineError> {
    // serde_json refuses more than 128 levels by itself.
    let json: Option<Value> = if body.is_empty() {
        Some(Value::Null)
    } else {
        serde_json::from_slice(body).ok().filter(|json: &Value| head.is_json && json.is_object())
    };
    if head.status.is_success() {
        let json = json.ok_or_else(|| {
            let why = "it is not a JSON object of reasonable depth";
            EngineError::new(Failure::Malformed(why.into()), call.template)
        })?;
        return Ok(open(head.status, json));
    }
    let json = json.unwrap_or_default();
    let mut error = EngineError::new(failure(call, head, &json), call.template);
    error.request_id = request_id(&json);
    Err(error)
}

fn request_id(json: &Value) -> Option<String> {
    json.get("request_id").and_then(Value::as_str).map(str::to_owned)
}

fn texts<'a>(json: &'a Value, name: &str) -> impl Iterator<Item = &'a str> {
    let items = json.get(name).and_then(Value::as_array);
    items.into_iter().flatten().filter_map(Value::as_str)
}

fn open(status: StatusCode, mut json: Value) -> Envelope {
    let request_id = request_id(&json);
    let warnings = texts(&json, "warnings").map(str::to_owned).collect();
    let mut take = |name: &str| json.get_mut(name).map(Value::take).unwrap_or_default();
    let auth = take("auth");
    let data = if request_id.is_some() { take("data") } else { json };
    Envelope { status: status.as_u16(), data, auth, warnings, request_id, write_id: None }
}

fn failure(call: &Call<'_>, head: &Head, json: &Value) -> Failure {
    let errors: Vec<String> =
        texts(json, "errors").map(|text| text.trim().chars().take(500).collect()).collect();
    let says = |what: &str| errors.iter().any(|error| error.contains(what));
    match head.status.as_u16() {
        301..=308 => Failure::Malformed("a redirect; give the address of the active node".into()),
        400 if says("check-and-set parameter did not match") => Failure::CasMismatch,
        400 | 405 | 409 | 413 | 422 => Failure::Invalid(errors),
        401 | 403 => Failure::Denied,
        // A deleted version of a KV value answers with what is left of it.
        404 if json.get("data").is_some_and(Value::is_object) => Failure::Deleted,
        404 => Failure::NotFound,
        // The same number means two things: a standby tells its state, a quota refuses a request.
        429 if call.path == "sys/health" => Failure::Standby,
        429 => Failure::RateLimited(head.retry_after),
        472..=474 => Failure::Standby,
        501 => Failure::NotInitialized,
        503 if says("sealed") || call.path == "sys/health" => Failure::Sealed,
        // 412: this node has not yet seen what another one wrote.
        status @ (412 | 500..) => Failure::Server(status),
        other => Failure::Malformed(format!("status {other}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Method;

    fn answer(path: &str, status: u16, headers: &[(&str, &str)], body: &str) -> Failure {
        let mut map = HeaderMap::new();
        map.insert(CONTENT_TYPE, "application/json".parse().unwrap());
        for (name, value) in headers {
            let name: reqwest::header::HeaderName = name.parse().unwrap();
            map.insert(name, value.parse().unwrap());
        }
        let call = Call::new(Method::Get, path, "{path}");
        let head = Head::of(StatusCode::from_u16(status).unwrap(), &map);
        classify(&call, &head, body.as_bytes()).unwrap_err().failure
    }

    #[test]
    fn one_failure_per_thing_that_a_caller_can_do() {
        let sealed = r#"{"errors":["Vault is sealed"]}"#;
        let cas = r#"{"errors":["check-and-set parameter did not match the current version"]}"#;
        let wrong = r#"{"errors":["path is already in use at team/a/kv/"]}"#;
        let after = [("retry-after", "7")];
        let table = [
            (answer("kv/x", 400, &[], cas), Failure::CasMismatch),
            (
                answer("kv/x", 400, &[], wrong),
                Failure::Invalid(vec!["path is already in use at team/a/kv/".into()]),
            ),
            (answer("kv/x", 403, &[], ""), Failure::Denied),
            (answer("kv/x", 404, &[], ""), Failure::NotFound),
            (
                answer("kv/x", 404, &[], r#"{"request_id":"r","data":{"data":null}}"#),
                Failure::Deleted,
            ),
            (answer("kv/x", 412, &[], ""), Failure::Server(412)),
            (answer("kv/x", 429, &after, ""), Failure::RateLimited(Some(Duration::from_secs(7)))),
            (answer("kv/x", 429, &[("retry-after", "soon")], ""), Failure::RateLimited(None)),
            (answer("sys/health", 429, &after, "{}"), Failure::Standby),
            (answer("kv/x", 473, &[], ""), Failure::Standby),
            (answer("kv/x", 501, &[], ""), Failure::NotInitialized),
            (answer("kv/x", 503, &[], sealed), Failure::Sealed),
            (answer("sys/health", 503, &[], "{}"), Failure::Sealed),
            (answer("kv/x", 503, &[], "{}"), Failure::Server(503)),
            (answer("kv/x", 500, &[], "<html>"), Failure::Server(500)),
        ];
        for (index, (found, expected)) in table.into_iter().enumerate() {
            assert_eq!(found, expected, "row {index}");
        }
    }

    #[test]
    fn only_a_json_object_is_a_good_answer() {
        let html = [("content-type", "text/html")];
        let deep = format!("{}1{}", "{\"a\":".repeat(200), "}".repeat(200));
        for (headers, body) in [
            (&[][..], "\"ok\""),
            (&[][..], "[]"),
            (&[][..], "{\"a\":"),
            (&[][..], deep.as_str()),
            (&html[..], "{}"),
        ] {
            let failure = answer("kv/x", 200, headers, body);
            assert!(matches!(failure, Failure::Malformed(_)), "{body}");
        }
        let redirect = [("location", "https://elsewhere.example/")];
        let failure = answer("kv/x", 307, &redirect, "");
        assert!(matches!(failure, Failure::Malformed(_)));
    }

    #[test]
    fn unknown_fields_are_kept_and_nothing_secret_is_shown() {
        let body = r#"{"request_id":"r1","data":{"value":"hidden","later":[1]},"warnings":["w"],
                       "auth":{"client_token":"s.hidden"}}"#;
        let mut map = HeaderMap::new();
        map.insert(CONTENT_TYPE, "application/json".parse().unwrap());
        let call = Call::new(Method::Get, "kv/x", "{path}");
        let head = Head::of(StatusCode::OK, &map);
        let envelope = classify(&call, &head, body.as_bytes()).unwrap();
        assert_eq!(envelope.data["later"][0], 1);
        assert_eq!(envelope.auth["client_token"], "s.hidden");
        assert_eq!(envelope.warnings, ["w"]);
        let shown = format!("{envelope:?}");
        assert!(shown.contains("r1") && !shown.contains("hidden"), "{shown}");

        let bare = classify(&call, &head, br#"{"version":"2.7.2"}"#).unwrap();
        assert_eq!((bare.request_id, bare.data["version"].as_str()), (None, Some("2.7.2")));
        let empty = classify(&call, &Head::of(StatusCode::NO_CONTENT, &map), b"").unwrap();
        assert_eq!((empty.status, empty.data), (204, Value::Null));
    }
}
