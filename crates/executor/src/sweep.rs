//! The look at everything: what each subject should be against what is there, and a list of what is
//! not managed. Foreign objects are listed and never touched.
//!
//! It takes turns with the rest of the pass, for an estate of thousands of teams takes minutes, and
//! whoever signs meanwhile does not wait. What is between two turns may change in them: each turn
//! reads anew what the heads say, and trusts nothing that an earlier one read but the bulk, which is
//! believed only where it agrees.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use strongroom_domain::subject::Subject;
use strongroom_engine::sys;
use strongroom_plan::desired::Objects;
use strongroom_plan::drift::judge;
use strongroom_storage::finding::{DRIFT, FOREIGN};
use strongroom_vault_model::object::ObjectKey;
use uuid::Uuid;

use crate::bulk::Bulk;
use crate::error::ExecutorError;
use crate::groups::members_in;
use crate::object::Reading;
use crate::start::Executor;

/// How long one pass looks: what takes away comes first in every pass.
pub(crate) const TURN: Duration = Duration::from_millis(500);

/// A look at everything, as far as it has come.
#[derive(Debug)]
pub(crate) struct Sweep {
    begun: Instant,
    pub(crate) begun_at: Timestamp,
    /// The engine's index before anything was read.
    pub(crate) index: Option<u64>,
    /// Who is the reason for it.
    culprit: Option<String>,
    /// Something was changed meanwhile by somebody else, and nobody knows what.
    pub(crate) is_doubted: bool,
    bulk: Bulk,
    /// Subjects that are not looked at yet, the last one first.
    rest: Vec<Subject>,
    count: usize,
    /// The look at the entities that began after it.
    entities: u64,
    /// Objects that differ.
    standing: BTreeSet<String>,
    groups: BTreeMap<Uuid, ObjectKey>,
}

impl Sweep {
    /// This object differs.
    pub(crate) fn stands(&mut self, key: &ObjectKey) {
        self.standing.insert(key.to_string());
    }
}

impl Executor {
    /// Begins to look at everything.
    pub(crate) async fn sweep_begin(&mut self) -> Result<(), ExecutorError> {
        let culprit = self.drift.doubt_take();
        tracing::info!("looks at everything");
        let (begun, begun_at) = (Instant::now(), self.clock.now());
        // Before all reads: what is stored from here on is no part of what was seen.
        let index = sys::applied_index(self.engine.client()).await?;
        let bulk = self.lease_keep_during(self.bulk_read()).await?;
        let rest: Vec<Subject> = self.heads.keys().rev().cloned().collect();
        let entities = self.drift.entities.next();
        self.entities_doubt(culprit.clone());
        self.drift.sweep = Some(Sweep {
            begun,
            begun_at,
            index,
            culprit,
            is_doubted: false,
            bulk,
            count: rest.len(),
            rest,
            entities,
            standing: BTreeSet::new(),
            groups: BTreeMap::new(),
        });
        Ok(())
    }

    /// Goes on with the look at everything, for a turn.
    pub(crate) async fn sweep_turn(&mut self) -> Result<(), ExecutorError> {
        let Some(mut sweep) = self.drift.sweep.take() else { return Ok(()) };
        self.drift.culprit.clone_from(&sweep.culprit);
        let ended = self.sweep_some(&mut sweep).await;
        self.drift.culprit = None;
        if ended? {
            self.drift.swept(&sweep);
            self.drift.groups = sweep.groups;
            // So rarely, everything may as well be compared.
            self.attached.look_at_all();
            tracing::info!(subjects = sweep.count, took = ?sweep.begun.elapsed(), "swept");
        } else {
            self.drift.sweep = Some(sweep);
        }
        Ok(())
    }

    /// Looks at one subject after the other; `true` when that was all.
    async fn sweep_some(&mut self, sweep: &mut Sweep) -> Result<bool, ExecutorError> {
        let begun = Instant::now();
        let mut reading = self.reading();
        let (context, hosts) = (self.context(&[], &[])?, self.hosts_of_begun());
        while let Some(subject) = sweep.rest.pop() {
            self.lease_keep().await?;
            if let Some(objects) = self.wanted_by(&subject, &context, &hosts)? {
                self.sweep_subject(sweep, &mut reading, &subject, objects).await?;
            }
            if begun.elapsed() > TURN {
                return Ok(false);
            }
        }
        if !self.drift.entities.is_over(sweep.entities) {
            return Ok(false);
        }
        self.sweep_end(sweep).await?;
        Ok(true)
    }

    async fn sweep_subject(
        &mut self,
        sweep: &mut Sweep,
        reading: &mut Reading,
        subject: &Subject,
        objects: Objects,
    ) -> Result<(), ExecutorError> {
        for key in objects.keys() {
            sweep.bulk.know(key);
        }
        // What is as it should be is forgotten at once: what a whole estate should be is larger than
        // memory.
        let rest = objects.into_iter().filter(|(key, fields)| !sweep.bulk.is(key, fields));
        let rest: Objects = rest.collect();
        let observed = self.observe(reading, &rest.keys().cloned().collect()).await?;
        for (key, mut fields) in rest {
            let found = observed.get(&key).flatten();
            self.role_follows_yet(&key, &mut fields, found);
            let drift = judge(&self.mark, &key, Some(&fields), found);
            let is_group = matches!(key, ObjectKey::Group(_) | ObjectKey::Anchor(_));
            if is_group
                && let Some(id) = reading.answer(&key).and_then(|a| a.get("id")?.as_str())
                && let Ok(id) = Uuid::parse_str(id)
            {
                sweep.groups.insert(id, key.clone());
            }
            if let ObjectKey::Group(name) = &key
                && reading.answer(&key).map(members_in).is_some_and(|members| {
                    self.attached.is_taken_out(name)
                        || self.attached.members_were(name, &members) == Some(false)
                })
            {
                // The look at the bindings tells of it and puts it right.
                self.attached.doubt(name.team());
            }
            if let Some(drift) = drift {
                sweep.stands(&key);
                self.drift_treat(reading, subject, &key, Some(&fields), &drift, None).await?;
            }
            // Anchors are shared by many subjects.
            if !matches!(key, ObjectKey::Anchor(_) | ObjectKey::AnchorAlias(_)) {
                reading.forget(&key);
            }
        }
        Ok(())
    }

    /// What no head stands for, and what is over.
    async fn sweep_end(&mut self, sweep: &mut Sweep) -> Result<(), ExecutorError> {
        self.lease_keep().await?;
        let mut reading = self.reading();
        let (leftover, foreign) = self.strangers(&mut reading, &sweep.bulk).await?;
        for (subject, key, drift) in leftover {
            sweep.stands(&key);
            self.drift_treat(&mut reading, &subject, &key, None, &drift, None).await?;
        }
        let gone: Vec<String> = self
            .findings
            .values()
            .filter(|known| known.kind == DRIFT)
            .filter(|known| known.object.as_ref().is_none_or(|key| !sweep.standing.contains(key)))
            .map(|known| known.key.clone())
            .collect();
        for key in gone {
            self.resolved(&key).await?;
        }
        self.settle(FOREIGN, foreign).await
    }
}
