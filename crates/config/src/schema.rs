//! The schemas of the configuration files, for editors: made from the types that read them, and held
//! to the delivered files. What crosses fields is judged by the readers alone.

use std::path::Path;

use schemars::JsonSchema;
use serde_json::Value;

use crate::{EXECUTE_SAMPLE, ExecuteConfig, FLOOR_SAMPLE, SERVE_SAMPLE, ServeConfig, floor};

fn of<T: JsonSchema>(title: &str) -> Value {
    let mut schema = schemars::schema_for!(T).to_value();
    schema["title"] = title.into();
    schema
}

/// Each file with its schema and its delivered content.
fn all() -> [(&'static str, Value, &'static str); 3] {
    [
        ("serve", of::<ServeConfig>("strongroom serve"), SERVE_SAMPLE),
        ("execute", of::<ExecuteConfig>("strongroom execute"), EXECUTE_SAMPLE),
        ("floor", of::<floor::Raw>("the floor file of strongroom execute"), FLOOR_SAMPLE),
    ]
}

/// `STRONGROOM_BLESS=1` writes them.
#[test]
fn the_committed_schemas_are_of_these_types() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/schema");
    for (name, schema, sample) in all() {
        let file = dir.join(format!("{name}.json"));
        let text = format!("{schema:#}\n");
        if std::env::var_os("STRONGROOM_BLESS").is_some() {
            std::fs::create_dir_all(&dir).unwrap();
            std::fs::write(&file, &text).unwrap();
        }
        let committed = std::fs::read_to_string(&file).unwrap_or_default();
        let is_same = committed == text;
        assert!(is_same, "deploy/schema/{name}.json is another: STRONGROOM_BLESS=1 writes it");
        let told = format!("# yaml-language-server: $schema=schema/{name}.json");
        assert!(sample.starts_with(&told), "deploy/{name}.yaml does not name its schema");
    }
}

#[test]
fn the_delivered_files_are_valid_and_a_misspelt_key_or_a_wrong_type_is_not() {
    for (name, schema, sample) in all() {
        let validator = jsonschema::validator_for(&schema).unwrap();
        let value: Value = serde_yaml_ng::from_str(sample).unwrap();
        if let Err(error) = validator.validate(&value) {
            panic!("deploy/{name}.yaml at {}: {error}", error.instance_path());
        }
        let mut misspelt = value.clone();
        misspelt["plattform_groups"] = "x".into();
        assert!(!validator.is_valid(&misspelt), "{name}");
        for key in value.as_object().unwrap().keys() {
            let mut wrong = value.clone();
            wrong[key] = Value::from(-1);
            assert!(!validator.is_valid(&wrong), "{name}: {key}: -1 is taken");
        }
    }
}
