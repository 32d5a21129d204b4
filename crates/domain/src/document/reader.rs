//! Reads typed values out of a [`Node`] tree and collects every fault on the way.
//!
//! A getter that fails records a fault with pointer and line and gives `None`; decoding goes on,
//! so that one run tells everything. A decoder must treat `None` as "already told".

use std::cell::RefCell;
use std::str::FromStr;

use super::Fault;
use super::node::{Node, NodeValue};

/// The most items any list of a document may have.
const MAX_ITEMS: usize = 1000;

/// The most faults that are told; a hostile document could have very many.
const MAX_FAULTS: usize = 100;

/// The faults found so far, and the tree they are in.
#[derive(Debug)]
pub struct Reader<'a> {
    node: &'a Node,
    faults: RefCell<Vec<Fault>>,
}

impl<'a> Reader<'a> {
    /// Starts reading at the top of a document.
    pub fn new(node: &'a Node) -> Self {
        Self { node, faults: RefCell::default() }
    }

    /// The top of the document.
    pub fn root(&self) -> Field<'_> {
        Field { reader: self, node: self.node, pointer: String::new() }
    }

    /// Everything that was wrong, in the order of the schema.
    pub fn into_faults(self) -> Vec<Fault> {
        self.faults.into_inner()
    }
}

/// One value and where it stands.
#[derive(Debug, Clone)]
pub struct Field<'r> {
    reader: &'r Reader<'r>,
    node: &'r Node,
    pointer: String,
}

/// A map whose keys were checked against the schema.
#[derive(Debug, Clone)]
pub struct MapField<'r> {
    field: Field<'r>,
    entries: &'r [(String, Option<usize>, Node)],
}

fn escape(key: &str) -> String {
    let short: String = key.chars().take(80).collect();
    short.replace('~', "~0").replace('/', "~1")
}

impl<'r> Field<'r> {
    /// Records a fault at this place.
    pub fn fault(&self, message: impl Into<String>) {
        self.fault_at(self.pointer.clone(), self.node.line, message.into());
    }

    fn fault_at(&self, pointer: String, line: Option<usize>, message: String) {
        let mut faults = self.reader.faults.borrow_mut();
        if faults.len() < MAX_FAULTS {
            faults.push(Fault { pointer, line, message });
        }
    }

    fn expected<T>(&self, what: &str) -> Option<T> {
        let found = match &self.node.value {
            NodeValue::Null => "nothing",
            NodeValue::Bool(_) => "true or false",
            NodeValue::Integer(_) => "a number",
            NodeValue::Text(_) => "text",
            NodeValue::List(_) => "a list",
            NodeValue::Map(_) => "a map",
            NodeValue::Other(what) => what,
        };
        self.fault(format!("{what} is expected here, not {found}"));
        None
    }

    /// A map with these keys and no others.
    pub fn map(&self, known: &[&str]) -> Option<MapField<'r>> {
        let NodeValue::Map(entries) = &self.node.value else {
            return self.expected("a map");
        };
        for (key, line, _) in entries {
            if !known.contains(&key.as_str()) {
                let shown: String = key.chars().take(80).collect();
                let message =
                    format!("the field {shown:?} is not known here; known: {}", known.join(", "));
                self.fault_at(format!("{}/{}", self.pointer, escape(key)), *line, message);
            }
        }
        Some(MapField { field: self.clone(), entries })
    }

    /// A list, bounded.
    pub fn list(&self) -> Option<Vec<Field<'r>>> {
        let NodeValue::List(items) = &self.node.value else {
            return self.expected("a list");
        };
        if items.len() > MAX_ITEMS {
            self.fault(format!("a list has at most {MAX_ITEMS} items"));
            return None;
        }
        let field = |(number, node)| Field {
            reader: self.reader,
            node,
            pointer: format!("{}/{number}", self.pointer),
        };
        Some(items.iter().enumerate().map(field).collect())
    }

    /// Text of `least` to `most` bytes without control characters.
    pub fn text(&self, least: usize, most: usize) -> Option<String> {
        let NodeValue::Text(text) = &self.node.value else {
            return self.expected("text");
        };
        if !(least..=most).contains(&text.len()) {
            self.fault(format!("the text has {} bytes; {least} to {most} are taken", text.len()));
            return None;
        }
        if text.chars().any(is_unsafe_in_text) {
            self.fault("the text holds a control or invisible character");
            return None;
        }
        Some(text.clone())
    }

    /// Text that may have several lines, of ASCII only (a PEM block).
    pub fn ascii_block(&self, most: usize) -> Option<String> {
        let NodeValue::Text(text) = &self.node.value else {
            return self.expected("text");
        };
        if text.len() > most || !text.bytes().all(|b| b == b'\n' || (b' '..=b'~').contains(&b)) {
            self.fault(format!("at most {most} bytes of plain ASCII lines are taken"));
            return None;
        }
        Some(text.clone())
    }

    /// A value that is checked when it is made from text.
    pub fn parse<T: FromStr>(&self) -> Option<T>
    where
        T::Err: std::fmt::Display,
    {
        let NodeValue::Text(text) = &self.node.value else {
            return self.expected("text");
        };
        match text.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.fault(error.to_string());
                None
            }
        }
    }

    /// A whole number in a range.
    pub fn integer(&self, least: i64, most: i64) -> Option<i64> {
        let NodeValue::Integer(number) = &self.node.value else {
            return self.expected("a whole number");
        };
        if !(least..=most).contains(number) {
            self.fault(format!("the number is {number}; {least} to {most} are taken"));
            return None;
        }
        Some(*number)
    }

    /// Yes or no.
    pub fn flag(&self) -> Option<bool> {
        match &self.node.value {
            NodeValue::Bool(value) => Some(*value),
            _ => self.expected("true or false"),
        }
    }

    /// One of a few words.
    pub fn word<T: Copy>(&self, words: &[(&str, T)]) -> Option<T> {
        let all = || words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ");
        let NodeValue::Text(text) = &self.node.value else {
            return self.expected(&format!("one of {}", all()));
        };
        let found = words.iter().find(|(word, _)| word == text).map(|(_, value)| *value);
        if found.is_none() {
            self.fault(format!("one of {} is expected here", all()));
        }
        found
    }

    /// Decodes each item of a list; items that fail are told and left out, so the list is `None`.
    pub fn each<T>(&self, decode: impl Fn(&Field<'r>) -> Option<T>) -> Option<Vec<T>> {
        let fields = self.list()?;
        let count = fields.len();
        let items: Vec<T> = fields.iter().filter_map(decode).collect();
        (items.len() == count).then_some(items)
    }
}

impl<'r> MapField<'r> {
    /// The value under `key`; missing or null is a fault.
    pub fn required(&self, key: &str) -> Option<Field<'r>> {
        let found = self.optional(key);
        if found.is_none() {
            let pointer = format!("{}/{key}", self.field.pointer);
            self.field.fault_at(pointer, self.field.node.line, "this field is missing".to_owned());
        }
        found
    }

    /// The value under `key` if it is there and not null.
    pub fn optional(&self, key: &str) -> Option<Field<'r>> {
        let (_, _, node) = self.entries.iter().find(|(name, _, _)| name == key)?;
        if node.value == NodeValue::Null {
            return None;
        }
        let pointer = format!("{}/{key}", self.field.pointer);
        Some(Field { reader: self.field.reader, node, pointer })
    }

    /// The value under `key` decoded, or `default` when it is absent. `None` when it is faulty.
    pub fn or<T>(
        &self,
        key: &str,
        default: T,
        decode: impl FnOnce(Field<'r>) -> Option<T>,
    ) -> Option<T> {
        match self.optional(key) {
            Some(field) => decode(field),
            None => Some(default),
        }
    }
}

/// Control characters, bidirectional overrides and zero-width characters: they make a reader of a
/// page or of a policy comment see something else than what is there.
pub fn is_unsafe_in_text(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}
