//! Calls that may come again: each with its answer, for a day.

use jiff::{SignedDuration, Timestamp};
use sqlx::FromRow;
use strongroom_domain::person::PersonId;

use crate::Store;
use crate::error::StorageError;
use crate::time::to_db;

/// How long an answer is kept.
const KEPT: SignedDuration = SignedDuration::from_hours(24);

/// How many calls of one caller are kept at most; the oldest go.
const MOST: i64 = 1000;

/// A call, as its caller names it.
#[derive(Debug, Clone)]
pub struct RepeatedCall {
    /// Who calls.
    pub caller: PersonId,
    /// SHA-256 of the caller's key.
    pub key: Vec<u8>,
    /// SHA-256 of what is asked.
    pub request: Vec<u8>,
}

/// An answer that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptAnswer {
    /// Its status.
    pub status: u16,
    /// Where what it made is.
    pub location: Option<String>,
    /// Its JSON; none where it had none, or is shown only once.
    pub body: Option<String>,
}

/// What is known of a call when it comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// Nothing: it is to be done now.
    New,
    /// The same was done.
    Done(KeptAnswer),
    /// The same is under way since.
    Begun(Timestamp),
    /// The key was used for something else.
    Another,
}

#[derive(FromRow)]
struct Raw {
    request_hash: Vec<u8>,
    begun_at: jiff_sqlx::Timestamp,
    status: Option<i16>,
    location: Option<String>,
    body: Option<String>,
}

impl Store {
    /// Begins a call, unless its key is known.
    pub async fn call_begin(
        &self,
        call: &RepeatedCall,
        at: Timestamp,
    ) -> Result<Known, StorageError> {
        let mut tx = self.pool.begin().await?;
        sqlx::query("DELETE FROM repeated_calls WHERE begun_at < $1")
            .bind(to_db(at - KEPT))
            .execute(&mut *tx)
            .await?;
        let begun = sqlx::query(
            "INSERT INTO repeated_calls (issuer, person, key_hash, request_hash, begun_at) \
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
        )
        .bind(&call.caller.issuer)
        .bind(&call.caller.person)
        .bind(&call.key)
        .bind(&call.request)
        .bind(to_db(at))
        .execute(&mut *tx)
        .await?;
        if begun.rows_affected() == 1 {
            sqlx::query(
                "DELETE FROM repeated_calls WHERE issuer = $1 AND person = $2 AND key_hash IN \
                 (SELECT key_hash FROM repeated_calls WHERE issuer = $1 AND person = $2 \
                  ORDER BY begun_at DESC, key_hash OFFSET $3)",
            )
            .bind(&call.caller.issuer)
            .bind(&call.caller.person)
            .bind(MOST)
            .execute(&mut *tx)
            .await?;
            tx.commit().await?;
            return Ok(Known::New);
        }
        let raw: Raw = sqlx::query_as(
            "SELECT request_hash, begun_at, status, location, body FROM repeated_calls \
             WHERE issuer = $1 AND person = $2 AND key_hash = $3",
        )
        .bind(&call.caller.issuer)
        .bind(&call.caller.person)
        .bind(&call.key)
        .fetch_one(&mut *tx)
        .await?;
        tx.commit().await?;
        if raw.request_hash != call.request {
            return Ok(Known::Another);
        }
        Ok(match raw.status.and_then(|status| u16::try_from(status).ok()) {
            Some(status) => {
                Known::Done(KeptAnswer { status, location: raw.location, body: raw.body })
            }
            None => Known::Begun(raw.begun_at.to_jiff()),
        })
    }

    /// Keeps what a call was answered; nothing is kept of one that did nothing.
    pub async fn call_end(
        &self,
        call: &RepeatedCall,
        answer: Option<&KeptAnswer>,
    ) -> Result<(), StorageError> {
        let Some(answer) = answer else {
            sqlx::query(
                "DELETE FROM repeated_calls WHERE issuer = $1 AND person = $2 AND key_hash = $3 \
                 AND status IS NULL",
            )
            .bind(&call.caller.issuer)
            .bind(&call.caller.person)
            .bind(&call.key)
            .execute(&self.pool)
            .await?;
            return Ok(());
        };
        sqlx::query(
            "UPDATE repeated_calls SET status = $4, location = $5, body = $6 \
             WHERE issuer = $1 AND person = $2 AND key_hash = $3 AND status IS NULL",
        )
        .bind(&call.caller.issuer)
        .bind(&call.caller.person)
        .bind(&call.key)
        .bind(i16::try_from(answer.status).unwrap_or(200))
        .bind(&answer.location)
        .bind(&answer.body)
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}
