//! Findings: what the executor sees that is not as it should be.

use strongroom_domain::subject::Subject;
use strongroom_storage::finding::DRIFT;
pub use strongroom_storage::finding::FindingRow;

use crate::context::{Ctx, sees};
use crate::error::AppError;

/// Managed objects that the engine holds otherwise than applied, and how, in words.
#[derive(Debug)]
pub(crate) struct Differences(Vec<(String, String)>);

impl Differences {
    pub(crate) fn of(findings: &[FindingRow]) -> Self {
        let drift = findings.iter().map(|row| &row.finding).filter(|found| found.kind == DRIFT);
        Self(drift.filter_map(|each| Some((each.object.clone()?, each.text.clone()))).collect())
    }

    /// What is said of these objects.
    pub(crate) fn about(&self, objects: &[String]) -> Vec<String> {
        let found = self.0.iter().filter(|(object, _)| objects.contains(object));
        found.map(|(_, text)| text.clone()).collect()
    }
}

/// Findings that the viewer may see; those that are over only on demand.
pub async fn finding_list(ctx: &Ctx, all: bool) -> Result<Vec<FindingRow>, AppError> {
    let visibility = ctx.visibility();
    let mut rows = ctx.app.store.finding_list(all).await?;
    // What is about no subject is about the engine, and the platform's.
    rows.retain(|row| {
        let subject = row.finding.subject.as_deref().map(str::parse::<Subject>);
        visibility.all || matches!(subject, Some(Ok(subject)) if sees(&visibility, &subject))
    });
    Ok(rows)
}
