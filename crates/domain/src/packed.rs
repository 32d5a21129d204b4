//! JSON kept as its canonical text: an executor remembers the documents of a whole estate, and a
//! tree of them takes ten times the memory.
//!
//! It must say exactly what it was given: the text is canonical, so two are equal when the values
//! are.

use std::sync::Arc;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::canonical::{self, CanonicalError};

/// A JSON value, packed. A copy shares the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed(Arc<str>);

impl Packed {
    /// Packs a value that has a canonical form.
    pub fn new(value: &Value) -> Result<Self, CanonicalError> {
        let bytes = canonical::to_bytes(value)?;
        let text = String::from_utf8(bytes).expect("canonical JSON is UTF-8");
        Ok(Self(text.into()))
    }

    /// The value again.
    pub fn value(&self) -> Value {
        serde_json::from_str(&self.0).expect("it was written from a value")
    }
}

impl Serialize for Packed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Packed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(&Value::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_comes_back_and_reads_and_writes_as_itself() {
        let value = json!({ "b": [1, null, true, "ü\n"], "a": { "z": "", "y": -7 } });
        let packed = Packed::new(&value).unwrap();
        assert_eq!(packed.value(), value);
        assert_eq!(serde_json::to_value(&packed).unwrap(), value);
        assert_eq!(canonical::to_bytes(&packed).unwrap(), canonical::to_bytes(&value).unwrap());
        let again: Packed =
            serde_json::from_str(r#"{"a":{"y":-7,"z":""},"b":[1,null,true,"ü\n"]}"#).unwrap();
        assert_eq!(again, packed, "the order of the fields is not the value's");
    }
}
