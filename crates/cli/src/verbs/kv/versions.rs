//! `kv history`, `kv delete` and `kv undelete`: versions by their numbers, never their values.
//!
//! Nothing here destroys a value: what is deleted can be brought back.

use serde::Serialize;
use strongroom_engine::kv::{self, VersionInfo};
use strongroom_engine::{EngineError, Session};

use super::place::Place;
use super::{Wish, engine_failure};
use crate::args::{Globals, Output};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output;
use crate::render::table::Columns;
use crate::render::text::time_text;
use crate::screen::Screen;

/// What becomes of versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// They are not read any more.
    Delete,
    /// They are again.
    Undelete,
}

/// A version as it is told.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    version: u64,
    state: &'static str,
    created_at: String,
    deleted_at: Option<String>,
}

impl From<VersionInfo> for Told {
    fn from(info: VersionInfo) -> Self {
        let state = match (info.is_destroyed, &info.deleted_at) {
            (true, _) => "destroyed",
            (false, Some(_)) => "deleted",
            (false, None) => "there",
        };
        let VersionInfo { version, created_at, deleted_at, .. } = info;
        Self { version, state, created_at, deleted_at }
    }
}

/// Shows the versions, newest first.
pub(super) async fn history(
    screen: Screen,
    globals: &Globals,
    session: &Session,
    place: &Place,
) -> Result<Exit, Failure> {
    let (mount, secret) = (place.mount.to_string(), place.secret.to_string());
    let what = format!("list the versions of {mount}/{secret}");
    let found = known(session, &mount, &secret, &what, Wish::List).await?;
    let versions: Vec<Told> = found.into_iter().map(Told::from).collect();
    let columns = || {
        let row = |each: &Told| {
            let deleted = each.deleted_at.as_deref().map_or_else(|| "-".to_owned(), time_text);
            let state = each.state.to_owned();
            vec![each.version.to_string(), state, time_text(&each.created_at), deleted]
        };
        let headers = ["VERSION", "STATE", "SET", "DELETED"];
        Columns::new(&headers, versions.iter().map(row).collect())
    };
    match &globals.output {
        Some(shape) if shape.is_value() => screen.data(&output::value(&versions, shape)?),
        Some(Output::Csv) => screen.data(&columns().csv(globals.no_headers)),
        Some(Output::Name) => {
            let names = versions.iter().map(|each| format!("{}\n", each.version));
            screen.data(&names.collect::<String>());
        }
        _ => screen.data(&columns().table(globals.no_headers)),
    }
    Ok(Exit::Ok)
}

/// Deletes versions or brings them back; those that are so already are told.
pub(super) async fn change(
    screen: Screen,
    change: Change,
    session: &Session,
    place: &Place,
    asked: &[u64],
) -> Result<Exit, Failure> {
    let (mount, secret) = (place.mount.to_string(), place.secret.to_string());
    let (verb, done) = match change {
        Change::Delete => ("delete", "deleted"),
        Change::Undelete => ("bring back", "there again"),
    };
    let what = format!("{verb} versions of {mount}/{secret}");
    let found = known(session, &mount, &secret, &what, Wish::Delete).await?;
    let chosen = choose(&found, asked, change, &what)?;
    if chosen.is_empty() {
        screen.say("nothing changes: it is so already (`strongroom kv history` shows it)");
        return Ok(Exit::Ok);
    }
    let refused = |error: EngineError| engine_failure(&error, &what, Wish::Delete);
    match change {
        Change::Delete => kv::delete(session, &mount, &secret, &chosen).await.map_err(refused)?,
        Change::Undelete => {
            kv::undelete(session, &mount, &secret, &chosen).await.map_err(refused)?;
        }
    }
    let numbers: Vec<String> = chosen.iter().map(ToString::to_string).collect();
    screen.data(&format!("{mount}/{secret} version {} is {done}", numbers.join(", ")));
    if change == Change::Delete {
        screen.say("what was read stays read; `strongroom kv undelete` brings it back");
    }
    Ok(Exit::Ok)
}

async fn known(
    session: &Session,
    mount: &str,
    secret: &str,
    what: &str,
    wish: Wish,
) -> Result<Vec<VersionInfo>, Failure> {
    let found = kv::versions(session, mount, secret).await;
    found
        .map_err(|error| engine_failure(&error, what, wish))?
        .ok_or_else(|| Failure::new(Exit::NotFound, what).because("there is no such secret"))
}

/// The versions that change; a number that is not there, or is destroyed, is refused before anything is
/// done.
fn choose(
    found: &[VersionInfo],
    asked: &[u64],
    change: Change,
    what: &str,
) -> Result<Vec<u64>, Failure> {
    let mut chosen = Vec::new();
    let newest: Vec<u64> = found.first().map(|each| each.version).into_iter().collect();
    let asked = if asked.is_empty() { newest.as_slice() } else { asked };
    for number in asked {
        let next = "`strongroom kv history` lists the versions";
        let Some(version) = found.iter().find(|each| each.version == *number) else {
            let why = format!("there is no version {number}, or it was pushed out by newer ones");
            return Err(Failure::new(Exit::NotFound, what).because(why).next(next));
        };
        if version.is_destroyed {
            let why = format!("version {number} is destroyed: its value is gone for good");
            return Err(Failure::new(Exit::Conflict, what).because(why).next(next));
        }
        let changes = version.deleted_at.is_some() == (change == Change::Undelete);
        if changes && !chosen.contains(number) {
            chosen.push(*number);
        }
    }
    Ok(chosen)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(version: u64, deleted: bool, is_destroyed: bool) -> VersionInfo {
        let deleted_at = deleted.then(|| "2026-11-29T05:00:00Z".to_owned());
        VersionInfo { version, created_at: String::new(), deleted_at, is_destroyed }
    }

    #[test]
    fn only_what_changes_is_sent_and_nothing_is_done_by_halves() {
        let found = [version(4, false, false), version(3, true, false), version(2, false, true)];
        let choose = |asked: &[u64], change| choose(&found, asked, change, "x");
        assert_eq!(choose(&[], Change::Delete).unwrap(), [4]);
        assert!(choose(&[], Change::Undelete).unwrap().is_empty(), "the newest is there");
        assert_eq!(choose(&[3, 4, 3], Change::Undelete).unwrap(), [3]);
        assert_eq!(choose(&[4, 1], Change::Delete).unwrap_err().exit, Exit::NotFound);
        assert_eq!(choose(&[4, 2], Change::Undelete).unwrap_err().exit, Exit::Conflict);
    }
}
