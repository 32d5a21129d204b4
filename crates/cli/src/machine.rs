//! Working as a machine: an API key, or a service account's token, instead of a person's session.
//!
//! A key is sent to the server that is named beside it and to no other; a person's context never
//! decides where it goes, only, for that same server, what is pinned. Nothing is signed here, and what
//! needs the deployment's keys is refused where nobody pinned them.

use secrecy::SecretString;
use url::Url;

use crate::api::Token;
use crate::args::Globals;
use crate::client::{Client, server};
use crate::exit::Exit;
use crate::failure::Failure;

/// The variable with a key.
pub const KEY: &str = "STRONGROOM_API_KEY";

/// The key of a machine, and the server that it is for.
#[derive(Debug)]
pub struct Machine {
    /// Where it is sent.
    pub server: Url,
    /// What is sent.
    pub token: Token,
}

/// The machine that command line and environment name; `None` when a person works here.
pub fn named(globals: &Globals) -> Result<Option<Machine>, Failure> {
    let Some(token) = token(globals) else { return Ok(None) };
    let Some(address) = &globals.server else {
        return Err(Failure::usage("use an API key without a server")
            .because("a key is sent to the server that is named beside it, and to no other")
            .next("name it with --server or STRONGROOM_SERVER"));
    };
    Ok(Some(Machine { server: server(address)?, token }))
}

/// What the environment holds; a file is read with each request, for a projected token is renewed.
fn token(globals: &Globals) -> Option<Token> {
    if let Some(file) = globals.api_key_file.as_ref().filter(|file| !file.as_os_str().is_empty()) {
        return Some(Token::File(file.clone()));
    }
    let key = std::env::var(KEY).ok()?.trim().to_owned();
    (!key.is_empty()).then(|| Token::Fixed(SecretString::from(key)))
}

/// What a machine of this scope may do, in words.
pub fn may(scope: &str) -> &'static str {
    if scope == "propose" { "read and propose" } else { "read" }
}

/// What a person's own sign-in does while a key is in the environment.
pub fn note(globals: &Globals) -> Option<String> {
    token(globals).map(|_| {
        format!("note: a key is named here ({KEY}); all other verbs go on working as that machine")
    })
}

/// Refuses what a machine cannot do before anybody is asked or shown anything.
pub fn must_be_a_person(client: &Client, what: &str) -> Result<(), Failure> {
    if !client.is_machine {
        return Ok(());
    }
    Err(Failure::new(Exit::Denied, what)
        .because("this is a machine's key, and a machine signs nothing")
        .next(format!("unset {KEY}, `strongroom login`, and do it as yourself")))
}
