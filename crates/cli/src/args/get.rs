//! Arguments of `get`.

use clap::{Args, ValueEnum};

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
    /// People as of their last sign-ins, for the platform and auditors; a name is a group
    #[value(alias = "person")]
    People,
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
    /// Events as they come, until it is interrupted
    #[arg(long, short = 'f', conflicts_with_all = ["all", "limit"])]
    pub follow: bool,
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
