//! The command line of the binary: server processes, the development stack, client verbs.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use strongroom_cli::{ClientCommand, Globals};

pub mod cluster;

use cluster::ClusterCommand;

/// One shared OpenBao/Vault cluster for many application teams
#[derive(Debug, Parser)]
#[command(
    name = "strongroom",
    version,
    before_help = "Examples:
  strongroom dev                                    everything on this machine, to try it
  strongroom login --server https://strongroom.example.com
  strongroom apply -f payments.yaml --reason 'PAY-12: new database'
  strongroom approve 0199b5d0-0000-7000-8000-000000000002
  strongroom serve --config serve.yaml"
)]
pub struct Arguments {
    /// Options of the client verbs.
    #[command(flatten)]
    pub globals: Globals,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the binary can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Verbs of people and automation.
    #[command(flatten)]
    Client(ClientCommand),
    /// Serve the API (holds no key that writes to an engine)
    #[command(before_help = "Examples:\n  strongroom serve --config /etc/strongroom/serve.yaml")]
    Serve(ConfigFile),
    /// Verify acts, freeze and apply plans (the only process that writes to the engine)
    #[command(before_help = "Examples:
  strongroom execute --config /etc/strongroom/execute.yaml
On the executor's host, when the provider is down:
  strongroom execute --config execute.yaml suspend team/payments/api --reason 'INC-7'
  strongroom execute --config execute.yaml freeze --reason 'INC-9'
  strongroom execute --config execute.yaml release-brake --reason 'the cluster was rebuilt'
  strongroom execute --config execute.yaml acknowledge --reason 'INC-9: compared, put right'")]
    Execute(ExecuteOptions),
    /// Prepare an engine that is there already
    #[command(subcommand)]
    Engine(EngineCommand),
    /// Prepare a Kubernetes cluster
    #[command(subcommand)]
    Cluster(ClusterCommand),
    /// Bring the database schema up to date, as its owner
    #[command(before_help = "Examples:
  strongroom migrate --database-url-file owner-url
  strongroom migrate --print-roles > roles.sql      for an administrator who makes them")]
    Migrate(MigrateOptions),
    /// Run everything on this machine, on real parts, and tell the way from document to secret
    #[command(before_help = "Examples:
  strongroom dev                stays up until Ctrl-C; a second start goes on with the same data
  strongroom dev --once         tells the story on fresh data and exits 0 if all of it is so
  strongroom dev --fresh        throws the data away first")]
    Dev(DevOptions),
    /// Samples of configuration files, and checks of yours
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Completions for a shell, on standard output
    #[command(before_help = "Examples:
  strongroom completions bash > /etc/bash_completion.d/strongroom
  strongroom completions zsh > \"${fpath[1]}/_strongroom\"
  strongroom completions fish > ~/.config/fish/completions/strongroom.fish")]
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Manual pages: one on standard output, or all of them into a directory
    #[command(before_help = "Examples:
  strongroom man | man -l -
  strongroom man kv get | man -l -
  strongroom man --dir /usr/local/share/man/man1")]
    Man {
        /// The command whose page is shown, for example `kv get`; the program's own when left out
        #[arg(value_name = "COMMAND", conflicts_with = "dir")]
        words: Vec<String>,
        /// Write the pages of all commands into this directory
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
    /// A browser for `dev`: signs one of its people in without clicks
    #[command(hide = true)]
    DevBrowser(DevBrowserOptions),
}

/// `config`.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Look at a configuration and the files that it names, without starting or connecting
    #[command(before_help = "Examples:
  strongroom config check /etc/strongroom/serve.yaml
  strongroom config check /etc/strongroom/execute.yaml        with its floor file, keys and state")]
    Check {
        /// The configuration file of `serve` or `execute`, or a floor file
        file: PathBuf,
        /// Which of them it is, where that cannot be told
        #[arg(long)]
        kind: Option<ConfigKind>,
    },
    /// A sample with every field explained, on standard output
    #[command(before_help = "Examples:\n  strongroom config sample serve > serve.yaml")]
    Sample {
        /// Which file
        kind: ConfigKind,
    },
}

/// The files there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ConfigKind {
    /// Of `strongroom serve`
    Serve,
    /// Of `strongroom execute`
    Execute,
    /// The executor's floor file
    Floor,
}

/// A configuration file.
#[derive(Debug, Args)]
pub struct ConfigFile {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
}

/// `execute`.
#[derive(Debug, Args)]
pub struct ExecuteOptions {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// A local order to the executor that runs with this configuration.
    #[command(subcommand)]
    pub order: Option<OrderCommand>,
}

/// What can be ordered on the executor's own host. It widens nothing.
#[derive(Debug, Subcommand)]
pub enum OrderCommand {
    /// Make a binding, a team or a cluster stand still
    Suspend {
        /// team/TEAM/BINDING, team/TEAM or cluster/CLUSTER
        target: String,
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Stop all applying
    Freeze {
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Let removals go on for an hour that the brake holds back
    ReleaseBrake {
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// End the alarm about the people's login, after it was compared with docs/engine-bootstrap.md
    Acknowledge {
        /// What was found
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

/// `engine`.
#[derive(Debug, Subcommand)]
pub enum EngineCommand {
    /// Show, and on request write, what Strongroom needs in an engine; nothing of anybody else's is touched
    #[command(before_help = "Examples:
  export BAO_ADDR=https://openbao.example.com:8200 BAO_TOKEN=…       an administrator's, never stored
  strongroom engine bootstrap --issuer https://idp.example.com --client-id strongroom-engine \\
    --client-secret-file client-secret --executor-address 10.0.0.5/32 --secrets-dir /etc/strongroom/secrets
  … --apply                              writes what is missing, reads it back, and asks the capabilities")]
    Bootstrap(EngineBootstrap),
}

/// `engine bootstrap`.
#[derive(Debug, Args)]
pub struct EngineBootstrap {
    /// The engine's active node
    #[arg(long, env = "BAO_ADDR", value_name = "URL")]
    pub address: String,
    /// The CA of the engine, if it is not one of the system's
    #[arg(long, env = "BAO_CACERT", value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// A file with an administrator's token; `BAO_TOKEN` when left out
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// The provider that people sign in with at the engine
    #[arg(long, value_name = "URL")]
    pub issuer: String,
    /// The engine's own client there
    #[arg(long, value_name = "ID")]
    pub client_id: String,
    /// A file with that client's secret
    #[arg(long, value_name = "FILE")]
    pub client_secret_file: PathBuf,
    /// Where the executor logs in from, as a CIDR block; may be repeated
    #[arg(long, required = true, value_name = "CIDR", value_parser = network)]
    pub executor_address: Vec<String>,
    /// Where the `RoleIDs` and first `SecretIDs` are kept that `execute.yaml` names
    #[arg(long, value_name = "DIR")]
    pub secrets_dir: PathBuf,
    /// Write what is missing
    #[arg(long)]
    pub apply: bool,
}

/// `migrate`.
#[derive(Debug, Args)]
pub struct MigrateOptions {
    /// The file with the database URL of the owner
    #[arg(long, value_name = "FILE", required_unless_present = "print_roles")]
    pub database_url_file: Option<PathBuf>,
    /// Print the script that makes the database roles, and stop
    #[arg(long)]
    pub print_roles: bool,
}

/// `dev`.
#[derive(Debug, Args)]
pub struct DevOptions {
    /// Tell the story on fresh data and exit
    #[arg(long)]
    pub once: bool,
    /// Throw away the data of earlier runs
    #[arg(long)]
    pub fresh: bool,
    /// Where the data is kept
    #[arg(long, env = "STRONGROOM_DEV_DIR", value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// For the tests: fresh data, no story, run the command after `--` and end as it ends
    #[arg(long, hide = true)]
    pub lab: bool,
    /// The command of `--lab`
    #[arg(last = true, hide = true)]
    pub command: Vec<String>,
}

/// `dev-browser`.
#[derive(Debug, Args)]
pub struct DevBrowserOptions {
    /// Whose browser it is
    #[arg(long)]
    pub user: String,
    /// The page to open
    pub url: String,
}

/// An address or a network; a wrong one is told before anything is written.
fn network(text: &str) -> Result<String, String> {
    let known = strongroom_vault_model::bootstrap::compare::network(text);
    known
        .map(|_| text.to_owned())
        .ok_or_else(|| "an address or network, such as 10.0.0.5/32".into())
}
