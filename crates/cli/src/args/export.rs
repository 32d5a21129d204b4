//! Arguments of `export`.

use std::path::PathBuf;

use clap::Args;

/// `export`.
#[derive(Debug, Clone, Args)]
pub struct ExportArgs {
    /// Only these teams; with none named the platform and all clusters and teams that you may read
    #[arg(value_name = "TEAM")]
    pub teams: Vec<String>,
    /// Write a file for each document into this directory; one stream on standard output when left
    /// out
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}
