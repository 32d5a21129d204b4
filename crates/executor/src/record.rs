//! Ledger events and journal lines, made in one place so that they all say the same things.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use strongroom_domain::Digest;
use strongroom_domain::event::{Actor, Event, EventKind};
use strongroom_domain::id::{EventId, RequestId};
use strongroom_domain::metric;
use strongroom_domain::person::SignedPerson;
use strongroom_domain::subject::Subject;
use strongroom_engine::Envelope;
use strongroom_storage::journal::{JournalEntry, Outcome};

use crate::error::ExecutorError;
use crate::fault;
use crate::start::Executor;

/// What a write may take, and a little: so long the lease lasts at least before one is begun.
const WRITE_TIME: Duration = Duration::from_secs(6);

/// A write that is about to be tried.
#[derive(Debug, Clone)]
pub(crate) struct Write<'a> {
    pub(crate) request: Option<RequestId>,
    pub(crate) plan_hash: Option<Digest>,
    pub(crate) standing_order: Option<&'a str>,
    pub(crate) subject: Option<Subject>,
    pub(crate) step: u32,
    pub(crate) operation: &'a str,
    pub(crate) object_kind: &'a str,
    pub(crate) object_name: &'a str,
    pub(crate) after: Option<Digest>,
}

/// What the engine told of a write and of the read that followed it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Written {
    /// Our id of the write; the engine's audit log records it beside its own.
    pub(crate) write: Option<String>,
    /// The engine's id of the write, where it told one.
    pub(crate) engine: Option<String>,
    /// The engine's id of the read-back.
    pub(crate) read_back: Option<String>,
}

impl Written {
    pub(crate) fn of(envelope: &Envelope) -> Self {
        Self {
            write: envelope.write_id.clone(),
            engine: envelope.request_id.clone(),
            read_back: None,
        }
    }
}

impl Executor {
    /// An event by the executor.
    pub(crate) fn event(
        &self,
        kind: EventKind,
        request: Option<RequestId>,
        subject: Option<Subject>,
        detail: Value,
    ) -> Event {
        self.event_by(Actor::Executor, kind, request, subject, detail)
    }

    /// An event that a verified act caused.
    pub(crate) fn event_by(
        &self,
        actor: Actor,
        kind: EventKind,
        request: Option<RequestId>,
        subject: Option<Subject>,
        detail: Value,
    ) -> Event {
        let id = EventId::from_uuid(uuid::Uuid::now_v7());
        Event { id, at: self.clock.now(), kind, request, subject, actor, detail }
    }

    fn journal_entry(&self, write: &Write<'_>) -> JournalEntry {
        JournalEntry {
            engine: self.config.engine.id,
            request: write.request,
            plan_hash: write.plan_hash,
            standing_order: write.standing_order.map(str::to_owned),
            step: i32::try_from(write.step).unwrap_or(i32::MAX),
            operation: write.operation.to_owned(),
            object_kind: write.object_kind.to_owned(),
            object_name: write.object_name.to_owned(),
            after_hash: write.after,
            epoch: self.epoch,
            at: self.clock.now(),
        }
    }

    /// Must succeed before the write: no record, no change (invariant I11). Checks the lease too:
    /// a writer that was paused past it must not land.
    pub(crate) async fn intent(&self, write: &Write<'_>) -> Result<(), ExecutorError> {
        self.intents(std::slice::from_ref(write)).await?;
        fault::point("write")
    }

    /// Before writes that begin at once, side by side. Each comes to the place "step" by itself.
    pub(crate) async fn intents(&self, writes: &[Write<'_>]) -> Result<(), ExecutorError> {
        self.lease_lasts().await?;
        fault::point("intent")?;
        self.written.fetch_add(writes.len() as u64, Ordering::Relaxed);
        // A plan's writes follow its own event; what nobody asked for just now has none yet.
        let announced = |write: &Write<'_>| {
            let detail = json!({
                "operation": write.operation,
                "object": { "kind": write.object_kind, "name": write.object_name },
                "standingOrder": write.standing_order?,
                "epoch": self.epoch,
            });
            let subject = write.subject.clone();
            Some(self.event(EventKind::StepIntended, write.request, subject, detail))
        };
        let events: Vec<Event> = writes.iter().filter_map(announced).collect();
        let entries: Vec<JournalEntry> =
            writes.iter().map(|write| self.journal_entry(write)).collect();
        Ok(self.store.journal_intent(&entries, &events).await?)
    }

    /// Whether the lease lasts longer than one write may take. Until it ends, and no longer, the
    /// session sends what changes something.
    pub(crate) async fn lease_lasts(&self) -> Result<(), ExecutorError> {
        let asked = Instant::now();
        let left = self.store.lease_left(&self.lease, &self.holder, self.epoch).await?;
        if left < WRITE_TIME {
            return Err(ExecutorError::LeaseLost);
        }
        self.engine.window().closes_at(asked + left);
        Ok(())
    }

    /// Records how a write ended, in journal and ledger.
    pub(crate) async fn receipt(
        &self,
        write: &Write<'_>,
        outcome: &str,
        written: &Written,
    ) -> Result<(), ExecutorError> {
        self.receipts(&[(write.clone(), outcome, written.clone())]).await
    }

    /// Records how several writes ended.
    pub(crate) async fn receipts(
        &self,
        ended: &[(Write<'_>, &str, Written)],
    ) -> Result<(), ExecutorError> {
        if ended.is_empty() {
            return Ok(());
        }
        fault::point("receipt")?;
        let mut entries = Vec::new();
        let mut events = Vec::new();
        for (write, outcome, written) in ended {
            events.push(self.written_event(write, outcome, written));
            let engine_request_id = written.engine.clone().or_else(|| written.read_back.clone());
            let outcome = Outcome { outcome: (*outcome).to_owned(), engine_request_id };
            entries.push((self.journal_entry(write), outcome));
        }
        self.store.journal_receipt(&entries, &events).await?;
        for (write, outcome, _) in ended {
            metrics::counter!(
                metric::WRITES,
                "operation" => write.operation.to_owned(),
                "object" => write.object_kind.to_owned(),
                "outcome" => (*outcome).to_owned()
            )
            .increment(1);
        }
        fault::point("done")
    }

    fn written_event(&self, write: &Write<'_>, outcome: &str, written: &Written) -> Event {
        let detail = json!({
            "operation": write.operation,
            "object": { "kind": write.object_kind, "name": write.object_name },
            "step": write.step,
            "standingOrder": write.standing_order,
            "plan": write.plan_hash,
            "after": write.after,
            "outcome": outcome,
            "writeId": written.write,
            "engineRequestId": written.engine,
            "readBackRequestId": written.read_back,
            "epoch": self.epoch,
        });
        self.event(EventKind::StepWritten, write.request, write.subject.clone(), detail)
    }
}

/// A verified person as the actor of an event.
pub(crate) fn signed_actor(person: &SignedPerson) -> Actor {
    Actor::Person {
        issuer: person.id.issuer.clone(),
        person: person.id.person.clone(),
        display: person.display.clone(),
        signed: true,
    }
}
