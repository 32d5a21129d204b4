//! What the executor holds, and the checks without which it does not start.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::{Duration, Instant};

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use strongroom_acts::{PublicKey, SigningKey};
use strongroom_authn::Issuer;
use strongroom_config::{ExecuteConfig, Floor, file};
use strongroom_domain::clock::Clock;
use strongroom_domain::hold::Target;
use strongroom_domain::subject::Subject;
use strongroom_engine::session::AppRole;
use strongroom_engine::sys::{self, About};
use strongroom_engine::{EngineAddress, EngineClient, Session, auth};
use strongroom_kubernetes::{Cluster, InventoryState};
use strongroom_plan::sharing::Guests;
use strongroom_storage::finding::Finding;
use strongroom_storage::lease::executor_lease;
use strongroom_storage::{Store, check_schema};
use strongroom_vault_model::bootstrap::{EXECUTOR_ROLE, SELF_POLICY_TEXT};
use strongroom_vault_model::name::ClusterName;
use strongroom_vault_model::object::PEOPLE_MOUNT;
use strongroom_vault_model::policy::{Mark, SELF_POLICY};
use tokio::sync::watch::Receiver;

use crate::attached::Attached;
use crate::brake::Brake;
use crate::drift::DriftState;
use crate::ended::Tombstones;
use crate::error::ExecutorError;
use crate::feed::Feed;
use crate::follow::FollowedTo;
use crate::heads::VersionedHead;
use crate::measure::Health;
use crate::open::Open;
use crate::places::Places;
use crate::selfcheck::SelfCheck;

/// How long one engine call may take. Shorter than what is left of a lease when a write begins.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);

/// One running executor.
#[derive(Debug)]
pub struct Executor {
    pub(crate) config: ExecuteConfig,
    pub(crate) floor: Floor,
    pub(crate) mark: Mark,
    pub(crate) store: Store,
    pub(crate) engine: Session,
    pub(crate) about: About,
    pub(crate) policies_expire: bool,
    pub(crate) people_accessor: String,
    pub(crate) signing_key: SigningKey,
    pub(crate) keys: Vec<PublicKey>,
    pub(crate) issuer: Issuer,
    pub(crate) clock: Arc<dyn Clock>,
    /// The lease on this engine: one writer per engine, not per deployment.
    pub(crate) lease: String,
    /// Who this process is to the lease.
    pub(crate) holder: String,
    /// The epoch of the lease it holds; 0 while it holds none.
    pub(crate) epoch: i64,
    /// When the lease was last renewed.
    pub(crate) renewed: Option<Instant>,
    /// What is applied, as the engine says; loaded when the lease is taken.
    pub(crate) heads: BTreeMap<Subject, Box<VersionedHead>>,
    /// Accounts in namespaces of other teams, by the applied documents.
    pub(crate) guests: Guests,
    /// Whether there may be more of them: a team's head is not believed, and nothing else tells.
    pub(crate) guests_unknown: bool,
    /// Namespaces that teams claim by the database alone, because their heads are not believed.
    pub(crate) claims_said: BTreeSet<String>,
    /// Where the way through the open requests stands.
    pub(crate) open: Open,
    /// Tombstones that were looked at or written under this lease.
    pub(crate) ended: Tombstones,
    pub(crate) clusters: BTreeMap<ClusterName, Watched>,
    pub(crate) accessors: BTreeMap<ClusterName, String>,
    pub(crate) attached: Attached,
    pub(crate) brake: Brake,
    pub(crate) selfcheck: SelfCheck,
    pub(crate) drift: DriftState,
    /// Clusters frozen by the executor itself, from their heads.
    pub(crate) distrusted: BTreeMap<Subject, String>,
    /// Where the accounts of bindings are, and how many bindings there are.
    pub(crate) places: Places,
    /// What stands still, each with its sentence: from the heads.
    pub(crate) held: BTreeMap<Target, String>,
    /// Subjects of which engine and database tell different things.
    pub(crate) differing: BTreeMap<Subject, String>,
    /// Subjects whose head itself cannot be believed.
    pub(crate) unbelieved: BTreeMap<Subject, String>,
    /// How far the roles have come that follow a plan.
    pub(crate) followed_to: Option<FollowedTo>,
    /// How many writes were begun, by whatever asked for them.
    pub(crate) written: AtomicU64,
    /// Whether the process was asked to end.
    pub(crate) stopping: Arc<AtomicBool>,
    /// The marks of the rows in which people see the subjects.
    pub(crate) published: BTreeMap<Subject, i64>,
    /// Findings that stand, by key.
    pub(crate) findings: BTreeMap<String, Finding>,
    /// How far the database's clock is ahead of ours, as last seen.
    pub(crate) database_ahead: jiff::SignedDuration,
    /// How it is, for who asks.
    pub(crate) health: Arc<Health>,
}

/// A cluster with its running watch.
#[derive(Debug)]
pub(crate) struct Watched {
    pub(crate) cluster: Cluster,
    pub(crate) inventory: Receiver<InventoryState>,
    /// What was last stored for people.
    pub(crate) stored: Option<InventoryState>,
    /// Server, CA and credentials it was made from.
    pub(crate) place: [String; 3],
}

impl Executor {
    /// Reads configuration and floor, connects, and refuses to start where something is not right.
    pub async fn start(path: &Path, clock: Arc<dyn Clock>) -> Result<Self, ExecutorError> {
        let refuse = |text: String| Err(ExecutorError::Refused(text));
        let config = ExecuteConfig::read(path)?;
        let floor = Floor::read(&config.floor_file)?;
        let (signing_key, keys) = keys_read(&config, &floor)?;
        let url = config.database.url(path)?;
        let store = Store::connect(url.expose_secret(), "strongroom execute", 8).await?;
        check_schema(store.pool()).await?;

        let hosts = &floor.issuer.hosts;
        let issuer = Issuer::new(&floor.issuer.url, floor.issuer_ca_pem.as_deref(), hosts)
            .map_err(|error| ExecutorError::Refused(error.to_string()))?;
        if floor.act_clients.len() > 1 && floor.person_claim == "sub" {
            let metadata = issuer.metadata().await;
            let metadata = metadata.map_err(|e| ExecutorError::Refused(e.to_string()))?;
            let kinds = &metadata.subject_types_supported;
            // A provider that does not say it may do either.
            if kinds.is_empty() || kinds.iter().any(|kind| kind != "public") {
                return refuse(
                    "the provider may give one person another `sub` in each act client; name a \
                     claim that is the same in all of them as person_claim in the floor file"
                        .into(),
                );
            }
        }

        let ca_pem = config.engine.ca_file.as_deref().map(file::read_text).transpose()?;
        let address = EngineAddress { url: config.engine.address.clone(), ca_pem };
        let client = EngineClient::new(&address, CALL_TIMEOUT)
            .map_err(|error| ExecutorError::Refused(error.to_string()))?;
        let about = sys::about(&client).await?;
        // Before anything is written.
        about
            .ensure_supported(floor.allow_engine_below_minimum)
            .map_err(|error| ExecutorError::Refused(error.to_string()))?;
        let engine = log_in(&config, client).await?;
        let answer = engine
            .read(&format!("sys/policies/acl/{SELF_POLICY}"), "sys/policies/acl/{name}")
            .await?
            .unwrap_or_default();
        if answer.get("policy").and_then(serde_json::Value::as_str) != Some(SELF_POLICY_TEXT) {
            return refuse(format!(
                "the engine's policy {SELF_POLICY} is missing or not the one this version needs; \
                 prepare the engine as docs/engine-bootstrap.md says"
            ));
        }
        let Some(people_accessor) = sys::auth_accessor(&engine, PEOPLE_MOUNT).await? else {
            return refuse(format!(
                "the engine has no auth mount `{PEOPLE_MOUNT}` where people sign in; prepare the \
                 engine as docs/engine-bootstrap.md says"
            ));
        };

        let feed = config.engine.audit_file.clone().map(Feed::new);
        let drift = DriftState::new(feed);
        let executor = Self {
            mark: Mark::new(floor.deployment.as_uuid()),
            policies_expire: sys::policies_expire(&answer),
            lease: executor_lease(config.engine.id),
            holder: format!("{}-{}", std::process::id(), uuid::Uuid::new_v4()),
            config,
            floor,
            store,
            engine,
            about,
            people_accessor,
            signing_key,
            keys,
            issuer,
            clock,
            epoch: 0,
            renewed: None,
            heads: BTreeMap::new(),
            guests: Guests::default(),
            guests_unknown: false,
            claims_said: BTreeSet::new(),
            open: Open::default(),
            ended: Tombstones::new(),
            clusters: BTreeMap::new(),
            accessors: BTreeMap::new(),
            attached: Attached::default(),
            brake: Brake::default(),
            drift,
            distrusted: BTreeMap::new(),
            places: Places::default(),
            held: BTreeMap::new(),
            differing: BTreeMap::new(),
            published: BTreeMap::new(),
            unbelieved: BTreeMap::new(),
            followed_to: None,
            written: AtomicU64::new(0),
            stopping: Arc::default(),
            findings: BTreeMap::new(),
            selfcheck: SelfCheck::default(),
            health: Arc::default(),
            database_ahead: jiff::SignedDuration::ZERO,
        };
        executor.publish(address.ca_pem.as_deref()).await?;
        Ok(executor)
    }

    /// Tells clients, through the database, whom to trust. They pin it; the database cannot make
    /// them trust another key afterwards.
    async fn publish(&self, ca_pem: Option<&str>) -> Result<(), ExecutorError> {
        let id = self.config.engine.id;
        let product = format!("{} {}", self.about.product, self.about.version);
        let name = &self.config.engine.name;
        self.store.engine_put(id, name, &product, &self.about.cluster_id).await?;
        let mut keys = Vec::new();
        for key in &self.keys {
            let pem = key.to_pem().map_err(|error| ExecutorError::Refused(error.to_string()))?;
            keys.push(json!({ "id": key.id(), "pem": pem }));
        }
        let clients: Vec<&String> = self.floor.act_clients.iter().collect();
        let trust = json!({
            "deployment": self.floor.deployment,
            "issuer": self.floor.issuer.url,
            "actClients": { "cli": clients.first() },
            "executorKeys": keys,
            "engine": {
                "address": self.config.engine.address,
                "caPem": ca_pem,
                "peopleMount": PEOPLE_MOUNT,
                "peopleRole": "people",
            },
            "groupsClaim": self.floor.groups_claim,
            "personClaim": self.floor.person_claim,
        });
        self.store.trust_put(&trust, self.clock.now()).await?;
        Ok(())
    }

    /// How it is, also while it runs.
    pub fn health(&self) -> Arc<Health> {
        Arc::clone(&self.health)
    }

    /// Where probes are answered.
    pub fn probes(&self) -> Option<std::net::SocketAddr> {
        self.config.probes
    }
}

/// The key that signs, and those that are believed, which it must be among.
pub fn keys_read(
    config: &ExecuteConfig,
    floor: &Floor,
) -> Result<(SigningKey, Vec<PublicKey>), ExecutorError> {
    let refused = |error: &dyn std::fmt::Display| ExecutorError::Refused(error.to_string());
    let pem = file::read_secret(&config.signing_key_file)?;
    let signing_key =
        SigningKey::from_pem(&format!("{}\n", pem.expose_secret())).map_err(|e| refused(&e))?;
    let keys: Result<Vec<PublicKey>, _> =
        floor.executor_keys.iter().map(|pem| PublicKey::from_pem(pem)).collect();
    let keys = keys.map_err(|error| refused(&error))?;
    if !keys.contains(&signing_key.public()) {
        return Err(ExecutorError::Refused(format!(
            "the signing key {} is not among executor_keys in the floor file",
            signing_key.public().id()
        )));
    }
    Ok((signing_key, keys))
}

/// Logs in. The first `SecretID` has been in a configuration file: it is replaced at once, and the
/// new one is known to this host only.
async fn log_in(config: &ExecuteConfig, client: EngineClient) -> Result<Session, ExecutorError> {
    let role_id = file::read_secret(&config.engine.role_id_file)?.expose_secret().to_owned();
    let kept = config.state_dir.join("secret-id");
    if kept.is_file() {
        let secret_id = file::read_secret(&kept)?;
        return Ok(Session::approle(client, AppRole { role_id, secret_id }));
    }
    let first = file::read_secret(&config.engine.secret_id_file)?;
    let approle = AppRole { role_id, secret_id: first.clone() };
    let session = Session::approle(client, approle);
    let own = auth::approle_new_secret_id(&session, EXECUTOR_ROLE).await?;
    write_private(&kept, &own)
        .map_err(|error| ExecutorError::Refused(format!("write {}: {error}", kept.display())))?;
    auth::approle_destroy_secret_id(&session, EXECUTOR_ROLE, &first).await?;
    session.replace_secret_id(own).await;
    Ok(session)
}

fn write_private(path: &Path, secret: &SecretString) -> std::io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir)?;
    }
    let mut file = std::fs::File::options().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(secret.expose_secret().as_bytes())?;
    file.sync_all()
}
