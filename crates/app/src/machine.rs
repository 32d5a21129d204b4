//! Machines: API keys and service accounts that read, and propose, in nobody's name.
//!
//! An owner makes them for their team, the platform also such as see everything. Making one is no
//! act: it changes no access to a secret, and what a machine proposes counts as nobody's. A key is
//! shown once, to whoever makes it; its hash is kept.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use strongroom_authorization::{Resource, Verb};
use strongroom_domain::event::EventKind;
use strongroom_domain::id::MachineId;
use strongroom_domain::machine::Scope;
use strongroom_domain::name::{ClusterName, TeamName};
use strongroom_domain::person::{PersonId, SignedPerson};
use strongroom_domain::subject::Subject;
use strongroom_storage::StorageError;
use strongroom_storage::machine::NewMachine;
pub use strongroom_storage::machine::{Account, MachineRow, Proof};

use crate::context::{App, Caller, Ctx, Machine};
use crate::error::{AppError, FieldFault};
use crate::inventory::inventory_get;

/// How many live machines a team may have.
const MOST: u32 = 50;

/// How long a machine lives at most.
const MOST_LIFETIME: SignedDuration = SignedDuration::from_hours(366 * 24);

/// The most characters of a machine's name.
const MOST_NAME: usize = 63;

/// A machine to make.
#[derive(Debug)]
pub struct MachineInput {
    /// Its name.
    pub name: String,
    /// What it may do.
    pub scope: Scope,
    /// How it shows that it is itself.
    pub proof: ProofInput,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// How a machine that is to be made will show that it is itself.
#[derive(Debug)]
pub enum ProofInput {
    /// By a key that was just made.
    Key {
        /// Its hash.
        hash: Vec<u8>,
        /// Its first characters.
        hint: String,
    },
    /// By the token of this account.
    Account {
        /// The cluster.
        cluster: String,
        /// The namespace.
        namespace: String,
        /// The account.
        account: String,
    },
}

/// Makes a machine of a team, or one that sees everything where there is none.
pub async fn machine_create(
    ctx: &Ctx,
    team: Option<&TeamName>,
    input: MachineInput,
) -> Result<MachineId, AppError> {
    let now = ctx.app.now();
    let mut faults = Vec::new();
    let shape =
        input.name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if !shape || !(1..=MOST_NAME).contains(&input.name.len()) {
        let message = "a name has 1 to 63 lower-case letters, digits and hyphens";
        faults.push(FieldFault::new("/name", message));
    }
    if input.expires_at <= now {
        faults.push(FieldFault::new("/expiresAt", "this is over already"));
    } else if input.expires_at.duration_since(now) > MOST_LIFETIME {
        let message = "a machine lives 366 days at most; make another one before it ends";
        faults.push(FieldFault::new("/expiresAt", message));
    }
    if let Some(team) = team
        && ctx.app.store.subject_state_get(&Subject::Team(team.clone())).await?.is_none()
    {
        return Err(AppError::NotFound);
    }
    let proof = match input.proof {
        ProofInput::Key { hash, hint } => Some(Proof::Key { hash, hint }),
        ProofInput::Account { cluster, namespace, account } => {
            let found = account_now(ctx, cluster, namespace, account).await?;
            if found.is_none() {
                let message = "the cluster has no such service account now, or it is not known: it is \
                               enrolled by its UID, so it must be there (`strongroom get clusters`)";
                faults.push(FieldFault::new("/account", message));
            }
            found.map(Proof::Account)
        }
    };
    let Some(proof) = proof.filter(|_| faults.is_empty()) else {
        return Err(AppError::Invalid(faults));
    };
    let machine = MachineId::from_uuid(ctx.app.new_id());
    let detail = json!({
        "machine": machine,
        "name": input.name,
        "scope": input.scope,
        "account": match &proof {
            Proof::Account(account) => Some(json!({
                "cluster": account.cluster,
                "namespace": account.namespace,
                "account": account.account,
                "uid": account.uid,
            })),
            Proof::Key { .. } => None,
        },
        "expiresAt": input.expires_at,
    });
    let subject = team.cloned().map(Subject::Team);
    let event = ctx.app.event(EventKind::MachineCreated, &ctx.person, None, subject, detail);
    let new = NewMachine {
        machine,
        name: input.name,
        team: team.map(ToString::to_string),
        scope: input.scope,
        proof,
        creator: ctx.person.id.clone(),
        display: ctx.person.display.clone(),
        at: now,
        expires_at: input.expires_at,
    };
    ctx.app.store.machine_create(&new, MOST, &[event]).await?;
    tracing::info!(machine = %machine, "app.machine.created");
    Ok(machine)
}

/// The account as its cluster last reported it, where the caller may see it: an owner sees those in
/// their team's namespaces.
async fn account_now(
    ctx: &Ctx,
    cluster: String,
    namespace: String,
    account: String,
) -> Result<Option<Account>, AppError> {
    let Ok(name) = ClusterName::new(cluster.as_str()) else { return Ok(None) };
    let inventory = match inventory_get(ctx, &name).await {
        Err(AppError::NotFound) => return Ok(None),
        inventory => inventory?,
    };
    let known = inventory
        .accounts
        .iter()
        .filter(|_| inventory.known)
        .find(|(place, name, _)| *place == namespace && *name == account);
    Ok(known.map(|(_, _, uid)| Account { uid: uid.clone(), cluster, namespace, account }))
}

/// Live machines of the teams that the viewer may see; those that see everything only to who does.
pub async fn machine_list(ctx: &Ctx) -> Result<Vec<MachineRow>, AppError> {
    ctx.must(Resource::Machine, Verb::List)?;
    Ok(ctx.app.store.machine_list(&ctx.visibility(), ctx.app.now()).await?)
}

/// Ends a machine; its next call is refused.
pub async fn machine_end(ctx: &Ctx, team: Option<&TeamName>, name: &str) -> Result<(), AppError> {
    let subject = team.cloned().map(Subject::Team);
    let detail = json!({ "name": name });
    let event = ctx.app.event(EventKind::MachineEnded, &ctx.person, None, subject, detail);
    let team = team.map(TeamName::as_str);
    Ok(ctx.app.store.machine_end(team, name, ctx.app.now(), &[event]).await?)
}

/// The context of a live key; `None` when there is none.
pub async fn machine_use_key(app: &Arc<App>, hash: &[u8]) -> Result<Option<Ctx>, AppError> {
    context(app, app.store.machine_use_key(hash, app.now()).await).await
}

/// The context of an account whose token was verified; `None` when it is no machine.
pub async fn machine_use_account(
    app: &Arc<App>,
    account: &Account,
) -> Result<Option<Ctx>, AppError> {
    context(app, app.store.machine_use_account(account, app.now()).await).await
}

async fn context(
    app: &Arc<App>,
    found: Result<MachineRow, StorageError>,
) -> Result<Option<Ctx>, AppError> {
    let row = match found {
        Ok(row) => row,
        Err(StorageError::NotFound) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let team = row.team.as_deref().map(TeamName::new).transpose();
    // A row that names no team must not see them all.
    let team = team.map_err(|_| AppError::corrupt("machine"))?;
    let of = team.as_ref().map_or_else(|| "the platform".to_owned(), ToString::to_string);
    Ok(Some(Ctx {
        app: Arc::clone(app),
        members: app.access.now(&app.store).await?,
        person: SignedPerson {
            id: PersonId::of_machine(row.machine),
            display: format!("{} (machine of {of})", row.name),
            groups: std::collections::BTreeSet::new(),
        },
        caller: Caller::Machine(Machine { id: row.machine, team, scope: row.scope }),
        expires_at: row.expires_at,
    }))
}
