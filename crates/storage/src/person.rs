//! Sign-ins, sessions, and people as they were seen signing in.

use std::collections::BTreeSet;

use jiff::Timestamp;
use strongroom_domain::event::Event;
use strongroom_domain::id::{SessionId, SignInId};
use strongroom_domain::person::{PersonId, SignedPerson};
use uuid::Uuid;

use crate::Store;
use crate::error::StorageError;
use crate::event;
use crate::time::to_db;

/// A session to store.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// Its id.
    pub session: SessionId,
    /// SHA-256 of the token.
    pub token_hash: Vec<u8>,
    /// Who signed in.
    pub person: SignedPerson,
    /// When.
    pub at: Timestamp,
    /// When it ends if it is not used.
    pub idle_expires_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// A live session.
#[derive(Debug, Clone)]
pub struct SessionRow {
    /// Its id.
    pub session: SessionId,
    /// Who signed in.
    pub person: SignedPerson,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// A live session as its owner, or the platform, sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveSession {
    /// Its id.
    pub session: SessionId,
    /// Whose it is.
    pub person: PersonId,
    /// Their name to read.
    pub display: String,
    /// When they signed in.
    pub signed_in_at: Timestamp,
    /// When it was last used.
    pub last_used_at: Timestamp,
    /// When it ends if it is not used.
    pub idle_expires_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// A person as seen at their last sign-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownPerson {
    /// Who.
    pub id: PersonId,
    /// A name to read.
    pub display: String,
    /// When they signed in last.
    pub signed_in_at: Timestamp,
}

impl Store {
    /// Begins a sign-in.
    pub async fn sign_in_create(
        &self,
        sign_in: SignInId,
        nonce: &str,
        at: Timestamp,
        expires_at: Timestamp,
    ) -> Result<(), StorageError> {
        sqlx::query(
            "INSERT INTO sign_ins (sign_in_id, nonce, created_at, expires_at) \
             VALUES ($1, $2, $3, $4)",
        )
        .bind(sign_in.as_uuid())
        .bind(nonce)
        .bind(to_db(at))
        .bind(to_db(expires_at))
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Uses up a sign-in and gives its nonce. It works once and in time.
    pub async fn sign_in_complete(
        &self,
        sign_in: SignInId,
        at: Timestamp,
    ) -> Result<String, StorageError> {
        let row: Option<(String,)> = sqlx::query_as(
            "UPDATE sign_ins SET completed_at = $2 \
             WHERE sign_in_id = $1 AND completed_at IS NULL AND expires_at > $2 RETURNING nonce",
        )
        .bind(sign_in.as_uuid())
        .bind(to_db(at))
        .fetch_optional(&self.pool)
        .await?;
        row.map(|(nonce,)| nonce).ok_or(StorageError::NotFound)
    }

    /// Opens a session and remembers the person.
    pub async fn session_create(
        &self,
        new: &NewSession,
        events: &[Event],
    ) -> Result<(), StorageError> {
        let groups: Vec<&String> = new.person.groups.iter().collect();
        let mut tx = self.pool.begin().await?;
        sqlx::query(
            "INSERT INTO sessions (session_id, token_hash, issuer, person, display, groups, \
             created_at, last_used_at, idle_expires_at, expires_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8, $9)",
        )
        .bind(new.session.as_uuid())
        .bind(&new.token_hash)
        .bind(&new.person.id.issuer)
        .bind(&new.person.id.person)
        .bind(&new.person.display)
        .bind(&groups)
        .bind(to_db(new.at))
        .bind(to_db(new.idle_expires_at))
        .bind(to_db(new.expires_at))
        .execute(&mut *tx)
        .await?;
        sqlx::query(
            "INSERT INTO people (issuer, person, display, groups, last_sign_in_at) \
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT (issuer, person) DO UPDATE SET \
             display = excluded.display, groups = excluded.groups, \
             last_sign_in_at = excluded.last_sign_in_at",
        )
        .bind(&new.person.id.issuer)
        .bind(&new.person.id.person)
        .bind(&new.person.display)
        .bind(&groups)
        .bind(to_db(new.at))
        .execute(&mut *tx)
        .await?;
        event::append(&mut tx, events).await?;
        Ok(tx.commit().await?)
    }

    /// The live session of a token; using it moves its idle end.
    pub async fn session_use(
        &self,
        token_hash: &[u8],
        at: Timestamp,
        idle_expires_at: Timestamp,
    ) -> Result<SessionRow, StorageError> {
        type Row = (Uuid, String, String, String, Vec<String>, jiff_sqlx::Timestamp);
        let row: Option<Row> = sqlx::query_as(
            "UPDATE sessions SET last_used_at = $2, idle_expires_at = $3 \
             WHERE token_hash = $1 AND ended_at IS NULL AND expires_at > $2 \
               AND idle_expires_at > $2 \
             RETURNING session_id, issuer, person, display, groups, expires_at",
        )
        .bind(token_hash)
        .bind(to_db(at))
        .bind(to_db(idle_expires_at))
        .fetch_optional(&self.pool)
        .await?;
        let (session, issuer, person, display, groups, expires_at) =
            row.ok_or(StorageError::NotFound)?;
        Ok(SessionRow {
            session: SessionId::from_uuid(session),
            person: SignedPerson {
                id: PersonId { issuer, person },
                display,
                groups: groups.into_iter().collect(),
            },
            expires_at: expires_at.to_jiff(),
        })
    }

    /// Ends a session.
    pub async fn session_end(&self, session: SessionId, at: Timestamp) -> Result<(), StorageError> {
        sqlx::query("UPDATE sessions SET ended_at = $2 WHERE session_id = $1 AND ended_at IS NULL")
            .bind(session.as_uuid())
            .bind(to_db(at))
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Live sessions of a person, or of everybody; the newest first.
    pub async fn session_list(
        &self,
        person: Option<&PersonId>,
        at: Timestamp,
    ) -> Result<Vec<LiveSession>, StorageError> {
        type Time = jiff_sqlx::Timestamp;
        type Row = (Uuid, String, String, String, Time, Time, Time, Time);
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT session_id, issuer, person, display, created_at, last_used_at, \
             idle_expires_at, expires_at FROM sessions \
             WHERE ended_at IS NULL AND expires_at > $1 AND idle_expires_at > $1 \
               AND ($2::text IS NULL OR (issuer = $2 AND person = $3)) \
             ORDER BY created_at DESC, session_id LIMIT 1000",
        )
        .bind(to_db(at))
        .bind(person.map(|person| &person.issuer))
        .bind(person.map(|person| &person.person))
        .fetch_all(&self.pool)
        .await?;
        let live =
            |(session, issuer, person, display, created, used, idle, end): Row| LiveSession {
                session: SessionId::from_uuid(session),
                person: PersonId { issuer, person },
                display,
                signed_in_at: created.to_jiff(),
                last_used_at: used.to_jiff(),
                idle_expires_at: idle.to_jiff(),
                expires_at: end.to_jiff(),
            };
        Ok(rows.into_iter().map(live).collect())
    }

    /// Ends a live session, of anybody or only of this person.
    pub async fn session_end_other(
        &self,
        session: SessionId,
        person: Option<&PersonId>,
        at: Timestamp,
        events: &[Event],
    ) -> Result<(), StorageError> {
        let mut tx = self.pool.begin().await?;
        let done = sqlx::query(
            "UPDATE sessions SET ended_at = $2 WHERE session_id = $1 AND ended_at IS NULL \
             AND expires_at > $2 AND idle_expires_at > $2 \
             AND ($3::text IS NULL OR (issuer = $3 AND person = $4))",
        )
        .bind(session.as_uuid())
        .bind(to_db(at))
        .bind(person.map(|person| &person.issuer))
        .bind(person.map(|person| &person.person))
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() == 0 {
            return Err(StorageError::NotFound);
        }
        event::append(&mut tx, events).await?;
        Ok(tx.commit().await?)
    }

    /// People who signed in with one of these groups, newest first.
    pub async fn people_in_groups(
        &self,
        groups: &BTreeSet<String>,
    ) -> Result<Vec<KnownPerson>, StorageError> {
        let groups: Vec<&String> = groups.iter().collect();
        let rows: Vec<(String, String, String, jiff_sqlx::Timestamp)> = sqlx::query_as(
            "SELECT issuer, person, display, last_sign_in_at FROM people WHERE groups && $1 \
             ORDER BY last_sign_in_at DESC LIMIT 50",
        )
        .bind(&groups)
        .fetch_all(&self.pool)
        .await?;
        let person = |(issuer, person, display, at): (String, String, String, _)| KnownPerson {
            id: PersonId { issuer, person },
            display,
            signed_in_at: jiff_sqlx::Timestamp::to_jiff(at),
        };
        Ok(rows.into_iter().map(person).collect())
    }
}
