//! Machines: API keys and service accounts that read, and propose, in nobody's name.
//!
//! An owner makes them for their team, the platform also such as see everything. Making one is no
//! act: it changes no access to a secret, and what a machine proposes counts as nobody's. A key is
//! shown once, to whoever makes it; its hash is kept.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use strongroom_authorization::{Resource, Verb};
use strongroom_domain::document::Document;
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

/// How long ago the sign-in may be that a machine is made with.
const MOST_AGE: SignedDuration = SignedDuration::from_mins(15);

/// Why tokens of a cluster are not taken.
const SAME_AUDIENCE: &str = "tokens of this cluster are not taken: serve.yaml names the audience that \
                             the engine takes too, and a token for the one must not be good for the other";

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

/// A machine that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// Its id.
    pub machine: MachineId,
    /// The one audience of the tokens that it shows, where it has no key.
    pub audience: Option<String>,
}

/// Makes a machine of a team, or one that sees everything where there is none.
pub async fn machine_create(
    ctx: &Ctx,
    team: Option<&TeamName>,
    input: MachineInput,
) -> Result<Made, AppError> {
    must_change(ctx)?;
    is_fresh(ctx)?;
    if let Some(team) = team {
        is_there(ctx, team).await?;
    }
    let now = ctx.app.now();
    let mut faults = shape(&input, now);
    let mut audience = None;
    let proof = match input.proof {
        ProofInput::Key { hash, hint } => Some(Proof::Key { hash, hint }),
        ProofInput::Account { cluster, namespace, account } => {
            let found = match enrolled(ctx, team, cluster, namespace, account).await? {
                Ok((account, of)) => {
                    audience = Some(of);
                    Some(account)
                }
                Err(message) => {
                    faults.push(FieldFault::new("/account", message));
                    None
                }
            };
            found.map(Proof::Account)
        }
    };
    let Some(proof) = proof.filter(|_| faults.is_empty()) else {
        return Err(AppError::Invalid(faults));
    };
    let machine = MachineId::from_uuid(ctx.app.new_id());
    let account = match &proof {
        Proof::Account(account) => Some(json!({
            "cluster": account.cluster,
            "namespace": account.namespace,
            "account": account.account,
            "uid": account.uid,
        })),
        Proof::Key { .. } => None,
    };
    let detail = json!({
        "machine": machine,
        "name": input.name,
        "scope": input.scope,
        "account": account,
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
    Ok(Made { machine, audience })
}

/// Auditors change nothing, also where they are owners.
fn must_change(ctx: &Ctx) -> Result<(), AppError> {
    if ctx.is_auditor() {
        return Err(AppError::forbidden(
            "auditors see everything and change nothing",
            "ask another owner of the team or a member of the platform",
        ));
    }
    Ok(())
}

/// A key outlives the session that it was made with: whoever merely has that must not make one.
fn is_fresh(ctx: &Ctx) -> Result<(), AppError> {
    let begun = ctx.expires_at.checked_sub(ctx.app.rules.session_absolute).ok();
    if begun.is_some_and(|begun| ctx.app.now().duration_since(begun) <= MOST_AGE) {
        return Ok(());
    }
    Err(AppError::forbidden(
        "a machine is made soon after a sign-in: this session is older than 15 minutes",
        "run `strongroom login` and make it then",
    ))
}

/// The team is applied, and not taken off.
async fn is_there(ctx: &Ctx, team: &TeamName) -> Result<(), AppError> {
    let state = ctx.app.store.subject_state_get(&Subject::Team(team.clone())).await?;
    let applied = state.and_then(|state| state.applied_document).ok_or(AppError::NotFound)?;
    match Document::from_canonical(&applied) {
        Ok(Document::Team(team)) if team.removed => Err(AppError::conflict(
            format!("the team {} is taken off", team.name),
            "bring it back first, by a request without `removed`",
        )),
        Ok(_) => Ok(()),
        Err(_) => Err(AppError::corrupt("applied document")),
    }
}

fn is_name(text: &str) -> bool {
    (1..=MOST_NAME).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

fn shape(input: &MachineInput, now: Timestamp) -> Vec<FieldFault> {
    let mut faults = Vec::new();
    if !is_name(&input.name) {
        let message = "a name has 1 to 63 lower-case letters, digits and hyphens";
        faults.push(FieldFault::new("/name", message));
    }
    if input.expires_at <= now {
        faults.push(FieldFault::new("/expiresAt", "this is over already"));
    } else if input.expires_at.duration_since(now) > MOST_LIFETIME {
        let message = "a machine lives 366 days at most; make another one before it ends";
        faults.push(FieldFault::new("/expiresAt", message));
    }
    faults
}

/// The account as its cluster last reported it, and the audience of its tokens; or why it cannot be
/// enrolled. An owner enrols those in namespaces that the team claims, the platform any.
async fn enrolled(
    ctx: &Ctx,
    team: Option<&TeamName>,
    cluster: String,
    namespace: String,
    account: String,
) -> Result<Result<(Account, String), &'static str>, AppError> {
    const GONE: &str = "the cluster has no such service account now, or it is not known: it is enrolled \
                        by its UID, so it must be there (`strongroom get clusters`)";
    let Some(audience) = ctx.app.rules.machine_clusters.get(&cluster).cloned() else {
        return Ok(Err("the API does not take this cluster's tokens: the platform names it in \
                       `clusters` of serve.yaml"));
    };
    let Ok(name) = ClusterName::new(cluster.as_str()) else { return Ok(Err(GONE)) };
    if !ctx.is_platform() {
        let place = format!("{cluster}/{namespace}");
        let claims = ctx.app.store.claims_of_namespaces(&[place].into()).await?;
        if !claims.iter().any(|claim| team.is_some_and(|team| claim.team == team.as_str())) {
            return Ok(Err(
                "the team does not claim this namespace; a member of the platform can \
                           enrol accounts of others",
            ));
        }
    }
    if engine_takes(&ctx.app, &name).await?.as_ref() == Some(&audience) {
        return Ok(Err(SAME_AUDIENCE));
    }
    let inventory = match inventory_get(ctx, &name).await {
        Err(AppError::NotFound) => return Ok(Err(GONE)),
        inventory => inventory?,
    };
    let known = inventory
        .accounts
        .into_iter()
        .filter(|_| inventory.known)
        .find(|(place, name, _)| *place == namespace && *name == account);
    let Some((_, _, uid)) = known else { return Ok(Err(GONE)) };
    Ok(Ok((Account { uid, cluster, namespace, account }, audience)))
}

/// The audience of tokens that the engine takes from a cluster.
async fn engine_takes(app: &App, cluster: &ClusterName) -> Result<Option<String>, AppError> {
    let state = app.store.subject_state_get(&Subject::Cluster(cluster.clone())).await?;
    let document = state.and_then(|state| state.applied_document);
    Ok(match document.as_deref().map(Document::from_canonical) {
        Some(Ok(Document::Cluster(cluster))) => Some(cluster.audience),
        _ => None,
    })
}

/// Live machines of the teams that the viewer may see; those that see everything only to who does.
pub async fn machine_list(ctx: &Ctx) -> Result<Vec<MachineRow>, AppError> {
    ctx.must(Resource::Machine, Verb::List)?;
    Ok(ctx.app.store.machine_list(&ctx.visibility(), ctx.app.now()).await?)
}

/// Ends a machine; its next call is refused.
pub async fn machine_end(ctx: &Ctx, team: Option<&TeamName>, name: &str) -> Result<(), AppError> {
    must_change(ctx)?;
    // What can be no name is nobody's, and not every text can be asked for.
    if !is_name(name) {
        return Err(AppError::NotFound);
    }
    let subject = team.cloned().map(Subject::Team);
    let event = |machine: MachineId| {
        let detail = json!({ "machine": machine, "name": name });
        ctx.app.event(EventKind::MachineEnded, &ctx.person, None, subject, detail)
    };
    let team = team.map(TeamName::as_str);
    Ok(ctx.app.store.machine_end(team, name, ctx.app.now(), event).await?)
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
    let Ok(cluster) = ClusterName::new(account.cluster.as_str()) else { return Ok(None) };
    let audience = app.rules.machine_clusters.get(&account.cluster);
    // What is shown here could be shown to the engine, and the other way round.
    if audience.is_none() || engine_takes(app, &cluster).await?.as_ref() == audience {
        return Err(AppError::Precondition {
            message: SAME_AUDIENCE.to_owned(),
            hint: "tell the platform team; until then use an API key".to_owned(),
        });
    }
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
