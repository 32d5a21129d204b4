//! The ledger: appended to inside the transaction of what happened, read by pages and auditors.

use jiff::Timestamp;
use serde_json::Value;
use sqlx::PgConnection;
use strongroom_domain::event::{Event, EventKind, SCHEMA_VERSION};
use strongroom_domain::id::RequestId;
use uuid::Uuid;

use crate::Store;
use crate::error::StorageError;
use crate::request::Visibility;
use crate::time::to_db;

/// One ledger row.
#[derive(Debug, Clone)]
pub struct LedgerRow {
    /// Its place in the ledger.
    pub sequence: i64,
    /// Its id.
    pub event_id: Uuid,
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub kind: String,
    /// The canonical event, parsed.
    pub event: Value,
    /// SHA-256 of the domain line and the canonical bytes.
    pub hash: Vec<u8>,
}

/// Appends events inside a transaction.
pub(crate) async fn append(
    connection: &mut PgConnection,
    events: &[Event],
) -> Result<(), StorageError> {
    if events.is_empty() {
        return Ok(());
    }
    let mut query = sqlx::QueryBuilder::new(
        "INSERT INTO ledger_events \
         (event_id, schema_version, at, kind, request_id, subject, canonical, hash) ",
    );
    // One statement, however many; the ledger numbers them in this order.
    query.push_values(events, |mut line, event| {
        let canonical = event.canonical();
        let hash = Event::digest(&canonical).as_bytes().to_vec();
        line.push_bind(event.id.as_uuid())
            .push_bind(SCHEMA_VERSION)
            .push_bind(to_db(event.at))
            .push_bind(event.kind.as_str())
            .push_bind(event.request.map(RequestId::as_uuid))
            .push_bind(event.subject.as_ref().map(ToString::to_string))
            .push_bind(canonical)
            .push_bind(hash);
    });
    query.build().execute(&mut *connection).await?;
    Ok(())
}

/// Which events are asked for.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    /// Of one request.
    pub request: Option<RequestId>,
    /// Of one subject, as text.
    pub subject: Option<String>,
}

type Row = (i64, Uuid, jiff_sqlx::Timestamp, String, Vec<u8>, Vec<u8>);

/// The query of one direction; both stay constant SQL, and both walk the index.
macro_rules! visible_events {
    ($place:literal, $order:literal) => {
        concat!(
            "SELECT e.sequence, e.event_id, e.at, e.kind, e.canonical, e.hash \
             FROM ledger_events e WHERE ",
            $place,
            " AND ($2::uuid IS NULL OR e.request_id = $2) \
               AND ($3::text IS NULL OR e.subject = $3 \
                    OR (e.subject IS NULL AND e.request_id IN (SELECT o.request_id \
                        FROM change_request_documents o WHERE o.kind || '/' || o.name = $3))) \
               AND ($4 \
                    OR e.subject = ANY ($5) \
                    OR (e.subject IS NULL AND e.request_id IN (SELECT r.request_id FROM change_requests r \
                        WHERE r.submitted_issuer = $6 AND r.submitted_person = $7)) \
                    OR (e.subject IS NULL AND e.request_id IN (SELECT d.request_id FROM change_request_documents d \
                        WHERE d.kind || '/' || d.name = ANY ($5)))) \
             ORDER BY e.sequence ",
            $order,
            " LIMIT $8"
        )
    };
}

impl Store {
    /// Appends events that belong to no other change.
    pub async fn event_append(&self, events: &[Event]) -> Result<(), StorageError> {
        let mut tx = self.begin().await?;
        append(&mut tx, events).await?;
        Ok(tx.commit().await?)
    }

    /// The place of the newest event; 0 where there is none.
    pub async fn event_newest(&self) -> Result<i64, StorageError> {
        let query = "SELECT coalesce(max(sequence), 0) FROM ledger_events";
        Ok(sqlx::query_scalar(query).fetch_one(&self.pool).await?)
    }

    /// How many events of a kind one request has.
    pub async fn event_count(
        &self,
        request: RequestId,
        kind: EventKind,
    ) -> Result<i64, StorageError> {
        let query = "SELECT count(*) FROM ledger_events WHERE request_id = $1 AND kind = $2";
        let count = sqlx::query_scalar(query).bind(request.as_uuid()).bind(kind.as_str());
        Ok(count.fetch_one(&self.pool).await?)
    }

    /// Events that the viewer may see, in order.
    pub async fn events_list(
        &self,
        visibility: &Visibility,
        filter: &EventFilter,
        after: i64,
        limit: i64,
    ) -> Result<Vec<LedgerRow>, StorageError> {
        let query = visible_events!("e.sequence > $1", "ASC");
        self.events(query, visibility, filter, after, limit).await
    }

    /// The same backwards, from before a place.
    pub async fn events_latest(
        &self,
        visibility: &Visibility,
        filter: &EventFilter,
        before: i64,
        limit: i64,
    ) -> Result<Vec<LedgerRow>, StorageError> {
        let query = visible_events!("e.sequence < $1", "DESC");
        self.events(query, visibility, filter, before, limit).await
    }

    async fn events(
        &self,
        query: &'static str,
        visibility: &Visibility,
        filter: &EventFilter,
        place: i64,
        limit: i64,
    ) -> Result<Vec<LedgerRow>, StorageError> {
        let rows: Vec<Row> = sqlx::query_as(query)
            .bind(place)
            .bind(filter.request.map(RequestId::as_uuid))
            .bind(&filter.subject)
            .bind(visibility.all)
            .bind(visibility.subjects())
            .bind(&visibility.person.issuer)
            .bind(&visibility.person.person)
            .bind(limit)
            .fetch_all(&self.pool)
            .await?;
        rows.into_iter()
            .map(|(sequence, event_id, at, kind, canonical, hash)| {
                let event =
                    serde_json::from_slice(&canonical).map_err(|_| StorageError::Corrupt {
                        table: "ledger_events",
                        column: "canonical",
                        row: sequence.to_string(),
                    })?;
                Ok(LedgerRow { sequence, event_id, at: at.to_jiff(), kind, event, hash })
            })
            .collect()
    }
}
