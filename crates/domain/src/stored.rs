//! A head as the engine stores it: as it is while it is small, and packed where it is not.
//!
//! OpenBao refuses a request of more than 1,000 JSON strings, keys among them, and the raft storage
//! an entry of more than 1 MiB. A document has thousands of strings, and a plan repeats them.

use std::io::{Read as _, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde::de::Error as _;
use serde_json::{Error, Value, json};

use crate::head::Head;

/// The field that holds the packed text.
const FIELD: &str = "gzip";

/// The most strings, keys among them, that one object may bring into a request. OpenBao takes 1,000
/// unless its listener says otherwise; the rest is for what the request has besides.
pub const MOST_STRINGS: usize = 900;

/// The most bytes of a head that is stored as it is.
const PLAIN: usize = 64 * 1024;

/// The most that a packed head may become, bytes: some times what one can be.
const MOST: u64 = 16 * 1024 * 1024;

impl Head {
    /// The value to store, and how many bytes it has.
    pub fn to_stored(&self) -> Result<(Value, usize), Error> {
        let value = serde_json::to_value(self)?;
        let text = value.to_string();
        if strings(&value) <= MOST_STRINGS && text.len() <= PLAIN {
            return Ok((value, text.len()));
        }
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        let packed = encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish());
        let value = json!({ FIELD: STANDARD.encode(packed.map_err(Error::custom)?) });
        let bytes = value.to_string().len();
        Ok((value, bytes))
    }

    /// What was stored.
    pub fn from_stored(value: Value) -> Result<Self, Error> {
        let Some(packed) = value.get(FIELD).and_then(Value::as_str) else {
            return serde_json::from_value(value);
        };
        let packed = STANDARD.decode(packed).map_err(Error::custom)?;
        let mut text = String::new();
        let mut decoder = GzDecoder::new(packed.as_slice()).take(MOST + 1);
        decoder.read_to_string(&mut text).map_err(Error::custom)?;
        if text.len() as u64 > MOST {
            return Err(Error::custom("it is larger than any head"));
        }
        serde_json::from_str(&text)
    }
}

/// How many strings a value has, keys among them, as OpenBao counts them.
pub fn strings(value: &Value) -> usize {
    match value {
        Value::String(_) => 1,
        Value::Array(items) => items.iter().map(strings).sum(),
        Value::Object(fields) => fields.values().map(|value| 1 + strings(value)).sum(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::head::{Applied, Applying};
    use crate::packed::Packed;
    use crate::subject::Subject;

    fn begun(bindings: usize) -> Head {
        let items: Vec<Value> = (0..bindings)
            .map(|number| json!({ "name": format!("b{number}"), "access": ["read", "kv", "a/*"] }))
            .collect();
        let document = json!({ "kind": "Team", "spec": { "bindings": items } });
        let mut head =
            Head::new("0199b5d0-0000-7000-8000-000000000001".parse().unwrap(), Subject::Platform);
        let target = Applied {
            revision: 1,
            document: Packed::new(&document).unwrap(),
            document_hash: crate::Digest::labelled("test", b"document"),
            request: "0199b5d0-0000-7000-8000-000000000002".parse().unwrap(),
            plan_hash: crate::Digest::labelled("test", b"plan"),
            pins: [("prod-eu/a".to_owned(), "uid".to_owned())].into_iter().collect(),
            voted: None,
        };
        head.applied = Some(target.clone());
        head.applying = Some(Box::new(Applying { target, plan: document.to_string() }));
        head
    }

    #[test]
    fn a_head_of_any_size_is_a_small_request_and_comes_back() {
        for bindings in [2, 1000] {
            let head = begun(bindings);
            let (stored, bytes) = head.to_stored().unwrap();
            assert_eq!(bytes, stored.to_string().len());
            assert!(strings(&stored) < 950, "{bindings}: {}", strings(&stored));
            assert_eq!(stored.get(FIELD).is_some(), bindings == 1000);
            assert_eq!(Head::from_stored(stored).unwrap(), head);
        }
    }

    #[test]
    fn what_grows_without_end_is_refused() {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&vec![b' '; usize::try_from(MOST).unwrap() + 1]).unwrap();
        let bomb = STANDARD.encode(encoder.finish().unwrap());
        let refused = Head::from_stored(json!({ FIELD: bomb })).unwrap_err().to_string();
        assert!(refused.contains("larger than any head"), "{refused}");
    }
}
