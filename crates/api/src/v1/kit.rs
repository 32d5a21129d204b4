//! The kit of a binding: ready files for the workload.

use axum::Json;
use serde::{Deserialize, Serialize};
use strongroom_app::kit::{self, File, KitShown, Sheet, Wish};
use utoipa::ToSchema;

use crate::extract::{Path, Query, SignedIn, named};
use crate::problem::Problem;

/// The query of `GET /api/v1/teams/{name}/bindings/{binding}/kit`.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct KitQuery {
    /// One of the binding's accounts.
    account: Option<String>,
    /// A secret inside the binding's paths.
    secret: Option<String>,
}

/// A binding's kit.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct KitView {
    team: String,
    binding: String,
    cluster: String,
    namespace: String,
    account: String,
    /// The binding's other accounts.
    others: Vec<String>,
    auth_mount: String,
    method: String,
    role: String,
    audience: String,
    engine: EngineView,
    secrets: Vec<SecretView>,
    state: Option<String>,
    reason: Option<String>,
    formats: Vec<FormatView>,
}

/// Where the engine is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct EngineView {
    address: String,
    ca_pem: String,
}

/// One secret that the files read.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SecretView {
    mount: String,
    path: String,
    /// The folder that is granted, where the path is only an example in it.
    beneath: Option<String>,
    level: String,
    /// As `strongroom kv` names it.
    short_path: String,
}

/// Ready files of one format.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FormatView {
    format: String,
    title: String,
    files: Vec<FileView>,
    notes: Vec<String>,
}

/// One file.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct FileView {
    name: String,
    text: String,
}

impl From<Sheet> for FormatView {
    fn from(sheet: Sheet) -> Self {
        let file = |file: File| FileView { name: file.name.to_owned(), text: file.text };
        Self {
            format: sheet.format.as_str().to_owned(),
            title: sheet.format.title().to_owned(),
            files: sheet.files.into_iter().map(file).collect(),
            notes: sheet.notes,
        }
    }
}

impl From<KitShown> for KitView {
    fn from(shown: KitShown) -> Self {
        let kit = shown.kit;
        let secrets = kit.secrets.iter().map(|secret| SecretView {
            mount: secret.mount.to_string(),
            path: secret.path.to_string(),
            beneath: secret.beneath.as_ref().map(ToString::to_string),
            level: secret.level.as_str().to_owned(),
            short_path: secret.short_path(),
        });
        let formats = shown.sheets.into_iter().map(FormatView::from);
        Self {
            team: kit.team.to_string(),
            binding: kit.binding.to_string(),
            cluster: kit.cluster.to_string(),
            namespace: kit.namespace.to_string(),
            account: kit.account.to_string(),
            others: kit.others.iter().map(ToString::to_string).collect(),
            auth_mount: kit.auth_mount(),
            method: kit.login.as_str().to_owned(),
            role: kit.role().to_owned(),
            audience: kit.audience.clone(),
            secrets: secrets.collect(),
            engine: EngineView { address: kit.engine.address, ca_pem: kit.engine.ca_pem },
            state: shown.standing.as_ref().map(|standing| standing.state.clone()),
            reason: shown.standing.and_then(|standing| standing.reason),
            formats: formats.collect(),
        }
    }
}

/// Ready files for the workload of a binding.
#[utoipa::path(
    get,
    path = "/api/v1/teams/{name}/bindings/{binding}/kit",
    operation_id = "kit_get",
    params(("name" = String, Path, description = "The team's name", example = "payments"), ("binding" = String, Path, description = "The binding's name", example = "api"), KitQuery),
    responses((status = 200, body = KitView))
)]
pub(crate) async fn show(
    SignedIn(ctx): SignedIn,
    Path((name, binding)): Path<(String, String)>,
    Query(query): Query<KitQuery>,
) -> Result<Json<KitView>, Problem> {
    let wish = Wish {
        account: query.account.map(|text| wished("/account", &text)).transpose()?,
        secret: query.secret.map(|text| wished("/secret", &text)).transpose()?,
    };
    let shown = kit::kit_get(&ctx, &named(&name)?, &named(&binding)?, &wish).await?;
    Ok(Json(shown.into()))
}

/// What is wished for, or what is wrong with it.
pub(crate) fn wished<T>(pointer: &str, text: &str) -> Result<T, Problem>
where
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    text.parse().map_err(|error: T::Err| Problem::invalid(pointer, error.to_string()))
}
