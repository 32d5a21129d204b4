//! What waits for the caller's signature: frozen plans in which one more vote of theirs would count.
//!
//! It is told by the executor's receipts as they are stored and by the groups of the caller's sign-in. It
//! decides nothing: whether a vote counts is judged by the executor, from what was signed.

use std::cmp::Reverse;

use jiff::Timestamp;
use strongroom_acts::receipt::Answer;
use strongroom_authorization::{Resource, Verb};
use strongroom_domain::act::ActKind;
use strongroom_domain::request::{State, Tally, Vote, surely_counts};
use strongroom_domain::risk::Risk;
use strongroom_plan::Plan;
use strongroom_storage::StorageError;
use strongroom_storage::request::{RequestFilter, Visibility};

use crate::act::ActRow;
use crate::context::Ctx;
use crate::error::AppError;
use crate::request::{RequestRow, RequestSummary};

/// How many requests in review are looked at, the newest.
const MOST: i64 = 200;

/// A request that waits for the caller.
#[derive(Debug, Clone)]
pub struct Waiting {
    /// The request.
    pub summary: RequestSummary,
    /// The risk of its plan.
    pub risk: Risk,
    /// The stage in which the caller's vote would count.
    pub stage: String,
    /// Votes that count there.
    pub votes: usize,
    /// Votes that are needed there.
    pub needed: u32,
    /// Since when it waits.
    pub frozen_at: Timestamp,
}

/// What waits for the caller, the riskiest first, of those the longest waiting; and whether more are in
/// review than were looked at.
pub async fn inbox_list(ctx: &Ctx) -> Result<(Vec<Waiting>, bool), AppError> {
    ctx.must(Resource::Request, Verb::List)?;
    if ctx.machine().is_some() || ctx.is_auditor() {
        return Ok((Vec::new(), false));
    }
    let visibility = ctx.visibility();
    let filter = RequestFilter { state: Some(State::InReview), ..RequestFilter::default() };
    let rows = ctx.app.store.request_list(&visibility, &filter, MOST).await?;
    let more = i64::try_from(rows.len()).is_ok_and(|count| count >= MOST);
    let mut waiting = Vec::new();
    for row in rows {
        waiting.extend(look(ctx, &visibility, row).await?);
    }
    waiting.sort_by_key(|each| (Reverse(each.risk), each.frozen_at));
    Ok((waiting, more))
}

async fn look(
    ctx: &Ctx,
    visibility: &Visibility,
    row: RequestRow,
) -> Result<Option<Waiting>, AppError> {
    let store = &ctx.app.store;
    let stored = match store.plan_latest(row.request).await {
        Ok(stored) => stored,
        // It is being frozen anew.
        Err(StorageError::NotFound) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    // One that cannot be read must not hide all others.
    let Ok(plan) = Plan::from_canonical(&stored.canonical) else { return Ok(None) };
    if !plan.stages.iter().any(|stage| stage.admits(&ctx.person)) {
        return Ok(None);
    }
    let acts = store.acts_of_request(row.request).await?;
    let votes = standing(&row, &plan, &acts, ctx.app.now());
    let tally = Tally::count(&plan.stages, &plan.submitter, &votes);
    let open = tally.counted.iter().find(|(stage, people)| {
        let vote = Vote { by: ctx.person.clone(), stage: stage.name.clone() };
        people.len() < stage.votes as usize && tally.judge(&plan.submitter, &vote).is_ok()
    });
    let Some((stage, people)) = open else { return Ok(None) };
    let mut subjects = store.request_subjects(visibility, &[row.request]).await?;
    Ok(Some(Waiting {
        stage: stage.name.clone(),
        votes: people.len(),
        needed: stage.votes,
        risk: plan.risk,
        frozen_at: stored.frozen_at,
        summary: RequestSummary {
            subjects: subjects.remove(&row.request).unwrap_or_default(),
            row,
        },
    }))
}

/// Approvals of this round that the executor counted and that surely still count.
fn standing(row: &RequestRow, plan: &Plan, acts: &[ActRow], now: Timestamp) -> Vec<Vote> {
    let counted = acts.iter().filter(|act| {
        act.kind == ActKind::Approve.as_str()
            && surely_counts(row.state_reason.as_deref(), act.received_at, now)
    });
    counted
        .filter_map(|act| match Answer::parse(&act.receipt.as_ref()?.canonical)? {
            Answer::Counted(receipt) => Some(receipt),
            Answer::Refused(_) => None,
        })
        .flat_map(|receipt| {
            let by = receipt.signed_person();
            let items = receipt.items.into_iter().filter(|item| item.round == plan.round);
            items.map(move |item| Vote { by: by.clone(), stage: item.stage }).collect::<Vec<_>>()
        })
        .collect()
}
