//! Clusters, and what they hold as last seen.

use axum::Json;
use jiff::Timestamp;
use serde::Serialize;
use strongroom_app::{inventory, team};
use utoipa::ToSchema;

use crate::extract::{Path, SignedIn, named};
use crate::problem::Problem;
use crate::v1::Page;
use crate::v1::teams::Named;

/// Clusters.
#[utoipa::path(
    get,
    path = "/api/v1/clusters",
    operation_id = "cluster_list",
    responses((status = 200, body = Page<Named>))
)]
pub(crate) async fn list(SignedIn(ctx): SignedIn) -> Result<Json<Page<Named>>, Problem> {
    let clusters = team::cluster_list(&ctx).await?;
    Ok(Json(Page::whole(clusters.into_iter().map(Into::into).collect())))
}

/// What a cluster holds.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Inventory {
    known: bool,
    reason: Option<String>,
    as_of: Option<Timestamp>,
    namespaces: Vec<Namespace>,
    service_accounts: Vec<Account>,
}

/// A namespace. The executor's cache does not hold when it was made.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Namespace {
    name: String,
    uid: Option<String>,
    created_at: Option<Timestamp>,
}

/// A service account.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Account {
    namespace: String,
    name: String,
    uid: String,
    created_at: Option<Timestamp>,
}

/// Namespaces and service accounts of a cluster, as last seen.
#[utoipa::path(
    get,
    path = "/api/v1/clusters/{name}/inventory",
    operation_id = "inventory_get",
    params(("name" = String, Path, description = "The cluster's name", example = "prod-eu")),
    responses((status = 200, body = Inventory))
)]
pub(crate) async fn inventory(
    SignedIn(ctx): SignedIn,
    Path(name): Path<String>,
) -> Result<Json<Inventory>, Problem> {
    let view = inventory::inventory_get(&ctx, &named(&name)?).await?;
    let namespace = |(name, uid)| Namespace { name, uid, created_at: None };
    let account = |(namespace, name, uid)| Account { namespace, name, uid, created_at: None };
    Ok(Json(Inventory {
        known: view.known,
        reason: view.reason,
        as_of: view.as_of,
        namespaces: view.namespaces.into_iter().map(namespace).collect(),
        service_accounts: view.accounts.into_iter().map(account).collect(),
    }))
}
