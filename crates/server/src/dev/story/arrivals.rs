//! Accounts that come after their approval: one that is made later, and one whose workload is
//! faster than the executor.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::Story;
use super::neighbours::ORDERS_NAMESPACE;
use super::workload::Workload;

impl Story<'_> {
    /// Approved while there was no such account.
    pub(super) async fn newcomer(&self) -> Result<((), String)> {
        let because = ["does not exist yet"];
        let why = self.until_stands("orders", "report", "waiting", &because).await?;
        self.stack.kubernetes().api().create_service_account(ORDERS_NAMESPACE, "report").await?;
        self.until_stands("orders", "report", "attached", &[]).await?;
        let report = Workload::log_in(self.stack, ORDERS_NAMESPACE, "report").await?;
        report.read_until("team/orders/kv/data/prod/report/db").await?;
        report.is_refused("team/orders/kv/data/prod/worker/db").await?;
        Ok(((), format!("`get bindings` said waiting: {why}")))
    }

    /// While the executor stands still, an account is made and its workload logs in.
    pub(super) async fn early_login(&self) -> Result<((), String)> {
        let path = "team/orders/kv/data/prod/worker/db";
        self.until_stands("orders", "worker", "waiting", &[]).await?;
        let early = self
            .stack
            .while_paused(async {
                let api = self.stack.kubernetes().api();
                api.create_service_account(ORDERS_NAMESPACE, "worker").await?;
                let early = Workload::log_in(self.stack, ORDERS_NAMESPACE, "worker").await?;
                early.is_refused(path).await.context("nobody attached it, and it reads")?;
                Ok(early)
            })
            .await?;
        early.read_until(path).await.context("the early token never reads")?;
        self.until_stands("orders", "worker", "attached", &[]).await?;

        // Not moved to another entity: the engine's own was adopted, and is the account's now.
        let admin = self.stack.administer().await?;
        let entity = format!("identity/entity/id/{}", early.entity_id());
        let entity = admin.read(&entity, "{entity}").await?.context("its entity is gone")?;
        let name = entity.get("name").and_then(Value::as_str).unwrap_or_default();
        ensure!(name == "sa.prod-eu.orders-prod.worker", "the entity is {name:?}, not adopted");
        Ok(((), "the executor adopted the entity that its login had made".into()))
    }
}
