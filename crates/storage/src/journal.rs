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
    /// Records that writes are about to be tried.
    pub async fn journal_intent(
        &self,
        entries: &[JournalEntry],
        events: &[Event],
    ) -> Result<(), StorageError> {
        let mut tx = self.begin().await?;
        let entries: Vec<_> = entries.iter().map(|entry| (entry, None)).collect();
        insert(&mut tx, &entries, "intent").await?;
        event::append(&mut tx, events).await?;
        Ok(tx.commit().await?)
    }

    /// Records how writes ended.
    pub async fn journal_receipt(
        &self,
        entries: &[(JournalEntry, Outcome)],
        events: &[Event],
    ) -> Result<(), StorageError> {
        let mut tx = self.begin().await?;
        let entries: Vec<_> =
            entries.iter().map(|(entry, outcome)| (entry, Some(outcome))).collect();
        insert(&mut tx, &entries, "receipt").await?;
        event::append(&mut tx, events).await?;
        Ok(tx.commit().await?)
    }
}

/// One statement, however many lines.
async fn insert(
    tx: &mut sqlx::PgConnection,
    entries: &[(&JournalEntry, Option<&Outcome>)],
    phase: &str,
) -> Result<(), StorageError> {
    let mut query = sqlx::QueryBuilder::new(
        "INSERT INTO journal (engine_id, request_id, plan_hash, standing_order, step, phase, \
         operation, object_kind, object_name, after_hash, outcome, engine_request_id, epoch, at) ",
    );
    query.push_values(entries, |mut line, (entry, outcome)| {
        line.push_bind(entry.engine.as_uuid())
            .push_bind(entry.request.map(RequestId::as_uuid))
            .push_bind(entry.plan_hash.map(|hash| hash.as_bytes().to_vec()))
            .push_bind(&entry.standing_order)
            .push_bind(entry.step)
            .push_bind(phase)
            .push_bind(&entry.operation)
            .push_bind(&entry.object_kind)
            .push_bind(&entry.object_name)
            .push_bind(entry.after_hash.map(|hash| hash.as_bytes().to_vec()))
            .push_bind(outcome.map(|outcome| &outcome.outcome))
            .push_bind(outcome.and_then(|outcome| outcome.engine_request_id.as_deref()))
            .push_bind(entry.epoch)
            .push_bind(to_db(entry.at));
    });
    query.build().execute(tx).await?;
    Ok(())
}
