//! Drift: what others made of managed objects, found, named with its culprit, and put back where
//! that narrows.
//!
//! First everything is looked at; then only what the engine's audit log says was touched, or
//! everything again when the engine's index says that something was stored. Foreign objects are
//! listed and never touched.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::json;
use strongroom_domain::event::{Actor, EventKind};
use strongroom_domain::hold::Target;
use strongroom_domain::subject::Subject;
use strongroom_engine::sys;
use strongroom_plan::desired::Objects;
use strongroom_plan::drift::{Correction, Drift, judge};
use strongroom_storage::finding::DRIFT;
use strongroom_vault_model::name::ClusterName;
use strongroom_vault_model::object::{Fields, ObjectKey, fingerprint};
use strongroom_vault_model::policy::PolicyName;
use uuid::Uuid;

use crate::accounts::order;
use crate::error::ExecutorError;
use crate::feed::{Feed, News};
use crate::finding::{Severity, finding};
use crate::groups::members_in;
use crate::object::Reading;
use crate::record::Write;
use crate::start::Executor;
use crate::wanted::Claims;

/// The standing order under which something is put back.
const RESTORE: &str = "restore what the head says where that narrows";

/// How often the engine is asked whether anything was stored, without a feed.
const INDEX_EVERY: Duration = Duration::from_secs(5);

/// What the last look left.
#[derive(Debug, Default)]
pub(crate) struct DriftState {
    feed: Option<Feed>,
    swept: Option<Instant>,
    asked: Option<Instant>,
    index: Option<u64>,
    /// When it was last known what is in the engine.
    pub(crate) looked: Option<Timestamp>,
    /// Who touched what made everything be looked at.
    pub(crate) culprit: Option<String>,
    /// Who touched the members of a group.
    pub(crate) hands: BTreeMap<PolicyName, String>,
    /// Which team claims a namespace, by the applied documents.
    pub(crate) claims: Claims,
    /// The engine's ids of groups, as last read.
    pub(crate) groups: BTreeMap<Uuid, ObjectKey>,
}

impl DriftState {
    /// Nothing looked at yet.
    pub(crate) fn new(feed: Option<Feed>) -> Self {
        Self { feed, ..Self::default() }
    }

    /// Everything is looked at again.
    pub(crate) fn forget(&mut self) {
        self.swept = None;
    }
}

impl Executor {
    /// Looks for drift as far as there can be any.
    pub(crate) async fn drift_look(&mut self) -> Result<(), ExecutorError> {
        let news = match self.drift.feed.as_mut().map(Feed::read) {
            Some(Ok(news)) => Some(news),
            Some(Err(error)) => {
                tracing::warn!(%error, "the audit log cannot be read; the index is asked instead");
                None
            }
            None => None,
        };
        let every = Duration::from_secs(self.config.drift.sweep_seconds.into());
        let due = self.drift.swept.is_none_or(|at| at.elapsed() > every);
        match news {
            Some(News::Touched(touches)) if self.drift.swept.is_some() && !due => {
                self.touched_look(&touches).await?;
                self.drift.looked = Some(self.clock.now());
                Ok(())
            }
            Some(_) => self.sweep().await,
            None if self.drift.swept.is_none() => self.sweep().await,
            None => {
                if self.drift.asked.is_some_and(|at| at.elapsed() < INDEX_EVERY) {
                    return Ok(());
                }
                self.drift.asked = Some(Instant::now());
                let index = sys::applied_index(self.engine.client()).await?;
                if index == self.drift.index {
                    self.drift.looked = Some(self.clock.now());
                    return Ok(());
                }
                if due { self.sweep().await } else { Ok(()) }
            }
        }
    }

    /// Looks at everything that is managed, and lists what is not.
    pub(crate) async fn sweep(&mut self) -> Result<(), ExecutorError> {
        let begun = Instant::now();
        let mut reading = self.reading();
        let mut bulk = self.lease_keep_during(self.bulk_read()).await?;
        let (mut drifts, mut groups) = (Vec::new(), BTreeMap::new());
        let (mut looked_at, mut claims) = (BTreeSet::new(), BTreeMap::new());
        let subjects: Vec<Subject> = self.heads.keys().cloned().collect();
        let (context, begun_hosts) = (self.context(&[], &[])?, self.hosts_of_begun());
        // One subject after the other, and what is as it should be is forgotten at once: what a
        // whole estate should be is larger than memory.
        for subject in &subjects {
            self.lease_keep().await?;
            let Some((objects, claimed)) = self.wanted_by(subject, &context, &begun_hosts)? else {
                continue;
            };
            looked_at.insert(subject.clone());
            claims.extend(claimed);
            for key in objects.keys() {
                bulk.know(key);
            }
            let rest = objects.into_iter().filter(|(key, fields)| !bulk.is(key, fields));
            let rest: Objects = rest.collect();
            let observed = self.observe(&mut reading, &rest.keys().cloned().collect()).await?;
            for (key, mut fields) in rest {
                let found = observed.get(&key).flatten();
                self.role_follows_yet(&key, &mut fields, found);
                let drift = judge(&self.mark, &key, Some(&fields), found);
                let is_group = matches!(key, ObjectKey::Group(_) | ObjectKey::Anchor(_));
                if is_group
                    && let Some(id) = reading.answer(&key).and_then(|a| a.get("id")?.as_str())
                    && let Ok(id) = Uuid::parse_str(id)
                {
                    groups.insert(id, key.clone());
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
                match drift {
                    Some(drift) => drifts.push((subject.clone(), key, Some(fields), drift)),
                    // Anchors are shared by many subjects.
                    None if matches!(key, ObjectKey::Anchor(_) | ObjectKey::AnchorAlias(_)) => {}
                    None => reading.forget(&key),
                }
            }
        }
        self.drift.groups = groups;
        self.drift.claims = claims;
        self.entities_look().await?;
        self.lease_keep().await?;
        let (leftover, foreign) = self.strangers(&mut reading, &bulk, &looked_at).await?;
        drifts.extend(leftover);
        let mut standing = BTreeSet::new();
        for (subject, key, wanted, drift) in drifts {
            standing.insert(key.to_string());
            self.drift_treat(&mut reading, &subject, &key, wanted.as_ref(), &drift, None).await?;
        }
        let gone: Vec<String> = self
            .findings
            .values()
            .filter(|known| known.kind == DRIFT)
            .filter(|known| known.object.as_ref().is_none_or(|key| !standing.contains(key)))
            .map(|known| known.key.clone())
            .collect();
        for key in gone {
            self.resolved(&key).await?;
        }
        self.settle("foreign", foreign).await?;
        self.drift.index = sys::applied_index(self.engine.client()).await?;
        self.drift.swept = Some(Instant::now());
        self.drift.looked = Some(self.clock.now());
        // So rarely, everything may as well be compared.
        self.attached.look_at_all();
        tracing::info!(subjects = looked_at.len(), took = ?begun.elapsed(), "swept");
        Ok(())
    }

    /// Whether nothing may follow from how this object differs: whose names belong into a role is not
    /// known while a team's head is not believed.
    fn is_unknown(&self, key: &ObjectKey) -> bool {
        matches!(key, ObjectKey::Role(..)) && self.guests_unknown
    }

    /// Records a difference, and puts it back where that narrows. One that cannot be put back stops
    /// no other.
    pub(crate) async fn drift_treat(
        &mut self,
        reading: &mut Reading,
        subject: &Subject,
        key: &ObjectKey,
        wanted: Option<&Fields>,
        drift: &Drift,
        who: Option<&str>,
    ) -> Result<(), ExecutorError> {
        if self.is_unknown(key) {
            return Ok(());
        }
        match self.drift_treat_one(reading, subject, key, wanted, drift, who).await {
            Ok(()) => Ok(()),
            Err(error) => {
                let error = match error {
                    ExecutorError::Wait(why) => why,
                    error => error.for_good()?,
                };
                tracing::error!(object = %key, error, "it is not put back");
                Ok(())
            }
        }
    }

    async fn drift_treat_one(
        &mut self,
        reading: &mut Reading,
        subject: &Subject,
        key: &ObjectKey,
        wanted: Option<&Fields>,
        drift: &Drift,
        who: Option<&str>,
    ) -> Result<(), ExecutorError> {
        let alarm = matches!(key, ObjectKey::AuthConfig(_))
            || (drift.wider && drift.correction == Correction::None);
        let severity = match (alarm, drift.wider) {
            (true, _) => Severity::Alarm,
            (false, true) => Severity::Warning,
            (false, false) => Severity::Info,
        };
        let next = if drift.correction == Correction::None {
            "a request with the document that should hold gives back what is missing or takes away \
             what is too much; nothing is done by itself, for it may be an emergency"
        } else {
            "it is put back by itself; find out who did it, and why"
        };
        let text = format!("{key} was changed by somebody else: {}", drift.text);
        let mut found = finding(DRIFT, &key.to_string(), severity, text, next);
        found.subject = Some(subject.to_string());
        found.object = Some(key.to_string());
        found.culprit = who.map(str::to_owned).or_else(|| self.drift.culprit.clone());
        found.observed = reading.told(key);
        // Before anything else, for what is told may not be stored.
        if let ObjectKey::AuthConfig(cluster) = key {
            self.logins_distrust(cluster, &drift.text).await?;
        }
        self.found(found.clone()).await?;
        if drift.correction == Correction::None {
            return Ok(());
        }
        if let (Correction::Delete, ObjectKey::Group(name)) = (&drift.correction, key)
            && !self.brake_allows(name)
        {
            return Ok(());
        }
        self.put_back(reading, subject, key, &drift.correction).await?;
        let detail = json!({ "object": key, "was": drift.text, "wanted": wanted.map(fingerprint) });
        let event = self.event(EventKind::DriftCorrected, None, Some(subject.clone()), detail);
        self.store.event_append(&[event]).await?;
        if !drift.narrower && !matches!(key, ObjectKey::AuthConfig(_)) {
            self.resolved(&found.key).await?;
        } else {
            // It stands, with what was left of it.
            found.observed = reading.told(key);
            self.found(found).await?;
        }
        Ok(())
    }

    async fn put_back(
        &mut self,
        reading: &mut Reading,
        subject: &Subject,
        key: &ObjectKey,
        correction: &Correction,
    ) -> Result<(), ExecutorError> {
        let name = key.name();
        let writes: Vec<(&str, Option<&Fields>)> = match correction {
            Correction::None => Vec::new(),
            Correction::Write(fields) => vec![("update", Some(fields))],
            Correction::Delete => vec![("delete", None)],
            Correction::Recreate(fields) => vec![("delete", None), ("create", Some(fields))],
        };
        for (operation, fields) in writes {
            let write = Write {
                subject: Some(subject.clone()),
                after: fields.map(fingerprint),
                ..order(RESTORE, operation, key.kind(), &name)
            };
            self.intent(&write).await?;
            let written = self.write_object(reading, key, fields, operation == "update").await?;
            self.receipt(&write, "written", &written).await?;
            tracing::warn!(object = %key, operation, "put back");
        }
        Ok(())
    }

    /// Logins of a cluster were checked otherwise for a while: nobody is attached and nothing is
    /// applied there until people have decided.
    async fn logins_distrust(
        &mut self,
        cluster: &ClusterName,
        what: &str,
    ) -> Result<(), ExecutorError> {
        let target = Target::Cluster(cluster.clone());
        if self.distrusted.contains_key(&target.subject()) {
            return Ok(());
        }
        self.hold_freeze(
            &target,
            &format!("its login configuration was changed by hand: {what}"),
            Actor::Executor,
        )
        .await
    }
}
