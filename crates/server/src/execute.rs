//! `strongroom execute`: the executor, and local orders to it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use strongroom_config::ExecuteConfig;
use strongroom_domain::hold::Target;
use strongroom_executor::{Executor, LocalOrder, OrderAnswer, Working, order_leave};

use crate::arguments::{ExecuteOptions, OrderCommand};
use crate::clock::clock;
use crate::probes::{self, Check, CheckState};
use crate::{logging, signals};

/// How long a local order is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs the executor until it is asked to stop, or leaves it an order.
pub async fn run(options: &ExecuteOptions) -> Result<()> {
    if let Some(command) = &options.order {
        return order(options, command).await;
    }
    logging::start();
    let counted = probes::count()?;
    let executor = Executor::start(&options.config, clock()).await.context("start the executor")?;
    if let Some(listen) = executor.probes() {
        let health = executor.health();
        let look = move || -> Pin<Box<dyn Future<Output = Vec<Check>> + Send>> {
            let checks = checks(&health.now());
            Box::pin(async move { checks })
        };
        probes::answer(listen, counted, Arc::new(look)).await?;
    }
    strongroom_executor::run(executor, signals::stop()).await.context("run the executor")
}

/// Standing by is being ready: it takes over by itself.
fn checks(working: &Working) -> Vec<Check> {
    let state = match working {
        Working::AtWork | Working::StandingBy => CheckState::Good,
        Working::Starting => CheckState::Bad("it starts".to_owned()),
        Working::Failing { why, .. } => CheckState::Degraded(why.clone()),
    };
    let lease = match working {
        Working::AtWork | Working::Failing { held: true, .. } => CheckState::Good,
        _ => CheckState::Degraded("it does not hold the lease".to_owned()),
    };
    vec![Check { name: "executor", state }, Check { name: "lease", state: lease }]
}

#[expect(clippy::print_stdout, reason = "the answer is what was asked for")]
async fn order(options: &ExecuteOptions, command: &OrderCommand) -> Result<()> {
    let config = ExecuteConfig::read(&options.config)?;
    let order = match command {
        OrderCommand::Suspend { target, reason } => {
            let target: Target = target.parse().context("read what is to be suspended")?;
            LocalOrder::Suspend { target, reason: reason.clone() }
        }
        OrderCommand::Freeze { reason } => {
            LocalOrder::Suspend { target: Target::Platform, reason: reason.clone() }
        }
        OrderCommand::ReleaseBrake { reason } => {
            LocalOrder::ReleaseBrake { reason: reason.clone() }
        }
        OrderCommand::Acknowledge { reason } => LocalOrder::Acknowledge { reason: reason.clone() },
    };
    let file = order_leave(&config.state_dir, &order).context("leave the order")?;
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        if let Ok(bytes) = std::fs::read(&file) {
            let answer: OrderAnswer = serde_json::from_slice(&bytes).context("read the answer")?;
            let _ = std::fs::remove_file(&file);
            if answer.done {
                println!("{}", answer.text);
                return Ok(());
            }
            bail!("{}", answer.text);
        }
        if tokio::time::Instant::now() >= deadline {
            bail!(
                "no executor has taken the order yet; it stays and is carried out as soon as \
                 `strongroom execute` runs with {}",
                options.config.display()
            );
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
