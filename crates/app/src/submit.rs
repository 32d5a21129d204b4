//! Submissions: documents, what they are based on, and the signed act that proposes them.
//!
//! The client hashed and signed all of it. What is stored are the bytes that were signed; nothing
//! is corrected on the way.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use serde_json::json;
use strongroom_acts::submission_digest;
use strongroom_domain::act::{ActKind, Submission, SubmittedDocument};
use strongroom_domain::document::{Document, Platform};
use strongroom_domain::event::{Event, EventKind};
use strongroom_domain::id::RequestId;
use strongroom_domain::request::State;
use strongroom_domain::subject::Subject;
use strongroom_domain::{Digest, canonical};
use strongroom_storage::StorageError;
use strongroom_storage::request::Visibility;
use strongroom_storage::state::SubjectState;
use strongroom_storage::submit::{NewDocument, NewRequest, Submitted};

use crate::act::{ActInput, is_readable};
use crate::claim::{Placed, foreign_claims, seen_by};
use crate::context::{Ctx, sees};
use crate::error::{AppError, FieldFault};
use crate::trust::trust;

/// The most documents of one request.
pub const MAX_DOCUMENTS: usize = 20;

/// The most characters of a reason.
const MAX_REASON: usize = 2000;

/// The most namespaces that one request attests.
const MAX_ATTEST: usize = 100;

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

/// Stores a signed submission.
pub async fn request_submit(
    ctx: &Ctx,
    submission: &Submission,
    act: &ActInput,
) -> Result<SubmitOutcome, AppError> {
    ctx.may_act()?;
    let visibility = ctx.visibility().await?;
    let digest = submission_digest(submission);
    let bytes =
        canonical::to_bytes(submission).map_err(|error| AppError::Internal(error.into()))?;
    if let Some(outcome) = known(ctx, &visibility, submission, &bytes).await? {
        return Ok(outcome);
    }
    let mut faults = Vec::new();
    check_shape(submission, &mut faults);
    check_act(ctx, submission, digest, act, &mut faults).await?;
    let documents = decode(submission, &mut faults);
    if !faults.is_empty() {
        return Err(AppError::Invalid(faults));
    }
    may_propose(ctx, documents.iter().map(Document::subject))?;
    let placed = placed(&documents);
    let mut faults = taken_names(ctx, &visibility, submission).await?;
    faults.extend(foreign_claims(ctx, &visibility, &placed).await?);
    faults.extend(reserved_names(ctx, &placed, submission).await?);
    faults.extend(attested(
        "/submission/attest",
        &submission.attest,
        &documents,
    ));
    if !faults.is_empty() {
        return Err(AppError::Invalid(faults));
    }
    check_bases(ctx, submission).await?;
    let new = new_request(ctx, submission, digest, bytes, &documents, act);
    let events = [submitted(ctx, submission, digest), act.event(ctx, &new.act)];
    let created = ctx.app.store.request_submit(&new, &events).await? == Submitted::Created;
    tracing::info!(request = %submission.request, created, "app.request.submitted");
    Ok(SubmitOutcome {
        request: submission.request,
        state: State::Submitted,
        created,
    })
}

/// The same submission again, as a client sends it that got no answer.
async fn known(
    ctx: &Ctx,
    visibility: &Visibility,
    submission: &Submission,
    bytes: &[u8],
) -> Result<Option<SubmitOutcome>, AppError> {
    let row = match ctx
        .app
        .store
        .request_get(visibility, submission.request)
        .await
    {
        Ok(row) => row,
        Err(StorageError::NotFound) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    if row.submission != bytes || row.submitter != ctx.person.id {
        return Err(AppError::conflict(
            "a request with this id and another content is there already",
            "make a new id for a new request",
        ));
    }
    Ok(Some(SubmitOutcome {
        request: row.request,
        state: row.state,
        created: false,
    }))
}

fn check_shape(submission: &Submission, faults: &mut Vec<FieldFault>) {
    let mut need = |ok: bool, pointer: &str, message: &str| {
        if !ok {
            faults.push(FieldFault::new(format!("/submission{pointer}"), message));
        }
    };
    need(
        submission.request.as_uuid().get_version_num() == 7,
        "/request",
        "the client makes the id, a UUID version 7",
    );
    let reason = submission.reason.trim();
    need(
        !reason.is_empty() && submission.reason.chars().count() <= MAX_REASON,
        "/reason",
        "say why, in 1 to 2000 characters",
    );
    need(
        is_readable(&submission.reason),
        "/reason",
        "a reason holds no control characters",
    );
    need(
        (1..=MAX_DOCUMENTS).contains(&submission.documents.len()),
        "/documents",
        "a request has 1 to 20 documents",
    );
    need(
        submission
            .documents
            .is_sorted_by(|a, b| a.subject < b.subject),
        "/documents",
        "documents are sorted by subject, and each subject has one",
    );
    need(
        submission.attest.len() <= MAX_ATTEST && submission.attest.is_sorted_by(|a, b| a < b),
        "/attest",
        "at most 100 namespaces, sorted, each once",
    );
}

async fn check_act(
    ctx: &Ctx,
    submission: &Submission,
    digest: Digest,
    act: &ActInput,
    faults: &mut Vec<FieldFault>,
) -> Result<(), AppError> {
    act.check("/act", &trust(&ctx.app).await?, faults);
    let item = act.item("/act", submission.request, faults);
    let mut need = |ok: bool, pointer: &str, message: &str| {
        if !ok {
            faults.push(FieldFault::new(format!("/act/statement{pointer}"), message));
        }
    };
    need(
        act.statement.act == ActKind::Submit,
        "/act",
        "documents come with a `submit`",
    );
    if let Some(item) = item {
        need(
            item.round == 0,
            "/items/0/round",
            "a submission is of round 0",
        );
        need(
            item.stage.is_empty(),
            "/items/0/stage",
            "a submission is for no stage",
        );
        need(
            item.content == digest,
            "/items/0/content",
            "this is not the hash of the submission that was sent",
        );
    }
    Ok(())
}

/// Documents that are exactly what was signed: valid, about their subject, in the normal form.
fn decode(submission: &Submission, faults: &mut Vec<FieldFault>) -> Vec<Document> {
    let mut documents = Vec::new();
    for (number, sent) in submission.documents.iter().take(MAX_DOCUMENTS).enumerate() {
        let base = format!("/submission/documents/{number}");
        let place = format!("{base}/document");
        match Document::from_value(&sent.document) {
            Err(more) => {
                faults.extend(more.into_iter().map(|f| FieldFault::of_document(&place, f)));
            }
            Ok(document) if document.subject() != sent.subject => {
                let message = format!("the document is about {}", document.subject());
                faults.push(FieldFault::new(format!("{base}/subject"), message));
            }
            Ok(document) if document.to_value() != sent.document => faults.push(FieldFault::new(
                place,
                "the document is not in its normal form; sign the form that the preview gives",
            )),
            Ok(document) => documents.push(document),
        }
        if (sent.base_revision == 0) != sent.base_hash.is_none() {
            let message = "a base revision has a hash, and no base has none";
            faults.push(FieldFault::new(format!("{base}/baseHash"), message));
        }
    }
    documents
}

/// Clusters and platform rules are proposed by the platform; the name of a team by anybody.
pub(crate) fn may_propose(
    ctx: &Ctx,
    subjects: impl Iterator<Item = Subject>,
) -> Result<(), AppError> {
    let mut subjects = subjects;
    if !ctx.is_platform() && subjects.any(|subject| !matches!(subject, Subject::Team(_))) {
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

/// A team that the person does not see cannot be changed; its name is merely taken.
async fn taken_names(
    ctx: &Ctx,
    visibility: &Visibility,
    submission: &Submission,
) -> Result<Vec<FieldFault>, AppError> {
    let mut faults = Vec::new();
    for (number, sent) in submission.documents.iter().enumerate() {
        if !sees(visibility, &sent.subject)
            && ctx
                .app
                .store
                .subject_state_get(&sent.subject)
                .await?
                .is_some()
        {
            let place = format!("/submission/documents/{number}/subject");
            faults.push(FieldFault::new(
                place,
                "this name is taken by a team you do not belong to",
            ));
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

/// Namespaces to trust again are claimed by a document of the request.
pub(crate) fn attested(base: &str, attest: &[String], documents: &[Document]) -> Vec<FieldFault> {
    let claimed: BTreeSet<String> = documents
        .iter()
        .filter_map(|document| match document {
            Document::Team(team) => Some(&team.namespaces),
            _ => None,
        })
        .flatten()
        .map(|claim| format!("{}/{}", claim.cluster, claim.name))
        .collect();
    let unknown = attest
        .iter()
        .enumerate()
        .filter(|(_, name)| !claimed.contains(*name));
    unknown
        .map(|(number, _)| {
            FieldFault::new(
                format!("{base}/{number}"),
                "no document of this request claims this namespace (written cluster/namespace)",
            )
        })
        .collect()
}

/// What was signed as the base must be what is applied now.
async fn check_bases(ctx: &Ctx, submission: &Submission) -> Result<(), AppError> {
    for sent in &submission.documents {
        let state = ctx.app.store.subject_state_get(&sent.subject).await?;
        if let Some(state) = &state
            && state.state == "frozen"
        {
            let why = state.reason.clone().unwrap_or_default();
            return Err(AppError::conflict(
                format!("{} is frozen: {why}", sent.subject),
                "ask the platform team; nothing is applied to it until that is cleared up",
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
    act: &ActInput,
) -> NewRequest {
    let at = ctx.app.now();
    let document = |(sent, document): (&SubmittedDocument, &Document)| NewDocument {
        subject: sent.subject.clone(),
        canonical: document.canonical(),
        hash: document.digest(),
        base_revision: i64::try_from(sent.base_revision).unwrap_or(i64::MAX),
        base_hash: sent.base_hash,
        seen_by: if sent.base_revision == 0 {
            seen_by(document)
        } else {
            Vec::new()
        },
    };
    NewRequest {
        request: submission.request,
        reason: submission.reason.clone(),
        attest: submission.attest.clone(),
        submission: bytes,
        submission_hash,
        submitter: ctx.person.id.clone(),
        display: ctx.person.display.clone(),
        documents: submission
            .documents
            .iter()
            .zip(documents)
            .map(document)
            .collect(),
        act: act.row(ctx, submission.request),
        managed_by: "cli".to_owned(),
        at,
        expires_at: at + LIFETIME,
    }
}

fn submitted(ctx: &Ctx, submission: &Submission, digest: Digest) -> Event {
    let subjects: Vec<&Subject> = submission
        .documents
        .iter()
        .map(|each| &each.subject)
        .collect();
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
