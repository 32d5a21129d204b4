//! Keyed, deduplicated work for the executor, and the wake-up that comes with it.
//!
//! NOTIFY only wakes: notifications are lost on reconnects, so the work itself is found by looking.

use std::time::Duration;

use sqlx::PgConnection;
use sqlx::postgres::PgListener;

use crate::Store;
use crate::error::StorageError;

/// The channel that new work is announced on. Its payload is never used.
const CHANNEL: &str = "strongroom_work";

/// One piece of claimed work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Work {
    /// What is to be done.
    pub kind: String,
    /// To what.
    pub key: String,
    /// Grows with every new trigger; finishing an older one leaves the newer.
    pub generation: i64,
    /// How often it was tried.
    pub attempts: i32,
}

/// Adds work or merges it with what waits, inside the transaction that causes it.
pub(crate) async fn enqueue(
    tx: &mut PgConnection,
    kind: &str,
    key: &str,
) -> Result<(), StorageError> {
    sqlx::query(
        "INSERT INTO work (kind, key) VALUES ($1, $2) ON CONFLICT (kind, key) DO UPDATE SET \
         generation = work.generation + 1, due_at = least(work.due_at, now())",
    )
    .bind(kind)
    .bind(key)
    .execute(&mut *tx)
    .await?;
    sqlx::query("SELECT pg_notify('strongroom_work', '')").execute(tx).await?;
    Ok(())
}

impl Store {
    /// Claims work that is due for a while.
    pub async fn work_claim(
        &self,
        holder: &str,
        seconds: i32,
        limit: i64,
    ) -> Result<Vec<Work>, StorageError> {
        let rows: Vec<(String, String, i64, i32)> = sqlx::query_as(
            // A few due rows that nobody holds, locked so that two claims never get the same one;
            // rows another claim has locked are skipped, not waited for.
            "WITH due AS (SELECT kind, key FROM work \
               WHERE due_at <= now() AND (lease_until IS NULL OR lease_until < now()) \
               ORDER BY due_at LIMIT $3 FOR UPDATE SKIP LOCKED) \
             UPDATE work SET holder = $1, lease_until = now() + make_interval(secs => $2), \
               attempts = attempts + 1 \
             FROM due WHERE work.kind = due.kind AND work.key = due.key \
             RETURNING work.kind, work.key, work.generation, work.attempts",
        )
        .bind(holder)
        .bind(f64::from(seconds))
        .bind(limit)
        .fetch_all(&self.pool)
        .await?;
        let work = |(kind, key, generation, attempts)| Work { kind, key, generation, attempts };
        Ok(rows.into_iter().map(work).collect())
    }

    /// Ends claimed work, unless it was triggered again meanwhile or is no longer ours.
    pub async fn work_finish(&self, holder: &str, work: &Work) -> Result<bool, StorageError> {
        let done = sqlx::query(
            "DELETE FROM work WHERE kind = $1 AND key = $2 AND generation = $3 AND holder = $4",
        )
        .bind(&work.kind)
        .bind(&work.key)
        .bind(work.generation)
        .bind(holder)
        .execute(&self.pool)
        .await?;
        if done.rows_affected() == 1 {
            return Ok(true);
        }
        // Triggered again while it ran: it is due at once.
        sqlx::query(
            "UPDATE work SET holder = NULL, lease_until = NULL, attempts = 0, due_at = now() \
             WHERE kind = $1 AND key = $2 AND holder = $3",
        )
        .bind(&work.kind)
        .bind(&work.key)
        .bind(holder)
        .execute(&self.pool)
        .await?;
        Ok(false)
    }

    /// Puts claimed work back for later, with the reason.
    pub async fn work_retry(
        &self,
        holder: &str,
        work: &Work,
        seconds: i32,
        error: &str,
    ) -> Result<(), StorageError> {
        sqlx::query(
            "UPDATE work SET holder = NULL, lease_until = NULL, last_error = $5, \
             due_at = CASE WHEN generation = $4 THEN now() + make_interval(secs => $6) ELSE now() END \
             WHERE kind = $1 AND key = $2 AND holder = $3",
        )
        .bind(&work.kind)
        .bind(&work.key)
        .bind(holder)
        .bind(work.generation)
        .bind(error.chars().take(1000).collect::<String>())
        .bind(f64::from(seconds))
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Listens for new work.
    pub async fn wakeup(&self) -> Result<Wakeup, StorageError> {
        let mut listener = PgListener::connect_with(&self.pool).await?;
        listener.listen(CHANNEL).await?;
        Ok(Wakeup(listener))
    }
}

/// Waits for new work or for time to pass.
#[derive(Debug)]
pub struct Wakeup(PgListener);

impl Wakeup {
    /// Returns at the next announcement, or after `most` at the latest.
    pub async fn wait(&mut self, most: Duration) {
        // A lost connection is like a time-out: the caller looks for itself, the listener connects
        // again by itself.
        let _ = tokio::time::timeout(most, self.0.recv()).await;
    }
}
