//! Arguments of the verbs about change requests: look, vote, wait.

use clap::{Args, Subcommand};

use super::ProposeArgs;

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
    /// Say something about a change request, where everybody who sees it reads it
    ///
    /// A comment decides nothing and nobody signs it. The ledger keeps it for good: no secret
    /// belongs into it.
    #[command(before_help = "Examples:
  strongroom request comment 0199b5d0-0000-7000-8000-000000000002 'why write, not read?'
  git log -1 --format=%B | strongroom request comment 0199b5d0-0000-7000-8000-000000000002 -")]
    Comment {
        /// The request's id
        id: String,
        /// What to say; `-` reads it from standard input
        text: String,
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
