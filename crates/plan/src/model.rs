//! The plan as people sign it: one canonical JSON text and its hash.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use strongroom_domain::hold::Target;
use strongroom_domain::id::{DeploymentId, EngineId, RequestId};
use strongroom_domain::person::PersonId;
use strongroom_domain::request::Stage;
use strongroom_domain::risk::{Risk, RiskReason};
use strongroom_domain::subject::Subject;
use strongroom_domain::{Digest, canonical};
use strongroom_vault_model::object::{Fields, ObjectKey};

/// The version of the text that policies and objects are rendered to. A new one is a plan like any
/// other: it changes steps, and people sign it.
pub const RENDERER: u32 = 1;

/// The most bytes a plan may have; larger estates are changed in several requests.
pub const MAX_BYTES: usize = 768 * 1024;

/// The exact plan of one round of one request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Plan {
    /// The deployment whose floor file stands above it.
    pub deployment: DeploymentId,
    /// The engine it is for.
    pub engine: EngineRef,
    /// The request.
    pub request: RequestId,
    /// How often the request was frozen, from 1.
    pub round: u32,
    /// SHA-256 of the ID token of the submission; where a machine submitted, the submission's own.
    pub submission: Digest,
    /// Who submitted, by that token; or the machine that the API names.
    pub submitter: PersonId,
    /// A name to read for the submitter; proves nothing.
    pub submitter_display: String,
    /// The reason given with the submission.
    pub reason: String,
    /// What is proposed, and what it is based on.
    pub documents: Vec<PlannedDocument>,
    /// Namespace UIDs that this plan trusts, by `cluster/namespace`.
    pub pins: BTreeMap<String, String>,
    /// Namespaces whose new UID the submitter asked to trust.
    pub attest: Vec<String>,
    /// What the request lets go on again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lift: Vec<Target>,
    /// The moment of each hold that `lift` lets go: a newer one stands, whoever signed this.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub lifts: BTreeMap<Target, Timestamp>,
    /// How much can go wrong.
    pub risk: Risk,
    /// Why.
    pub reasons: Vec<RiskReason>,
    /// The hash of the rules that gave risk and stages.
    pub rules: Digest,
    /// Who must sign.
    pub stages: Vec<Stage>,
    /// Every write, in order.
    pub steps: Vec<Step>,
    /// What the executor may do later under this plan without another vote.
    pub standing_orders: Vec<String>,
    /// What changes, in plain words: the sentences that a preview shows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub summary: Vec<String>,
    /// [`RENDERER`].
    pub renderer: u32,
    /// When it was frozen, whole seconds.
    pub frozen_at: Timestamp,
    /// When it can no longer be approved or applied, whole seconds.
    pub expires_at: Timestamp,
}

/// Which engine, and where in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct EngineRef {
    /// Strongroom's id for it.
    pub id: EngineId,
    /// The engine's own cluster id.
    pub cluster_id: String,
    /// The vault namespace, empty for the root.
    pub vault_namespace: String,
}

/// One document of a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct PlannedDocument {
    /// What it is about.
    pub subject: Subject,
    /// The number of the proposed revision.
    pub revision: u64,
    /// The applied revision it is based on, 0 for none.
    pub base_revision: u64,
    /// The hash of what the head says is applied.
    pub head_hash: Option<Digest>,
    /// SHA-256 of the document's canonical bytes.
    pub document_hash: Digest,
    /// The document in its normal form.
    pub document: Value,
}

/// What a step does to its object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It is not there and will be.
    Create,
    /// It is there and will be otherwise.
    Update,
    /// It is there and will not be.
    Delete,
}

impl Action {
    /// The word in plans and journals.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

/// One engine write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Step {
    /// Its place in the plan, from 1.
    pub ordinal: u32,
    /// What is done.
    pub action: Action,
    /// To which object.
    pub object: ObjectKey,
    /// What the object holds before.
    pub before: Option<Fields>,
    /// What it holds after.
    pub after: Option<Fields>,
}

/// A text is not a plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// Larger than [`MAX_BYTES`].
    #[error("the plan is larger than 768 KiB; split the request")]
    TooLarge,
    /// Not the shape of a plan.
    #[error("read a plan")]
    Shape(#[source] serde_json::Error),
    /// Other bytes than the canonical ones.
    #[error("the plan is not in its canonical form")]
    NotCanonical,
}

impl Plan {
    /// The bytes that are hashed and signed (RFC 8785).
    pub fn canonical(&self) -> Vec<u8> {
        canonical::to_bytes(self)
            .expect("a plan holds only text, integers, booleans, lists and maps")
    }

    /// The plan hash that people sign.
    pub fn hash_of(canonical: &[u8]) -> Digest {
        Digest::labelled("strongroom/plan/1", canonical)
    }

    /// The plan in canonical bytes; any other spelling is refused.
    pub fn from_canonical(bytes: &[u8]) -> Result<Self, PlanError> {
        if bytes.len() > MAX_BYTES {
            return Err(PlanError::TooLarge);
        }
        let plan: Self = serde_json::from_slice(bytes).map_err(PlanError::Shape)?;
        if plan.canonical() == bytes { Ok(plan) } else { Err(PlanError::NotCanonical) }
    }
}
