//! A head as the engine stores it: one text, with the plan deflated.
//!
//! OpenBao refuses a request of more than 1,000 JSON strings, keys among them, and the raft storage
//! an entry of more than 1 MiB. A document has thousands of strings, and a plan repeats them, so
//! neither may stand there as it is. What was stored before as a tree is still read.

use std::io::{Read as _, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serializer};
use serde_json::{Value, json};

use crate::head::Head;

/// The field that holds the text.
const FIELD: &str = "head";

/// The most that a stored plan may become, bytes: ten times what one may be.
const MOST: u64 = 8 * 1024 * 1024;

impl Head {
    /// The value to store.
    pub fn to_stored(&self) -> Result<Value, serde_json::Error> {
        Ok(json!({ FIELD: serde_json::to_string(self)? }))
    }

    /// What was stored.
    pub fn from_stored(value: Value) -> Result<Self, serde_json::Error> {
        match value.get(FIELD).and_then(Value::as_str) {
            Some(text) => serde_json::from_str(text),
            None => serde_json::from_value(value),
        }
    }
}

/// Serializes a plan's text as base64 of its deflated bytes.
pub(crate) fn serialize<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    let deflated = encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish());
    serializer.serialize_str(&STANDARD.encode(deflated.map_err(serde::ser::Error::custom)?))
}

/// Reads it back; a plan from before is its own text.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let stored = String::deserialize(deserializer)?;
    if stored.starts_with('{') {
        return Ok(stored);
    }
    let deflated = STANDARD.decode(stored).map_err(D::Error::custom)?;
    let mut text = String::new();
    let mut decoder = DeflateDecoder::new(deflated.as_slice()).take(MOST + 1);
    decoder.read_to_string(&mut text).map_err(D::Error::custom)?;
    if text.len() as u64 > MOST {
        return Err(D::Error::custom("the plan in a head is larger than any plan"));
    }
    Ok(text)
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
            pins: [("prod-eu/a".to_owned(), "uid".to_owned())].into(),
            voted: None,
        };
        head.applied = Some(target.clone());
        head.applying = Some(Applying { target, plan: document.to_string() });
        head
    }

    fn strings(value: &Value) -> usize {
        match value {
            Value::String(_) => 1,
            Value::Array(items) => items.iter().map(strings).sum(),
            Value::Object(fields) => fields.values().map(|value| 1 + strings(value)).sum(),
            _ => 0,
        }
    }

    #[test]
    fn a_head_of_any_size_is_two_strings_and_comes_back() {
        let head = begun(1000);
        let stored = head.to_stored().unwrap();
        assert_eq!(strings(&stored), 2);
        assert_eq!(Head::from_stored(stored).unwrap(), head);
    }

    #[test]
    fn a_head_from_before_is_read() {
        let head = begun(2);
        let mut tree = serde_json::to_value(&head).unwrap();
        tree["applying"]["plan"] = json!(head.applying.as_ref().unwrap().plan);
        assert_eq!(Head::from_stored(tree).unwrap(), head);
    }

    #[test]
    fn a_plan_that_grows_without_end_is_refused() {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&vec![b' '; usize::try_from(MOST).unwrap() + 1]).unwrap();
        let bomb = STANDARD.encode(encoder.finish().unwrap());
        let mut tree = serde_json::to_value(begun(1)).unwrap();
        tree["applying"]["plan"] = json!(bomb);
        let refused = Head::from_stored(tree).unwrap_err().to_string();
        assert!(refused.contains("larger than any plan"), "{refused}");
    }
}
