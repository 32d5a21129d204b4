//! Applying exactly what was signed: compare, head `applying`, step by step, head `applied`.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use strongroom_domain::event::EventKind;
use strongroom_domain::hold::Target;
use strongroom_domain::request::{State, Tally};
use strongroom_domain::subject::Subject;
use strongroom_engine::audit;
use strongroom_plan::Plan;
use strongroom_plan::model::Step;
use strongroom_plan::resume::{Progress, Verdict, judge, progress};
use strongroom_storage::plan::PlanRow;
use strongroom_storage::request::RequestRow;
use strongroom_storage::state::SubjectState;
use strongroom_vault_model::object::{ObjectKey, fingerprint};

use crate::acts::About;
use crate::error::ExecutorError;
use crate::freeze::submission;
use crate::object::Reading;
use crate::record::{Write, Written};
use crate::review::RULES_CHANGED;
use crate::start::Executor;

impl Executor {
    /// Applies an approved request, or goes on with one that was interrupted.
    pub(crate) async fn apply(&mut self, row: &RequestRow) -> Result<(), ExecutorError> {
        let (plan, stored) = self.frozen_plan(row).await?;
        let (resume, begin) = match self.progress(&plan, &stored).await? {
            Progress::Begun(rest) => (true, rest),
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
        self.may_write(&plan).await?;
        let mut reading = self.reading();
        if !resume && !self.is_still_so(row, &plan, &mut reading).await? {
            return Ok(());
        }
        let row = &self.enter_applying(row, &plan, &stored).await?;
        match self.carry_out(&plan, &stored, &begin, &mut reading, resume).await? {
            None => self.finish(row, &plan, &stored).await,
            Some((step, why)) => self.fail(row, &plan, Some(step), &why).await,
        }
    }

    /// Whether anything may be written now.
    pub(crate) async fn may_write(&self, plan: &Plan) -> Result<(), ExecutorError> {
        if let Some(why) = self.held.get(&Target::Platform)
            && !plan.lift.contains(&Target::Platform)
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

    /// Heads, steps, heads. Gives the step that it stopped at for good, and why.
    pub(crate) async fn carry_out<'p>(
        &mut self,
        plan: &'p Plan,
        stored: &PlanRow,
        begin: &[usize],
        reading: &mut Reading,
        resume: bool,
    ) -> Result<Option<(&'p Step, String)>, ExecutorError> {
        // After an interruption those that are missing: nothing was written before the last of them.
        self.heads_applying(plan, stored, begin).await?;
        // After an interruption too: nobody is attached while the head says `applying`, and a
        // token from before the vote must never be adopted.
        self.reset_entities(plan).await?;
        if resume {
            // Groups name anchors by the engine's ids, which the first try had read.
            let lists = plan.steps.iter().filter_map(|step| step.after.as_ref()?.get("anchors"));
            let names = lists.filter_map(Value::as_array).flatten().filter_map(Value::as_str);
            let anchors = names.filter_map(|name| ObjectKey::parse("anchor", name).ok()).collect();
            self.observe(reading, &anchors).await?;
        }
        for (place, step) in plan.steps.iter().enumerate() {
            match self.step(plan, stored, place, reading, resume).await {
                Ok(()) => {}
                // The engine says no, and trying again would not change that.
                Err(ExecutorError::Engine(error)) if !error.is_temporary() => {
                    return Ok(Some((step, error.to_string())));
                }
                Err(ExecutorError::Stopped(why)) => return Ok(Some((step, why))),
                Err(error) => return Err(error),
            }
        }
        self.heads_applied(plan).await?;
        Ok(None)
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
        let Some((end, who)) = self.ended(&acts, About::Plan { plan, hash: stored.hash }) else {
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
        if submitter.accepted.token != plan.submission {
            return Err(ExecutorError::Hostile("the plan was made for another submission".into()));
        }
        let acts = self.store.acts_of_request(row.request).await?;
        let votes = self.votes(&acts, About::Plan { plan, hash: stored.hash });
        let tally = Tally::count(&plan.stages, &submitter.accepted.person.id, &votes);
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
        for document in &plan.documents {
            let head = self.head_read(&document.subject).await?;
            self.head_remember(document.subject.clone(), head);
        }
        let heads = self.heads.values().map(|head| &head.head);
        Ok(progress(plan, &stored.canonical, stored.hash, heads))
    }

    /// All heads to `applying`, in name order, before the first step.
    async fn heads_applying(
        &mut self,
        plan: &Plan,
        stored: &PlanRow,
        begin: &[usize],
    ) -> Result<(), ExecutorError> {
        let text = String::from_utf8_lossy(&stored.canonical).into_owned();
        for place in begin.iter().copied() {
            let document = &plan.documents[place];
            let Some(mut head) = self.heads.get(&document.subject).cloned() else {
                return Err(ExecutorError::Stopped("a head was not read".into()));
            };
            let target = plan.target(stored.hash, place, head.head.applied.as_ref());
            head.head.begin(target, text.clone());
            // If it fails, nothing more is written before all heads are loaded again; then those that
            // had begun go on or go back.
            self.head_write(head, Some(plan.request), "applying").await?;
        }
        Ok(())
    }

    pub(crate) async fn heads_back(&mut self, plan: &Plan) -> Result<(), ExecutorError> {
        for document in &plan.documents {
            let mut head = self.head_read(&document.subject).await?;
            if head.head.go_back(plan.request) {
                self.head_write(head, Some(plan.request), "back").await?;
            }
        }
        Ok(())
    }

    async fn heads_applied(&mut self, plan: &Plan) -> Result<(), ExecutorError> {
        for document in &plan.documents {
            let Some(mut head) = self.heads.get(&document.subject).cloned() else {
                continue;
            };
            if head.head.finish(&plan.lift) {
                self.head_write(head, Some(plan.request), "applied").await?;
            }
        }
        Ok(())
    }

    /// One step. After an interruption each is looked at alone: as before: do it; as after: it was
    /// done; anything else: stop.
    async fn step(
        &self,
        plan: &Plan,
        stored: &PlanRow,
        place: usize,
        reading: &mut Reading,
        resume: bool,
    ) -> Result<(), ExecutorError> {
        let step = &plan.steps[place];
        let (kind, name) = (step.object.kind(), step.object.name());
        let write = Write {
            request: Some(plan.request),
            plan_hash: Some(stored.hash),
            standing_order: None,
            subject: None,
            step: step.ordinal,
            operation: step.action.as_str(),
            object_kind: kind,
            object_name: &name,
            after: step.after.as_ref().map(fingerprint),
        };
        if resume {
            let (found, id) = self.read_now(reading, &step.object).await?;
            match judge(&plan.steps, place, found.as_ref()) {
                Verdict::Already => {
                    let written = Written { read_back: id, ..Written::default() };
                    return self.receipt(&write, "already", &written).await;
                }
                Verdict::Do => {}
                Verdict::Stop => {
                    return Err(ExecutorError::Stopped(format!(
                        "{} is neither as before nor as after step {}",
                        step.object, step.ordinal
                    )));
                }
            }
        }
        self.intent(&write).await?;
        let exists = step.before.is_some();
        let result = self.write_object(reading, &step.object, step.after.as_ref(), exists).await;
        match result {
            Ok(written) => self.receipt(&write, "written", &written).await,
            Err(error) => {
                self.receipt(&write, "failed", &Written::default()).await?;
                Err(error)
            }
        }
    }

    /// The rows that people see, and the accounts that wait.
    async fn finish(
        &mut self,
        row: &RequestRow,
        plan: &Plan,
        stored: &PlanRow,
    ) -> Result<(), ExecutorError> {
        for document in &plan.documents {
            self.subject_publish(&document.subject).await?;
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
        for target in &plan.lift {
            let (subject, detail) = (Some(target.subject()), json!({ "target": target }));
            events.push(self.event(EventKind::HoldLifted, Some(row.request), subject, detail));
        }
        self.transition(row, State::Applied, None, &events).await?;
        if plan.lift.iter().any(|target| !matches!(target, Target::Team(_) | Target::Binding(..))) {
            self.attached.forget_all();
        }
        self.records_compare().await?;
        for document in &plan.documents {
            if let Subject::Team(team) = &document.subject {
                self.attached.forget(team);
                self.standings_sweep(team).await?;
            }
        }
        Ok(())
    }

    /// Copies a head into the database for pages.
    pub(crate) async fn subject_publish(&self, subject: &Subject) -> Result<(), ExecutorError> {
        let Some(head) = self.heads.get(subject) else {
            return Ok(());
        };
        let applied = head.head.applied.as_ref();
        // A document that is not believed is not shown either.
        let document = head.document().unwrap_or_default();
        let differing = self.differing.get(subject).or_else(|| self.unbelieved.get(subject));
        let word = match (&head.head.applying, differing) {
            (_, Some(_)) => "frozen",
            (Some(_), None) => "applying",
            (None, None) => "applied",
        };
        let state = SubjectState {
            subject: subject.clone(),
            engine: self.config.engine.id,
            applied_revision: i64::try_from(head.head.base_revision()).unwrap_or(i64::MAX),
            applied_hash: applied.map(|applied| applied.document_hash.as_bytes().to_vec()),
            applied_document: document.map(|document| document.canonical()),
            pins: applied.map_or_else(|| json!({}), |applied| json!(applied.pins)),
            holds: json!(
                self.held
                    .iter()
                    .filter(|(target, _)| target.subject() == *subject)
                    .collect::<BTreeMap<_, _>>()
            ),
            state: word.into(),
            request: applied.map(|applied| applied.request),
            reason: differing.cloned(),
            updated_at: self.clock.now(),
        };
        Ok(self.store.subject_state_put(&state).await?)
    }
}
