//! Teams and clusters as lists, and how a team's bindings stand.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::Value;
use strongroom_domain::document::Document;
use strongroom_domain::name::TeamName;
use strongroom_domain::subject::Subject;
use strongroom_storage::check::CheckRow;
use strongroom_storage::state::{BindingState, SubjectState};

use crate::context::{Ctx, sees};
use crate::error::AppError;
use crate::finding::Differences;
use crate::request::value;

/// A team or a cluster of a list.
#[derive(Debug, Clone)]
pub struct Named {
    /// Its name.
    pub name: String,
    /// A name for people to read.
    pub display_name: Option<String>,
    /// The applied revision.
    pub revision: i64,
    /// `applied`, `applying`, `frozen`, `suspended` or `removed`.
    pub state: String,
    /// When that was seen.
    pub updated_at: Timestamp,
}

/// The teams that the viewer may see.
pub async fn team_list(ctx: &Ctx) -> Result<Vec<Named>, AppError> {
    let visibility = ctx.visibility();
    let states = ctx.app.store.subject_state_list("team").await?;
    states.into_iter().filter(|state| sees(&visibility, &state.subject)).map(named).collect()
}

/// The clusters. Their names are for everybody: a document has to name one.
pub async fn cluster_list(ctx: &Ctx) -> Result<Vec<Named>, AppError> {
    ctx.app.store.subject_state_list("cluster").await?.into_iter().map(named).collect()
}

fn named(state: SubjectState) -> Result<Named, AppError> {
    let document = state.applied_document.as_deref().map(value).transpose()?;
    let display_name = document
        .as_ref()
        .and_then(|document| document.pointer("/spec/displayName"))
        .and_then(Value::as_str);
    let removed = document
        .as_ref()
        .is_some_and(|document| document.pointer("/spec/removed") == Some(&Value::Bool(true)));
    let held = state.holds.get(state.subject.to_string()).is_some();
    let word = match state.state.as_str() {
        "applied" if held => "suspended".to_owned(),
        "applied" if removed => "removed".to_owned(),
        _ => state.state,
    };
    Ok(Named {
        name: state.subject.name().to_owned(),
        display_name: display_name.map(str::to_owned),
        revision: state.applied_revision,
        state: word,
        updated_at: state.updated_at,
    })
}

/// How the service accounts of a team's bindings stand, and behind them those that bindings of
/// other teams name in this team's namespaces: its guests.
pub async fn binding_list(ctx: &Ctx, team: &TeamName) -> Result<Vec<Bound>, AppError> {
    let visibility = ctx.visibility();
    let subject = Subject::Team(team.clone());
    let store = &ctx.app.store;
    let state = store.subject_state_get(&subject).await?.filter(|_| sees(&visibility, &subject));
    let state = state.ok_or(AppError::NotFound)?;
    let Some(engine) = store.engine_get().await? else {
        return Ok(Vec::new());
    };
    let mut rows = store.binding_states_of(engine, team.as_str()).await?;
    let document = state.applied_document.as_deref().map(Document::from_canonical);
    if let Some(Ok(Document::Team(document))) = document {
        let claimed = document.namespaces.iter();
        let claimed: Vec<String> =
            claimed.map(|claim| format!("{}/{}", claim.cluster, claim.name)).collect();
        rows.extend(store.binding_states_of_guests(engine, team.as_str(), &claimed).await?);
    }
    let differences = Differences::of(&store.finding_list(false).await?);
    let teams: BTreeSet<&String> = rows.iter().map(|row| &row.team).collect();
    let teams: Vec<String> = teams.into_iter().cloned().collect();
    let checks = store.checks_of(&teams).await?;
    Ok(rows.into_iter().map(|row| Bound::of(row, &differences, &checks)).collect())
}

/// How an account of a binding stands, and what of it the engine holds otherwise.
#[derive(Debug, Clone)]
pub struct Bound {
    /// As the executor last left it.
    pub row: BindingState,
    /// What was found otherwise in the engine, in words.
    pub differs: Vec<String>,
    /// What its newest check in the cluster said of itself.
    pub check: Option<CheckRow>,
}

impl Bound {
    fn of(row: BindingState, differences: &Differences, checks: &[CheckRow]) -> Self {
        let name = format!("team.{}.binding.{}", row.team, row.binding);
        let objects = [
            format!("policy {name}"),
            format!("group {name}"),
            format!("role auth/k8s/{}/role/{}", row.cluster, row.namespace),
        ];
        let check = checks.iter().find(|check| check.place.is_of(&row)).cloned();
        Self { row, differs: differences.about(&objects), check }
    }
}
