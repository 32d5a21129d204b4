//! Arguments of `kv`: a person and the engine.

use clap::Subcommand;

/// `kv`.
#[derive(Debug, Clone, Subcommand)]
pub enum KvCommand {
    /// Set all values of one secret (`patch` keeps the others); prefer `key=-`, which reads from the terminal or standard input
    #[command(before_help = "Examples:
  strongroom kv put payments/kv/prod/api/db password=-
  strongroom kv put payments/kv/prod/api/tls key=@tls.key certificate=@tls.crt
  vault-export | strongroom kv put payments/kv/prod/api/db password=-")]
    Put {
        /// TEAM/MOUNT/SECRET, for example payments/kv/prod/api/db
        path: String,
        /// key=value, key=@FILE, or key=- for the terminal or standard input
        #[arg(required = true, value_name = "KEY=VALUE|KEY=@FILE|KEY=-")]
        values: Vec<String>,
        /// Only if this is the current version; 0 means the secret is not there yet
        #[arg(long, value_name = "VERSION")]
        cas: Option<u64>,
    },
    /// Set values of one secret and keep its others
    #[command(before_help = "Examples:
  strongroom kv patch payments/kv/prod/api/db password=-")]
    Patch {
        /// TEAM/MOUNT/SECRET, for example payments/kv/prod/api/db; it is there already
        path: String,
        /// key=value, key=@FILE, or key=- for the terminal or standard input
        #[arg(required = true, value_name = "KEY=VALUE|KEY=@FILE|KEY=-")]
        values: Vec<String>,
    },
    /// Read one secret
    #[command(before_help = "Examples:
  strongroom kv get payments/kv/prod/api/db
  strongroom kv get payments/kv/prod/api/db --field password")]
    Get {
        /// TEAM/MOUNT/SECRET
        path: String,
        /// Only this value, without anything else
        #[arg(long, value_name = "KEY")]
        field: Option<String>,
    },
    /// The versions of one secret: when each was set, and which are deleted; no values
    #[command(before_help = "Examples:
  strongroom kv history payments/kv/prod/api/db")]
    History {
        /// TEAM/MOUNT/SECRET
        path: String,
    },
    /// Delete versions of one secret so that `undelete` brings them back; owners of the team may
    #[command(before_help = "Examples:
  strongroom kv delete payments/kv/prod/api/db                the newest version
  strongroom kv delete payments/kv/prod/api/db --versions 3,4")]
    Delete {
        /// TEAM/MOUNT/SECRET
        path: String,
        /// Which; the newest when left out (`strongroom kv history` lists them)
        #[arg(long, value_name = "NUMBERS", value_delimiter = ',')]
        versions: Vec<u64>,
    },
    /// Bring deleted versions of one secret back; owners of the team may
    #[command(before_help = "Examples:
  strongroom kv undelete payments/kv/prod/api/db              the newest version
  strongroom kv undelete payments/kv/prod/api/db --versions 3,4")]
    Undelete {
        /// TEAM/MOUNT/SECRET
        path: String,
        /// Which; the newest when left out (`strongroom kv history` lists them)
        #[arg(long, value_name = "NUMBERS", value_delimiter = ',')]
        versions: Vec<u64>,
    },
    /// List the names of secrets; a name with `/` at its end is a folder
    #[command(before_help = "Examples:
  strongroom kv list payments/kv
  strongroom kv list payments/kv/prod/api")]
    List {
        /// TEAM/MOUNT or TEAM/MOUNT/FOLDER
        path: String,
    },
}
