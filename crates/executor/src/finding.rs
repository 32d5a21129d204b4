//! Findings: what the executor sees that is not as it should be, told once and taken back when it
//! is over. Nothing is decided from a finding: it is for people.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use strongroom_domain::event::{Actor, EventKind};
use strongroom_domain::subject::Subject;
use strongroom_storage::finding::Finding;

use crate::error::ExecutorError;
use crate::start::Executor;
use crate::touched::PEOPLE_LOGIN;

/// How loud a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Severity {
    /// Worth knowing.
    Info,
    /// Somebody should look.
    Warning,
    /// Somebody must look now.
    Alarm,
}

impl Severity {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::Info, Self::Warning, Self::Alarm];

    /// The word in rows and labels.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Alarm => "alarm",
        }
    }
}

/// A finding of one kind about one thing.
pub(crate) fn finding(
    kind: &str,
    about: &str,
    severity: Severity,
    text: impl Into<String>,
    next_step: &str,
) -> Finding {
    // The database takes no NUL, and whoever can write one into the engine must not go unseen.
    let cut = |text: &str, most: usize| {
        text.chars().take(most).map(|c| if c == '\0' { '\u{fffd}' } else { c }).collect::<String>()
    };
    Finding {
        key: cut(&format!("{kind} {about}"), 500),
        kind: kind.to_owned(),
        severity: severity.as_str().to_owned(),
        subject: None,
        object: None,
        text: cut(&text.into(), 4000),
        next_step: cut(next_step, 2000),
        culprit: None,
        observed: None,
    }
}

impl Executor {
    /// Reads which findings stand, when the lease is taken.
    pub(crate) async fn findings_load(&mut self) -> Result<(), ExecutorError> {
        let rows = self.store.finding_list(false).await?;
        self.findings =
            rows.into_iter().map(|row| (row.finding.key.clone(), row.finding)).collect();
        Ok(())
    }

    /// Tells of something; a second time changes nothing.
    pub(crate) async fn found(&mut self, found: Finding) -> Result<(), ExecutorError> {
        let known = self.findings.get(&found.key);
        if known.is_some_and(|known| {
            Finding { culprit: None, ..known.clone() } == Finding { culprit: None, ..found.clone() }
        }) {
            return Ok(());
        }
        let opened = known.is_none();
        if found.severity == "alarm" {
            tracing::error!(finding = %found.key, text = %found.text, "alarm");
        } else {
            tracing::warn!(finding = %found.key, text = %found.text, "finding");
        }
        let detail = json!({
            "key": found.key,
            "kind": found.kind,
            "severity": found.severity,
            "object": found.object,
            "text": found.text,
            "next": found.next_step,
            "culprit": found.culprit,
        });
        let subject: Option<Subject> = found.subject.as_ref().and_then(|text| text.parse().ok());
        let events = opened.then(|| self.event(EventKind::FindingOpened, None, subject, detail));
        let events: Vec<_> = events.into_iter().collect();
        self.store.finding_put(self.config.engine.id, &found, self.clock.now(), &events).await?;
        self.findings.insert(found.key.clone(), found);
        Ok(())
    }

    /// Tells of something that is over with the telling: what can be done about it is done.
    pub(crate) async fn found_once(&mut self, found: Finding) -> Result<(), ExecutorError> {
        let key = found.key.clone();
        self.found(found).await?;
        self.resolved(&key).await
    }

    /// Takes a finding back.
    pub(crate) async fn resolved(&mut self, key: &str) -> Result<(), ExecutorError> {
        self.ends(key, Actor::Executor, json!({ "key": key })).await
    }

    async fn ends(&mut self, key: &str, by: Actor, detail: Value) -> Result<(), ExecutorError> {
        let Some(known) = self.findings.remove(key) else {
            return Ok(());
        };
        tracing::info!(finding = key, "finding is resolved");
        let subject: Option<Subject> = known.subject.as_ref().and_then(|text| text.parse().ok());
        let event = self.event_by(by, EventKind::FindingResolved, None, subject, detail);
        let (engine, now) = (self.config.engine.id, self.clock.now());
        self.store.finding_resolve(engine, key, now, &[event]).await?;
        Ok(())
    }

    /// Takes back what only a person can judge, by the word of somebody on the executor's host.
    pub(crate) async fn people_login_acknowledge(
        &mut self,
        reason: &str,
    ) -> Result<String, ExecutorError> {
        let stand = self.findings.values().filter(|known| known.kind == PEOPLE_LOGIN);
        let keys: Vec<String> = stand.map(|known| known.key.clone()).collect();
        if keys.is_empty() {
            return Err(ExecutorError::Wait("no alarm about the people's login stands".into()));
        }
        for key in &keys {
            let detail = json!({ "key": key, "reason": reason });
            self.ends(key, Actor::Operator, detail).await?;
        }
        Ok(format!("{} alarms about the people's login are over", keys.len()))
    }

    /// Everything of one kind that stands now: new ones are told, gone ones taken back.
    pub(crate) async fn settle(
        &mut self,
        kind: &str,
        found: Vec<Finding>,
    ) -> Result<(), ExecutorError> {
        let keys: BTreeSet<String> = found.iter().map(|finding| finding.key.clone()).collect();
        let gone: Vec<String> = self
            .findings
            .values()
            .filter(|known| known.kind == kind && !keys.contains(&known.key))
            .map(|known| known.key.clone())
            .collect();
        for finding in found {
            self.found(finding).await?;
        }
        for key in gone {
            self.resolved(&key).await?;
        }
        Ok(())
    }
}
