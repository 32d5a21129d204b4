//! What people see of a subject, copied from its head. Nothing is decided from it.

use std::collections::BTreeMap;

use serde_json::json;
use strongroom_domain::subject::Subject;
use strongroom_storage::state::SubjectState;

use crate::error::ExecutorError;
use crate::start::Executor;

/// How many rows are put at once.
const SIDE_BY_SIDE: usize = 8;

impl Executor {
    /// Copies heads into the database.
    pub(crate) async fn subjects_publish(
        &mut self,
        subjects: impl IntoIterator<Item = Subject>,
    ) -> Result<(), ExecutorError> {
        let subjects: Vec<Subject> = subjects.into_iter().collect();
        for some in subjects.chunks(SIDE_BY_SIDE) {
            let put = some.iter().map(|subject| self.subject_publish(subject));
            let marks = futures::future::try_join_all(put).await?;
            let marked = some.iter().zip(marks);
            self.published.extend(marked.filter_map(|(s, mark)| Some((s.clone(), mark?))));
        }
        Ok(())
    }

    /// Copies again what somebody else wrote over, or put back to what it was.
    pub(crate) async fn published_compare(&mut self) -> Result<(), ExecutorError> {
        let found: BTreeMap<Subject, i64> =
            self.store.subject_state_marks().await?.into_iter().collect();
        let published = self.published.iter();
        let over = published.filter(|(subject, mark)| found.get(*subject) != Some(*mark));
        let over: Vec<Subject> = over.map(|(subject, _)| subject.clone()).collect();
        if !over.is_empty() {
            tracing::warn!(count = over.len(), "published rows were edited; they are put back");
        }
        self.subjects_publish(over).await
    }

    /// Copies one; gives the mark of its row.
    async fn subject_publish(&self, subject: &Subject) -> Result<Option<i64>, ExecutorError> {
        let Some(head) = self.heads.get(subject) else {
            return Ok(None);
        };
        let applied = head.head.applied.as_ref();
        // A document that is not believed is not shown either.
        let document = head.document().unwrap_or_default();
        let differing = self.differing.get(subject).or_else(|| self.unbelieved.get(subject));
        let word = match (&head.head.applying, differing) {
            (_, Some(_)) => "frozen",
            (Some(_), None) => "applying",
            (None, None) => "applied",
        };
        let state = SubjectState {
            subject: subject.clone(),
            engine: self.config.engine.id,
            applied_revision: i64::try_from(head.head.base_revision()).unwrap_or(i64::MAX),
            applied_hash: applied.map(|applied| applied.document_hash.as_bytes().to_vec()),
            applied_document: document.map(|document| document.canonical()),
            pins: applied.map_or_else(|| json!({}), |applied| json!(applied.pins)),
            holds: json!(
                self.held
                    .iter()
                    .filter(|(target, _)| target.subject() == *subject)
                    .collect::<BTreeMap<_, _>>()
            ),
            state: word.into(),
            request: applied.map(|applied| applied.request),
            reason: differing.cloned(),
            updated_at: self.clock.now(),
        };
        Ok(Some(self.store.subject_state_put(&state).await?))
    }
}
