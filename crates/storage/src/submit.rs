//! Storing a submission: one transaction with everything it brings.

use jiff::Timestamp;
use sqlx::PgConnection;
use strongroom_domain::Digest;
use strongroom_domain::event::Event;
use strongroom_domain::id::{MachineId, RequestId};
use strongroom_domain::person::PersonId;
use strongroom_domain::request::State;
use strongroom_domain::subject::Subject;
use uuid::Uuid;

use crate::Store;
use crate::act::{self, NewAct};
use crate::error::{StorageError, violates};
use crate::time::to_db;
use crate::{event, work};

/// A submission to store.
#[derive(Debug, Clone)]
pub struct NewRequest {
    /// The id the client made and signed.
    pub request: RequestId,
    /// Why.
    pub reason: String,
    /// Namespaces to trust again.
    pub attest: Vec<String>,
    /// What is let go on again.
    pub lift: Vec<String>,
    /// The canonical submission, as it was signed.
    pub submission: Vec<u8>,
    /// Its hash.
    pub submission_hash: Digest,
    /// Who submits, by session or key.
    pub submitter: PersonId,
    /// A name to read.
    pub display: String,
    /// What is proposed.
    pub documents: Vec<NewDocument>,
    /// The signed act; a machine signs none.
    pub act: Option<NewAct>,
    /// Which side owns the documents: `cli`, `ui`, or a Git source.
    pub managed_by: String,
    /// When.
    pub at: Timestamp,
    /// When the request runs out.
    pub expires_at: Timestamp,
}

/// One document of a submission.
#[derive(Debug, Clone)]
pub struct NewDocument {
    /// What it is about.
    pub subject: Subject,
    /// Its canonical bytes.
    pub canonical: Vec<u8>,
    /// Their hash.
    pub hash: Digest,
    /// The applied revision it is based on.
    pub base_revision: i64,
    /// The hash of that revision.
    pub base_hash: Option<Digest>,
    /// Groups that may see the request even before the team exists.
    pub seen_by: Vec<String>,
}

/// What became of a submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Submitted {
    /// It is stored now.
    Created,
    /// It was stored before, with the same content.
    Same,
}

impl Store {
    /// Stores subjects, revisions, request, act, events, and the executor's work, or nothing.
    /// `most_open` is how many open requests one submitter may have.
    pub async fn request_submit(
        &self,
        new: &NewRequest,
        most_open: u32,
        events: &[Event],
    ) -> Result<Submitted, StorageError> {
        let mut tx = self.begin().await?;
        let known: Option<(Vec<u8>,)> =
            sqlx::query_as("SELECT submission_hash FROM change_requests WHERE request_id = $1")
                .bind(new.request.as_uuid())
                .fetch_optional(&mut *tx)
                .await?;
        if let Some((hash,)) = known {
            if hash == new.submission_hash.as_bytes() {
                return Ok(Submitted::Same);
            }
            return Err(StorageError::Conflict(
                "a request with this id and another content is there already".into(),
            ));
        }
        check_open(&mut tx, &new.submitter, most_open).await?;
        insert_request(&mut tx, new).await?;
        for (position, document) in (0_i32..).zip(&new.documents) {
            let revision = insert_revision(&mut tx, new, document).await?;
            sqlx::query(
                "INSERT INTO change_request_documents \
                 (request_id, position, kind, name, revision, base_revision, base_hash, seen_by) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            )
            .bind(new.request.as_uuid())
            .bind(position)
            .bind(document.subject.kind())
            .bind(document.subject.name())
            .bind(revision)
            .bind(document.base_revision)
            .bind(document.base_hash.map(|hash| hash.as_bytes().to_vec()))
            .bind(&document.seen_by)
            .execute(&mut *tx)
            .await?;
        }
        if let Some(act) = &new.act {
            act::insert(&mut tx, act).await?;
        }
        event::append(&mut tx, events).await?;
        work::enqueue(&mut tx, "request", &new.request.to_string()).await?;
        sqlx::query("INSERT INTO outbox (topic, payload) VALUES ('request.submitted', $1)")
            .bind(serde_json::json!({ "request": new.request }))
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(Submitted::Created)
    }

    /// Open requests of a submitter: id, state and canonical submission, the newest first.
    pub async fn requests_open_of(
        &self,
        submitter: &PersonId,
    ) -> Result<Vec<(RequestId, State, Vec<u8>)>, StorageError> {
        let rows: Vec<(Uuid, String, Vec<u8>)> = sqlx::query_as(
            "SELECT request_id, state, submission FROM change_requests \
             WHERE state IN ('submitted', 'in_review', 'approved', 'applying') \
             AND submitted_issuer = $1 AND submitted_person = $2 ORDER BY request_id DESC LIMIT 100",
        )
        .bind(&submitter.issuer)
        .bind(&submitter.person)
        .fetch_all(&self.pool)
        .await?;
        let row = |(request, state, submission): (Uuid, String, Vec<u8>)| {
            Some((RequestId::from_uuid(request), State::from_word(&state)?, submission))
        };
        Ok(rows.into_iter().filter_map(row).collect())
    }
}

/// Counts under a transaction lock of the submitter, so that many at once are not too many. The
/// machines of one team count together: they come and go.
async fn check_open(
    tx: &mut PgConnection,
    submitter: &PersonId,
    most: u32,
) -> Result<(), StorageError> {
    let machine = submitter.machine().map(MachineId::as_uuid);
    let person = if machine.is_some() { "" } else { submitter.person.as_str() };
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended($1, 8))")
        .bind(format!("{} {person}", submitter.issuer))
        .execute(&mut *tx)
        .await?;
    let (open,): (i64,) = sqlx::query_as(
        "SELECT count(*) FROM change_requests \
         WHERE state IN ('submitted', 'in_review', 'approved', 'applying') \
         AND submitted_issuer = $1 AND (submitted_person = $2 OR submitted_person IN ( \
           SELECT m.machine_id::text FROM machines m JOIN machines own \
             ON own.team IS NOT DISTINCT FROM m.team WHERE own.machine_id = $3))",
    )
    .bind(&submitter.issuer)
    .bind(&submitter.person)
    .bind(machine)
    .fetch_one(&mut *tx)
    .await?;
    if open < i64::from(most) { Ok(()) } else { Err(StorageError::TooManyOpen(most)) }
}

async fn insert_request(tx: &mut PgConnection, new: &NewRequest) -> Result<(), StorageError> {
    let inserted = sqlx::query(
        "INSERT INTO change_requests \
         (request_id, state, reason, attest, lift, submission, submission_hash, submitted_issuer, \
          submitted_person, submitted_display, created_at, updated_at, expires_at) \
         VALUES ($1, 'submitted', $2, $3, $11, $4, $5, $6, $7, $8, $9, $9, $10)",
    )
    .bind(new.request.as_uuid())
    .bind(&new.reason)
    .bind(&new.attest)
    .bind(&new.submission)
    .bind(&new.submission_hash.as_bytes()[..])
    .bind(&new.submitter.issuer)
    .bind(&new.submitter.person)
    .bind(&new.display)
    .bind(to_db(new.at))
    .bind(to_db(new.expires_at))
    .bind(&new.lift)
    .execute(tx)
    .await;
    match inserted {
        Err(error) if violates(&error, "change_requests_pkey") => {
            Err(StorageError::AlreadyUsed("the request id"))
        }
        Err(error) => Err(error.into()),
        Ok(_) => Ok(()),
    }
}

/// Gives the next number of the subject; the subject's row is locked so that two submissions do
/// not get the same one.
async fn insert_revision(
    tx: &mut PgConnection,
    new: &NewRequest,
    document: &NewDocument,
) -> Result<i64, StorageError> {
    let (kind, name) = (document.subject.kind(), document.subject.name());
    sqlx::query(
        "INSERT INTO subjects (kind, name, managed_by) VALUES ($1, $2, $3) \
         ON CONFLICT (kind, name) DO NOTHING",
    )
    .bind(kind)
    .bind(name)
    .bind(&new.managed_by)
    .execute(&mut *tx)
    .await?;
    // Revisions are numbered under a transaction lock of the subject: the API role may not lock
    // rows of a table that it may not update.
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended($1, 7))")
        .bind(document.subject.to_string())
        .execute(&mut *tx)
        .await?;
    let (owner,): (String,) =
        sqlx::query_as("SELECT managed_by FROM subjects WHERE kind = $1 AND name = $2")
            .bind(kind)
            .bind(name)
            .fetch_one(&mut *tx)
            .await?;
    if owner != new.managed_by {
        return Err(StorageError::Conflict(format!(
            "{} is managed by {owner}; change it there",
            document.subject
        )));
    }
    let (number,): (i64,) = sqlx::query_as(
        "INSERT INTO revisions (kind, name, number, canonical, hash, author, request_id) \
         SELECT $1, $2, greatest(coalesce(max(number), 0), $7) + 1, $3, $4, $5, $6 FROM revisions \
         WHERE kind = $1 AND name = $2 RETURNING number",
    )
    .bind(kind)
    .bind(name)
    .bind(&document.canonical)
    .bind(&document.hash.as_bytes()[..])
    .bind(&new.display)
    .bind(new.request.as_uuid())
    // A database put back to an older state does not know the newest numbers.
    .bind(document.base_revision)
    .fetch_one(&mut *tx)
    .await?;
    Ok(number)
}
