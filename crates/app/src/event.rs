//! The ledger's events as the viewer may see them.

pub use strongroom_storage::event::{EventFilter, LedgerRow};

use crate::context::Ctx;
use crate::error::AppError;

/// Events after a place in the ledger, in order, and whether there are more.
pub async fn event_list(
    ctx: &Ctx,
    filter: &EventFilter,
    after: i64,
    limit: u32,
) -> Result<(Vec<LedgerRow>, bool), AppError> {
    let visibility = ctx.visibility().await?;
    let most = i64::from(limit) + 1;
    let mut rows = ctx.app.store.events_list(&visibility, filter, after, most).await?;
    let more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    Ok((rows, more))
}
