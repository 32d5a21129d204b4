//! Submissions: documents, what they are based on, and the signed act that proposes them.
//!
//! The client hashed and signed all of it. What is stored are the bytes that were signed; nothing
//! is corrected on the way.

mod shape;

use jiff::SignedDuration;
use serde_json::json;
use strongroom_acts::submission_digest;
use strongroom_authorization::{Resource, Verb};
use strongroom_domain::act::{Submission, SubmittedDocument};
use strongroom_domain::document::{Document, Platform};
use strongroom_domain::event::{Event, EventKind};
use strongroom_domain::hold::Target;
use strongroom_domain::id::RequestId;
use strongroom_domain::request::State;
use strongroom_domain::subject::Subject;
use strongroom_domain::{Digest, canonical};
use strongroom_storage::StorageError;
use strongroom_storage::request::Visibility;
use strongroom_storage::state::SubjectState;
use strongroom_storage::submit::{NewDocument, NewRequest, Submitted};

use crate::act::ActInput;
use crate::claim::{Placed, foreign_claims, hosts_owners, seen_by};
use crate::context::{Ctx, sees};
use crate::ends::over;
use crate::error::{AppError, FieldFault};
pub(crate) use shape::attested;
use shape::{check_act, check_shape, decode};

/// The most documents of one request.
pub const MAX_DOCUMENTS: usize = 20;

/// How long a request waits. The executor's floor file may end it earlier.
const LIFETIME: SignedDuration = SignedDuration::from_hours(14 * 24);

/// What became of a submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SubmitOutcome {
    /// The request, as the client named it.
    pub request: RequestId,
    /// Where it stands.
    pub state: State,
    /// Whether it is stored only now.
    pub created: bool,
}

/// Stores a submission: a person's with its signed act, a machine's without one.
pub async fn request_submit(
    ctx: &Ctx,
    submission: &Submission,
    act: Option<&ActInput>,
) -> Result<SubmitOutcome, AppError> {
    ctx.must(Resource::Request, Verb::Submit)?;
    let visibility = ctx.visibility();
    // Before anything is hashed: what has no canonical form has no hash either.
    let bytes = canonical::to_bytes(submission)
        .map_err(|_| AppError::invalid("/submission", "this has no canonical JSON form"))?;
    let digest = submission_digest(submission);
    if let Some(outcome) = known(ctx, &visibility, submission, &bytes).await? {
        return Ok(outcome);
    }
    let mut faults = Vec::new();
    check_shape(submission, &mut faults);
    match (act, ctx.machine()) {
        (Some(act), None) => check_act(ctx, submission, digest, act, &mut faults).await?,
        (None, Some(_)) => {}
        (None, None) => {
            let message = "a person signs what they submit: `strongroom apply` does it";
            faults.push(FieldFault::new("/act", message));
        }
        (Some(_), Some(_)) => {
            let message =
                "a machine signs nothing: leave it out; what it submits counts as nobody's";
            faults.push(FieldFault::new("/act", message));
        }
    }
    let documents = decode(submission, &mut faults);
    if !faults.is_empty() {
        return Err(AppError::Invalid(faults));
    }
    may_propose(ctx, documents.iter().map(Document::subject))?;
    let placed = placed(&documents);
    let mut faults = taken_names(ctx, &visibility, submission).await?;
    faults.extend(foreign_claims(ctx, &visibility, &placed).await?);
    faults.extend(over(ctx, &placed).await?);
    faults.extend(reserved_names(ctx, &placed, submission).await?);
    faults.extend(attested("/submission/attest", &submission.attest, &documents));
    let subjects = submission.documents.iter().map(|sent| sent.subject.clone());
    faults.extend(lifted("/submission/lift", &submission.lift, subjects));
    if !faults.is_empty() {
        return Err(AppError::Invalid(faults));
    }
    check_bases(ctx, submission).await?;
    if ctx.machine().is_some()
        && let Some(outcome) = asked_already(ctx, submission).await?
    {
        return Ok(outcome);
    }
    let mut new = new_request(ctx, submission, digest, bytes, &documents, act);
    for (new, document) in new.documents.iter_mut().zip(&documents) {
        let state = ctx.app.store.subject_state_get(&new.subject).await?;
        let base = state.and_then(|state| state.applied_document);
        let base = base.as_deref().and_then(|bytes| Document::from_canonical(bytes).ok());
        new.seen_by.extend(hosts_owners(ctx, base.as_ref(), document).await?);
    }
    let mut events = vec![submitted(ctx, submission, digest)];
    events.extend(act.zip(new.act.as_ref()).map(|(act, row)| act.event(ctx, row)));
    let most_open = ctx.app.rules.open_requests_per_person;
    let stored = match ctx.app.store.request_submit(&new, most_open, &events).await {
        // It came in twice at once: its id or its token is there only since we looked, or it is
        // itself the last one that this person may have.
        Err(error @ (StorageError::AlreadyUsed(_) | StorageError::TooManyOpen(_))) => {
            return known(ctx, &visibility, submission, &new.submission)
                .await?
                .ok_or_else(|| error.into());
        }
        other => other?,
    };
    match stored {
        Submitted::Created => {
            tracing::info!(request = %submission.request, "app.request.submitted");
            Ok(SubmitOutcome {
                request: submission.request,
                state: State::Submitted,
                created: true,
            })
        }
        // It came in twice at once, or somebody repeats what another person sent.
        Submitted::Same => {
            known(ctx, &visibility, submission, &new.submission).await?.ok_or_else(id_is_taken)
        }
    }
}

fn id_is_taken() -> AppError {
    AppError::conflict(
        "a request with this id and another content is there already",
        "make a new id for a new request",
    )
}

/// The same submission again, as a client sends it that got no answer.
async fn known(
    ctx: &Ctx,
    visibility: &Visibility,
    submission: &Submission,
    bytes: &[u8],
) -> Result<Option<SubmitOutcome>, AppError> {
    let row = match ctx.app.store.request_get(visibility, submission.request).await {
        Ok(row) => row,
        Err(StorageError::NotFound) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    if row.submission != bytes || row.submitter != ctx.person.id {
        return Err(id_is_taken());
    }
    Ok(Some(SubmitOutcome { request: row.request, state: row.state, created: false }))
}

/// A machine's own open request for the same. Pipelines ask again with every run, and nobody could
/// take those back.
async fn asked_already(
    ctx: &Ctx,
    submission: &Submission,
) -> Result<Option<SubmitOutcome>, AppError> {
    for (request, state, bytes) in ctx.app.store.requests_open_of(&ctx.person.id).await? {
        let Ok(asked) = serde_json::from_slice::<Submission>(&bytes) else { continue };
        let reason = submission.reason.clone();
        if (Submission { request: submission.request, reason, ..asked }) == *submission {
            return Ok(Some(SubmitOutcome { request, state, created: false }));
        }
    }
    Ok(None)
}

/// Clusters and platform rules are proposed by the platform; the name of a team by anybody.
pub(crate) fn may_propose(
    ctx: &Ctx,
    subjects: impl Iterator<Item = Subject>,
) -> Result<(), AppError> {
    let mut subjects = subjects;
    if let Some(own) = ctx.machine().and_then(|machine| machine.team.clone()) {
        let own = Subject::Team(own);
        if subjects.any(|subject| subject != own) {
            return Err(AppError::forbidden(
                format!("this machine is of {own} and asks about nothing else"),
                "use a machine of the other team, or ask a member of that team",
            ));
        }
        return Ok(());
    }
    let platform = ctx.may(None, Resource::PlatformDocument, Verb::Submit);
    if !platform && subjects.any(|subject| !matches!(subject, Subject::Team(_))) {
        return Err(AppError::forbidden(
            "clusters and platform rules are proposed by the platform team",
            "ask a member of the platform team to submit it",
        ));
    }
    Ok(())
}

fn placed(documents: &[Document]) -> Vec<Placed<'_>> {
    let place = |(number, document)| (format!("/submission/documents/{number}/document"), document);
    documents.iter().enumerate().map(place).collect()
}

/// What is lifted belongs to a document of the request. Whether it is held, the executor knows.
pub(crate) fn lifted(
    base: &str,
    lift: &[Target],
    subjects: impl Iterator<Item = Subject>,
) -> Vec<FieldFault> {
    let subjects: Vec<Subject> = subjects.collect();
    let elsewhere =
        lift.iter().enumerate().filter(|(_, target)| !subjects.contains(&target.subject()));
    elsewhere
        .map(|(number, target)| {
            let subject = target.subject();
            let message = format!(
                "to lift {target} the request needs the document of {subject}: \
                 `strongroom get document {subject} -o yaml`"
            );
            FieldFault::new(format!("{base}/{number}"), message)
        })
        .collect()
}

/// A team that the person does not see cannot be changed; its name is merely taken.
async fn taken_names(
    ctx: &Ctx,
    visibility: &Visibility,
    submission: &Submission,
) -> Result<Vec<FieldFault>, AppError> {
    let mut faults = Vec::new();
    for (number, sent) in submission.documents.iter().enumerate() {
        if !sees(visibility, &sent.subject)
            && ctx.app.store.subject_state_get(&sent.subject).await?.is_some()
        {
            let place = format!("/submission/documents/{number}/subject");
            faults
                .push(FieldFault::new(place, "this name is taken by a team you do not belong to"));
        }
    }
    Ok(faults)
}

async fn reserved_names(
    ctx: &Ctx,
    documents: &[Placed<'_>],
    submission: &Submission,
) -> Result<Vec<FieldFault>, AppError> {
    let platform = applied_platform(ctx).await?;
    let mut faults = Vec::new();
    for ((base, document), sent) in documents.iter().zip(&submission.documents) {
        if let Document::Team(team) = document
            && sent.base_revision == 0
            && platform.reserved_names.contains(&team.name)
        {
            let message = format!("the name {} is reserved by the platform rules", team.name);
            faults.push(FieldFault::new(format!("{base}/metadata/name"), message));
        }
    }
    Ok(faults)
}

/// The platform rules in force; the default ones where no document is applied.
pub(crate) async fn applied_platform(ctx: &Ctx) -> Result<Platform, AppError> {
    let state = ctx.app.store.subject_state_get(&Subject::Platform).await?;
    match state.and_then(|state| state.applied_document) {
        None => Ok(Platform::default()),
        Some(bytes) => match Document::from_canonical(&bytes) {
            Ok(Document::Platform(platform)) => Ok(*platform),
            _ => Err(AppError::corrupt("platform document")),
        },
    }
}

/// What was signed as the base must be what is applied now.
async fn check_bases(ctx: &Ctx, submission: &Submission) -> Result<(), AppError> {
    for sent in &submission.documents {
        let state = ctx.app.store.subject_state_get(&sent.subject).await?;
        if let Some(state) = &state
            && state.state == "frozen"
            && !submission.lift.contains(&Target::from(sent.subject.clone()))
        {
            let why = state.reason.clone().unwrap_or_default();
            return Err(AppError::conflict(
                format!("{} is frozen: {why}", sent.subject),
                "ask the platform team; --lift goes on from what the document says (critical)",
            ));
        }
        if !is_base(sent, state.as_ref()) {
            return Err(AppError::conflict(
                format!("{} has changed since", sent.subject),
                "run apply again: it shows what is there now and signs on top of it",
            ));
        }
    }
    Ok(())
}

fn is_base(sent: &SubmittedDocument, state: Option<&SubjectState>) -> bool {
    let applied = state.filter(|state| state.applied_revision > 0);
    let revision = applied.map_or(0, |state| state.applied_revision);
    let hash = applied.and_then(|state| state.applied_hash.as_deref());
    u64::try_from(revision) == Ok(sent.base_revision)
        && hash == sent.base_hash.as_ref().map(|hash| &hash.as_bytes()[..])
}

fn new_request(
    ctx: &Ctx,
    submission: &Submission,
    submission_hash: Digest,
    bytes: Vec<u8>,
    documents: &[Document],
    act: Option<&ActInput>,
) -> NewRequest {
    let at = ctx.app.now();
    let document = |(sent, document): (&SubmittedDocument, &Document)| NewDocument {
        subject: sent.subject.clone(),
        canonical: document.canonical(),
        hash: document.digest(),
        base_revision: i64::try_from(sent.base_revision).unwrap_or(i64::MAX),
        base_hash: sent.base_hash,
        seen_by: if sent.base_revision == 0 { seen_by(document) } else { Vec::new() },
    };
    NewRequest {
        request: submission.request,
        reason: submission.reason.clone(),
        attest: submission.attest.clone(),
        lift: submission.lift.iter().map(ToString::to_string).collect(),
        submission: bytes,
        submission_hash,
        submitter: ctx.person.id.clone(),
        display: ctx.person.display.clone(),
        documents: submission.documents.iter().zip(documents).map(document).collect(),
        act: act.map(|act| act.row(ctx, submission.request)),
        managed_by: "cli".to_owned(),
        at,
        expires_at: at + LIFETIME,
    }
}

fn submitted(ctx: &Ctx, submission: &Submission, digest: Digest) -> Event {
    let subjects: Vec<&Subject> = submission.documents.iter().map(|each| &each.subject).collect();
    let detail = json!({
        "reason": submission.reason,
        "submission": digest,
        "subjects": subjects,
    });
    // An event of one subject is shown with it; one of several belongs to the request.
    let subject = match submission.documents.as_slice() {
        [one] if one.base_revision > 0 => Some(one.subject.clone()),
        _ => None,
    };
    ctx.app.event(
        EventKind::RequestSubmitted,
        &ctx.person,
        Some(submission.request),
        subject,
        detail,
    )
}
