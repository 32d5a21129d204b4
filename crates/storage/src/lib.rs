//! The only crate that contains SQL: repositories, work and lease tables, migrations.
//!
//! Concrete functions on one [`Store`], named `noun_verb`. Every state change appends its ledger
//! events in the same transaction. Rows that come back are claims: who reads them to decide
//! something checks them first.

pub mod act;
pub mod check;
pub mod error;
pub mod event;
pub mod finding;
pub mod history;
pub mod inventory;
pub mod journal;
pub mod lease;
pub mod machine;
pub mod membership;
pub mod migrate;
pub mod person;
pub mod plan;
mod records;
pub mod repeated;
pub mod request;
pub mod roles;
pub mod state;
pub mod status;
pub mod submit;
pub mod time;
pub mod trust;
pub mod work;

use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

pub use error::StorageError;
pub use migrate::{check_schema, migrate};
pub use roles::RoleNames;

/// The database, as one role.
#[derive(Debug, Clone)]
pub struct Store {
    pool: PgPool,
    fence: Option<lease::Fence>,
}

impl Store {
    /// Connects with bounds on connections and statements.
    pub async fn connect(url: &str, application: &str, most: u32) -> Result<Self, StorageError> {
        let options: PgConnectOptions = url.parse().map_err(StorageError::from)?;
        let options = options
            .application_name(application)
            // A statement that hangs must not hold a request or a lease.
            .options([("statement_timeout", "15s"), ("lock_timeout", "10s")]);
        let pool = PgPoolOptions::new()
            .max_connections(most)
            .acquire_timeout(Duration::from_secs(10))
            .connect_with(options)
            .await?;
        Ok(Self::new(pool))
    }

    /// A store over an existing pool.
    pub fn new(pool: PgPool) -> Self {
        Self { pool, fence: None }
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), StorageError> {
        sqlx::query("SELECT 1").execute(&self.pool).await?;
        Ok(())
    }

    /// The database's time. Hosts' clocks may differ from it.
    pub async fn now(&self) -> Result<jiff::Timestamp, StorageError> {
        let (now,): (jiff_sqlx::Timestamp,) =
            sqlx::query_as("SELECT clock_timestamp()").fetch_one(&self.pool).await?;
        Ok(now.to_jiff())
    }

    /// The pool, for migrations and grants.
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }
}
