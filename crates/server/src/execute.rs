//! `strongroom execute`.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use strongroom_domain::clock::SystemClock;
use strongroom_executor::Executor;

use crate::arguments::ConfigFile;
use crate::{logging, signals};

/// Runs the executor until it is asked to stop.
pub async fn run(options: &ConfigFile) -> Result<()> {
    logging::start();
    let executor = Executor::start(&options.config, Arc::new(SystemClock))
        .await
        .context("start the executor")?;
    strongroom_executor::run(executor, signals::stop()).await.context("run the executor")
}
