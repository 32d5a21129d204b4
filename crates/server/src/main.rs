//! The one binary, `strongroom`.

use std::process::ExitCode;

use clap::Parser as _;

mod arguments;
mod dev;
mod execute;
mod logging;
mod migrate;
mod serve;
#[cfg(debug_assertions)]
mod shifted;
mod signals;

use arguments::{Arguments, Command};

#[tokio::main]
async fn main() -> ExitCode {
    // One provider of cryptography for the whole process, before anybody speaks TLS.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let arguments = Arguments::parse();
    let result = match arguments.command {
        Command::Client(command) => return strongroom_cli::run(command, arguments.globals).await,
        Command::Serve(options) => serve::run(&options).await,
        Command::Execute(options) => execute::run(&options).await,
        Command::Migrate(options) => migrate::run(&options).await,
        Command::Dev(options) => return Box::pin(dev::run(&options)).await,
        Command::DevBrowser(options) => dev::browser::run(&options).await,
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => logging::fail(&error),
    }
}
