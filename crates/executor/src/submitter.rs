//! Whose a submission is: a person's, by a verified act, or a machine's, which signed nothing.
//!
//! What a machine proposes counts as nobody's: it fills no stage and asks for one vote more, so a row
//! that lost its act asks for more and never for less. A submission is never a machine's while an act
//! says that a person submitted it.

use jiff::{SignedDuration, Timestamp};
use strongroom_acts::submission_digest;
use strongroom_domain::Digest;
use strongroom_domain::act::{ActKind, Submission};
use strongroom_domain::document::reader::is_unsafe_in_text;
use strongroom_domain::person::PersonId;
use strongroom_plan::stages;
use strongroom_storage::act::ActRow;
use strongroom_storage::request::RequestRow;

use crate::acts::{About, Verified};
use crate::error::ExecutorError;
use crate::start::Executor;

/// The most characters of a machine's name in a plan. It comes from a row.
const MOST_DISPLAY: usize = 200;

/// Who submitted.
#[derive(Debug)]
pub(crate) enum Submitter {
    /// A person, whose act was verified.
    Person(Box<Verified>),
    /// Nobody who signed.
    Machine {
        /// Which, by the row.
        id: PersonId,
        /// What it is called, by the row.
        display: String,
        /// The hash of what it submitted: the plan is for no other submission.
        content: Digest,
    },
}

impl Submitter {
    /// Who it is; a machine is equal to nobody who votes.
    pub(crate) fn id(&self) -> &PersonId {
        match self {
            Self::Person(verified) => &verified.accepted.person.id,
            Self::Machine { id, .. } => id,
        }
    }

    /// A name to read.
    pub(crate) fn display(&self) -> &str {
        match self {
            Self::Person(verified) => &verified.accepted.person.display,
            Self::Machine { display, .. } => display,
        }
    }

    /// What the plan names as the submission: the digest of the signed token, or of the content.
    pub(crate) fn proof(&self) -> Digest {
        match self {
            Self::Person(verified) => verified.accepted.token,
            Self::Machine { content, .. } => *content,
        }
    }

    /// What decides who else must sign.
    pub(crate) fn groups(&self) -> stages::Submitter<'_> {
        match self {
            Self::Person(verified) => stages::Submitter::Person(&verified.accepted.person.groups),
            Self::Machine { .. } => stages::Submitter::Machine,
        }
    }
}

/// The machine that a row says it is from, if no act says otherwise.
pub(crate) fn machine(row: &RequestRow, acts: &[ActRow]) -> Option<PersonId> {
    let machine = row.submitter.machine()?;
    let signed = acts.iter().any(|act| act.kind == ActKind::Submit.as_str());
    (!signed).then(|| PersonId::of_machine(machine))
}

impl Executor {
    /// Whose the submission is, and whether its act still stands; verified at each use.
    pub(crate) async fn submitter(
        &self,
        row: &RequestRow,
        submission: &Submission,
    ) -> Result<Submitter, ExecutorError> {
        let acts = self.store.acts_of_request(row.request).await?;
        if let Some(id) = machine(row, &acts) {
            let display = row.display.chars().filter(|c| !is_unsafe_in_text(*c));
            let display = display.take(MOST_DISPLAY).collect();
            return Ok(Submitter::Machine { id, display, content: submission_digest(submission) });
        }
        for act in acts.iter().filter(|act| act.kind == ActKind::Submit.as_str()) {
            if act.receipt.is_some() {
                let verified = self.act_recheck(act, About::Submission(submission))?;
                return Ok(Submitter::Person(Box::new(verified)));
            }
        }
        Err(ExecutorError::Wait("the submission is not verified yet".into()))
    }

    /// When a plan of this submission can no longer be approved or applied: of a person's by their
    /// sign-in; of a machine's by the row, and never later than by the time in the request's own id.
    pub(crate) fn plan_end(
        &self,
        row: &RequestRow,
        submitter: &Submitter,
        frozen_at: Timestamp,
    ) -> Timestamp {
        let end = match submitter {
            Submitter::Person(verified) => self.submission_end(verified.accepted.auth_time),
            Submitter::Machine { .. } => {
                let made = row.request.as_uuid().get_timestamp();
                let made = made.and_then(|made| i64::try_from(made.to_unix().0).ok());
                let latest = made.and_then(|made| self.submission_end(made));
                let whole = row.expires_at.as_second();
                latest.and_then(|latest| Some(latest.min(Timestamp::from_second(whole).ok()?)))
            }
        };
        end.unwrap_or(frozen_at)
    }

    /// Until when a submission counts that was signed in at this time.
    pub(crate) fn submission_end(&self, auth_time: i64) -> Option<Timestamp> {
        let most = SignedDuration::from_secs(self.floor.submission_max_age.into());
        Timestamp::from_second(auth_time).ok()?.checked_add(most).ok()
    }
}
