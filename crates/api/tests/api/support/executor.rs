//! What the executor would write into the database, written as its role.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use strongroom_acts::SigningKey;
use strongroom_acts::signing::Purpose;
use strongroom_domain::Digest;
use strongroom_domain::document::Document;
use strongroom_domain::event::{Actor, Event, EventKind};
use strongroom_domain::hold::Target;
use strongroom_domain::id::{EngineId, EventId, RequestId};
use strongroom_domain::person::PersonId;
use strongroom_domain::request::{Stage, State};
use strongroom_domain::risk::Risk;
use strongroom_plan::Plan;
use strongroom_plan::model::{EngineRef, RENDERER};
use strongroom_storage::Store;
use strongroom_storage::act::ReceiptRow;
use strongroom_storage::inventory::Inventory;
use strongroom_storage::lease::executor_lease;
use strongroom_storage::plan::PlanRow;
use strongroom_storage::request::{RequestRow, Visibility};
use strongroom_storage::state::{BindingState, SubjectState};
use uuid::Uuid;

use super::{ACT_CLIENT, DEPLOYMENT};

/// The executor's hand.
pub struct Executor {
    /// The database, as the executor's role.
    pub store: Store,
    /// The engine.
    pub engine: EngineId,
    key: SigningKey,
    now: Timestamp,
}

impl Executor {
    /// Connects and records the engine.
    pub async fn connect(url: &str, now: Timestamp) -> Self {
        let store = Store::connect(url, "test-executor", 2).await.unwrap();
        let engine = EngineId::from_uuid(Uuid::new_v4());
        store.engine_put(engine, "main", "openbao", "cluster").await.unwrap();
        store.lease_acquire(&executor_lease(engine), "test", 3600, Some(now)).await.unwrap();
        Self { store, engine, key: SigningKey::generate().unwrap(), now }
    }

    /// Publishes what clients need.
    pub async fn publish_trust(&self, issuer: &str) {
        let trust = json!({
            "deployment": DEPLOYMENT,
            "issuer": issuer,
            "actClients": { "cli": ACT_CLIENT },
            "executorKeys": [],
            "engine": {
                "address": "https://engine.example.com:8200", "caPem": "",
                "peopleMount": "people", "peopleRole": "people",
            },
            "groupsClaim": "groups",
            "personClaim": "sub",
        });
        self.store.trust_put(&trust, self.now).await.unwrap();
    }

    /// Makes a document the applied one. Gives its hash.
    pub async fn apply(&self, document: &Value, revision: i64, pins: Value) -> Digest {
        let document = Document::from_value(document).unwrap();
        let state = SubjectState {
            subject: document.subject(),
            engine: self.engine,
            applied_revision: revision,
            applied_hash: Some(document.digest().as_bytes().to_vec()),
            applied_document: Some(document.canonical()),
            pins,
            holds: json!({}),
            state: "applied".to_owned(),
            request: None,
            reason: None,
            updated_at: self.now,
        };
        self.store.subject_state_put(&state).await.unwrap();
        document.digest()
    }

    /// Freezes a subject that is applied.
    pub async fn freeze_subject(&self, subject: &str, reason: &str) {
        let subject = subject.parse().unwrap();
        let mut state = self.store.subject_state_get(&subject).await.unwrap().unwrap();
        "frozen".clone_into(&mut state.state);
        state.reason = Some(reason.to_owned());
        self.store.subject_state_put(&state).await.unwrap();
    }

    /// Records what a cluster holds.
    pub async fn see(&self, namespaces: &[(&str, &str)], accounts: &[(&str, &str, &str)]) {
        let pair = |(a, b): &(&str, &str)| ((*a).to_owned(), (*b).to_owned());
        let triple =
            |(a, b, c): &(&str, &str, &str)| ((*a).to_owned(), (*b).to_owned(), (*c).to_owned());
        let inventory = Inventory {
            namespaces: namespaces.iter().map(pair).collect(),
            accounts: accounts.iter().map(triple).collect(),
        };
        self.store.inventory_replace(self.engine, "prod-eu", &inventory, self.now).await.unwrap();
    }

    /// Records how an account of a binding stands.
    pub async fn binding(&self, team: &str) {
        self.guest_binding(team, "api", &format!("{team}-prod")).await;
    }

    /// Records that a team's binding for an account of another's namespace is attached.
    pub async fn guest_binding(&self, team: &str, binding: &str, namespace: &str) {
        let state = BindingState {
            team: team.to_owned(),
            binding: binding.to_owned(),
            cluster: "prod-eu".to_owned(),
            namespace: namespace.to_owned(),
            account: "api".to_owned(),
            namespace_uid: Some("uid-of-namespace".to_owned()),
            account_uid: Some("uid-of-account".to_owned()),
            state: "attached".to_owned(),
            reason: None,
            updated_at: self.now,
        };
        self.store.binding_state_put(self.engine, &state, &[]).await.unwrap();
    }

    /// Records that something of a subject stands still.
    pub async fn hold(&self, target: &str, reason: &str) {
        let held: Target = target.parse().unwrap();
        let mut state = self.store.subject_state_get(&held.subject()).await.unwrap().unwrap();
        state.holds[target] = json!(reason);
        self.store.subject_state_put(&state).await.unwrap();
    }

    /// The stored request.
    pub async fn request(&self, request: RequestId) -> RequestRow {
        let everything = Visibility {
            all: true,
            teams: [].into(),
            groups: [].into(),
            person: PersonId { issuer: String::new(), person: String::new() },
        };
        self.store.request_get(&everything, request).await.unwrap()
    }

    /// Freezes a plan with these stages and nothing to do. Gives its hash.
    pub async fn freeze_plan(&self, request: RequestId, stages: &[(&str, &str)]) -> Digest {
        let row = self.request(request).await;
        let stage = |(name, group): &(&str, &str)| Stage {
            name: (*name).to_owned(),
            groups: [(*group).to_owned()].into(),
            votes: 1,
        };
        let round = row.round + 1;
        let plan = Plan {
            deployment: DEPLOYMENT.parse().unwrap(),
            engine: EngineRef {
                id: self.engine,
                cluster_id: "cluster".to_owned(),
                vault_namespace: String::new(),
            },
            request,
            round: u32::try_from(round).unwrap(),
            submission: Digest::of(b"token"),
            submitter: row.submitter.clone(),
            submitter_display: row.display.clone(),
            reason: row.reason.clone(),
            documents: Vec::new(),
            pins: [].into(),
            attest: Vec::new(),
            lift: Vec::new(),
            lifts: BTreeMap::new(),
            risk: Risk::High,
            reasons: Vec::new(),
            rules: Digest::of(b"rules"),
            stages: stages.iter().map(stage).collect(),
            steps: Vec::new(),
            standing_orders: Vec::new(),
            summary: Vec::new(),
            renderer: RENDERER,
            frozen_at: self.now,
            expires_at: self.now + SignedDuration::from_hours(72),
        };
        let canonical = plan.canonical();
        let hash = Plan::hash_of(&canonical);
        let stored = PlanRow {
            request,
            round,
            signature: self.key.sign(Purpose::Plan, &canonical),
            canonical,
            hash,
            key_id: self.key.public().id(),
            frozen_at: plan.frozen_at,
            expires_at: plan.expires_at,
        };
        self.store.plan_freeze(&row, &stored, "high", None, self.now, &[]).await.unwrap();
        hash
    }

    /// Moves a request on.
    pub async fn transition(&self, request: RequestId, to: State) {
        let row = self.request(request).await;
        self.store.request_transition(&row, to, None, self.now, &[]).await.unwrap();
    }

    /// Answers an act.
    pub async fn count(&self, act: &str) {
        let said = json!({
            "person": { "issuer": "https://idp", "person": "subject-of-bob" },
            "display": "bob", "groups": ["payments-leads"], "authTime": 1_795_000_000,
        });
        let canonical = serde_json::to_vec(&said).unwrap();
        let receipt = ReceiptRow {
            verdict: "counted".to_owned(),
            reason: None,
            signature: self.key.sign(Purpose::Receipt, &canonical),
            canonical,
            key_id: self.key.public().id(),
            created_at: self.now,
        };
        self.store.receipt_insert(act.parse().unwrap(), &receipt, &[]).await.unwrap();
    }

    /// An event of the executor's about one subject.
    pub async fn event(&self, subject: &str) {
        let event = Event {
            id: EventId::from_uuid(Uuid::new_v4()),
            at: self.now,
            kind: EventKind::RequestApplied,
            request: None,
            subject: Some(subject.parse().unwrap()),
            actor: Actor::Executor,
            detail: json!({}),
        };
        self.store.event_append(&[event]).await.unwrap();
    }
}
