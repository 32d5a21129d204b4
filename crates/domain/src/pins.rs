//! The namespace UIDs that a head pins: few, sorted, and small, because an executor remembers those
//! of a whole estate. A map of one entry takes ten times the memory.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Namespace UIDs by `cluster/namespace`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pins(Box<[(Box<str>, Box<str>)]>);

impl Pins {
    /// The UID that is pinned for a namespace.
    pub fn get(&self, place: &str) -> Option<&str> {
        let at = self.0.binary_search_by(|(name, _)| (**name).cmp(place)).ok()?;
        self.0.get(at).map(|(_, uid)| &**uid)
    }

    /// Whether one is pinned.
    pub fn contains(&self, place: &str) -> bool {
        self.get(place).is_some()
    }

    /// Each namespace with its UID, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(place, uid)| (&**place, &**uid))
    }

    /// The namespaces, in order.
    pub fn places(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(place, _)| &**place)
    }

    /// As a map, to make a plan from.
    pub fn to_map(&self) -> BTreeMap<String, String> {
        self.0.iter().map(|(place, uid)| (place.to_string(), uid.to_string())).collect()
    }
}

impl FromIterator<(String, String)> for Pins {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(pins: I) -> Self {
        // Sorted, and the last one of two for the same place, as in a map.
        let sorted: BTreeMap<String, String> = pins.into_iter().collect();
        Self(sorted.into_iter().map(|(place, uid)| (place.into(), uid.into())).collect())
    }
}

impl Serialize for Pins {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Pins {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(BTreeMap::deserialize(deserializer)?.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_pinned_is_found_and_reads_and_writes_as_a_map() {
        let text = r#"{"lab/a":"1","lab/b":"2","prod-eu/a":"3"}"#;
        let pins: Pins = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&pins).unwrap(), text);
        for (place, uid) in pins.to_map() {
            assert_eq!(pins.get(&place), Some(uid.as_str()));
        }
        assert!(!pins.contains("lab"));
        assert_eq!(pins.places().collect::<Vec<_>>(), ["lab/a", "lab/b", "prod-eu/a"]);
    }
}
