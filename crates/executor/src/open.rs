//! Taking open requests on: page after page through all of them, so that nobody's is out of sight.
//!
//! However many there are, one pass gives them only so much time: what takes rights away comes
//! before them in every pass. The next pass goes on where this one stopped, never at the first one
//! again.

use std::time::{Duration, Instant};

use strongroom_domain::id::RequestId;
use strongroom_storage::request::RequestRow;

use crate::error::ExecutorError;
use crate::review::sees_all;
use crate::start::Executor;

/// How many are read at once; each row holds its documents.
const PAGE: i64 = 50;

/// How long one pass gives them, besides what the last one takes.
const TIME: Duration = Duration::from_secs(10);

/// How often they are gone through in one pass while something moves.
const ROUNDS: usize = 6;

/// Where the way through the open requests stands.
#[derive(Debug, Default)]
pub(crate) struct Open {
    /// The last one that was looked at; none at the beginning.
    after: Option<RequestId>,
    /// Whether some were not looked at for want of time.
    pub(crate) is_pending: bool,
}

impl Executor {
    /// Takes open requests as far as they go, each one several states on if it can.
    pub(crate) async fn requests_advance(&mut self) -> Result<(), ExecutorError> {
        let begun = Instant::now();
        let from_first = self.open.after.is_none();
        self.open.is_pending = true;
        for round in 0..ROUNDS {
            let mut moved = false;
            loop {
                let page = self.store.requests_open(self.open.after, PAGE).await?;
                for row in &page {
                    // First: one that fails in a way that ends the pass is not where the next begins.
                    self.open.after = Some(row.request);
                    moved |= self.request_moved(row).await?;
                    self.lease_keep().await?;
                    if begun.elapsed() > TIME {
                        return Ok(());
                    }
                }
                if i64::try_from(page.len()).is_ok_and(|read| read < PAGE) {
                    break;
                }
            }
            self.open.after = None;
            // One that began in the middle has not seen those before it.
            if !moved && (round > 0 || from_first) {
                break;
            }
        }
        self.open.is_pending = false;
        Ok(())
    }

    /// Takes one as far as it goes now; gives whether it moved. One that fails stops no other.
    async fn request_moved(&mut self, row: &RequestRow) -> Result<bool, ExecutorError> {
        match self.request_advance(row).await {
            Ok(()) => {}
            Err(ExecutorError::LeaseLost) => return Err(ExecutorError::LeaseLost),
            Err(error) => {
                tracing::error!(request = %row.request, %error, "request does not go on");
                return Ok(false);
            }
        }
        let after = self.store.request_get(&sees_all(), row.request).await?;
        Ok((after.state, after.round) != (row.state, row.round))
    }
}
