//! Findings: what is not as it should be, as last seen. A cache for people; the ledger keeps when
//! each was opened and resolved.

use jiff::Timestamp;
use serde_json::Value;
use sqlx::FromRow;
use strongroom_domain::event::Event;
use strongroom_domain::id::EngineId;
use strongroom_vault_model::object::{Fields, ObjectKey};
use strongroom_vault_model::policy::PolicyName;

use crate::Store;
use crate::error::StorageError;
use crate::event;
use crate::time::{from_db, to_db};

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it is about, once: the same thing seen again is the same finding.
    pub key: String,
    /// Which check found it.
    pub kind: String,
    /// `info`, `warning` or `alarm`.
    pub severity: String,
    /// The subject concerned, as text.
    pub subject: Option<String>,
    /// The engine object concerned.
    pub object: Option<String>,
    /// One or more sentences.
    pub text: String,
    /// What to do.
    pub next_step: String,
    /// Who did it, where the engine's audit log tells.
    pub culprit: Option<String>,
    /// What the object holds instead, as last read; JSON `null` where it is not there.
    pub observed: Option<Value>,
}

/// The kind of finding about a managed object that is not as applied.
pub const DRIFT: &str = "drift";

/// The kind of finding about an object that is not managed.
pub const FOREIGN: &str = "foreign";

/// The kind of finding about a group that a hand took members out of.
pub const MEMBERS_OUT: &str = "members-out";

/// The kind of finding about a binding whose namespace is gone or was made anew.
pub const NAMESPACE: &str = "namespace-changed";

impl Finding {
    /// The group that a hand took members out of, where that is what it tells.
    pub fn taken_out(&self) -> Option<PolicyName> {
        let group = self.object.as_ref()?.strip_prefix("group ")?;
        group.parse().ok().filter(|_| self.kind == MEMBERS_OUT)
    }

    /// The engine object that is not as applied, and what it holds; `None` in the second place where
    /// it is not there.
    pub fn observed(&self) -> Option<(ObjectKey, Option<Fields>)> {
        let (kind, name) = self.object.as_ref()?.split_once(' ')?;
        let fields = serde_json::from_value(self.observed.clone()?).ok()?;
        Some((ObjectKey::parse(kind, name).ok()?, fields))
    }
}

/// A finding with its times.
#[derive(Debug, Clone)]
pub struct FindingRow {
    /// What was found.
    pub finding: Finding,
    /// When it was first seen.
    pub first_seen: Timestamp,
    /// When it was last seen.
    pub last_seen: Timestamp,
    /// When it was gone.
    pub resolved_at: Option<Timestamp>,
}

#[derive(FromRow)]
struct Raw {
    key: String,
    kind: String,
    severity: String,
    subject: Option<String>,
    object: Option<String>,
    text: String,
    next_step: String,
    culprit: Option<String>,
    observed: Option<Value>,
    first_seen: jiff_sqlx::Timestamp,
    last_seen: jiff_sqlx::Timestamp,
    resolved_at: Option<jiff_sqlx::Timestamp>,
}

impl From<Raw> for FindingRow {
    fn from(raw: Raw) -> Self {
        Self {
            finding: Finding {
                key: raw.key,
                kind: raw.kind,
                severity: raw.severity,
                subject: raw.subject,
                object: raw.object,
                text: raw.text,
                next_step: raw.next_step,
                culprit: raw.culprit,
                observed: raw.observed,
            },
            first_seen: raw.first_seen.to_jiff(),
            last_seen: raw.last_seen.to_jiff(),
            resolved_at: from_db(raw.resolved_at),
        }
    }
}

impl Store {
    /// Records that something was found at `at`, with the event that says so.
    pub async fn finding_put(
        &self,
        engine: EngineId,
        finding: &Finding,
        at: Timestamp,
        events: &[Event],
    ) -> Result<(), StorageError> {
        let mut tx = self.begin().await?;
        sqlx::query(
            "INSERT INTO findings (engine_id, key, kind, severity, subject, object, text, \
             next_step, culprit, observed, first_seen, last_seen) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11) \
             ON CONFLICT (engine_id, key) DO UPDATE SET severity = excluded.severity, \
             subject = excluded.subject, object = excluded.object, text = excluded.text, \
             next_step = excluded.next_step, last_seen = excluded.last_seen, \
             observed = excluded.observed, \
             culprit = coalesce(excluded.culprit, findings.culprit), \
             first_seen = CASE WHEN findings.resolved_at IS NULL THEN findings.first_seen \
                               ELSE excluded.first_seen END, resolved_at = NULL",
        )
        .bind(engine.as_uuid())
        .bind(&finding.key)
        .bind(&finding.kind)
        .bind(&finding.severity)
        .bind(&finding.subject)
        .bind(&finding.object)
        .bind(&finding.text)
        .bind(&finding.next_step)
        .bind(&finding.culprit)
        .bind(&finding.observed)
        .bind(to_db(at))
        .execute(&mut *tx)
        .await?;
        event::append(&mut tx, events).await?;
        Ok(tx.commit().await?)
    }

    /// Records that something is as it should be again.
    pub async fn finding_resolve(
        &self,
        engine: EngineId,
        key: &str,
        at: Timestamp,
        events: &[Event],
    ) -> Result<(), StorageError> {
        let mut tx = self.begin().await?;
        sqlx::query(
            "UPDATE findings SET resolved_at = $3 \
             WHERE engine_id = $1 AND key = $2 AND resolved_at IS NULL",
        )
        .bind(engine.as_uuid())
        .bind(key)
        .bind(to_db(at))
        .execute(&mut *tx)
        .await?;
        event::append(&mut tx, events).await?;
        Ok(tx.commit().await?)
    }

    /// Findings that stand, or those that stood once too; the newest first. The caller has made
    /// sure of who may see which.
    pub async fn finding_list(&self, all: bool) -> Result<Vec<FindingRow>, StorageError> {
        let rows: Vec<Raw> = sqlx::query_as(
            "SELECT key, kind, severity, subject, object, text, next_step, culprit, observed, \
             first_seen, last_seen, resolved_at FROM findings WHERE $1 OR resolved_at IS NULL \
             ORDER BY resolved_at IS NOT NULL, first_seen DESC, key LIMIT 5000",
        )
        .bind(all)
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(Into::into).collect())
    }
}
