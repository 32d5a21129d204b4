//! Suspensions: a signed act that makes something stand still at once.
//!
//! Storing one decides nothing. Who may sign it the executor judges, from the head and the signed
//! groups; here only what is plainly wrong is refused early.

use strongroom_authorization::{Resource, Verb};
use strongroom_domain::act::ActKind;
use strongroom_domain::event::EventKind;
use strongroom_domain::hold::{Suspension, Target};
use strongroom_domain::id::{ActId, RequestId};
pub use strongroom_storage::act::SuspensionRow;

use crate::act::ActInput;
use crate::context::{Ctx, sees};
use crate::error::{AppError, FieldFault};
use crate::trust::trust;

/// Stores a signed suspension. The same act again gives the same answer.
pub async fn suspension_create(
    ctx: &Ctx,
    target: &Target,
    input: &ActInput,
) -> Result<ActId, AppError> {
    ctx.must(Resource::Suspension, Verb::Submit)?;
    let visibility = ctx.visibility();
    let subject = target.subject();
    if matches!(target, Target::Platform | Target::Cluster(_)) && !ctx.is_platform() {
        return Err(AppError::forbidden(
            "freezing, and suspending a whole cluster, is for the platform team",
            "ask one of its members; your own team and its bindings you can suspend yourself",
        ));
    }
    let platform = *target == Target::Platform;
    if !sees(&visibility, &subject)
        || (!platform && ctx.app.store.subject_state_get(&subject).await?.is_none())
    {
        return Err(AppError::NotFound);
    }
    let mut faults = Vec::new();
    input.check("", &trust(&ctx.app).await?, &mut faults);
    let mut need = |ok: bool, pointer: &str, message: &str| {
        if !ok {
            faults.push(FieldFault::new(format!("/statement{pointer}"), message));
        }
    };
    let suspension = Suspension { target: target.clone(), reason: input.comment.clone() };
    need(input.statement.act == ActKind::Suspend, "/act", "this is not a `suspend`");
    need(!input.comment.trim().is_empty(), "/comment", "say why: the comment is the reason");
    let item = match input.statement.items.as_slice() {
        [item] => Some(item),
        _ => None,
    };
    need(item.is_some(), "/items", "one act is about one thing here");
    let Some(item) = item else {
        return Err(AppError::Invalid(faults));
    };
    let id = item.request.as_uuid();
    need(
        id.get_version_num() == 7,
        "/items/0/request",
        "the client makes the id, a UUID version 7",
    );
    need(item.round == 0, "/items/0/round", "a suspension is of round 0");
    need(item.stage == target.to_string(), "/items/0/stage", "this is not what is to be suspended");
    need(item.content == suspension.digest(), "/items/0/content", "this is not the hash of it");
    if !faults.is_empty() {
        return Err(AppError::Invalid(faults));
    }
    let act = ActId::from_uuid(id);
    let row = input.row_with_id(ctx, RequestId::from_uuid(id), act);
    let detail = serde_json::json!({
        "act": act, "kind": "suspend", "target": target, "token": row.token_digest,
    });
    let event = ctx.app.event(EventKind::ActReceived, &ctx.person, None, Some(subject), detail);
    ctx.app.store.suspension_insert(&row, &target.to_string(), &[event]).await?;
    tracing::info!(%act, %target, "app.suspension.stored");
    Ok(act)
}

/// A suspension with the executor's receipt.
pub async fn suspension_get(ctx: &Ctx, act: ActId) -> Result<SuspensionRow, AppError> {
    let visibility = ctx.visibility();
    let row = ctx.app.store.suspension_get(act).await?;
    let target: Target = row.target.parse().map_err(|_| AppError::corrupt("suspension"))?;
    if sees(&visibility, &target.subject()) { Ok(row) } else { Err(AppError::NotFound) }
}
