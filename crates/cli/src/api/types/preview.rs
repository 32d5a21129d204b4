//! What the API says documents would change.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use strongroom_domain::Digest;
use strongroom_domain::hold::Target;
use strongroom_domain::risk::{Risk, RiskReason};
use strongroom_domain::subject::Subject;

use super::RequestSummary;

views! {
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
        /// What stands still whatever is applied.
        #[serde(default)]
        holds: Vec<HoldView>,
        /// Service accounts as the cluster last reported them.
        #[serde(default)]
        accounts: Vec<AccountView>,
        /// When the engine was looked at.
        #[serde(default)]
        observed_at: Option<String>,
        /// Requests about the same that are not decided yet.
        #[serde(default)]
        beside: Vec<RequestSummary>,
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
    /// Something that stands still until a request lifts it.
    HoldView {
        /// What.
        target: Target,
        /// Why.
        reason: String,
        /// Whether nothing can be proposed about it without lifting it.
        blocks: bool,
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
        known: Vec<KnownView>,
    }
    /// Somebody who has signed in with a group of a stage.
    KnownView {
        /// A name to read.
        display: String,
        /// Their last sign-in.
        signed_in_at: String,
        /// Whether it is the submitter.
        submitter: bool,
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
}
