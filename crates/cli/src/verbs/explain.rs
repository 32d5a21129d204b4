//! `explain`: what a field of a document means, from the same table as the documentation.
//!
//! Nothing is asked of a server, and nobody has to be signed in.

use std::fmt::Write as _;

use serde::Serialize;

use crate::args::{ExplainArgs, Output};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output;
use crate::render::table::table;
use crate::screen::Screen;

/// The documentation of documents; its tables of fields are what is explained.
const DOCUMENTS: &str = include_str!("../../../../docs/documents.md");

/// One field of a kind of documents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Field {
    /// The kind and the path, for example `team.spec.bindings[].until`.
    pub field: String,
    /// What it is.
    #[serde(rename = "type")]
    pub of_type: String,
    /// What is taken.
    pub limits: String,
    /// What holds when it is left out.
    pub default: String,
    /// What it is for.
    pub meaning: String,
}

/// Explains a field, or all beneath one.
pub fn run(screen: Screen, shape: Option<&Output>, args: &ExplainArgs) -> Result<Exit, Failure> {
    output::no_columns(shape)?;
    let found = find(&args.field)?;
    match shape {
        Some(shape) if shape.is_value() => screen.data(&output::value(&found, shape)?),
        Some(Output::Name) => {
            screen.data(&found.iter().map(|each| each.field.clone() + "\n").collect::<String>());
        }
        _ => match found.as_slice() {
            [one] => screen.data(&whole(one)),
            many => {
                let row = |each: &Field| {
                    vec![each.field.clone(), each.of_type.clone(), each.default.clone()]
                };
                let rows: Vec<_> = many.iter().map(row).collect();
                screen.data(&table(&["FIELD", "TYPE", "DEFAULT"], &rows, false));
                screen.say("name one of them to read what it means");
            }
        },
    }
    Ok(Exit::Ok)
}

/// The field with this name, or all that are beneath it.
fn find(text: &str) -> Result<Vec<Field>, Failure> {
    let plain = |name: &str| name.replace("[]", "").to_ascii_lowercase();
    let asked = plain(text.trim_matches('.'));
    let (kind, rest) = asked.split_once('.').unwrap_or((&asked, ""));
    let kind = kind.strip_suffix('s').unwrap_or(kind);
    let asked = if rest.is_empty() { kind.to_owned() } else { format!("{kind}.{rest}") };
    let all = fields();
    let beneath = format!("{asked}.");
    let found: Vec<Field> = all
        .iter()
        .filter(|each| {
            let name = plain(&each.field);
            name == asked || name.starts_with(&beneath)
        })
        .cloned()
        .collect();
    if !found.is_empty() {
        return Ok(found);
    }
    let last = asked.rsplit('.').next().unwrap_or_default();
    let near: Vec<&str> = all
        .iter()
        .filter(|each| plain(&each.field).split('.').any(|part| part == last))
        .map(|each| each.field.as_str())
        .collect();
    let next = if near.is_empty() {
        "`strongroom explain team`, `cluster` or `platform` lists all of a kind".to_owned()
    } else {
        format!("perhaps {}", near.join(", "))
    };
    Err(Failure::new(Exit::NotFound, format!("explain {text:?}"))
        .because("there is no such field")
        .next(next))
}

/// Every field there is, in the order of the documentation.
pub fn fields() -> Vec<Field> {
    let (mut kind, mut fields) = (None, Vec::new());
    for line in DOCUMENTS.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            kind = heading.strip_suffix(": fields").map(str::to_ascii_lowercase);
        }
        let Some(kind) = &kind else { continue };
        let Some(row) = line.strip_prefix("| `") else { continue };
        let cells: Vec<String> =
            row.trim_end_matches(" |").split(" | ").map(|cell| cell.replace('`', "")).collect();
        let cell = |number: usize| cells.get(number).map_or("", |cell| cell.trim()).to_owned();
        fields.push(Field {
            field: format!("{kind}.{}", cell(0)),
            of_type: cell(1),
            limits: cell(2),
            default: cell(3),
            meaning: cell(4).trim_matches('|').trim().to_owned(),
        });
    }
    fields
}

fn whole(field: &Field) -> String {
    let mut text = format!("{}\n", field.field);
    for (name, value) in
        [("type", &field.of_type), ("limits", &field.limits), ("default", &field.default)]
    {
        let _ = writeln!(text, "  {name:<8} {value}");
    }
    if !field.meaning.is_empty() {
        let _ = writeln!(text, "\n{}", field.meaning);
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;
    use strongroom_domain::document::schema::schema;

    use super::*;

    /// The paths of all values that a schema takes, written like the documentation's.
    fn leaves(schema: &Value, path: &str, out: &mut BTreeSet<String>) {
        if let Some(properties) = schema["properties"].as_object() {
            for (name, inner) in properties {
                let dot = if path.is_empty() { "" } else { "." };
                leaves(inner, &format!("{path}{dot}{name}"), out);
            }
        } else if schema.get("items").is_some() {
            leaves(&schema["items"], &format!("{path}[]"), out);
        } else if let Some(choices) = schema["oneOf"].as_array() {
            for choice in choices {
                leaves(choice, path, out);
            }
        } else {
            out.insert(path.to_owned());
        }
    }

    #[test]
    fn every_field_of_the_schema_is_explained_and_no_other() {
        let schema = schema();
        let mut wanted = BTreeSet::new();
        for kind in schema["oneOf"].as_array().expect("one schema per kind") {
            let name = kind["properties"]["kind"]["const"].as_str().expect("a kind");
            let mut paths = BTreeSet::new();
            leaves(kind, "", &mut paths);
            wanted.extend(paths.into_iter().map(|path| format!("{}.{path}", name.to_lowercase())));
        }
        let told: BTreeSet<String> = fields().into_iter().map(|field| field.field).collect();
        assert_eq!(told, wanted);
    }

    #[test]
    fn a_field_is_found_however_it_is_written() {
        for text in
            ["team.spec.bindings[].until", "teams.spec.bindings.until", "Team.spec.bindings.Until"]
        {
            let found = find(text).unwrap();
            assert_eq!(found.len(), 1, "{text}");
            assert!(whole(&found[0]).contains("the last day (UTC)"), "{text}");
        }
        assert!(find("team.spec.bindings").unwrap().len() > 5);
        let unknown = find("team.spec.until").unwrap_err();
        assert_eq!(unknown.exit, Exit::NotFound);
        assert!(unknown.render().contains("team.spec.bindings[].until"));
    }
}
