//! Everything that is there in one schedule, and the one place where writes land.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::{Value, json};
use strongroom_domain::head::{Applied, Head};
use strongroom_domain::id::{DeploymentId, EngineId, RequestId};
use strongroom_domain::packed::Packed;
use strongroom_domain::pins::Pins;
use strongroom_domain::{Digest, canonical};
use strongroom_plan::Plan;
use strongroom_plan::model::{EngineRef, PlannedDocument, RENDERER};
use uuid::Uuid;

use crate::Omission;
use crate::database::{Database, PlanNumber, Row};
use crate::engine::{Engine, Write};
use crate::rng::Rng;
use crate::scenery::{Doc, Made, SUBJECTS, Scenery, Wish};
use crate::trace::Trace;
use crate::truth::Truth;
use crate::watch;

/// How long a write is on its way at most, seconds. After that it has landed or never will.
pub(crate) const DEADLINE: i64 = 5;

/// A plan that was frozen, with what stands for its bytes.
#[derive(Debug)]
pub(crate) struct Frozen {
    pub(crate) number: PlanNumber,
    pub(crate) plan: Plan,
    pub(crate) text: String,
    pub(crate) hash: Digest,
    pub(crate) submitter: usize,
    pub(crate) wishes: Vec<(usize, Wish)>,
    pub(crate) made: Rc<Made>,
}

/// One write that was sent.
#[derive(Debug, Clone)]
pub(crate) struct Flight {
    pub(crate) number: u64,
    /// Which executor sent it.
    pub(crate) sender: usize,
    pub(crate) write: Write,
    pub(crate) epoch: i64,
    pub(crate) sent_at: i64,
    /// How often the database had lost rows when the lease was last looked at.
    pub(crate) losses: u32,
    /// How it ended: landed, failed its check, or never arrived.
    pub(crate) end: Option<End>,
}

/// How a write ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Landed,
    Refused,
    Lost,
}

/// One schedule's world.
pub(crate) struct World {
    pub(crate) scenery: Rc<Scenery>,
    pub(crate) rng: Rng,
    pub(crate) now: i64,
    pub(crate) omission: Option<Omission>,
    /// Whether calls fail.
    pub(crate) faults: bool,
    pub(crate) engine: Engine,
    pub(crate) database: Database,
    /// What a reader may see who is behind.
    pub(crate) behind: Database,
    /// How often the database lost its newest rows.
    pub(crate) losses: u32,
    pub(crate) plans: Vec<Rc<Frozen>>,
    pub(crate) flights: Vec<Flight>,
    flight_count: u64,
    /// When each executor goes on.
    pub(crate) wake: Vec<i64>,
    pub(crate) last_change: i64,
    /// For so many turns the clock stands still: much can happen in a second.
    pub(crate) hurry: u32,
    digests: RefCell<BTreeMap<(usize, Digest), Digest>>,
    pub(crate) truth: Truth,
    pub(crate) trace: Trace,
    pub(crate) violation: Option<String>,
}

/// Stands for a document in heads and plans; nobody reads what is inside.
pub(crate) fn stand_in(doc: Doc) -> Value {
    json!(doc)
}

/// The document that a stand-in is of.
pub(crate) fn doc_of(packed: &Packed) -> Doc {
    let number = packed.value().as_u64().and_then(|number| usize::try_from(number).ok());
    number.expect("documents of the small world are numbers")
}

pub(crate) fn request_id(request: usize) -> RequestId {
    RequestId::from_uuid(Uuid::from_u128(request as u128 + 1))
}

fn deployment() -> DeploymentId {
    DeploymentId::from_uuid(Uuid::from_u128(7))
}

impl World {
    pub(crate) fn new(
        scenery: Rc<Scenery>,
        seed: u64,
        omission: Option<Omission>,
        traced: bool,
    ) -> Self {
        let mut engine = Engine::new(&scenery);
        for (subject, doc) in [(1, scenery.of_subject[1][0]), (2, scenery.of_subject[2][0])] {
            let mut head = Head::new(deployment(), scenery.subjects[subject].clone());
            head.applied = Some(Applied {
                revision: 1,
                document: Packed::new(&stand_in(doc)).expect("a number is canonical"),
                document_hash: scenery.document_hashes[doc],
                request: RequestId::from_uuid(Uuid::from_u128(0)),
                plan_hash: Digest::of(SUBJECTS[subject].as_bytes()),
                pins: Pins::default(),
                voted: None,
            });
            engine.heads[subject].head = Some(head);
            engine.heads[subject].version = 1;
        }
        Self {
            truth: Truth::new(&scenery),
            scenery,
            rng: Rng::new(seed),
            now: 0,
            omission,
            faults: true,
            engine,
            database: Database::default(),
            behind: Database::default(),
            losses: 0,
            plans: Vec::new(),
            flights: Vec::new(),
            flight_count: 0,
            wake: Vec::new(),
            last_change: 0,
            hurry: 0,
            digests: RefCell::default(),
            trace: Trace::new(traced),
            violation: None,
        }
    }

    pub(crate) fn omits(&self, omission: Omission) -> bool {
        self.omission == Some(omission)
    }

    pub(crate) fn say(&mut self, line: impl FnOnce() -> String) {
        self.trace.say(self.now, line);
    }

    /// Something that must never be. The first one is kept.
    pub(crate) fn violated(&mut self, what: String) {
        self.trace.say(self.now, || format!("VIOLATION: {what}"));
        self.violation.get_or_insert(what);
    }

    /// The head of a subject as the engine has it.
    pub(crate) fn head(&self, subject: usize) -> (Head, u64) {
        let stored = &self.engine.heads[subject];
        let head = stored.head.clone();
        let none = || Head::new(deployment(), self.scenery.subjects[subject].clone());
        (head.unwrap_or_else(none), stored.version)
    }

    /// The head's digest. In one schedule a plan leaves one head of each subject.
    fn digest(&self, subject: usize, head: &Head) -> Option<Digest> {
        let plan = head.applied.as_ref()?.plan_hash;
        if let Some(known) = self.digests.borrow().get(&(subject, plan)) {
            return Some(*known);
        }
        let digest = head.digest()?;
        self.digests.borrow_mut().insert((subject, plan), digest);
        Some(digest)
    }

    /// The plan of a hash.
    pub(crate) fn plan_of(&self, hash: Digest) -> Option<Rc<Frozen>> {
        self.plans.iter().find(|plan| plan.hash == hash).cloned()
    }

    /// A plan of the next round of a request.
    pub(crate) fn plan(
        &self,
        row: &Row,
        wishes: &[(usize, Wish)],
        heads: &[Head],
        rules: Option<Doc>,
        made: &Rc<Made>,
    ) -> Plan {
        let documents = row.submitted.documents.iter().zip(wishes).zip(heads);
        let documents = documents.map(|((wanted, (subject, wish)), head)| PlannedDocument {
            subject: self.scenery.subjects[*subject].clone(),
            revision: wanted.revision,
            base_revision: wanted.base_revision,
            head_hash: self.digest(*subject, head),
            document_hash: self.scenery.document_hashes[wish.proposed],
            document: stand_in(wish.proposed),
        });
        let draft = &made.draft;
        let submitter = &self.scenery.people[row.submitted.submitter];
        Plan {
            deployment: deployment(),
            engine: EngineRef {
                id: EngineId::from_uuid(Uuid::from_u128(1)),
                cluster_id: String::new(),
                vault_namespace: String::new(),
            },
            request: request_id(row.request),
            round: row.round + 1,
            submission: self.scenery.number_hashes[row.request],
            submitter: submitter.id.clone(),
            submitter_display: submitter.display.clone(),
            reason: String::new(),
            documents: documents.collect(),
            pins: draft.pins.clone(),
            attest: Vec::new(),
            lift: Vec::new(),
            lifts: BTreeMap::new(),
            risk: draft.risk,
            reasons: draft.reasons.clone(),
            rules: rules.map_or(self.scenery.no_rules, |doc| self.scenery.document_hashes[doc]),
            stages: draft.stages.clone(),
            steps: draft.steps.clone(),
            standing_orders: draft.standing_orders.clone(),
            summary: Vec::new(),
            renderer: RENDERER,
            frozen_at: jiff::Timestamp::UNIX_EPOCH,
            expires_at: jiff::Timestamp::UNIX_EPOCH,
        }
    }

    /// Keeps a plan; its number stands for its hash, and what is kept of its bytes is unlike any
    /// other's.
    pub(crate) fn keep_plan(
        &mut self,
        plan: Plan,
        submitter: usize,
        wishes: Vec<(usize, Wish)>,
        made: Rc<Made>,
    ) -> PlanNumber {
        let number = self.plans.len();
        let subjects: Vec<Value> =
            plan.documents.iter().map(|each| json!({ "subject": each.subject })).collect();
        let bytes = canonical::to_bytes(&json!({ "documents": subjects, "number": number }))
            .expect("names and a number are canonical");
        let text = String::from_utf8(bytes).expect("JSON is UTF-8");
        let hash = Plan::hash_of(text.as_bytes());
        self.plans.push(Rc::new(Frozen { number, plan, text, hash, submitter, wishes, made }));
        number
    }

    /// Sends a write.
    pub(crate) fn send(&mut self, sender: usize, write: Write, epoch: i64, losses: u32) -> u64 {
        self.flight_count += 1;
        let number = self.flight_count;
        let flight = Flight { number, sender, write, epoch, sent_at: self.now, losses, end: None };
        self.flights.push(flight);
        number
    }

    /// Whatever was sent too long ago has landed by now, or never will.
    pub(crate) fn settle(&mut self) {
        let now = self.now;
        let overdue = |flight: &Flight| flight.end.is_none() && now > flight.sent_at + DEADLINE;
        while let Some(number) = self.flights.iter().find(|f| overdue(f)).map(|f| f.number) {
            let arrives = !self.rng.once_in(2);
            self.land(number, arrives);
        }
    }

    /// A write lands, or is lost on its way.
    pub(crate) fn land(&mut self, number: u64, arrives: bool) -> End {
        let place = self.flights.iter().position(|flight| flight.number == number);
        let place = place.expect("a flight is there until its sender has looked");
        if let Some(end) = self.flights[place].end {
            return end;
        }
        self.truth.moment += 1;
        let Flight { write, epoch, sender, .. } = self.flights[place].clone();
        let excused = self.flights[place].losses != self.losses;
        let end = if arrives {
            let old = self.engine.old(&write);
            match self.engine.land(&write) {
                Ok(()) => {
                    self.last_change = self.now;
                    self.say(|| format!("landed under epoch {epoch}: {}", watch::told(&write)));
                    watch::landed(self, &old, &write, (sender, epoch), excused);
                    End::Landed
                }
                Err(()) => End::Refused,
            }
        } else {
            self.say(|| format!("lost on its way: {}", watch::told(&write)));
            End::Lost
        };
        self.flights[place].end = Some(end);
        end
    }

    /// The sender has seen how it ended.
    pub(crate) fn forget(&mut self, number: u64) {
        self.flights.retain(|flight| flight.number != number);
    }
}
