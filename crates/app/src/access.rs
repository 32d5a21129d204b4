//! Who is in which team now, remembered until applied documents are others.
//!
//! The version is read with every request, so nobody is answered from what is over. It decides what
//! the API shows and takes; the executor asks its heads.

use std::sync::Arc;

use strongroom_authorization::{Membership, Role, Snapshot};
use strongroom_domain::name::TeamName;
use strongroom_storage::Store;
use strongroom_storage::membership::MembershipRow;
use tokio::sync::Mutex;

use crate::error::AppError;
use crate::remembered::Remembered;

/// What is remembered.
#[derive(Debug, Default)]
pub struct Access {
    current: Remembered<i64, Snapshot>,
    /// One builds it; the others wait and take theirs.
    building: Mutex<()>,
}

impl Access {
    /// Who is in which team, by the documents that are applied now.
    pub(crate) async fn now(&self, store: &Store) -> Result<Arc<Snapshot>, AppError> {
        if let Some(snapshot) = self.current.of(store.access_version().await?.as_ref()) {
            return Ok(snapshot);
        }
        let _one = self.building.lock().await;
        // Before the memberships: what changes in between makes the next request look again.
        let version = store.access_version().await?;
        if let Some(snapshot) = self.current.of(version.as_ref()) {
            return Ok(snapshot);
        }
        let members = store.memberships().await?.into_iter().filter_map(membership);
        let snapshot = Snapshot::build(members).await;
        let snapshot = snapshot.map_err(|error| AppError::Internal(error.into()))?;
        Ok(self.current.keep(version, snapshot))
    }
}

/// A row that names no team or no list gives nobody anything.
fn membership(row: MembershipRow) -> Option<Membership> {
    let role = match row.list.as_str() {
        "owners" => Role::Owner,
        "editors" => Role::Editor,
        "viewers" => Role::Viewer,
        _ => return None,
    };
    Some(Membership { group: row.group, role, team: TeamName::new(row.team).ok()? })
}
