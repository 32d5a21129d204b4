//! What can go wrong with the database, told apart by what the caller may do.

/// A database operation that did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// There is no such row, or it is not visible.
    #[error("there is no such thing")]
    NotFound,
    /// Something stands in the way; the sentence says what.
    #[error("{0}")]
    Conflict(String),
    /// Somebody else changed the row first.
    #[error("the row changed in the meantime")]
    Stale,
    /// The lease that this store is bound to has ended, or is another's.
    #[error("the lease is lost")]
    LeaseLost,
    /// A token, a sign-in or an id was used before.
    #[error("{0} was used before")]
    AlreadyUsed(&'static str),
    /// The submitter has as many open requests as one person may have.
    #[error("there are {0} open requests of this person already")]
    TooManyOpen(u32),
    /// The schema is not the one this program knows.
    #[error("{0}")]
    Schema(String),
    /// A row holds what it cannot hold.
    #[error("{table}.{column} of {row} holds an impossible value")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// Which row.
        row: String,
    },
    /// The database failed or cannot be reached.
    #[error("use the database")]
    Database(#[source] sqlx::Error),
}

impl From<sqlx::Error> for StorageError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::RowNotFound => Self::NotFound,
            other => Self::Database(other),
        }
    }
}

/// Whether a statement failed because a unique constraint of this name holds.
pub(crate) fn violates(error: &sqlx::Error, constraint: &str) -> bool {
    error.as_database_error().and_then(|e| e.constraint()) == Some(constraint)
}
