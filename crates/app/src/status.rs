//! How the deployment stands, for who runs it: who writes, what waits, what is seen, what stands still.

use jiff::Timestamp;
use strongroom_authorization::{Resource, Verb};
use strongroom_domain::subject::Subject;

pub use strongroom_storage::lease::LeaseState;
pub use strongroom_storage::status::{ClusterRow, CountRow, EngineRow, PersonRow};

use crate::context::Ctx;
use crate::error::AppError;
use crate::health::executor_get;
use crate::preview::holds_now;

/// Something that stands still.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Still {
    /// What.
    pub target: String,
    /// Why.
    pub reason: String,
    /// Whether engine and database tell different things of it: no request lifts that.
    pub differs: bool,
}

/// How the deployment stands.
#[derive(Debug, Clone)]
pub struct Status {
    /// The engine, once an executor was there.
    pub engine: Option<EngineRow>,
    /// The executor that writes, or wrote last.
    pub executor: Option<LeaseState>,
    /// Clusters as they are seen.
    pub clusters: Vec<ClusterRow>,
    /// Requests that have not ended, by state.
    pub requests: Vec<CountRow>,
    /// What waits for the executor.
    pub queue: Vec<CountRow>,
    /// Findings that stand, by severity.
    pub findings: Vec<CountRow>,
    /// Subjects by kind and state.
    pub subjects: Vec<CountRow>,
    /// What stands still.
    pub still: Vec<Still>,
}

/// How the deployment stands now.
pub async fn status_get(ctx: &Ctx) -> Result<Status, AppError> {
    ctx.must(Resource::Status, Verb::Read)?;
    let store = &ctx.app.store;
    let holds = holds_now(ctx).await?;
    let held = holds.now.into_iter().map(|(target, reason)| Still {
        target: target.to_string(),
        reason,
        differs: false,
    });
    let differing = holds.differing.into_iter().map(|(subject, reason): (Subject, String)| Still {
        target: subject.to_string(),
        reason,
        differs: true,
    });
    Ok(Status {
        engine: store.engine_row().await?,
        executor: executor_get(&ctx.app).await?,
        clusters: store.cluster_counts().await?,
        requests: store.request_counts().await?,
        queue: store.queue_counts().await?,
        findings: store.finding_counts().await?,
        subjects: store.subject_counts().await?,
        still: held.chain(differing).collect(),
    })
}

/// People as of their last sign-ins, newest first, and whether there are more.
pub async fn people_list(
    ctx: &Ctx,
    group: Option<&str>,
    before: Option<(Timestamp, String)>,
    limit: u32,
) -> Result<(Vec<PersonRow>, bool), AppError> {
    ctx.must(Resource::Person, Verb::List)?;
    let most = i64::from(limit) + 1;
    let mut rows = ctx.app.store.people_list(group, before, most).await?;
    let more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    Ok((rows, more))
}
