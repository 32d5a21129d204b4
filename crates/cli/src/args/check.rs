//! Arguments of `check`.

use std::path::PathBuf;

use clap::Args;

/// `check`.
#[derive(Debug, Clone, Args)]
pub struct CheckArgs {
    /// TEAM/BINDING
    pub binding: String,
    /// The account's own token; `-` reads it from standard input; where the kit's files put it when
    /// left out
    #[arg(long, value_name = "FILE|-")]
    pub token_file: Option<PathBuf>,
    /// A secret to ask for; may be repeated; what the binding reads when left out
    #[arg(
        long = "path",
        env = "STRONGROOM_CHECK_PATHS",
        value_name = "TEAM/MOUNT/SECRET",
        value_delimiter = ','
    )]
    pub paths: Vec<String>,
    /// The login below `auth/`, for example k8s/prod-eu; with it no server is asked, and --path is
    /// needed
    #[arg(long, env = "STRONGROOM_CHECK_MOUNT", value_name = "MOUNT")]
    pub mount: Option<String>,
    /// With --mount: the engine's address, `BAO_ADDR` or `VAULT_ADDR` when left out
    #[arg(long, value_name = "URL", requires = "mount")]
    pub engine: Option<String>,
    /// With --mount: the engine's CA, `BAO_CACERT` or `VAULT_CACERT` when left out
    #[arg(long, value_name = "FILE", requires = "mount")]
    pub ca_file: Option<PathBuf>,
    /// With --mount: the role of the login; the token's namespace when left out
    #[arg(long, env = "STRONGROOM_CHECK_ROLE", value_name = "ROLE", requires = "mount")]
    pub role: Option<String>,
    /// With --mount: the audience that the token must be for; not compared when left out
    #[arg(long, env = "STRONGROOM_CHECK_AUDIENCE", value_name = "AUDIENCE", requires = "mount")]
    pub audience: Option<String>,
}
