//! JSON, YAML and what an expression picks, for machines.

use serde::Serialize;

use crate::args::Output;
use crate::exit::Exit;
use crate::failure::Failure;

/// A value as JSON or YAML, or what an expression picks from it.
pub fn value<T: Serialize>(value: &T, shape: &Output) -> Result<String, Failure> {
    let failed = |error: &dyn std::error::Error| {
        Failure::new(Exit::Failed, "write the result").caused_by(error)
    };
    match shape {
        Output::Yaml => serde_yaml_ng::to_string(value).map_err(|error| failed(&error)),
        Output::JsonPath(query) => {
            let value = serde_json::to_value(value).map_err(|error| failed(&error))?;
            Ok(query.pick(&value))
        }
        _ => serde_json::to_string_pretty(value)
            .map(|text| text + "\n")
            .map_err(|error| failed(&error)),
    }
}

/// Refuses shapes that a verb does not have.
pub fn refuse(shape: Option<&Output>, unfit: &[Output]) -> Result<(), Failure> {
    match shape {
        Some(shape) if unfit.contains(shape) => {
            Err(Failure::usage(format!("write the result as {}", shape.word()))
                .because("this command does not have that shape")
                .next("leave -o out, or use -o json, -o yaml or -o jsonpath=EXPR"))
        }
        _ => Ok(()),
    }
}

/// Refuses columns where the result is no list.
pub fn no_columns(shape: Option<&Output>) -> Result<(), Failure> {
    refuse(shape, &[Output::Wide, Output::Csv])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_that_a_verb_lacks_is_refused_by_name() {
        for shape in [Output::Wide, Output::Csv] {
            let refused = no_columns(Some(&shape)).unwrap_err();
            assert_eq!(refused.exit, Exit::Usage);
            assert!(refused.render().contains(&format!("write the result as {}", shape.word())));
        }
        for shape in [None, Some(&Output::Table), Some(&Output::Name), Some(&Output::Json)] {
            no_columns(shape).unwrap();
        }
    }

    #[test]
    fn an_expression_picks_from_what_json_shows() {
        let picked = |text: &str| {
            let shape = format!("jsonpath={text}").parse().unwrap();
            value(&serde_json::json!({ "name": "payments", "revision": 4 }), &shape).unwrap()
        };
        assert_eq!(picked("{.name}"), "payments\n");
        assert_eq!(picked("{.revision}"), "4\n");
    }
}
