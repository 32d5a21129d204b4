//! Documents decode to typed values, come back as themselves, and tell every fault at once.

use serde_json::Value;

use super::*;

mod round_trip;

const PAYMENTS: &str = include_str!("../../tests/documents/payments.yaml");

fn one(text: &str) -> Document {
    let mut documents = Document::from_yaml(text).unwrap_or_else(|faults| panic!("{faults:#?}"));
    assert_eq!(documents.len(), 1);
    documents.remove(0)
}

#[test]
fn the_document_of_the_design_is_taken_and_comes_back_unchanged() {
    let document = one(PAYMENTS);
    assert_eq!(document.subject().to_string(), "team/payments");
    assert_eq!(one(&document.to_yaml()), document);
    assert_eq!(Document::from_canonical(&document.canonical()).unwrap(), document);
    insta::assert_snapshot!(document.to_yaml());
}

#[test]
fn canonical_bytes_in_another_spelling_are_refused() {
    let mut bytes = one(PAYMENTS).canonical();
    bytes.push(b' ');
    assert!(Document::from_canonical(&bytes).is_err());
}

#[test]
fn every_fault_is_told_at_once_with_pointer_and_line() {
    let text = "\
apiVersion: strongroom.dev/v1
kind: Team
metadata: { name: Payments }
spec:
  displayName: \"\"
  contact: a@example.com
  colour: red
  people:
    owners: [{ group: payments-leads }]
    editors: [{ grup: x }]
  mounts:
    - { name: kv, type: kv-v1 }
  namespaces:
    - { cluster: prod-eu, name: 'pay*', environment: production }
  bindings:
    - { name: api, access: [{ mount: kv, path: ../x, level: own }] }
";
    let faults = Document::from_yaml(text).unwrap_err();
    let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn a_fault_names_its_field_as_people_write_it() {
    for (pointer, path) in [
        ("", ""),
        ("/spec/mounts/0/name", "spec.mounts[0].name"),
        ("/1/spec/people", "document 2, spec.people"),
        ("/1", "document 2"),
        ("/spec/a~1b~0c", "spec.a/b~c"),
    ] {
        assert_eq!(field_path(pointer), path, "{pointer}");
    }
    let two = format!("{PAYMENTS}\n---\n{}", PAYMENTS.replace("type: kv-v2", "type: kv-v1"));
    let faults = Document::from_yaml(&two).unwrap_err();
    assert!(faults[0].to_string().contains(": document 2, spec.mounts[0].type: "), "{faults:?}");
}

#[test]
fn rules_that_cross_fields_hold() {
    let text = PAYMENTS.replace("mount: kv,", "mount: other,");
    assert!(Document::from_yaml(&text).unwrap_err()[0].message.contains("no mount"));
    let text = PAYMENTS.replace("namespace: payments-prod", "namespace: elsewhere");
    assert!(Document::from_yaml(&text).unwrap_err()[0].message.contains("does not claim"));
    let person = PAYMENTS.replace("  limits:", "    - { name: look, people: { group: devs }, access: [{ mount: kv, path: prod/*, level: read }] }\n  limits:");
    let faults = Document::from_yaml(&person).unwrap_err();
    assert!(faults[0].message.contains("end date"), "{faults:?}");
}

#[test]
fn hostile_texts_are_refused_and_bounded() {
    let deep = "[".repeat(100_000);
    assert!(Document::from_yaml(&deep).is_err());
    assert!(Document::from_yaml(&"- ".repeat(100_000)).is_err());
    assert!(Document::from_yaml("a: &a [x]\nb: *a\n").unwrap_err()[0].message.contains("aliases"));
    assert!(Document::from_yaml("a: 1\na: 2\n").is_err());
    assert!(Document::from_yaml(&"x".repeat(MAX_BYTES + 1)).is_err());
    assert!(Document::from_yaml("").is_err());
    let mut value: Value = Value::Null;
    for _ in 0..200 {
        value = serde_json::json!([value]);
    }
    assert!(Document::from_value(&value).is_err());
    for text in ["Pay\u{202e}ments", "Pay\u{200b}ments", "Pay\\u0000ments"] {
        let text = PAYMENTS.replace("displayName: Payments", &format!("displayName: \"{text}\""));
        assert!(Document::from_yaml(&text).is_err());
    }
}

#[test]
fn the_schema_and_the_decoder_agree() {
    let validator = jsonschema::validator_for(&schema::schema()).unwrap();
    let value = one(PAYMENTS).to_value();
    assert!(validator.is_valid(&value));
    let platform = Document::Platform(Box::default()).to_value();
    assert!(validator.is_valid(&platform));
    assert_eq!(Document::from_value(&platform).unwrap(), Document::Platform(Box::default()));
    // Any one leaf replaced by something wrong is refused by both.
    let mut leaves = Vec::new();
    collect_leaves(&value, String::new(), &mut leaves);
    assert!(leaves.len() > 20);
    for pointer in leaves {
        for wrong in [serde_json::json!(1.5), serde_json::json!("\u{7}*"), serde_json::json!([])] {
            let mut changed = value.clone();
            *changed.pointer_mut(&pointer).unwrap() = wrong.clone();
            let free_text = pointer.ends_with("displayName")
                || pointer.ends_with("contact")
                || pointer.ends_with("group");
            if wrong.is_string() && free_text {
                continue;
            }
            assert!(Document::from_value(&changed).is_err(), "decoder took {wrong} at {pointer}");
            assert!(!validator.is_valid(&changed), "schema took {wrong} at {pointer}");
        }
    }
}

fn collect_leaves(value: &Value, pointer: String, leaves: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                collect_leaves(value, format!("{pointer}/{key}"), leaves);
            }
        }
        Value::Array(items) => {
            for (number, value) in items.iter().enumerate() {
                collect_leaves(value, format!("{pointer}/{number}"), leaves);
            }
        }
        _ => leaves.push(pointer),
    }
}

#[test]
fn a_cluster_document_names_one_https_origin() {
    let text = |server: &str| {
        format!(
            "apiVersion: strongroom.dev/v1\nkind: Cluster\nmetadata: {{ name: prod-eu }}\nspec:\n  \
             server: {server}\n  ca: |\n    -----BEGIN CERTIFICATE-----\n    AAAA\n    \
             -----END CERTIFICATE-----\n  auth: {{ method: kubernetes }}\n  audience: strongroom\n  \
             credentials: prod-eu\n"
        )
    };
    for good in ["https://127.0.0.1:6443", "https://api.example.com", "https://[::1]:1"] {
        let document = one(&text(good));
        assert_eq!(one(&document.to_yaml()), document);
    }
    for bad in [
        "http://127.0.0.1",
        "https://a/b",
        "https://user@a",
        "https://a:99999",
        "https://",
        "https://A",
        "https://a?x",
        "https://a#",
        "ftp://a",
    ] {
        assert!(Document::from_yaml(&text(bad)).is_err(), "{bad} was taken");
    }
}
