//! The answers of the API as far as the client reads them. Fields it does not know are passed over.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use strongroom_domain::Digest;
use strongroom_domain::id::RequestId;
use strongroom_domain::risk::{Risk, RiskReason};
use strongroom_domain::subject::Subject;

macro_rules! views {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase")]
        pub struct $name { $($(#[$field_doc])* pub $field: $type,)* }
    )*};
}

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
    /// `POST /requests/preview`.
    Preview {
        /// Per document.
        documents: Vec<PreviewDocument>,
        /// Whether nothing would change.
        unchanged: bool,
        /// Engine writes.
        #[serde(default)]
        steps: Vec<StepView>,
        /// The risk.
        risk: Risk,
        /// Why.
        #[serde(default)]
        reasons: Vec<RiskReason>,
        /// Who must sign.
        #[serde(default)]
        stages: Vec<StageView>,
        /// In plain words.
        #[serde(default)]
        summary: Vec<String>,
        /// Service accounts as the cluster last reported them.
        #[serde(default)]
        accounts: Vec<AccountView>,
        /// When the engine was looked at.
        #[serde(default)]
        observed_at: Option<String>,
    }
    /// One document of a preview.
    PreviewDocument {
        /// What it is about.
        subject: Subject,
        /// The applied revision; 0 for none.
        base_revision: u64,
        /// The hash of the applied document.
        base_hash: Option<Digest>,
        /// The document as the API understood it.
        document: Value,
        /// Whether it differs from what is applied.
        changed: bool,
        /// Who manages it.
        #[serde(default)]
        managed_by: Option<String>,
    }
    /// One engine write of a preview.
    StepView {
        /// `create`, `update` or `delete`.
        action: String,
        /// The kind of object.
        kind: String,
        /// Its name.
        name: String,
        /// Field by field.
        #[serde(default)]
        changes: Vec<FieldChange>,
    }
    /// One field of a step.
    FieldChange {
        /// Its name.
        field: String,
        /// Before.
        #[serde(default)]
        before: Option<Value>,
        /// After.
        #[serde(default)]
        after: Option<Value>,
    }
    /// One stage of a preview.
    StageView {
        /// Its name.
        name: String,
        /// Being in one of these is enough.
        groups: Vec<String>,
        /// How many must sign.
        votes: u32,
        /// People who have signed in with such a group.
        #[serde(default)]
        known: Vec<String>,
    }
    /// A service account of a preview.
    AccountView {
        /// The cluster.
        cluster: String,
        /// The namespace.
        namespace: String,
        /// The account.
        account: String,
        /// The namespace's UID.
        #[serde(default)]
        namespace_uid: Option<String>,
        /// The account's UID.
        #[serde(default)]
        uid: Option<String>,
        /// When it was made.
        #[serde(default)]
        created_at: Option<String>,
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
    /// A team or a cluster in a list.
    Named {
        /// The slug.
        name: String,
        /// For people to read.
        #[serde(default)]
        display_name: Option<String>,
        /// The applied revision.
        #[serde(default)]
        revision: u64,
        /// The state.
        #[serde(default)]
        state: String,
        /// When it last changed.
        #[serde(default)]
        updated_at: Option<String>,
    }
    /// `GET /documents/{kind}/{name}`.
    AppliedDocument {
        /// What it is about.
        subject: Subject,
        /// The revision.
        revision: u64,
        /// The document.
        document: Value,
        /// Its hash.
        hash: Digest,
    }
    /// One binding, per account.
    BindingView {
        /// The binding.
        binding: String,
        /// The cluster.
        #[serde(default)]
        cluster: Option<String>,
        /// The namespace.
        #[serde(default)]
        namespace: Option<String>,
        /// The account.
        #[serde(default)]
        account: Option<String>,
        /// The pinned namespace's UID.
        #[serde(default)]
        namespace_uid: Option<String>,
        /// The attached account's UID.
        #[serde(default)]
        account_uid: Option<String>,
        /// The state.
        state: String,
        /// Why.
        #[serde(default)]
        reason: Option<String>,
        /// When it last changed.
        #[serde(default)]
        updated_at: Option<String>,
    }
    /// One request of a list.
    RequestSummary {
        /// The request.
        request_id: RequestId,
        /// Its state.
        state: String,
        /// The risk.
        #[serde(default)]
        risk: Option<String>,
        /// Why it was proposed.
        #[serde(default)]
        reason: String,
        /// Who proposed it.
        #[serde(default)]
        submitted_by: Option<DisplayView>,
        /// When it came in.
        created_at: String,
        /// What it proposes; a list of subjects or of documents.
        #[serde(default)]
        documents: Vec<Value>,
    }
    /// One event of a list.
    EventView {
        /// Its place in the ledger.
        sequence: i64,
        /// When it happened.
        at: String,
        /// What happened.
        kind: String,
        /// The request it belongs to.
        #[serde(default)]
        request: Option<String>,
        /// What it is about.
        #[serde(default)]
        subject: Option<String>,
        /// The hash of the event's bytes.
        hash: String,
        /// The event itself.
        event: Value,
    }
}

impl RequestSummary {
    /// The subjects it is about.
    pub fn subjects(&self) -> Vec<&str> {
        self.documents
            .iter()
            .filter_map(|item| item.as_str().or_else(|| item.get("subject")?.as_str()))
            .collect()
    }
}

/// One page of a list.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// Where the next page begins.
    #[serde(default = "none")]
    pub next_cursor: Option<Cursor>,
}

fn none() -> Option<Cursor> {
    None
}

/// A position in a list: opaque text, or a sequence number.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum Cursor {
    /// Opaque.
    Text(String),
    /// A sequence number.
    Number(i64),
}

impl Cursor {
    /// The text to send back.
    pub fn into_text(self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text).filter(|text| !text.is_empty()),
            Self::Number(number) => Some(number.to_string()),
        }
    }
}

/// `GET /session`: the person, and when the session ends.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// Who is signed in.
    pub person: PersonView,
    /// When it ends.
    pub expires_at: String,
}

impl<'de> Deserialize<'de> for Session {
    /// Takes the person's fields beside `expiresAt` as well as inside `person`.
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let whole = Value::deserialize(from)?;
        let expires_at = whole
            .get("expiresAt")
            .and_then(Value::as_str)
            .map(str::to_owned);
        let person = whole
            .get("person")
            .filter(|person| person.is_object())
            .unwrap_or(&whole);
        Ok(Self {
            person: PersonView::deserialize(person).map_err(D::Error::custom)?,
            expires_at: expires_at.ok_or_else(|| D::Error::missing_field("expiresAt"))?,
        })
    }
}
