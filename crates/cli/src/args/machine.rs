//! `machine`: API keys and service accounts for automation.

use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;

/// `machine`.
#[derive(Debug, Clone, Subcommand)]
pub enum MachineCommand {
    /// Make one: an API key, shown once, or a service account that signs in with its own token
    #[command(before_help = "Examples:
  strongroom machine create ci --team payments --scope propose
  (umask 077; strongroom machine create ci --team payments --expires 2027-06-30 > key)
  strongroom machine create gitops --all-teams --scope propose     by a platform member
  strongroom machine create ci --team payments --account prod-eu/payments-ci/deployer
Then, in CI:
  STRONGROOM_SERVER=https://strongroom.example.com STRONGROOM_API_KEY=$KEY strongroom diff -f payments.yaml
What a machine proposes counts as nobody's: people sign it, and one platform member more.")]
    Create(MachineCreate),
    /// End one; its next call is refused
    #[command(before_help = "Examples:
  strongroom machine end ci --team payments
  strongroom get machines")]
    End {
        /// Its name
        name: String,
        /// Its team
        #[arg(long, short = 't', value_name = "TEAM", required_unless_present = "all_teams")]
        team: Option<String>,
        /// One that sees all teams
        #[arg(long, conflicts_with = "team")]
        all_teams: bool,
    },
}

/// `machine create`.
#[derive(Debug, Clone, Args)]
pub struct MachineCreate {
    /// Its name
    pub name: String,
    /// The one team it sees
    #[arg(long, short = 't', value_name = "TEAM", required_unless_present = "all_teams")]
    pub team: Option<String>,
    /// It sees all teams (platform members only)
    #[arg(long, conflicts_with = "team")]
    pub all_teams: bool,
    /// What it may do
    #[arg(long, value_enum, default_value_t = MachineScope::Read)]
    pub scope: MachineScope,
    /// The service account that it is, by its UID now; an API key is made when left out
    #[arg(long, value_name = "CLUSTER/NAMESPACE/ACCOUNT")]
    pub account: Option<String>,
    /// When it ends: days, or the last day
    #[arg(long, value_name = "DAYS|DATE", default_value = "90d")]
    pub expires: String,
}

/// What a machine may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MachineScope {
    /// See what members of the team see
    Read,
    /// Propose documents too
    Propose,
}

impl MachineScope {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Propose => "propose",
        }
    }
}
