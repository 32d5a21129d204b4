//! The executor's memory in the engine: one head per subject, written by check-and-set.

use strongroom_domain::document::Document;
use strongroom_domain::head::{HEAD_VERSION, Head};
use strongroom_domain::id::RequestId;
use strongroom_domain::subject::Subject;
use strongroom_engine::error::Failure;
use strongroom_engine::{Envelope, kv};
use strongroom_plan::build::claims;
use strongroom_plan::sharing::Guests;
use strongroom_vault_model::object::HEADS_MOUNT;
use strongroom_vault_model::policy::PolicyName;

use crate::error::ExecutorError;
use crate::fault;
use crate::fits::stored;
use crate::places::Places;
use crate::record::{Write, Written};
use crate::start::Executor;

/// How many heads are read or written at once.
const SIDE_BY_SIDE: usize = 16;

/// In which order several heads are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// The next one when the one before it is written; none after one that fails. So the first
    /// one tells whether a plan begins or goes back.
    OneByOne,
    /// Where nothing follows from the order.
    SideBySide,
}

/// A head and the version of the value it came from.
#[derive(Debug, Clone)]
pub(crate) struct VersionedHead {
    pub(crate) head: Head,
    /// The KV version; 0 when nothing is stored yet.
    pub(crate) version: u64,
}

impl VersionedHead {
    /// The applied document.
    pub(crate) fn document(&self) -> Result<Option<Document>, ExecutorError> {
        let Some(applied) = &self.head.applied else {
            return Ok(None);
        };
        let document = applied.document().map_err(|_| {
            ExecutorError::Stopped(format!("the head of {} holds no document", self.head.subject))
        })?;
        if document.digest() != applied.document_hash || document.subject() != self.head.subject {
            return Err(ExecutorError::Stopped(format!(
                "the head of {} does not hold the document it names",
                self.head.subject
            )));
        }
        Ok(Some(document))
    }
}

impl VersionedHead {
    /// The document that people last voted on, where it is not the applied one.
    pub(crate) fn voted(&self) -> Result<Option<Document>, ExecutorError> {
        let Some(applied) = &self.head.applied else {
            return Ok(None);
        };
        applied.voted().map_err(|_| {
            ExecutorError::Stopped(format!("the head of {} holds no document", self.head.subject))
        })
    }
}

fn path(subject: &Subject) -> String {
    format!("heads/{subject}")
}

impl Executor {
    /// Reads a subject's head from the engine.
    pub(crate) async fn head_read(
        &self,
        subject: &Subject,
    ) -> Result<VersionedHead, ExecutorError> {
        let stored = match kv::read(&self.engine, HEADS_MOUNT, &path(subject)).await {
            Err(error) if error.failure == Failure::Deleted => {
                return Err(ExecutorError::Stopped(format!(
                    "the head of {subject} was deleted by hand; undelete it in the engine"
                )));
            }
            stored => stored?,
        };
        let Some(stored) = stored else {
            let head = Head::new(self.floor.deployment, subject.clone());
            return Ok(VersionedHead { head, version: 0 });
        };
        let head = Head::from_stored(stored.data).map_err(|error| {
            ExecutorError::Stopped(format!("the head of {subject} cannot be read: {error}"))
        })?;
        if head.deployment != self.floor.deployment {
            return Err(ExecutorError::Refused(format!(
                "the engine belongs to the deployment {}, the floor file says {}; one of them is \
                 wrong",
                head.deployment, self.floor.deployment
            )));
        }
        if head.version != HEAD_VERSION || head.subject != *subject {
            return Err(ExecutorError::Stopped(format!("the head of {subject} is not its own")));
        }
        // The fence: a later holder of the lease has written already.
        if self.epoch > 0 && head.epoch > self.epoch {
            return Err(ExecutorError::LeaseLost);
        }
        Ok(VersionedHead { head, version: stored.version })
    }

    /// Reads every head there is, when the lease is taken.
    pub(crate) async fn heads_load(&mut self, epoch: i64) -> Result<(), ExecutorError> {
        self.heads.clear();
        self.ended.clear();
        self.guests = Guests::default();
        self.places = Places::default();
        self.held.clear();
        self.unbelieved.clear();
        self.distrusted.clear();
        let mut subjects = vec![Subject::Platform];
        for kind in ["cluster", "team"] {
            let path = format!("{HEADS_MOUNT}/metadata/heads/{kind}");
            for name in self.engine.list(&path, "strongroom/metadata/heads/{kind}").await? {
                let Ok(subject) = format!("{kind}/{name}").parse() else {
                    // Nobody's, so it holds up nobody.
                    tracing::error!(kind, name, "there is a head of no subject");
                    continue;
                };
                subjects.push(subject);
            }
        }
        // Several at a time: whoever takes over an estate of thousands must not take minutes.
        for some in subjects.chunks(SIDE_BY_SIDE) {
            self.lease_keep_as(epoch).await?;
            let read = some.iter().map(|subject| self.head_read(subject));
            let read = futures::future::join_all(read).await;
            for (subject, head) in some.iter().cloned().zip(read) {
                self.head_loaded(subject, head)?;
            }
        }
        self.unbelieved_remember().await?;
        tracing::info!(count = self.heads.len(), "heads are loaded");
        Ok(())
    }

    /// Reads again what was not believed: an SRE may have put it right.
    pub(crate) async fn unbelieved_again(&mut self) -> Result<(), ExecutorError> {
        let before = std::mem::take(&mut self.unbelieved);
        for subject in before.keys() {
            let read = self.head_read(subject).await;
            self.head_loaded(subject.clone(), read)?;
        }
        if self.unbelieved != before {
            self.unbelieved_remember().await?;
        }
        Ok(())
    }

    /// What the database last heard of teams whose heads are not believed. It gives nobody rights:
    /// it only keeps names in other teams' roles, and namespaces from being claimed by others.
    async fn unbelieved_remember(&mut self) -> Result<(), ExecutorError> {
        self.claims_said.clear();
        self.guests_unknown = false;
        let subjects: Vec<Subject> = self.unbelieved.keys().cloned().collect();
        for subject in subjects.iter().filter(|each| matches!(each, Subject::Team(_))) {
            let state = self.store.subject_state_get(subject).await?;
            let bytes = state.and_then(|state| state.applied_document);
            match bytes.as_deref().map(Document::from_canonical) {
                Some(Ok(Document::Team(team))) if Subject::Team(team.name.clone()) == *subject => {
                    self.guests.add(&team);
                    self.claims_said.extend(claims(&team));
                }
                _ => self.guests_unknown = true,
            }
        }
        Ok(())
    }

    fn head_loaded(
        &mut self,
        subject: Subject,
        head: Result<VersionedHead, ExecutorError>,
    ) -> Result<(), ExecutorError> {
        match head {
            Ok(head) if head.version > 0 => {
                if let Err(ExecutorError::Stopped(why)) = head.document() {
                    self.unbelieved.insert(subject.clone(), why);
                }
                self.head_remember(subject, head);
            }
            Ok(_) => {}
            // One head that cannot be read freezes its own subject and no other: nothing is
            // planned or attached for it until somebody has looked.
            Err(ExecutorError::Stopped(why)) => {
                self.unbelieved.insert(subject, why);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Reads several heads, in the order asked for.
    pub(crate) async fn heads_read(
        &self,
        subjects: &[&Subject],
    ) -> Result<Vec<VersionedHead>, ExecutorError> {
        let mut heads = Vec::new();
        for some in subjects.chunks(SIDE_BY_SIDE) {
            let read = some.iter().map(|subject| self.head_read(subject));
            heads.extend(futures::future::try_join_all(read).await?);
        }
        Ok(heads)
    }

    /// Writes a head by check-and-set and remembers it.
    pub(crate) async fn head_write(
        &mut self,
        head: VersionedHead,
        request: Option<RequestId>,
        operation: &str,
    ) -> Result<(), ExecutorError> {
        self.heads_write(vec![head], request, operation, Order::OneByOne).await
    }

    /// Writes several heads by check-and-set and remembers them.
    pub(crate) async fn heads_write(
        &mut self,
        mut heads: Vec<VersionedHead>,
        request: Option<RequestId>,
        operation: &str,
        order: Order,
    ) -> Result<(), ExecutorError> {
        for head in &mut heads {
            head.head.epoch = self.epoch;
        }
        let names: Vec<String> = heads.iter().map(|head| head.head.subject.to_string()).collect();
        let mut writes = Vec::new();
        for (head, name) in heads.iter().zip(&names) {
            writes.push(Write {
                request,
                plan_hash: None,
                standing_order: None,
                subject: Some(head.head.subject.clone()),
                step: 0,
                operation,
                object_kind: "head",
                object_name: name,
                after: head.head.digest(),
            });
        }
        if writes.is_empty() {
            return Ok(());
        }
        self.intents(&writes).await?;
        let mut results = Vec::new();
        match order {
            Order::OneByOne => {
                for head in &heads {
                    results.push(self.head_send(head).await);
                    if results.last().is_some_and(Result::is_err) {
                        break;
                    }
                }
            }
            Order::SideBySide => {
                for some in heads.chunks(SIDE_BY_SIDE) {
                    let send = some.iter().map(|head| self.head_send(head));
                    results.extend(futures::future::join_all(send).await);
                }
            }
        }
        let mut ended = Vec::new();
        let mut failed = None;
        let mut stored = Vec::new();
        for ((mut head, write), result) in heads.into_iter().zip(writes).zip(results) {
            match result {
                Ok((version, envelope)) => {
                    ended.push((write, "written", Written::of(&envelope)));
                    head.version = version;
                    stored.push(head);
                }
                Err(error) => {
                    if is_unwritten(&error) {
                        ended.push((write, "failed", Written::default()));
                    }
                    failed.get_or_insert(error);
                }
            }
        }
        let recorded = self.receipts(&ended).await;
        if failed.as_ref().is_some_and(|error| !is_unwritten(error)) || recorded.is_err() {
            // What is remembered of a head may be wrong now, and other subjects are judged by it:
            // nothing more is written until all are loaded again.
            self.epoch = 0;
        }
        recorded?;
        for head in stored {
            self.head_remember(head.head.subject.clone(), head);
        }
        failed.map_or(Ok(()), Err)
    }

    async fn head_send(&self, head: &VersionedHead) -> Result<(u64, Envelope), ExecutorError> {
        fault::point("write")?;
        let value = stored(&head.head)?;
        let path = path(&head.head.subject);
        Ok(kv::write_cas(&self.engine, HEADS_MOUNT, &path, &value, head.version).await?)
    }

    /// Keeps what was read or written of a head, and what it holds.
    ///
    /// Whatever is another in it, what was made true from it is so no more: nothing that can fail
    /// stands between the two.
    pub(crate) fn head_remember(&mut self, subject: Subject, head: VersionedHead) {
        if self.heads.get(&subject).is_none_or(|known| known.head != head.head) {
            match &subject {
                Subject::Team(team) => self.attached.doubt(team),
                // What follows from it is part of what is compared.
                Subject::Cluster(_) | Subject::Platform => self.attached.look_at_all(),
            }
        }
        self.held.retain(|target, _| target.subject() != subject);
        self.distrusted.remove(&subject);
        for (target, hold) in &head.head.holds {
            // A head holds for its own subject only.
            if target.subject() != subject {
                continue;
            }
            if hold.frozen {
                self.distrusted.insert(subject.clone(), hold.reason.clone());
            } else {
                self.held.insert(target.clone(), hold.sentence(target));
            }
        }
        if let Subject::Team(name) = &subject {
            let taken_out = head.head.taken_out.iter();
            let groups = taken_out.map(|each| PolicyName::Binding(name.clone(), each.clone()));
            self.attached.taken_out_are(name, groups.collect());
            match head.document() {
                Ok(Some(Document::Team(team))) => {
                    self.guests.set(&team);
                    self.places.add(&team);
                    self.places.count(name, team.bindings.len());
                    for claim in &team.namespaces {
                        let place = (claim.cluster.clone(), claim.name.clone());
                        self.drift.claims.insert(place, team.name.clone());
                    }
                }
                // Of a head that is not believed nothing is known, so what was known stays.
                Err(_) => {}
                Ok(_) => self.guests.forget(name),
            }
            // A plan that has begun may have written some of it already.
            let begun = head.head.applying.as_ref();
            if let Some(team) = begun.and_then(|begun| begun.target.team()) {
                self.guests.add(&team);
                self.places.add(&team);
            }
        }
        self.heads.insert(subject, Box::new(head));
    }
}

/// Whether a write that failed like this has surely not happened.
fn is_unwritten(error: &ExecutorError) -> bool {
    match error {
        ExecutorError::Engine(error) => error.is_refused(),
        ExecutorError::Stopped(_) => true,
        _ => false,
    }
}
