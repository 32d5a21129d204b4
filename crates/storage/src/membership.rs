//! Questions over the applied documents of all teams: whose they are, and what they claim.
//!
//! The applied documents are a cache of what the heads say, so the answers serve pages and early
//! refusals only. The executor asks its heads.

use std::collections::BTreeSet;

use crate::Store;
use crate::error::StorageError;

/// A namespace that an applied document claims.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClaimRow {
    /// The team.
    pub team: String,
    /// The cluster.
    pub cluster: String,
    /// The namespace.
    pub namespace: String,
}

/// A group that an applied document names among its people.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct MembershipRow {
    /// The team.
    pub team: String,
    /// `owners`, `editors` or `viewers`.
    pub list: String,
    /// The provider's group.
    pub group: String,
}

impl Store {
    /// Who is in which team: every group that an applied document names among its people.
    pub async fn memberships(&self) -> Result<Vec<MembershipRow>, StorageError> {
        let rows: Vec<(String, String, String)> = sqlx::query_as(
            "SELECT s.name, l.list, g #>> '{}' FROM subject_states s, \
             (VALUES ('owners'), ('editors'), ('viewers')) AS l (list), \
             LATERAL jsonb_path_query(convert_from(s.applied_document, 'UTF8')::jsonb \
               #> ARRAY['spec', 'people', l.list], '$[*].group', '{}', true) AS g \
             WHERE s.kind = 'team' AND s.applied_document IS NOT NULL ORDER BY 1, 2, 3",
        )
        .fetch_all(self.pool())
        .await?;
        let row = |(team, list, group)| MembershipRow { team, list, group };
        Ok(rows.into_iter().map(row).collect())
    }

    /// Another number whenever applied documents are others; `None` when nobody counts.
    pub async fn access_version(&self) -> Result<Option<i64>, StorageError> {
        let row: Option<(i64,)> = sqlx::query_as("SELECT version FROM access_version")
            .fetch_optional(self.pool())
            .await?;
        Ok(row.map(|(version,)| version))
    }

    /// Who claims these namespaces (`cluster/namespace`) in an applied document.
    pub async fn claims_of_namespaces(
        &self,
        namespaces: &BTreeSet<String>,
    ) -> Result<Vec<ClaimRow>, StorageError> {
        let namespaces: Vec<&String> = namespaces.iter().collect();
        let rows: Vec<(String, String, String)> = sqlx::query_as(
            "SELECT s.name, c ->> 'cluster', c ->> 'name' FROM subject_states s, \
             LATERAL jsonb_path_query(convert_from(s.applied_document, 'UTF8')::jsonb, \
               '$.spec.namespaces[*]', '{}', true) AS c \
             WHERE s.kind = 'team' AND s.applied_document IS NOT NULL \
               AND (c ->> 'cluster') || '/' || (c ->> 'name') = ANY ($1) ORDER BY 1, 2, 3",
        )
        .bind(&namespaces)
        .fetch_all(self.pool())
        .await?;
        let row = |(team, cluster, namespace)| ClaimRow { team, cluster, namespace };
        Ok(rows.into_iter().map(row).collect())
    }

    /// The applied documents of teams with bindings for accounts of other teams.
    pub async fn documents_that_share(&self) -> Result<Vec<Vec<u8>>, StorageError> {
        let rows: Vec<(Vec<u8>,)> = sqlx::query_as(
            "SELECT s.applied_document FROM subject_states s \
             WHERE s.kind = 'team' AND s.applied_document IS NOT NULL AND jsonb_path_exists( \
               convert_from(s.applied_document, 'UTF8')::jsonb, '$.spec.bindings[*].team', '{}', true)",
        )
        .fetch_all(self.pool())
        .await?;
        Ok(rows.into_iter().map(|(document,)| document).collect())
    }

    /// Which of these groups an applied document of some other team names anywhere.
    pub async fn groups_in_use(
        &self,
        groups: &BTreeSet<String>,
        except: &BTreeSet<String>,
    ) -> Result<BTreeSet<String>, StorageError> {
        let groups: Vec<&String> = groups.iter().collect();
        let except: Vec<&String> = except.iter().collect();
        let rows: Vec<(String,)> = sqlx::query_as(
            "SELECT DISTINCT g #>> '{}' FROM subject_states s, \
             LATERAL jsonb_path_query(convert_from(s.applied_document, 'UTF8')::jsonb, \
               'strict $.spec.**.group', '{}', true) AS g \
             WHERE s.kind = 'team' AND s.applied_document IS NOT NULL AND NOT s.name = ANY ($2) \
               AND g #>> '{}' = ANY ($1)",
        )
        .bind(&groups)
        .bind(&except)
        .fetch_all(self.pool())
        .await?;
        Ok(rows.into_iter().map(|(group,)| group).collect())
    }
}
