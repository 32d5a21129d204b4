//! Less access: one's own grant goes at once, live tokens included.

use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::workload::Workload;
use super::{BATCH_PATH, NAMESPACE, Story, find, now, trail};

impl Story<'_> {
    /// Bob takes a binding away by himself.
    pub(super) async fn narrow(&self) -> Result<((), String)> {
        let batch = Workload::log_in(self.stack, NAMESPACE, "batch").await?;
        batch.read_until(BATCH_PATH).await.context("the other binding reads")?;
        let file = self.documents.payments_without_batch()?;
        let bob = self.stack.person("bob")?;
        let request = bob.submits(&file, "batch is switched off", &[]).await?;
        let applied = self.until("bob", &request, "applied");
        let refused = async {
            batch.refused_until(BATCH_PATH).await?;
            Ok(Instant::now())
        };
        let (shown, refused_at) = tokio::try_join!(applied, refused)?;
        let risk = find(&shown, "risk").and_then(Value::as_str).unwrap_or_default().to_owned();
        ensure!(risk == "low", "narrowing one's own is {risk}, not low");
        let gap = self.since_apply(&request, refused_at).await?;
        Ok((
            (),
            format!(
                "low, nobody else needed; refused {gap:.0} ms after the group's deletion was recorded"
            ),
        ))
    }

    /// Milliseconds from the recorded write that took the group away to the first refused request.
    async fn since_apply(&self, request: &str, refused_at: Instant) -> Result<f64> {
        let out = self
            .stack
            .person("sue")?
            .does(&["get", "events", "--request", request, "-o", "json"])
            .await?;
        let now = (Instant::now(), now());
        let events: Value = serde_json::from_str(&out)?;
        let written = trail::listed(&events)
            .into_iter()
            .find(|event| {
                event.pointer("/detail/object/kind") == Some(&json!("group"))
                    && event.pointer("/detail/operation") == Some(&json!("delete"))
            })
            .context("no event says that the group was deleted")?;
        let at: jiff::Timestamp = written
            .get("at")
            .and_then(Value::as_str)
            .context("an event without a time")?
            .parse()?;
        let ago = now.1.duration_since(at).as_secs_f64();
        Ok((ago - now.0.duration_since(refused_at).as_secs_f64()) * 1000.0)
    }
}
