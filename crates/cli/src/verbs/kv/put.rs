//! `kv put`: values come from the line, a file, the terminal or standard input.

use secrecy::ExposeSecret as _;
use serde_json::{Map, Value};
use strongroom_engine::{Session, kv};

use super::place::Place;
use super::{Wish, engine_failure};
use crate::args::Output;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output;
use crate::render::text::clean;
use crate::screen::Screen;

/// Where a value comes from.
#[derive(Debug, PartialEq, Eq)]
enum Source<'a> {
    Given(&'a str),
    File(&'a str),
    Person,
}

fn source(text: &str) -> Result<(&str, Source<'_>), Failure> {
    let wrong = || {
        Failure::usage("read the values")
            .because("one of them has no `=`, or no name before it")
            .next("write key=-, key=@FILE or key=value")
    };
    let (key, value) = text.split_once('=').ok_or_else(wrong)?;
    if key.is_empty() {
        return Err(wrong());
    }
    let source = match (value, value.strip_prefix('@')) {
        ("-", _) => Source::Person,
        (_, Some(file)) => Source::File(file),
        (given, None) => Source::Given(given),
    };
    Ok((key, source))
}

/// Reads every value.
pub(super) async fn gather(
    screen: Screen,
    values: &[String],
) -> Result<Map<String, Value>, Failure> {
    let mut read = Map::new();
    let mut stdin_used = false;
    for text in values {
        let (key, source) = source(text)?;
        let is_given = matches!(source, Source::Given(_));
        let value = match source {
            Source::Given(value) => value.to_owned(),
            Source::File(file) => std::fs::read_to_string(file).map_err(|error| {
                Failure::new(Exit::Failed, format!("read {file}")).caused_by(&error)
            })?,
            Source::Person if stdin_used && !screen.has_person() => {
                return Err(Failure::usage("read two values from standard input")
                    .next("use key=@FILE for one of them"));
            }
            Source::Person => {
                stdin_used = true;
                screen
                    .secret(&format!("{} (not shown): ", clean(key)))
                    .await?
                    .expose_secret()
                    .to_owned()
            }
        };
        if value.is_empty() && !is_given {
            return Err(Failure::usage(format!("set {key:?}"))
                .because("what was read for it is empty; nothing was stored")
                .next(format!(
                    "give it a value, or write `{key}=` to store an empty one on purpose"
                )));
        }
        if read.insert(key.to_owned(), Value::from(value)).is_some() {
            return Err(Failure::usage(format!("set {key:?} twice")));
        }
    }
    Ok(read)
}

/// How values meet those that are there.
#[derive(Debug, Clone, Copy)]
pub(super) enum How {
    /// They are all there is.
    Replace {
        /// Only over this version.
        cas: Option<u64>,
    },
    /// The others stay.
    Merge,
}

/// Sets them.
pub(super) async fn put(
    screen: Screen,
    shape: Option<&Output>,
    session: &Session,
    place: &Place,
    values: Map<String, Value>,
    how: How,
) -> Result<Exit, Failure> {
    output::no_columns(shape)?;
    let (mount, secret) = (place.mount.to_string(), place.secret.to_string());
    let data = Value::Object(values);
    let written = match how {
        How::Replace { cas: Some(expected) } => {
            kv::write_cas(session, &mount, &secret, &data, expected)
                .await
                .map(|(version, _)| version)
        }
        How::Replace { cas: None } => kv::write(session, &mount, &secret, &data).await,
        How::Merge => kv::patch(session, &mount, &secret, &data).await,
    };
    let version = written
        .map_err(|error| engine_failure(&error, &format!("set {mount}/{secret}"), Wish::Put))?;
    match shape {
        Some(shape) if shape.is_value() => {
            let told = serde_json::json!({ "mount": mount, "path": secret, "version": version });
            screen.data(&output::value(&told, shape)?);
        }
        Some(Output::Name) => screen.data(&format!("{mount}/{secret}")),
        _ => {
            screen.data(&format!("{mount}/{secret} is set, version {version}"));
            if version > 1 && matches!(how, How::Replace { .. }) {
                screen.say(
                    "it holds just these values now; what the version before held besides is in that \
                     version only. `strongroom kv patch` keeps the others",
                );
            }
        }
    }
    Ok(Exit::Ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_from_the_line_a_file_or_the_person() {
        assert_eq!(source("a=b=c").unwrap(), ("a", Source::Given("b=c")));
        assert_eq!(source("a=@f").unwrap(), ("a", Source::File("f")));
        assert_eq!(source("a=-").unwrap(), ("a", Source::Person));
        assert_eq!(source("a=").unwrap(), ("a", Source::Given("")));
        assert!(source("a").is_err() && source("=b").is_err());
        // The sentence about a wrong value does not repeat it.
        assert!(!source("hunter2").unwrap_err().render().contains("hunter2"));
    }
}
