//! Acts on a request: what people signed, and what the executor said about it.

use axum::Json;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use strongroom_app::act::{self, ActInput, ActRow, ReceiptRow};
use strongroom_domain::act::Statement;
use strongroom_domain::id::ActId;
use utoipa::ToSchema;

use crate::body::Body;
use crate::extract::{Path, SignedIn, named};
use crate::problem::Problem;
use crate::shape::StatementShape;
use crate::v1::{Accepted, Page, accepted, base64};

/// A signed act as it is sent.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct SignedAct {
    #[schema(value_type = StatementShape)]
    statement: Statement,
    id_token: String,
    comment: String,
}

impl From<SignedAct> for ActInput {
    fn from(act: SignedAct) -> Self {
        Self { statement: act.statement, id_token: act.id_token, comment: act.comment }
    }
}

/// An act that is stored.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Stored {
    #[schema(value_type = Uuid)]
    pub(crate) act_id: ActId,
}

/// Stores a signed act. Whether it counts is judged by the executor, whose receipt comes later.
#[utoipa::path(
    post,
    path = "/api/v1/requests/{id}/acts",
    operation_id = "act_create",
    params(("id" = Uuid, Path, description = "The request")),
    request_body = SignedAct,
    responses((status = 202, body = Stored, headers(("location" = String), ("retry-after" = String))))
)]
pub(crate) async fn create(
    SignedIn(ctx): SignedIn,
    Path(id): Path<String>,
    Body(body): Body<SignedAct>,
) -> Result<Accepted<Stored>, Problem> {
    let request = named(&id)?;
    let act_id = act::act_create(&ctx, request, &body.into()).await?;
    Ok(accepted(format!("/api/v1/requests/{request}/acts"), Stored { act_id }))
}

/// One act of a list. The token is shown to nobody.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ActView {
    #[schema(value_type = Uuid)]
    act_id: ActId,
    kind: String,
    round: u32,
    stage: String,
    comment: String,
    claimed_by: Claimed,
    received_at: Timestamp,
    receipt: Option<Receipt>,
}

/// Whom the session said it was.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Claimed {
    display: String,
}

/// The executor's receipt. What it says is read from its canonical bytes, which are signed.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Receipt {
    verdict: String,
    reason: Option<String>,
    person: Option<Signer>,
    groups: Value,
    auth_time: Value,
    key_id: String,
    canonical: String,
    signature: String,
    created_at: Timestamp,
}

/// Who signed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Signer {
    issuer: String,
    person: String,
    display: String,
}

/// What people signed about a request, and what the executor said about it.
#[utoipa::path(
    get,
    path = "/api/v1/requests/{id}/acts",
    operation_id = "act_list",
    params(("id" = Uuid, Path, description = "The request")),
    responses((status = 200, body = Page<ActView>))
)]
pub(crate) async fn list(
    SignedIn(ctx): SignedIn,
    Path(id): Path<String>,
) -> Result<Json<Page<ActView>>, Problem> {
    let rows = act::act_list(&ctx, named(&id)?).await?;
    Ok(Json(Page::whole(rows.into_iter().map(ActView::from).collect())))
}

impl From<ActRow> for ActView {
    fn from(row: ActRow) -> Self {
        let statement: Option<Statement> = serde_json::from_slice(&row.statement).ok();
        let item = statement.and_then(|statement| statement.items.into_iter().next());
        let (round, stage) = item.map_or((0, String::new()), |item| (item.round, item.stage));
        Self {
            act_id: row.act,
            kind: row.kind,
            round,
            stage,
            comment: row.comment,
            claimed_by: Claimed { display: row.claimed_display },
            received_at: row.received_at,
            receipt: row.receipt.map(Into::into),
        }
    }
}

impl From<ReceiptRow> for Receipt {
    fn from(row: ReceiptRow) -> Self {
        let said: Value = serde_json::from_slice(&row.canonical).unwrap_or_default();
        let text = |pointer: &str| said.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let part = |key: &str| said.get(key).cloned().unwrap_or_default();
        let signer = || {
            Some(Signer {
                issuer: text("/person/issuer")?,
                person: text("/person/person")?,
                display: text("/display").unwrap_or_default(),
            })
        };
        Self {
            verdict: row.verdict,
            reason: row.reason,
            person: signer(),
            groups: part("groups"),
            auth_time: part("authTime"),
            key_id: row.key_id,
            canonical: base64(&row.canonical),
            signature: base64(&row.signature),
            created_at: row.created_at,
        }
    }
}
