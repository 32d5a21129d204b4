//! `check`: whether a service account's own token reads what its binding says, line by line with the
//! reason and what to do next.
//!
//! The token goes to the engine and to nobody else, and only when it can be one that the engine
//! takes; what the engine gives for it is given back at the end. Neither of them is shown, nor is a
//! value: what is read is dropped unseen.

mod ask;
mod facts;
mod token;

use strongroom_domain::clock::{Clock as _, SystemClock};

use self::facts::Facts;
use crate::args::{CheckArgs, Globals, Output};
use crate::client::Client;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output;
use crate::screen::Screen;
use crate::verbs::doctor::Report;
use crate::verbs::kv::no_namespace;

/// Looks at the token, logs in with it and asks for every path.
pub async fn run(
    globals: &Globals,
    screen: Screen,
    client: impl FnOnce() -> Result<Client, Failure>,
    args: &CheckArgs,
) -> Result<Exit, Failure> {
    let shape = globals.output.as_ref();
    output::refuse(shape, &[Output::Csv, Output::Name])?;
    let binding = named(&args.binding)?;
    no_namespace()?;
    let token = token::read(screen, args.token_file.as_deref()).await?;
    let claims = token::claims(&token);
    let facts = match &args.mount {
        Some(mount) => Facts::given(args, binding, mount, claims.as_ref())?,
        None => Facts::from_server(client, binding, args, claims.as_ref()).await?,
    };
    let mut report = Report::default();
    let is_fit = token::judge(claims.as_ref(), &facts, SystemClock.now(), &mut report);
    facts.tell_standing(&mut report);
    let is_denied = if is_fit {
        ask::ask(screen, &facts, &token, &mut report).await
    } else {
        report.unknown("login", "not tried: the engine would refuse this token");
        false
    };
    match shape {
        Some(shape) if shape.is_value() => screen.data(&output::value(&report.checks, shape)?),
        _ => screen.data(&report.text(screen.style_out())),
    }
    Ok(if is_denied { Exit::Denied } else { report.exit() })
}

/// The team and the binding that are named.
fn named(text: &str) -> Result<(&str, &str), Failure> {
    text.strip_prefix("team/").unwrap_or(text).split_once('/').ok_or_else(|| {
        Failure::usage(format!("check {text:?}")).next(
            "name TEAM/BINDING, for example payments/api; `strongroom get bindings -t TEAM` lists \
             them",
        )
    })
}
