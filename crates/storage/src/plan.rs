//! Frozen plans: immutable, one per round of a request.

use jiff::Timestamp;
use strongroom_domain::Digest;
use strongroom_domain::event::Event;
use strongroom_domain::id::RequestId;

use crate::Store;
use crate::error::StorageError;
use crate::event;
use crate::request::RequestRow;
use crate::time::to_db;

/// One frozen plan.
#[derive(Debug, Clone)]
pub struct PlanRow {
    /// The request.
    pub request: RequestId,
    /// The round.
    pub round: i32,
    /// The canonical plan.
    pub canonical: Vec<u8>,
    /// Its hash.
    pub hash: Digest,
    /// The executor's signature over the canonical bytes.
    pub signature: Vec<u8>,
    /// The key that signed.
    pub key_id: String,
    /// When it was frozen.
    pub frozen_at: Timestamp,
    /// When it runs out.
    pub expires_at: Timestamp,
}

type Row = (i32, Vec<u8>, Vec<u8>, Vec<u8>, String, jiff_sqlx::Timestamp, jiff_sqlx::Timestamp);

impl Store {
    /// The newest plan of a request. The caller has made sure that the request may be seen.
    pub async fn plan_latest(&self, request: RequestId) -> Result<PlanRow, StorageError> {
        let (round, canonical, hash, signature, key_id, frozen_at, expires_at): Row =
            sqlx::query_as(
                "SELECT round, canonical, hash, signature, key_id, frozen_at, expires_at \
                 FROM plans WHERE request_id = $1 ORDER BY round DESC LIMIT 1",
            )
            .bind(request.as_uuid())
            .fetch_one(&self.pool)
            .await?;
        let hash: [u8; 32] = hash.try_into().map_err(|_| StorageError::Corrupt {
            table: "plans",
            column: "hash",
            row: request.to_string(),
        })?;
        Ok(PlanRow {
            request,
            round,
            canonical,
            hash: Digest::from_bytes(hash),
            signature,
            key_id,
            frozen_at: frozen_at.to_jiff(),
            expires_at: expires_at.to_jiff(),
        })
    }

    /// Stores a plan and moves its request to review, if nobody else moved it. `why` says what has
    /// become of the round before.
    pub async fn plan_freeze(
        &self,
        row: &RequestRow,
        plan: &PlanRow,
        risk: &str,
        why: Option<&str>,
        at: Timestamp,
        events: &[Event],
    ) -> Result<(), StorageError> {
        let mut tx = self.begin().await?;
        sqlx::query(
            "INSERT INTO plans (request_id, round, canonical, hash, signature, key_id, frozen_at, \
             expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(plan.request.as_uuid())
        .bind(plan.round)
        .bind(&plan.canonical)
        .bind(&plan.hash.as_bytes()[..])
        .bind(&plan.signature)
        .bind(&plan.key_id)
        .bind(to_db(plan.frozen_at))
        .bind(to_db(plan.expires_at))
        .execute(&mut *tx)
        .await?;
        let changed = sqlx::query(
            "UPDATE change_requests SET state = 'in_review', round = $3, risk = $4, \
             plan_hash = $5, state_reason = $7, version = version + 1, updated_at = $6 \
             WHERE request_id = $1 AND version = $2",
        )
        .bind(plan.request.as_uuid())
        .bind(row.version)
        .bind(plan.round)
        .bind(risk)
        .bind(&plan.hash.as_bytes()[..])
        .bind(to_db(at))
        .bind(why)
        .execute(&mut *tx)
        .await?;
        if changed.rows_affected() != 1 {
            return Err(StorageError::Stale);
        }
        event::append(&mut tx, events).await?;
        Ok(tx.commit().await?)
    }
}
