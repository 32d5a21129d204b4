//! Arguments of `kit`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// The ways to run secrets into a workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum KitFormat {
    /// The agent injector's annotations on a pod
    Injector,
    /// An agent's own configuration file
    Agent,
    /// Vault Secrets Operator
    Vso,
    /// External Secrets Operator
    Eso,
    /// Secrets Store CSI driver
    Csi,
    /// A CI job under the service account
    Ci,
    /// Plain HTTP, with curl
    Http,
    /// A Job that says whether the account reads what it should
    Check,
}

/// `kit`.
#[derive(Debug, Clone, Args)]
pub struct KitArgs {
    /// TEAM/BINDING
    pub binding: String,
    /// The files of this way; a summary and the list of ways when left out
    #[arg(long, short = 'f', value_name = "FORMAT")]
    pub format: Option<KitFormat>,
    /// One of the binding's service accounts; the first by name when left out
    #[arg(long, value_name = "ACCOUNT")]
    pub account: Option<String>,
    /// A secret inside the binding's paths, without the mount; an example when left out
    #[arg(long, value_name = "PATH")]
    pub secret: Option<String>,
    /// Write the files into this directory; one that is there and differs is left alone
    #[arg(long, value_name = "DIR", requires = "format")]
    pub dir: Option<PathBuf>,
    /// Of `--format check`: a Job that tells its outcome to nobody
    #[arg(long, requires = "format")]
    pub no_report: bool,
}
