//! Logs of the server processes: JSON lines on standard error, one place for fatal errors.

use std::io::Write as _;
use std::process::ExitCode;

use tracing_subscriber::EnvFilter;

/// Starts logging. `STRONGROOM_LOG` chooses levels, for example `info,strongroom_engine=debug`.
pub fn start() {
    let filter = EnvFilter::try_from_env("STRONGROOM_LOG")
        .unwrap_or_else(|_| EnvFilter::new("info,sqlx=warn,kube=warn,hyper=warn"));
    tracing_subscriber::fmt().json().with_env_filter(filter).with_writer(std::io::stderr).init();
}

/// Says what to do next.
pub fn hint(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "\n  next: {text}");
}

/// Says why the process ends, with every cause on a line of its own.
pub fn fail(error: &anyhow::Error) -> ExitCode {
    let mut out = std::io::stderr().lock();
    let _ = writeln!(out, "strongroom: {error}");
    for cause in error.chain().skip(1) {
        let _ = writeln!(out, "  because: {cause}");
    }
    ExitCode::FAILURE
}
