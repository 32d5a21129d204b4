//! The shared lab of one test run: the stack on fresh data, and a file that tells tests where
//! everything is.

use anyhow::{Context as _, Result, bail};
use serde_json::json;
use strongroom_lab::process::write_private;
use tokio::process::Command;

use super::stack::Stack;
use super::teller::Teller;
use super::{data_dir, empty, lock, story};
use crate::arguments::DevOptions;
use crate::signals;

/// Starts the stack, runs the command, ends the stack.
pub async fn run(options: &DevOptions) -> Result<()> {
    let Some((program, arguments)) = options.command.split_first() else {
        bail!("`dev --lab` needs a command after `--`");
    };
    let dir = data_dir(options)?;
    let _lock = lock(&dir)?;
    empty(&dir)?;
    let mut teller = Teller::new();
    let stack = Box::pin(Stack::start(&dir, &mut teller)).await?;
    let result = async {
        story::register_cluster(&stack).await.context("register the cluster")?;
        let file = dir.join("lab.json");
        let api = stack.kubernetes().api();
        let lab = json!({
            "dir": dir,
            "server": stack.server(),
            "engine": {
                "address": stack.engine().address(),
                "ca_pem": stack.engine().ca_pem(),
                "admin_password": stack.administrator()?.password(),
                "audit_log": stack.engine().audit_logs()[0],
            },
            "provider": {
                "issuer": stack.provider().issuer(),
                "address": stack.provider().address(),
                // Only a lab tells it: tests turn keys and move people between groups.
                "admin_password": stack.provider().admin_password(),
            },
            "kubernetes": {
                "server": api.server(), "ca_pem": api.ca_pem(), "admin_token": api.admin_token(),
            },
            "postgres_admin_url": stack.postgres().admin_url("postgres"),
        });
        write_private(&file, lab.to_string().as_bytes())?;
        let mut child = Command::new(program)
            .args(arguments)
            .env("STRONGROOM_LAB", &file)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("start {program}"))?;
        tokio::select! {
            status = child.wait() => {
                let status = status?;
                if status.success() { Ok(()) } else { bail!("{program} ended with {status}") }
            }
            () = signals::stop() => bail!("stopped"),
        }
    };
    let result = result.await;
    let stopped = stack.stop().await.context("stop the parts");
    result.and(stopped)
}
