//! What most verbs work with: the API with a session or a key, the pinned trust, the screen.

use std::time::Duration;

use secrecy::SecretString;
use strongroom_domain::clock::SystemClock;
use url::Url;

use crate::api::{Api, Token};
use crate::args::{Globals, Output};
use crate::context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::machine::{self, Machine};
use crate::screen::Screen;
use crate::trust::Trust;

/// A signed-in client of one deployment.
#[derive(Debug)]
pub struct Client {
    /// The API with the session.
    pub api: Api,
    /// What was pinned; the API is not asked about it. A machine may have nothing.
    pub trust: Option<Trust>,
    /// The person's terminal.
    pub screen: Screen,
    /// The shape of results that was asked for.
    pub output: Option<Output>,
    /// Tables without their first line.
    pub no_headers: bool,
    /// The time.
    pub clock: SystemClock,
    /// How long the executor's answer to an act is waited for.
    pub patience: Duration,
    /// Whether a machine asks, which signs nothing.
    pub is_machine: bool,
}

/// How long the executor's answer to an act is waited for.
const PATIENCE: Duration = Duration::from_secs(15);

impl Client {
    fn new(globals: &Globals, screen: Screen, api: Api, trust: Option<Trust>) -> Self {
        Self {
            api,
            trust,
            screen,
            output: globals.output.clone(),
            no_headers: globals.no_headers,
            clock: SystemClock,
            patience: PATIENCE,
            is_machine: false,
        }
    }

    /// Works as the machine that is named, or opens the context's session where none is.
    pub fn open(globals: &Globals, screen: Screen) -> Result<Self, Failure> {
        if let Some(Machine { server, token }) = machine::named(globals)? {
            let path = context::path(globals)?;
            let known = context::read(&path)?.filter(|known| known.server == server);
            let trust = known.map(|known| context::check(&path, known.trust)).transpose()?;
            let api = Api::new(&server, Some(token))?;
            return Ok(Self { is_machine: true, ..Self::new(globals, screen, api, trust) });
        }
        let path = context::path(globals)?;
        let login = |server: Option<&Url>| {
            let line = match (server.map(Url::as_str), globals.server.as_deref()) {
                (Some(_), _) => "strongroom login".to_owned(),
                (None, Some(given)) => format!("strongroom login --server {given}"),
                (None, None) => "strongroom login --server https://…".to_owned(),
            };
            Failure::new(Exit::LoginNeeded, "you are not signed in")
                .because(format!("the context {} holds no session", path.display()))
                .next(format!("run `{line}`"))
        };
        let context = context::read(&path)?.ok_or_else(|| login(None))?;
        if let Some(other) = &globals.server
            && server(other)? != context.server
        {
            // The session belongs to the server that it was made at and is sent nowhere else.
            return Err(Failure::new(Exit::Conflict, format!("use the server {other}"))
                .because(format!("this context is signed in at {}", context.server))
                .next("run `strongroom login --server URL`, or choose another --context"));
        }
        let trust = context::check(&path, context.trust)?;
        let session = context.session.ok_or_else(|| login(Some(&context.server)))?;
        let token = Token::Fixed(SecretString::from(session.token));
        let api = Api::new(&context.server, Some(token))?;
        Ok(Self::new(globals, screen, api, Some(trust)))
    }

    /// What was pinned here.
    pub fn pinned(&self, what: &str) -> Result<&Trust, Failure> {
        self.trust.as_ref().ok_or_else(|| {
            Failure::new(Exit::Conflict, what)
                .because("nobody pinned this deployment's keys and engine on this machine")
                .next("do it as a person who signed in (`strongroom login`), or give --context the file \
                       of one, of which only the pinned part is read")
        })
    }
}

/// A server's address as the person gave it.
pub fn server(text: &str) -> Result<Url, Failure> {
    text.parse().map_err(|error: url::ParseError| {
        Failure::usage(format!("use the server {text:?}"))
            .caused_by(&error)
            .next("give an address such as https://strongroom.example.com")
    })
}
