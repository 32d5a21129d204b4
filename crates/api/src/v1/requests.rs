//! Change requests.

use axum::Json;
use axum::http::{HeaderName, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use strongroom_app::request::{self, RequestDetail, RequestQuery, RequestSummary};
use strongroom_app::submit;
use strongroom_domain::act::Submission;
use strongroom_domain::id::RequestId;
use strongroom_domain::request::State;
use strongroom_domain::subject::Subject;
use utoipa::ToSchema;

use crate::body::Body;
use crate::extract::{Path, Query, SignedIn, limit, named};
use crate::problem::Problem;
use crate::shape::{StateWord, SubjectText, SubmissionShape};
use crate::v1::acts::SignedAct;
use crate::v1::signers::Stage;
use crate::v1::{Page, base64, hex};

/// The body of `POST /api/v1/requests`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Submit {
    #[schema(value_type = SubmissionShape)]
    submission: Submission,
    /// What a person signed; a machine leaves it out.
    act: Option<SignedAct>,
}

/// What became of a submission.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Submitted {
    #[schema(value_type = Uuid)]
    request_id: RequestId,
    #[schema(value_type = StateWord)]
    state: State,
}

/// Submits a change request. The same submission again gives the request that it made.
#[utoipa::path(
    post,
    path = "/api/v1/requests",
    operation_id = "request_submit",
    request_body = Submit,
    responses((status = 201, body = Submitted, headers(("location" = String))), (status = 200, description = "It was there already", body = Submitted, headers(("location" = String))))
)]
pub(crate) async fn submit(
    SignedIn(ctx): SignedIn,
    Body(body): Body<Submit>,
) -> Result<(StatusCode, [(HeaderName, String); 1], Json<Submitted>), Problem> {
    let act = body.act.map(Into::into);
    let outcome = submit::request_submit(&ctx, &body.submission, act.as_ref()).await?;
    let status = if outcome.created { StatusCode::CREATED } else { StatusCode::OK };
    let location = (header::LOCATION, format!("/api/v1/requests/{}", outcome.request));
    let body = Submitted { request_id: outcome.request, state: outcome.state };
    Ok((status, [location], Json(body)))
}

/// Who submitted.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Submitter {
    issuer: String,
    person: String,
    display: String,
}

/// What a request has in lists and alone.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Head {
    #[schema(value_type = Uuid)]
    request_id: RequestId,
    #[schema(value_type = StateWord)]
    state: State,
    state_reason: Option<String>,
    round: i32,
    risk: Option<String>,
    reason: String,
    attest: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    lift: Vec<String>,
    submitted_by: Submitter,
    created_at: Timestamp,
    updated_at: Timestamp,
    expires_at: Timestamp,
    plan_hash: Option<String>,
}

impl From<request::RequestRow> for Head {
    fn from(row: request::RequestRow) -> Self {
        Self {
            request_id: row.request,
            state: row.state,
            state_reason: row.state_reason,
            round: row.round,
            risk: row.risk,
            reason: row.reason,
            attest: row.attest,
            lift: row.lift,
            submitted_by: Submitter {
                issuer: row.submitter.issuer,
                person: row.submitter.person,
                display: row.display,
            },
            created_at: row.created_at,
            updated_at: row.updated_at,
            expires_at: row.expires_at,
            plan_hash: row.plan_hash.as_deref().and_then(hex),
        }
    }
}

/// A request of a list; its documents are named only.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Summary {
    #[serde(flatten)]
    head: Head,
    #[schema(value_type = Vec<SubjectText>)]
    documents: Vec<Subject>,
}

impl From<RequestSummary> for Summary {
    fn from(summary: RequestSummary) -> Self {
        Self { head: summary.row.into(), documents: summary.subjects }
    }
}

/// A request with its documents.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Detail {
    #[serde(flatten)]
    head: Head,
    documents: Vec<DetailDocument>,
    stages: Vec<Stage>,
}

/// One document of a request.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DetailDocument {
    #[schema(value_type = SubjectText)]
    subject: Subject,
    revision: i64,
    base_revision: i64,
    document: Value,
    base_document: Option<Value>,
}

/// The query of `GET /api/v1/requests`.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListQuery {
    state: Option<String>,
    subject: Option<String>,
    limit: Option<u32>,
    cursor: Option<String>,
}

/// Change requests, newest first.
#[utoipa::path(
    get,
    path = "/api/v1/requests",
    operation_id = "request_list",
    params(ListQuery),
    responses((status = 200, body = Page<Summary>))
)]
pub(crate) async fn list(
    SignedIn(ctx): SignedIn,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<Summary>>, Problem> {
    let wrong = |message: &str| Problem::malformed(message);
    let state = query.state.as_deref().map(|word| {
        let unknown = || wrong(&format!("`state` is none of: {}", State::words()));
        State::from_word(word).ok_or_else(unknown)
    });
    let subject = query.subject.as_deref().map(|text| {
        let wrong = |_| wrong("`subject` is `team/<name>`, `cluster/<name>` or `platform`");
        text.parse::<Subject>().map_err(wrong)
    });
    let before = query
        .cursor
        .as_deref()
        .map(|text| place(text).ok_or_else(|| wrong("`cursor` is not one that this list gave")));
    let asked = RequestQuery {
        state: state.transpose()?,
        subject: subject.transpose()?,
        before: before.transpose()?,
    };
    let (rows, more) = request::request_list(&ctx, asked, limit(query.limit)?).await?;
    let next_cursor = rows.last().filter(|_| more).map(cursor);
    let items = rows.into_iter().map(Summary::from).collect();
    Ok(Json(Page { items, next_cursor }))
}

fn cursor(last: &RequestSummary) -> String {
    URL_SAFE_NO_PAD.encode(format!("{}|{}", last.row.created_at, last.row.request))
}

fn place(cursor: &str) -> Option<(Timestamp, RequestId)> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
    let (at, request) = text.split_once('|')?;
    Some((at.parse().ok()?, request.parse().ok()?))
}

/// A change request with its documents and who must sign.
#[utoipa::path(
    get,
    path = "/api/v1/requests/{id}",
    operation_id = "request_get",
    params(("id" = Uuid, Path, description = "The request")),
    responses((status = 200, body = Detail))
)]
pub(crate) async fn show(
    SignedIn(ctx): SignedIn,
    Path(id): Path<String>,
) -> Result<Json<Detail>, Problem> {
    let RequestDetail { row, documents, stages } = request::request_get(&ctx, named(&id)?).await?;
    let document = |each: request::RequestDocument| DetailDocument {
        subject: each.subject,
        revision: each.revision,
        base_revision: each.base_revision,
        document: each.document,
        base_document: each.base_document,
    };
    let documents = documents.into_iter().map(document).collect();
    let stages = stages.into_iter().map(Into::into).collect();
    Ok(Json(Detail { head: row.into(), documents, stages }))
}

/// A submission, as it was signed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SubmissionView {
    canonical: String,
}

/// A submission, as it was signed.
#[utoipa::path(
    get,
    path = "/api/v1/requests/{id}/submission",
    operation_id = "submission_get",
    params(("id" = Uuid, Path, description = "The request")),
    responses((status = 200, body = SubmissionView))
)]
pub(crate) async fn submission(
    SignedIn(ctx): SignedIn,
    Path(id): Path<String>,
) -> Result<Json<SubmissionView>, Problem> {
    let bytes = request::submission_get(&ctx, named(&id)?).await?;
    Ok(Json(SubmissionView { canonical: base64(&bytes) }))
}

/// A frozen plan, as it was signed.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Plan {
    round: i32,
    canonical: String,
    hash: String,
    signature: String,
    key_id: String,
    frozen_at: Timestamp,
    expires_at: Timestamp,
}

/// The frozen plan, as the executor signed it.
#[utoipa::path(
    get,
    path = "/api/v1/requests/{id}/plan",
    operation_id = "plan_get",
    params(("id" = Uuid, Path, description = "The request")),
    responses((status = 200, body = Plan))
)]
pub(crate) async fn plan(
    SignedIn(ctx): SignedIn,
    Path(id): Path<String>,
) -> Result<Json<Plan>, Problem> {
    let row = request::plan_get(&ctx, named(&id)?).await?;
    Ok(Json(Plan {
        round: row.round,
        canonical: base64(&row.canonical),
        hash: row.hash.to_string(),
        signature: base64(&row.signature),
        key_id: row.key_id,
        frozen_at: row.frozen_at,
        expires_at: row.expires_at,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_names_its_place_and_nothing_else_does() {
        let text = "2026-11-23T10:00:00.123456Z|0199b5d0-0000-7000-8000-000000000001";
        let (at, request) = place(&URL_SAFE_NO_PAD.encode(text)).unwrap();
        assert_eq!(format!("{at}|{request}"), text);
        for bad in ["", "!", "AAAA", &URL_SAFE_NO_PAD.encode("x|y")] {
            assert!(place(bad).is_none(), "{bad}");
        }
    }
}
