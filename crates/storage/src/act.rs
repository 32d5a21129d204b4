//! Acts as they were stored, and the executor's receipts for them.

use jiff::Timestamp;
use sqlx::{FromRow, PgConnection};
use strongroom_domain::Digest;
use strongroom_domain::act::ActKind;
use strongroom_domain::event::Event;
use strongroom_domain::id::{ActId, RequestId};
use uuid::Uuid;

use crate::Store;
use crate::error::{StorageError, violates};
use crate::time::{from_db, to_db};
use crate::{event, work};

/// An act to store. Storing it decides nothing.
#[derive(Debug, Clone)]
pub struct NewAct {
    /// Its id.
    pub act: ActId,
    /// The request it is about.
    pub request: RequestId,
    /// What is done.
    pub kind: ActKind,
    /// The ID token that proves it.
    pub id_token: String,
    /// Its digest; one token is one act.
    pub token_digest: Digest,
    /// The canonical statement that the token's nonce is made of.
    pub statement: Vec<u8>,
    /// What the person says.
    pub comment: String,
    /// Who the session says it is; proves nothing.
    pub claimed_display: String,
    /// When it came in.
    pub received_at: Timestamp,
}

/// An act with its receipt, if there is one.
#[derive(Debug, Clone)]
pub struct ActRow {
    /// Its id.
    pub act: ActId,
    /// The request.
    pub request: RequestId,
    /// The word for what is done.
    pub kind: String,
    /// The ID token.
    pub id_token: String,
    /// Its digest.
    pub token_digest: Vec<u8>,
    /// The canonical statement.
    pub statement: Vec<u8>,
    /// The comment.
    pub comment: String,
    /// Who the session said it was.
    pub claimed_display: String,
    /// When it came in.
    pub received_at: Timestamp,
    /// What the executor decided.
    pub receipt: Option<ReceiptRow>,
}

/// The executor's answer to one act.
#[derive(Debug, Clone)]
pub struct ReceiptRow {
    /// `counted` or `refused`.
    pub verdict: String,
    /// Why it was refused.
    pub reason: Option<String>,
    /// The canonical receipt.
    pub canonical: Vec<u8>,
    /// The executor's signature over it.
    pub signature: Vec<u8>,
    /// The key that signed.
    pub key_id: String,
    /// When.
    pub created_at: Timestamp,
}

#[derive(FromRow)]
struct Raw {
    act_id: Uuid,
    request_id: Uuid,
    act: String,
    id_token: String,
    token_digest: Vec<u8>,
    statement: Vec<u8>,
    comment: String,
    claimed_display: String,
    received_at: jiff_sqlx::Timestamp,
    verdict: Option<String>,
    reason: Option<String>,
    canonical: Option<Vec<u8>>,
    signature: Option<Vec<u8>>,
    key_id: Option<String>,
    created_at: Option<jiff_sqlx::Timestamp>,
}

impl From<Raw> for ActRow {
    fn from(raw: Raw) -> Self {
        let receipt = match (raw.verdict, raw.canonical, raw.signature, raw.key_id) {
            (Some(verdict), Some(canonical), Some(signature), Some(key_id)) => Some(ReceiptRow {
                verdict,
                reason: raw.reason,
                canonical,
                signature,
                key_id,
                created_at: from_db(raw.created_at).unwrap_or_default(),
            }),
            _ => None,
        };
        Self {
            act: ActId::from_uuid(raw.act_id),
            request: RequestId::from_uuid(raw.request_id),
            kind: raw.act,
            id_token: raw.id_token,
            token_digest: raw.token_digest,
            statement: raw.statement,
            comment: raw.comment,
            claimed_display: raw.claimed_display,
            received_at: raw.received_at.to_jiff(),
            receipt,
        }
    }
}

pub(crate) async fn insert(tx: &mut PgConnection, new: &NewAct) -> Result<(), StorageError> {
    let inserted = sqlx::query(
        "INSERT INTO acts (act_id, request_id, act, id_token, token_digest, statement, comment, \
         claimed_display, received_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(new.act.as_uuid())
    .bind(new.request.as_uuid())
    .bind(new.kind.as_str())
    .bind(&new.id_token)
    .bind(&new.token_digest.as_bytes()[..])
    .bind(&new.statement)
    .bind(&new.comment)
    .bind(&new.claimed_display)
    .bind(to_db(new.received_at))
    .execute(tx)
    .await;
    match inserted {
        Err(error) if violates(&error, "acts_token_digest_key") => {
            Err(StorageError::AlreadyUsed("this sign-in"))
        }
        Err(error) => Err(error.into()),
        Ok(_) => Ok(()),
    }
}

/// A suspension somebody signed, not judged yet.
#[derive(Debug, Clone)]
pub struct SuspensionRow {
    /// The act; it is its own request.
    pub act: ActRow,
    /// What is to stand still, as text.
    pub target: String,
}

#[derive(FromRow)]
struct RawSuspension {
    target: String,
    #[sqlx(flatten)]
    act: Raw,
}

/// Reads suspensions; the own id of each stands for the request's.
macro_rules! select_suspensions {
    ($rest:literal) => {
        concat!(
            "SELECT a.target, a.act_id, a.act_id AS request_id, a.act, a.id_token, ",
            "a.token_digest, a.statement, a.comment, a.claimed_display, a.received_at, ",
            "p.verdict, p.reason, p.canonical, p.signature, p.key_id, p.created_at ",
            "FROM acts a LEFT JOIN act_receipts p USING (act_id) WHERE a.act = 'suspend' AND ",
            $rest
        )
    };
}

impl From<RawSuspension> for SuspensionRow {
    fn from(raw: RawSuspension) -> Self {
        Self { act: raw.act.into(), target: raw.target }
    }
}

impl Store {
    /// Stores a signed suspension and wakes the executor.
    pub async fn suspension_insert(
        &self,
        new: &NewAct,
        target: &str,
        events: &[Event],
    ) -> Result<(), StorageError> {
        let mut tx = self.begin().await?;
        let inserted = sqlx::query(
            "INSERT INTO acts (act_id, act, target, id_token, token_digest, statement, comment, \
             claimed_display, received_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(new.act.as_uuid())
        .bind(new.kind.as_str())
        .bind(target)
        .bind(&new.id_token)
        .bind(&new.token_digest.as_bytes()[..])
        .bind(&new.statement)
        .bind(&new.comment)
        .bind(&new.claimed_display)
        .bind(to_db(new.received_at))
        .execute(&mut *tx)
        .await;
        match inserted {
            Err(error) if violates(&error, "acts_token_digest_key") => {
                return Err(StorageError::AlreadyUsed("this sign-in"));
            }
            Err(error) if violates(&error, "acts_pkey") => {
                return Err(StorageError::AlreadyUsed("the id"));
            }
            other => {
                other?;
            }
        }
        event::append(&mut tx, events).await?;
        work::enqueue(&mut tx, "suspension", &new.act.to_string()).await?;
        Ok(tx.commit().await?)
    }

    /// Suspensions that the executor has not answered, oldest first.
    pub async fn suspensions_unjudged(&self) -> Result<Vec<SuspensionRow>, StorageError> {
        let rows: Vec<RawSuspension> = sqlx::query_as(select_suspensions!(
            "p.act_id IS NULL ORDER BY a.received_at, a.act_id LIMIT 500"
        ))
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(Into::into).collect())
    }

    /// One suspension with its receipt.
    pub async fn suspension_get(&self, act: ActId) -> Result<SuspensionRow, StorageError> {
        let row: RawSuspension = sqlx::query_as(select_suspensions!("a.act_id = $1"))
            .bind(act.as_uuid())
            .fetch_one(&self.pool)
            .await?;
        Ok(row.into())
    }

    /// Stores an act and wakes the executor.
    pub async fn act_insert(&self, new: &NewAct, events: &[Event]) -> Result<(), StorageError> {
        let mut tx = self.begin().await?;
        insert(&mut tx, new).await?;
        event::append(&mut tx, events).await?;
        work::enqueue(&mut tx, "request", &new.request.to_string()).await?;
        Ok(tx.commit().await?)
    }

    /// All acts of a request in the order they came in. The caller has made sure that the request
    /// may be seen.
    pub async fn acts_of_request(&self, request: RequestId) -> Result<Vec<ActRow>, StorageError> {
        let rows: Vec<Raw> = sqlx::query_as(
            "SELECT a.act_id, a.request_id, a.act, a.id_token, a.token_digest, a.statement, \
             a.comment, a.claimed_display, a.received_at, p.verdict, p.reason, p.canonical, p.signature, p.key_id, p.created_at \
             FROM acts a LEFT JOIN act_receipts p USING (act_id) \
             WHERE a.request_id = $1 ORDER BY a.received_at, a.act_id LIMIT 1000",
        )
        .bind(request.as_uuid())
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(Into::into).collect())
    }

    /// Stores the executor's answer to an act.
    pub async fn receipt_insert(
        &self,
        act: ActId,
        receipt: &ReceiptRow,
        events: &[Event],
    ) -> Result<(), StorageError> {
        let mut tx = self.begin().await?;
        sqlx::query(
            "INSERT INTO act_receipts (act_id, verdict, reason, canonical, signature, key_id, \
             created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(act.as_uuid())
        .bind(&receipt.verdict)
        .bind(&receipt.reason)
        .bind(&receipt.canonical)
        .bind(&receipt.signature)
        .bind(&receipt.key_id)
        .bind(to_db(receipt.created_at))
        .execute(&mut *tx)
        .await?;
        event::append(&mut tx, events).await?;
        Ok(tx.commit().await?)
    }
}
