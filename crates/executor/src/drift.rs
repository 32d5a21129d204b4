//! Drift: what others made of managed objects, found, named with its culprit, and put back where
//! that narrows.
//!
//! First everything is looked at, in turns; then only what the engine's audit log says was touched,
//! or everything again when the engine's index says that something was stored.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::json;
use strongroom_domain::event::{Actor, EventKind};
use strongroom_domain::hold::Target;
use strongroom_domain::subject::Subject;
use strongroom_engine::sys;
use strongroom_plan::drift::{Correction, Drift};
use strongroom_storage::finding::DRIFT;
use strongroom_vault_model::name::ClusterName;
use strongroom_vault_model::object::{Fields, ObjectKey, fingerprint};
use strongroom_vault_model::policy::PolicyName;
use uuid::Uuid;

use crate::accounts::order;
use crate::error::ExecutorError;
use crate::feed::{Feed, News, Touch};
use crate::finding::{Severity, finding};
use crate::hands::EntitiesDue;
use crate::object::Reading;
use crate::record::Write;
use crate::start::Executor;
use crate::sweep::Sweep;
use crate::wanted::Claims;

/// The standing order under which something is put back.
const RESTORE: &str = "restore what the head says where that narrows";

/// How often the engine is asked whether anything was stored, without a feed.
const INDEX_EVERY: Duration = Duration::from_secs(5);

/// What the last look left, and the one that is under way.
#[derive(Debug, Default)]
pub(crate) struct DriftState {
    feed: Option<Feed>,
    /// When everything was last looked at; nothing: it has to be.
    swept: Option<Instant>,
    /// Who made it so that everything has to be looked at.
    doubted_by: Option<String>,
    /// The look at everything that is under way.
    pub(crate) sweep: Option<Sweep>,
    pub(crate) entities: EntitiesDue,
    asked: Option<Instant>,
    pub(crate) index: Option<u64>,
    /// When it was last known what is in the engine.
    pub(crate) looked: Option<Timestamp>,
    /// Who touched what is being looked at.
    pub(crate) culprit: Option<String>,
    /// Writes to the people's login that nobody was told of yet.
    pub(crate) untold: Vec<Touch>,
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

    /// Nothing is known any more: everything is looked at from the beginning.
    pub(crate) fn forget(&mut self) {
        self.swept = None;
        self.doubted_by = None;
        self.sweep = None;
        self.entities = EntitiesDue::default();
    }

    /// Somebody may have changed anything: everything is looked at, once more if it is just being.
    pub(crate) fn doubt(&mut self, who: Option<String>) {
        self.swept = None;
        self.doubted_by = who;
        if let Some(sweep) = &mut self.sweep {
            sweep.is_doubted = true;
        }
    }

    /// A look at everything begins; who is the reason for it.
    pub(crate) fn doubt_take(&mut self) -> Option<String> {
        self.doubted_by.take()
    }

    /// Everything was looked at, from when the look began.
    pub(crate) fn swept(&mut self, sweep: &Sweep) {
        self.looked = self.looked.max(Some(sweep.begun_at));
        self.index = sweep.index;
        if !sweep.is_doubted {
            self.swept = Some(Instant::now());
        }
    }

    /// Whether a look goes on with the next pass.
    pub(crate) fn is_under_way(&self) -> bool {
        self.sweep.is_some()
    }
}

impl Executor {
    /// Looks for drift as far as there can be any, for a turn.
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
        let is_due = self.drift.swept.is_some_and(|at| at.elapsed() > every);
        let is_changed = match news {
            Some(News::Gap) => {
                self.drift.doubt(None);
                true
            }
            Some(News::Touched(touches)) => {
                self.touched_look(&touches).await?;
                if self.drift.swept.is_some() {
                    self.drift.looked = Some(self.clock.now());
                }
                true
            }
            None => self.index_look().await?,
        };
        self.people_login_tell().await?;
        self.entities_turn().await?;
        if self.drift.sweep.is_none() && (self.drift.swept.is_none() || (is_due && is_changed)) {
            self.sweep_begin().await?;
        }
        self.sweep_turn().await
    }

    /// Asks the engine, now and then, whether anything was stored since everything was looked at.
    async fn index_look(&mut self) -> Result<bool, ExecutorError> {
        let is_early = self.drift.asked.is_some_and(|at| at.elapsed() < INDEX_EVERY);
        if is_early || self.drift.swept.is_none() {
            return Ok(false);
        }
        self.drift.asked = Some(Instant::now());
        let index = sys::applied_index(self.engine.client()).await?;
        if index == self.drift.index {
            self.drift.looked = Some(self.clock.now());
        }
        Ok(index != self.drift.index)
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
            (false, false) if drift.narrower => Severity::Warning,
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
        if let Some(sweep) = &mut self.drift.sweep {
            sweep.stands(key);
        }
        // Before anything else, for what is told may not be stored.
        if let ObjectKey::AuthConfig(cluster) = key {
            self.logins_distrust(cluster, &drift.text).await?;
        }
        self.found(found.clone()).await?;
        if drift.correction == Correction::None {
            return Ok(());
        }
        if let (
            Correction::Delete,
            ObjectKey::Group(name) | ObjectKey::Policy(name @ PolicyName::Binding(..)),
        ) = (&drift.correction, key)
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
