//! The ledger's events.

use axum::Json;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use strongroom_app::event::{self, EventFilter, EventPlace};
use strongroom_domain::id::RequestId;
use strongroom_domain::subject::Subject;
use uuid::Uuid;

use crate::extract::{Query, SignedIn, limit};
use crate::problem::Problem;
use crate::v1::{Page, hex};

/// The query of `GET /api/v1/events`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListQuery {
    request: Option<RequestId>,
    subject: Option<String>,
    /// From here on, oldest first.
    after: Option<i64>,
    /// From here back, newest first.
    before: Option<i64>,
    limit: Option<u32>,
}

/// One event.
#[derive(Debug, Serialize)]
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

/// `GET /api/v1/events`.
pub(crate) async fn list(
    SignedIn(ctx): SignedIn,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<EventView>>, Problem> {
    let subject = query.subject.as_deref().map(|text| {
        let message = "`subject` is `team/<name>`, `cluster/<name>` or `platform`";
        text.parse::<Subject>().map_err(|_| Problem::malformed(message))
    });
    let filter = EventFilter {
        request: query.request,
        subject: subject.transpose()?.map(|subject| subject.to_string()),
    };
    let place = match (query.after, query.before) {
        (after, None) => EventPlace::After(after.unwrap_or_default()),
        (None, Some(before)) => EventPlace::Before(before),
        (Some(_), Some(_)) => return Err(Problem::malformed("give one of `after` and `before`")),
    };
    let (rows, more) = event::event_list(&ctx, &filter, place, limit(query.limit)?).await?;
    let next_cursor = rows.last().filter(|_| more).map(|row| row.sequence.to_string());
    let items = rows
        .into_iter()
        .map(|row| EventView {
            sequence: row.sequence,
            event_id: row.event_id,
            at: row.at,
            kind: row.kind,
            request: row.event.get("request").cloned().unwrap_or_default(),
            subject: row.event.get("subject").cloned().unwrap_or_default(),
            hash: hex(&row.hash),
            event: row.event,
        })
        .collect();
    Ok(Json(Page { items, next_cursor }))
}
