//! How the deployment stands, in counts: for who runs it.

use jiff::Timestamp;
use strongroom_domain::person::PersonId;

use crate::Store;
use crate::error::StorageError;
use crate::time::{from_db, to_db};

/// The engine, as the executor last described it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineRow {
    /// Its name.
    pub name: String,
    /// Product and version.
    pub product: String,
    /// The id that it gives itself.
    pub cluster_id: String,
}

/// A cluster's inventory, counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterRow {
    /// The cluster.
    pub cluster: String,
    /// Whether the executor sees it now.
    pub known: bool,
    /// Why not.
    pub reason: Option<String>,
    /// When it was last seen.
    pub as_of: Timestamp,
    /// Its namespaces.
    pub namespaces: i64,
    /// Its service accounts.
    pub accounts: i64,
}

/// How many there are of something, and since when the oldest waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CountRow {
    /// Of what.
    pub word: String,
    /// How many.
    pub count: i64,
    /// The oldest.
    pub oldest: Option<Timestamp>,
}

/// Somebody as of their last sign-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonRow {
    /// Who.
    pub id: PersonId,
    /// A name to read.
    pub display: String,
    /// The groups of that sign-in.
    pub groups: Vec<String>,
    /// When it was.
    pub signed_in_at: Timestamp,
}

type Count = (String, i64, Option<jiff_sqlx::Timestamp>);

fn counts(rows: Vec<Count>) -> Vec<CountRow> {
    let row = |(word, count, oldest)| CountRow { word, count, oldest: from_db(oldest) };
    rows.into_iter().map(row).collect()
}

impl Store {
    /// The engine of this deployment.
    pub async fn engine_row(&self) -> Result<Option<EngineRow>, StorageError> {
        let query = "SELECT name, product, cluster_id FROM engines ORDER BY created_at LIMIT 1";
        let row: Option<(String, String, String)> =
            sqlx::query_as(query).fetch_optional(&self.pool).await?;
        Ok(row.map(|(name, product, cluster_id)| EngineRow { name, product, cluster_id }))
    }

    /// Every cluster that was ever looked at.
    pub async fn cluster_counts(&self) -> Result<Vec<ClusterRow>, StorageError> {
        type Row = (String, bool, Option<String>, jiff_sqlx::Timestamp, i64, i64);
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT s.cluster, s.known, s.reason, s.as_of, \
               (SELECT count(*) FROM inventory_namespaces n \
                WHERE n.engine_id = s.engine_id AND n.cluster = s.cluster), \
               (SELECT count(*) FROM inventory_service_accounts a \
                WHERE a.engine_id = s.engine_id AND a.cluster = s.cluster) \
             FROM inventory_status s ORDER BY s.cluster LIMIT 1000",
        )
        .fetch_all(&self.pool)
        .await?;
        let row = |(cluster, known, reason, as_of, namespaces, accounts): Row| ClusterRow {
            cluster,
            known,
            reason,
            as_of: as_of.to_jiff(),
            namespaces,
            accounts,
        };
        Ok(rows.into_iter().map(row).collect())
    }

    /// Requests that have not ended, by state.
    pub async fn request_counts(&self) -> Result<Vec<CountRow>, StorageError> {
        let rows: Vec<Count> = sqlx::query_as(
            "SELECT state, count(*), min(created_at) FROM change_requests \
             WHERE state IN ('submitted', 'in_review', 'approved', 'applying') \
             GROUP BY state ORDER BY state",
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(counts(rows))
    }

    /// What waits for the executor: signed acts without a receipt, and work that is due.
    pub async fn queue_counts(&self) -> Result<Vec<CountRow>, StorageError> {
        let rows: Vec<Count> = sqlx::query_as(
            "SELECT 'acts', count(*), min(a.received_at) FROM acts a WHERE NOT EXISTS \
               (SELECT 1 FROM act_receipts r WHERE r.act_id = a.act_id) \
             UNION ALL SELECT 'work', count(*), min(due_at) FROM work WHERE due_at <= now()",
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(counts(rows))
    }

    /// Findings that stand, by severity.
    pub async fn finding_counts(&self) -> Result<Vec<CountRow>, StorageError> {
        let rows: Vec<Count> = sqlx::query_as(
            "SELECT severity, count(*), min(first_seen) FROM findings WHERE resolved_at IS NULL \
             GROUP BY severity ORDER BY severity",
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(counts(rows))
    }

    /// Subjects, by kind and state.
    pub async fn subject_counts(&self) -> Result<Vec<CountRow>, StorageError> {
        let rows: Vec<Count> = sqlx::query_as(
            "SELECT kind || '/' || state, count(*), NULL::timestamptz FROM subject_states \
             GROUP BY kind, state ORDER BY kind, state",
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(counts(rows))
    }

    /// Everybody who ever signed in, newest first, from before a place on.
    pub async fn people_list(
        &self,
        group: Option<&str>,
        before: Option<(Timestamp, String)>,
        limit: i64,
    ) -> Result<Vec<PersonRow>, StorageError> {
        type Row = (String, String, String, Vec<String>, jiff_sqlx::Timestamp);
        let (at, person) = before.unzip();
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT issuer, person, display, groups, last_sign_in_at FROM people \
             WHERE ($1::text IS NULL OR $1 = ANY (groups)) \
               AND ($2::timestamptz IS NULL OR (last_sign_in_at, person) < ($2, $3)) \
             ORDER BY last_sign_in_at DESC, person DESC LIMIT $4",
        )
        .bind(group)
        .bind(at.map(to_db))
        .bind(person)
        .bind(limit)
        .fetch_all(&self.pool)
        .await?;
        let row = |(issuer, person, display, groups, at): Row| PersonRow {
            id: PersonId { issuer, person },
            display,
            groups,
            signed_in_at: at.to_jiff(),
        };
        Ok(rows.into_iter().map(row).collect())
    }
}
