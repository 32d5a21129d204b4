//! The ledger's events in columns: who, what, about what, by which proof.

use serde_json::{Map, Value};

use super::table::{Columns, or_dash};
use super::text::{clean, seconds, short, time_text};
use crate::api::types::EventView;

/// The events in columns; `wide` shows ids and hashes whole.
pub fn events(events: &[EventView], wide: bool) -> Columns {
    let rows: Vec<Vec<String>> = events.iter().map(|event| row(event, wide)).collect();
    let mut headers = vec!["SEQ", "TIME", "EVENT", "WHO", "ABOUT", "REQUEST"];
    if wide {
        headers.push("HASH");
    }
    headers.push("DETAILS");
    Columns::new(&headers, rows)
}

fn row(event: &EventView, wide: bool) -> Vec<String> {
    let cut = |text: &str| if wide { text.to_owned() } else { tail(text) };
    let mut row = vec![
        event.sequence.to_string(),
        time_text(&event.at),
        event.kind.clone(),
        who(&event.event),
        or_dash(event.subject.as_deref()),
        event.request.as_deref().map_or_else(|| "-".to_owned(), cut),
    ];
    if wide {
        row.push(event.hash.clone());
    }
    row.push(details(&event.event, wide));
    row
}

/// The end of an id: a UUID v7 begins with the time, which neighbours share.
fn tail(id: &str) -> String {
    let skip = id.chars().count().saturating_sub(12);
    id.chars().skip(skip).collect()
}

/// Who caused it; a signature that the executor verified is said.
pub fn who(event: &Value) -> String {
    let Some(actor) = event.get("actor") else {
        return "-".to_owned();
    };
    let text = |key: &str| actor.get(key).and_then(Value::as_str).unwrap_or_default();
    match text("type") {
        "person" if actor.get("signed").and_then(Value::as_bool) == Some(true) => {
            format!("{} (signed)", text("display"))
        }
        "person" | "machine" => text("display").to_owned(),
        other => or_dash(Some(other)),
    }
}

/// What is known about an event beside the columns, in one line.
pub fn details(event: &Value, wide: bool) -> String {
    let none = Map::new();
    let detail = event.get("detail").and_then(Value::as_object).unwrap_or(&none);
    let mut parts: Vec<(usize, String)> = detail
        .iter()
        .filter(|(_, value)| !is_empty(value))
        .map(|(key, value)| {
            let place = ORDER.iter().position(|(known, ..)| known == key).unwrap_or(ORDER.len());
            let (name, shape) = ORDER
                .get(place)
                .map_or((key.as_str(), Shape::Plain), |(_, name, shape)| (name, *shape));
            let shown = shown(value, shape, wide);
            (place, if name.is_empty() { shown } else { format!("{name} {shown}") })
        })
        .collect();
    parts.sort_by_key(|(place, _)| *place);
    let parts: Vec<String> = parts.into_iter().map(|(_, part)| part).collect();
    or_dash(Some(&parts.join("; ")))
}

#[derive(Debug, Clone, Copy)]
enum Shape {
    /// As it is.
    Plain,
    /// A digest or an id of which the first digits are enough.
    Id,
    /// Unix seconds or a time.
    Time,
}

/// The details in the order in which they are read, and what they are called.
const ORDER: &[(&str, &str, Shape)] = &[
    ("act", "", Shape::Plain),
    ("kind", "", Shape::Plain),
    ("action", "", Shape::Plain),
    ("object", "", Shape::Plain),
    ("name", "", Shape::Plain),
    ("binding", "binding", Shape::Plain),
    ("account", "account", Shape::Plain),
    ("result", "", Shape::Plain),
    ("stage", "for", Shape::Plain),
    ("round", "round", Shape::Plain),
    ("risk", "risk", Shape::Plain),
    ("reason", "because:", Shape::Plain),
    ("comment", "saying:", Shape::Plain),
    ("token", "proof: token", Shape::Id),
    ("tokenDigest", "proof: token", Shape::Id),
    ("key", "provider key", Shape::Id),
    ("keyId", "key", Shape::Id),
    ("kid", "provider key", Shape::Id),
    ("signingKey", "provider key", Shape::Id),
    ("authTime", "signed in", Shape::Time),
    ("planHash", "plan", Shape::Id),
    ("plan", "plan", Shape::Id),
    ("before", "before", Shape::Id),
    ("after", "after", Shape::Id),
    ("requestId", "engine request", Shape::Plain),
    ("engineRequest", "engine request", Shape::Plain),
    ("engineRequestId", "engine request", Shape::Plain),
    ("engineRequestIds", "engine requests", Shape::Plain),
    ("engineRequests", "engine requests", Shape::Plain),
];

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    }
}

fn shown(value: &Value, shape: Shape, wide: bool) -> String {
    match (value, shape) {
        (Value::String(text), Shape::Id) if !wide => short(text),
        (Value::String(text), Shape::Time) => time_text(text),
        (Value::Number(number), Shape::Time) => {
            number.as_i64().map_or_else(|| number.to_string(), seconds)
        }
        (Value::String(text), _) => clean(text),
        (Value::Array(items), _) => {
            let items: Vec<String> = items.iter().map(|item| shown(item, shape, wide)).collect();
            items.join(", ")
        }
        (Value::Object(map), _) => {
            // An object reference reads best as its words; a key as its id.
            for only in ["kid", "display", "id"] {
                if let Some(Value::String(text)) = map.get(only) {
                    return clean(text);
                }
            }
            let words: Vec<String> = map
                .iter()
                .filter(|(_, value)| !is_empty(value))
                .map(|(key, value)| match key.as_str() {
                    "kind" | "name" | "action" => shown(value, Shape::Plain, wide),
                    _ => format!("{}={}", clean(key), shown(value, Shape::Plain, wide)),
                })
                .collect();
            words.join(" ")
        }
        (other, _) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(sequence: i64, kind: &str, actor: &Value, detail: &Value) -> EventView {
        EventView {
            sequence,
            at: "2026-11-23T18:00:03.123456Z".into(),
            kind: kind.into(),
            request: Some("0199b5d0-0000-7000-8000-000000000002".into()),
            subject: Some("team/payments".into()),
            hash: "ab".repeat(32),
            event: json!({ "actor": actor, "detail": detail }),
        }
    }

    #[test]
    fn who_signed_what_with_which_proof() {
        let bob = json!({ "type": "person", "issuer": "i", "person": "b", "display": "bob",
            "signed": true });
        let mut unsigned = bob.clone();
        unsigned["signed"] = json!(false);
        let all = [
            event(7, "act.received", &unsigned, &json!({ "act": "approve" })),
            event(
                8,
                "act.counted",
                &bob,
                &json!({ "act": "approve", "stage": "owners of payments", "token": "cd".repeat(32),
                    "kid": "f0e1d2c3-aaaa", "authTime": 1_795_456_800 }),
            ),
            event(
                9,
                "apply.written",
                &json!({ "type": "executor" }),
                &json!({ "action": "create", "engineRequestId": "11111111-2222-3333-4444-555555555555",
                    "object": { "kind": "policy", "name": "team.payments.owner" } }),
            ),
        ];
        insta::assert_snapshot!(events(&all, false).table(false));
        let wide = events(&all, true).table(true);
        assert!(wide.contains(&"cd".repeat(32)) && wide.contains(&"ab".repeat(32)));
    }
}
