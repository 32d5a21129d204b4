//! Checks that report once from a cluster: a ticket, kept as its hash, and what came in with it.

use jiff::Timestamp;
use sqlx::FromRow;
use strongroom_domain::check::Report;
use strongroom_domain::event::Event;
use strongroom_domain::person::PersonId;

use crate::Store;
use crate::error::StorageError;
use crate::event;
use crate::state::BindingState;
use crate::time::to_db;

/// What is checked: one account of one binding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckPlace {
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
}

impl CheckPlace {
    /// Whether it is this account of this binding.
    pub fn is_of(&self, state: &BindingState) -> bool {
        self.team == state.team
            && self.binding == state.binding
            && self.cluster == state.cluster
            && self.namespace == state.namespace
            && self.account == state.account
    }
}

/// A check to await.
#[derive(Debug, Clone)]
pub struct NewCheck {
    /// SHA-256 of its ticket.
    pub hash: Vec<u8>,
    /// What is checked.
    pub place: CheckPlace,
    /// Who made it.
    pub creator: PersonId,
    /// Their name to read.
    pub display: String,
    /// When.
    pub at: Timestamp,
    /// Until when it may report.
    pub expires_at: Timestamp,
}

/// A check that may report.
#[derive(Debug, Clone)]
pub struct OpenCheck {
    /// What is checked.
    pub place: CheckPlace,
    /// Who made it.
    pub creator: PersonId,
    /// Their name to read.
    pub display: String,
}

/// What a check said.
#[derive(Debug, Clone)]
pub struct CheckRow {
    /// What was checked.
    pub place: CheckPlace,
    /// When it said so.
    pub reported_at: Timestamp,
    /// What.
    pub report: Report,
}

#[derive(FromRow)]
struct RawOpen {
    team: String,
    binding: String,
    cluster: String,
    namespace: String,
    account: String,
    created_issuer: String,
    created_person: String,
    created_display: String,
}

#[derive(FromRow)]
struct Raw {
    team: String,
    binding: String,
    cluster: String,
    namespace: String,
    account: String,
    reported_at: jiff_sqlx::Timestamp,
    report: String,
}

impl Store {
    /// Awaits a check's report, unless `most` of its team are awaited already.
    pub async fn check_create(&self, new: &NewCheck, most: u32) -> Result<(), StorageError> {
        let mut tx = self.pool.begin().await?;
        // Counted under a lock of the team, so that many at once are not too many.
        sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended($1, 10))")
            .bind(&new.place.team)
            .execute(&mut *tx)
            .await?;
        sqlx::query(
            "DELETE FROM binding_checks WHERE team = $1 AND reported_at IS NULL AND expires_at <= $2",
        )
        .bind(&new.place.team)
        .bind(to_db(new.at))
        .execute(&mut *tx)
        .await?;
        let open: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM binding_checks WHERE team = $1 AND reported_at IS NULL",
        )
        .bind(&new.place.team)
        .fetch_one(&mut *tx)
        .await?;
        if open >= i64::from(most) {
            return Err(StorageError::Conflict(format!(
                "{open} checks of this team have not reported yet, which is as many as there may be; \
                 run them, or wait until they end within the hour"
            )));
        }
        sqlx::query(
            "INSERT INTO binding_checks (ticket_hash, team, binding, cluster, namespace, account, \
             created_issuer, created_person, created_display, created_at, expires_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        )
        .bind(&new.hash)
        .bind(&new.place.team)
        .bind(&new.place.binding)
        .bind(&new.place.cluster)
        .bind(&new.place.namespace)
        .bind(&new.place.account)
        .bind(&new.creator.issuer)
        .bind(&new.creator.person)
        .bind(&new.display)
        .bind(to_db(new.at))
        .bind(to_db(new.expires_at))
        .execute(&mut *tx)
        .await?;
        Ok(tx.commit().await?)
    }

    /// Takes the one report of a check, with its event; older ones of the same account go.
    pub async fn check_report(
        &self,
        hash: &[u8],
        at: Timestamp,
        report: &Report,
        event: impl FnOnce(OpenCheck) -> Event + Send,
    ) -> Result<(), StorageError> {
        let text = serde_json::to_string(report)
            .map_err(|_| StorageError::Conflict("the report cannot be written".into()))?;
        let mut tx = self.pool.begin().await?;
        let raw: RawOpen = sqlx::query_as(
            "UPDATE binding_checks SET reported_at = $2, report = $3 WHERE ticket_hash = $1 \
             AND reported_at IS NULL AND expires_at > $2 RETURNING team, binding, cluster, \
             namespace, account, created_issuer, created_person, created_display",
        )
        .bind(hash)
        .bind(to_db(at))
        .bind(text)
        .fetch_one(&mut *tx)
        .await?;
        sqlx::query(
            "DELETE FROM binding_checks WHERE team = $2 AND binding = $3 AND cluster = $4 \
             AND namespace = $5 AND account = $6 AND reported_at IS NOT NULL AND ticket_hash <> $1",
        )
        .bind(hash)
        .bind(&raw.team)
        .bind(&raw.binding)
        .bind(&raw.cluster)
        .bind(&raw.namespace)
        .bind(&raw.account)
        .execute(&mut *tx)
        .await?;
        let open = OpenCheck {
            place: CheckPlace {
                team: raw.team,
                binding: raw.binding,
                cluster: raw.cluster,
                namespace: raw.namespace,
                account: raw.account,
            },
            creator: PersonId { issuer: raw.created_issuer, person: raw.created_person },
            display: raw.created_display,
        };
        event::append(&mut tx, &[event(open)]).await?;
        Ok(tx.commit().await?)
    }

    /// What the newest check of each account of these teams' bindings said.
    pub async fn checks_of(&self, teams: &[String]) -> Result<Vec<CheckRow>, StorageError> {
        let rows: Vec<Raw> = sqlx::query_as(
            "SELECT DISTINCT ON (team, binding, cluster, namespace, account) team, binding, cluster, \
             namespace, account, reported_at, report FROM binding_checks \
             WHERE team = ANY ($1) AND reported_at IS NOT NULL \
             ORDER BY team, binding, cluster, namespace, account, reported_at DESC",
        )
        .bind(teams)
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(CheckRow::try_from).collect()
    }
}

impl TryFrom<Raw> for CheckRow {
    type Error = StorageError;

    fn try_from(raw: Raw) -> Result<Self, StorageError> {
        let report = serde_json::from_str(&raw.report).map_err(|_| StorageError::Corrupt {
            table: "binding_checks",
            column: "report",
            row: format!("{}/{}", raw.team, raw.binding),
        })?;
        let Raw { team, binding, cluster, namespace, account, reported_at, .. } = raw;
        let place = CheckPlace { team, binding, cluster, namespace, account };
        Ok(Self { place, reported_at: reported_at.to_jiff(), report })
    }
}
