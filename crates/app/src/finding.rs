//! Findings: what the executor sees that is not as it should be.

use strongroom_domain::subject::Subject;
pub use strongroom_storage::finding::FindingRow;

use crate::context::{Ctx, sees};
use crate::error::AppError;

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
