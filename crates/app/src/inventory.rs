//! What a cluster holds, as the executor last saw it: a help for writing documents, never a ground
//! for a decision.

use std::collections::BTreeSet;

use jiff::Timestamp;
use strongroom_domain::name::ClusterName;
use strongroom_domain::subject::Subject;
use strongroom_storage::request::Visibility;

use crate::context::Ctx;
use crate::error::AppError;

/// A cluster's inventory, as far as the viewer may see it.
#[derive(Debug, Clone, Default)]
pub struct InventoryView {
    /// Whether the lists are the cluster's.
    pub known: bool,
    /// Why not.
    pub reason: Option<String>,
    /// As of when.
    pub as_of: Option<Timestamp>,
    /// Names and, where the viewer may see them, UIDs.
    pub namespaces: Vec<(String, Option<String>)>,
    /// Namespace, name and UID.
    pub accounts: Vec<(String, String, String)>,
}

/// The inventory of a cluster. Names of namespaces are for everybody, because a document has to
/// name one; everything else is the platform's, the auditors', and that of the team that claims
/// the namespace.
pub async fn inventory_get(ctx: &Ctx, cluster: &ClusterName) -> Result<InventoryView, AppError> {
    let store = &ctx.app.store;
    let subject = Subject::Cluster(cluster.clone());
    if store.subject_state_get(&subject).await?.is_none() {
        return Err(AppError::NotFound);
    }
    let never = || InventoryView {
        reason: Some("the executor has not read this cluster yet".to_owned()),
        ..InventoryView::default()
    };
    let Some(engine) = store.engine_get().await? else {
        return Ok(never());
    };
    let Some((status, inventory)) = store.inventory_get(engine, cluster.as_str()).await? else {
        return Ok(never());
    };
    let visibility = ctx.visibility();
    let open = own_namespaces(ctx, &visibility, cluster, &inventory.namespaces).await?;
    let sees = |namespace: &String| visibility.all || open.contains(namespace);
    let namespaces = inventory.namespaces.into_iter().map(|(name, uid)| {
        let uid = sees(&name).then_some(uid);
        (name, uid)
    });
    Ok(InventoryView {
        known: status.known,
        reason: status.reason,
        as_of: Some(status.as_of),
        namespaces: namespaces.collect(),
        accounts: inventory.accounts.into_iter().filter(|(name, ..)| sees(name)).collect(),
    })
}

async fn own_namespaces(
    ctx: &Ctx,
    visibility: &Visibility,
    cluster: &ClusterName,
    namespaces: &[(String, String)],
) -> Result<BTreeSet<String>, AppError> {
    if visibility.all || visibility.teams.is_empty() {
        return Ok(BTreeSet::new());
    }
    let names: BTreeSet<String> =
        namespaces.iter().map(|(name, _)| format!("{cluster}/{name}")).collect();
    let claims = ctx.app.store.claims_of_namespaces(&names).await?;
    let own = claims.into_iter().filter(|claim| visibility.teams.contains(&claim.team));
    Ok(own.map(|claim| claim.namespace).collect())
}
