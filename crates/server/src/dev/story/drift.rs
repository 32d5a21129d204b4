//! A change that somebody with too many rights makes by hand in the engine: found in its audit log,
//! put back, and told with who did it.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::neighbours::{ORDERS_API_PATH, ORDERS_NAMESPACE};
use super::workload::Workload;
use super::{API_PATH, Story};

impl Story<'_> {
    /// The engine's administrator lets orders read what is payments'.
    pub(super) async fn change_by_hand(&self) -> Result<((), String)> {
        let name = "team.orders.binding.api";
        let path = format!("sys/policies/acl/{name}");
        let orders = Workload::log_in(self.stack, ORDERS_NAMESPACE, "api").await?;
        orders.read_until(ORDERS_API_PATH).await?;
        orders.is_refused(API_PATH).await.context("before the change it reads too much")?;

        let admin = self.stack.administer().await?;
        let text = async || -> Result<String> {
            let policy = admin.read(&path, "{policy}").await?.context("the policy is missing")?;
            let text = policy.get("policy").and_then(Value::as_str);
            Ok(text.context("a policy without text")?.to_owned())
        };
        let before = text().await?;
        let more = "path \"team/payments/kv/data/*\" { capabilities = [\"read\"] }";
        admin.write(&path, "{policy}", &json!({ "policy": format!("{before}{more}\n") })).await?;
        let start = Instant::now();
        while text().await? != before {
            ensure!(start.elapsed() < Duration::from_secs(30), "the policy is not put back");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let seconds = start.elapsed().as_secs_f64();
        orders.is_refused(API_PATH).await.context("put back, and it still reads too much")?;
        orders.read_until(ORDERS_API_PATH).await.context("it lost what it had")?;

        let found = self.until_found("drift", &format!("policy {name}")).await?;
        let say = |field: &str| found.get(field).and_then(Value::as_str).unwrap_or_default();
        ensure!(
            say("text").contains("team/payments/kv/data"),
            "the finding does not say what was changed: {found}"
        );
        let culprit = say("culprit");
        ensure!(culprit.contains("lab-admin"), "the finding does not name who did it: {found}");
        let who = culprit.split(", entity").next().unwrap_or(culprit);
        Ok(((), format!("after {seconds:.1} s; `get findings` says it was {who}")))
    }
}
