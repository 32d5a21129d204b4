//! What the ledger says was applied, and how it stood, at an earlier moment. These are rows: who wants
//! proof of them takes the acts and plans beside them.

use jiff::Timestamp;
use serde_json::Value;
use sqlx::FromRow;
use strongroom_domain::id::RequestId;
use uuid::Uuid;

use crate::Store;
use crate::error::StorageError;
use crate::time::to_db;

/// The most events of one team that are read for one moment, the newest before it.
const MOST: i64 = 20_000;

/// A team's document that was applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentThen {
    /// The team.
    pub team: String,
    /// Its revision.
    pub revision: i64,
    /// The request that brought it.
    pub request: RequestId,
    /// When it was applied.
    pub applied_at: Timestamp,
    /// The canonical document.
    pub canonical: Vec<u8>,
}

/// What happened to a team, in the words of its events.
#[derive(Debug, Clone, PartialEq)]
pub struct EventThen {
    /// What kind.
    pub kind: String,
    /// When.
    pub at: Timestamp,
    /// The rest.
    pub detail: Value,
}

#[derive(FromRow)]
struct Raw {
    name: String,
    revision: i64,
    request_id: Uuid,
    at: jiff_sqlx::Timestamp,
    canonical: Vec<u8>,
}

impl Store {
    /// The documents of teams that were applied at a moment: of one team, or of all.
    pub async fn documents_then(
        &self,
        team: Option<&str>,
        at: Timestamp,
    ) -> Result<Vec<DocumentThen>, StorageError> {
        let rows: Vec<Raw> = sqlx::query_as(
            "SELECT DISTINCT ON (d.name) d.name, d.revision, d.request_id, e.at, v.canonical \
             FROM change_request_documents d \
             JOIN ledger_events e ON e.request_id = d.request_id AND e.kind = 'request.applied' \
             JOIN revisions v ON v.kind = d.kind AND v.name = d.name AND v.number = d.revision \
             WHERE d.kind = 'team' AND ($1::text IS NULL OR d.name = $1) AND e.at <= $2 \
             ORDER BY d.name, e.sequence DESC",
        )
        .bind(team)
        .bind(to_db(at))
        .fetch_all(&self.pool)
        .await?;
        let row = |raw: Raw| DocumentThen {
            team: raw.name,
            revision: raw.revision,
            request: RequestId::from_uuid(raw.request_id),
            applied_at: raw.at.to_jiff(),
            canonical: raw.canonical,
        };
        Ok(rows.into_iter().map(row).collect())
    }

    /// When a revision of a team's document was applied, and when the next one was.
    pub async fn revision_time(
        &self,
        team: &str,
        revision: i64,
    ) -> Result<(Timestamp, Option<Timestamp>), StorageError> {
        let (from, until): (jiff_sqlx::Timestamp, Option<jiff_sqlx::Timestamp>) = sqlx::query_as(
            "SELECT e.at, (SELECT min(l.at) FROM change_request_documents n \
               JOIN ledger_events l ON l.request_id = n.request_id AND l.kind = 'request.applied' \
               WHERE n.kind = 'team' AND n.name = $1 AND l.sequence > e.sequence) \
             FROM change_request_documents d \
             JOIN ledger_events e ON e.request_id = d.request_id AND e.kind = 'request.applied' \
             WHERE d.kind = 'team' AND d.name = $1 AND d.revision = $2 \
             ORDER BY e.sequence DESC LIMIT 1",
        )
        .bind(team)
        .bind(revision)
        .fetch_one(&self.pool)
        .await?;
        Ok((from.to_jiff(), crate::time::from_db(until)))
    }

    /// What happened to a subject until a moment, of these kinds, the newest first.
    pub async fn events_then(
        &self,
        subject: &str,
        kinds: &[&str],
        at: Timestamp,
    ) -> Result<Vec<EventThen>, StorageError> {
        let rows: Vec<(i64, String, jiff_sqlx::Timestamp, Vec<u8>)> = sqlx::query_as(
            "SELECT sequence, kind, at, canonical FROM ledger_events WHERE subject = $1 \
             AND kind = ANY ($2) AND at <= $3 ORDER BY sequence DESC LIMIT $4",
        )
        .bind(subject)
        .bind(kinds)
        .bind(to_db(at))
        .bind(MOST)
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|(sequence, kind, at, canonical)| {
                let event: Value =
                    serde_json::from_slice(&canonical).map_err(|_| StorageError::Corrupt {
                        table: "ledger_events",
                        column: "canonical",
                        row: sequence.to_string(),
                    })?;
                let detail = event.get("detail").cloned().unwrap_or_default();
                Ok(EventThen { kind, at: at.to_jiff(), detail })
            })
            .collect()
    }
}
