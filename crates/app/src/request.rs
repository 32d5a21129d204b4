//! Change requests as pages and the command line read them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;
use strongroom_domain::act::Submission;
use strongroom_domain::id::RequestId;
use strongroom_domain::request::State;
use strongroom_domain::subject::Subject;
use strongroom_plan::Plan;
use strongroom_storage::StorageError;
use strongroom_storage::plan::PlanRow;
use strongroom_storage::request::{DocumentRow, RequestFilter, Visibility};

pub use strongroom_storage::request::RequestRow;

use crate::context::{Ctx, sees};
use crate::error::AppError;
use crate::signers::{Signers, signers};

/// One request of a list, with the subjects that the viewer may see.
#[derive(Debug, Clone)]
pub struct RequestSummary {
    /// The request.
    pub row: RequestRow,
    /// What it proposes to change.
    pub subjects: Vec<Subject>,
}

/// One request with its documents.
#[derive(Debug, Clone)]
pub struct RequestDetail {
    /// The request.
    pub row: RequestRow,
    /// What it proposes, as far as the viewer may see it.
    pub documents: Vec<RequestDocument>,
    /// Who must sign the frozen plan, and who of them is known.
    pub stages: Vec<Signers>,
}

/// One document of a request.
#[derive(Debug, Clone)]
pub struct RequestDocument {
    /// What it is about.
    pub subject: Subject,
    /// The proposed revision.
    pub revision: i64,
    /// The applied revision it is based on; 0 for none.
    pub base_revision: i64,
    /// The proposed document.
    pub document: Value,
    /// What it is based on.
    pub base_document: Option<Value>,
}

/// Which requests are asked for.
#[derive(Debug, Clone, Default)]
pub struct RequestQuery {
    /// In one state.
    pub state: Option<State>,
    /// Over one subject.
    pub subject: Option<Subject>,
    /// Older than this one.
    pub before: Option<(Timestamp, RequestId)>,
}

/// Requests that the viewer may see, newest first, and whether there are more.
pub async fn request_list(
    ctx: &Ctx,
    query: RequestQuery,
    limit: u32,
) -> Result<(Vec<RequestSummary>, bool), AppError> {
    let visibility = ctx.visibility();
    let RequestQuery { state, subject, before } = query;
    let filter = RequestFilter { state, subject, before, ..RequestFilter::default() };
    let mut rows = ctx.app.store.request_list(&visibility, &filter, i64::from(limit) + 1).await?;
    let more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let ids: Vec<RequestId> = rows.iter().map(|row| row.request).collect();
    let mut subjects = ctx.app.store.request_subjects(&visibility, &ids).await?;
    let items = rows.into_iter().map(|row| RequestSummary {
        subjects: subjects.remove(&row.request).unwrap_or_default(),
        row,
    });
    Ok((items.collect(), more))
}

/// How many of them are told.
const MOST_BESIDE: i64 = 5;

/// Requests over these subjects that are not decided yet, newest first, as far as the viewer may see
/// them: whichever is applied first makes the others stale.
pub(crate) async fn requests_beside(
    ctx: &Ctx,
    subjects: impl Iterator<Item = Subject>,
) -> Result<Vec<RequestSummary>, AppError> {
    let visibility = ctx.visibility();
    let mut beside: BTreeMap<RequestId, RequestSummary> = BTreeMap::new();
    for subject in subjects {
        let about = Some(subject.clone());
        let filter = RequestFilter { subject: about, open: true, ..RequestFilter::default() };
        for row in ctx.app.store.request_list(&visibility, &filter, MOST_BESIDE).await? {
            let new = || RequestSummary { row: row.clone(), subjects: Vec::new() };
            beside.entry(row.request).or_insert_with(new).subjects.push(subject.clone());
        }
    }
    Ok(beside.into_values().rev().collect())
}

pub(crate) fn submission_of(row: &RequestRow) -> Result<Submission, AppError> {
    serde_json::from_slice(&row.submission).map_err(|_| AppError::corrupt("submission"))
}

/// One request with its documents.
pub async fn request_get(ctx: &Ctx, request: RequestId) -> Result<RequestDetail, AppError> {
    let visibility = ctx.visibility();
    let row = ctx.app.store.request_get(&visibility, request).await?;
    let mut documents = Vec::new();
    for each in ctx.app.store.request_documents(&visibility, request).await? {
        documents.push(with_base(ctx, &visibility, each).await?);
    }
    let stages = match ctx.app.store.plan_latest(request).await {
        Ok(stored) => {
            let plan = Plan::from_canonical(&stored.canonical);
            plan.map_err(|_| AppError::corrupt("plan"))?.stages
        }
        Err(StorageError::NotFound) => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    let stages = signers(ctx, stages, &row.submitter).await?;
    Ok(RequestDetail { row, documents, stages })
}

async fn with_base(
    ctx: &Ctx,
    visibility: &Visibility,
    row: DocumentRow,
) -> Result<RequestDocument, AppError> {
    // The base is the subject's own document; who merely proposed over it need not be a member
    // any more.
    let base = if row.base_revision > 0 && sees(visibility, &row.subject) {
        base_document(ctx, &row).await?
    } else {
        None
    };
    Ok(RequestDocument {
        document: value(&row.canonical)?,
        subject: row.subject,
        revision: row.revision,
        base_revision: row.base_revision,
        base_document: base,
    })
}

/// The base as it is stored. A database that is behind its heads does not know it; then it is the
/// applied document that the executor published, if that is the one.
async fn base_document(ctx: &Ctx, row: &DocumentRow) -> Result<Option<Value>, AppError> {
    match ctx.app.store.revision_get(&row.subject, row.base_revision).await {
        Ok(canonical) => Ok(Some(value(&canonical)?)),
        Err(StorageError::NotFound) => {
            let state = ctx.app.store.subject_state_get(&row.subject).await?;
            let state = state.filter(|state| state.applied_revision == row.base_revision);
            state.and_then(|state| state.applied_document).as_deref().map(value).transpose()
        }
        Err(error) => Err(error.into()),
    }
}

pub(crate) fn value(canonical: &[u8]) -> Result<Value, AppError> {
    serde_json::from_slice(canonical).map_err(|_| AppError::corrupt("document"))
}

/// The submission of a request as it was signed, for those who may see all of its documents: who
/// says no to it computes its hash from what is shown.
pub async fn submission_get(ctx: &Ctx, request: RequestId) -> Result<Vec<u8>, AppError> {
    let visibility = ctx.visibility();
    let row = ctx.app.store.request_get(&visibility, request).await?;
    if !sees_all(ctx, &visibility, &row).await? {
        return Err(AppError::forbidden(
            "this request also changes what you do not see",
            "ask a member of the platform team to reject it, or wait until its plan is frozen",
        ));
    }
    Ok(row.submission)
}

/// The newest frozen plan of a request, for those who may see all of its documents and those who may
/// have to sign it. It is shown as it was signed.
pub async fn plan_get(ctx: &Ctx, request: RequestId) -> Result<PlanRow, AppError> {
    let visibility = ctx.visibility();
    let row = ctx.app.store.request_get(&visibility, request).await?;
    match ctx.app.store.plan_latest(request).await {
        Ok(plan) if sees_all(ctx, &visibility, &row).await? || may_sign(ctx, &plan)? => Ok(plan),
        Ok(_) => Err(AppError::forbidden(
            "the plan of this request also changes what you do not see",
            "its part about your team is in the request itself; who signs the plan sees all of it",
        )),
        Err(StorageError::NotFound) => Err(AppError::NotYet {
            code: "plan_not_frozen",
            message: match row.state_reason {
                Some(reason) => format!("there is no frozen plan: {reason}"),
                None => "the executor has not frozen a plan yet".to_owned(),
            },
            hint: "try again in a moment; if it stays so, `strongroom execute` is not running",
        }),
        Err(error) => Err(error.into()),
    }
}

/// Whether the viewer may see every document of a request.
async fn sees_all(ctx: &Ctx, visibility: &Visibility, row: &RequestRow) -> Result<bool, AppError> {
    let shown = ctx.app.store.request_documents(visibility, row.request).await?;
    Ok(shown.len() >= submission_of(row)?.documents.len())
}

fn may_sign(ctx: &Ctx, stored: &PlanRow) -> Result<bool, AppError> {
    let plan = Plan::from_canonical(&stored.canonical).map_err(|_| AppError::corrupt("plan"))?;
    let groups = &ctx.person.groups;
    Ok(plan.stages.iter().any(|stage| stage.groups.iter().any(|group| groups.contains(group))))
}
