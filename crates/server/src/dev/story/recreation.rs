//! A namespace that is deleted and made again under the same names: nothing is inherited, it is
//! shown, and only a vote trusts it again.

use std::time::Instant;

use anyhow::{Context as _, Result};

use super::workload::Workload;
use super::{API_PATH, NAMESPACE, Story};

impl Story<'_> {
    /// The namespace is another one; gives the newcomer's live token.
    pub(super) async fn recreate(&self, old: &Workload) -> Result<(Workload, String)> {
        let api = self.stack.kubernetes().api();
        api.delete_namespace(NAMESPACE).await?;
        api.create_namespace(NAMESPACE).await?;
        for account in ["api", "batch"] {
            api.create_service_account(NAMESPACE, account).await?;
        }
        let newcomer = Workload::log_in(self.stack, NAMESPACE, "api").await?;
        newcomer.is_refused(API_PATH).await.context("the newcomer reads")?;
        let start = Instant::now();
        old.refused_until(API_PATH).await.context("the old token still reads")?;
        let took = start.elapsed().as_millis();
        newcomer.is_refused(API_PATH).await.context("the newcomer reads")?;

        // People see what happened and what would help.
        let next = format!("--reattest {}", place());
        for binding in ["api", "batch"] {
            let because = ["made anew", next.as_str()];
            self.until_stands("payments", binding, "suspended", &because).await?;
        }
        newcomer.is_refused(API_PATH).await.context("the newcomer reads")?;
        Ok((
            newcomer,
            format!(
                "the old token died {took} ms after the newcomer's login; `get bindings` names \
                 {next} as the next step"
            ),
        ))
    }

    /// Trusted again by a vote, new tokens read; those from before stay dead.
    pub(super) async fn reattest(&self, before: &[&Workload]) -> Result<((), String)> {
        let file = self.documents.payments()?;
        let alice = self.stack.person("alice")?;
        let place = place();
        self.until_previewed(&alice, &file, &["--reattest", &place]).await?;
        let request =
            alice.submits(&file, "the namespace was rebuilt", &["--reattest", &place]).await?;
        self.in_review("alice", &request, "high").await?;
        self.approved_by(&request, &["bob", "sue"]).await?;
        let again = Workload::log_in(self.stack, NAMESPACE, "api").await?;
        again.read_until(API_PATH).await.context("after the vote the account reads again")?;
        for dead in before {
            dead.is_refused(API_PATH).await.context("a token from before the vote reads")?;
        }
        self.until_stands("payments", "api", "attached", &[]).await?;
        Ok(((), "high, as at the first time; workloads log in again".into()))
    }
}

fn place() -> String {
    format!("prod-eu/{NAMESPACE}")
}
