//! Heads against the database: which of the two is behind, and what stands still until somebody
//! has looked.
//!
//! A difference widens nothing. The subject is frozen, an alarm names it, and a `critical` request
//! that lists what differs is the only way on.

use std::collections::{BTreeMap, BTreeSet};

use strongroom_domain::hold::Target;
use strongroom_domain::subject::Subject;

use crate::error::ExecutorError;
use crate::finding::{Severity, finding};
use crate::start::Executor;

/// The check's name in findings.
const KIND: &str = "records-differ";

impl Executor {
    /// What stands still is told as long as it does.
    pub(crate) async fn holds_tell(&mut self) -> Result<(), ExecutorError> {
        let mut found = Vec::new();
        for (target, sentence) in &self.held {
            let next = format!("a request with --lift {target} lets it go on");
            let mut each =
                finding("held", &target.to_string(), Severity::Warning, sentence.clone(), &next);
            each.subject = Some(target.subject().to_string());
            found.push(each);
        }
        self.settle("held", found).await
    }

    /// Compares heads with what the database says of them: all, or those of these subjects while
    /// what is known of the others stays.
    pub(crate) async fn records_compare(
        &mut self,
        only: Option<&BTreeSet<Subject>>,
    ) -> Result<(), ExecutorError> {
        self.holds_tell().await?;
        let is_looked_at = |subject: &Subject| only.is_none_or(|o| o.contains(subject));
        let wanted: Vec<(Subject, i64)> = self
            .heads
            .iter()
            .filter(|(subject, _)| is_looked_at(subject))
            .filter_map(|(subject, head)| {
                let applied = head.head.applied.as_ref()?;
                Some((subject.clone(), i64::try_from(applied.revision).unwrap_or(i64::MAX)))
            })
            .collect();
        let known: BTreeMap<Subject, Vec<u8>> =
            self.store.revision_hashes(&wanted).await?.into_iter().collect();
        let said: BTreeMap<Subject, i64> =
            self.store.revisions_applied(only).await?.into_iter().collect();
        let mut differing = self.distrusted.clone();
        differing.extend(self.unbelieved.clone());
        let others = self.differing.iter().filter(|(subject, _)| !is_looked_at(subject));
        differing.extend(others.map(|(subject, what)| (subject.clone(), what.clone())));
        for (subject, revision) in &wanted {
            let head = self.heads.get(subject).and_then(|head| head.head.applied.as_ref());
            let hash = head.map(|applied| applied.document_hash.as_bytes().to_vec());
            let said = said.get(subject).copied().unwrap_or(0);
            let what = match known.get(subject) {
                None => Some(format!(
                    "the engine says that revision {revision} is applied, which the database does \
                     not know: the database is behind"
                )),
                Some(found) if Some(found) != hash.as_ref() => Some(format!(
                    "revision {revision} is another document in the database than in the engine"
                )),
                Some(_) if said > *revision => Some(format!(
                    "the database says that revision {said} is applied, the engine says \
                     {revision}: the engine is behind, or a row was edited"
                )),
                Some(_) => None,
            };
            if let Some(what) = what {
                differing.insert(subject.clone(), what);
            }
        }
        for (subject, revision) in &said {
            if !self.heads.contains_key(subject) && !differing.contains_key(subject) {
                let what = format!(
                    "the database says that revision {revision} is applied, the engine has no head \
                     for it: the engine is behind, or a row was edited"
                );
                differing.insert(subject.clone(), what);
            }
        }
        let mut findings = Vec::new();
        for (subject, what) in &differing {
            let next = format!(
                "find out what was put back or edited by hand; then a request with the \
                 document that should hold and --lift {} (critical) goes on from it",
                Target::from(subject.clone())
            );
            let text = format!("{subject} is frozen: {what}");
            let mut each = finding(KIND, &subject.to_string(), Severity::Alarm, text, &next);
            each.subject = Some(subject.to_string());
            findings.push(each);
        }
        let changed: Vec<Subject> = differing
            .iter()
            .filter(|(subject, what)| self.differing.get(*subject) != Some(*what))
            .map(|(subject, _)| subject.clone())
            .chain(self.differing.keys().filter(|s| !differing.contains_key(*s)).cloned())
            .collect();
        self.differing = differing;
        for subject in &changed {
            match subject {
                Subject::Team(team) => self.attached.look_at([team.clone()]),
                // Who has accounts there is not known from here.
                Subject::Cluster(_) | Subject::Platform => self.attached.look_at_all(),
            }
        }
        self.settle(KIND, findings).await?;
        self.subjects_publish(changed).await
    }
}
