//! The ledger's events as the viewer may see them.

pub use strongroom_storage::event::{EventFilter, LedgerRow};

use crate::context::Ctx;
use crate::error::AppError;

/// Where a page of events begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventPlace {
    /// After this sequence, oldest first.
    After(i64),
    /// Before this sequence, newest first.
    Before(i64),
}

/// Events from a place on, and whether there are more.
pub async fn event_list(
    ctx: &Ctx,
    filter: &EventFilter,
    place: EventPlace,
    limit: u32,
) -> Result<(Vec<LedgerRow>, bool), AppError> {
    let visibility = ctx.visibility();
    let (store, most) = (&ctx.app.store, i64::from(limit) + 1);
    let mut rows = match place {
        EventPlace::After(after) => store.events_list(&visibility, filter, after, most).await?,
        EventPlace::Before(before) => {
            store.events_latest(&visibility, filter, before, most).await?
        }
    };
    let more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    Ok((rows, more))
}
