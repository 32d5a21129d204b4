//! Checks that report once from a cluster: making one, and its report, which needs its ticket alone.

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use strongroom_app::check::{self, CheckMade, Read, Report, Ticket};
use strongroom_app::kit::Wish;
use strongroom_authn::CheckTicket;
use url::Url;
use utoipa::ToSchema;

use crate::body::Body;
use crate::extract::{Path, SignedIn, named};
use crate::idempotency::ShownOnce;
use crate::problem::{Problem, no_randomness};
use crate::state::AppState;
use crate::v1::kit::{FormatView, wished};

/// The most characters of an address.
const MOST_ADDRESS: usize = 500;

/// The body of `POST /api/v1/teams/{name}/bindings/{binding}/checks`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct CheckWish {
    /// One of the binding's accounts.
    account: Option<String>,
    /// A secret inside the binding's paths.
    secret: Option<String>,
    /// This server as the cluster reaches it, for example `https://strongroom.example.com`.
    server: String,
}

/// A check that was made.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CheckCreated {
    /// The Job. The ticket for its one report stands in it.
    check: FormatView,
    /// Until when it may report.
    expires_at: Timestamp,
}

/// Makes a Job that logs in as the binding's account, reads what it may, and reports once, within
/// the hour.
#[utoipa::path(
    post,
    path = "/api/v1/teams/{name}/bindings/{binding}/checks",
    operation_id = "check_create",
    params(("name" = String, Path, description = "The team's name", example = "payments"), ("binding" = String, Path, description = "The binding's name", example = "api")),
    request_body = CheckWish,
    responses((status = 201, body = CheckCreated))
)]
pub(crate) async fn create(
    SignedIn(ctx): SignedIn,
    Path((name, binding)): Path<(String, String)>,
    Body(body): Body<CheckWish>,
) -> Result<(StatusCode, Extension<ShownOnce>, Json<CheckCreated>), Problem> {
    let wish = Wish {
        account: body.account.map(|text| wished("/account", &text)).transpose()?,
        secret: body.secret.map(|text| wished("/secret", &text)).transpose()?,
    };
    let address = report_address(&body.server)?;
    let ticket = CheckTicket::generate().map_err(no_randomness)?;
    let shown = Ticket { clear: ticket.expose(), hash: ticket.hash() };
    let (team, binding) = (named(&name)?, named(&binding)?);
    let made = check::check_create(&ctx, &team, &binding, &wish, shown, &address).await?;
    let CheckMade { sheet, expires_at } = made;
    let made = CheckCreated { check: sheet.into(), expires_at };
    Ok((StatusCode::CREATED, Extension(ShownOnce), Json(made)))
}

/// Where the Job reports. It is told to nobody but the caller, who could write it there by hand.
fn report_address(text: &str) -> Result<String, Problem> {
    let wrong = || {
        Problem::invalid(
            "/server",
            "an address is `https://HOST[:PORT]` (or `http://` for a trial), without a person, a query or a \
             fragment, of at most 500 characters",
        )
    };
    let url = Url::parse(text).ok().filter(|_| text.len() <= MOST_ADDRESS).ok_or_else(wrong)?;
    let plain = url.username().is_empty() && url.password().is_none();
    let bare = url.query().is_none() && url.fragment().is_none();
    if !matches!(url.scheme(), "https" | "http") || !plain || !bare || url.host().is_none() {
        return Err(wrong());
    }
    Ok(format!("{}/api/v1/checks", url.as_str().trim_end_matches('/')))
}

/// The body of `POST /api/v1/checks`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CheckTold {
    /// The check's ticket.
    ticket: String,
    /// The status of the login's answer; 0 where the engine was not reached.
    login: u16,
    /// At most 100 reads.
    reads: Vec<CheckToldRead>,
}

/// How one read went.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CheckToldRead {
    /// The secret, as `strongroom kv` names it.
    secret: String,
    /// The status of the answer; 0 where the engine was not reached.
    status: u16,
}

/// Takes the one report of a check. It needs no session: its ticket is good for this and for nothing
/// else. It decides nothing, and is read at the binding and as an event `binding.checked`.
#[utoipa::path(
    post,
    path = "/api/v1/checks",
    operation_id = "check_report",
    request_body = CheckTold,
    responses((status = 204))
)]
pub(crate) async fn report(
    State(state): State<AppState>,
    Body(body): Body<CheckTold>,
) -> Result<StatusCode, Problem> {
    let ticket = CheckTicket::parse(&body.ticket)
        .ok_or_else(|| Problem::invalid("/ticket", "this is no ticket of a check"))?;
    let reads =
        body.reads.into_iter().map(|read| Read { secret: read.secret, status: read.status });
    let report = Report { login: body.login, reads: reads.collect() };
    check::check_report(&state.app, &ticket.hash(), &report).await?;
    Ok(StatusCode::NO_CONTENT)
}
