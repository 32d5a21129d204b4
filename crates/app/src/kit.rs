//! The kit of a binding: what a workload has to know, and ready files, from what is applied.

use serde::Deserialize;
use strongroom_domain::document::Document;
use strongroom_domain::document::team::{Binding, Holder};
use strongroom_domain::name::{BindingName, TeamName};
use strongroom_domain::subject::Subject;
use strongroom_kit::{Engine, Format, sheet};
pub use strongroom_kit::{File, Kit, KitError, Sheet, Wish};
use strongroom_storage::state::BindingState;

use crate::context::{Ctx, sees};
use crate::error::AppError;
use crate::trust::trust_get;

/// A binding's kit, and whether its account is attached.
#[derive(Debug, Clone)]
pub struct KitShown {
    /// What the workload has to know.
    pub kit: Kit,
    /// How the account stands, as far as the executor has looked.
    pub standing: Option<BindingState>,
    /// Ready files, one sheet for each format.
    pub sheets: Vec<Sheet>,
}

/// The kit of a team's binding, for the team and for the team whose workload it is for.
pub async fn kit_get(
    ctx: &Ctx,
    team: &TeamName,
    binding: &BindingName,
    wish: &Wish,
) -> Result<KitShown, AppError> {
    let subject = Subject::Team(team.clone());
    let document = applied(ctx, &subject).await?;
    let Document::Team(document) = document else {
        return Err(AppError::corrupt("document"));
    };
    let binding = document.bindings.iter().find(|each| each.name == *binding);
    let binding = binding.filter(|binding| is_shown(ctx, &subject, binding));
    let binding = binding.ok_or(AppError::NotFound)?;
    let Holder::Accounts { cluster, .. } = &binding.holder else {
        return Err(refused(&KitError::ForPeople));
    };
    let Document::Cluster(cluster) = applied(ctx, &Subject::Cluster(cluster.clone())).await? else {
        return Err(AppError::corrupt("document"));
    };
    let kit = Kit::new(engine(ctx).await?, &document, binding, &cluster, wish);
    let kit = kit.map_err(|error| refused(&error))?;
    let standing = match ctx.app.store.engine_get().await? {
        None => None,
        Some(engine) => {
            let rows = ctx.app.store.binding_states_of(engine, team.as_str()).await?;
            let (binding, account) = (kit.binding.as_str(), kit.account.as_str());
            rows.into_iter().find(|row| row.binding == binding && row.account == account)
        }
    };
    let sheets = Format::ALL.iter().map(|format| sheet(&kit, *format)).collect();
    Ok(KitShown { kit, standing, sheets })
}

fn is_shown(ctx: &Ctx, team: &Subject, binding: &Binding) -> bool {
    let visibility = ctx.visibility();
    let host = match &binding.holder {
        Holder::Accounts { host: Some(host), .. } => Some(Subject::Team(host.clone())),
        _ => None,
    };
    sees(&visibility, team) || host.is_some_and(|host| sees(&visibility, &host))
}

async fn applied(ctx: &Ctx, subject: &Subject) -> Result<Document, AppError> {
    let state = ctx.app.store.subject_state_get(subject).await?;
    let bytes = state.and_then(|state| state.applied_document).ok_or(AppError::NotFound)?;
    Document::from_canonical(&bytes).map_err(|_| AppError::corrupt("document"))
}

/// Where the engine is, as the executor published it.
async fn engine(ctx: &Ctx) -> Result<Engine, AppError> {
    #[derive(Deserialize)]
    struct Published {
        engine: Place,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Place {
        address: String,
        ca_pem: String,
    }
    let value = trust_get(&ctx.app).await?;
    let published: Published =
        serde_json::from_value(value).map_err(|_| AppError::corrupt("trust"))?;
    Ok(Engine { address: published.engine.address, ca_pem: published.engine.ca_pem })
}

fn refused(error: &KitError) -> AppError {
    match error {
        KitError::NoAccount { .. } => AppError::invalid("/account", error.to_string()),
        KitError::NoSecret { .. } => AppError::invalid("/secret", error.to_string()),
        KitError::ForPeople | KitError::ReadsNothing => AppError::conflict(
            error.to_string(),
            "ask for the kit of a binding that reads values with service accounts",
        ),
    }
}
