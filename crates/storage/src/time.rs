//! Timestamps on their way to and from the database.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;

/// A time as the database takes it.
pub(crate) fn to_db(at: Timestamp) -> jiff_sqlx::Timestamp {
    at.to_sqlx()
}

/// An optional time from the database.
pub(crate) fn from_db(at: Option<jiff_sqlx::Timestamp>) -> Option<Timestamp> {
    at.map(jiff_sqlx::Timestamp::to_jiff)
}
