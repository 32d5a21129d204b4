//! A neutral tree between the text of a document and its typed form, with a line per value.
//!
//! Bounded before it is built: size, nesting and number of nodes, because documents come from
//! anybody who can reach the API.

use saphyr::{LoadableYamlNode, MarkedYaml, Scalar, YamlData};
use saphyr_parser::{Event, Parser};
use serde_json::Value;

use super::{Fault, MAX_BYTES};

/// The deepest nesting a document may have; the schema needs seven levels.
const MAX_DEPTH: usize = 32;

/// One value of a document.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Line in the YAML text, counted from 1.
    pub line: Option<usize>,
    /// The value itself.
    pub value: NodeValue,
}

/// What a node holds.
#[derive(Debug, Clone, PartialEq)]
pub enum NodeValue {
    /// `null` or nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// Text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A map; key, line of the key, value; in the order of the text.
    Map(Vec<(String, Option<usize>, Node)>),
    /// Something the schema has no use for, in plain words.
    Other(&'static str),
}

fn fault(line: Option<usize>, message: impl Into<String>) -> Fault {
    Fault { pointer: String::new(), line, message: message.into() }
}

impl Node {
    /// Reads all documents of a YAML text.
    pub fn from_yaml(text: &str) -> Result<Vec<Self>, Fault> {
        if text.len() > MAX_BYTES {
            return Err(fault(None, "the text is larger than 256 KiB"));
        }
        check_events(text)?;
        let documents = MarkedYaml::load_from_str(text).map_err(|error| scan_fault(&error))?;
        let nodes: Vec<Self> = documents.iter().map(from_marked).collect();
        let nodes: Vec<Self> =
            nodes.into_iter().filter(|node| node.value != NodeValue::Null).collect();
        if nodes.is_empty() {
            return Err(fault(None, "the text holds no document"));
        }
        Ok(nodes)
    }

    /// The line of the value that a JSON pointer leads to, or of the nearest one around it.
    pub fn line_of(&self, pointer: &str) -> Option<usize> {
        let (mut node, mut line) = (self, self.line);
        for segment in pointer.split('/').skip(1) {
            let name = segment.replace("~1", "/").replace("~0", "~");
            let next = match &node.value {
                NodeValue::Map(entries) => entries
                    .iter()
                    .find(|(key, ..)| *key == name)
                    .map(|(_, at, value)| (value, at.or(value.line))),
                NodeValue::List(items) => segment
                    .parse::<usize>()
                    .ok()
                    .and_then(|number| items.get(number))
                    .map(|item| (item, item.line)),
                _ => None,
            };
            let Some((inner, at)) = next else { break };
            (node, line) = (inner, at.or(line));
        }
        line
    }

    /// The same tree from JSON; there are no lines then.
    pub fn from_json(value: &Value) -> Result<Self, Fault> {
        json_node(value, 0)
    }
}

/// Nesting, aliases and tags are judged on the parser's events, before any tree is built.
fn check_events(text: &str) -> Result<(), Fault> {
    let mut depth = 0_usize;
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| scan_fault(&error))?;
        let line = Some(span.start.line());
        match event {
            Event::MappingStart(..) | Event::SequenceStart(..) => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return Err(fault(line, "the document is nested too deeply"));
                }
            }
            Event::MappingEnd | Event::SequenceEnd => depth = depth.saturating_sub(1),
            Event::Alias(_) => {
                return Err(fault(line, "aliases (`*name`) are not taken: write the value out"));
            }
            _ => {}
        }
    }
    Ok(())
}

fn scan_fault(error: &saphyr::ScanError) -> Fault {
    fault(Some(error.marker().line()), format!("this is not YAML: {}", error.info()))
}

fn from_marked(yaml: &MarkedYaml<'_>) -> Node {
    let line = Some(yaml.span.start.line());
    let value = match &yaml.data {
        YamlData::Value(scalar) => match scalar {
            Scalar::Null => NodeValue::Null,
            Scalar::Boolean(flag) => NodeValue::Bool(*flag),
            Scalar::Integer(number) => NodeValue::Integer(*number),
            Scalar::FloatingPoint(_) => NodeValue::Other("a number with a fraction"),
            Scalar::String(text) => NodeValue::Text(text.to_string()),
        },
        YamlData::Sequence(items) => NodeValue::List(items.iter().map(from_marked).collect()),
        YamlData::Mapping(entries) => {
            let mut map = Vec::new();
            for (key, value) in entries {
                match &key.data {
                    YamlData::Value(Scalar::String(text)) => {
                        map.push((
                            text.to_string(),
                            Some(key.span.start.line()),
                            from_marked(value),
                        ));
                    }
                    _ => {
                        return Node { line, value: NodeValue::Other("a key that is not text") };
                    }
                }
            }
            NodeValue::Map(map)
        }
        YamlData::Tagged(..) => NodeValue::Other("a tagged value"),
        YamlData::Representation(..) | YamlData::Alias(_) | YamlData::BadValue => {
            NodeValue::Other("a value that cannot be read")
        }
    };
    Node { line, value }
}

fn json_node(value: &Value, depth: usize) -> Result<Node, Fault> {
    if depth > MAX_DEPTH {
        return Err(fault(None, "the document is nested too deeply"));
    }
    let value = match value {
        Value::Null => NodeValue::Null,
        Value::Bool(flag) => NodeValue::Bool(*flag),
        Value::Number(number) => match number.as_i64() {
            Some(number) => NodeValue::Integer(number),
            None => NodeValue::Other("a number with a fraction"),
        },
        Value::String(text) => NodeValue::Text(text.clone()),
        Value::Array(items) => NodeValue::List(
            items.iter().map(|item| json_node(item, depth + 1)).collect::<Result<_, _>>()?,
        ),
        Value::Object(entries) => {
            let mut map = Vec::with_capacity(entries.len());
            for (key, value) in entries {
                map.push((key.clone(), None, json_node(value, depth + 1)?));
            }
            NodeValue::Map(map)
        }
    };
    Ok(Node { line: None, value })
}

/// Writes a JSON value as block YAML; text is quoted as JSON wherever plain text could be misread.
pub fn to_yaml(value: &Value) -> String {
    let mut out = String::new();
    write_block(value, 0, &mut out);
    out
}

fn write_block(value: &Value, indent: usize, out: &mut String) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                out.push_str(&" ".repeat(indent));
                write_entry(key, value, indent, out);
            }
        }
        Value::Array(items) => {
            for item in items {
                out.push_str(&" ".repeat(indent));
                out.push_str("- ");
                write_item(item, indent, out);
            }
        }
        scalar => {
            out.push_str(&scalar_text(scalar));
            out.push('\n');
        }
    }
}

fn write_entry(key: &str, value: &Value, indent: usize, out: &mut String) {
    out.push_str(key);
    out.push(':');
    match value {
        Value::Object(map) if !map.is_empty() => {
            out.push('\n');
            write_block(value, indent + 2, out);
        }
        Value::Array(items) if !items.is_empty() => {
            out.push('\n');
            write_block(value, indent + 2, out);
        }
        Value::String(text) if text.contains('\n') => write_literal(text, indent + 2, out),
        scalar => {
            out.push(' ');
            out.push_str(&scalar_text(scalar));
            out.push('\n');
        }
    }
}

fn write_item(item: &Value, indent: usize, out: &mut String) {
    match item {
        Value::Object(map) if !map.is_empty() => {
            for (number, (key, value)) in map.iter().enumerate() {
                if number > 0 {
                    out.push_str(&" ".repeat(indent + 2));
                }
                write_entry(key, value, indent + 2, out);
            }
        }
        scalar => {
            out.push_str(&scalar_text(scalar));
            out.push('\n');
        }
    }
}

/// Several lines (a certificate) as a literal block where that keeps every byte.
fn write_literal(text: &str, indent: usize, out: &mut String) {
    let body = text.strip_suffix('\n').unwrap_or(text);
    let plain = text.ends_with('\n')
        && !body.ends_with('\n')
        && body.lines().all(|line| !line.is_empty() && line == line.trim())
        && body.chars().all(|c| c == '\n' || (' '..='~').contains(&c));
    if !plain {
        out.push(' ');
        out.push_str(&Value::from(text).to_string());
        out.push('\n');
        return;
    }
    out.push_str(" |\n");
    for line in body.lines() {
        out.push_str(&" ".repeat(indent));
        out.push_str(line);
        out.push('\n');
    }
}

fn scalar_text(value: &Value) -> String {
    match value {
        Value::String(text) if is_plain(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Whether the text means itself when written without quotes, in any YAML version.
fn is_plain(text: &str) -> bool {
    let words = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_./@*".contains(c))
        && !words.contains(&text.to_ascii_lowercase().as_str())
}
