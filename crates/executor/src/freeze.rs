//! Freezing: from a signed submission to an exact, signed plan made from live state.

use std::collections::BTreeMap;

use jiff::{Timestamp, ToSpan as _};
use serde_json::json;
use strongroom_acts::signing::Purpose;
use strongroom_domain::act::Submission;
use strongroom_domain::canonical;
use strongroom_domain::document::Document;
use strongroom_domain::document::team::Holder;
use strongroom_domain::event::EventKind;
use strongroom_domain::hold::Target;
use strongroom_domain::subject::Subject;
use strongroom_plan::build::{VotedDocuments, build_since_vote};
use strongroom_plan::follow::lengthens;
use strongroom_plan::model::{EngineRef, MAX_BYTES, PlannedDocument, RENDERER};
use strongroom_plan::{Change, Context, Plan, keys};
use strongroom_storage::plan::PlanRow;
use strongroom_storage::request::RequestRow;

use crate::error::ExecutorError;
use crate::fault;
use crate::object::Reading;
use crate::review::{changed_since, sees_all};
use crate::start::Executor;
use crate::submitter::Submitter;

/// How far a revision's number may be above the applied one: proposals that came to nothing have
/// numbers too.
const MOST_REVISIONS: u64 = 1_000_000;

/// What a submission wants, against what the heads say.
pub(crate) struct Proposal {
    pub(crate) changes: Vec<Change>,
    pub(crate) voted: VotedDocuments,
    pub(crate) documents: Vec<PlannedDocument>,
}

/// The submission in a row, if the row holds exactly what was hashed.
pub(crate) fn submission(row: &RequestRow) -> Result<Submission, ExecutorError> {
    let wrong = |what: &str| ExecutorError::Hostile(format!("request {}: {what}", row.request));
    let submission: Submission = serde_json::from_slice(&row.submission)
        .map_err(|_| wrong("the submission cannot be read"))?;
    let again = canonical::to_bytes(&submission).map_err(|_| wrong("not canonical"))?;
    if again != row.submission || submission.request != row.request {
        return Err(wrong("the submission is not this request's"));
    }
    let sorted = submission.documents.is_sorted_by(|a, b| a.subject < b.subject);
    let sorted = sorted
        && submission.attest.is_sorted_by(|a, b| a < b)
        && submission.lift.is_sorted_by(|a, b| a < b);
    if !sorted || submission.documents.is_empty() {
        return Err(wrong("the documents of the submission are not sorted and distinct"));
    }
    Ok(submission)
}

impl Executor {
    /// Compares a submission with the heads, read now.
    pub(crate) async fn propose(
        &mut self,
        row: &RequestRow,
        submission: &Submission,
    ) -> Result<Proposal, ExecutorError> {
        let numbers = self.revision_numbers(row).await?;
        let mut changes = Vec::new();
        let mut documents = Vec::new();
        let mut voted = VotedDocuments::new();
        let subjects: Vec<&Subject> = submission.documents.iter().map(|d| &d.subject).collect();
        let heads = self.heads_read(&subjects).await?;
        for (wanted, head) in submission.documents.iter().zip(heads) {
            let subject = &wanted.subject;
            let proposed = Document::from_value(&wanted.document).map_err(|faults| {
                let first = faults.first().map(ToString::to_string).unwrap_or_default();
                ExecutorError::Hostile(format!("the document of {subject} is not valid: {first}"))
            })?;
            if proposed.subject() != *subject || proposed.to_value() != wanted.document {
                return Err(ExecutorError::Hostile(format!(
                    "the document of {subject} is not in its normal form"
                )));
            }
            if let Some(why) = self.differing.get(subject)
                && !submission.lift.contains(&Target::from(subject.clone()))
            {
                return Err(ExecutorError::Wait(format!("{subject} is frozen: {why}")));
            }
            if head.head.applying.is_some() {
                return Err(ExecutorError::Wait(format!(
                    "another request is being applied to {subject}"
                )));
            }
            let applied = head.head.applied.clone();
            let base_hash = applied.as_ref().map(|applied| applied.document_hash);
            if wanted.base_revision != head.head.base_revision() || wanted.base_hash != base_hash {
                return Err(ExecutorError::Superseded(changed_since(subject)));
            }
            let revision = numbers.get(&subject.to_string()).copied().unwrap_or(0);
            // Numbers come from a row: one far off would make the next ones unwritable.
            if !(1..=MOST_REVISIONS).contains(&revision.saturating_sub(wanted.base_revision)) {
                return Err(ExecutorError::Hostile(format!(
                    "the revision of {subject} does not follow the applied one"
                )));
            }
            documents.push(PlannedDocument {
                subject: subject.clone(),
                revision,
                base_revision: wanted.base_revision,
                head_hash: head.head.digest(),
                document_hash: proposed.digest(),
                document: wanted.document.clone(),
            });
            if let Some(document) = head.voted()? {
                voted.insert(subject.clone(), document);
            }
            changes.push(Change {
                base: head.document()?,
                proposed,
                base_pins: applied.map(|applied| applied.pins.to_map()).unwrap_or_default(),
            });
            self.head_remember(subject.clone(), head);
        }
        Ok(Proposal { changes, voted, documents })
    }

    async fn revision_numbers(
        &self,
        row: &RequestRow,
    ) -> Result<BTreeMap<String, u64>, ExecutorError> {
        let rows = self.store.request_documents(&sees_all(), row.request).await?;
        let pair = |row: strongroom_storage::request::DocumentRow| {
            (row.subject.to_string(), u64::try_from(row.revision).unwrap_or(0))
        };
        Ok(rows.into_iter().map(pair).collect())
    }

    /// Nothing is given on a cluster that is frozen: how its logins were checked is in doubt.
    fn clusters_go_on(&self, changes: &[Change], lift: &[Target]) -> Result<(), ExecutorError> {
        for change in changes {
            let Document::Team(team) = &change.proposed else { continue };
            let base = match &change.base {
                Some(Document::Team(base)) => Some(base),
                _ => None,
            };
            let bindings = team
                .bindings
                .iter()
                .filter(|binding| base.is_none_or(|base| !base.bindings.contains(binding)));
            let claims = team
                .namespaces
                .iter()
                .filter(|claim| base.is_none_or(|base| !base.namespaces.contains(claim)));
            let of_binding = bindings.filter_map(|binding| match &binding.holder {
                Holder::Accounts { cluster, .. } => Some(cluster),
                Holder::People { .. } => None,
            });
            for cluster in of_binding.chain(claims.map(|claim| &claim.cluster)) {
                let subject = Subject::Cluster(cluster.clone());
                if let Some(why) = self.differing.get(&subject)
                    && !lift.contains(&Target::Cluster(cluster.clone()))
                {
                    return Err(ExecutorError::Wait(format!(
                        "the cluster {cluster} is frozen, and this gives something there: {why}"
                    )));
                }
            }
        }
        Ok(())
    }

    /// Roles of a frozen cluster follow no ceiling that lets tokens live longer.
    fn may_lengthen(&self, context: &Context, changes: &[Change]) -> Result<(), ExecutorError> {
        let is_frozen = |subject: &&Subject| {
            matches!(subject, Subject::Cluster(_))
                && !context.holds.lift.contains(&Target::from((*subject).clone()))
        };
        match self.differing.keys().find(is_frozen) {
            Some(subject) if lengthens(context, changes) => Err(ExecutorError::Wait(format!(
                "{subject} is frozen, and tokens there would live longer; it goes on first"
            ))),
            _ => Ok(()),
        }
    }

    /// Makes the plan of one round from live state.
    pub(crate) async fn plan(
        &self,
        row: &RequestRow,
        submission: &Submission,
        submitter: &Submitter,
        proposal: &Proposal,
        reading: &mut Reading,
    ) -> Result<Plan, ExecutorError> {
        let changes = &proposal.changes;
        for change in changes {
            if let Document::Cluster(cluster) = &change.proposed {
                self.cluster_credential(cluster)?;
            }
        }
        self.claims_are_free(changes)?;
        self.clusters_go_on(changes, &submission.lift)?;
        self.platform_is_believed(&submission.lift)?;
        let context = self.context(changes, &submission.lift)?;
        self.may_lengthen(&context, changes)?;
        let live = self.live_namespaces(changes).await?;
        let observed = self.observe(reading, &keys(&context, changes)?).await?;
        let draft = build_since_vote(
            &context,
            changes,
            &proposal.voted,
            &observed,
            &live,
            &submission.attest,
            submitter.groups(),
        )?;
        // Whole seconds, rounded up: whoever signs in after this moment has seen this plan.
        let frozen_at = Timestamp::from_second(self.clock.now().as_second() + 1)
            .map_err(|error| ExecutorError::Stopped(error.to_string()))?;
        let held = submission
            .lift
            .iter()
            .filter_map(|target| Some((target.clone(), self.hold(target)?.since)));
        let expires_at = self.plan_end(row, submitter, frozen_at);
        Ok(Plan {
            deployment: self.floor.deployment,
            engine: EngineRef {
                id: self.config.engine.id,
                cluster_id: self.about.cluster_id.clone(),
                vault_namespace: String::new(),
            },
            request: row.request,
            round: u32::try_from(row.round).unwrap_or(0) + 1,
            submission: submitter.proof(),
            submitter: submitter.id().clone(),
            submitter_display: submitter.display().to_owned(),
            reason: submission.reason.clone(),
            documents: proposal.documents.clone(),
            pins: draft.pins,
            attest: submission.attest.clone(),
            lift: submission.lift.clone(),
            lifts: held.collect(),
            risk: draft.risk,
            reasons: draft.reasons,
            rules: context.rules_digest(),
            stages: draft.stages,
            steps: draft.steps,
            standing_orders: draft.standing_orders,
            summary: draft.summary,
            renderer: RENDERER,
            frozen_at,
            expires_at,
        })
    }

    /// Freezes a request: plans, signs, stores, and moves it to review.
    pub(crate) async fn freeze(
        &mut self,
        row: &RequestRow,
        submission: &Submission,
        submitter: &Submitter,
        why: Option<&str>,
    ) -> Result<(), ExecutorError> {
        let proposal = self.propose(row, submission).await?;
        let mut reading = self.reading();
        let plan = self.plan(row, submission, submitter, &proposal, &mut reading).await?;
        let canonical = plan.canonical();
        if canonical.len() > MAX_BYTES {
            return Err(ExecutorError::Wait(
                "the plan is larger than 768 KiB; withdraw it and split the request".into(),
            ));
        }
        self.heads_would_fit(&plan, &canonical)?;
        let hash = Plan::hash_of(&canonical);
        let signature = self.signing_key.sign(Purpose::Plan, &canonical);
        let stored = PlanRow {
            request: row.request,
            round: i32::try_from(plan.round).unwrap_or(i32::MAX),
            canonical,
            hash,
            signature,
            key_id: self.signing_key.public().id(),
            frozen_at: plan.frozen_at,
            expires_at: plan.expires_at,
        };
        let detail = json!({
            "plan": hash,
            "round": plan.round,
            "risk": plan.risk,
            "steps": plan.steps.len(),
            "stages": plan.stages,
            "executorKey": stored.key_id,
            "because": why,
        });
        let event = self.event(EventKind::PlanFrozen, Some(row.request), None, detail);
        let now = self.clock.now();
        if row.round > 0 {
            self.tombstone_void(row, why.unwrap_or_default()).await?;
        }
        fault::point("freeze")?;
        self.store.plan_freeze(row, &stored, plan.risk.as_str(), why, now, &[event]).await?;
        fault::point("frozen")?;
        tracing::info!(request = %row.request, plan = %hash, risk = %plan.risk, "frozen");
        Ok(())
    }

    /// The stored plan of a request, if it is one that this deployment's executor signed.
    pub(crate) async fn frozen_plan(
        &self,
        row: &RequestRow,
    ) -> Result<(Plan, PlanRow), ExecutorError> {
        let stored = self.store.plan_latest(row.request).await?;
        let hostile =
            |what: &str| ExecutorError::Hostile(format!("plan of {}: {what}", row.request));
        let key = self.keys.iter().find(|key| key.id() == stored.key_id);
        let key = key.ok_or_else(|| hostile("it is signed with no key of the floor"))?;
        if !key.verifies(Purpose::Plan, &stored.canonical, &stored.signature) {
            return Err(hostile("its signature does not verify"));
        }
        if Plan::hash_of(&stored.canonical) != stored.hash {
            return Err(hostile("it is not what its hash says"));
        }
        let plan =
            Plan::from_canonical(&stored.canonical).map_err(|error| hostile(&error.to_string()))?;
        let ours = plan.deployment == self.floor.deployment
            && plan.request == row.request
            && plan.engine.id == self.config.engine.id
            && plan.engine.cluster_id == self.about.cluster_id
            && i64::from(plan.round) == i64::from(row.round);
        if ours { Ok((plan, stored)) } else { Err(hostile("it is for something else")) }
    }

    /// Whether a time is over by our clock or by the database's, whichever is ahead.
    pub(crate) fn is_over(&self, at: Timestamp) -> bool {
        self.latest_now() > at.checked_add(1.second()).unwrap_or(at)
    }
}
