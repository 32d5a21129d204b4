//! What waits for the caller's signature.

use axum::Json;
use jiff::Timestamp;
use serde::Serialize;
use strongroom_app::inbox::{self, Waiting};
use strongroom_domain::risk::Risk;
use strongroom_domain::subject::Subject;
use utoipa::ToSchema;

use crate::extract::SignedIn;
use crate::problem::Problem;
use crate::shape::{RiskWord, SubjectText};
use crate::v1::requests::Head;

/// What waits for the caller.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Inbox {
    items: Vec<WaitingView>,
    /// Whether more requests are in review than were looked at.
    more: bool,
}

/// A request in which the caller's vote would count.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WaitingView {
    request: Head,
    #[schema(value_type = Vec<SubjectText>)]
    documents: Vec<Subject>,
    #[schema(value_type = RiskWord)]
    risk: Risk,
    /// The stage in which it would count.
    stage: String,
    /// Votes that count there.
    votes: usize,
    /// Votes that are needed there.
    needed: u32,
    /// Since when it waits.
    frozen_at: Timestamp,
}

impl From<Waiting> for WaitingView {
    fn from(waiting: Waiting) -> Self {
        Self {
            documents: waiting.summary.subjects,
            request: waiting.summary.row.into(),
            risk: waiting.risk,
            stage: waiting.stage,
            votes: waiting.votes,
            needed: waiting.needed,
            frozen_at: waiting.frozen_at,
        }
    }
}

/// Requests in which one more vote of the caller's would count: the riskiest first, of those the longest
/// waiting.
#[utoipa::path(
    get,
    path = "/api/v1/inbox",
    operation_id = "inbox_list",
    responses((status = 200, body = Inbox))
)]
pub(crate) async fn list(SignedIn(ctx): SignedIn) -> Result<Json<Inbox>, Problem> {
    let (waiting, more) = inbox::inbox_list(&ctx).await?;
    Ok(Json(Inbox { items: waiting.into_iter().map(Into::into).collect(), more }))
}
