//! Caches for pages: what the heads say is applied, and how bindings stand.

use jiff::Timestamp;
use serde_json::Value;
use sqlx::FromRow;
use strongroom_domain::event::Event;
use strongroom_domain::id::{EngineId, RequestId};
use strongroom_domain::subject::Subject;
use uuid::Uuid;

use crate::Store;
use crate::error::StorageError;
use crate::event;
use crate::request::subject as parse_subject;
use crate::time::to_db;

/// What is applied for one subject, as far as the database knows.
#[derive(Debug, Clone)]
pub struct SubjectState {
    /// The subject.
    pub subject: Subject,
    /// The engine.
    pub engine: EngineId,
    /// The applied revision; 0 for none.
    pub applied_revision: i64,
    /// The hash of the applied document.
    pub applied_hash: Option<Vec<u8>>,
    /// The applied document, canonical.
    pub applied_document: Option<Vec<u8>>,
    /// Pinned namespace UIDs.
    pub pins: Value,
    /// What stands still, by target.
    pub holds: Value,
    /// `applying`, `applied` or `frozen`.
    pub state: String,
    /// The request that brought it.
    pub request: Option<RequestId>,
    /// Why it is frozen.
    pub reason: Option<String>,
    /// When the row was written.
    pub updated_at: Timestamp,
}

/// How one service account of a binding stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BindingState {
    /// The team.
    pub team: String,
    /// The binding.
    pub binding: String,
    /// The cluster.
    pub cluster: String,
    /// The namespace.
    pub namespace: String,
    /// The service account.
    pub account: String,
    /// The namespace's UID as last seen.
    pub namespace_uid: Option<String>,
    /// The account's UID as last seen.
    pub account_uid: Option<String>,
    /// `waiting`, `attached`, `suspended` or `ended`.
    pub state: String,
    /// Why.
    pub reason: Option<String>,
    /// Since when.
    pub updated_at: Timestamp,
}

#[derive(FromRow)]
struct Raw {
    kind: String,
    name: String,
    engine_id: Uuid,
    applied_revision: i64,
    applied_hash: Option<Vec<u8>>,
    applied_document: Option<Vec<u8>>,
    pins: Value,
    holds: Value,
    state: String,
    request_id: Option<Uuid>,
    reason: Option<String>,
    updated_at: jiff_sqlx::Timestamp,
}

impl TryFrom<Raw> for SubjectState {
    type Error = StorageError;
    fn try_from(raw: Raw) -> Result<Self, StorageError> {
        Ok(Self {
            subject: parse_subject(&raw.kind, &raw.name)?,
            engine: EngineId::from_uuid(raw.engine_id),
            applied_revision: raw.applied_revision,
            applied_hash: raw.applied_hash,
            applied_document: raw.applied_document,
            pins: raw.pins,
            holds: raw.holds,
            state: raw.state,
            request: raw.request_id.map(RequestId::from_uuid),
            reason: raw.reason,
            updated_at: raw.updated_at.to_jiff(),
        })
    }
}

#[derive(FromRow)]
struct RawBinding {
    team: String,
    binding: String,
    cluster: String,
    namespace: String,
    account: String,
    namespace_uid: Option<String>,
    account_uid: Option<String>,
    state: String,
    reason: Option<String>,
    updated_at: jiff_sqlx::Timestamp,
}

impl From<RawBinding> for BindingState {
    fn from(raw: RawBinding) -> Self {
        Self {
            team: raw.team,
            binding: raw.binding,
            cluster: raw.cluster,
            namespace: raw.namespace,
            account: raw.account,
            namespace_uid: raw.namespace_uid,
            account_uid: raw.account_uid,
            state: raw.state,
            reason: raw.reason,
            updated_at: raw.updated_at.to_jiff(),
        }
    }
}

impl Store {
    /// What is applied for a subject; `None` when nothing ever was.
    pub async fn subject_state_get(
        &self,
        subject: &Subject,
    ) -> Result<Option<SubjectState>, StorageError> {
        let raw: Option<Raw> =
            sqlx::query_as("SELECT * FROM subject_states WHERE kind = $1 AND name = $2")
                .bind(subject.kind())
                .bind(subject.name())
                .fetch_optional(&self.pool)
                .await?;
        raw.map(TryInto::try_into).transpose()
    }

    /// What is applied for all subjects of a kind, by name.
    pub async fn subject_state_list(&self, kind: &str) -> Result<Vec<SubjectState>, StorageError> {
        let rows: Vec<Raw> = sqlx::query_as(
            "SELECT * FROM subject_states WHERE kind = $1 ORDER BY name LIMIT 20000",
        )
        .bind(kind)
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(TryInto::try_into).collect()
    }

    /// Subjects of which something stands still, by name.
    pub async fn subject_states_standing_still(&self) -> Result<Vec<SubjectState>, StorageError> {
        let rows: Vec<Raw> = sqlx::query_as(
            "SELECT * FROM subject_states WHERE state = 'frozen' OR holds <> '{}' \
             ORDER BY kind, name LIMIT 20000",
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(TryInto::try_into).collect()
    }

    /// Which side manages a subject, if it is known.
    pub async fn subject_managed_by(
        &self,
        subject: &Subject,
    ) -> Result<Option<String>, StorageError> {
        let row: Option<(String,)> =
            sqlx::query_as("SELECT managed_by FROM subjects WHERE kind = $1 AND name = $2")
                .bind(subject.kind())
                .bind(subject.name())
                .fetch_optional(&self.pool)
                .await?;
        Ok(row.map(|(owner,)| owner))
    }

    /// One stored revision of a subject, canonical. The caller has made sure that the subject may
    /// be seen.
    pub async fn revision_get(
        &self,
        subject: &Subject,
        number: i64,
    ) -> Result<Vec<u8>, StorageError> {
        let (canonical,): (Vec<u8>,) = sqlx::query_as(
            "SELECT canonical FROM revisions WHERE kind = $1 AND name = $2 AND number = $3",
        )
        .bind(subject.kind())
        .bind(subject.name())
        .bind(number)
        .fetch_one(&self.pool)
        .await?;
        Ok(canonical)
    }

    /// Records what a head says; gives the mark of the row, which is another when anybody else wrote
    /// it.
    pub async fn subject_state_put(&self, state: &SubjectState) -> Result<i64, StorageError> {
        let mut tx = self.begin().await?;
        let (mark,) = sqlx::query_as(
            "INSERT INTO subject_states (kind, name, engine_id, applied_revision, applied_hash, \
             applied_document, pins, state, request_id, reason, updated_at, holds) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) \
             ON CONFLICT (kind, name) DO UPDATE SET engine_id = excluded.engine_id, \
             applied_revision = excluded.applied_revision, applied_hash = excluded.applied_hash, \
             applied_document = excluded.applied_document, pins = excluded.pins, \
             state = excluded.state, request_id = excluded.request_id, reason = excluded.reason, \
             updated_at = excluded.updated_at, holds = excluded.holds \
             RETURNING xmin::text::bigint",
        )
        .bind(state.subject.kind())
        .bind(state.subject.name())
        .bind(state.engine.as_uuid())
        .bind(state.applied_revision)
        .bind(&state.applied_hash)
        .bind(&state.applied_document)
        .bind(&state.pins)
        .bind(&state.state)
        .bind(state.request.map(RequestId::as_uuid))
        .bind(&state.reason)
        .bind(to_db(state.updated_at))
        .bind(&state.holds)
        .fetch_one(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(mark)
    }

    /// The marks of all rows: which were written by somebody else than who remembers their marks.
    pub async fn subject_state_marks(&self) -> Result<Vec<(Subject, i64)>, StorageError> {
        let rows: Vec<(String, String, i64)> =
            sqlx::query_as("SELECT kind, name, xmin::text::bigint FROM subject_states LIMIT 50000")
                .fetch_all(&self.pool)
                .await?;
        let row = |(kind, name, mark): (String, String, i64)| {
            Some((parse_subject(&kind, &name).ok()?, mark))
        };
        Ok(rows.into_iter().filter_map(row).collect())
    }

    /// How the bindings of a team stand. The caller has made sure that the team may be seen.
    pub async fn binding_states_of(
        &self,
        engine: EngineId,
        team: &str,
    ) -> Result<Vec<BindingState>, StorageError> {
        let rows: Vec<RawBinding> = sqlx::query_as(
            "SELECT team, binding, cluster, namespace, account, namespace_uid, account_uid, state, \
             reason, updated_at FROM binding_states WHERE engine_id = $1 AND team = $2 \
             ORDER BY binding, cluster, namespace, account",
        )
        .bind(engine.as_uuid())
        .bind(team)
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(Into::into).collect())
    }

    /// How bindings of other teams stand that are for accounts of these namespaces
    /// (`cluster/namespace`). The caller has made sure that they are the viewer's.
    pub async fn binding_states_of_guests(
        &self,
        engine: EngineId,
        host: &str,
        namespaces: &[String],
    ) -> Result<Vec<BindingState>, StorageError> {
        let rows: Vec<RawBinding> = sqlx::query_as(
            "SELECT team, binding, cluster, namespace, account, namespace_uid, account_uid, state, \
             reason, updated_at FROM binding_states WHERE engine_id = $1 AND team <> $2 \
             AND cluster || '/' || namespace = ANY ($3) \
             ORDER BY team, binding, cluster, namespace, account",
        )
        .bind(engine.as_uuid())
        .bind(host)
        .bind(namespaces)
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(Into::into).collect())
    }

    /// Records how a service account stands, with the event that made it so.
    pub async fn binding_state_put(
        &self,
        engine: EngineId,
        state: &BindingState,
        events: &[Event],
    ) -> Result<(), StorageError> {
        let mut tx = self.begin().await?;
        sqlx::query(
            "INSERT INTO binding_states (engine_id, team, binding, cluster, namespace, account, \
             namespace_uid, account_uid, state, reason, updated_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) \
             ON CONFLICT (engine_id, team, binding, cluster, namespace, account) DO UPDATE SET \
             namespace_uid = excluded.namespace_uid, account_uid = excluded.account_uid, \
             state = excluded.state, reason = excluded.reason, updated_at = excluded.updated_at",
        )
        .bind(engine.as_uuid())
        .bind(&state.team)
        .bind(&state.binding)
        .bind(&state.cluster)
        .bind(&state.namespace)
        .bind(&state.account)
        .bind(&state.namespace_uid)
        .bind(&state.account_uid)
        .bind(&state.state)
        .bind(&state.reason)
        .bind(to_db(state.updated_at))
        .execute(&mut *tx)
        .await?;
        event::append(&mut tx, events).await?;
        Ok(tx.commit().await?)
    }

    /// Forgets a service account that no binding names any more, with the event that says so.
    pub async fn binding_state_remove(
        &self,
        engine: EngineId,
        state: &BindingState,
        events: &[Event],
    ) -> Result<(), StorageError> {
        let mut tx = self.begin().await?;
        sqlx::query(
            "DELETE FROM binding_states WHERE engine_id = $1 AND team = $2 AND binding = $3 \
             AND cluster = $4 AND namespace = $5 AND account = $6",
        )
        .bind(engine.as_uuid())
        .bind(&state.team)
        .bind(&state.binding)
        .bind(&state.cluster)
        .bind(&state.namespace)
        .bind(&state.account)
        .execute(&mut *tx)
        .await?;
        event::append(&mut tx, events).await?;
        Ok(tx.commit().await?)
    }
}
