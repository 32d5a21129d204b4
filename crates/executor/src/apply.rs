//! Applying exactly what was signed: compare, head `applying`, step by step, head `applied`.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use strongroom_domain::Digest;
use strongroom_domain::document::Document;
use strongroom_domain::event::EventKind;
use strongroom_domain::head::{Applied, Applying};
use strongroom_domain::hold::Target;
use strongroom_domain::request::{State, Tally};
use strongroom_domain::subject::Subject;
use strongroom_engine::audit;
use strongroom_plan::Plan;
use strongroom_plan::model::Step;
use strongroom_plan::resume::{self, Resumed};
use strongroom_storage::plan::PlanRow;
use strongroom_storage::request::RequestRow;
use strongroom_storage::state::SubjectState;
use strongroom_vault_model::object::{ObjectKey, fingerprint};

use crate::acts::About;
use crate::error::ExecutorError;
use crate::freeze::submission;
use crate::object::Reading;
use crate::record::{Write, Written};
use crate::start::Executor;

impl Executor {
    /// Applies an approved request, or goes on with one that was interrupted.
    pub(crate) async fn apply(&mut self, row: &RequestRow) -> Result<(), ExecutorError> {
        let (plan, stored) = self.frozen_plan(row).await?;
        let resume = self.is_applying(&plan, &stored).await?;
        if !resume {
            // The row says so and no head does: either the last head was written, or the first one
            // never was, and everything is checked as if for the first time. The heads decide.
            if row.state == State::Applying && self.is_done(&plan, &stored) {
                return self.finish(row, &plan, &stored).await;
            }
            self.check_signatures(row, &plan, &stored).await?;
        }
        if let Some(why) = self.held.get(&Target::Platform)
            && !plan.lift.contains(&Target::Platform)
        {
            return Err(ExecutorError::Wait(why.clone()));
        }
        // No audit, no change.
        let devices = audit::device_count(&self.engine).await?;
        if devices < 2 {
            return Err(ExecutorError::Wait(format!(
                "the engine has {devices} audit devices; Strongroom writes with two or more"
            )));
        }
        let mut reading = self.reading();
        if !resume && !self.is_still_so(row, &plan, &mut reading).await? {
            return Ok(());
        }
        let row = &self.enter_applying(row, &plan, &stored).await?;
        if !resume {
            self.heads_applying(&plan, &stored).await?;
        }
        // After an interruption too: nobody is attached while the head says `applying`, and a
        // token from before the vote must never be adopted.
        self.reset_entities(&plan).await?;
        if resume {
            // Groups name anchors by the engine's ids, which the first try had read.
            let lists = plan.steps.iter().filter_map(|step| step.after.as_ref()?.get("anchors"));
            let names = lists.filter_map(Value::as_array).flatten().filter_map(Value::as_str);
            let anchors = names.filter_map(|name| ObjectKey::parse("anchor", name).ok()).collect();
            self.observe(&mut reading, &anchors).await?;
        }
        for step in &plan.steps {
            match self.step(&plan, &stored, step, &mut reading, resume).await {
                Ok(()) => {}
                // The engine says no, and trying again would not change that.
                Err(ExecutorError::Engine(error)) if !error.is_temporary() => {
                    return self.fail(row, &plan, step, &error.to_string()).await;
                }
                Err(ExecutorError::Stopped(why)) => {
                    return self.fail(row, &plan, step, &why).await;
                }
                Err(error) => return Err(error),
            }
        }
        self.heads_applied(&plan).await?;
        self.finish(row, &plan, &stored).await
    }

    /// Stops in the middle: the heads say again what was applied before, and what was written stays
    /// to be seen by the next plan.
    async fn fail(
        &mut self,
        row: &RequestRow,
        plan: &Plan,
        step: &Step,
        why: &str,
    ) -> Result<(), ExecutorError> {
        self.heads_back(plan).await?;
        let detail = json!({ "because": why, "step": step.ordinal });
        let event = self.event(EventKind::RequestFailed, Some(row.request), None, detail);
        self.transition(row, State::Failed, Some(why), &[event]).await
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
        let same = now.steps == plan.steps
            && now.documents == plan.documents
            && now.pins == plan.pins
            && now.lift == plan.lift
            && now.risk == plan.risk
            && now.stages == plan.stages
            && now.rules == plan.rules
            && now.standing_orders == plan.standing_orders
            && now.renderer == plan.renderer;
        if !same && row.state == State::Applying {
            let why = "what is there has changed before the first write; propose it again";
            let detail = json!({ "because": why });
            let event = self.event(EventKind::RequestFailed, Some(row.request), None, detail);
            self.transition(row, State::Failed, Some(why), &[event]).await?;
        } else if !same {
            let why = "what is there has changed since the plan was frozen; votes are void";
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

    /// Whether the heads say that this very plan has begun.
    async fn is_applying(&mut self, plan: &Plan, stored: &PlanRow) -> Result<bool, ExecutorError> {
        let mut begun = false;
        for document in &plan.documents {
            let head = self.head_read(&document.subject).await?;
            if let Some(applying) = &head.head.applying {
                let ours = applying.plan.as_bytes() == stored.canonical
                    && applying.target.request == plan.request;
                if !ours {
                    return Err(ExecutorError::Wait(format!(
                        "another request is being applied to {}",
                        document.subject
                    )));
                }
                begun = true;
            }
            self.head_remember(document.subject.clone(), head);
        }
        Ok(begun)
    }

    /// Whether the heads say that this very plan is applied.
    fn is_done(&self, plan: &Plan, stored: &PlanRow) -> bool {
        plan.documents.iter().all(|document| {
            let head = self.heads.get(&document.subject).map(|head| &head.head);
            head.and_then(|head| head.applied.as_ref())
                .is_some_and(|applied| applied.plan_hash == stored.hash)
        })
    }

    /// All heads to `applying`, in name order, before the first step; back again if one fails.
    async fn heads_applying(&mut self, plan: &Plan, stored: &PlanRow) -> Result<(), ExecutorError> {
        let text = String::from_utf8_lossy(&stored.canonical).into_owned();
        for (index, document) in plan.documents.iter().enumerate() {
            let Some(mut head) = self.heads.get(&document.subject).cloned() else {
                return Err(ExecutorError::Stopped("a head was not read".into()));
            };
            head.head.applying = Some(Applying {
                target: target(plan, stored.hash, index, head.head.applied.as_ref()),
                plan: text.clone(),
            });
            if let Err(error) = self.head_write(head, Some(plan.request), "applying").await {
                if !matches!(error, ExecutorError::LeaseLost) {
                    self.heads_back(plan).await?;
                }
                return Err(error);
            }
        }
        Ok(())
    }

    async fn heads_back(&mut self, plan: &Plan) -> Result<(), ExecutorError> {
        for document in &plan.documents {
            let mut head = self.head_read(&document.subject).await?;
            let ours =
                head.head.applying.as_ref().is_some_and(|a| a.target.request == plan.request);
            if ours {
                head.head.applying = None;
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
            if let Some(applying) = head.head.applying.take() {
                head.head.applied = Some(applying.target);
                head.head.holds.retain(|target, _| !plan.lift.contains(target));
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
        step: &Step,
        reading: &mut Reading,
        resume: bool,
    ) -> Result<(), ExecutorError> {
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
            match resume::judge(step, found.as_ref()) {
                Resumed::Already => {
                    let written = Written { read_back: id, ..Written::default() };
                    return self.receipt(&write, "already", &written).await;
                }
                Resumed::Do => {}
                Resumed::Stop => {
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
            pins: json!(applied.map(|applied| &applied.pins)),
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

/// What the head will say of one document.
fn target(plan: &Plan, plan_hash: Digest, index: usize, base: Option<&Applied>) -> Applied {
    let document = &plan.documents[index];
    let pins = match Document::from_value(&document.document) {
        Ok(Document::Team(team)) => team
            .namespaces
            .iter()
            .map(|claim| format!("{}/{}", claim.cluster, claim.name))
            .filter_map(|name| Some((name.clone(), plan.pins.get(&name)?.clone())))
            .collect(),
        _ => BTreeMap::new(),
    };
    // An owner's narrowing is applied without a vote: what was voted on stays what it was.
    let voted = base
        .filter(|_| plan.stages.is_empty())
        .map(|base| base.voted.clone().unwrap_or_else(|| base.document.clone()));
    Applied {
        revision: document.revision,
        document: document.document.clone(),
        document_hash: document.document_hash,
        request: plan.request,
        plan_hash,
        pins,
        voted,
    }
}
