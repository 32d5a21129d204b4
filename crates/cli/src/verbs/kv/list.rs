//! `kv list`: names, never values.

use strongroom_engine::{Session, kv};

use super::place::Place;
use super::{Wish, engine_failure};
use crate::args::Output;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output;
use crate::render::text::clean;
use crate::screen::Screen;

/// Lists them.
pub(super) async fn list(
    screen: Screen,
    shape: Option<&Output>,
    session: &Session,
    place: &Place,
) -> Result<Exit, Failure> {
    output::no_columns(shape)?;
    let folder = place.secret.to_string();
    let folder = folder.trim_end_matches('*');
    let mount = place.mount.to_string();
    let what = format!("list {mount}/{folder}");
    let names = kv::list(session, &mount, folder)
        .await
        .map_err(|error| engine_failure(&error, &what, Wish::List))?;
    match shape {
        Some(shape) if shape.is_value() => screen.data(&output::value(&names, shape)?),
        _ if names.is_empty() => screen.say(&format!("there is nothing in {mount}/{folder}")),
        _ => screen.data(&names.iter().map(|name| clean(name) + "\n").collect::<String>()),
    }
    Ok(Exit::Ok)
}
