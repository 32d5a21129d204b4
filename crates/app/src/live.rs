//! What is new in the ledger, as it comes: one look at the database for all who wait.
//!
//! It must not tell anybody more than a list would: what is new is read for each as for a list, and
//! whoever waits long asks again, so that a right that ended ends here too.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use strongroom_domain::person::PersonId;
use strongroom_storage::event::{EventFilter, LedgerRow};
use tokio::sync::{Semaphore, watch};

use crate::context::{App, Ctx};
use crate::error::AppError;
use crate::event::{EventPlace, event_list};

/// How often the ledger is looked at while anybody waits.
const LOOK: Duration = Duration::from_millis(500);

/// How many may wait at once as one person or machine.
const MOST: u32 = 10;

/// How many may wait at once in all.
const MOST_IN_ALL: u32 = 500;

/// How many of them read at once: the others' calls need the database too.
const READERS: usize = 4;

/// Between two full pages: whoever reads all there is takes their time.
const PAUSE: Duration = Duration::from_millis(200);

/// How many events may come before one that has a smaller number.
const SLOW: i64 = 100;

/// How many events one answer holds.
const PAGE: u32 = 100;

/// Those who wait.
#[derive(Debug)]
pub struct Live {
    newest: watch::Sender<i64>,
    waiting: Mutex<BTreeMap<PersonId, u32>>,
    readers: Semaphore,
}

impl Default for Live {
    fn default() -> Self {
        Self {
            newest: watch::Sender::default(),
            waiting: Mutex::default(),
            readers: Semaphore::new(READERS),
        }
    }
}

/// Looks for all who wait, for ever.
pub async fn keep(app: Arc<App>) {
    loop {
        tokio::time::sleep(LOOK).await;
        if app.live.newest.receiver_count() == 0 {
            continue;
        }
        match app.store.event_newest().await {
            Ok(newest) => {
                app.live.newest.send_if_modified(|known| {
                    let is_new = newest > *known;
                    *known = newest;
                    is_new
                });
            }
            Err(error) => tracing::warn!(%error, "whether anything is new is not known"),
        }
    }
}

/// Somebody's place among those who wait, and in the ledger.
#[derive(Debug)]
pub struct Follower {
    ctx: Ctx,
    filter: EventFilter,
    after: i64,
    newest: watch::Receiver<i64>,
    was_full: bool,
}

impl Drop for Follower {
    fn drop(&mut self) {
        let waiting = &self.ctx.app.live.waiting;
        let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = waiting.get_mut(&self.ctx.person.id) {
            *count -= 1;
            if *count == 0 {
                waiting.remove(&self.ctx.person.id);
            }
        }
    }
}

/// Follows the ledger from a place on; from now on where there is none.
pub async fn event_follow(
    ctx: Ctx,
    filter: EventFilter,
    after: Option<i64>,
) -> Result<Follower, AppError> {
    let live = &ctx.app.live;
    let newest = live.newest.subscribe();
    let after = match after {
        Some(after) => after,
        None => ctx.app.store.event_newest().await?,
    };
    {
        let mut waiting = live.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.values().sum::<u32>() >= MOST_IN_ALL {
            return Err(AppError::conflict(
                format!("{MOST_IN_ALL} callers follow events already"),
                "read `GET /api/v1/events?after=…`, or try again later",
            ));
        }
        let count = waiting.entry(ctx.person.id.clone()).or_insert(0);
        if *count >= MOST {
            return Err(AppError::conflict(
                format!("you follow events in {MOST} places already"),
                "end one of them, or read `GET /api/v1/events?after=…`",
            ));
        }
        *count += 1;
    }
    Ok(Follower { ctx, filter, after, newest, was_full: false })
}

impl Follower {
    /// Where it begins: whoever is cut off before anything came goes on from here.
    pub fn place(&self) -> i64 {
        self.after
    }

    /// Waits until there is something new that one may see. Oldest first.
    pub async fn next(&mut self) -> Result<Vec<LedgerRow>, AppError> {
        loop {
            let newest = *self.newest.borrow_and_update();
            if self.was_full {
                tokio::time::sleep(PAUSE).await;
            }
            let place = EventPlace::After(self.after);
            let (rows, more) = {
                // It is never closed.
                let _reads = self.ctx.app.live.readers.acquire().await.ok();
                event_list(&self.ctx, &self.filter, place, PAGE).await?
            };
            self.was_full = more;
            if let Some(last) = rows.last() {
                self.after = last.sequence;
                return Ok(rows);
            }
            if !more {
                // What is not one's own to see is not read again and again. What is numbered and
                // not yet there, because its transaction is slow, is.
                self.after = self.after.max(newest - SLOW);
            }
            if self.newest.changed().await.is_err() {
                return Ok(Vec::new());
            }
        }
    }
}
