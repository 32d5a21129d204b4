//! What comes from the database by way of the API is checked here, with pinned keys only.
//!
//! A plan counts when the executor signed exactly these bytes; a receipt when the executor signed
//! it for exactly this act. Nothing in this module reads a field of the API for its meaning.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use strongroom_acts::PublicKey;
use strongroom_acts::receipt::{Answer, Receipt};
use strongroom_acts::signing::Purpose;
use strongroom_domain::Digest;
use strongroom_domain::act::{ActItem, ActKind};
use strongroom_domain::document::Document;
use strongroom_domain::id::{DeploymentId, RequestId};
use strongroom_plan::{Plan, PlanError};

use crate::api::types;

/// A plan that the executor signed, and its hash computed here.
#[derive(Debug, Clone)]
pub struct VerifiedPlan {
    /// The plan.
    pub plan: Plan,
    /// Its documents, decoded, in the plan's order.
    pub documents: Vec<Document>,
    /// What a vote signs.
    pub hash: Digest,
}

/// Why a plan is not shown and not signed.
#[derive(Debug, thiserror::Error)]
pub enum PlanRefusal {
    /// Not base64.
    #[error("the plan's bytes or its signature are not base64")]
    Encoding,
    /// No pinned key signed these bytes.
    #[error("no pinned key of the executor signed this plan; it may have been changed on its way")]
    Signature,
    /// The answer names another hash than its bytes have.
    #[error("the plan's bytes do not have the hash that the server names")]
    Hash,
    /// Not a plan.
    #[error("read the plan's bytes")]
    Shape(#[from] PlanError),
    /// Signed, but for something else.
    #[error("the signed plan is for another {0}")]
    Other(&'static str),
    /// A document in it does not decode, or has another hash.
    #[error("a document in the plan is not what its hash says")]
    Document,
    /// Its time is over.
    #[error("the plan ran out at {0}")]
    Expired(Timestamp),
}

/// What the plan must be about.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The pinned keys of the executor.
    pub keys: &'a [PublicKey],
    /// The pinned deployment.
    pub deployment: DeploymentId,
    /// The request that the person asked for.
    pub request: RequestId,
}

/// Checks hash, signature and meaning of a plan.
pub fn plan(answer: &types::Plan, wanted: &Wanted<'_>) -> Result<VerifiedPlan, PlanRefusal> {
    let decode = |text: &str| STANDARD.decode(text).map_err(|_| PlanRefusal::Encoding);
    let (bytes, signature) = (decode(&answer.canonical)?, decode(&answer.signature)?);
    if !wanted.keys.iter().any(|key| key.verifies(Purpose::Plan, &bytes, &signature)) {
        return Err(PlanRefusal::Signature);
    }
    let hash = Plan::hash_of(&bytes);
    if hash.to_string() != answer.hash {
        return Err(PlanRefusal::Hash);
    }
    let plan = Plan::from_canonical(&bytes)?;
    if plan.deployment != wanted.deployment {
        return Err(PlanRefusal::Other("deployment"));
    }
    if plan.request != wanted.request {
        return Err(PlanRefusal::Other("request"));
    }
    if plan.round != answer.round {
        return Err(PlanRefusal::Other("round"));
    }
    let documents = plan
        .documents
        .iter()
        .map(|planned| {
            Document::from_value(&planned.document)
                .ok()
                .filter(|document| document.digest() == planned.document_hash)
                .filter(|document| document.subject() == planned.subject)
                .ok_or(PlanRefusal::Document)
        })
        .collect::<Result<_, _>>()?;
    Ok(VerifiedPlan { plan, documents, hash })
}

/// Refuses a plan whose time is over.
pub fn still_good(plan: &Plan, now: Timestamp) -> Result<(), PlanRefusal> {
    if plan.expires_at <= now { Err(PlanRefusal::Expired(plan.expires_at)) } else { Ok(()) }
}

/// Whether the executor signed a receipt; `None` when the answer carries no signature at all.
pub fn receipt(answer: &types::ReceiptView, keys: &[PublicKey]) -> Option<Result<Answer, ()>> {
    let (canonical, signature) = (answer.canonical.as_deref()?, answer.signature.as_deref()?);
    let check = || {
        let bytes = STANDARD.decode(canonical).ok()?;
        let signature = STANDARD.decode(signature).ok()?;
        keys.iter().find(|key| key.verifies(Purpose::Receipt, &bytes, &signature))?;
        Answer::parse(&bytes)
    };
    Some(check().ok_or(()))
}

/// Whether a signed receipt is for exactly this act. The token is used once, so its hash names it.
pub fn receipt_is_for(receipt: &Receipt, kind: ActKind, items: &[ActItem], token: &Digest) -> bool {
    receipt.kind == kind && receipt.items == items && receipt.token == *token
}

#[cfg(test)]
pub(crate) mod tests;
