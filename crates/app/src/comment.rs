//! What people say about a change request. It decides nothing, nobody signs it, and the ledger keeps it.

use serde_json::json;
use strongroom_authorization::{Resource, Verb};
use strongroom_domain::event::EventKind;
use strongroom_domain::id::RequestId;

use crate::act::{MAX_COMMENT, is_readable};
use crate::context::Ctx;
use crate::error::AppError;

/// The most comments of one request.
const MOST: i64 = 200;

/// Says something about a request that the caller sees. Also about one that has ended.
pub async fn comment_create(ctx: &Ctx, request: RequestId, text: &str) -> Result<(), AppError> {
    ctx.app.store.request_get(&ctx.visibility(), request).await?;
    ctx.must(Resource::Request, Verb::Comment)?;
    let text = text.trim();
    if text.is_empty() {
        return Err(AppError::invalid("/text", "say something"));
    }
    if text.chars().count() > MAX_COMMENT {
        return Err(AppError::invalid("/text", "a comment has at most 2000 characters"));
    }
    if !is_readable(text) {
        return Err(AppError::invalid("/text", "a comment holds no control characters"));
    }
    let kind = EventKind::RequestCommented;
    if ctx.app.store.event_count(request, kind).await? >= MOST {
        return Err(AppError::conflict(
            format!("the request has {MOST} comments"),
            "talk elsewhere, and put the outcome into a document of a new request",
        ));
    }
    let detail = json!({ "comment": text });
    let event = ctx.app.event(kind, &ctx.person, Some(request), None, detail);
    Ok(ctx.app.store.event_append(&[event]).await?)
}
