//! Applied documents and their revisions.

use serde_json::Value;
use strongroom_authorization::{Resource, Verb};
use strongroom_domain::Digest;
use strongroom_domain::document::Document;
use strongroom_domain::id::RequestId;
use strongroom_domain::subject::Subject;

use crate::context::Ctx;
use crate::error::AppError;
use crate::request::value;

/// One revision of a subject's document.
#[derive(Debug, Clone)]
pub struct DocumentView {
    /// What it is about.
    pub subject: Subject,
    /// The revision.
    pub revision: i64,
    /// The document in its normal form.
    pub document: Value,
    /// The hash of its canonical bytes.
    pub hash: Digest,
    /// The request that brought the applied revision; older revisions do not say.
    pub request: Option<RequestId>,
    /// Which side manages the subject.
    pub managed_by: Option<String>,
    /// `applied`, `applying` or `frozen`; a revision that is not the applied one is `stored`, and
    /// the rules that hold without any are `default`, revision 0.
    pub state: String,
}

/// Whether the person may read the document of a subject.
fn may_read(ctx: &Ctx, subject: &Subject) -> bool {
    match subject {
        Subject::Team(team) => ctx.may(Some(team), Resource::TeamDocument, Verb::Read),
        Subject::Cluster(_) | Subject::Platform => {
            ctx.may(None, Resource::PlatformDocument, Verb::Read)
        }
    }
}

/// The applied document of a subject, or one revision of it.
pub async fn document_get(
    ctx: &Ctx,
    subject: &Subject,
    revision: Option<i64>,
) -> Result<DocumentView, AppError> {
    let store = &ctx.app.store;
    if !may_read(ctx, subject) {
        // Names of clusters are for everybody, and that there are rules is no secret.
        let known = match subject {
            Subject::Platform => true,
            Subject::Cluster(_) => store.subject_state_get(subject).await?.is_some(),
            Subject::Team(_) => false,
        };
        if known {
            return Err(AppError::forbidden(
                format!("the document of {subject} is for the platform team and auditors"),
                "ask one of them; `strongroom get clusters` lists what a document may name",
            ));
        }
        return Err(AppError::NotFound);
    }
    let state = store.subject_state_get(subject).await?.filter(|state| state.applied_revision > 0);
    let managed_by = store.subject_managed_by(subject).await?;
    let applied = state.filter(|state| revision.is_none_or(|n| n == state.applied_revision));
    let (number, canonical, request, word) = match (applied, revision) {
        (Some(state), _) => {
            let canonical =
                state.applied_document.ok_or_else(|| AppError::corrupt("applied document"))?;
            (state.applied_revision, canonical, state.request, state.state)
        }
        (None, Some(number)) => {
            let canonical = store.revision_get(subject, number).await?;
            (number, canonical, None, "stored".to_owned())
        }
        // The rules that hold until one is applied, as a document to begin with.
        (None, None) if *subject == Subject::Platform => {
            (0, Document::Platform(Box::default()).canonical(), None, "default".to_owned())
        }
        (None, None) => return Err(AppError::NotFound),
    };
    Ok(DocumentView {
        subject: subject.clone(),
        revision: number,
        document: value(&canonical)?,
        hash: Digest::of(&canonical),
        request,
        managed_by,
        state: word,
    })
}
