//! The ledger's events.

use std::time::Duration;

use axum::Json;
use axum::http::HeaderMap;
use axum::response::sse::{Event as Sent, KeepAlive, Sse};
use futures::{Stream, StreamExt as _};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use strongroom_app::error::AppError;
use strongroom_app::event::{self, EventFilter, EventPlace, LedgerRow};
use strongroom_app::live;
use strongroom_domain::id::RequestId;
use strongroom_domain::subject::Subject;
use tokio::time::Instant;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::extract::{Query, SignedIn, limit};
use crate::problem::Problem;
use crate::v1::{Page, hex};

/// The query of `GET /api/v1/events`.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListQuery {
    #[param(value_type = Option<Uuid>)]
    request: Option<RequestId>,
    subject: Option<String>,
    /// From here on, oldest first.
    after: Option<i64>,
    /// From here back, newest first.
    before: Option<i64>,
    limit: Option<u32>,
}

/// One event.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EventView {
    sequence: i64,
    event_id: Uuid,
    at: Timestamp,
    kind: String,
    request: Value,
    subject: Value,
    hash: Option<String>,
    event: Value,
}

/// Events of the ledger that one may see.
#[utoipa::path(
    get,
    path = "/api/v1/events",
    operation_id = "event_list",
    params(ListQuery),
    responses((status = 200, body = Page<EventView>))
)]
pub(crate) async fn list(
    SignedIn(ctx): SignedIn,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<EventView>>, Problem> {
    let filter =
        EventFilter { request: query.request, subject: subject(query.subject.as_deref())? };
    let place = match (query.after, query.before) {
        (after, None) => EventPlace::After(after.unwrap_or_default()),
        (None, Some(before)) => EventPlace::Before(before),
        (Some(_), Some(_)) => return Err(Problem::malformed("give one of `after` and `before`")),
    };
    let (rows, more) = event::event_list(&ctx, &filter, place, limit(query.limit)?).await?;
    let next_cursor = rows.last().filter(|_| more).map(|row| row.sequence.to_string());
    let items = rows.into_iter().map(EventView::from).collect();
    Ok(Json(Page { items, next_cursor }))
}

/// How long one answer goes on: who it is and what they may see is asked anew then. Shorter than the
/// process waits for calls that are under way when it is asked to stop.
const LENGTH: Duration = Duration::from_secs(20);

/// The query of `GET /api/v1/events/stream`.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct FollowQuery {
    #[param(value_type = Option<Uuid>)]
    request: Option<RequestId>,
    subject: Option<String>,
    /// From here on; from now on where it is left out.
    after: Option<i64>,
}

/// Events as they come (server-sent events), each with its sequence as its id. The answer ends after 20
/// seconds; a browser goes on by itself, and other programs with the last id as `Last-Event-ID`. The
/// first message holds only an id, to go on from where nothing came. It is for live views: the list
/// has what came in late.
#[utoipa::path(
    get,
    path = "/api/v1/events/stream",
    operation_id = "event_follow",
    params(FollowQuery),
    responses((status = 200, content_type = "text/event-stream", body = String))
)]
pub(crate) async fn follow(
    SignedIn(ctx): SignedIn,
    Query(query): Query<FollowQuery>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Sent, AppError>>>, Problem> {
    let filter =
        EventFilter { request: query.request, subject: subject(query.subject.as_deref())? };
    let last = headers.get("last-event-id").map(|value| {
        let number = value.to_str().ok().and_then(|text| text.parse().ok());
        number.ok_or_else(|| Problem::malformed("`Last-Event-ID` is not one that this stream gave"))
    });
    let after = last.transpose()?.or(query.after);
    let follower = live::event_follow(ctx, filter, after).await?;
    let (begins, end) = (follower.place(), Instant::now() + LENGTH);
    let pages = futures::stream::unfold(follower, move |mut follower| async move {
        let page = tokio::time::timeout_at(end, follower.next()).await.ok()?;
        Some((page, follower))
    });
    let events = pages.flat_map(|page| {
        let sent = page.map(|rows| rows.into_iter().map(|row| Ok(sent(row))).collect::<Vec<_>>());
        futures::stream::iter(sent.unwrap_or_else(|error| vec![Err(error)]))
    });
    let place = futures::stream::iter([Ok(Sent::default().id(begins.to_string()))]);
    Ok(Sse::new(place.chain(events)).keep_alive(KeepAlive::default()))
}

fn sent(row: LedgerRow) -> Sent {
    let (id, kind) = (row.sequence.to_string(), row.kind.clone());
    let text = serde_json::to_string(&EventView::from(row)).unwrap_or_default();
    Sent::default().id(id).event(kind).data(text)
}

fn subject(text: Option<&str>) -> Result<Option<String>, Problem> {
    let message = "`subject` is `team/<name>`, `cluster/<name>` or `platform`";
    let parsed = text.map(|text| text.parse::<Subject>().map_err(|_| Problem::malformed(message)));
    Ok(parsed.transpose()?.map(|subject| subject.to_string()))
}

impl From<LedgerRow> for EventView {
    fn from(row: LedgerRow) -> Self {
        Self {
            sequence: row.sequence,
            event_id: row.event_id,
            at: row.at,
            kind: row.kind,
            request: row.event.get("request").cloned().unwrap_or_default(),
            subject: row.event.get("subject").cloned().unwrap_or_default(),
            hash: hex(&row.hash),
            event: row.event,
        }
    }
}
