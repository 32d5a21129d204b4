//! Acts: what people signed, stored for the executor, and what the executor said about it.
//!
//! Storing an act decides nothing. What is refused here is refused early, in words that help; the
//! executor repeats every check from its own data and verifies the signature, which nobody here
//! can.

use std::fmt;

use serde_json::{Value, json};
use strongroom_acts::statement::{StatementError, canonical_bytes};
use strongroom_acts::token::unverified_claims;
use strongroom_acts::{comment_digest, nonce, submission_digest};
use strongroom_authorization::{Resource, Verb};
use strongroom_domain::Digest;
use strongroom_domain::act::{ActItem, ActKind, Statement};
use strongroom_domain::document::reader::is_unsafe_in_text;
use strongroom_domain::event::{Event, EventKind};
use strongroom_domain::id::{ActId, RequestId};
use strongroom_domain::request::State;
use strongroom_plan::Plan;
use strongroom_storage::StorageError;
use strongroom_storage::act::NewAct;
use strongroom_storage::request::RequestRow;

pub use strongroom_storage::act::{ActRow, ReceiptRow};

use crate::context::Ctx;
use crate::error::{AppError, FieldFault};
use crate::request::submission_of;
use crate::trust::{Trust, trust};

/// The most characters of a comment.
pub(crate) const MAX_COMMENT: usize = 2000;

/// The most bytes of an ID token.
const MAX_TOKEN: usize = 64 * 1024;

/// The most acts one request takes; beyond it something is wrong.
const MAX_ACTS: usize = 200;

/// A signed act as it is sent.
pub struct ActInput {
    /// What was signed.
    pub statement: Statement,
    /// The provider's token over its nonce.
    pub id_token: String,
    /// The comment whose hash the statement holds.
    pub comment: String,
}

impl fmt::Debug for ActInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The token is a proof that somebody else could hand in.
        f.debug_struct("ActInput").field("statement", &self.statement).finish_non_exhaustive()
    }
}

impl ActInput {
    fn token_digest(&self) -> Digest {
        Digest::of(self.id_token.as_bytes())
    }

    /// Everything about the act that does not depend on what it is about.
    pub(crate) fn check(&self, base: &str, trust: &Trust, faults: &mut Vec<FieldFault>) {
        let statement = &self.statement;
        let mut need = |ok: bool, pointer: &str, message: &str| {
            if !ok {
                faults.push(FieldFault::new(format!("{base}{pointer}"), message));
            }
        };
        need(
            statement.deployment == trust.deployment,
            "/statement/deployment",
            "this is another deployment",
        );
        need(
            statement.issuer == trust.issuer,
            "/statement/issuer",
            "the executor believes another issuer",
        );
        need(
            trust.is_act_client(&statement.audience),
            "/statement/audience",
            "acts are signed through a client of their own; this is none of them",
        );
        need(
            statement.comment == comment_digest(&self.comment),
            "/statement/comment",
            "this is not the SHA-256 of the comment",
        );
        need(
            self.comment.chars().count() <= MAX_COMMENT,
            "/comment",
            "a comment has at most 2000 characters",
        );
        need(is_readable(&self.comment), "/comment", "a comment holds no control characters");
        match nonce(statement) {
            Ok(nonce) => need(
                token_nonce(&self.id_token).as_deref() == Some(nonce.as_str()),
                "/idToken",
                "the token was not signed for this statement: its nonce is another one",
            ),
            Err(StatementError::Salt) => {
                need(false, "/statement/salt", "32 bytes in base64url without padding");
            }
            Err(error) => need(false, "/statement/items", &error.to_string()),
        }
    }

    /// The single item, which must be about this request.
    pub(crate) fn item(
        &self,
        base: &str,
        request: RequestId,
        faults: &mut Vec<FieldFault>,
    ) -> Option<&ActItem> {
        let [item] = self.statement.items.as_slice() else {
            let place = format!("{base}/statement/items");
            faults.push(FieldFault::new(place, "one act is about one request here"));
            return None;
        };
        if item.request != request {
            let place = format!("{base}/statement/items/0/request");
            faults.push(FieldFault::new(place, "this is another request"));
        }
        Some(item)
    }

    /// The row of this act.
    pub(crate) fn row(&self, ctx: &Ctx, request: RequestId) -> NewAct {
        self.row_with_id(ctx, request, ActId::from_uuid(ctx.app.new_id()))
    }

    pub(crate) fn row_with_id(&self, ctx: &Ctx, request: RequestId, act: ActId) -> NewAct {
        NewAct {
            act,
            request,
            kind: self.statement.act,
            id_token: self.id_token.clone(),
            token_digest: self.token_digest(),
            statement: canonical_bytes(&self.statement),
            comment: self.comment.clone(),
            claimed_display: ctx.person.display.clone(),
            received_at: ctx.app.now(),
        }
    }

    /// That it came in. The token is named by its digest only.
    pub(crate) fn event(&self, ctx: &Ctx, row: &NewAct) -> Event {
        let item = self.statement.items.first();
        let detail = json!({
            "act": row.act,
            "kind": row.kind.as_str(),
            "round": item.map(|item| item.round),
            "stage": item.map(|item| item.stage.as_str()).filter(|stage| !stage.is_empty()),
            "token": row.token_digest,
        });
        ctx.app.event(EventKind::ActReceived, &ctx.person, Some(row.request), None, detail)
    }
}

/// Whether a text has nothing in it that would make a page show something else than what is there.
pub(crate) fn is_readable(text: &str) -> bool {
    !text.chars().any(|c| is_unsafe_in_text(c) && c != '\n')
}

/// The nonce in a token's payload. Nothing is verified.
fn token_nonce(token: &str) -> Option<String> {
    if token.len() > MAX_TOKEN {
        return None;
    }
    unverified_claims(token)?.get("nonce").and_then(Value::as_str).map(str::to_owned)
}

/// Stores an approval, a rejection or a withdrawal. The same token again gives the same act.
pub async fn act_create(
    ctx: &Ctx,
    request: RequestId,
    input: &ActInput,
) -> Result<ActId, AppError> {
    let visibility = ctx.visibility();
    let row = ctx.app.store.request_get(&visibility, request).await?;
    ctx.must(Resource::Request, Verb::Act)?;
    let known = ctx.app.store.acts_of_request(request).await?;
    let digest = input.token_digest();
    if let Some(same) = known.iter().find(|act| act.token_digest == digest.as_bytes()[..]) {
        return same_act(same, input);
    }
    let mut faults = Vec::new();
    input.check("", &trust(&ctx.app).await?, &mut faults);
    let item = input.item("", request, &mut faults);
    if input.statement.act == ActKind::Suspend {
        let message = "a suspension belongs to no request: POST /api/v1/suspensions";
        faults.push(FieldFault::new("/statement/act", message));
    } else if input.statement.act == ActKind::Submit {
        faults.push(FieldFault::new(
            "/statement/act",
            "a submission comes with its documents: POST /api/v1/requests",
        ));
    } else if let Some(item) = item {
        check_state(ctx, &row, input.statement.act)?;
        check_item(ctx, &row, input.statement.act, item, &mut faults).await?;
    }
    if !faults.is_empty() {
        return Err(AppError::Invalid(faults));
    }
    if known.len() >= MAX_ACTS {
        return Err(AppError::conflict(
            "this request has taken all the acts it takes",
            "submit the documents again",
        ));
    }
    let new = input.row(ctx, request);
    match ctx.app.store.act_insert(&new, &[input.event(ctx, &new)]).await {
        // It came in twice at once, or it is another request's.
        Err(StorageError::AlreadyUsed(_)) => {
            let known = ctx.app.store.acts_of_request(request).await?;
            let same = known.iter().find(|act| act.token_digest == digest.as_bytes()[..]);
            return same.map_or_else(|| Err(used_for_another()), |same| same_act(same, input));
        }
        other => other?,
    }
    tracing::info!(request = %request, act = %new.act, kind = new.kind.as_str(), "app.act.stored");
    Ok(new.act)
}

/// The act that this token is already, if it was signed for the same.
fn same_act(same: &ActRow, input: &ActInput) -> Result<ActId, AppError> {
    if same.statement == canonical_bytes(&input.statement) {
        return Ok(same.act);
    }
    Err(used_for_another())
}

fn used_for_another() -> AppError {
    AppError::conflict("this sign-in was used for another act", "sign in anew for each act")
}

fn check_state(ctx: &Ctx, row: &RequestRow, kind: ActKind) -> Result<(), AppError> {
    if kind == ActKind::Withdraw && row.submitter.machine().is_some() {
        return Err(AppError::forbidden(
            "a machine submitted this, and a machine signs nothing",
            "reject it if you have a vote in it",
        ));
    }
    if kind == ActKind::Withdraw && row.submitter != ctx.person.id {
        return Err(AppError::forbidden(
            "only the submitter can take a request back",
            "reject it if you have a vote in it",
        ));
    }
    let open = match kind {
        ActKind::Approve => matches!(row.state, State::InReview | State::Approved),
        _ => matches!(row.state, State::Submitted | State::InReview | State::Approved),
    };
    if open {
        return Ok(());
    }
    let hint = if row.state == State::Submitted {
        "wait until the executor has frozen a plan"
    } else {
        "submit the documents again if they are still wanted"
    };
    Err(AppError::conflict(format!("the request is {}", words(row.state)), hint))
}

fn words(state: State) -> String {
    state.as_str().replace('_', " ")
}

async fn check_item(
    ctx: &Ctx,
    row: &RequestRow,
    kind: ActKind,
    item: &ActItem,
    faults: &mut Vec<FieldFault>,
) -> Result<(), AppError> {
    let mut fault = |field: &str, message: String| {
        faults.push(FieldFault::new(format!("/statement/items/0/{field}"), message));
    };
    // A no may also be to the submission itself: it stands whatever plan is made of it.
    if kind != ActKind::Approve && item.round == 0 {
        if item.content != submission_digest(&submission_of(row)?) {
            fault("content", "this is not the hash of the submission; read it again".to_owned());
        }
        if !item.stage.is_empty() {
            fault("stage", "only approvals name a stage".to_owned());
        }
        return Ok(());
    }
    if i64::from(item.round) != i64::from(row.round) {
        fault("round", format!("the plan is in round {}; read it again and sign that", row.round));
        return Ok(());
    }
    if row.plan_hash.as_deref() != Some(&item.content.as_bytes()[..]) {
        fault("content", "this is not the hash of the frozen plan; read it again".to_owned());
        return Ok(());
    }
    if kind != ActKind::Approve {
        if !item.stage.is_empty() {
            fault("stage", "only approvals name a stage".to_owned());
        }
        return Ok(());
    }
    let stored = ctx.app.store.plan_latest(row.request).await?;
    let plan = Plan::from_canonical(&stored.canonical).map_err(|_| AppError::corrupt("plan"))?;
    if !plan.stages.iter().any(|stage| stage.name == item.stage) {
        let names: Vec<&str> = plan.stages.iter().map(|stage| stage.name.as_str()).collect();
        fault("stage", format!("the plan's stages are: {}", names.join(", ")));
    }
    Ok(())
}

/// All acts of a request with the executor's receipts, in the order they came in.
pub async fn act_list(ctx: &Ctx, request: RequestId) -> Result<Vec<ActRow>, AppError> {
    let visibility = ctx.visibility();
    ctx.app.store.request_get(&visibility, request).await?;
    Ok(ctx.app.store.acts_of_request(request).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nonce_is_read_from_three_parts_and_nothing_else() {
        // {"nonce":"srg1.x"}
        let payload = "eyJub25jZSI6InNyZzEueCJ9";
        assert_eq!(token_nonce(&format!("h.{payload}.s")).as_deref(), Some("srg1.x"));
        for bad in ["", "h.s", "h.!.s", "a.b.c.d", &format!("h.{payload}.s.t")] {
            assert_eq!(token_nonce(bad), None, "{bad}");
        }
        assert_eq!(token_nonce(&format!("h.{payload}.{}", "s".repeat(MAX_TOKEN))), None);
    }

    #[test]
    fn text_that_deceives_is_not_readable() {
        assert!(is_readable("two\nlines, ünd a smile 🙂"));
        assert!(!is_readable("bell\u{7}") && !is_readable("turned \u{202e}round"));
    }
}
