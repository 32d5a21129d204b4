//! Applying exactly what was signed: whether it may be, and what its rows say before and after.

use serde_json::json;
use strongroom_domain::event::EventKind;
use strongroom_domain::hold::Target;
use strongroom_domain::request::{State, Tally};
use strongroom_domain::subject::Subject;
use strongroom_engine::audit;
use strongroom_plan::Plan;
use strongroom_plan::model::Step;
use strongroom_plan::resume::{Progress, progress};
use strongroom_storage::finding::DRIFT;
use strongroom_storage::plan::PlanRow;
use strongroom_storage::request::RequestRow;

use crate::acts::About;
use crate::error::ExecutorError;
use crate::freeze::submission;
use crate::object::Reading;
use crate::review::{OTHER_SUBMISSION, RULES_CHANGED};
use crate::start::Executor;

impl Executor {
    /// Applies an approved request, or goes on with one that was interrupted.
    pub(crate) async fn apply(&mut self, row: &RequestRow) -> Result<(), ExecutorError> {
        let (plan, stored) = self.frozen_plan(row).await?;
        let (resume, begin) = match self.progress(&plan, &stored).await? {
            Progress::Begun(rest) => (true, rest),
            Progress::Ending => {
                let row = &self.enter_applying(row, &plan, &stored).await?;
                self.heads_applied(&plan).await?;
                return self.finish(row, &plan, &stored).await;
            }
            Progress::Busy(subject) => {
                return Err(ExecutorError::Wait(format!(
                    "another request is being applied to {subject}"
                )));
            }
            Progress::Torn(subject) => {
                let why = format!("{subject} has changed since the plan was begun");
                return self.fail(row, &plan, None, &why).await;
            }
            Progress::GoingBack => {
                let why = "it had stopped in the middle";
                return self.fail(row, &plan, None, why).await;
            }
            // The row says so and no head does: either the last head was written, or the first one
            // never was, and everything is checked as if for the first time. The heads decide.
            Progress::Done if row.state == State::Applying => {
                return self.finish(row, &plan, &stored).await;
            }
            Progress::NotBegun | Progress::Done => {
                if row.state == State::Applying
                    && self.is_over_before_begun(row, &plan, &stored).await?
                {
                    return Ok(());
                }
                self.check_signatures(row, &plan, &stored).await?;
                (false, (0..plan.documents.len()).collect())
            }
        };
        let mut reading = self.reading();
        // Whoever holds anew what it lifts has not been heard by those who signed.
        if !resume && self.lifted(&plan) != plan.lift {
            self.is_still_so(row, &plan, &mut reading).await?;
            return Ok(());
        }
        if resume && let Some(why) = self.stops_itself(&plan) {
            return self.fail(row, &plan, None, &why).await;
        }
        self.may_write(&plan).await?;
        if !resume {
            self.follow_may_begin(&plan)?;
            self.reset_may_begin(&plan)?;
            if !self.is_still_so(row, &plan, &mut reading).await? {
                return Ok(());
            }
        }
        let row = &self.enter_applying(row, &plan, &stored).await?;
        match self.carry_out(&plan, &stored, &begin, &mut reading, resume).await? {
            None => self.finish(row, &plan, &stored).await,
            Some((step, why)) => self.fail(row, &plan, step, &why).await,
        }
    }

    /// Whether anything may be written now.
    pub(crate) async fn may_write(&self, plan: &Plan) -> Result<(), ExecutorError> {
        self.platform_is_believed(&plan.lift)?;
        if let Some(why) = self.held.get(&Target::Platform)
            && !self.lifted(plan).contains(&Target::Platform)
        {
            return Err(ExecutorError::Wait(why.clone()));
        }
        if let Some(why) = &self.selfcheck.red {
            return Err(ExecutorError::Wait(why.clone()));
        }
        // No audit, no change.
        let devices = audit::device_count(&self.engine).await?;
        if devices < 2 {
            return Err(ExecutorError::Wait(format!(
                "the engine has {devices} audit devices; Strongroom writes with two or more"
            )));
        }
        Ok(())
    }

    /// Stops in the middle: the heads say again what was applied before, and what was written stays
    /// to be seen by the next plan.
    async fn fail(
        &mut self,
        row: &RequestRow,
        plan: &Plan,
        step: Option<&Step>,
        why: &str,
    ) -> Result<(), ExecutorError> {
        self.heads_back(plan).await?;
        let detail = json!({ "because": why, "step": step.map(|step| step.ordinal) });
        let event = self.event(EventKind::RequestFailed, Some(row.request), None, detail);
        self.tombstone_end(row, State::Failed, why).await?;
        self.transition(row, State::Failed, Some(why), &[event]).await
    }

    /// A row that says it is being applied while no head has begun: a no and a void round stand.
    async fn is_over_before_begun(
        &mut self,
        row: &RequestRow,
        plan: &Plan,
        stored: &PlanRow,
    ) -> Result<bool, ExecutorError> {
        if self.is_ended(row).await? {
            return Ok(true);
        }
        let acts = self.store.acts_of_request(row.request).await?;
        let frozen = Some((plan, stored.hash));
        let Some((end, who)) = self.ended(&acts, &submission(row)?, frozen) else {
            return Ok(false);
        };
        let why = format!("{} by {who} before the first write", end.as_str());
        self.fail(row, plan, None, &why).await?;
        Ok(true)
    }

    /// Every signature, once more, right before the first write.
    async fn check_signatures(
        &self,
        row: &RequestRow,
        plan: &Plan,
        stored: &PlanRow,
    ) -> Result<(), ExecutorError> {
        if self.is_over(plan.expires_at) {
            return Err(ExecutorError::Superseded("the plan has run out".into()));
        }
        let submission = submission(row)?;
        let submitter = self.submitter(row, &submission).await?;
        if submitter.proof() != plan.submission {
            return Err(ExecutorError::Hostile(OTHER_SUBMISSION.into()));
        }
        let acts = self.store.acts_of_request(row.request).await?;
        let votes = self.votes(&acts, About::Plan { plan, hash: stored.hash });
        let tally = Tally::count(&plan.stages, submitter.id(), &votes);
        if tally.is_complete() {
            return Ok(());
        }
        Err(ExecutorError::Hostile(format!("request {} is not approved", row.request)))
    }

    /// Plans again from what is observed now. If one byte of what would be done differs, the request
    /// goes back to review in a new round.
    async fn is_still_so(
        &mut self,
        row: &RequestRow,
        plan: &Plan,
        reading: &mut Reading,
    ) -> Result<bool, ExecutorError> {
        let submission = submission(row)?;
        let submitter = self.submitter(row, &submission).await?;
        let proposal = self.propose(row, &submission).await?;
        let now = self.plan(row, &submission, &submitter, &proposal, reading).await?;
        let same = plan.is_still(&now);
        if !same && row.state == State::Applying {
            let why = "what is there has changed before the first write; propose it again";
            let detail = json!({ "because": why });
            let event = self.event(EventKind::RequestFailed, Some(row.request), None, detail);
            self.tombstone_end(row, State::Failed, why).await?;
            self.transition(row, State::Failed, Some(why), &[event]).await?;
        } else if !same {
            let why = if plan.rules == now.rules {
                "what is there has changed since the plan was frozen; votes are void"
            } else {
                RULES_CHANGED
            };
            self.freeze(row, &submission, &submitter, Some(why)).await?;
        }
        Ok(same)
    }

    async fn enter_applying(
        &self,
        row: &RequestRow,
        plan: &Plan,
        stored: &PlanRow,
    ) -> Result<RequestRow, ExecutorError> {
        if row.state == State::Applying {
            return Ok(row.clone());
        }
        let detail = json!({ "plan": stored.hash, "round": plan.round, "epoch": self.epoch });
        let event = self.event(EventKind::ApplyStarted, Some(row.request), None, detail);
        self.transition(row, State::Applying, None, &[event]).await?;
        let state = State::Applying;
        Ok(RequestRow { state, version: row.version + 1, state_reason: None, ..row.clone() })
    }

    /// How far the plan has come, by the heads as they are now.
    pub(crate) async fn progress(
        &mut self,
        plan: &Plan,
        stored: &PlanRow,
    ) -> Result<Progress, ExecutorError> {
        let subjects: Vec<&Subject> = plan.documents.iter().map(|d| &d.subject).collect();
        for (subject, head) in subjects.iter().zip(self.heads_read(&subjects).await?) {
            self.head_remember((*subject).clone(), head);
        }
        let heads = self.heads.values().map(|head| &head.head);
        Ok(progress(plan, &stored.canonical, stored.hash, heads))
    }

    /// The rows that people see, and the accounts that wait.
    async fn finish(
        &mut self,
        row: &RequestRow,
        plan: &Plan,
        stored: &PlanRow,
    ) -> Result<(), ExecutorError> {
        let subjects = || plan.documents.iter().map(|document| document.subject.clone());
        self.subjects_publish(subjects()).await?;
        // Each was read back as it should be.
        for step in &plan.steps {
            self.resolved(&format!("{DRIFT} {}", step.object)).await?;
        }
        let detail = json!({
            "plan": stored.hash,
            "round": plan.round,
            "steps": plan.steps.len(),
            "documents": plan.documents.iter().map(|document| json!({
                "subject": document.subject,
                "revision": document.revision,
                "hash": document.document_hash,
                "before": document.head_hash,
            })).collect::<Vec<_>>(),
            "epoch": self.epoch,
        });
        let mut events =
            vec![self.event(EventKind::RequestApplied, Some(row.request), None, detail)];
        for target in plan.lift.iter().filter(|target| self.hold(target).is_none()) {
            let (subject, detail) = (Some(target.subject()), json!({ "target": target }));
            events.push(self.event(EventKind::HoldLifted, Some(row.request), subject, detail));
        }
        self.transition(row, State::Applied, None, &events).await?;
        self.records_compare(Some(&subjects().collect())).await?;
        for document in &plan.documents {
            if let Subject::Team(team) = &document.subject {
                self.standings_sweep(team).await?;
            }
        }
        Ok(())
    }
}
