//! Options that every client verb takes. They stand before or after the verb.

use std::path::PathBuf;

use clap::Args;

use super::output::{Output, OutputParser};

/// Options that every client verb takes.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of its own on the command line"
)]
#[derive(Debug, Clone, Args)]
pub struct Globals {
    /// Address of the Strongroom API; the context file's server when left out
    #[arg(long, global = true, env = "STRONGROOM_SERVER", value_name = "URL")]
    pub server: Option<String>,
    /// The context file: pinned trust and session; made by `login`
    #[arg(long, global = true, env = "STRONGROOM_CONTEXT", value_name = "FILE")]
    pub context: Option<PathBuf>,
    /// Work as a machine, by the key or token in this file; also with the key itself in the variable
    /// `STRONGROOM_API_KEY`
    #[arg(long, global = true, env = "STRONGROOM_API_KEY_FILE", value_name = "FILE")]
    pub api_key_file: Option<PathBuf>,
    /// How results are written to standard output
    #[arg(long, short = 'o', global = true, value_name = "FORMAT", value_parser = OutputParser)]
    pub output: Option<Output>,
    /// Tables without their first line
    #[arg(long, global = true)]
    pub no_headers: bool,
    /// Only results and errors
    #[arg(long, short = 'q', global = true)]
    pub quiet: bool,
    /// Do not ask for confirmation
    #[arg(long, short = 'y', global = true)]
    pub yes: bool,
    /// No colours (also with the variable `NO_COLOR`)
    #[arg(long, global = true)]
    pub no_color: bool,
}
