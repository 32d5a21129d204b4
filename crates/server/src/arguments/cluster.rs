//! The command line of `strongroom cluster`.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use strongroom_domain::document::duration::Seconds;
use strongroom_domain::name::{ClusterName, NamespaceName};

/// The shortest life of a token that Kubernetes gives.
const SHORTEST: u32 = 600;

/// `cluster`.
#[derive(Debug, Subcommand)]
pub enum ClusterCommand {
    /// Show, and on request apply and verify, the least that Strongroom needs in a Kubernetes cluster
    #[command(before_help = "Examples:
  strongroom cluster bootstrap prod-eu | kubectl apply -f -        the objects alone
  strongroom cluster bootstrap prod-eu --apply --kube-context prod-eu --secrets-dir /etc/strongroom/secrets > prod-eu.yaml
                                        applies, makes the tokens, asks the cluster back; the Cluster document
  … --apply --renew-tokens              new tokens, before the old ones end
  strongroom cluster bootstrap prod-eu --verify --secrets-dir /etc/strongroom/secrets
  strongroom cluster bootstrap prod-eu --verify --floor /etc/strongroom/floor.yaml      what the executor has")]
    Bootstrap(ClusterBootstrap),
}

/// `cluster bootstrap`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("kept").args(["secrets_dir", "floor"]))]
pub struct ClusterBootstrap {
    /// The cluster, as its document is to call it
    #[arg(value_name = "NAME")]
    pub name: ClusterName,
    /// How the engine is to look at tokens
    #[arg(long, value_name = "METHOD", default_value = "kubernetes")]
    pub auth: AuthMethod,
    /// Where the accounts are
    #[arg(long, value_name = "NAMESPACE", default_value = "strongroom-system")]
    pub namespace: NamespaceName,
    /// Apply what is missing, make tokens, and verify
    #[arg(long, conflicts_with = "verify", requires = "secrets_dir")]
    pub apply: bool,
    /// An administrator's kubeconfig; `KUBECONFIG` or `~/.kube/config` when left out
    #[arg(long, value_name = "FILE", requires = "apply")]
    pub kubeconfig: Option<PathBuf>,
    /// Its context; the current one when left out
    #[arg(long, value_name = "CONTEXT", requires = "apply")]
    pub kube_context: Option<String>,
    /// The API server as executor and engine reach it; the kubeconfig's when left out
    #[arg(long, value_name = "URL", requires = "apply")]
    pub api_server: Option<String>,
    /// The CA of that API server; the kubeconfig's when left out
    #[arg(long, value_name = "FILE", requires = "apply")]
    pub ca_file: Option<PathBuf>,
    /// The audience of workloads' tokens, for the Cluster document
    #[arg(long, value_name = "AUDIENCE", default_value = "strongroom")]
    pub audience: String,
    /// Where tokens and CA are kept that the floor file names
    #[arg(long, value_name = "DIR")]
    pub secrets_dir: Option<PathBuf>,
    /// How long tokens live, at least 10m; the cluster may give less
    #[arg(long, value_name = "TIME", default_value = "365d", value_parser = token_ttl)]
    pub token_ttl: u32,
    /// Make new tokens and put them, and the CA, in the place of those that are kept
    #[arg(long, requires = "apply")]
    pub renew_tokens: bool,
    /// Only ask the cluster what the kept tokens may do, and look when they end: 1 when something is red
    #[arg(long, requires = "kept")]
    pub verify: bool,
    /// With `--verify`: the floor file whose tokens are looked at
    #[arg(long, value_name = "FILE", requires = "verify")]
    pub floor: Option<PathBuf>,
}

/// How the engine finds out whether a workload's token is genuine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AuthMethod {
    /// It asks the API server, with the reviewer's token
    Kubernetes,
    /// It checks signatures itself; there is no reviewer
    Jwt,
}

fn token_ttl(text: &str) -> Result<u32, String> {
    let seconds = text.parse::<Seconds>().map_err(|error| error.to_string())?.get();
    if seconds < SHORTEST {
        return Err("Kubernetes makes no token that lives less than 10m".to_owned());
    }
    Ok(seconds)
}

#[cfg(test)]
mod tests {
    use clap::{FromArgMatches as _, Subcommand as _};

    use super::*;

    fn parsed(words: &str) -> Result<ClusterBootstrap, String> {
        let command = ClusterCommand::augment_subcommands(clap::Command::new("cluster"));
        let words = ["cluster", "bootstrap", "prod-eu"].into_iter().chain(words.split_whitespace());
        let matches = command.try_get_matches_from(words).map_err(|error| error.to_string())?;
        let ClusterCommand::Bootstrap(options) =
            ClusterCommand::from_arg_matches(&matches).map_err(|error| error.to_string())?;
        Ok(options)
    }

    #[test]
    fn what_does_not_fit_together_is_told_before_anything_is_done() {
        let bare = parsed("").unwrap();
        assert_eq!(bare.token_ttl, 365 * 86_400);
        assert_eq!(
            (bare.auth, bare.namespace.as_str()),
            (AuthMethod::Kubernetes, "strongroom-system")
        );
        for good in [
            "--apply --secrets-dir d",
            "--apply --secrets-dir d --kubeconfig k --kube-context c --renew-tokens --token-ttl 24h",
            "--verify --secrets-dir d",
            "--verify --floor f",
            "--auth jwt",
        ] {
            assert!(parsed(good).is_ok(), "{good}: {:?}", parsed(good));
        }
        for bad in [
            "--apply",
            "--verify",
            "--apply --verify --secrets-dir d",
            "--verify --floor f --secrets-dir d",
            "--renew-tokens",
            "--kube-context c",
            "--floor f",
            "--token-ttl 9m",
            "--namespace kube-system",
            "--auth oidc",
        ] {
            assert!(parsed(bad).is_err(), "{bad}");
        }
    }
}
