//! Differences: of engine objects field by field, and of documents line by line.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::Value;
use similar::{ChangeTag, TextDiff};
use strongroom_plan::model::{Action, Step};
use strongroom_vault_model::object::Fields;

use super::text::{Style, clean};
use crate::api::types::StepView;

/// One engine write, from a frozen plan or from a preview.
#[derive(Debug, Clone)]
pub struct StepDiff {
    action: Action,
    title: String,
    changes: Vec<(String, Option<Value>, Option<Value>)>,
}

impl StepDiff {
    /// A step of a frozen plan.
    pub fn of_step(step: &Step) -> Self {
        let none = Fields::new();
        let (before, after) = (step.before.as_ref().unwrap_or(&none), step.after.as_ref());
        let after = after.unwrap_or(&none);
        let fields: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        let changes = fields
            .into_iter()
            .filter(|field| before.get(*field) != after.get(*field))
            .map(|field| (field.clone(), before.get(field).cloned(), after.get(field).cloned()))
            .collect();
        Self { action: step.action, title: step.object.to_string(), changes }
    }

    /// A step of a preview.
    pub fn of_view(step: &StepView) -> Self {
        let action = match step.action.as_str() {
            "create" => Action::Create,
            "delete" => Action::Delete,
            _ => Action::Update,
        };
        let changes = step
            .changes
            .iter()
            .map(|change| (change.field.clone(), change.before.clone(), change.after.clone()))
            .collect();
        Self { action, title: format!("{} {}", step.kind, step.name), changes }
    }
}

/// Names that people know for names that the engine holds: an anchor for its provider group.
pub type Aliases = BTreeMap<String, String>;

/// The steps in order, each with what changes in it.
pub fn steps(steps: &[StepDiff], aliases: &Aliases, style: Style) -> String {
    let mut out = String::new();
    for step in steps {
        let (sign, word) = match step.action {
            Action::Create => ('+', "create"),
            Action::Update => ('~', "update"),
            Action::Delete => ('-', "delete"),
        };
        let title = with_alias(&step.title, aliases);
        let _ = writeln!(out, "{}", tinted(sign, &format!("{word} {title}"), style));
        for (field, before, after) in &step.changes {
            write_field(&mut out, field, before.as_ref(), after.as_ref(), aliases, style);
        }
    }
    out
}

fn tinted(sign: char, text: &str, style: Style) -> String {
    let line = format!("{sign} {text}");
    match sign {
        '+' => style.green(&line),
        '-' => style.red(&line),
        '~' => style.yellow(&line),
        _ => line,
    }
}

fn write_field(
    out: &mut String,
    field: &str,
    before: Option<&Value>,
    after: Option<&Value>,
    aliases: &Aliases,
    style: Style,
) {
    let field = clean(field);
    let signed = |sign: char, text: &str| tinted(sign, text, style);
    match (before, after) {
        (Some(Value::Array(old)), Some(Value::Array(new))) => {
            let _ = writeln!(out, "    {field}:");
            for item in old.iter().filter(|item| !new.contains(item)) {
                let _ = writeln!(out, "      {}", signed('-', &scalar(item, aliases)));
            }
            for item in new.iter().filter(|item| !old.contains(item)) {
                let _ = writeln!(out, "      {}", signed('+', &scalar(item, aliases)));
            }
        }
        (old, new) if is_block(old) || is_block(new) => {
            let _ = writeln!(out, "    {field}:");
            let text = |value: Option<&Value>| match value {
                Some(Value::String(text)) => text.clone(),
                Some(other) => scalar(other, aliases),
                None => String::new(),
            };
            lines(out, &text(old), &text(new), "      ", style);
        }
        (None, Some(new)) => {
            let _ = writeln!(out, "    {field}: {}", scalar(new, aliases));
        }
        (Some(old), None) => {
            let _ =
                writeln!(out, "    {}", signed('-', &format!("{field}: {}", scalar(old, aliases))));
        }
        (Some(old), Some(new)) => {
            let _ = writeln!(
                out,
                "    {field}: {} {} {}",
                style.red(&scalar(old, aliases)),
                style.dim("→"),
                style.green(&scalar(new, aliases))
            );
        }
        (None, None) => {}
    }
}

fn is_block(value: Option<&Value>) -> bool {
    matches!(value, Some(Value::String(text)) if text.contains('\n'))
}

fn scalar(value: &Value, aliases: &Aliases) -> String {
    match value {
        Value::String(text) => with_alias(text, aliases),
        Value::Array(items) if items.is_empty() => "none".to_owned(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| scalar(item, aliases)).collect();
            items.join(", ")
        }
        other => clean(&other.to_string()),
    }
}

fn with_alias(text: &str, aliases: &Aliases) -> String {
    let known = aliases.iter().find(|(name, _)| text.ends_with(name.as_str()));
    match known {
        Some((_, group)) => format!("{} (group {})", clean(text), clean(group)),
        None if text.is_empty() => "\"\"".to_owned(),
        None => clean(text),
    }
}

/// The lines of two texts that differ, with three lines around them.
pub fn lines(out: &mut String, before: &str, after: &str, indent: &str, style: Style) {
    let diff = TextDiff::from_lines(before, after);
    for (number, group) in diff.grouped_ops(3).iter().enumerate() {
        if number > 0 {
            let _ = writeln!(out, "{indent}  …");
        }
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let sign = match change.tag() {
                ChangeTag::Insert => '+',
                ChangeTag::Delete => '-',
                ChangeTag::Equal => ' ',
            };
            let text = clean(change.value().trim_end_matches('\n'));
            let line = tinted(sign, &text, style);
            let _ = writeln!(out, "{indent}{}", line.trim_end());
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::types::FieldChange;

    fn view(action: &str, kind: &str, name: &str, changes: &[(&str, Value, Value)]) -> StepDiff {
        let some = |value: &Value| Some(value.clone()).filter(|value| !value.is_null());
        StepDiff::of_view(&StepView {
            action: action.into(),
            kind: kind.into(),
            name: name.into(),
            changes: changes
                .iter()
                .map(|(field, before, after)| FieldChange {
                    field: (*field).into(),
                    before: some(before),
                    after: some(after),
                })
                .collect(),
        })
    }

    #[test]
    fn objects_field_by_field() {
        let all = [
            view("create", "anchor", "people.0123", &[("type", json!(null), json!("external"))]),
            view(
                "update",
                "policy",
                "team.payments.binding.api",
                &[("policy", json!("a\nb\nc\n"), json!("a\nB\u{1b}[2J\nc\n"))],
            ),
            view(
                "update",
                "group",
                "team.payments.binding.api",
                &[
                    ("accounts", json!(["x/y/old", "x/y/same"]), json!(["x/y/new", "x/y/same"])),
                    ("anchors", json!([]), json!(["people.0123"])),
                ],
            ),
            view("update", "role", "auth/k8s/x/role/y", &[("token_ttl", json!(60), json!(120))]),
            view("delete", "policy", "team.payments.binding.old", &[]),
        ];
        let aliases = Aliases::from([("people.0123".to_owned(), "payments-dev".to_owned())]);
        insta::assert_snapshot!(steps(&all, &aliases, Style::PLAIN));
    }
}
