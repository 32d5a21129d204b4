//! Plans that have begun, by the heads: they go on whatever the database still knows of them.
//!
//! A plan comes into a head only after its votes were verified, with its bytes. So an older or lost
//! database, or an edited row, neither stops a half-done plan nor keeps its subjects waiting.

use std::collections::BTreeMap;

use serde_json::json;
use strongroom_domain::event::EventKind;
use strongroom_domain::id::RequestId;
use strongroom_domain::request::State;
use strongroom_plan::Plan;
use strongroom_plan::resume::Progress;
use strongroom_storage::StorageError;
use strongroom_storage::plan::PlanRow;

use crate::error::ExecutorError;
use crate::review::sees_all;
use crate::start::Executor;

impl Executor {
    /// Goes on with every plan that has begun and that no row leads to.
    pub(crate) async fn begun_resume(&mut self) -> Result<(), ExecutorError> {
        let begun = self.heads.values().filter_map(|head| head.head.applying.as_ref());
        let begun: BTreeMap<RequestId, String> =
            begun.map(|begun| (begun.target.request, begun.plan.clone())).collect();
        for (request, text) in begun {
            if self.row_leads_to(request, &text).await? {
                continue;
            }
            match self.begun_go_on(&text).await {
                Err(ExecutorError::LeaseLost) => return Err(ExecutorError::LeaseLost),
                Err(error) => tracing::warn!(%request, %error, "what has begun does not go on yet"),
                Ok(()) => {}
            }
        }
        Ok(())
    }

    /// Whether an open row holds this very plan: then it is carried on with as usual.
    async fn row_leads_to(&self, request: RequestId, text: &str) -> Result<bool, ExecutorError> {
        let row = match self.store.request_get(&sees_all(), request).await {
            Ok(row) => row,
            Err(StorageError::NotFound | StorageError::Corrupt { .. }) => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        if !matches!(row.state, State::Approved | State::Applying) {
            return Ok(false);
        }
        let stored = self.frozen_plan(&row).await;
        Ok(stored.is_ok_and(|(_, stored)| stored.canonical == text.as_bytes()))
    }

    async fn begun_go_on(&mut self, text: &str) -> Result<(), ExecutorError> {
        let bytes = text.as_bytes();
        let plan = Plan::from_canonical(bytes)
            .map_err(|error| ExecutorError::Stopped(format!("the plan in a head: {error}")))?;
        let stored = PlanRow {
            request: plan.request,
            round: i32::try_from(plan.round).unwrap_or(i32::MAX),
            canonical: bytes.to_vec(),
            hash: Plan::hash_of(bytes),
            signature: Vec::new(),
            key_id: String::new(),
            frozen_at: plan.frozen_at,
            expires_at: plan.expires_at,
        };
        let failed = match self.progress(&plan, &stored).await? {
            Progress::Ending => {
                self.heads_applied(&plan).await?;
                None
            }
            Progress::Begun(rest) if self.stops_itself(&plan).is_none() => {
                self.may_write(&plan).await?;
                tracing::warn!(request = %plan.request, "goes on by the heads alone");
                let mut reading = self.reading();
                self.carry_out(&plan, &stored, &rest, &mut reading, true).await?
            }
            // Some of its heads have gone back or on: it is not carried out by halves.
            _ => return self.heads_back(&plan).await,
        };
        let failed = failed.map(|(step, why)| (step.map(|step| step.ordinal), why));
        if failed.is_some() {
            self.heads_back(&plan).await?;
        }
        let kind = match &failed {
            None => EventKind::RequestApplied,
            Some(_) => EventKind::RequestFailed,
        };
        let detail = json!({
            "plan": stored.hash,
            "round": plan.round,
            "steps": plan.steps.len(),
            "epoch": self.epoch,
            "by": "the heads: the database did not know that it had begun",
            "failed": failed,
        });
        let event = self.event(kind, Some(plan.request), None, detail);
        self.store.event_append(&[event]).await?;
        self.subjects_publish(plan.documents.iter().map(|each| each.subject.clone())).await?;
        self.records_compare(None).await
    }
}
