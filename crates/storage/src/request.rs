//! Change requests as pages and the executor read them, and their way from state to state.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use sqlx::FromRow;
use strongroom_domain::event::Event;
use strongroom_domain::id::RequestId;
use strongroom_domain::person::PersonId;
use strongroom_domain::request::State;
use strongroom_domain::subject::Subject;
use uuid::Uuid;

use crate::Store;
use crate::error::StorageError;
use crate::event;
use crate::time::to_db;

/// What a viewer may see. The first argument of every read that pages use, so that a query without
/// it looks wrong.
#[derive(Debug, Clone)]
pub struct Visibility {
    /// Platform members and auditors see everything.
    pub all: bool,
    /// Teams the viewer belongs to.
    pub teams: BTreeSet<String>,
    /// The viewer's groups: a request for a new team is seen by the groups it names.
    pub groups: BTreeSet<String>,
    /// The viewer: one's own requests are always seen.
    pub person: PersonId,
}

impl Visibility {
    pub(crate) fn subjects(&self) -> Vec<String> {
        self.teams.iter().map(|team| format!("team/{team}")).collect()
    }

    fn groups(&self) -> Vec<String> {
        self.groups.iter().cloned().collect()
    }

    fn teams(&self) -> Vec<String> {
        self.teams.iter().cloned().collect()
    }
}

/// One change request.
#[derive(Debug, Clone)]
pub struct RequestRow {
    /// Its id.
    pub request: RequestId,
    /// Where it stands.
    pub state: State,
    /// Why it stands there.
    pub state_reason: Option<String>,
    /// How often it was frozen.
    pub round: i32,
    /// The risk of the frozen plan.
    pub risk: Option<String>,
    /// Why it was asked for.
    pub reason: String,
    /// Namespaces to trust again.
    pub attest: Vec<String>,
    /// What is let go on again.
    pub lift: Vec<String>,
    /// The canonical submission.
    pub submission: Vec<u8>,
    /// Who submitted, by session or key.
    pub submitter: PersonId,
    /// A name to read.
    pub display: String,
    /// The hash of the frozen plan.
    pub plan_hash: Option<Vec<u8>>,
    /// Counts changes of the row.
    pub version: i64,
    /// When it was stored.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When it runs out.
    pub expires_at: Timestamp,
}

#[derive(FromRow)]
struct Raw {
    request_id: Uuid,
    state: String,
    state_reason: Option<String>,
    round: i32,
    risk: Option<String>,
    reason: String,
    attest: Vec<String>,
    lift: Vec<String>,
    submission: Vec<u8>,
    submitted_issuer: String,
    submitted_person: String,
    submitted_display: String,
    plan_hash: Option<Vec<u8>>,
    version: i64,
    created_at: jiff_sqlx::Timestamp,
    updated_at: jiff_sqlx::Timestamp,
    expires_at: jiff_sqlx::Timestamp,
}

impl TryFrom<Raw> for RequestRow {
    type Error = StorageError;
    fn try_from(raw: Raw) -> Result<Self, StorageError> {
        Ok(Self {
            request: RequestId::from_uuid(raw.request_id),
            state: State::from_word(&raw.state).ok_or(StorageError::Corrupt {
                table: "change_requests",
                column: "state",
                row: raw.request_id.to_string(),
            })?,
            state_reason: raw.state_reason,
            round: raw.round,
            risk: raw.risk,
            reason: raw.reason,
            attest: raw.attest,
            lift: raw.lift,
            submission: raw.submission,
            submitter: PersonId { issuer: raw.submitted_issuer, person: raw.submitted_person },
            display: raw.submitted_display,
            plan_hash: raw.plan_hash,
            version: raw.version,
            created_at: raw.created_at.to_jiff(),
            updated_at: raw.updated_at.to_jiff(),
            expires_at: raw.expires_at.to_jiff(),
        })
    }
}

/// One document of a request.
#[derive(Debug, Clone)]
pub struct DocumentRow {
    /// What it is about.
    pub subject: Subject,
    /// The proposed revision.
    pub revision: i64,
    /// The applied revision it is based on.
    pub base_revision: i64,
    /// The canonical document.
    pub canonical: Vec<u8>,
}

/// Which requests are asked for.
#[derive(Debug, Clone, Default)]
pub struct RequestFilter {
    /// In one state.
    pub state: Option<State>,
    /// Only such as are not decided yet.
    pub open: bool,
    /// Over one subject.
    pub subject: Option<Subject>,
    /// Older than this one.
    pub before: Option<(Timestamp, RequestId)>,
}

/// Which documents `d` of requests `r` a viewer sees: all, those of own requests, those of own teams
/// and those whose first owners the viewer is among. One rule wherever documents are told.
macro_rules! visible_document {
    () => {
        "($2 OR (r.submitted_issuer = $3 AND r.submitted_person = $4) \
          OR (d.kind = 'team' AND (d.name = ANY ($5) OR d.seen_by && $6)))"
    };
}

impl Store {
    /// One request, if the viewer may see it.
    pub async fn request_get(
        &self,
        visibility: &Visibility,
        request: RequestId,
    ) -> Result<RequestRow, StorageError> {
        let raw: Raw = sqlx::query_as(
            "SELECT r.* FROM change_requests r WHERE r.request_id = $1 AND ($2 \
             OR (r.submitted_issuer = $3 AND r.submitted_person = $4) \
             OR EXISTS (SELECT FROM change_request_documents d WHERE d.request_id = r.request_id \
                AND d.kind = 'team' AND (d.name = ANY ($5) OR d.seen_by && $6)))",
        )
        .bind(request.as_uuid())
        .bind(visibility.all)
        .bind(&visibility.person.issuer)
        .bind(&visibility.person.person)
        .bind(visibility.teams())
        .bind(visibility.groups())
        .fetch_one(&self.pool)
        .await?;
        raw.try_into()
    }

    /// Requests that the viewer may see, newest first.
    pub async fn request_list(
        &self,
        visibility: &Visibility,
        filter: &RequestFilter,
        limit: i64,
    ) -> Result<Vec<RequestRow>, StorageError> {
        let rows: Vec<Raw> = sqlx::query_as(
            "SELECT r.* FROM change_requests r WHERE ($1 \
             OR (r.submitted_issuer = $2 AND r.submitted_person = $3) \
             OR EXISTS (SELECT FROM change_request_documents d WHERE d.request_id = r.request_id \
                AND d.kind = 'team' AND (d.name = ANY ($4) OR d.seen_by && $5))) \
             AND ($6::text IS NULL OR r.state = $6) \
             AND ($7::text IS NULL OR EXISTS (SELECT FROM change_request_documents d \
                  WHERE d.request_id = r.request_id AND d.kind = $7 AND d.name = $8)) \
             AND ($9::timestamptz IS NULL OR (r.created_at, r.request_id) < ($9, $10)) \
             AND (NOT $12 OR r.state IN ('submitted', 'in_review', 'approved', 'applying')) \
             ORDER BY r.created_at DESC, r.request_id DESC LIMIT $11",
        )
        .bind(visibility.all)
        .bind(&visibility.person.issuer)
        .bind(&visibility.person.person)
        .bind(visibility.teams())
        .bind(visibility.groups())
        .bind(filter.state.map(State::as_str))
        .bind(filter.subject.as_ref().map(Subject::kind))
        .bind(filter.subject.as_ref().map(Subject::name))
        .bind(filter.before.map(|(at, _)| to_db(at)))
        .bind(filter.before.map(|(_, id)| id.as_uuid()))
        .bind(limit)
        .bind(filter.open)
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(TryInto::try_into).collect()
    }

    /// The documents of a request; those of teams the viewer does not see are left out.
    pub async fn request_documents(
        &self,
        visibility: &Visibility,
        request: RequestId,
    ) -> Result<Vec<DocumentRow>, StorageError> {
        let rows: Vec<(String, String, i64, i64, Vec<u8>)> = sqlx::query_as(concat!(
            "SELECT d.kind, d.name, d.revision, d.base_revision, v.canonical \
             FROM change_request_documents d \
             JOIN change_requests r USING (request_id) \
             JOIN revisions v ON v.kind = d.kind AND v.name = d.name AND v.number = d.revision \
             WHERE d.request_id = $1 AND ",
            visible_document!(),
            " ORDER BY d.position",
        ))
        .bind(request.as_uuid())
        .bind(visibility.all)
        .bind(&visibility.person.issuer)
        .bind(&visibility.person.person)
        .bind(visibility.teams())
        .bind(visibility.groups())
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|(kind, name, revision, base_revision, canonical)| {
                let subject = subject(&kind, &name)?;
                Ok(DocumentRow { subject, revision, base_revision, canonical })
            })
            .collect()
    }

    /// What requests are about, as far as the viewer may see it: by the same rule as their documents.
    pub async fn request_subjects(
        &self,
        visibility: &Visibility,
        requests: &[RequestId],
    ) -> Result<BTreeMap<RequestId, Vec<Subject>>, StorageError> {
        let requests: Vec<Uuid> = requests.iter().map(|request| request.as_uuid()).collect();
        let rows: Vec<(Uuid, String, String)> = sqlx::query_as(concat!(
            "SELECT d.request_id, d.kind, d.name FROM change_request_documents d \
             JOIN change_requests r USING (request_id) \
             WHERE d.request_id = ANY ($1) AND ",
            visible_document!(),
            " ORDER BY d.request_id, d.position",
        ))
        .bind(&requests)
        .bind(visibility.all)
        .bind(&visibility.person.issuer)
        .bind(&visibility.person.person)
        .bind(visibility.teams())
        .bind(visibility.groups())
        .fetch_all(&self.pool)
        .await?;
        let mut subjects: BTreeMap<RequestId, Vec<Subject>> = BTreeMap::new();
        for (request, kind, name) in rows {
            let of = subjects.entry(RequestId::from_uuid(request)).or_default();
            of.push(subject(&kind, &name)?);
        }
        Ok(subjects)
    }

    /// Requests that the executor has to look at, by id, which begins with a time; those after one
    /// of them. By id and not by `created_at`: a time that cannot be read would hide all others.
    pub async fn requests_open(
        &self,
        after: Option<RequestId>,
        limit: i64,
    ) -> Result<Vec<RequestRow>, StorageError> {
        let rows: Vec<Raw> = sqlx::query_as(
            "SELECT r.* FROM change_requests r \
             WHERE r.state IN ('submitted', 'in_review', 'approved', 'applying') \
             AND ($1::uuid IS NULL OR r.request_id > $1) ORDER BY r.request_id LIMIT $2",
        )
        .bind(after.map(RequestId::as_uuid))
        .bind(limit)
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(TryInto::try_into).collect()
    }

    /// Moves a request on, if nobody else did since it was read.
    pub async fn request_transition(
        &self,
        row: &RequestRow,
        to: State,
        reason: Option<&str>,
        at: Timestamp,
        events: &[Event],
    ) -> Result<(), StorageError> {
        let mut tx = self.begin().await?;
        let changed = sqlx::query(
            "UPDATE change_requests SET state = $3, state_reason = $4, version = version + 1, \
             updated_at = $5 WHERE request_id = $1 AND version = $2",
        )
        .bind(row.request.as_uuid())
        .bind(row.version)
        .bind(to.as_str())
        .bind(reason.map(|text| text.chars().take(4000).collect::<String>()))
        .bind(to_db(at))
        .execute(&mut *tx)
        .await?;
        if changed.rows_affected() != 1 {
            return Err(StorageError::Stale);
        }
        event::append(&mut tx, events).await?;
        Ok(tx.commit().await?)
    }
}

pub(crate) fn subject(kind: &str, name: &str) -> Result<Subject, StorageError> {
    let text = if kind == "platform" { kind.to_owned() } else { format!("{kind}/{name}") };
    text.parse().map_err(|_| StorageError::Corrupt { table: "subjects", column: "name", row: text })
}
