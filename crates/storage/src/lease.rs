//! The executor's lease: one writer per engine, with an epoch that only grows.
//!
//! Database time only: clocks of hosts may differ.

use std::time::Duration;

use jiff::Timestamp;
use sqlx::{Postgres, Transaction};
use strongroom_domain::id::EngineId;

use crate::Store;
use crate::error::StorageError;
use crate::time::{from_db, to_db};

/// The name of the lease of an engine's executor.
pub fn executor_lease(engine: EngineId) -> String {
    format!("executor/{engine}")
}

/// Who holds a lease, or held it last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseState {
    /// The process.
    pub holder: String,
    /// Grows with every change of holder.
    pub epoch: i64,
    /// Until when it lasts or lasted, by the database's clock.
    pub until: Timestamp,
    /// Whether that is yet to come.
    pub is_held: bool,
    /// When the holder last knew what is there.
    pub looked_at: Option<Timestamp>,
}

/// The lease that a store's changes are bound to.
#[derive(Debug, Clone)]
pub(crate) struct Fence {
    name: String,
    holder: String,
    epoch: i64,
}

impl Store {
    /// From now on this store changes nothing unless the lease is this holder's in this epoch, to be
    /// seen in the same transaction: who was stopped past it moves no row any more.
    pub fn fence(&mut self, name: &str, holder: &str, epoch: i64) {
        self.fence = Some(Fence { name: name.to_owned(), holder: holder.to_owned(), epoch });
    }

    /// Begins a change.
    pub(crate) async fn begin(&self) -> Result<Transaction<'static, Postgres>, StorageError> {
        let mut tx = self.pool.begin().await?;
        let Some(fence) = &self.fence else {
            return Ok(tx);
        };
        // Shared: several changes of one holder go on side by side, a successor waits for them.
        let (held,): (bool,) = sqlx::query_as(
            "SELECT EXISTS (SELECT FROM leases WHERE name = $1 AND holder = $2 AND epoch = $3 \
             AND expires_at > clock_timestamp() FOR SHARE)",
        )
        .bind(&fence.name)
        .bind(&fence.holder)
        .bind(fence.epoch)
        .fetch_one(&mut *tx)
        .await?;
        if held { Ok(tx) } else { Err(StorageError::LeaseLost) }
    }

    /// Takes or renews the lease; gives its epoch, or `None` while somebody else holds it.
    ///
    /// The epoch grows with every change of holder, so that a writer that was paused past its
    /// lease can be told from its successor. `looked` is when the holder last knew what is there.
    pub async fn lease_acquire(
        &self,
        name: &str,
        holder: &str,
        seconds: i32,
        looked: Option<Timestamp>,
    ) -> Result<Option<i64>, StorageError> {
        let row: Option<(i64,)> = sqlx::query_as(
            "INSERT INTO leases (name, holder, epoch, expires_at, looked_at) \
             VALUES ($1, $2, 1, now() + make_interval(secs => $3), $4) \
             ON CONFLICT (name) DO UPDATE SET \
               epoch = CASE WHEN leases.holder = excluded.holder AND leases.expires_at > now() \
                            THEN leases.epoch ELSE leases.epoch + 1 END, \
               holder = excluded.holder, expires_at = excluded.expires_at, \
               looked_at = coalesce(excluded.looked_at, leases.looked_at) \
             WHERE leases.holder = excluded.holder OR leases.expires_at <= now() \
             RETURNING epoch",
        )
        .bind(name)
        .bind(holder)
        .bind(f64::from(seconds))
        .bind(looked.map(to_db))
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(|(epoch,)| epoch))
    }

    /// How long this holder has the lease in this epoch yet; nothing when it has it no more.
    pub async fn lease_left(
        &self,
        name: &str,
        holder: &str,
        epoch: i64,
    ) -> Result<Duration, StorageError> {
        let row: Option<(f64,)> = sqlx::query_as(
            "SELECT extract(epoch FROM expires_at - clock_timestamp())::float8 FROM leases \
             WHERE name = $1 AND holder = $2 AND epoch = $3",
        )
        .bind(name)
        .bind(holder)
        .bind(epoch)
        .fetch_optional(&self.pool)
        .await?;
        let left = row.and_then(|(seconds,)| Duration::try_from_secs_f64(seconds).ok());
        Ok(left.unwrap_or_default())
    }

    /// Who holds a lease, or held it last; `None` when nobody ever did.
    pub async fn lease_get(&self, name: &str) -> Result<Option<LeaseState>, StorageError> {
        type Row = (String, i64, jiff_sqlx::Timestamp, bool, Option<jiff_sqlx::Timestamp>);
        let row: Option<Row> = sqlx::query_as(
            "SELECT holder, epoch, expires_at, expires_at > now(), looked_at FROM leases \
             WHERE name = $1",
        )
        .bind(name)
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(|(holder, epoch, until, is_held, looked_at)| LeaseState {
            holder,
            epoch,
            until: until.to_jiff(),
            is_held,
            looked_at: from_db(looked_at),
        }))
    }

    /// Raises the epoch of a lease that this holder has, where the heads know a later one.
    pub async fn lease_raise(
        &self,
        name: &str,
        holder: &str,
        epoch: i64,
        to: i64,
    ) -> Result<bool, StorageError> {
        let done = sqlx::query(
            "UPDATE leases SET epoch = $4 WHERE name = $1 AND holder = $2 AND epoch = $3 \
             AND expires_at > now()",
        )
        .bind(name)
        .bind(holder)
        .bind(epoch)
        .bind(to)
        .execute(&self.pool)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Gives the lease back, so that a successor need not wait.
    pub async fn lease_release(&self, name: &str, holder: &str) -> Result<(), StorageError> {
        sqlx::query("UPDATE leases SET expires_at = now() WHERE name = $1 AND holder = $2")
            .bind(name)
            .bind(holder)
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}
