//! `docs/documents.md` says everything that the schema says, and its examples are documents.

use std::collections::BTreeMap;

use serde_json::Value;
use strongroom_domain::document::{Document, schema};
use strongroom_domain::name::TeamName;

const PAGE: &str = include_str!("../../../docs/documents.md");

/// The kinds, and what stands in the heading of their fields.
const KINDS: &[&str] = &["Team", "Cluster", "Platform"];

/// One place of a schema that holds a value: where it stands, and all alternatives for it.
type Leaves = BTreeMap<String, Vec<Value>>;

/// Everything that a document of this kind may hold.
fn leaves(kind: &str) -> Leaves {
    let schema = schema::schema();
    let kinds = schema["oneOf"].as_array().expect("kinds");
    let root =
        kinds.iter().find(|each| each["properties"]["kind"]["const"] == kind).expect("the kind");
    let mut found = Leaves::new();
    walk(root, String::new(), &mut found);
    found
}

fn walk(schema: &Value, at: String, found: &mut Leaves) {
    if let Some(choices) = schema["oneOf"].as_array() {
        for choice in choices {
            walk(choice, at.clone(), found);
        }
    } else if let Some(properties) = schema["properties"].as_object() {
        for (name, inner) in properties {
            let dot = if at.is_empty() { "" } else { "." };
            walk(inner, format!("{at}{dot}{name}"), found);
        }
    } else if schema["type"] == "array" {
        walk(&schema["items"], format!("{at}[]"), found);
    } else {
        found.entry(at).or_default().push(schema.clone());
    }
}

/// The rows of a kind's table: field, and the other cells.
fn rows(kind: &str) -> BTreeMap<String, Vec<String>> {
    let (_, section) = PAGE.split_once(&format!("\n## {kind}: fields\n")).expect("its section");
    let section = section.split("\n## ").next().expect("a first part");
    let cells = |line: &str| -> Vec<String> {
        line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect()
    };
    let rows = section.lines().filter(|line| line.starts_with("| `")).map(|line| {
        let cells = cells(line);
        assert_eq!(cells.len(), 5, "{line}");
        (cells[0].trim_matches('`').to_owned(), cells)
    });
    rows.collect()
}

#[test]
fn every_field_of_the_schema_stands_on_the_page_and_no_other() {
    for kind in KINDS {
        let (leaves, rows) = (leaves(kind), rows(kind));
        let wanted: Vec<&String> = leaves.keys().collect();
        let told: Vec<&String> = rows.keys().collect();
        assert_eq!(told, wanted, "{kind}");
    }
}

#[test]
fn limits_on_the_page_are_the_schemas() {
    for kind in KINDS {
        let rows = rows(kind);
        for (field, alternatives) in leaves(kind) {
            let limits = &rows[&field][2];
            for schema in alternatives {
                let numbers = ["minimum", "maximum", "maxLength"];
                let numbers = numbers.iter().filter_map(|key| schema[key].as_i64());
                let words = schema["enum"].as_array().into_iter().flatten();
                let words = words.chain(schema.get("const")).filter_map(Value::as_str);
                for limit in numbers.map(|n| n.to_string()).chain(words.map(str::to_owned)) {
                    let said = limits.split(|c: char| !(c.is_alphanumeric() || "-./".contains(c)));
                    let said: Vec<&str> = said.collect();
                    assert!(
                        said.contains(&limit.as_str()),
                        "{kind} {field}: {limit} in {limits:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn what_must_be_there_is_called_required() {
    let schema = schema::schema();
    for kind in schema["oneOf"].as_array().unwrap() {
        let name = kind["properties"]["kind"]["const"].as_str().unwrap();
        let spec = &kind["properties"]["spec"];
        let required = spec["required"].as_array().unwrap();
        for (field, cells) in rows(name) {
            let Some(rest) = field.strip_prefix("spec.") else { continue };
            // A field of its own; one inside a list or a part is judged with that.
            if !rest.contains(['.', '[']) {
                let is = required.iter().any(|each| each == rest);
                assert_eq!(cells[3] == "required", is, "{name} {field}");
            }
        }
    }
}

fn one(text: &str) -> Value {
    let documents = Document::from_yaml(text).unwrap_or_else(|faults| panic!("{faults:#?}"));
    documents[0].to_value()
}

#[test]
fn defaults_on_the_page_are_those_of_the_decoder() {
    let team = one("\
apiVersion: strongroom.dev/v1
kind: Team
metadata: { name: shop }
spec:
  displayName: Shop
  contact: shop@example.com
  people: { owners: [{ group: leads }] }
  mounts: [{ name: kv, type: kv-v2 }]
  namespaces: [{ cluster: lab, name: shop, environment: staging }]
");
    let platform = one("\
apiVersion: strongroom.dev/v1
kind: Platform
metadata: { name: platform }
spec: {}
");
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let team_rows = rows("Team");
    let mount = &team["spec"]["mounts"][0]["maxVersions"];
    assert_eq!(team_rows["spec.mounts[].maxVersions"][3], text(mount));
    let ttl = &team["spec"]["namespaces"][0]["tokenTtl"];
    assert_eq!(team_rows["spec.namespaces[].tokenTtl"][3], text(ttl));
    assert_eq!(team_rows["spec.people.editors[].group"][3], "none");
    assert_eq!(team["spec"]["people"]["editors"], Value::Array(Vec::new()));
    assert!(team["spec"].get("limits").is_none() && team["spec"].get("removed").is_none());
    let mut checked = 0;
    for (field, cells) in rows("Platform") {
        let pointer = format!("/{}", field.replace('.', "/"));
        if let Some(value) = platform.pointer(&pointer).filter(|_| field.starts_with("spec.")) {
            assert_eq!(cells[3], text(value), "{field}");
            checked += 1;
        }
    }
    assert_eq!(checked, 9, "eight numbers of votes and the ceiling");
}

#[test]
fn every_example_is_a_document_and_all_kinds_and_ways_are_shown() {
    let judge = jsonschema::validator_for(&schema::schema()).unwrap();
    let mut seen = String::new();
    let mut examples = 0;
    for block in PAGE.split("```yaml\n").skip(1) {
        let text = block.split("```").next().unwrap();
        let documents = Document::from_yaml(text).unwrap_or_else(|f| panic!("{f:#?}\n{text}"));
        for document in documents {
            assert!(judge.is_valid(&document.to_value()), "{text}");
            examples += 1;
        }
        seen.push_str(text);
    }
    assert!(examples >= 8, "{examples}");
    for shown in [
        "kind: Team",
        "kind: Cluster",
        "kind: Platform",
        "people: { group:",
        "serviceAccounts: [",
        "      team: ",
        "removed: true",
        "until: ",
        "method: kubernetes",
        "method: jwt",
        "keys:",
        "jwks:",
    ] {
        assert!(seen.contains(shown), "no example shows {shown:?}");
    }
}

#[test]
fn words_called_reserved_are() {
    let (_, words) = PAGE.split_once("### Reserved words\n\n").unwrap();
    let words = words.lines().next().unwrap();
    for word in words.split(", ") {
        let refused = word.parse::<TeamName>().unwrap_err().to_string();
        assert!(word.len() < 2 || refused.contains("reserved"), "{word}: {refused}");
    }
}
