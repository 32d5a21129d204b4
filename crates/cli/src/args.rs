//! The command line: global options and client verbs. Examples stand first in every help text.

mod kv;
mod machine;

use std::path::PathBuf;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, Command, Subcommand, ValueEnum};

pub use self::kv::KvCommand;
pub use self::machine::{MachineCommand, MachineCreate};
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
    #[arg(long, short = 'o', global = true, value_name = "FORMAT")]
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

/// The shapes results can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// Columns for people
    Table,
    /// More columns for people
    Wide,
    /// JSON
    Json,
    /// YAML
    Yaml,
    /// Only names, one a line
    Name,
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
  strongroom get sessions                                       where you are signed in
  strongroom get document team/payments -o yaml")]
    Get(GetArgs),
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
  strongroom who-can payments/kv/prod/api/db -o wide      with UIDs, revisions and requests")]
    WhoCan(WhoCanArgs),
    /// What a service account or the people in a group can reach, in the teams that you may see
    #[command(before_help = "Examples:
  strongroom what-can prod-eu/payments-prod/api
  strongroom what-can --group payments-dev -o json")]
    WhatCan(WhatCanArgs),
    /// Ready files that run a binding's secrets into your workload
    #[command(before_help = "Examples:
  strongroom kit payments/api                                   what the workload has to know
  strongroom kit payments/api --format vso --dir deploy/        files for Vault Secrets Operator
  strongroom kit payments/api --format check | kubectl apply -f -
  strongroom kit payments/api --format injector --secret prod/api/db --account worker")]
    Kit(KitArgs),
    /// Set and read secret values, straight at the engine, signed in as yourself
    #[command(subcommand)]
    Kv(KvCommand),
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

/// `diff`.
#[derive(Debug, Clone, Args)]
pub struct DiffArgs {
    /// The documents.
    #[command(flatten)]
    pub files: Files,
}

/// What `get` shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Tenants
    #[value(alias = "team")]
    Teams,
    /// Kubernetes clusters
    #[value(alias = "cluster")]
    Clusters,
    /// Change requests
    #[value(aliases = ["request", "req"])]
    Requests,
    /// What happened
    #[value(alias = "event")]
    Events,
    /// Who reaches what, and whether it is attached
    #[value(alias = "binding")]
    Bindings,
    /// What is not as it should be
    #[value(alias = "finding")]
    Findings,
    /// Where you are signed in; with --all everybody, for the platform and auditors
    #[value(alias = "session")]
    Sessions,
    /// API keys and service accounts that read and propose
    #[value(alias = "machine")]
    Machines,
    /// One applied document, as YAML that applies as no change
    #[value(aliases = ["document", "doc"])]
    Documents,
}

/// `get`.
#[derive(Debug, Clone, Args)]
pub struct GetArgs {
    /// What to show
    pub kind: Kind,
    /// Only this one (a document: `team/payments`, `cluster/prod-eu`, `platform`)
    pub name: Option<String>,
    /// Only of this change request
    #[arg(long, value_name = "ID")]
    pub request: Option<String>,
    /// Only about this subject, for example `team/payments`
    #[arg(long, value_name = "SUBJECT")]
    pub subject: Option<String>,
    /// Only in this state
    #[arg(long, value_name = "STATE")]
    pub state: Option<String>,
    /// Only of this team
    #[arg(long, short = 't', value_name = "TEAM")]
    pub team: Option<String>,
    /// A document's revision; the applied one when left out
    #[arg(long, value_name = "NUMBER")]
    pub revision: Option<u64>,
    /// Without a limit; findings that are over too; everybody's sessions
    #[arg(long)]
    pub all: bool,
    /// At most this many, the newest first
    #[arg(long, value_name = "NUMBER", default_value_t = 200, conflicts_with = "all")]
    pub limit: usize,
}

impl GetArgs {
    /// How many rows are shown at most.
    pub fn limit(&self) -> usize {
        if self.all { usize::MAX } else { self.limit }
    }
}

/// `request`.
#[derive(Debug, Clone, Subcommand)]
pub enum RequestCommand {
    /// Everything about one change request
    #[command(
        before_help = "Examples:\n  strongroom request show 0199b5d0-0000-7000-8000-000000000002"
    )]
    Show {
        /// The request's id
        id: String,
    },
    /// Propose the documents of a request that has ended once more, whole as they were
    ///
    /// What is proposed are the old documents as a whole, not their difference to what was applied
    /// then: changes that were applied since are taken back, and read as such in the preview. To
    /// keep them, edit `strongroom get document … -o yaml` and apply that instead.
    #[command(before_help = "Examples:
  strongroom request again 0199b5d0-0000-7000-8000-000000000002 --dry-run      read what changes
  strongroom request again 0199b5d0-0000-7000-8000-000000000002 --reason 'PAY-12: still wanted'")]
    Again {
        /// The request that was superseded, has expired or failed, or was taken back
        id: String,
        /// Reason and waiting.
        #[command(flatten)]
        propose: ProposeArgs,
    },
    /// Change requests, newest first
    #[command(
        alias = "ls",
        before_help = "Examples:\n  strongroom request list\n  strongroom request list --state in_review"
    )]
    List {
        /// Only in this state
        #[arg(long, value_name = "STATE")]
        state: Option<String>,
        /// Only about this subject
        #[arg(long, value_name = "SUBJECT")]
        subject: Option<String>,
        /// At most this many
        #[arg(long, value_name = "NUMBER", default_value_t = 200)]
        limit: usize,
    },
}

/// `reject` and `withdraw`.
#[derive(Debug, Clone, Args)]
pub struct VoteArgs {
    /// The request's id
    pub id: String,
    /// A word to the others; it is part of what is signed
    #[arg(long, visible_alias = "reason", value_name = "TEXT", default_value = "")]
    pub comment: String,
    /// Sign although it is known beforehand that it will not count
    #[arg(long)]
    pub anyway: bool,
}

/// `approve`.
#[derive(Debug, Clone, Args)]
pub struct ApproveArgs {
    /// Request and comment.
    #[command(flatten)]
    pub vote: VoteArgs,
    /// The stage to vote in; the one your groups vote in when left out
    #[arg(long, value_name = "NAME")]
    pub stage: Option<String>,
}

/// `wait`.
#[derive(Debug, Clone, Args)]
pub struct WaitArgs {
    /// The request's id
    pub id: String,
    /// The state to wait for; the end, whatever it is, when left out
    #[arg(long = "for", value_name = "STATE")]
    pub state: Option<String>,
    /// How long, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    pub timeout: u64,
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
}
