//! Command line client of the API: arguments, client verbs, output.
//!
//! It runs on the person's machine and is the part that they trust: it computes hashes and nonces
//! itself, verifies what the executor signed with keys that were pinned at the first sign-in, and
//! shows what is about to be signed. It must never sign anything it did not show, never believe the
//! API about trust, and never send a session token, an engine's token or a secret value anywhere
//! but where it belongs. Start at [`verbs`]; [`verify`] and [`trust`] hold the checks.

pub mod act;
pub mod api;
pub mod args;
pub mod client;
pub mod context;
pub mod exit;
pub mod failure;
pub mod files;
pub mod machine;
pub mod output;
pub mod query;
pub mod render;
pub mod screen;
pub mod signin;
pub mod trust;
pub mod verbs;
pub mod verify;

use std::process::ExitCode;

pub use args::{ClientCommand, Globals};

use client::Client;
use exit::Exit;
use failure::Failure;
use screen::Screen;

/// Runs one client verb and says how it ended.
pub async fn run(command: ClientCommand, globals: Globals) -> ExitCode {
    let screen = Screen::new(&globals);
    let result = tokio::select! {
        result = dispatch(&command, &globals, screen) => result,
        _ = tokio::signal::ctrl_c() => {
            screen.must_say("interrupted");
            Ok(Exit::Interrupted)
        }
    };
    match result {
        Ok(exit) => exit.into(),
        Err(failure) => {
            screen.must_say(&failure.render());
            failure.exit.into()
        }
    }
}

async fn dispatch(
    command: &ClientCommand,
    globals: &Globals,
    screen: Screen,
) -> Result<Exit, Failure> {
    let client = || Client::open(globals, screen);
    match command {
        ClientCommand::Login(args) => verbs::login::login(globals, screen, args).await,
        ClientCommand::Logout(args::LogoutArgs { session: Some(session) }) => {
            verbs::session::end(client, session).await
        }
        ClientCommand::Logout(_) => verbs::login::logout(globals, screen).await,
        ClientCommand::Machine(command) => verbs::machine::run(client, command).await,
        ClientCommand::Whoami => verbs::login::whoami(&client()?).await,
        ClientCommand::Apply(args) => verbs::apply::run(client, args).await,
        ClientCommand::Edit(args) => verbs::edit::run(client, args).await,
        ClientCommand::Diff(args) => {
            verbs::diff::run(client, args).await.map_err(verbs::diff::above_one)
        }
        ClientCommand::Get(args) => verbs::get::run(client, args).await,
        ClientCommand::Export(args) => verbs::export::run(client, args).await,
        ClientCommand::Describe(args) => verbs::describe::run(client, args).await,
        ClientCommand::Explain(args) => verbs::explain::run(screen, globals.output.as_ref(), args),
        ClientCommand::Request(command) => verbs::request::run(client, command).await,
        ClientCommand::Inbox => verbs::inbox::run(&client()?).await,
        ClientCommand::Approve(args) => verbs::vote::approve(&client()?, args).await,
        ClientCommand::Reject(args) => verbs::vote::reject(&client()?, args).await,
        ClientCommand::Withdraw(args) => verbs::vote::withdraw(&client()?, args).await,
        ClientCommand::Wait(args) => verbs::wait::run(client, args).await,
        ClientCommand::Suspend(args) => verbs::suspend::suspend(client, args).await,
        ClientCommand::Freeze(args) => verbs::suspend::freeze(&client()?, args).await,
        ClientCommand::WhoCan(args) => verbs::reach::who_can(&client()?, args).await,
        ClientCommand::WhatCan(args) => verbs::reach::what_can(&client()?, args).await,
        ClientCommand::Kit(args) => verbs::kit::run(client, args).await,
        ClientCommand::Check(args) => verbs::check::run(globals, screen, client, args).await,
        ClientCommand::Kv(command) => verbs::kv::run(globals, screen, command).await,
        ClientCommand::Status => verbs::status::run(&client()?).await,
        ClientCommand::Doctor => verbs::doctor::run(globals, screen).await,
        ClientCommand::Version => verbs::version::run(screen, globals.output.as_ref()),
    }
}

#[cfg(test)]
mod tests;
