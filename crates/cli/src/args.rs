//! The command line: global options and client verbs. Examples stand first in every help text.

mod check;
mod export;
mod get;
mod globals;
mod kit;
mod kv;
mod machine;
mod output;
mod request;

use std::path::PathBuf;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, Command, Subcommand};

pub use self::check::CheckArgs;
pub use self::export::ExportArgs;
pub use self::get::{GetArgs, Kind};
pub use self::globals::Globals;
pub use self::kit::{KitArgs, KitFormat};
pub use self::kv::KvCommand;
pub use self::machine::{MachineCommand, MachineCreate};
pub use self::output::Output;
pub use self::request::{ApproveArgs, RequestCommand, VoteArgs, WaitArgs};
use crate::exit::TABLE;

/// The same command with the table of exit codes at the end of every help text.
pub fn with_exit_codes(command: Command) -> Command {
    let names: Vec<String> =
        command.get_subcommands().map(|verb| verb.get_name().to_owned()).collect();
    let command = command.after_help(TABLE);
    names.into_iter().fold(command, |command, name| command.mut_subcommand(name, with_exit_codes))
}

/// What to type instead of a verb that other tools have.
pub fn verb_hint(error: &clap::Error) -> Option<&'static str> {
    if error.kind() != ErrorKind::InvalidSubcommand {
        return None;
    }
    let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidSubcommand) else {
        return None;
    };
    // What is beneath `kv` is a person's own business with the engine.
    let usage = error.get(ContextKind::Usage).map(ToString::to_string).unwrap_or_default();
    if usage.contains(" kv ") {
        return Some(
            "versions are deleted, brought back and listed with the engine's own client: `bao kv delete`, \
             `bao kv undelete`, `bao kv metadata get`, with `-mount=team/TEAM/MOUNT`",
        );
    }
    Some(match word.as_str() {
        "lift" | "resume" | "unsuspend" | "unfreeze" => {
            "what stands still goes on by a request: `strongroom get document team/NAME -o yaml | \
             strongroom apply -f - --lift team/NAME --reason '…'`"
        }
        "delete" | "remove" => {
            "take it out of the document and apply that; a whole team ends with `removed: true`"
        }
        "create" | "edit" | "submit" | "plan" => {
            "write the document and `strongroom apply -f FILE` (`--dry-run` shows what it does)"
        }
        "list" | "ls" | "requests" | "show" => {
            "`strongroom get requests`, `strongroom get teams`, `strongroom request show ID`"
        }
        "vote" | "sign" => "`strongroom approve ID` or `strongroom reject ID`",
        _ => return None,
    })
}

/// The client verbs.
#[derive(Debug, Clone, Subcommand)]
pub enum ClientCommand {
    /// Sign in and pin the deployment's trust
    #[command(before_help = "Examples:
  strongroom login --server https://strongroom.example.com
  strongroom login --accept-new-trust      after a change you were told about")]
    Login(LoginArgs),
    /// End the session
    #[command(before_help = "Examples:
  strongroom logout
  strongroom logout --session 0199b5d0-0000-7000-8000-000000000002   one that `get sessions` lists")]
    Logout(LogoutArgs),
    /// API keys and service accounts for automation: they read and propose, and sign nothing
    #[command(subcommand)]
    Machine(MachineCommand),
    /// Who is signed in, with which groups, until when
    #[command(before_help = "Examples:\n  strongroom whoami\n  strongroom whoami -o json")]
    Whoami,
    /// Propose documents: preview, then sign and submit a change request
    #[command(before_help = "Examples:
  strongroom apply -f payments.yaml --reason 'PAY-12: new database'
  strongroom apply -f teams/ --dry-run
  strongroom get document team/payments -o yaml | strongroom apply -f - --yes --reason 'as is'
  strongroom apply -f payments.yaml --reattest prod-eu/payments-prod --reason 'cluster rebuilt'
  strongroom apply -f payments.yaml --lift team/payments/api --reason 'INC-7: rotated'
Every field of a document: `strongroom explain team`; with examples: docs/documents.md")]
    Apply(ApplyArgs),
    /// Open what is applied in your editor and propose what you save
    #[command(before_help = "Examples:
  strongroom edit team/payments --reason 'PAY-12: a second service'
  EDITOR='code --wait' strongroom edit team/payments
What you wrote is kept in a file where it is refused.")]
    Edit(EditArgs),
    /// Show what documents would change (exit 0: nothing, 1: something)
    #[command(
        before_help = "Examples:\n  strongroom diff -f payments.yaml\n  strongroom diff -f teams/"
    )]
    Diff(DiffArgs),
    /// Show teams, clusters, requests, events, bindings, findings, sessions or a document
    #[command(before_help = "Examples:
  strongroom get teams
  strongroom get requests --state in_review
  strongroom get events --subject team/payments --limit 20      newest first; --all shows every one
  strongroom get bindings --team payments -o wide               with guests in its namespaces
  strongroom get findings --all                                 those that are over too
  strongroom get bindings --state waiting                       an unknown state is answered with the known ones
  strongroom get events --follow                                as they come
  strongroom get sessions                                       where you are signed in
  strongroom get document team/payments -o yaml
  strongroom get teams -o jsonpath='{.items[*].name}'           what an expression picks, one a line
  strongroom get machines -o csv > machines.csv                 the columns of `wide`, for a spreadsheet")]
    Get(GetArgs),
    /// Write the applied documents of all you may read, as YAML that applies as no change
    #[command(before_help = "Examples:
  strongroom export --dir teams/                   a file for each; --yes writes over those that differ
  strongroom export > all.yaml                     one stream: platform, clusters, teams
  strongroom export payments menus | strongroom apply -f - --dry-run
What is exported are documents: acts, events and secret values are not in it.")]
    Export(ExportArgs),
    /// Everything that is known about a team, a binding, a cluster, the platform or a request
    #[command(before_help = "Examples:
  strongroom describe team/payments
  strongroom describe team/payments/api            one binding: who, what, how it stands, why
  strongroom describe cluster/prod-eu -o json")]
    Describe(DescribeArgs),
    /// What a field of a document means, what it takes and what holds when it is left out
    #[command(before_help = "Examples:
  strongroom explain team                       all fields of a Team document
  strongroom explain team.spec.bindings.access
  strongroom explain platform.spec.ceilings.tokenTtl")]
    Explain(ExplainArgs),
    /// Look at change requests
    #[command(subcommand)]
    Request(RequestCommand),
    /// Change requests that wait for your signature, the riskiest first
    #[command(before_help = "Examples:
  strongroom inbox
  strongroom inbox -o name | xargs -n1 strongroom describe")]
    Inbox,
    /// Check and read a frozen plan, then sign that you agree to exactly it
    #[command(before_help = "Examples:
  strongroom approve 0199b5d0-0000-7000-8000-000000000002
  strongroom approve 0199b5d0-0000-7000-8000-000000000002 --stage platform --comment 'as discussed'")]
    Approve(ApproveArgs),
    /// End a change request by a signed no
    #[command(before_help = "Examples:
  strongroom reject 0199b5d0-0000-7000-8000-000000000002 --comment 'use the staging namespace'")]
    Reject(VoteArgs),
    /// Take back your own change request
    #[command(
        before_help = "Examples:\n  strongroom withdraw 0199b5d0-0000-7000-8000-000000000002"
    )]
    Withdraw(VoteArgs),
    /// Wait until a change request is applied or has ended otherwise
    #[command(before_help = "Examples:
  strongroom wait 0199b5d0-0000-7000-8000-000000000002
  strongroom wait 0199b5d0-0000-7000-8000-000000000002 --for in_review --timeout 60")]
    Wait(WaitArgs),
    /// Make a binding, a team or a cluster stand still at once, by one signed act
    #[command(before_help = "Examples:
  strongroom suspend team/payments/api --reason 'INC-7: token leaked'
  strongroom suspend team/payments --reason 'INC-7'
  strongroom suspend cluster/prod-eu --reason 'INC-8: API server compromised'
Let it go on again by a request with the same document:
  strongroom get document team/payments -o yaml | \\
    strongroom apply -f - --lift team/payments/api --reason 'INC-7: rotated'")]
    Suspend(SuspendArgs),
    /// Stop all applying at once, by one signed act of a platform member
    #[command(before_help = "Examples:
  strongroom freeze --reason 'INC-9: looking at what happened'
Let it go on again by a request with the Platform document and --lift platform.")]
    Freeze(FreezeArgs),
    /// Who may do what with one secret, through which policy, and whether that counts now
    #[command(before_help = "Examples:
  strongroom who-can payments/kv/prod/api/db
  strongroom who-can payments/kv/prod/api/db -o wide      with UIDs, revisions and requests
  strongroom who-can payments/kv/prod/api/db --at 2026-05-03")]
    WhoCan(WhoCanArgs),
    /// What a service account or the people in a group can reach, in the teams that you may see
    #[command(before_help = "Examples:
  strongroom what-can prod-eu/payments-prod/api
  strongroom what-can --group payments-dev -o json
  strongroom what-can prod-eu/payments-prod/api --at 2026-05-03T14:00:00Z")]
    WhatCan(WhatCanArgs),
    /// Ready files that run a binding's secrets into your workload
    #[command(before_help = "Examples:
  strongroom kit payments/api                                   what the workload has to know
  strongroom kit payments/api --format vso --dir deploy/        files for Vault Secrets Operator
  strongroom kit payments/api --format check | kubectl replace --force -f -
  strongroom kit payments/api --format injector --secret prod/api/db --account worker")]
    Kit(KitArgs),
    /// Whether a service account's own token reads what its binding says, from where it runs
    #[command(before_help = "Examples:
  strongroom check payments/api                                 in a pod with the kit's token volume, signed in
  kubectl create token api -n payments-prod --audience strongroom | strongroom check payments/api --token-file -
  strongroom check payments/api --engine https://bao.example.com:8200 --ca-file ca.crt \\
    --mount k8s/prod-eu --audience strongroom --path payments/kv/prod/api/db
The last one is for a pod, where nobody is signed in; `strongroom kit payments/api` tells it whole.
One line a check; exit 0 with nothing red, 5 when the engine denies something, else 1.
Neither a value nor a token is shown, and the engine's own token is given back.")]
    Check(CheckArgs),
    /// Set and read secret values, straight at the engine, signed in as yourself
    #[command(subcommand)]
    Kv(KvCommand),
    /// How the deployment stands: who writes, what waits, what is seen, what stands still
    #[command(before_help = "Examples:
  strongroom status                for the platform and auditors
  strongroom status -o json")]
    Status,
    /// Check from here what a sign-in, a vote and a secret need: context, server, clock, trust, engine
    #[command(before_help = "Examples:
  strongroom doctor                                one line a check; exit 0 with nothing red, else 1
  strongroom doctor --server https://strongroom.example.com
  strongroom doctor -o json
It only looks: nothing is pinned or written, and the engine is sent no token.")]
    Doctor,
    /// The version of this client and of what it knows
    #[command(before_help = "Examples:\n  strongroom version -o json")]
    Version,
}

/// `login`.
#[derive(Debug, Clone, Args)]
pub struct LoginArgs {
    /// Pin what the server publishes now, although it differs from what was pinned
    #[arg(long)]
    pub accept_new_trust: bool,
}

/// `logout`.
#[derive(Debug, Clone, Args)]
pub struct LogoutArgs {
    /// End this session instead of the one that is used here
    #[arg(long, value_name = "ID")]
    pub session: Option<String>,
}

/// `describe`.
#[derive(Debug, Clone, Args)]
pub struct DescribeArgs {
    /// team/TEAM, team/TEAM/BINDING, cluster/CLUSTER, platform, or a request's id
    #[arg(value_name = "TARGET")]
    pub target: String,
}

/// `who-can`.
#[derive(Debug, Clone, Args)]
pub struct WhoCanArgs {
    /// TEAM/MOUNT/SECRET, for example payments/kv/prod/api/db
    #[arg(value_name = "TEAM/MOUNT/SECRET")]
    pub path: String,
    /// As it stood at this time: 2026-05-03T14:00:00Z, or a day for its end (UTC)
    #[arg(long, value_name = "TIME", conflicts_with = "revision")]
    pub at: Option<String>,
    /// As it stood while this revision of the team's document was applied
    #[arg(long, value_name = "NUMBER")]
    pub revision: Option<i64>,
}

/// `what-can`.
#[derive(Debug, Clone, Args)]
pub struct WhatCanArgs {
    /// A service account
    #[arg(value_name = "CLUSTER/NAMESPACE/ACCOUNT", required_unless_present = "group")]
    pub account: Option<String>,
    /// A group of the identity provider instead
    #[arg(long, value_name = "GROUP", conflicts_with = "account")]
    pub group: Option<String>,
    /// As it stood at this time: 2026-05-03T14:00:00Z, or a day for its end (UTC)
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
}

/// `explain`.
#[derive(Debug, Clone, Args)]
pub struct ExplainArgs {
    /// KIND or KIND.FIELD, for example team.spec.bindings
    pub field: String,
}

/// Where documents come from.
#[derive(Debug, Clone, Args)]
pub struct Files {
    /// A YAML file, a directory with YAML files, or `-` for standard input; may be repeated
    #[arg(long = "filename", short = 'f', required = true, value_name = "FILE|DIR|-")]
    pub filename: Vec<PathBuf>,
}

/// `apply`.
#[derive(Debug, Clone, Args)]
pub struct ApplyArgs {
    /// The documents.
    #[command(flatten)]
    pub files: Files,
    /// Trust the UID that this namespace has now; may be repeated
    #[arg(long, value_name = "CLUSTER/NAMESPACE")]
    pub reattest: Vec<String>,
    /// Let this go on again, which stands still: team/TEAM/BINDING, team/TEAM, cluster/CLUSTER or
    /// platform; its document is applied with it; may be repeated
    #[arg(long, value_name = "TARGET")]
    pub lift: Vec<String>,
    /// Reason and waiting.
    #[command(flatten)]
    pub propose: ProposeArgs,
}

/// What every verb that submits takes.
#[derive(Debug, Clone, Args)]
pub struct ProposeArgs {
    /// Why; everybody who votes reads it
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Show what would change and stop
    #[arg(long)]
    pub dry_run: bool,
    /// Wait until the request is applied or has ended
    #[arg(long)]
    pub wait: bool,
    /// How long `--wait` waits, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    pub timeout: u64,
}

/// `edit`.
#[derive(Debug, Clone, Args)]
pub struct EditArgs {
    /// team/TEAM, cluster/CLUSTER or platform
    #[arg(value_name = "TARGET")]
    pub target: String,
    /// Reason and waiting.
    #[command(flatten)]
    pub propose: ProposeArgs,
}

/// `diff`.
#[derive(Debug, Clone, Args)]
pub struct DiffArgs {
    /// The documents.
    #[command(flatten)]
    pub files: Files,
}

/// `suspend`.
#[derive(Debug, Clone, Args)]
pub struct SuspendArgs {
    /// What: team/TEAM/BINDING, team/TEAM or cluster/CLUSTER
    pub target: String,
    /// Why; it is part of what is signed
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// Sign although it is known beforehand that it will not count
    #[arg(long)]
    pub anyway: bool,
}

/// `freeze`.
#[derive(Debug, Clone, Args)]
pub struct FreezeArgs {
    /// Why; it is part of what is signed
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// Sign although it is known beforehand that it will not count
    #[arg(long)]
    pub anyway: bool,
}
