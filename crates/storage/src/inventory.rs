//! What the clusters hold, as last seen: a cache for people. UIDs that decide are read live.

use jiff::Timestamp;
use strongroom_domain::id::EngineId;

use crate::Store;
use crate::error::StorageError;
use crate::time::to_db;

/// How well a cluster is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InventoryStatus {
    /// Whether the lists are the cluster's.
    pub known: bool,
    /// Why not.
    pub reason: Option<String>,
    /// As of when.
    pub as_of: Timestamp,
}

/// A cluster's namespaces and service accounts with their UIDs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inventory {
    /// Name and UID.
    pub namespaces: Vec<(String, String)>,
    /// Namespace, name and UID.
    pub accounts: Vec<(String, String, String)>,
}

impl Store {
    /// Replaces what is known of a cluster.
    pub async fn inventory_replace(
        &self,
        engine: EngineId,
        cluster: &str,
        inventory: &Inventory,
        as_of: Timestamp,
    ) -> Result<(), StorageError> {
        let mut tx = self.begin().await?;
        for sql in [
            "DELETE FROM inventory_namespaces WHERE engine_id = $1 AND cluster = $2",
            "DELETE FROM inventory_service_accounts WHERE engine_id = $1 AND cluster = $2",
        ] {
            sqlx::query(sql).bind(engine.as_uuid()).bind(cluster).execute(&mut *tx).await?;
        }
        let (names, uids): (Vec<&String>, Vec<&String>) =
            inventory.namespaces.iter().map(|(name, uid)| (name, uid)).unzip();
        sqlx::query(
            "INSERT INTO inventory_namespaces (engine_id, cluster, name, uid) \
             SELECT $1, $2, n, u FROM unnest($3::text[], $4::text[]) AS t (n, u)",
        )
        .bind(engine.as_uuid())
        .bind(cluster)
        .bind(&names)
        .bind(&uids)
        .execute(&mut *tx)
        .await?;
        let column = |pick: fn(&(String, String, String)) -> &String| -> Vec<&String> {
            inventory.accounts.iter().map(pick).collect()
        };
        sqlx::query(
            "INSERT INTO inventory_service_accounts (engine_id, cluster, namespace, name, uid) \
             SELECT $1, $2, s, n, u FROM unnest($3::text[], $4::text[], $5::text[]) AS t (s, n, u)",
        )
        .bind(engine.as_uuid())
        .bind(cluster)
        .bind(column(|(namespace, _, _)| namespace))
        .bind(column(|(_, name, _)| name))
        .bind(column(|(_, _, uid)| uid))
        .execute(&mut *tx)
        .await?;
        put_status(&mut tx, engine, cluster, true, None, as_of).await?;
        Ok(tx.commit().await?)
    }

    /// Records that a cluster cannot be read; what was known stays, marked.
    pub async fn inventory_unknown(
        &self,
        engine: EngineId,
        cluster: &str,
        reason: &str,
        as_of: Timestamp,
    ) -> Result<(), StorageError> {
        let mut tx = self.begin().await?;
        put_status(&mut tx, engine, cluster, false, Some(reason), as_of).await?;
        Ok(tx.commit().await?)
    }

    /// What is known of a cluster; `None` when it never was read.
    pub async fn inventory_get(
        &self,
        engine: EngineId,
        cluster: &str,
    ) -> Result<Option<(InventoryStatus, Inventory)>, StorageError> {
        let status: Option<(bool, Option<String>, jiff_sqlx::Timestamp)> = sqlx::query_as(
            "SELECT known, reason, as_of FROM inventory_status WHERE engine_id = $1 AND cluster = $2",
        )
        .bind(engine.as_uuid())
        .bind(cluster)
        .fetch_optional(&self.pool)
        .await?;
        let Some((known, reason, as_of)) = status else {
            return Ok(None);
        };
        let namespaces = sqlx::query_as(
            "SELECT name, uid FROM inventory_namespaces WHERE engine_id = $1 AND cluster = $2 \
             ORDER BY name",
        )
        .bind(engine.as_uuid())
        .bind(cluster)
        .fetch_all(&self.pool)
        .await?;
        let accounts = sqlx::query_as(
            "SELECT namespace, name, uid FROM inventory_service_accounts \
             WHERE engine_id = $1 AND cluster = $2 ORDER BY namespace, name",
        )
        .bind(engine.as_uuid())
        .bind(cluster)
        .fetch_all(&self.pool)
        .await?;
        let status = InventoryStatus { known, reason, as_of: as_of.to_jiff() };
        Ok(Some((status, Inventory { namespaces, accounts })))
    }
}

async fn put_status(
    tx: &mut sqlx::PgConnection,
    engine: EngineId,
    cluster: &str,
    known: bool,
    reason: Option<&str>,
    as_of: Timestamp,
) -> Result<(), StorageError> {
    sqlx::query(
        "INSERT INTO inventory_status (engine_id, cluster, known, reason, as_of) \
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT (engine_id, cluster) DO UPDATE SET \
         known = excluded.known, reason = excluded.reason, as_of = excluded.as_of",
    )
    .bind(engine.as_uuid())
    .bind(cluster)
    .bind(known)
    .bind(reason)
    .bind(to_db(as_of))
    .execute(tx)
    .await?;
    Ok(())
}
