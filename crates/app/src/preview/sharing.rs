//! What a preview knows of other teams: whose namespaces the documents name, and who shares theirs.
//!
//! From what is stored, for people; the executor asks its heads.

use strongroom_domain::document::{Document, Team};
use strongroom_domain::subject::Subject;
use strongroom_plan::Change;
use strongroom_plan::model::Step;
use strongroom_plan::sharing::{Host, Sharing, hosts_of, shared};
use strongroom_storage::request::Visibility;
use strongroom_vault_model::object::ObjectKey;

use super::stored_document;
use crate::context::Ctx;
use crate::error::AppError;

/// What other teams have to do with the changes, by what is stored.
pub(super) async fn load(ctx: &Ctx, changes: &[Change]) -> Result<Sharing, AppError> {
    let mut sharing = Sharing::default();
    for bytes in ctx.app.store.documents_that_share().await? {
        if let Document::Team(team) = stored_document(&bytes)? {
            sharing.guests.set(&team);
        }
    }
    for name in hosts_of(changes) {
        let state = ctx.app.store.subject_state_get(&Subject::Team(name.clone())).await?;
        let Some(state) = state.filter(|state| state.applied_revision > 0) else { continue };
        let document = state.applied_document.as_deref().map(stored_document).transpose()?;
        if let Some(Document::Team(team)) = document {
            let pins = serde_json::from_value(state.pins).map_err(|_| AppError::corrupt("pin"))?;
            sharing.hosts.insert(name, Host { team: *team, pins });
        }
    }
    Ok(sharing)
}

/// The steps that a viewer may see before anything is signed: what another team's role holds is
/// that team's.
pub(super) fn shown(
    steps: Vec<Step>,
    documents: &[Document],
    visibility: &Visibility,
) -> Vec<Step> {
    let own = |step: &Step| match &step.object {
        ObjectKey::Role(cluster, namespace) => {
            let teams = || {
                documents.iter().filter_map(|document| match document {
                    Document::Team(team) => Some(&**team),
                    _ => None,
                })
            };
            let used = |team: &Team| {
                shared(team).any(|each| each.cluster == cluster && each.namespace == namespace)
            };
            !teams().any(used) || teams().any(|team| team.claim(cluster, namespace).is_some())
        }
        _ => true,
    };
    if visibility.all { steps } else { steps.into_iter().filter(|step| own(step)).collect() }
}
