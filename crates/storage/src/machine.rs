//! Machines that may ask the API: API keys, kept as hashes, and service accounts, known by UID.

use jiff::Timestamp;
use sqlx::FromRow;
use strongroom_domain::event::Event;
use strongroom_domain::id::MachineId;
use strongroom_domain::machine::Scope;
use strongroom_domain::person::PersonId;
use uuid::Uuid;

use crate::Store;
use crate::error::{StorageError, violates};
use crate::event;
use crate::request::Visibility;
use crate::time::{from_db, to_db};

/// How a machine shows that it is itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// An API key.
    Key {
        /// SHA-256 of it; not told again.
        hash: Vec<u8>,
        /// Its first characters.
        hint: String,
    },
    /// A service account's own token.
    Account(Account),
}

/// A service account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The cluster.
    pub cluster: String,
    /// The namespace.
    pub namespace: String,
    /// The account.
    pub account: String,
    /// Its UID: made anew under the same name it is another one.
    pub uid: String,
}

/// A machine to store.
#[derive(Debug, Clone)]
pub struct NewMachine {
    /// Its id.
    pub machine: MachineId,
    /// Its name.
    pub name: String,
    /// The one team it may see; all where there is none.
    pub team: Option<String>,
    /// What it may do.
    pub scope: Scope,
    /// How it shows that it is itself.
    pub proof: Proof,
    /// Who made it.
    pub creator: PersonId,
    /// Their name to read.
    pub display: String,
    /// When.
    pub at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// A live machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineRow {
    /// Its id.
    pub machine: MachineId,
    /// Its name.
    pub name: String,
    /// The one team it may see; all where there is none.
    pub team: Option<String>,
    /// What it may do.
    pub scope: Scope,
    /// The first characters of its key.
    pub key_hint: Option<String>,
    /// The account it is.
    pub account: Option<Account>,
    /// Who made it, a name to read.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// When it last asked, to the minute.
    pub last_used_at: Option<Timestamp>,
}

#[derive(FromRow)]
struct Raw {
    machine_id: Uuid,
    name: String,
    team: Option<String>,
    scope: String,
    key_hint: Option<String>,
    account_cluster: Option<String>,
    account_namespace: Option<String>,
    account_name: Option<String>,
    account_uid: Option<String>,
    created_display: String,
    created_at: jiff_sqlx::Timestamp,
    expires_at: jiff_sqlx::Timestamp,
    last_used_at: Option<jiff_sqlx::Timestamp>,
}

impl TryFrom<Raw> for MachineRow {
    type Error = StorageError;
    fn try_from(raw: Raw) -> Result<Self, StorageError> {
        let account = || {
            Some(Account {
                cluster: raw.account_cluster?,
                namespace: raw.account_namespace?,
                account: raw.account_name?,
                uid: raw.account_uid?,
            })
        };
        Ok(Self {
            machine: MachineId::from_uuid(raw.machine_id),
            scope: Scope::from_word(&raw.scope).ok_or(StorageError::Corrupt {
                table: "machines",
                column: "scope",
                row: raw.machine_id.to_string(),
            })?,
            name: raw.name,
            team: raw.team,
            key_hint: raw.key_hint,
            account: account(),
            created_by: raw.created_display,
            created_at: raw.created_at.to_jiff(),
            expires_at: raw.expires_at.to_jiff(),
            last_used_at: from_db(raw.last_used_at),
        })
    }
}

impl Store {
    /// Stores a machine, unless its team has `most` live ones.
    pub async fn machine_create(
        &self,
        new: &NewMachine,
        most: u32,
        events: &[Event],
    ) -> Result<(), StorageError> {
        let mut tx = self.pool.begin().await?;
        // Counted under a lock of the team, so that many at once are not too many.
        sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended($1, 9))")
            .bind(new.team.as_deref().unwrap_or_default())
            .execute(&mut *tx)
            .await?;
        let (live,): (i64,) = sqlx::query_as(
            "SELECT count(*) FROM machines WHERE ended_at IS NULL AND expires_at > $2 \
             AND team IS NOT DISTINCT FROM $1",
        )
        .bind(&new.team)
        .bind(to_db(new.at))
        .fetch_one(&mut *tx)
        .await?;
        if live >= i64::from(most) {
            return Err(StorageError::Conflict(format!(
                "there are {live} machines already, which is as many as there may be; end those that \
                 are not used (`strongroom get machines`)"
            )));
        }
        // A name is free again when its machine has run out, and so is an account.
        sqlx::query(
            "UPDATE machines SET ended_at = expires_at WHERE machine_id IN (SELECT machine_id \
             FROM machines WHERE ended_at IS NULL AND expires_at <= $1 FOR UPDATE SKIP LOCKED)",
        )
        .bind(to_db(new.at))
        .execute(&mut *tx)
        .await?;
        let (key, account) = match &new.proof {
            Proof::Key { hash, hint } => (Some((hash, hint)), None),
            Proof::Account(account) => (None, Some(account)),
        };
        let inserted = sqlx::query(
            "INSERT INTO machines (machine_id, name, team, scope, key_hash, key_hint, \
             account_cluster, account_namespace, account_name, account_uid, created_issuer, \
             created_person, created_display, created_at, expires_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
        )
        .bind(new.machine.as_uuid())
        .bind(&new.name)
        .bind(&new.team)
        .bind(new.scope.as_str())
        .bind(key.map(|(hash, _)| hash))
        .bind(key.map(|(_, hint)| hint))
        .bind(account.map(|account| &account.cluster))
        .bind(account.map(|account| &account.namespace))
        .bind(account.map(|account| &account.account))
        .bind(account.map(|account| &account.uid))
        .bind(&new.creator.issuer)
        .bind(&new.creator.person)
        .bind(&new.display)
        .bind(to_db(new.at))
        .bind(to_db(new.expires_at))
        .execute(&mut *tx)
        .await;
        match inserted {
            Err(error) if violates(&error, "machines_live_name") => {
                return Err(StorageError::Conflict(format!(
                    "there is a machine {} already; end it first, or choose another name",
                    new.name
                )));
            }
            Err(error) if violates(&error, "machines_live_account") => {
                return Err(StorageError::Conflict(
                    "this service account is a machine already; one account is one machine".into(),
                ));
            }
            Err(error) => return Err(error.into()),
            Ok(_) => {}
        }
        event::append(&mut tx, events).await?;
        Ok(tx.commit().await?)
    }

    /// The live machine of a key. That it was used is kept to the minute: reading writes nothing else.
    pub async fn machine_use_key(
        &self,
        hash: &[u8],
        at: Timestamp,
    ) -> Result<MachineRow, StorageError> {
        let raw: Raw = sqlx::query_as(
            "SELECT * FROM machines WHERE key_hash = $1 AND ended_at IS NULL AND expires_at > $2",
        )
        .bind(hash)
        .bind(to_db(at))
        .fetch_one(&self.pool)
        .await?;
        self.machine_used(raw, at).await
    }

    /// The live machine that this account is, unless its cluster is known not to have it any more.
    pub async fn machine_use_account(
        &self,
        account: &Account,
        at: Timestamp,
    ) -> Result<MachineRow, StorageError> {
        let raw: Raw = sqlx::query_as(
            "SELECT * FROM machines WHERE account_cluster = $1 AND account_namespace = $2 \
             AND account_name = $3 AND account_uid = $4 AND ended_at IS NULL AND expires_at > $5 \
             AND NOT EXISTS (SELECT FROM inventory_status s WHERE s.cluster = $1 AND s.known \
               AND NOT EXISTS (SELECT FROM inventory_service_accounts a \
                 WHERE a.engine_id = s.engine_id AND a.cluster = $1 AND a.namespace = $2 \
                   AND a.name = $3 AND a.uid = $4))",
        )
        .bind(&account.cluster)
        .bind(&account.namespace)
        .bind(&account.account)
        .bind(&account.uid)
        .bind(to_db(at))
        .fetch_one(&self.pool)
        .await?;
        self.machine_used(raw, at).await
    }

    async fn machine_used(&self, raw: Raw, at: Timestamp) -> Result<MachineRow, StorageError> {
        let row = MachineRow::try_from(raw)?;
        if row.last_used_at.is_none_or(|used| at.duration_since(used).as_secs() >= 60) {
            sqlx::query("UPDATE machines SET last_used_at = $2 WHERE machine_id = $1")
                .bind(row.machine.as_uuid())
                .bind(to_db(at))
                .execute(&self.pool)
                .await?;
        }
        Ok(row)
    }

    /// Live machines that the viewer may see, by team and name.
    pub async fn machine_list(
        &self,
        visibility: &Visibility,
        at: Timestamp,
    ) -> Result<Vec<MachineRow>, StorageError> {
        let teams: Vec<&String> = visibility.teams.iter().collect();
        let rows: Vec<Raw> = sqlx::query_as(
            "SELECT * FROM machines WHERE ended_at IS NULL AND expires_at > $1 \
             AND ($2 OR team = ANY ($3)) ORDER BY team NULLS FIRST, name LIMIT 1000",
        )
        .bind(to_db(at))
        .bind(visibility.all)
        .bind(&teams)
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(MachineRow::try_from).collect()
    }

    /// Ends a live machine of this team, by its name; of no team where there is none.
    pub async fn machine_end(
        &self,
        team: Option<&str>,
        name: &str,
        at: Timestamp,
        event: impl FnOnce(MachineId) -> Event + Send,
    ) -> Result<(), StorageError> {
        let mut tx = self.pool.begin().await?;
        let (machine,): (Uuid,) = sqlx::query_as(
            "UPDATE machines SET ended_at = $3 WHERE team IS NOT DISTINCT FROM $1 AND name = $2 \
             AND ended_at IS NULL AND expires_at > $3 RETURNING machine_id",
        )
        .bind(team)
        .bind(name)
        .bind(to_db(at))
        .fetch_one(&mut *tx)
        .await?;
        event::append(&mut tx, &[event(MachineId::from_uuid(machine))]).await?;
        Ok(tx.commit().await?)
    }
}
