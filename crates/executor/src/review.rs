//! Deciding: counting verified acts, and moving a request on.

use serde_json::json;
use strongroom_domain::act::ActKind;
use strongroom_domain::event::{Event, EventKind};
use strongroom_domain::id::RequestId;
use strongroom_domain::person::PersonId;
use strongroom_domain::request::{State, Tally, Vote, decide};
use strongroom_domain::subject::Subject;
use strongroom_plan::Plan;
use strongroom_storage::act::ActRow;
use strongroom_storage::request::{RequestRow, Visibility};

use crate::acts::About;
use crate::endings::is_no;
use crate::error::ExecutorError;
use crate::fault;
use crate::freeze::submission;
use crate::start::Executor;

/// The executor judges rows, it hides none.
pub(crate) fn sees_all() -> Visibility {
    Visibility {
        all: true,
        teams: std::collections::BTreeSet::new(),
        groups: std::collections::BTreeSet::new(),
        person: PersonId { issuer: String::new(), person: String::new() },
    }
}

/// Why votes are gone when somebody else must sign now.
pub(crate) const RULES_CHANGED: &str =
    "the rules of who must sign have changed since the plan was frozen; votes are void";

/// A plan is for one submission, and counts for no other.
pub(crate) const OTHER_SUBMISSION: &str = "the plan was made for another submission";

/// A token is one act, whatever id it is stored under.
pub(crate) const REPLAYED: &str = "this sign-in was handed in before, as another act";

/// Whether an act that was judged before holds the same token.
pub(crate) fn is_replay(acts: &[ActRow], act: &ActRow) -> bool {
    let mut judged = acts.iter().filter(|other| other.receipt.is_some());
    judged.any(|other| other.act != act.act && other.id_token == act.id_token)
}

/// What a request is superseded with.
pub(crate) fn changed_since(subject: &Subject) -> String {
    format!("{subject} has changed since this was proposed; look at it and propose again")
}

impl Executor {
    /// Takes one request as far as it goes now.
    pub(crate) async fn request_advance(&mut self, row: &RequestRow) -> Result<(), ExecutorError> {
        let result = match self.request_step(row).await {
            Err(ExecutorError::Engine(error)) if error.is_temporary() => {
                Err(ExecutorError::Wait(format!("{error}; it goes on by itself")))
            }
            // Nothing is wrong with a token whose time is ahead of a clock that is behind.
            Err(ExecutorError::Hostile(why)) if self.is_behind() => Err(ExecutorError::Wait(
                format!("the executor's clock is behind the database's; it waits ({why})"),
            )),
            // Nothing follows from it, and whoever looks at the request must know why.
            Err(
                error @ (ExecutorError::Lapsed { .. }
                | ExecutorError::Stopped(_)
                | ExecutorError::Hostile(_)),
            ) => {
                tracing::error!(request = %row.request, %error, "request does not go on");
                Err(ExecutorError::Wait(error.to_string()))
            }
            result => result,
        };
        match result {
            Err(ExecutorError::Superseded(why)) if row.state != State::Applying => {
                self.move_on(row, State::Superseded, Some(&why), EventKind::RequestSuperseded).await
            }
            Err(ExecutorError::Wait(why)) => {
                if row.state_reason.as_deref() != Some(why.as_str()) {
                    let (at, state) = (self.clock.now(), row.state);
                    self.store.request_transition(row, state, Some(&why), at, &[]).await?;
                }
                Ok(())
            }
            result => result,
        }
    }

    async fn request_step(&mut self, row: &RequestRow) -> Result<(), ExecutorError> {
        // What has begun is judged by the heads; before that a no stands, whatever the rows say.
        let begun = self.has_begun(row.request);
        if begun && row.state == State::Approved {
            return self.apply(row).await;
        }
        if row.state != State::Applying && self.is_ended(row).await? {
            return Ok(());
        }
        let waits = matches!(row.state, State::Submitted | State::InReview | State::Approved);
        if waits && !begun && self.request_ends(row).await? {
            return Ok(());
        }
        match row.state {
            State::Submitted => self.take_in(row).await,
            State::InReview => self.review(row).await.map(drop),
            // Until the first write a no still counts, and votes can become too old.
            State::Approved => {
                if self.review(row).await? {
                    return Ok(());
                }
                self.apply(row).await
            }
            State::Applying => self.apply(row).await,
            _ => Ok(()),
        }
    }

    /// Whether a head says that its plan has begun.
    pub(crate) fn has_begun(&self, request: RequestId) -> bool {
        self.heads.values().any(|head| {
            head.head.applying.as_ref().is_some_and(|begun| begun.target.request == request)
        })
    }

    /// Ends a request without applying it.
    pub(crate) async fn move_on(
        &mut self,
        row: &RequestRow,
        to: State,
        why: Option<&str>,
        kind: EventKind,
    ) -> Result<(), ExecutorError> {
        self.tombstone_end(row, to, why.unwrap_or_default()).await?;
        let event = self.event(kind, Some(row.request), None, json!({ "because": why }));
        self.transition(row, to, why, &[event]).await
    }

    pub(crate) async fn transition(
        &self,
        row: &RequestRow,
        to: State,
        why: Option<&str>,
        events: &[Event],
    ) -> Result<(), ExecutorError> {
        if !row.state.can_become(to) {
            return Err(ExecutorError::Hostile(format!(
                "request {} cannot go from {} to {}",
                row.request,
                row.state.as_str(),
                to.as_str()
            )));
        }
        tracing::info!(request = %row.request, state = to.as_str(), "request moves");
        let at = self.clock.now();
        fault::point("transition")?;
        self.store.request_transition(row, to, why, at, events).await?;
        fault::point("transitioned")
    }

    /// A new submission: verify its act, then freeze.
    async fn take_in(&mut self, row: &RequestRow) -> Result<(), ExecutorError> {
        let submission = submission(row)?;
        for act in self.store.acts_of_request(row.request).await? {
            if act.receipt.is_some() || is_no(&act) {
                continue;
            }
            match self.act_judge(&act, About::Submission(&submission)).await {
                Ok(verified) => self.act_count(Some(row.request), &act, &verified).await?,
                Err(Ok(reason)) => {
                    self.act_refuse(Some(row.request), &act, &reason).await?;
                    if act.kind == "submit" {
                        let why = format!("the submission is refused: {reason}");
                        let kind = EventKind::RequestRejected;
                        return self.move_on(row, State::Rejected, Some(&why), kind).await;
                    }
                }
                Err(Err(error)) => return Err(error),
            }
        }
        let submitter = self.submitter(row, &submission).await?;
        self.freeze(row, &submission, &submitter, None).await
    }

    /// A request in review that nobody said no to: judge new approvals, then see whether it is
    /// decided. Gives whether it moved.
    async fn review(&mut self, row: &RequestRow) -> Result<bool, ExecutorError> {
        let submission = submission(row)?;
        let (plan, stored) = self.frozen_plan(row).await?;
        if row.state == State::InReview {
            self.is_current(&plan)?;
            if plan.rules != self.context(&[], &[])?.rules_digest() {
                let submitter = self.submitter(row, &submission).await?;
                self.freeze(row, &submission, &submitter, Some(RULES_CHANGED)).await?;
                return Ok(true);
            }
        }
        let about = About::Plan { plan: &plan, hash: stored.hash };
        // A submission that does not count any more approves nothing; a no to it still counts.
        let (submitter, mut lapsed) = match self.submitter(row, &submission).await {
            Ok(submitter) if submitter.proof() != plan.submission => {
                return Err(ExecutorError::Hostile(OTHER_SUBMISSION.into()));
            }
            Ok(submitter) => (submitter.id().clone(), None),
            Err(error @ ExecutorError::Lapsed { .. }) => (plan.submitter.clone(), Some(error)),
            Err(error) => return Err(error),
        };
        let acts = self.store.acts_of_request(row.request).await?;
        let is_new = |act: &&ActRow| act.receipt.is_none() && act.kind != "submit" && !is_no(act);
        for act in acts.iter().filter(is_new) {
            if is_replay(&acts, act) {
                self.act_refuse(Some(row.request), act, REPLAYED).await?;
                continue;
            }
            let verified = match self.act_judge(act, about).await {
                Ok(verified) => verified,
                Err(Ok(reason)) => {
                    self.act_refuse(Some(row.request), act, &reason).await?;
                    continue;
                }
                Err(Err(error)) => return Err(error),
            };
            let votes = self.votes(&acts, about);
            let tally = Tally::count(&plan.stages, &submitter, &votes);
            let vote =
                Vote { by: verified.accepted.person.clone(), stage: verified.item.stage.clone() };
            if let Err(reason) = tally.judge(&submitter, &vote) {
                self.act_refuse(Some(row.request), act, &reason.to_string()).await?;
                continue;
            }
            self.act_count(Some(row.request), act, &verified).await?;
            // Votes are counted one by one, each against what counts by then.
            return Box::pin(self.review(row)).await;
        }
        let tally = Tally::count(&plan.stages, &submitter, &self.votes(&acts, about));
        let complete = lapsed.is_none() && tally.is_complete();
        if !complete && lapsed.is_none() {
            lapsed = self.lapsed_vote(&acts, about);
        }
        match decide(row.state, None, complete) {
            Some(State::Approved) => {
                let people: Vec<_> = tally.counted.iter().collect();
                let detail = json!({ "plan": stored.hash, "counted": people });
                let event = self.event(EventKind::RequestApproved, Some(row.request), None, detail);
                self.transition(row, State::Approved, None, &[event]).await?;
            }
            Some(State::InReview) => {
                let why = lapsed.map_or_else(
                    || "votes that counted do not count any more".to_owned(),
                    |error| error.to_string(),
                );
                self.transition(row, State::InReview, Some(&why), &[]).await?;
            }
            _ => return lapsed.map_or(Ok(false), Err),
        }
        Ok(true)
    }

    /// Nobody is asked to sign a plan on top of what is not applied any more.
    fn is_current(&self, plan: &Plan) -> Result<(), ExecutorError> {
        for document in &plan.documents {
            let head = self.heads.get(&document.subject).map(|head| &head.head);
            // One that is being written to is looked at again when that is over.
            let revision = match head {
                Some(head) if head.applying.is_some() => continue,
                Some(head) => head.base_revision(),
                None => 0,
            };
            if revision != document.base_revision {
                return Err(ExecutorError::Superseded(changed_since(&document.subject)));
            }
        }
        Ok(())
    }

    /// The first approval that was counted and does not count any more.
    fn lapsed_vote(&self, acts: &[ActRow], about: About<'_>) -> Option<ExecutorError> {
        let votes = acts.iter().filter(|act| act.receipt.is_some() && act.kind == "approve");
        votes
            .filter_map(|act| self.act_recheck(act, about).err())
            .find(|error| matches!(error, ExecutorError::Lapsed { .. }))
    }

    /// The approvals that count now, verified again. One whose sign-in has become too old, or whose
    /// row is not believed, is simply not among them.
    pub(crate) fn votes(&self, acts: &[ActRow], about: About<'_>) -> Vec<Vote> {
        let mut votes = Vec::new();
        for act in acts.iter().filter(|act| act.receipt.is_some() && act.kind == "approve") {
            match self.act_recheck(act, about) {
                Ok(verified) if verified.kind == ActKind::Approve => {
                    votes.push(Vote { by: verified.accepted.person, stage: verified.item.stage });
                }
                Ok(_) => {}
                Err(error) => tracing::debug!(%error, "an act does not count"),
            }
        }
        votes
    }
}
