//! `kv put` and `kv get`: a person and the engine, with nobody in between.
//!
//! The sign-in happens at the engine itself, from this machine. The token is held in memory and
//! given back at the end; a value never goes to Strongroom's server, to a log or to the terminal
//! unless it was asked for.

mod session;

use secrecy::ExposeSecret as _;
use serde_json::{Map, Value};
use strongroom_engine::error::Failure as Cause;
use strongroom_engine::{EngineError, Session, kv};
use strongroom_vault_model::path::{SecretPath, TeamMount};

use crate::args::{Globals, KvCommand, Output};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output;
use crate::render::text::{clean, clean_block};
use crate::screen::Screen;

/// Sets or reads a secret.
pub async fn run(globals: &Globals, screen: Screen, command: &KvCommand) -> Result<Exit, Failure> {
    let path = match command {
        KvCommand::Put { path, .. } | KvCommand::Get { path, .. } => Place::parse(path)?,
    };
    // Everything is read before the person signs in, so that a typing mistake costs no sign-in.
    let values = match command {
        KvCommand::Put { values, .. } => gather(screen, values).await?,
        KvCommand::Get { .. } => Map::new(),
    };
    let (session, own_token) = session::open(globals, screen).await?;
    let result = match command {
        KvCommand::Put { cas, .. } => {
            put(screen, globals.output, &session, &path, values, *cas).await
        }
        KvCommand::Get { field, .. } => {
            get(screen, globals.output, &session, &path, field.as_deref()).await
        }
    };
    if !own_token && let Err(error) = session.revoke_self().await {
        screen.say(&format!("the engine's token could not be given back: {error}"));
    }
    result
}

/// One secret in a team's mount.
#[derive(Debug)]
struct Place {
    mount: TeamMount,
    secret: SecretPath,
}

impl Place {
    fn parse(text: &str) -> Result<Self, Failure> {
        let wrong = |why: String| {
            Failure::usage(format!("read the path {text:?}")).because(why).next(
                "name TEAM/MOUNT/SECRET without `team/` and `data/`, for example \
                 payments/kv/prod/api/db",
            )
        };
        let mut parts = text.splitn(3, '/');
        let (Some(team), Some(mount), Some(secret)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(wrong("it has fewer than three parts".to_owned()));
        };
        let mount = TeamMount {
            team: team.parse().map_err(|error| wrong(format!("{error}")))?,
            mount: mount.parse().map_err(|error| wrong(format!("{error}")))?,
        };
        let secret = SecretPath::new(secret).map_err(|error| wrong(format!("{error}")))?;
        if secret.is_beneath() {
            return Err(wrong("it names a folder, not a secret".to_owned()));
        }
        Ok(Self { mount, secret })
    }
}

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

async fn gather(screen: Screen, values: &[String]) -> Result<Map<String, Value>, Failure> {
    let mut read = Map::new();
    let mut stdin_used = false;
    for text in values {
        let (key, source) = source(text)?;
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
        if read.insert(key.to_owned(), Value::from(value)).is_some() {
            return Err(Failure::usage(format!("set {key:?} twice")));
        }
    }
    Ok(read)
}

async fn put(
    screen: Screen,
    shape: Option<Output>,
    session: &Session,
    place: &Place,
    values: Map<String, Value>,
    cas: Option<u64>,
) -> Result<Exit, Failure> {
    output::only(shape, &[Output::Table, Output::Json, Output::Yaml, Output::Name])?;
    let (mount, secret) = (place.mount.to_string(), place.secret.to_string());
    let data = Value::Object(values);
    let written = match cas {
        Some(expected) => kv::write_cas(session, &mount, &secret, &data, expected)
            .await
            .map(|(version, _)| version),
        None => kv::write(session, &mount, &secret, &data).await,
    };
    let version =
        written.map_err(|error| engine_failure(&error, &format!("set {mount}/{secret}")))?;
    match shape {
        Some(shape @ (Output::Json | Output::Yaml)) => {
            let told = serde_json::json!({ "mount": mount, "path": secret, "version": version });
            screen.data(&output::value(&told, shape)?);
        }
        Some(Output::Name) => screen.data(&format!("{mount}/{secret}")),
        _ => screen.data(&format!("{mount}/{secret} is set, version {version}")),
    }
    Ok(Exit::Ok)
}

async fn get(
    screen: Screen,
    shape: Option<Output>,
    session: &Session,
    place: &Place,
    field: Option<&str>,
) -> Result<Exit, Failure> {
    let (mount, secret) = (place.mount.to_string(), place.secret.to_string());
    let what = format!("read {mount}/{secret}");
    let found = kv::read(session, &mount, &secret)
        .await
        .map_err(|error| engine_failure(&error, &what))?
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
        Some(shape @ (Output::Json | Output::Yaml)) => {
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

fn engine_failure(error: &EngineError, what: &str) -> Failure {
    let (exit, next) = match &error.failure {
        Cause::Denied => (
            Exit::Denied,
            "setting needs to be an owner or editor of a team that is not suspended; reading needs a \
             binding of your own",
        ),
        Cause::NotFound => (Exit::NotFound, "check team, mount and path"),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_one_secret_in_one_mount() {
        let place = Place::parse("payments/kv/prod/api/db").unwrap();
        assert_eq!(place.mount.to_string(), "team/payments/kv");
        assert_eq!(place.secret.to_string(), "prod/api/db");
        for bad in ["payments/kv", "payments/kv/", "payments/kv/a/*", "Payments/kv/a", "a/b/../c"] {
            assert_eq!(Place::parse(bad).unwrap_err().exit, Exit::Usage, "{bad}");
        }
    }

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
