//! `Idempotency-Key`: a call that is sent again after its answer was lost does nothing twice.
//!
//! It is asked behind the guard, by caller. An answer that holds what is shown once is not kept: the
//! second time it is only said that there was one.

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use strongroom_app::repeated::{self, Begun, KeptAnswer, RepeatedCall};
use strongroom_app::{AppError, Ctx};
use strongroom_domain::Digest;

use crate::body::{MAX_BYTES, bytes};
use crate::problem::Problem;

/// The header (draft-ietf-httpapi-idempotency-key-header).
const KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Says of an answer that it is one from before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// The most characters of a key.
const MOST_KEY: usize = 255;

/// The largest answer that is kept.
const MOST_ANSWER: usize = 65_536;

/// Put into an answer whose body is shown only once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ShownOnce;

/// Around each handler that makes something.
pub(crate) async fn once(request: Request, next: Next) -> Result<Response, Problem> {
    let Some(key) = key(request.headers())? else { return Ok(next.run(request).await) };
    let Some(ctx) = request.extensions().get::<Ctx>().cloned() else {
        return Err(Problem::unauthenticated());
    };
    let (parts, body) = request.into_parts();
    let bytes = bytes(Request::from_parts(parts.clone(), body), &()).await?;
    let asked = Digest::labelled(&format!("{} {}", parts.method, parts.uri), &bytes);
    let hash = |digest: Digest| digest.as_bytes().to_vec();
    let call = repeated::call(&ctx, hash(Digest::of(key.as_bytes())), hash(asked));
    match repeated::call_begin(&ctx, &call).await? {
        Begun::Before(answer) => replayed(answer),
        Begun::UnderWay => Err(under_way()),
        Begun::Now => {
            let request = Request::from_parts(parts, Body::from(bytes));
            // Whoever hangs up does not end it half done, with nothing kept of it.
            let done = tokio::spawn(async move { run(&ctx, &call, request, next).await });
            done.await.map_err(|error| AppError::Internal(error.into()))?
        }
    }
}

async fn run(
    ctx: &Ctx,
    call: &RepeatedCall,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let response = next.run(request).await;
    let (parts, body) = response.into_parts();
    let bytes =
        to_bytes(body, MAX_BYTES).await.map_err(|error| AppError::Internal(error.into()))?;
    let kept = parts.status.is_success().then(|| {
        let is_shown_once = parts.extensions.get::<ShownOnce>().is_some();
        let keeps = !is_shown_once && !bytes.is_empty() && bytes.len() <= MOST_ANSWER;
        let location = parts.headers.get(header::LOCATION).and_then(|value| value.to_str().ok());
        KeptAnswer {
            status: parts.status.as_u16(),
            location: location.map(str::to_owned),
            body: keeps.then(|| String::from_utf8_lossy(&bytes).into_owned()),
        }
    });
    // What was done was done, whether or not that is kept.
    if let Err(error) = repeated::call_end(ctx, call, kept.as_ref()).await {
        tracing::warn!(error = &error as &dyn std::error::Error, "api.idempotency.not_kept");
    }
    Ok(Response::from_parts(parts, Body::from(bytes)))
}

/// The key, if there is one.
fn key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut all = headers.get_all(KEY).iter();
    let (first, None) = (all.next(), all.next()) else { return Err(no_key()) };
    let Some(value) = first else { return Ok(None) };
    let text = value.to_str().map_err(|_| no_key())?.trim();
    let is_good =
        (1..=MOST_KEY).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
    if is_good { Ok(Some(text.to_owned())) } else { Err(no_key()) }
}

fn no_key() -> Problem {
    Problem::malformed(
        "an Idempotency-Key stands once, with 1 to 255 printable characters without spaces; a UUID is \
         good",
    )
}

/// What was answered before.
fn replayed(answer: KeptAnswer) -> Result<Response, Problem> {
    let KeptAnswer { status, location, body } = answer;
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let Some(body) = body.or_else(|| (status == StatusCode::NO_CONTENT).then(String::new)) else {
        return Err(AppError::conflict(
            "this call was done before, and its answer is not kept: it holds what is shown only once, or \
             was too large",
            "look at what it made; for another one send another Idempotency-Key",
        )
        .into());
    };
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    headers.insert(REPLAYED, HeaderValue::from_static("true"));
    headers.remove(header::CONTENT_TYPE);
    if status != StatusCode::NO_CONTENT {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    if let Some(location) = location.and_then(|text| HeaderValue::from_str(&text).ok()) {
        headers.insert(header::LOCATION, location);
    }
    Ok(response)
}

fn under_way() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "under_way",
        "Under way",
        "the same call is being done",
        "send it again in a moment; it is then answered as it was",
    )
    .retried_after(1)
}
