//! `kv`: a person and the engine, with nobody in between.
//!
//! The sign-in happens at the engine itself, from this machine. The token is held in memory and
//! given back at the end; a value never goes to Strongroom's server, to a log or to the terminal
//! unless it was asked for.

mod get;
mod list;
mod place;
mod put;
mod session;
mod versions;

use serde_json::Map;
use strongroom_engine::error::Failure as Cause;
use strongroom_engine::{EngineError, Session};

pub(super) use self::place::Place;
use self::put::How;
pub(super) use self::session::{no_namespace, variable};
use self::versions::Change;
use crate::args::{Globals, KvCommand};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::screen::Screen;

/// What is done, as far as it is told to a person who may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    Put,
    Get,
    List,
    Delete,
    SignIn,
}

impl Wish {
    /// Who may, when the engine says no.
    fn who_may(self) -> &'static str {
        match self {
            Self::Put => {
                "setting is for people in an owners or editors group of the team, and while the team \
                 is not suspended; `strongroom whoami` shows your groups"
            }
            Self::Get => {
                "reading is for people in a group that a binding of the team names for this path \
                 (`strongroom get bindings --team TEAM`); owners and editors set values without \
                 reading them"
            }
            Self::List => {
                "names are seen by people in a group of the team, and by those whose binding has \
                 this folder; `strongroom whoami` shows your groups"
            }
            Self::Delete => {
                "deleting and bringing back is for people in an owners group of the team; `strongroom whoami` \
                 shows your groups"
            }
            Self::SignIn => "ask the platform team whether you may sign in at the engine",
        }
    }
}

/// Sets, reads, lists, deletes or brings back secrets.
pub async fn run(globals: &Globals, screen: Screen, command: &KvCommand) -> Result<Exit, Failure> {
    let path = match command {
        KvCommand::Put { path, .. }
        | KvCommand::Patch { path, .. }
        | KvCommand::Get { path, .. }
        | KvCommand::History { path }
        | KvCommand::Delete { path, .. }
        | KvCommand::Undelete { path, .. } => Place::parse(path)?,
        KvCommand::List { path } => Place::folder(path)?,
    };
    // Everything is read before the person signs in, so that a typing mistake costs no sign-in.
    let values = match command {
        KvCommand::Put { values, .. } | KvCommand::Patch { values, .. } => {
            put::gather(screen, values).await?
        }
        _ => Map::new(),
    };
    let (session, own_token) = session::open(globals, screen).await?;
    let result = match command {
        KvCommand::Put { cas, .. } => {
            let how = How::Replace { cas: *cas };
            put::put(screen, globals.output.as_ref(), &session, &path, values, how).await
        }
        KvCommand::Patch { .. } => {
            put::put(screen, globals.output.as_ref(), &session, &path, values, How::Merge).await
        }
        KvCommand::Get { field, .. } => {
            get::get(screen, globals.output.as_ref(), &session, &path, field.as_deref()).await
        }
        KvCommand::List { .. } => {
            list::list(screen, globals.output.as_ref(), &session, &path).await
        }
        KvCommand::History { .. } => versions::history(screen, globals, &session, &path).await,
        KvCommand::Delete { versions, .. } => {
            versions::change(screen, Change::Delete, &session, &path, versions).await
        }
        KvCommand::Undelete { versions, .. } => {
            versions::change(screen, Change::Undelete, &session, &path, versions).await
        }
    };
    if !own_token {
        give_back(&session, screen).await;
    }
    result
}

/// Ends a token that the engine gave.
pub(super) async fn give_back(session: &Session, screen: Screen) {
    if let Err(error) = session.revoke_self().await {
        // A token that may do nothing may not end itself either.
        let why = match error.failure {
            Cause::Denied => "it carries no rights, and ends by itself".to_owned(),
            _ => error.to_string(),
        };
        screen.say(&format!("the engine's token was not given back: {why}"));
    }
}

fn engine_failure(error: &EngineError, what: &str, wish: Wish) -> Failure {
    let (exit, next) = match &error.failure {
        Cause::Denied => (Exit::Denied, wish.who_may()),
        Cause::NotFound => {
            (Exit::NotFound, "check team, mount and path; `kv patch` needs a secret that is there")
        }
        Cause::CasMismatch => {
            (Exit::Conflict, "somebody else has set it; look at it and try again with its version")
        }
        Cause::Unreachable(_) => {
            (Exit::Failed, "check the engine's address (BAO_ADDR, VAULT_ADDR) and the network")
        }
        Cause::UnknownOutcome(_) => (Exit::Failed, "read it back before you try again"),
        _ => (Exit::Failed, "ask the platform team what the engine's log says of this request"),
    };
    let request = error.request_id.as_ref().map(|id| format!(" (request {id})"));
    // What the person named is in `what` already; the engine's own paths say nothing to them.
    Failure::new(exit, what)
        .because(format!("{}{}", error.failure, request.unwrap_or_default()))
        .next(next)
}
