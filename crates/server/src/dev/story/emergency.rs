//! The emergency: one signed act stops a binding, no row brings it back, a request does.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::workload::Workload;
use super::{API_PATH, NAMESPACE, Story};

impl Story<'_> {
    /// Bob suspends; a database administrator tries to undo it; a request lifts it.
    pub(super) async fn emergency(&self) -> Result<((), String)> {
        let target = "team/payments/api";
        let live = Workload::log_in(self.stack, NAMESPACE, "api").await?;
        live.read_until(API_PATH).await.context("before the emergency the account reads")?;

        let bob = self.stack.person("bob")?;
        bob.does(&["suspend", target, "--reason", "INC-7: a token leaked", "--yes"]).await?;
        let start = Instant::now();
        live.refused_until(API_PATH).await.context("the suspended binding still reads")?;
        let refused = start.elapsed();
        let because = ["INC-7", "--lift team/payments/api"];
        self.until_stands("payments", "api", "suspended", &because).await?;

        // With every trigger off, as only a superuser can.
        self.stack
            .postgres()
            .administer(
                "strongroom",
                &[
                    "SET session_replication_role = replica",
                    "DELETE FROM act_receipts WHERE act_id IN \
                     (SELECT act_id FROM acts WHERE act = 'suspend')",
                    "DELETE FROM acts WHERE act = 'suspend'",
                    "UPDATE binding_states SET state = 'attached', reason = NULL",
                    "SELECT pg_notify('strongroom_work', '')",
                ],
            )
            .await?;
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(2) {
            live.is_refused(API_PATH).await.context("edited rows gave access back")?;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }

        let file = self.documents.payments_without_batch()?;
        let request = bob.submits(&file, "INC-7: rotated", &["--lift", target]).await?;
        self.in_review("bob", &request, "high").await?;
        self.approved_by(&request, &["sue"]).await?;
        let again = Workload::log_in(self.stack, NAMESPACE, "api").await?;
        again.read_until(API_PATH).await.context("after the request the account reads again")?;
        live.is_refused(API_PATH).await.context("a token from before the emergency reads")?;
        Ok((
            (),
            format!(
                "refused {} ms after the receipt; deleted rows changed nothing",
                refused.as_millis()
            ),
        ))
    }
}
