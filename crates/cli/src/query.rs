//! `-o jsonpath=…`: what an expression picks from a result, one match a line.
//!
//! The expressions are those of RFC 9535. The spelling with braces that `kubectl` has is taken too,
//! its templates are not: who needs more than one expression pipes `-o json` into a program for it.

use serde_json::{Value, json};
use serde_json_path::JsonPath;

use crate::render::text::clean_block;

/// How a list is called by those who come from `kubectl`; ours is the array itself.
const ITEMS: &str = "$.items";

/// An expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    text: String,
    path: JsonPath,
}

/// An expression that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}; for example jsonpath='{{.items[*].name}}' or jsonpath='$[?@.revision > 1].name'")]
pub struct QueryError {
    why: String,
}

impl Query {
    /// Reads an expression.
    pub fn parse(given: &str) -> Result<Self, QueryError> {
        let refused = |why: String| QueryError { why };
        let bare = match given.trim().strip_prefix('{') {
            None => given.trim(),
            Some(rest) => {
                let inner = rest.strip_suffix('}');
                inner.ok_or_else(|| refused("the brace at the beginning has no end".into()))?.trim()
            }
        };
        let text = match bare.chars().next() {
            None => return Err(refused("there is no expression".into())),
            Some('$') => bare.to_owned(),
            Some('.' | '[') => format!("${bare}"),
            Some(_) => format!("$.{bare}"),
        };
        match JsonPath::parse(&text) {
            Ok(path) => Ok(Self { text, path }),
            Err(_) if bare.contains(['{', '}']) => Err(refused(
                "one expression is taken, without text around it and without {range}".into(),
            )),
            Err(error) => Err(refused(format!("{text} is no JSONPath: {error}"))),
        }
    }

    /// What it picks: texts bare, everything else as JSON. What could steer a terminal is written out.
    pub fn pick(&self, value: &Value) -> String {
        let named = match self.text.strip_prefix(ITEMS) {
            Some(rest) if value.is_array() && !rest.starts_with(is_of_a_name) => {
                Some(json!({ "items": value }))
            }
            _ => None,
        };
        let found = self.path.query(named.as_ref().unwrap_or(value));
        let line = |value: &Value| {
            value
                .as_str()
                .map_or_else(|| value.to_string(), clean_block)
                .trim_end_matches('\n')
                .to_owned()
                + "\n"
        };
        found.iter().map(|value| line(value)).collect()
    }
}

fn is_of_a_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picked(expression: &str, value: &Value) -> String {
        Query::parse(expression).unwrap().pick(value)
    }

    #[test]
    fn matches_stand_on_lines_of_their_own_and_texts_are_bare() {
        let teams = json!([
            { "name": "payments", "revision": 4, "tags": ["a", "b"] },
            { "name": "menus", "revision": 1, "tags": [] },
        ]);
        assert_eq!(picked("$[*].name", &teams), "payments\nmenus\n");
        assert_eq!(picked("$[*]['revision','tags']", &teams), "4\n[\"a\",\"b\"]\n1\n[]\n");
        assert_eq!(picked("$[?@.revision > 1].name", &teams), "payments\n");
        assert_eq!(picked("$[*].nothing", &teams), "");
    }

    #[test]
    fn the_spellings_of_kubectl_mean_the_same() {
        let teams = json!([{ "name": "payments" }]);
        for same in [
            "{.items[*].name}",
            "{ $.items[*].name }",
            ".items[*].name",
            "items[0].name",
            "{[0].name}",
        ] {
            assert_eq!(picked(same, &teams), "payments\n", "{same}");
        }
        // An object may have such a field itself.
        assert_eq!(picked("{.items}", &json!({ "items": "own" })), "own\n");
        assert_eq!(picked("{.itemsOf}", &json!({ "itemsOf": 1 })), "1\n");
        assert_eq!(
            picked("{.a[?@.b == '{x}'].c}", &json!({ "a": [{ "b": "{x}", "c": 2 }] })),
            "2\n"
        );
    }

    #[test]
    fn what_is_wrong_is_told_with_an_example() {
        for (bad, why) in [
            ("", "there is no expression"),
            ("{}", "there is no expression"),
            ("{.items[*].name", "the brace at the beginning has no end"),
            ("{.a}{\"\\n\"}{.b}", "without {range}"),
            ("{range .items[*]}{.name}{end}", "without {range}"),
            ("$.items[", "$.items[ is no JSONPath: "),
        ] {
            let told = Query::parse(bad).unwrap_err().to_string();
            assert!(told.contains(why), "{bad}: {told}");
            assert!(told.contains("; for example jsonpath='{.items[*].name}'"), "{bad}: {told}");
        }
    }

    #[test]
    fn a_picked_text_cannot_steer_the_terminal() {
        let value = json!({ "text": "a\u{1b}[2Jb\nc\n" });
        assert_eq!(picked("{.text}", &value), "a\\u{1b}[2Jb\nc\n");
    }
}
