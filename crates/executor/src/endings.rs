//! What ends a request before anything of it is written, whatever else stands in its way: its time, a
//! withdrawal, a reject.
//!
//! A no is signed over one frozen plan, or over the submission itself: that one is heard also while no
//! plan can be made, and stands against every plan that is made. Nothing here lets a request go on.

use strongroom_acts::receipt::Receipt;
use strongroom_domain::Digest;
use strongroom_domain::act::{ActKind, Statement, Submission};
use strongroom_domain::document::Document;
use strongroom_domain::event::EventKind;
use strongroom_domain::name::GroupName;
use strongroom_domain::person::{PersonId, SignedPerson};
use strongroom_domain::request::State;
use strongroom_plan::Plan;
use strongroom_storage::act::ActRow;
use strongroom_storage::request::RequestRow;

use crate::acts::{About, Verified};
use crate::error::ExecutorError;
use crate::freeze::submission;
use crate::review::{REPLAYED, is_replay};
use crate::start::Executor;
use crate::submitter::machine;

/// Why a request is over that nobody decided on.
const EXPIRED: &str = "nobody decided in time";

/// A frozen plan and its hash.
pub(crate) type Frozen<'a> = (&'a Plan, Digest);

/// Whether an act ends a request, if it counts.
pub(crate) fn is_no(act: &ActRow) -> bool {
    [ActKind::Reject, ActKind::Withdraw].iter().any(|kind| kind.as_str() == act.kind)
}

/// Whether an act was signed over the submission and not over a plan.
fn is_over_submission(act: &ActRow) -> bool {
    let statement = serde_json::from_slice::<Statement>(&act.statement);
    statement.is_ok_and(|statement| statement.items.iter().all(|item| item.round == 0))
}

/// What a no of a request must be about to be one.
fn about<'a>(
    act: &ActRow,
    submission: &'a Submission,
    frozen: Option<Frozen<'a>>,
) -> Option<About<'a>> {
    if is_over_submission(act) {
        return Some(About::Submission(submission));
    }
    frozen.map(|(plan, hash)| About::Plan { plan, hash })
}

impl Executor {
    /// Ends a request whose time is over or that somebody said no to. Gives whether it is over.
    pub(crate) async fn request_ends(&mut self, row: &RequestRow) -> Result<bool, ExecutorError> {
        if self.is_over(row.expires_at) {
            return self.expire(row).await;
        }
        let submission = submission(row)?;
        let frozen = match self.frozen_plan(row).await {
            Ok(frozen) => Some(frozen),
            // A plan that is not believed lets nothing go on; a no to the submission still stands.
            Err(_) if row.round == 0 => None,
            Err(ExecutorError::Hostile(_)) => None,
            Err(error) => return Err(error),
        };
        let frozen = frozen.as_ref().map(|(plan, stored)| (plan, stored.hash));
        let acts = self.store.acts_of_request(row.request).await?;
        let receipt = self.submission_receipt(&acts, &submission);
        // By the signed sign-in, whatever the row says.
        let signed_end =
            receipt.as_ref().and_then(|receipt| self.submission_end(receipt.auth_time));
        if signed_end.is_some_and(|end| self.is_over(end))
            || frozen.is_some_and(|(plan, _)| self.is_over(plan.expires_at))
        {
            return self.expire(row).await;
        }
        let mut ended = self.ended(&acts, &submission, frozen);
        for act in acts.iter().filter(|act| act.receipt.is_none() && is_no(act)) {
            if ended.is_some() {
                break;
            }
            ended = self.no_take(row, act, &acts, &submission, receipt.as_ref(), frozen).await?;
        }
        let Some((end, who)) = ended else { return Ok(false) };
        let kind = match end {
            State::Withdrawn => EventKind::RequestWithdrawn,
            _ => EventKind::RequestRejected,
        };
        let why = format!("{} by {who}", end.as_str());
        self.move_on(row, end, Some(&why), kind).await?;
        Ok(true)
    }

    async fn expire(&mut self, row: &RequestRow) -> Result<bool, ExecutorError> {
        self.move_on(row, State::Expired, Some(EXPIRED), EventKind::RequestExpired).await?;
        Ok(true)
    }

    /// Judges one no that has no answer yet. Gives what it makes of the request, if it counts.
    async fn no_take(
        &mut self,
        row: &RequestRow,
        act: &ActRow,
        acts: &[ActRow],
        submission: &Submission,
        submitted: Option<&Receipt>,
        frozen: Option<Frozen<'_>>,
    ) -> Result<Option<(State, String)>, ExecutorError> {
        let Some(about) = about(act, submission, frozen) else {
            return Ok(None);
        };
        if is_replay(acts, act) {
            self.act_refuse(Some(row.request), act, REPLAYED).await?;
            return Ok(None);
        }
        let verified = match self.act_judge(act, about).await {
            Ok(verified) => verified,
            Err(Ok(reason)) => {
                self.act_refuse(Some(row.request), act, &reason).await?;
                return Ok(None);
            }
            Err(Err(error)) => return Err(error),
        };
        let plan = frozen.map(|(plan, _)| plan);
        let machine = machine(row, acts);
        let signed = submitted.map(|receipt| &receipt.person);
        let known = signed.or(plan.map(|plan| &plan.submitter));
        let Some(owner) = known.or(machine.as_ref()) else {
            // Whose it is to take back is known when the submission is judged.
            return Ok(None);
        };
        if let Err(reason) = self.may_end(submission, plan, owner, &verified) {
            self.act_refuse(Some(row.request), act, &reason).await?;
            return Ok(None);
        }
        self.act_count(Some(row.request), act, &verified).await?;
        Ok(what_ends(&verified))
    }

    fn may_end(
        &self,
        submission: &Submission,
        plan: Option<&Plan>,
        submitter: &PersonId,
        verified: &Verified,
    ) -> Result<(), String> {
        let person = &verified.accepted.person;
        match verified.kind {
            ActKind::Withdraw if person.id == *submitter => Ok(()),
            ActKind::Withdraw if submitter.machine().is_some() => {
                Err("a machine submitted this; whoever has a vote on it can reject it".into())
            }
            ActKind::Withdraw => Err("only the submitter can withdraw a request".into()),
            ActKind::Reject => {
                let platform = self.floor.platform_groups.iter().map(GroupName::as_str);
                let has_vote = match plan {
                    Some(plan) => plan.stages.iter().any(|stage| stage.admits(person)),
                    None => self.owns_one(submission, person),
                };
                if has_vote || person.in_any(platform) {
                    Ok(())
                } else {
                    Err("only people with a vote on this request can reject it".into())
                }
            }
            ActKind::Approve | ActKind::Submit | ActKind::Suspend => {
                Err("this act ends no request".into())
            }
        }
    }

    /// Who would vote, while there is no plan that says it: the owners by the applied documents, and
    /// of a new team those that it names.
    fn owns_one(&self, submission: &Submission, person: &SignedPerson) -> bool {
        submission.documents.iter().any(|sent| {
            let applied = self.heads.get(&sent.subject).and_then(|head| head.document().ok()?);
            match applied.or_else(|| Document::from_value(&sent.document).ok()) {
                Some(Document::Team(team)) => {
                    person.in_any(team.people.owners.iter().map(GroupName::as_str))
                }
                _ => false,
            }
        })
    }

    /// What a reject or a withdrawal that counts makes of the request, and whose it is.
    pub(crate) fn ended(
        &self,
        acts: &[ActRow],
        submission: &Submission,
        frozen: Option<Frozen<'_>>,
    ) -> Option<(State, String)> {
        acts.iter().filter(|act| act.receipt.is_some() && is_no(act)).find_map(|act| {
            let verified = self.act_recheck(act, about(act, submission, frozen)?).ok()?;
            what_ends(&verified)
        })
    }
}

fn what_ends(verified: &Verified) -> Option<(State, String)> {
    let end = match verified.kind {
        ActKind::Reject => State::Rejected,
        ActKind::Withdraw => State::Withdrawn,
        ActKind::Approve | ActKind::Submit | ActKind::Suspend => return None,
    };
    Some((end, verified.accepted.person.display.clone()))
}
