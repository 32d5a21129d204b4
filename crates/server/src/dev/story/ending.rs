//! A grant with an end date: it is taken off on the day after, and no clock that goes back brings
//! it back.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use jiff::ToSpan as _;
use serde_json::Value;

use super::neighbours::ORDERS_NAMESPACE;
use super::workload::Workload;
use super::{Story, find};

/// How far the executor's clock is put ahead, seconds: past tomorrow's end.
const AHEAD: i64 = 3 * 86_400;

impl Story<'_> {
    /// The reports of team orders end.
    pub(super) async fn end_by_itself(&self) -> Result<((), String)> {
        let path = "team/orders/kv/data/prod/report/db";
        let report = Workload::log_in(self.stack, ORDERS_NAMESPACE, "report").await?;
        report.read_until(path).await.context("before its end the account reads")?;

        // With Strongroom down the engine ends it by itself.
        let last_day = self.documents.reports_end()?;
        let after = format!("{}T00:00:00", last_day.checked_add(1.day())?);
        let name = "sys/policies/acl/team.orders.binding.report";
        let admin = self.stack.administer().await?;
        let policy = admin.read(name, "{policy}").await?.context("the policy is missing")?;
        let expires = policy.get("expiration").and_then(Value::as_str).unwrap_or_default();
        ensure!(expires.starts_with(&after), "the engine would end it at {expires:?}, not {after}");

        // A release can be told no other time than the machine's.
        if cfg!(not(debug_assertions)) {
            return Ok(((), format!("the engine will end it at {expires}")));
        }
        let other = "team/orders/kv/data/prod/worker/db";
        let worker = Workload::log_in(self.stack, ORDERS_NAMESPACE, "worker").await?;
        let ended = async {
            report.refused_until(path).await.context("past its end the account still reads")?;
            let because = last_day.to_string();
            let why = self.until_stands("orders", "report", "ended", &[&because]).await?;
            ensure!(admin.read(name, "{policy}").await?.is_none(), "its policy is still there");
            worker.read_until(other).await.context("what has no end ended too")?;
            Ok(why)
        };
        let why = self.stack.while_ahead(AHEAD, ended).await?;

        // The clock is right again. What ended stays ended.
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(1500) {
            report.is_refused(path).await.context("a clock that went back gave it back")?;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let carol = self.stack.person("carol")?;
        let file = self.documents.orders_without_reports()?;
        let request = carol.submits(&file, "reports are over", &[]).await?;
        let shown = self.until("carol", &request, "applied").await?;
        let risk = find(&shown, "risk").and_then(Value::as_str).unwrap_or_default();
        ensure!(risk == "low", "to tidy up what has ended is {risk}, not low");
        report.is_refused(path).await?;
        Ok((
            (),
            format!(
                "three days on `get bindings` says ended: {why}; with the clock put back it stays ended"
            ),
        ))
    }
}
