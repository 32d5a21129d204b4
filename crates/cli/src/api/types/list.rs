//! Lists, and the documents behind them.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use strongroom_domain::Digest;
use strongroom_domain::id::RequestId;
use strongroom_domain::risk::Risk;
use strongroom_domain::subject::Subject;

use super::DisplayView;

views! {
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
    /// A live session.
    LiveSession {
        /// Its id.
        session_id: String,
        /// Whose it is, at the provider.
        person: String,
        /// Their name to read.
        display: String,
        /// Whether it is the one that asks.
        current: bool,
        /// When they signed in.
        signed_in_at: String,
        /// When it was last used.
        last_used_at: String,
        /// When it ends if it is not used.
        idle_expires_at: String,
        /// When it ends.
        expires_at: String,
    }
    /// What a check in the cluster said.
    CheckView {
        /// Whether the account reads all that it should.
        green: bool,
        /// What was red.
        faulty: Vec<String>,
        /// When it said so.
        reported_at: String,
    }
    /// One binding, per account.
    BindingView {
        /// The team whose binding it is.
        #[serde(default, skip_serializing)]
        team: Option<String>,
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
        /// What was found otherwise in the engine.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        differs: Vec<String>,
        /// What the newest check in the cluster said of itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        check: Option<CheckView>,
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
    /// `GET /inbox`.
    Inbox {
        /// What waits.
        items: Vec<WaitingView>,
        /// Whether more is in review than was looked at.
        more: bool,
    }
    /// A request in which one's own vote would count.
    WaitingView {
        /// The request.
        request: RequestSummary,
        /// What it is about.
        documents: Vec<Subject>,
        /// The risk of its plan.
        risk: Risk,
        /// The stage in which it would count.
        stage: String,
        /// Votes that count there.
        votes: u32,
        /// Votes that are needed there.
        needed: u32,
        /// Since when it waits.
        frozen_at: String,
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
