//! What is left to read afterwards: who asked, who signed, what was written, and what is wrong.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::Story;

impl Story<'_> {
    /// The events of the first request, as an auditor reads them.
    pub(super) async fn trail(&self, request: &str) -> Result<(String, String)> {
        let ada = self.sign_in("ada").await?;
        let out = ada.does(&["get", "events", "--all", "--request", request, "-o", "json"]).await?;
        let value: Value = serde_json::from_str(&out)?;
        let events = listed(&value);
        let count = |kind: &str| {
            events.iter().filter(|event| event.get("kind") == Some(&json!(kind))).count()
        };
        ensure!(count("request.submitted") == 1, "no event says who asked");
        ensure!(count("act.counted") == 3, "not three acts count: submission and two votes");
        ensure!(count("act.refused") >= 2, "the refused votes are not in the ledger");
        ensure!(count("request.applied") == 1, "no event says that it was applied");
        for event in events.iter().filter(|e| e.get("kind") == Some(&json!("act.counted"))) {
            for proof in ["/detail/token", "/detail/kid", "/detail/authTime"] {
                ensure!(event.pointer(proof).is_some(), "an act without {proof}");
            }
        }
        let written: Vec<_> =
            events.iter().filter(|e| e.get("kind") == Some(&json!("apply.written"))).collect();
        ensure!(written.len() > 10, "the writes are not in the ledger");
        for event in &written {
            let told = ["/detail/engineRequestId", "/detail/readBackRequestId"];
            ensure!(
                told.iter().any(|id| event.pointer(id).is_some_and(Value::is_string)),
                "a write without an engine request id"
            );
        }
        self.until_quiet().await?;
        let summary = format!(
            "The first request has {} events: 1 submission, {} acts that count and {} that do not, {} \
             writes.\nRead them as an auditor:  as ada; strongroom login; \
             strongroom get events --all --request {request}",
            events.len(),
            count("act.counted"),
            count("act.refused"),
            written.len()
        );
        Ok((summary, String::new()))
    }
}

/// The events of an answer, each as the canonical event.
pub(super) fn listed(value: &Value) -> Vec<Value> {
    let items = value.get("items").and_then(Value::as_array).or_else(|| value.as_array());
    let event = |item: &Value| item.get("event").cloned().unwrap_or_else(|| item.clone());
    items.into_iter().flatten().map(event).collect()
}
