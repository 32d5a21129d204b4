//! How far a plan has come, told by heads and objects alone, and what follows from that.
//!
//! The executor asks here before it begins, and again after every interruption. What it remembers
//! or what a row says decides nothing.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::json;
use strongroom_domain::Digest;
use strongroom_domain::document::Document;
use strongroom_domain::document::team::is_production_path;
use strongroom_domain::head::{Applied, Head, Stand};
use strongroom_domain::packed::Packed;
use strongroom_domain::pins::Pins;
use strongroom_domain::subject::Subject;
use strongroom_vault_model::object::{Fields, ObjectKey};

use crate::build::places;
use crate::model::{Plan, Step};
use crate::stages::{voted_by_platform, voted_on};
use crate::steps::{members, same};

/// What is to be done about one step after an interruption.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The object is as after the step.
    Already,
    /// The object is as before the step.
    Do,
    /// The object is neither; nothing is written over it.
    Stop,
}

/// Looks at one object alone, at its step in this place: as before, do it; as after, it was done;
/// anything else, stop. Where an object has two steps, as after the second the first was done too.
///
/// Who is a member right now cannot be told from a read. A step by which accounts leave a group, and
/// nothing else, is therefore done again: whoever was to leave must not still be there when the
/// steps after it give more.
pub fn judge(steps: &[Step], place: usize, found: Option<&Fields>) -> Verdict {
    let step = &steps[place];
    let is = |wanted: Option<&Fields>| match (wanted, found) {
        (None, None) => true,
        (Some(wanted), Some(found)) => same(&step.object, wanted, found),
        _ => false,
    };
    let as_before = is(step.before.as_ref());
    if as_before && accounts_leave(step) {
        return Verdict::Do;
    }
    let mut later = steps[place..].iter().filter(|later| later.object == step.object);
    if later.any(|later| is(later.after.as_ref())) {
        Verdict::Already
    } else if as_before || is_untouched(step, found) {
        Verdict::Do
    } else {
        Verdict::Stop
    }
}

/// A new mount brings settings of its own that nobody has written: a step that makes them found
/// nothing before, because the mount was not there either.
fn is_untouched(step: &Step, found: Option<&Fields>) -> bool {
    matches!(step.object, ObjectKey::MountConfig(_))
        && step.before.is_none()
        && found.is_some_and(|found| {
            let is = |name: &str, value| found.get(name) == Some(&value);
            is("max_versions", json!(0))
                && is("cas_required", json!(false))
                && is("delete_version_after", json!("0s"))
        })
}

/// Whether the step only takes members out of a group.
pub fn only_leaves(step: &Step) -> bool {
    let (Some(before), Some(after)) = (&step.before, &step.after) else { return false };
    let fewer = |name| members(after, name).is_subset(&members(before, name));
    matches!(step.object, ObjectKey::Group(_))
        && ["anchors", "accounts", "policies"].into_iter().all(fewer)
}

fn accounts_leave(step: &Step) -> bool {
    let accounts = |fields: &Option<Fields>| {
        fields.as_ref().map(|fields| members(fields, "accounts")).unwrap_or_default()
    };
    !accounts(&step.before).is_subset(&accounts(&step.after))
}

/// How far a plan has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// No head says that it has begun.
    NotBegun,
    /// It has begun. The documents in these places, the last ones, have yet to: the heads before them
    /// were written when it was interrupted.
    Begun(Vec<usize>),
    /// Every step is done, for a head says that it is applied; others have yet to say so. No step is
    /// done again and nothing goes back: what was applied has a life of its own already.
    Ending,
    /// It had begun and was being put back, from the first document on, when it was interrupted.
    GoingBack,
    /// Every head says that it is applied.
    Done,
    /// Another plan is being applied to this subject, or to one that it shares a request with.
    Busy(Subject),
    /// It has begun, and another plan was applied to this subject meanwhile.
    Torn(Subject),
}

/// How far the plan has come. `heads` are all that are known: a request over several subjects keeps
/// others off all of them as long as one of their heads says that it has begun.
pub fn progress<'h>(
    plan: &Plan,
    canonical: &[u8],
    hash: Digest,
    heads: impl IntoIterator<Item = &'h Head>,
) -> Progress {
    let mut stands: BTreeMap<&Subject, Stand> = BTreeMap::new();
    let mut busy = None;
    for head in heads {
        if let Some(document) = plan.documents.iter().find(|d| d.subject == head.subject) {
            let stand = head.stand(plan.request, canonical, hash, document.head_hash);
            if stand == Stand::Other {
                return Progress::Busy(head.subject.clone());
            }
            stands.insert(&head.subject, stand);
        } else if busy.is_none() {
            busy = shared(plan, head);
        }
    }
    // A subject without a head has nothing applied.
    let stand = |place: usize| {
        let document = &plan.documents[place];
        let unknown = if document.head_hash.is_none() { Stand::Base } else { Stand::Moved };
        stands.get(&document.subject).copied().unwrap_or(unknown)
    };
    let places = 0..plan.documents.len();
    if places.clone().all(|place| stand(place) == Stand::Done) {
        return Progress::Done;
    }
    if places.clone().any(|place| stand(place) == Stand::Begun) {
        if let Some(place) = places.clone().find(|place| stand(*place) == Stand::Moved) {
            return Progress::Torn(plan.documents[place].subject.clone());
        }
        if places.clone().any(|place| stand(place) == Stand::Done) {
            return Progress::Ending;
        }
        // Heads are written and put back in the same order, so the first one tells which it was.
        if stand(0) == Stand::Base {
            return Progress::GoingBack;
        }
        return Progress::Begun(places.filter(|place| stand(*place) == Stand::Base).collect());
    }
    busy.map_or(Progress::NotBegun, Progress::Busy)
}

/// What is read of a plan that another head has begun with. A plan of an older version counts too.
#[derive(Deserialize)]
struct BegunPlan {
    documents: Vec<BegunDocument>,
}

#[derive(Deserialize)]
struct BegunDocument {
    subject: Subject,
}

/// A subject of the plan that a plan over another head's subject has begun with, too.
fn shared(plan: &Plan, head: &Head) -> Option<Subject> {
    let applying = head.applying.as_ref()?;
    if applying.target.request == plan.request {
        return None;
    }
    let begun: BegunPlan = serde_json::from_str(&applying.plan).ok()?;
    let subjects = begun.documents.into_iter().map(|document| document.subject);
    let ours = |subject: &Subject| plan.documents.iter().any(|d| d.subject == *subject);
    subjects.into_iter().find(ours)
}

/// Whether a path that production used when people last voted is production's no more.
fn leaves_production(base: &Applied, proposed: &serde_json::Value) -> bool {
    let Ok(Document::Team(team)) = Document::from_value(proposed) else { return false };
    let voted = base.voted().ok().flatten().or_else(|| base.document().ok());
    let Some(Document::Team(voted)) = voted else { return false };
    let used = voted.bindings.iter().flat_map(|binding| &binding.access);
    let mut used = used.filter(|access| is_production_path(&voted, access));
    used.any(|access| !is_production_path(&team, access))
}

impl Plan {
    /// Whether the plan made now would do exactly the same: everything but the round, its times and
    /// the sentences.
    pub fn is_still(&self, now: &Self) -> bool {
        now.steps == self.steps
            && now.documents == self.documents
            && now.pins == self.pins
            && now.lift == self.lift
            && now.lifts == self.lifts
            && now.risk == self.risk
            && now.stages == self.stages
            && now.rules == self.rules
            && now.standing_orders == self.standing_orders
            && now.renderer == self.renderer
    }

    /// What the head will say of the document at this place, once the plan is applied to `base`.
    pub fn target(&self, hash: Digest, place: usize, base: Option<&Applied>) -> Applied {
        let document = &self.documents[place];
        let pins = match Document::from_value(&document.document) {
            Ok(Document::Team(team)) => places(&team)
                .filter_map(|name| Some((name.clone(), self.pins.get(&name)?.clone())))
                .collect(),
            _ => Pins::default(),
        };
        // What nobody voted on is judged next time by what people last did vote on.
        // That a path is production's no more is settled by the platform alone: two people of one
        // team could otherwise vote it out of production first, and give it away then.
        let settles = |base: &Applied| {
            voted_on(&self.stages, &document.subject)
                && (voted_by_platform(&self.stages) || !leaves_production(base, &document.document))
        };
        let voted = base
            .filter(|base| !settles(base))
            .map(|base| base.voted.clone().unwrap_or_else(|| base.document.clone()));
        Applied {
            revision: document.revision,
            document: Packed::new(&document.document)
                .expect("a document holds only text, integers and maps with text keys"),
            document_hash: document.document_hash,
            request: self.request,
            plan_hash: hash,
            pins,
            voted,
        }
    }
}
