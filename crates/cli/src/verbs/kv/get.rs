//! `kv get`: the values of one secret, or one of them.

use serde_json::{Map, Value};
use strongroom_engine::{Session, kv};

use super::place::Place;
use super::{Wish, engine_failure};
use crate::args::Output;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output;
use crate::render::text::{clean, clean_block};
use crate::screen::Screen;

/// Reads them.
pub(super) async fn get(
    screen: Screen,
    shape: Option<&Output>,
    session: &Session,
    place: &Place,
    field: Option<&str>,
) -> Result<Exit, Failure> {
    output::refuse(shape, &[Output::Csv])?;
    let (mount, secret) = (place.mount.to_string(), place.secret.to_string());
    let what = format!("read {mount}/{secret}");
    let found = kv::read(session, &mount, &secret)
        .await
        .map_err(|error| engine_failure(&error, &what, Wish::Get))?
        .ok_or_else(|| Failure::new(Exit::NotFound, &what).because("there is no such secret"))?;
    let none = Map::new();
    let values = found.data.as_object().unwrap_or(&none);
    if let Some(field) = field {
        let value = values.get(field).ok_or_else(|| {
            Failure::new(Exit::NotFound, &what).because(format!("it has no value named {field:?}"))
        })?;
        match value {
            Value::String(text) => screen.raw(text),
            other => screen.raw(&other.to_string()),
        }
        return Ok(Exit::Ok);
    }
    match shape {
        Some(shape) if shape.is_value() => {
            screen.data(&output::value(&found.data, shape)?);
        }
        Some(Output::Name) => {
            screen.data(&values.keys().map(|key| clean(key) + "\n").collect::<String>());
        }
        _ => {
            for (key, value) in values {
                let shown = value.as_str().map_or_else(|| value.to_string(), clean_block);
                screen.data(&format!("{}: {shown}", clean(key)));
            }
        }
    }
    Ok(Exit::Ok)
}
