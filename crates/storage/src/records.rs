//! What the database says about applied revisions, to be held against the heads.
//!
//! These are claims: a difference never widens anything, it makes a subject stand still.

use std::collections::BTreeSet;

use strongroom_domain::subject::Subject;

use crate::Store;
use crate::error::StorageError;
use crate::request::subject as parse_subject;

impl Store {
    /// The hashes of these revisions, as far as they are known.
    pub async fn revision_hashes(
        &self,
        wanted: &[(Subject, i64)],
    ) -> Result<Vec<(Subject, Vec<u8>)>, StorageError> {
        let kinds: Vec<&str> = wanted.iter().map(|(subject, _)| subject.kind()).collect();
        let names: Vec<&str> = wanted.iter().map(|(subject, _)| subject.name()).collect();
        let numbers: Vec<i64> = wanted.iter().map(|(_, number)| *number).collect();
        let rows: Vec<(String, String, Vec<u8>)> = sqlx::query_as(
            "SELECT r.kind, r.name, r.hash FROM revisions r \
             JOIN unnest($1::text[], $2::text[], $3::bigint[]) AS w (kind, name, number) \
               ON r.kind = w.kind AND r.name = w.name AND r.number = w.number",
        )
        .bind(&kinds)
        .bind(&names)
        .bind(&numbers)
        .fetch_all(&self.pool)
        .await?;
        let row = |(kind, name, hash): (String, String, Vec<u8>)| {
            Ok((parse_subject(&kind, &name)?, hash))
        };
        rows.into_iter().map(row).collect()
    }

    /// The newest revision of each subject that a request is said to have applied.
    pub async fn revisions_applied(
        &self,
        only: Option<&BTreeSet<Subject>>,
    ) -> Result<Vec<(Subject, i64)>, StorageError> {
        let only: Option<Vec<String>> =
            only.map(|subjects| subjects.iter().map(ToString::to_string).collect());
        let rows: Vec<(String, String, i64)> = sqlx::query_as(
            "SELECT d.kind, d.name, max(d.revision) FROM change_request_documents d \
             JOIN change_requests r USING (request_id) WHERE r.state = 'applied' \
               AND ($1::text[] IS NULL OR d.kind || '/' || d.name = ANY ($1)) \
             GROUP BY d.kind, d.name LIMIT 50000",
        )
        .bind(&only)
        .fetch_all(&self.pool)
        .await?;
        // A row that names no subject is nobody's: it stops nobody else.
        let row = |(kind, name, number): (String, String, i64)| {
            Some((parse_subject(&kind, &name).ok()?, number))
        };
        Ok(rows.into_iter().filter_map(row).collect())
    }
}
