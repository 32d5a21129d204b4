//! `strongroom cluster bootstrap`: the least that Strongroom needs in one Kubernetes cluster.
//!
//! It prints the objects for `kubectl`; or it looks, applies, makes the tokens and asks the cluster what
//! they may do. It writes nothing at all while anything of those names is somebody else's. The
//! administrator's kubeconfig is used for these calls and kept nowhere; tokens go into files and are never
//! printed. Standard output holds only what is applied next: objects to the cluster, or the Cluster
//! document to Strongroom.

mod apply;
mod ends;
mod kept;
mod report;
mod told;
mod verify;

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use strongroom_cli::Globals;
use strongroom_cli::screen::Screen;
use strongroom_config::floor::ClusterCredential;
use strongroom_kubernetes::bootstrap::Bootstrap;

use crate::arguments::cluster::{AuthMethod, ClusterBootstrap};
use crate::clock::clock;
use crate::logging;
use kept::Kept;

/// Something at one of our names is somebody else's.
const CONFLICT: u8 = 6;

/// Shows what is needed; applies and verifies it where that was asked for.
pub async fn bootstrap(options: &ClusterBootstrap, globals: &Globals) -> ExitCode {
    let screen = Screen::new(globals);
    let result = if options.verify {
        verify(options, screen).await
    } else if let (true, Some(dir)) = (options.apply, &options.secrets_dir) {
        apply::run(options, &Kept::new(dir, &options.name), screen).await
    } else {
        print(options, screen)
    };
    result.unwrap_or_else(|error| logging::fail(&error))
}

fn objects_of(options: &ClusterBootstrap) -> Bootstrap {
    let with_reviewer = options.auth == AuthMethod::Kubernetes;
    Bootstrap { namespace: options.namespace.clone(), with_reviewer }
}

fn print(options: &ClusterBootstrap, screen: Screen) -> Result<ExitCode> {
    screen.data(&told::objects(&objects_of(options).objects())?);
    screen.say(&told::by_hand(options));
    Ok(ExitCode::SUCCESS)
}

/// Only the tokens that are there already, and the cluster they are for.
async fn verify(options: &ClusterBootstrap, screen: Screen) -> Result<ExitCode> {
    let kept = options.secrets_dir.as_ref().map(|dir| Kept::new(dir, &options.name).floor());
    let file = options.floor.clone().or(kept).context("name --secrets-dir or --floor")?;
    let all = ClusterCredential::read_all(&file).with_context(|| {
        format!("read the tokens that {} names; --apply makes them", file.display())
    })?;
    let found = all.iter().find(|credential| credential.name == options.name);
    let credential = found.with_context(|| {
        let names: Vec<&str> = all.iter().map(|credential| credential.name.as_str()).collect();
        let (name, file) = (&options.name, file.display());
        format!("{file} has no credentials called {name}, but: {}", names.join(", "))
    })?;
    let report = verify::look(credential, clock().now()).await;
    screen.data(&report.text(screen.style_out()));
    Ok(report.exit())
}
