//! How the deployment stands, and people as seen at their sign-ins: for who runs it.

use axum::Json;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use strongroom_app::status::{self, ClusterRow, CountRow, LeaseState, PersonRow, Still};
use strongroom_domain::name::GroupName;
use utoipa::ToSchema;

use crate::extract::{Query, SignedIn, limit};
use crate::problem::Problem;
use crate::v1::Page;

/// How the deployment stands.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Status {
    /// The version of this server.
    version: &'static str,
    now: Timestamp,
    engine: Option<EngineStatus>,
    executor: Option<ExecutorStatus>,
    clusters: Vec<ClusterStatus>,
    /// Requests that have not ended, by state.
    requests: Vec<NumberOf>,
    /// Signed acts and work that wait for the executor.
    queue: Vec<NumberOf>,
    /// Findings that stand, by severity.
    findings: Vec<NumberOf>,
    /// Subjects, by kind and state.
    subjects: Vec<NumberOf>,
    standing_still: Vec<StandingStill>,
}

/// The engine, as the executor last described it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EngineStatus {
    name: String,
    product: String,
    cluster_id: String,
}

/// The executor that writes, or wrote last.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ExecutorStatus {
    /// Whether one is at work now.
    at_work: bool,
    holder: String,
    /// Grows with every change of holder.
    epoch: i64,
    lease_until: Timestamp,
    /// When it last knew what is in the engine.
    looked_at: Option<Timestamp>,
}

/// A cluster as it is seen.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ClusterStatus {
    cluster: String,
    /// Whether it is seen now; else what it holds is as of then.
    known: bool,
    reason: Option<String>,
    as_of: Timestamp,
    namespaces: i64,
    service_accounts: i64,
}

/// How many there are of something.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NumberOf {
    of: String,
    count: i64,
    /// Since when the oldest of them is there.
    oldest: Option<Timestamp>,
}

/// Something that stands still, and why.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StandingStill {
    target: String,
    reason: String,
    /// Whether engine and database tell different things of it: no request lifts that.
    differs: bool,
}

impl From<LeaseState> for ExecutorStatus {
    fn from(row: LeaseState) -> Self {
        Self {
            at_work: row.is_held,
            holder: row.holder,
            epoch: row.epoch,
            lease_until: row.until,
            looked_at: row.looked_at,
        }
    }
}

impl From<ClusterRow> for ClusterStatus {
    fn from(row: ClusterRow) -> Self {
        Self {
            cluster: row.cluster,
            known: row.known,
            reason: row.reason,
            as_of: row.as_of,
            namespaces: row.namespaces,
            service_accounts: row.accounts,
        }
    }
}

impl From<CountRow> for NumberOf {
    fn from(row: CountRow) -> Self {
        Self { of: row.word, count: row.count, oldest: row.oldest }
    }
}

impl From<Still> for StandingStill {
    fn from(still: Still) -> Self {
        Self { target: still.target, reason: still.reason, differs: still.differs }
    }
}

/// How the deployment stands: who writes, what waits, what is seen, what stands still.
#[utoipa::path(
    get,
    path = "/api/v1/status",
    operation_id = "status_get",
    responses((status = 200, body = Status))
)]
pub(crate) async fn show(SignedIn(ctx): SignedIn) -> Result<Json<Status>, Problem> {
    fn all<T, V: From<T>>(rows: Vec<T>) -> Vec<V> {
        rows.into_iter().map(Into::into).collect()
    }
    let status = status::status_get(&ctx).await?;
    Ok(Json(Status {
        version: env!("CARGO_PKG_VERSION"),
        now: ctx.app.now(),
        engine: status.engine.map(|row| EngineStatus {
            name: row.name,
            product: row.product,
            cluster_id: row.cluster_id,
        }),
        executor: status.executor.map(Into::into),
        clusters: all(status.clusters),
        requests: all(status.requests),
        queue: all(status.queue),
        findings: all(status.findings),
        subjects: all(status.subjects),
        standing_still: all(status.still),
    }))
}

/// The longest name of somebody at the provider.
const MOST_PERSON: usize = 256;

/// The query of `GET /api/v1/people`.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct PeopleQuery {
    /// Those with this group at their last sign-in.
    group: Option<String>,
    limit: Option<u32>,
    cursor: Option<String>,
}

/// Somebody as of their last sign-in.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SeenPerson {
    issuer: String,
    person: String,
    display: String,
    groups: Vec<String>,
    signed_in_at: Timestamp,
}

/// People as of their last sign-ins, newest first. The provider knows who is in a group now.
#[utoipa::path(
    get,
    path = "/api/v1/people",
    operation_id = "people_list",
    params(PeopleQuery),
    responses((status = 200, body = Page<SeenPerson>))
)]
pub(crate) async fn people(
    SignedIn(ctx): SignedIn,
    Query(query): Query<PeopleQuery>,
) -> Result<Json<Page<SeenPerson>>, Problem> {
    if let Some(group) = &query.group {
        GroupName::new(group.as_str()).map_err(|error| Problem::malformed(error.to_string()))?;
    }
    let before = query.cursor.as_deref().map(|text| {
        let place = text.split_once('|').and_then(|(at, person)| {
            let is_one = !person.contains('\0') && person.len() <= MOST_PERSON;
            is_one.then_some((at.parse::<Timestamp>().ok()?, person.to_owned()))
        });
        place.ok_or_else(|| Problem::malformed("`cursor` is not one that this list gave"))
    });
    let most = limit(query.limit)?;
    let (rows, more) =
        status::people_list(&ctx, query.group.as_deref(), before.transpose()?, most).await?;
    let place = |row: &PersonRow| format!("{}|{}", row.signed_in_at, row.id.person);
    let next_cursor = rows.last().filter(|_| more).map(place);
    let person = |row: PersonRow| SeenPerson {
        issuer: row.id.issuer,
        person: row.id.person,
        display: row.display,
        groups: row.groups,
        signed_in_at: row.signed_in_at,
    };
    Ok(Json(Page { items: rows.into_iter().map(person).collect(), next_cursor }))
}
