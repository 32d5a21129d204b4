//! The executor's lease: one writer per engine, with an epoch that only grows.
//!
//! Database time only: clocks of hosts may differ.

use crate::Store;
use crate::error::StorageError;

impl Store {
    /// Takes or renews the lease; gives its epoch, or `None` while somebody else holds it.
    ///
    /// The epoch grows with every change of holder, so that a writer that was paused past its
    /// lease can be told from its successor.
    pub async fn lease_acquire(
        &self,
        name: &str,
        holder: &str,
        seconds: i32,
    ) -> Result<Option<i64>, StorageError> {
        let row: Option<(i64,)> = sqlx::query_as(
            "INSERT INTO leases (name, holder, epoch, expires_at) \
             VALUES ($1, $2, 1, now() + make_interval(secs => $3)) \
             ON CONFLICT (name) DO UPDATE SET \
               epoch = CASE WHEN leases.holder = excluded.holder AND leases.expires_at > now() \
                            THEN leases.epoch ELSE leases.epoch + 1 END, \
               holder = excluded.holder, expires_at = excluded.expires_at \
             WHERE leases.holder = excluded.holder OR leases.expires_at <= now() \
             RETURNING epoch",
        )
        .bind(name)
        .bind(holder)
        .bind(f64::from(seconds))
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(|(epoch,)| epoch))
    }

    /// Whether this holder has the lease in this epoch for at least so many seconds more.
    pub async fn lease_check(
        &self,
        name: &str,
        holder: &str,
        epoch: i64,
        seconds: i32,
    ) -> Result<bool, StorageError> {
        let (held,): (bool,) = sqlx::query_as(
            "SELECT EXISTS (SELECT FROM leases WHERE name = $1 AND holder = $2 AND epoch = $3 \
             AND expires_at > now() + make_interval(secs => $4))",
        )
        .bind(name)
        .bind(holder)
        .bind(epoch)
        .bind(f64::from(seconds))
        .fetch_one(&self.pool)
        .await?;
        Ok(held)
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
