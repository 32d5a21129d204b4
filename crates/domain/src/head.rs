//! Heads: what the executor remembers in the engine, one per subject.
//!
//! The database is the executor's mailbox, not its memory. A head says which document is applied,
//! which plan did it, and which namespace UIDs were pinned by that vote. It is written by
//! check-and-set only and never deleted.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Digest;
use crate::hold::{Hold, Target};
use crate::id::{DeploymentId, RequestId};
use crate::subject::Subject;

/// The version of this shape.
pub const HEAD_VERSION: u32 = 1;

/// What is applied for one subject.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Applied {
    /// The revision's number.
    pub revision: u64,
    /// The document in its normal form.
    pub document: Value,
    /// SHA-256 of the document's canonical bytes.
    pub document_hash: Digest,
    /// The request that brought it.
    pub request: RequestId,
    /// The hash of the plan that was signed.
    pub plan_hash: Digest,
    /// Namespace UIDs pinned by that vote, by `cluster/namespace`.
    pub pins: BTreeMap<String, String>,
    /// The document that people other than its submitter last voted on, where `document` came
    /// after it by an owner's submission alone. Risk is judged against both, so that small steps
    /// nobody voted on add up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voted: Option<Value>,
}

/// A plan that has begun and not ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Applying {
    /// What will be applied when the last step is done.
    pub target: Applied,
    /// The frozen plan's canonical text, so that a lost database loses no half-done plan.
    pub plan: String,
}

/// One subject's head.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Head {
    /// [`HEAD_VERSION`].
    pub version: u32,
    /// The deployment that wrote it.
    pub deployment: DeploymentId,
    /// What it is about.
    pub subject: Subject,
    /// The epoch of the lease under which it was written.
    pub epoch: i64,
    /// What is applied, if anything ever was.
    pub applied: Option<Applied>,
    /// What is being applied.
    pub applying: Option<Applying>,
    /// What stands still until a request lifts it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub holds: BTreeMap<Target, Hold>,
}

impl Head {
    /// The revision that is applied; 0 when there is none.
    pub fn base_revision(&self) -> u64 {
        self.applied.as_ref().map_or(0, |applied| applied.revision)
    }

    /// The hash that plans carry of what is applied.
    pub fn digest(&self) -> Option<Digest> {
        let applied = self.applied.as_ref()?;
        let bytes = crate::canonical::to_bytes(applied)
            .expect("a head holds only text, integers and maps with text keys");
        Some(Digest::labelled("strongroom/head/1", &bytes))
    }
}
