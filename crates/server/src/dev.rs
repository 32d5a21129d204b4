//! `strongroom dev`: everything on one machine, on real parts.
//!
//! It starts the parts, configures them as an SRE team would, runs `serve` and `execute` as
//! children, and tells the way from a document to a token that reads. For trying and for tests;
//! never for anything that matters.

mod administrator;
pub mod browser;
mod children;
mod lab;
mod people;
mod setup;
mod stack;
mod story;
mod teller;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};

use crate::arguments::DevOptions;
use crate::{logging, signals};
use stack::Stack;
use teller::Teller;

/// Runs the stack; with `--once` until the story is told.
pub async fn run(options: &DevOptions) -> ExitCode {
    let result = if options.lab {
        Box::pin(lab::run(options)).await
    } else {
        Box::pin(run_checked(options)).await
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => logging::fail(&error),
    }
}

async fn run_checked(options: &DevOptions) -> Result<()> {
    let dir = data_dir(options)?;
    let _lock = lock(&dir)?;
    if options.fresh || options.once {
        empty(&dir)?;
    }
    let mut teller = Teller::new();
    let told = dir.join("story.told");
    let half_told = dir.join("story.begun");
    if half_told.is_file() && !told.is_file() {
        bail!(
            "an earlier run in {} stopped in the middle of its story; start again with --fresh",
            dir.display()
        );
    }
    let stack = tokio::select! {
        stack = Box::pin(Stack::start(&dir, &mut teller)) => stack?,
        () = signals::stop() => bail!("stopped while starting"),
    };
    let result = tokio::select! {
        result = tell(&stack, &mut teller, &told, &half_told) => result,
        () = signals::stop() => Err(anyhow::anyhow!("stopped in the middle of the story")),
    };
    let result = match result {
        Ok(()) if !options.once => {
            Teller::say(&stack.describe());
            stack.wait(signals::stop()).await
        }
        result => result,
    };
    let stopped = stack.stop().await.context("stop the parts");
    result.and(stopped)
}

async fn tell(stack: &Stack, teller: &mut Teller, told: &Path, half_told: &Path) -> Result<()> {
    if told.is_file() {
        Teller::say("The story was told on this data before; going on with it.");
        return Ok(());
    }
    std::fs::write(half_told, "")?;
    story::tell(stack, teller).await?;
    std::fs::write(told, "")?;
    Ok(())
}

/// Where the data is. As root it is a place that the Postgres user can reach.
fn data_dir(options: &DevOptions) -> Result<PathBuf> {
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".local/state");
    let base = if let Some(dir) = &options.dir {
        dir.clone()
    } else if rustix::process::geteuid().is_root() {
        PathBuf::from("/var/tmp/strongroom-dev")
    } else {
        std::env::var_os("XDG_STATE_HOME").map_or_else(home, PathBuf::from).join("strongroom/dev")
    };
    // `--once` and the tests never touch the data of a stack that stays.
    let name = match (options.lab, options.once) {
        (true, _) => "lab",
        (false, true) => "once",
        (false, false) => "stay",
    };
    let dir = base.join(name);
    std::fs::create_dir_all(&dir).with_context(|| format!("make {}", dir.display()))?;
    Ok(dir.canonicalize()?)
}

/// Two runs on the same data would end each other's parts.
fn lock(dir: &Path) -> Result<std::fs::File> {
    let file = std::fs::File::create(dir.with_extension("lock"))?;
    if file.try_lock().is_err() {
        bail!("another `strongroom dev` is running on {}", dir.display());
    }
    Ok(file)
}

fn empty(dir: &Path) -> Result<()> {
    for entry in dir.read_dir()? {
        let path = entry?.path();
        let removed = if path.is_dir() {
            std::fs::remove_dir_all(&path)
        } else {
            std::fs::remove_file(&path)
        };
        removed.with_context(|| format!("remove {}", path.display()))?;
    }
    Ok(())
}
