//! The executor's journal: intent before every engine write, receipt after it.

use jiff::Timestamp;
use strongroom_domain::Digest;
use strongroom_domain::event::Event;
use strongroom_domain::id::{EngineId, RequestId};

use crate::Store;
use crate::error::StorageError;
use crate::event;
use crate::time::to_db;

/// One line of the journal.
#[derive(Debug, Clone)]
pub struct JournalEntry {
    /// Which engine.
    pub engine: EngineId,
    /// The request whose plan this belongs to.
    pub request: Option<RequestId>,
    /// The plan's hash.
    pub plan_hash: Option<Digest>,
    /// The standing order, where it is not a step.
    pub standing_order: Option<String>,
    /// The step's place in the plan, 0 for standing orders and heads.
    pub step: i32,
    /// `create`, `update`, `delete` or another verb.
    pub operation: String,
    /// The object's kind.
    pub object_kind: String,
    /// The object's name.
    pub object_name: String,
    /// The fingerprint after the write.
    pub after_hash: Option<Digest>,
    /// The epoch of the lease.
    pub epoch: i64,
    /// When.
    pub at: Timestamp,
}

/// How a write ended.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// `written`, `already`, `failed` or `unknown`.
    pub outcome: String,
    /// The engine's id of the request.
    pub engine_request_id: Option<String>,
}

impl Store {
    /// Records that a write is about to be tried.
    pub async fn journal_intent(
        &self,
        entry: &JournalEntry,
        events: &[Event],
    ) -> Result<(), StorageError> {
        let mut tx = self.begin().await?;
        insert(&mut tx, entry, "intent", None).await?;
        event::append(&mut tx, events).await?;
        Ok(tx.commit().await?)
    }

    /// Records how a write ended.
    pub async fn journal_receipt(
        &self,
        entry: &JournalEntry,
        outcome: &Outcome,
        events: &[Event],
    ) -> Result<(), StorageError> {
        let mut tx = self.begin().await?;
        insert(&mut tx, entry, "receipt", Some(outcome)).await?;
        event::append(&mut tx, events).await?;
        Ok(tx.commit().await?)
    }
}

async fn insert(
    tx: &mut sqlx::PgConnection,
    entry: &JournalEntry,
    phase: &str,
    outcome: Option<&Outcome>,
) -> Result<(), StorageError> {
    sqlx::query(
        "INSERT INTO journal (engine_id, request_id, plan_hash, standing_order, step, phase, \
         operation, object_kind, object_name, after_hash, outcome, engine_request_id, epoch, at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
    )
    .bind(entry.engine.as_uuid())
    .bind(entry.request.map(RequestId::as_uuid))
    .bind(entry.plan_hash.map(|hash| hash.as_bytes().to_vec()))
    .bind(&entry.standing_order)
    .bind(entry.step)
    .bind(phase)
    .bind(&entry.operation)
    .bind(&entry.object_kind)
    .bind(&entry.object_name)
    .bind(entry.after_hash.map(|hash| hash.as_bytes().to_vec()))
    .bind(outcome.map(|o| o.outcome.clone()))
    .bind(outcome.and_then(|o| o.engine_request_id.clone()))
    .bind(entry.epoch)
    .bind(to_db(entry.at))
    .execute(tx)
    .await?;
    Ok(())
}
