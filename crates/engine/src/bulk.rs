//! Bulk reads: one answer about many objects, taken apart entry by entry.
//!
//! An estate's worth of objects is tens of megabytes; as one tree it would be ten times that. Each
//! entry is given away and dropped before the next one is looked at.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

use crate::answer::{Head, classify};
use crate::client::Call;
use crate::error::{EngineError, Failure};

/// Takes an answer apart: every member of the object at `section` (field names from the outside in)
/// goes to `each`. A section that is not there has no members.
pub(crate) fn take_apart(
    call: &Call<'_>,
    head: &Head,
    body: &[u8],
    section: &[&str],
    each: &mut impl FnMut(&str, Value),
) -> Result<(), EngineError> {
    if !head.is_good() {
        return classify(call, head, body).map(drop);
    }
    let mut json = serde_json::Deserializer::from_slice(body);
    let read = Section { path: section, each }.deserialize(&mut json).and_then(|()| json.end());
    read.map_err(|_| {
        let why = "it is not a JSON object of reasonable depth";
        EngineError::new(Failure::Malformed(why.into()), call.template)
    })
}

struct Section<'s, F> {
    path: &'s [&'s str],
    each: &'s mut F,
}

impl<'de, F: FnMut(&str, Value)> DeserializeSeed<'de> for Section<'_, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, F: FnMut(&str, Value)> Visitor<'de> for Section<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<Cow<'_, str>>()? {
            match self.path.split_first() {
                None => (self.each)(&name, map.next_value()?),
                Some((first, rest)) if *first == name => {
                    map.next_value_seed(Section { path: rest, each: &mut *self.each })?;
                }
                Some(_) => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;
    use reqwest::header::{CONTENT_TYPE, HeaderMap};

    use super::*;
    use crate::client::Method;

    fn entries(status: u16, body: &str) -> Result<Vec<String>, EngineError> {
        let mut map = HeaderMap::new();
        map.insert(CONTENT_TYPE, "application/json".parse().unwrap());
        let call = Call::new(Method::List, "sys/policies/detailed/acl", "{path}");
        let head = Head::of(StatusCode::from_u16(status).unwrap(), &map);
        let mut found = Vec::new();
        let mut each = |name: &str, value: Value| found.push(format!("{name}={value}"));
        take_apart(&call, &head, body.as_bytes(), &["data", "key_info"], &mut each)?;
        Ok(found)
    }

    #[test]
    fn every_member_of_the_section_is_given_and_nothing_else() {
        let body = r#"{"request_id":"r","key_info":{"no":0},"data":{"keys":["a","b"],
            "key_info":{"a":{"x":[1,2]},"b\u00fc":2},"more":{"key_info":{"no":1}}}}"#;
        assert_eq!(entries(200, body).unwrap(), [r#"a={"x":[1,2]}"#, "bü=2"]);
        for empty in ["{}", r#"{"data":null}"#, r#"{"data":{"key_info":null}}"#] {
            assert!(entries(200, empty).unwrap().is_empty(), "{empty}");
        }
    }

    #[test]
    fn what_is_no_such_object_is_an_error() {
        for bad in ["", "[]", r#"{"data":3}"#, r#"{"data":{"key_info":{"a":1}"#, "{} {}"] {
            let error = entries(200, bad).unwrap_err();
            assert!(matches!(error.failure, Failure::Malformed(_)), "{bad}");
        }
        let deep =
            format!(r#"{{"data":{{"key_info":{{"a":{}1{}}}}}}}"#, "[".repeat(200), "]".repeat(200));
        assert!(matches!(entries(200, &deep).unwrap_err().failure, Failure::Malformed(_)));
        assert_eq!(entries(403, "{}").unwrap_err().failure, Failure::Denied);
    }
}
