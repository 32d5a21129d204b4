//! Migrations: they run only when asked, and every process refuses a schema that is not its own.

use sqlx::PgPool;
use sqlx::migrate::Migrator;

use crate::error::StorageError;

/// The embedded migrations, shared by the program and its tests.
pub static MIGRATOR: Migrator = sqlx::migrate!("../../migrations");

/// Brings the schema up to date, as the owner of the database.
pub async fn migrate(owner: &PgPool) -> Result<(), StorageError> {
    MIGRATOR.run(owner).await.map_err(|error| StorageError::Schema(format!("migrate: {error}")))
}

/// Refuses a schema that is older or newer than this program.
pub async fn check_schema(pool: &PgPool) -> Result<(), StorageError> {
    let newest: Option<i64> =
        sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations WHERE success")
            .fetch_one(pool)
            .await
            .map_err(|_| {
                StorageError::Schema(
                    "the database has no schema of Strongroom's; run `strongroom migrate`".into(),
                )
            })?;
    let ours = MIGRATOR.iter().map(|migration| migration.version).max();
    match newest.cmp(&ours) {
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Less => Err(StorageError::Schema(
            "the database schema is older than this program; run `strongroom migrate`".into(),
        )),
        std::cmp::Ordering::Greater => Err(StorageError::Schema(
            "the database schema is newer than this program; upgrade the program".into(),
        )),
    }
}
