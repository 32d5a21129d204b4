//! What a person signs: the statement behind an act, and the content of a submission.
//!
//! These are shapes only. Canonical bytes, nonces and verification are in the `acts` crate.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Digest;
use crate::hold::Target;
use crate::id::{DeploymentId, RequestId};
use crate::subject::Subject;

/// What the person does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ActKind {
    /// Proposes documents.
    Submit,
    /// Agrees to one exact plan.
    Approve,
    /// Ends a request.
    Reject,
    /// Takes back one's own request.
    Withdraw,
    /// Makes a binding, a team, a cluster or all applying stand still.
    Suspend,
}

impl ActKind {
    /// The word in statements, rows and pages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Submit => "submit",
            Self::Approve => "approve",
            Self::Reject => "reject",
            Self::Withdraw => "withdraw",
            Self::Suspend => "suspend",
        }
    }

    /// The act that this word names.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Submit, Self::Approve, Self::Reject, Self::Withdraw, Self::Suspend]
            .into_iter()
            .find(|kind| kind.as_str() == word)
    }
}

/// What one act is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActItem {
    /// The change request; of a suspension the act's own id.
    pub request: RequestId,
    /// The round of the frozen plan; 0 for a submission.
    pub round: u32,
    /// The stage voted in; what is suspended; empty for submit, reject and withdraw.
    pub stage: String,
    /// The plan hash; for a submission or a suspension the hash of what is signed.
    pub content: Digest,
}

/// Everything the nonce of an act is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// The deployment in whose floor file this id stands.
    pub deployment: DeploymentId,
    /// The issuer that signs.
    pub issuer: String,
    /// The act client the token is made for.
    pub audience: String,
    /// What is done.
    pub act: ActKind,
    /// To what; sorted.
    pub items: Vec<ActItem>,
    /// SHA-256 of the comment's bytes.
    pub comment: Digest,
    /// 32 random bytes in base64url without padding.
    pub salt: String,
}

/// What a submission's `content` is the hash of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Submission {
    /// The id the client made.
    pub request: RequestId,
    /// The documents with the revisions they are based on, sorted by subject.
    pub documents: Vec<SubmittedDocument>,
    /// Namespaces (`cluster/namespace`) whose new UID is to be trusted by this request; sorted.
    pub attest: Vec<String>,
    /// What this request lets go on again; sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lift: Vec<Target>,
    /// Why.
    pub reason: String,
}

/// One document of a submission.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SubmittedDocument {
    /// What it is about.
    pub subject: Subject,
    /// The applied revision it is based on; 0 when there is none.
    pub base_revision: u64,
    /// The hash of that revision's document.
    pub base_hash: Option<Digest>,
    /// The document in its normal form.
    pub document: Value,
}
