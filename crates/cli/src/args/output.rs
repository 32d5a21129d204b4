//! The shapes that results can have, and how `-o` is read.

use std::ffi::OsStr;
use std::str::FromStr;

use clap::builder::{PossibleValue, TypedValueParser};
use clap::{Arg, Command};

use crate::query::Query;

/// The shapes results can have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Columns for people.
    Table,
    /// More columns for people.
    Wide,
    /// The columns of `wide` for a spreadsheet.
    Csv,
    /// JSON.
    Json,
    /// YAML.
    Yaml,
    /// Only names, one a line.
    Name,
    /// What an expression picks from the JSON.
    JsonPath(Query),
}

/// What stands before an expression.
const JSONPATH: &str = "jsonpath=";

/// Every word with its help, in the order of help texts.
const WORDS: [(&str, &str); 7] = [
    ("table", "Columns for people"),
    ("wide", "More columns for people"),
    ("csv", "The columns of `wide`, for a spreadsheet"),
    ("json", "JSON"),
    ("yaml", "YAML"),
    ("name", "Only names, one a line"),
    (JSONPATH, "What an expression picks from the JSON, for example {.items[*].name}"),
];

impl Output {
    /// Whether it is the value whole, or picked from: JSON, YAML or an expression.
    pub fn is_value(&self) -> bool {
        matches!(self, Self::Json | Self::Yaml | Self::JsonPath(_))
    }

    /// How it is asked for.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Wide => "wide",
            Self::Csv => "csv",
            Self::Json => "json",
            Self::Yaml => "yaml",
            Self::Name => "name",
            Self::JsonPath(_) => "jsonpath=EXPR",
        }
    }
}

impl FromStr for Output {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text {
            "table" => Self::Table,
            "wide" => Self::Wide,
            "csv" => Self::Csv,
            "json" => Self::Json,
            "yaml" => Self::Yaml,
            "name" => Self::Name,
            _ => {
                let Some(expression) = text.strip_prefix(JSONPATH) else {
                    let known = WORDS.map(|(word, _)| word).join(", ");
                    return Err(format!("the formats are {known}EXPR"));
                };
                let query = Query::parse(expression);
                Self::JsonPath(query.map_err(|error| error.to_string())?)
            }
        })
    }
}

/// Reads `-o`; help texts and completions get the words from it.
#[derive(Debug, Clone, Copy)]
pub struct OutputParser;

impl TypedValueParser for OutputParser {
    type Value = Output;

    fn parse_ref(
        &self,
        command: &Command,
        argument: Option<&Arg>,
        value: &OsStr,
    ) -> Result<Output, clap::Error> {
        let parse = |text: &str| text.parse::<Output>();
        parse.parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(WORDS.into_iter().map(|(word, help)| PossibleValue::new(word).help(help))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_a_shape_and_called_by_it() {
        for (word, _) in WORDS.iter().filter(|(word, _)| *word != JSONPATH) {
            assert_eq!(word.parse::<Output>().unwrap().word(), *word);
        }
        let picked: Output = "jsonpath={.items[*].name}".parse().unwrap();
        assert!(picked.is_value() && Output::Yaml.is_value() && !Output::Csv.is_value());
        assert_eq!(picked.word(), "jsonpath=EXPR");
    }

    #[test]
    fn an_unknown_word_is_answered_with_the_known_ones() {
        for bad in ["xml", "", "jsonpath", "JSON"] {
            let refused = bad.parse::<Output>().unwrap_err();
            assert_eq!(
                refused, "the formats are table, wide, csv, json, yaml, name, jsonpath=EXPR",
                "{bad}"
            );
        }
    }
}
