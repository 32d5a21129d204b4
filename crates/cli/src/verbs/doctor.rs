//! `doctor`: what works from where the caller sits, one line a check, with what to do next.
//!
//! It only looks. It never pins, never writes the context, and sends the engine no token; the session
//! goes to the server that it was made at and nowhere else. What could not be looked at is unknown,
//! never green.

mod engine;
mod here;
mod report;
mod server;
mod work;

pub(crate) use self::report::Report;
#[cfg(test)]
pub(crate) use self::report::Verdict;
use crate::api::Api;
use crate::args::{Globals, Output};
use crate::client::Client;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output;
use crate::screen::Screen;

/// Looks at everything; ends well when nothing is red.
pub async fn run(globals: &Globals, screen: Screen) -> Result<Exit, Failure> {
    let shape = globals.output.as_ref();
    output::refuse(shape, &[Output::Csv, Output::Name])?;
    let report = look(globals, screen).await?;
    match shape {
        Some(shape) if shape.is_value() => screen.data(&output::value(&report.checks, shape)?),
        _ => screen.data(&report.text(screen.style_out())),
    }
    Ok(report.exit())
}

/// Every check, in the order of a sign-in's way.
pub(crate) async fn look(globals: &Globals, screen: Screen) -> Result<Report, Failure> {
    let mut report = Report::default();
    let here = here::look(globals, &mut report)?;
    match &here.server {
        None => report.unknown_all(&["server", "version", "clock", "trust"], "no server is known"),
        Some(url) => match Api::new(url, None) {
            Ok(api) => server::look(&api, url, here.pinned.as_ref(), &mut report).await,
            Err(failure) => report.failed("server", &failure),
        },
    }
    // Opened like for any other verb, so that a key or session goes where it would go anyway.
    let client = Client::open(globals, screen);
    work::session(client.as_ref(), here.server.is_some(), &mut report).await;
    engine::look(here.engine(), &mut report).await;
    work::look(client.ok().as_ref(), &mut report).await;
    Ok(report)
}
