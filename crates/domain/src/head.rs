//! Heads: what the executor remembers in the engine, one per subject.
//!
//! The database is the executor's mailbox, not its memory. A head says which document is applied,
//! which plan did it, and which namespace UIDs were pinned by that vote. It is written by
//! check-and-set only and never deleted.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use strongroom_vault_model::name::BindingName;

use crate::Digest;
use crate::document::{Document, Fault, Team};
use crate::hold::{Hold, Target};
use crate::id::{DeploymentId, RequestId};
use crate::packed::Packed;
use crate::pins::Pins;
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
    pub document: Packed,
    /// SHA-256 of the document's canonical bytes.
    pub document_hash: Digest,
    /// The request that brought it.
    pub request: RequestId,
    /// The hash of the plan that was signed.
    pub plan_hash: Digest,
    /// Namespace UIDs pinned by that vote, by `cluster/namespace`.
    pub pins: Pins,
    /// The document that people other than its submitter last voted on, where `document` came
    /// after it by an owner's submission alone. Risk is judged against both, so that small steps
    /// nobody voted on add up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voted: Option<Packed>,
}

impl Applied {
    /// The document, decoded.
    pub fn document(&self) -> Result<Document, Vec<Fault>> {
        Document::from_value(&self.document.value())
    }

    /// The document, where it is a team's.
    pub fn team(&self) -> Option<Team> {
        match self.document() {
            Ok(Document::Team(team)) => Some(*team),
            _ => None,
        }
    }

    /// The document that people last voted on, where it is another one, decoded.
    pub fn voted(&self) -> Result<Option<Document>, Vec<Fault>> {
        self.voted.as_ref().map(|voted| Document::from_value(&voted.value())).transpose()
    }
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
    pub applying: Option<Box<Applying>>,
    /// What stands still until a request lifts it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub holds: BTreeMap<Target, Hold>,
    /// Bindings out of whose groups a hand took members: nobody comes in until the hand puts them
    /// back, or a plan that says so is applied.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub taken_out: BTreeSet<BindingName>,
}

/// How one subject stands to one plan, by its head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stand {
    /// What the plan is based on is applied, and nothing has begun.
    Base,
    /// This very plan has begun.
    Begun,
    /// This very plan is applied.
    Done,
    /// Another plan has begun.
    Other,
    /// Something else is applied than what the plan is based on.
    Moved,
}

impl Head {
    /// The head of a subject that nothing was ever applied to.
    pub fn new(deployment: DeploymentId, subject: Subject) -> Self {
        Self {
            version: HEAD_VERSION,
            deployment,
            subject,
            epoch: 0,
            applied: None,
            applying: None,
            holds: BTreeMap::new(),
            taken_out: BTreeSet::new(),
        }
    }

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

    /// How the subject stands to a plan: its request, its bytes, its hash, and the head that it is
    /// based on. A plan with the same bytes for another request is another plan.
    pub fn stand(
        &self,
        request: RequestId,
        plan: &[u8],
        plan_hash: Digest,
        base: Option<Digest>,
    ) -> Stand {
        if let Some(applying) = &self.applying {
            let ours = applying.plan.as_bytes() == plan && applying.target.request == request;
            return if ours { Stand::Begun } else { Stand::Other };
        }
        if self.applied.as_ref().is_some_and(|applied| applied.plan_hash == plan_hash) {
            return Stand::Done;
        }
        if self.digest() == base { Stand::Base } else { Stand::Moved }
    }

    /// A plan begins: until it ends nobody else's may.
    pub fn begin(&mut self, target: Applied, plan: String) {
        self.applying = Some(Box::new(Applying { target, plan }));
    }

    /// The plan that has begun is applied, and lifts what it lifts. `false`: none had begun.
    pub fn finish(&mut self, lift: &[Target]) -> bool {
        let Some(applying) = self.applying.take() else {
            return false;
        };
        self.applied = Some(applying.target);
        self.holds.retain(|target, _| !lift.contains(target));
        true
    }

    /// This request's plan ends without being applied. `false`: it had not begun here.
    pub fn go_back(&mut self, request: RequestId) -> bool {
        let ours = self.applying.as_ref().is_some_and(|a| a.target.request == request);
        if ours {
            self.applying = None;
        }
        ours
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn applied(revision: u64, request: u128) -> Applied {
        Applied {
            revision,
            document: Packed::new(&serde_json::Value::Null).unwrap(),
            document_hash: Digest::of(b"document"),
            request: RequestId::from_uuid(Uuid::from_u128(request)),
            plan_hash: plan_hash(request),
            pins: Pins::default(),
            voted: None,
        }
    }

    fn plan_hash(request: u128) -> Digest {
        Digest::of(&request.to_be_bytes())
    }

    fn head() -> Head {
        Head::new(DeploymentId::from_uuid(Uuid::from_u128(9)), Subject::Platform)
    }

    #[test]
    fn a_plan_begins_is_applied_and_is_known_again() {
        let mut head = head();
        let first = RequestId::from_uuid(Uuid::from_u128(1));
        let stand = |head: &Head, plan: &[u8], base| head.stand(first, plan, plan_hash(1), base);
        assert_eq!(stand(&head, b"plan", None), Stand::Base);
        head.begin(applied(1, 1), "plan".into());
        assert_eq!(stand(&head, b"plan", None), Stand::Begun);
        assert_eq!(stand(&head, b"plan of another round", None), Stand::Other);
        let second = RequestId::from_uuid(Uuid::from_u128(2));
        assert_eq!(head.stand(second, b"plan", plan_hash(2), None), Stand::Other);
        assert_eq!(head.base_revision(), 0, "nothing is applied before the last step");
        assert!(head.finish(&[]));
        assert!(!head.finish(&[]), "once");
        assert_eq!(stand(&head, b"plan", None), Stand::Done);
        assert_eq!(head.base_revision(), 1);
        // Another plan on top of it.
        let base = head.digest();
        head.begin(applied(2, 2), "more".into());
        assert_eq!(stand(&head, b"plan", None), Stand::Other);
        assert!(head.finish(&[]));
        assert_eq!(stand(&head, b"plan", None), Stand::Moved);
        assert_eq!(stand(&head, b"plan", base), Stand::Moved);
    }

    #[test]
    fn only_ones_own_plan_goes_back_and_leaves_what_was() {
        let mut head = head();
        head.begin(applied(1, 1), "plan".into());
        head.finish(&[]);
        let before = head.clone();
        head.begin(applied(2, 2), "more".into());
        assert!(!head.go_back(RequestId::from_uuid(Uuid::from_u128(1))));
        assert!(head.go_back(RequestId::from_uuid(Uuid::from_u128(2))));
        assert!(!head.go_back(RequestId::from_uuid(Uuid::from_u128(2))));
        assert_eq!(head, before);
    }

    #[test]
    fn what_a_plan_lifts_is_lifted_when_it_is_applied_and_not_before() {
        let mut head = head();
        let hold = Hold {
            by: crate::hold::HeldBy::Operator,
            reason: "why".into(),
            since: jiff::Timestamp::UNIX_EPOCH,
            frozen: false,
        };
        let team = Target::Team("shop".parse().unwrap());
        head.holds.insert(Target::Platform, hold.clone());
        head.holds.insert(team.clone(), hold);
        head.begin(applied(1, 1), "plan".into());
        assert_eq!(head.holds.len(), 2);
        head.finish(std::slice::from_ref(&team));
        assert_eq!(head.holds.keys().collect::<Vec<_>>(), [&Target::Platform]);
    }
}
