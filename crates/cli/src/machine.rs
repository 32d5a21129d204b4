//! Working as a machine: an API key from the environment or a file instead of a person's session.
//!
//! A key is sent to the one server that was named beside it and nowhere else. What a deployment
//! publishes is not pinned on a machine that never signed in: nothing that people rely on is checked
//! with it, and nothing is signed here.

use std::path::Path;

use secrecy::{ExposeSecret as _, SecretString};

use crate::api::Api;
use crate::args::Globals;
use crate::client::{Client, server};
use crate::context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::trust::Trust;

/// The variable with a key.
pub const KEY: &str = "STRONGROOM_API_KEY";

/// A key, and the trust that goes with the server it is for.
#[derive(Debug)]
pub struct Machine {
    /// The API as the machine.
    pub api: Api,
    /// What the deployment publishes, pinned here or only read.
    pub trust: Trust,
}

/// The machine that the environment names; `None` when a person works here.
pub async fn from_environment(globals: &Globals) -> Result<Option<Machine>, Failure> {
    let variable = std::env::var(KEY).ok().filter(|key| !key.is_empty());
    let key = match (&globals.api_key_file, variable) {
        (Some(file), _) => read(file)?,
        (None, Some(key)) => SecretString::from(key),
        (None, None) => return Ok(None),
    };
    let path = context::path(globals)?;
    let known = context::read(&path)?;
    let address = match (&globals.server, &known) {
        (Some(given), _) => server(given)?,
        (None, Some(known)) => known.server.clone(),
        (None, None) => {
            return Err(Failure::usage("use an API key without a server")
                .because("a key is sent to the server that is named beside it, and nowhere else")
                .next("name it with --server or STRONGROOM_SERVER"));
        }
    };
    let api = Api::new(&address, Some(key))?;
    let trust = match known.filter(|known| known.server == address) {
        Some(known) => context::check(&path, known.trust)?,
        None => Trust::new(api.trust().await?).map_err(|error| {
            Failure::new(Exit::Conflict, "read the deployment's trust").caused_by(&error)
        })?,
    };
    Ok(Some(Machine { api, trust }))
}

fn read(file: &Path) -> Result<SecretString, Failure> {
    let failed = || Failure::usage(format!("read the API key in {}", file.display()));
    let text = std::fs::read_to_string(file)
        .map_err(|error| failed().caused_by(&error).next("name a file with the key alone in it"))?;
    let key = SecretString::from(text.trim().to_owned());
    if key.expose_secret().is_empty() {
        return Err(failed().because("it is empty"));
    }
    Ok(key)
}

/// Refuses what a machine cannot do before anybody is asked anything.
pub fn must_be_a_person(client: &Client, what: &str) -> Result<(), Failure> {
    if !client.is_machine {
        return Ok(());
    }
    Err(Failure::new(Exit::Denied, what)
        .because("this is an API key, and a machine signs nothing")
        .next(format!("unset {KEY}, `strongroom login`, and do it as yourself")))
}
