//! The one binary, `strongroom`.

use std::io::Write as _;
use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _};

mod arguments;
mod clock;
mod cluster;
mod config;
mod dev;
mod engine;
mod execute;
mod listen;
mod logging;
mod man;
mod migrate;
mod private;
mod probes;
#[cfg(test)]
mod reference;
mod serve;
mod signals;

use arguments::cluster::ClusterCommand;
use arguments::{Arguments, Command, EngineCommand};

/// What was needed for a while goes back to the system: the executor remembers a whole estate, and what a
/// look at all of it needs besides must not stay.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    // One provider of cryptography for the whole process, before anybody speaks TLS.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let arguments = match parsed() {
        Ok(arguments) => arguments,
        Err(code) => return code,
    };
    let result = match arguments.command {
        Command::Client(command) => return strongroom_cli::run(command, arguments.globals).await,
        Command::Serve(options) => serve::run(&options).await,
        Command::Execute(options) => execute::run(&options).await,
        Command::Migrate(options) => migrate::run(&options).await,
        Command::Engine(EngineCommand::Bootstrap(options)) => {
            return engine::bootstrap(&options).await;
        }
        Command::Cluster(ClusterCommand::Bootstrap(options)) => {
            return Box::pin(cluster::bootstrap(&options, &arguments.globals)).await;
        }
        Command::Config(command) => return config::run(&command).await,
        Command::Completions { shell } => {
            completions(shell);
            Ok(())
        }
        Command::Man { words, dir } => {
            let command = strongroom_cli::args::with_exit_codes(Arguments::command());
            man::run(command, &words, dir.as_deref())
        }
        Command::Dev(options) => return Box::pin(dev::run(&options)).await,
        Command::DevBrowser(options) => dev::browser::run(&options).await,
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => logging::fail(&error),
    }
}

/// Written whole before it is printed: a reader that went away is no failure of ours.
fn completions(shell: clap_complete::Shell) {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "strongroom", &mut text);
    let _ = std::io::stdout().write_all(&text);
}

/// The arguments; what cannot be read is said, with what to type instead where that is known.
fn parsed() -> Result<Arguments, ExitCode> {
    let command = strongroom_cli::args::with_exit_codes(Arguments::command());
    let matches = command.try_get_matches();
    matches.and_then(|matches| Arguments::from_arg_matches(&matches)).map_err(|error| {
        let _ = error.print();
        if let Some(hint) = strongroom_cli::args::verb_hint(&error) {
            logging::hint(hint);
        }
        ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
    })
}
