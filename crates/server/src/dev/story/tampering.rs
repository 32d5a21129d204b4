//! Somebody with all rights in the database makes the rows say something else: wider, longer, of
//! other owners, of another namespace. Nothing follows from it but an alarm.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::workload::Workload;
use super::{API_PATH, BATCH_PATH, NAMESPACE, Story};

/// With every trigger off and the hashes made to fit, as only a superuser can.
const EDITS: &[&str] = &[
    "SET session_replication_role = replica",
    "CREATE TEMP TABLE lie AS SELECT r.number, convert_to(replace(replace(regexp_replace( \
       convert_from(r.canonical, 'UTF8'), '\"until\":\"[^\"]*\"', '\"until\":\"2099-12-31\"'), \
       'prod/api/*', 'prod/*'), 'payments-leads', 'payments-dev'), 'UTF8') AS text \
     FROM revisions r JOIN subject_states s USING (kind, name) \
     WHERE r.kind = 'team' AND r.name = 'payments' AND r.number = s.applied_revision",
    // An edit that edits nothing would prove nothing.
    "DO $$ BEGIN IF NOT EXISTS (SELECT FROM lie WHERE convert_from(text, 'UTF8') LIKE \
       '%prod/*%' AND convert_from(text, 'UTF8') LIKE '%2099-12-31%' AND \
       convert_from(text, 'UTF8') NOT LIKE '%payments-leads%') THEN \
       RAISE EXCEPTION 'the row was not edited'; END IF; END $$",
    "UPDATE revisions r SET canonical = lie.text, hash = sha256(lie.text) FROM lie \
     WHERE r.kind = 'team' AND r.name = 'payments' AND r.number = lie.number",
    "UPDATE subject_states SET applied_document = lie.text, applied_hash = sha256(lie.text), \
       pins = '{\"prod-eu/payments-prod\": \"00000000-0000-4000-8000-000000000000\"}' FROM lie \
     WHERE kind = 'team' AND name = 'payments'",
    "SELECT pg_notify('strongroom_work', '')",
];

impl Story<'_> {
    /// A database administrator edits what is applied; people decide what holds.
    pub(super) async fn tamper(&self) -> Result<((), String)> {
        let policy = "sys/policies/acl/team.payments.binding.api";
        let admin = self.stack.administer().await?;
        let before = admin.read(policy, "{policy}").await?.context("the policy is missing")?;
        let live = Workload::log_in(self.stack, NAMESPACE, "api").await?;
        live.read_until(API_PATH).await.context("before the edit the account reads")?;
        self.stack.postgres().administer("strongroom", EDITS).await?;

        // The rows make her an owner. The executor believes the head.
        let alice = self.stack.person("alice")?;
        let suspend = ["suspend", "team/payments/api", "--reason", "for fun", "--yes"];
        let printed = alice.run(&suspend).await?;
        let said = format!("{}{}", printed.out, printed.err);
        ensure!(
            printed.code != 0 && said.contains("only owners of the team"),
            "alice's act as an owner is not refused:\n{said}"
        );

        let found = self.until_found("records-differ", "team/payments").await?;
        ensure!(found.get("severity") == Some(&json!("alarm")), "it is no alarm: {found}");
        let say = |field: &str| found.get(field).and_then(Value::as_str).unwrap_or_default();
        ensure!(
            say("text").contains("frozen") && say("nextStep").contains("--lift team/payments"),
            "the alarm does not say what stands still and what to do: {found}"
        );
        live.is_refused(BATCH_PATH).await.context("an edited path gave more")?;
        live.read_until(API_PATH).await.context("an edited row took something away")?;
        let after = admin.read(policy, "{policy}").await?.context("the policy is gone")?;
        ensure!(after == before, "the policy was changed: {before} -> {after}");

        // What holds is for people to say; the document is the one that they had.
        let bob = self.stack.person("bob")?;
        let file = self.documents.payments_without_batch()?;
        let lift = ["--lift", "team/payments"];
        let request = bob.submits(&file, "INC-8: rows were edited", &lift).await?;
        self.in_review("bob", &request, "critical").await?;
        self.approved_by(&request, &["sam", "kim"]).await?;
        let again = Workload::log_in(self.stack, NAMESPACE, "api").await?;
        again.read_until(API_PATH).await.context("after the votes the account reads")?;
        again.is_refused(BATCH_PATH).await.context("an edited path came in by the votes")?;
        self.until_quiet().await?;
        Ok(((), "a wider path, a later end, another owner and another pin gave one alarm and nothing else".into()))
    }

    /// Waits until nothing stands that somebody should look at.
    pub(super) async fn until_quiet(&self) -> Result<()> {
        let start = Instant::now();
        loop {
            let findings = self.findings(false).await?;
            if findings.is_empty() {
                return Ok(());
            }
            ensure!(start.elapsed() < Duration::from_secs(40), "there is still: {findings:?}");
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }
}
