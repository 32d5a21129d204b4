//! JSON, YAML and names for machines.

use serde::Serialize;

use crate::args::Output;
use crate::exit::Exit;
use crate::failure::Failure;

/// A value as JSON or YAML.
pub fn value<T: Serialize>(value: &T, shape: Output) -> Result<String, Failure> {
    let failed = |error: &dyn std::error::Error| {
        Failure::new(Exit::Failed, "write the result").caused_by(error)
    };
    match shape {
        Output::Yaml => serde_yaml_ng::to_string(value).map_err(|error| failed(&error)),
        _ => serde_json::to_string_pretty(value)
            .map(|text| text + "\n")
            .map_err(|error| failed(&error)),
    }
}

/// Refuses a shape that a verb does not have.
pub fn only(shape: Option<Output>, known: &[Output]) -> Result<(), Failure> {
    match shape {
        Some(shape) if !known.contains(&shape) => {
            let words: Vec<&str> = known.iter().map(|each| word(*each)).collect();
            Err(Failure::usage(format!("write the result as {}", word(shape)))
                .because("this command does not have that shape")
                .next(format!("use -o {}", words.join(" or -o "))))
        }
        _ => Ok(()),
    }
}

fn word(shape: Output) -> &'static str {
    match shape {
        Output::Table => "table",
        Output::Wide => "wide",
        Output::Json => "json",
        Output::Yaml => "yaml",
        Output::Name => "name",
    }
}
