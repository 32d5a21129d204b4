//! Sign-ins at the identity provider: the person's own browser, a loopback address, PKCE.
//!
//! The same way serves ordinary sign-ins and acts; what differs is the client and the nonce, and
//! both come from the caller. The code is redeemed here, at the provider, by this program.

pub mod browser;
pub mod loopback;

use std::time::Duration;

use secrecy::SecretString;
use strongroom_authn::code_flow::FlowRequest;
use strongroom_authn::{CodeFlow, Issuer};

pub use loopback::Receiver;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::render::text::clean;
use crate::screen::Screen;
use loopback::Callback;

/// Where the provider sends the browser back to.
const CALLBACK: &str = "/callback";

/// How long a person may take.
const PATIENCE: Duration = Duration::from_mins(5);

/// What the person signs in for.
#[derive(Debug)]
pub struct SignIn<'a> {
    /// The pinned issuer.
    pub issuer: &'a str,
    /// The client.
    pub client_id: &'a str,
    /// The scopes.
    pub scopes: &'a [&'a str],
    /// What the provider signs.
    pub nonce: &'a str,
    /// How old the sign-in at the provider may be, seconds.
    pub max_age: Option<u32>,
    /// Ask for the password (or the key) again.
    pub login_again: bool,
    /// What it is for, in the words of an error.
    pub purpose: &'a str,
}

/// Has the person sign in and gives the ID token.
pub async fn id_token(screen: Screen, ask: &SignIn<'_>) -> Result<SecretString, Failure> {
    let failed = |error: &dyn std::error::Error| {
        Failure::new(Exit::Failed, ask.purpose)
            .caused_by(error)
            .next("check that the identity provider can be reached from this machine")
    };
    let issuer = Issuer::new(ask.issuer, None, &[]).map_err(|error| failed(&error))?;
    let receiver = Receiver::start(CALLBACK).await?;
    // The library asks for `openid` by itself.
    let scopes: Vec<&str> = ask.scopes.iter().copied().filter(|scope| *scope != "openid").collect();
    let request = FlowRequest {
        client_id: ask.client_id,
        redirect_uri: receiver.redirect_uri(),
        scopes: &scopes,
        nonce: ask.nonce,
        max_age: ask.max_age,
        prompt_login: ask.login_again,
    };
    let flow = CodeFlow::begin(&issuer, &request).await.map_err(|error| failed(&error))?;
    let url = flow.authorize_url.to_string();
    let state = flow.state.clone();
    let code = through_browser(screen, receiver, &url, &state, ask.purpose).await?;
    let token = flow.finish(&issuer, &code).await.map_err(|error| failed(&error))?;
    Ok(token.into())
}

/// Opens a page and waits for the code that comes back with this state.
pub async fn through_browser(
    screen: Screen,
    mut receiver: Receiver,
    url: &str,
    state: &str,
    purpose: &str,
) -> Result<String, Failure> {
    screen.must_say(&format!(
        "to {purpose}, sign in here (your browser should open):\n  {}",
        clean(url)
    ));
    let mut opened = (screen.open)(url);
    let deadline = tokio::time::sleep(PATIENCE);
    tokio::pin!(deadline);
    loop {
        tokio::select! {
            callback = receiver.next(state) => match callback {
                Some(Callback::Code(code)) => return Ok(code),
                Some(Callback::Refused(why)) => {
                    return Err(Failure::new(Exit::Denied, purpose)
                        .because(format!("the identity provider refused: {why}")));
                }
                None => {
                    return Err(Failure::new(Exit::Failed, purpose)
                        .because("the loopback listener ended"));
                }
            },
            problem = opened.problem() => {
                screen.say(&format!("the browser did not open: {problem}"));
                if !screen.has_person() {
                    return Err(Failure::new(Exit::Failed, purpose)
                        .because(format!("the browser did not open: {problem}"))
                        .next("set BROWSER to a command that takes the address as last argument")
                        .next("or set BROWSER=true and open the printed address on this machine"));
                }
            },
            () = &mut deadline => {
                return Err(Failure::new(Exit::TimedOut, purpose)
                    .because("nobody signed in within five minutes"));
            }
        }
    }
}
