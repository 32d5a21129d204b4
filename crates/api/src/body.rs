//! JSON bodies, read with bounds: kind, size, time, depth, no field that is not known, and no field
//! twice.
//!
//! What is compressed is not taken: nothing that comes in may become larger here than it was sent.

use std::collections::HashSet;
use std::fmt;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use serde::de::{DeserializeOwned, Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::error::Category;

use crate::problem::Problem;

/// The most bytes of a body.
pub(crate) const MAX_BYTES: usize = 1024 * 1024;

/// The deepest nesting of a body. Documents need ten.
const MAX_DEPTH: usize = 32;

/// How long a body may take to come in. Less than a whole request may take, so that a slow caller is
/// told so, and does not count as a failure of ours.
const PATIENCE: Duration = Duration::from_secs(15);

/// A JSON body of the right shape.
pub(crate) struct Body<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            return Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                "Unsupported media type",
                "the body must be JSON",
                "send it with `Content-Type: application/json`",
            ));
        }
        if is_compressed(request.headers()) {
            return Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                "Unsupported media type",
                "the body must not be compressed",
                "send it without `Content-Encoding`",
            ));
        }
        parse(&bytes(request, state).await?).map(Self)
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).map(str::trim);
    kind.is_some_and(|kind| kind.eq_ignore_ascii_case("application/json"))
}

fn is_compressed(headers: &HeaderMap) -> bool {
    let mut all = headers.get_all(header::CONTENT_ENCODING).iter();
    all.any(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity"))
}

/// The bytes of a body, within its bounds.
pub(crate) async fn bytes<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Problem> {
    let read = tokio::time::timeout(PATIENCE, Bytes::from_request(request, state)).await;
    read.map_err(|_| too_slow())?.map_err(|rejection| {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "too_large",
                "Too large",
                "the body is larger than 1 MiB",
                "split the request",
            )
        } else {
            Problem::malformed("the body could not be read")
        }
    })
}

fn too_slow() -> Problem {
    Problem::new(
        StatusCode::REQUEST_TIMEOUT,
        "too_slow",
        "Too slow",
        "the body did not come in within 15 seconds",
        "send it again, over a better connection",
    )
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    if depth(bytes) > MAX_DEPTH {
        return Err(Problem::malformed("the body is nested more than 32 deep"));
    }
    let refused = |error: serde_json::Error| match error.classify() {
        Category::Data => Problem::invalid("", error.to_string()),
        _ => Problem::malformed(format!("the body is not JSON: {error}")),
    };
    let found = serde_json::from_slice(bytes).map_err(refused)?;
    // Of two fields with one name, one reader takes the first and another the last.
    serde_json::from_slice::<Once>(bytes).map_err(refused)?;
    Ok(found)
}

/// Any JSON in which no field stands twice.
struct Once;

impl<'de> Deserialize<'de> for Once {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Once {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self, A::Error> {
        while items.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self, A::Error> {
        let mut seen = HashSet::new();
        while let Some(name) = fields.next_key::<String>()? {
            if seen.contains(&name) {
                return Err(A::Error::custom(format!("duplicate field `{name}`")));
            }
            seen.insert(name);
            fields.next_value::<Self>()?;
        }
        Ok(self)
    }
}

/// How deep lists and maps are nested. Counted before parsing, so that depth costs nothing.
fn depth(bytes: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0_usize);
    let (mut in_text, mut escaped) = (false, false);
    for byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_counts_structure_and_not_text() {
        for (text, expected) in [
            ("1", 0),
            ("{}", 1),
            (r#"{"a":[{"b":[]}]}"#, 4),
            (r#"{"a":"[[[[{{{{"}"#, 1),
            (r#"{"a":"\"[[["}"#, 1),
            (r#"{"a\\":[1]}"#, 2),
        ] {
            assert_eq!(depth(text.as_bytes()), expected, "{text}");
        }
        assert!(parse::<serde_json::Value>(&[b'['; 100]).is_err());
    }

    #[test]
    fn no_field_stands_twice_however_deep_and_however_it_is_written() {
        let parsed = |text: &str| parse::<serde_json::Value>(text.as_bytes());
        for good in ["null", "[1,-1,0.5,true,\"a\"]", r#"{"a":{"a":1},"b":[{"a":1},{"a":2}]}"#] {
            assert!(parsed(good).is_ok(), "{good}");
        }
        for bad in [r#"{"a":1,"a":1}"#, r#"[{"b":{"a":1,"c":2,"a":{}}}]"#, r#"{"a":1,"\u0061":2}"#]
        {
            let problem = parsed(bad).unwrap_err();
            assert_eq!(problem.code(), "invalid", "{bad}");
            assert!(problem.body("").to_string().contains("duplicate field `a`"), "{bad}");
        }
    }
}
