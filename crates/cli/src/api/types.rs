//! The answers of the API as far as the client reads them. Fields it does not know are passed over.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use strongroom_domain::id::RequestId;

macro_rules! views {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase")]
        pub struct $name { $($(#[$field_doc])* pub $field: $type,)* }
    )*};
}

mod kit;
mod list;
mod machine;
mod preview;
mod reach;
mod status;

pub use kit::{CheckMade, CheckWish, KitFile, KitSecret, KitSheet, KitView};
pub use list::{
    AppliedDocument, BindingView, CheckView, Cursor, EventView, Inbox, LiveSession, Named, Page,
    RequestSummary, WaitingView,
};
pub use machine::{AccountRef, MachineMade, MachineSelf, MachineView};
pub use preview::{
    AccountView, FieldChange, HoldView, KnownView, Preview, PreviewDocument, StageView, StepView,
};
pub use reach::{AnswerView, DeedView, ThroughView, WhatView, WhoView};
pub use status::{
    ClusterStatus, CountView, EngineStatus, ExecutorStatus, KnownPerson, StandingStill, StatusView,
};

views! {
    /// `GET /trust`.
    TrustView {
        /// The deployment's id.
        deployment: String,
        /// The one issuer.
        issuer: String,
        /// The client for ordinary sign-ins.
        sign_in: SignInClient,
        /// The clients for acts.
        act_clients: ActClients,
        /// The executor's public keys.
        executor_keys: Vec<ExecutorKey>,
        /// The engine.
        engine: EngineView,
        /// The claim with the groups.
        groups_claim: String,
        /// The claim that tells people apart.
        person_claim: String,
    }
    /// The client for ordinary sign-ins.
    SignInClient {
        /// Its id at the provider.
        client_id: String,
        /// What it asks for.
        scopes: Vec<String>,
    }
    /// The clients for acts.
    ActClients {
        /// The one of this program.
        cli: String,
    }
    /// A public key of the executor.
    ExecutorKey {
        /// Its short name.
        id: String,
        /// SPKI PEM.
        pem: String,
    }
    /// How people reach the engine.
    EngineView {
        /// Its address.
        address: String,
        /// Its CA.
        #[serde(default)]
        ca_pem: String,
        /// The auth mount for people.
        people_mount: String,
        /// The role there.
        people_role: String,
    }
    /// `POST /sign-ins`.
    SignIn {
        /// Names the sign-in.
        sign_in_id: String,
        /// The nonce that the token must carry.
        nonce: String,
        /// The issuer.
        issuer: String,
        /// The client.
        client_id: String,
        /// The scopes.
        scopes: Vec<String>,
    }
    /// `POST /sign-ins/{id}/complete`.
    Completed {
        /// The session token.
        token: String,
        /// When the session ends.
        expires_at: String,
        /// Who signed in.
        person: PersonView,
    }
    /// A person.
    PersonView {
        /// The issuer.
        issuer: String,
        /// The value of the person claim.
        person: String,
        /// A name to read.
        display: String,
        /// The groups of the sign-in.
        #[serde(default)]
        groups: Vec<String>,
    }
    /// `POST /requests`.
    Submitted {
        /// The request.
        request_id: RequestId,
        /// Its state.
        state: String,
    }
    /// `GET /requests/{id}`.
    RequestView {
        /// The request.
        request_id: RequestId,
        /// Its state.
        state: String,
        /// Why it is in this state.
        #[serde(default)]
        state_reason: Option<String>,
        /// The round of the frozen plan.
        round: u32,
        /// The risk.
        #[serde(default)]
        risk: Option<String>,
        /// Why it was proposed.
        reason: String,
        /// Namespaces to trust again.
        #[serde(default)]
        attest: Vec<String>,
        /// What is let go on again.
        #[serde(default)]
        lift: Vec<String>,
        /// Who proposed it.
        submitted_by: PersonView,
        /// When it came in.
        created_at: String,
        /// When it last changed.
        #[serde(default)]
        updated_at: Option<String>,
        /// When it ends by itself.
        #[serde(default)]
        expires_at: Option<String>,
        /// The hash of the frozen plan.
        #[serde(default)]
        plan_hash: Option<String>,
        /// What it proposes.
        documents: Vec<RequestDocument>,
        /// Who of those who must sign is known from sign-ins.
        #[serde(default)]
        stages: Vec<StageView>,
    }
    /// `GET /suspensions/{id}`.
    SuspensionView {
        /// What is to stand still.
        target: String,
        /// The act and the executor's answer.
        act: ActItemView,
    }
    /// One of `GET /findings`.
    FindingView {
        /// What it is about.
        key: String,
        /// Which check found it.
        kind: String,
        /// How loud it is.
        severity: String,
        /// The subject concerned.
        #[serde(default)]
        subject: Option<String>,
        /// The engine object concerned.
        #[serde(default)]
        object: Option<String>,
        /// What is found.
        text: String,
        /// What to do.
        next_step: String,
        /// Who did it.
        #[serde(default)]
        culprit: Option<String>,
        /// When it was first seen.
        first_seen: String,
        /// When it was gone.
        #[serde(default)]
        resolved_at: Option<String>,
    }
    /// One document of a request.
    RequestDocument {
        /// What it is about.
        subject: String,
        /// The proposed revision.
        revision: u64,
        /// What it is based on.
        base_revision: u64,
        /// The proposed document.
        document: Value,
        /// What it is based on.
        #[serde(default)]
        base_document: Option<Value>,
    }
    /// `GET /requests/{id}/plan`.
    Plan {
        /// The round.
        round: u32,
        /// The canonical bytes, base64.
        canonical: String,
        /// Their hash.
        hash: String,
        /// The executor's signature, base64.
        signature: String,
        /// The key that signed.
        key_id: String,
    }
    /// One act of a request.
    ActItemView {
        /// The act.
        act_id: String,
        /// Its kind.
        kind: String,
        /// The round it is about.
        round: u32,
        /// The stage voted in.
        #[serde(default)]
        stage: String,
        /// The comment.
        #[serde(default)]
        comment: String,
        /// Who the session was of.
        #[serde(default)]
        claimed_by: Option<DisplayView>,
        /// When the API took it.
        received_at: String,
        /// What the executor says.
        #[serde(default)]
        receipt: Option<ReceiptView>,
    }
    /// A name to read.
    DisplayView {
        /// The name.
        display: String,
    }
    /// The executor's receipt, not verified yet.
    ReceiptView {
        /// `counted` or `refused`.
        verdict: String,
        /// Why it was refused.
        #[serde(default)]
        reason: Option<String>,
        /// Who signed.
        #[serde(default)]
        person: Option<PersonView>,
        /// When that person signed in.
        #[serde(default)]
        auth_time: Option<Value>,
        /// The executor's key that signed the receipt.
        #[serde(default)]
        key_id: Option<String>,
        /// The canonical bytes, base64.
        #[serde(default)]
        canonical: Option<String>,
        /// The executor's signature, base64.
        #[serde(default)]
        signature: Option<String>,
    }
    /// `POST /requests/{id}/acts`.
    ActPosted {
        /// The act as it was stored.
        act_id: String,
    }
}

/// `GET /session`: the person, and when the session ends.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// Who is signed in.
    pub person: PersonView,
    /// Whether the server takes the person for one of the platform.
    pub platform: bool,
    /// Whether the person only looks.
    pub auditor: bool,
    /// The machine that asks, if none of the people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub machine: Option<MachineSelf>,
    /// When it ends.
    pub expires_at: String,
}

impl<'de> Deserialize<'de> for Session {
    /// Takes the person's fields beside `expiresAt` as well as inside `person`.
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let whole = Value::deserialize(from)?;
        let expires_at = whole.get("expiresAt").and_then(Value::as_str).map(str::to_owned);
        let person = whole.get("person").filter(|person| person.is_object()).unwrap_or(&whole);
        let flag = |name: &str| whole.get(name).and_then(Value::as_bool) == Some(true);
        Ok(Self {
            platform: flag("platform"),
            auditor: flag("auditor"),
            machine: whole
                .get("machine")
                .filter(|machine| machine.is_object())
                .map(|machine| MachineSelf::deserialize(machine).map_err(D::Error::custom))
                .transpose()?,
            person: PersonView::deserialize(person).map_err(D::Error::custom)?,
            expires_at: expires_at.ok_or_else(|| D::Error::missing_field("expiresAt"))?,
        })
    }
}

/// A submission as it was signed.
#[derive(Debug, Clone, Deserialize)]
pub struct SubmissionView {
    /// Its canonical bytes, base64.
    pub canonical: String,
}
