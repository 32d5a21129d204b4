//! What the executor publishes: the engine it writes to, and what clients need to trust it.

use jiff::Timestamp;
use serde_json::Value;
use strongroom_domain::id::EngineId;
use uuid::Uuid;

use crate::Store;
use crate::error::StorageError;
use crate::time::to_db;

impl Store {
    /// Publishes what clients need.
    pub async fn trust_put(&self, value: &Value, at: Timestamp) -> Result<(), StorageError> {
        sqlx::query(
            "INSERT INTO published_trust (key, value, updated_at) VALUES ('trust', $1, $2) \
             ON CONFLICT (key) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at",
        )
        .bind(value)
        .bind(to_db(at))
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// What the executor published; `None` before it first ran.
    pub async fn trust_get(&self) -> Result<Option<Value>, StorageError> {
        let row: Option<(Value,)> =
            sqlx::query_as("SELECT value FROM published_trust WHERE key = 'trust'")
                .fetch_optional(&self.pool)
                .await?;
        Ok(row.map(|(value,)| value))
    }

    /// Records the engine.
    pub async fn engine_put(
        &self,
        engine: EngineId,
        name: &str,
        product: &str,
        cluster_id: &str,
    ) -> Result<(), StorageError> {
        sqlx::query(
            "INSERT INTO engines (engine_id, name, product, cluster_id) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (engine_id) DO UPDATE SET name = excluded.name, \
             product = excluded.product, cluster_id = excluded.cluster_id",
        )
        .bind(engine.as_uuid())
        .bind(name)
        .bind(product)
        .bind(cluster_id)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// The engine there is; several come later.
    pub async fn engine_get(&self) -> Result<Option<EngineId>, StorageError> {
        let row: Option<(Uuid,)> =
            sqlx::query_as("SELECT engine_id FROM engines ORDER BY created_at LIMIT 1")
                .fetch_optional(&self.pool)
                .await?;
        Ok(row.map(|(id,)| EngineId::from_uuid(id)))
    }
}
