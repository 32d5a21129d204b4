//! The outermost layer: ids, headers, the time limit, the shape of problems, and one log line.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use strongroom_domain::metric;
use uuid::Uuid;

use crate::description::PAGE;
use crate::problem::Problem;

/// How long one request may take, its body included.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Answers hold what one person may see: no cache keeps them, and no page shows them as its own.
const HEADERS: [(HeaderName, &str); 5] = [
    (header::CACHE_CONTROL, "no-store"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// What an answer may load if a browser takes it for a page: nothing.
const POLICY: &str =
    "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// What the page of the API's description may load: its own files. Its script sets styles.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; \
    form-action 'none'";

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Wraps every request, those to unknown paths included.
pub(crate) async fn wrap(request: Request, next: Next) -> Response {
    let id = Uuid::new_v4().to_string();
    let trace = trace_id(request.headers()).unwrap_or_else(|| id.replace('-', ""));
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map_or_else(|| "unmatched".to_owned(), |route| route.as_str().to_owned());
    let begun = Instant::now();
    let mut response = match tokio::time::timeout(TIMEOUT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => timed_out().into_response(),
    };
    let problem = response.extensions_mut().remove::<Arc<Problem>>();
    if let Some(problem) = &problem {
        write(&mut response, problem, &trace);
        if let Some(cause) = problem.cause_chain() {
            tracing::error!(
                request_id = id,
                trace_id = trace,
                code = problem.code(),
                cause,
                "api.problem"
            );
        }
    }
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let policy = if path.starts_with(PAGE) { PAGE_POLICY } else { POLICY };
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    if let Ok(value) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, value);
    }
    let status = response.status().as_u16();
    // The path only: a query can hold what a person searched for.
    tracing::info!(request_id = id, trace_id = trace, %method, path, status, "api.request");
    let took = begun.elapsed().as_secs_f64();
    let (method, status) = (known_method(&method), status.to_string());
    metrics::histogram!(metric::API_SECONDS, "route" => route.clone()).record(took);
    metrics::counter!(
        metric::API_REQUESTS, "method" => method, "route" => route, "status" => status
    )
    .increment(1);
    response
}

/// A method that somebody made up is not a label.
fn known_method(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "HEAD" => "HEAD",
        _ => "other",
    }
}

fn write(response: &mut Response, problem: &Problem, trace: &str) {
    *response.body_mut() = Body::from(problem.body(trace).to_string());
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_LENGTH);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    *response.status_mut() = problem.status();
}

/// The trace of a W3C `traceparent`, if it has the shape of one.
fn trace_id(headers: &HeaderMap) -> Option<String> {
    let text = headers.get("traceparent")?.to_str().ok()?;
    let mut parts = text.split('-');
    let (version, trace) = (parts.next()?, parts.next()?);
    let hex = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    let whole = version.len() == 2 && trace.len() == 32 && hex(version) && hex(trace);
    (whole && trace.bytes().any(|b| b != b'0')).then(|| trace.to_owned())
}

fn timed_out() -> Problem {
    Problem::new(
        StatusCode::GATEWAY_TIMEOUT,
        "timed_out",
        "Timed out",
        "the request took longer than 30 seconds",
        "look whether it was done before you repeat it",
    )
}

/// A path that is no route.
pub(crate) async fn unknown_path() -> Problem {
    Problem::not_found()
}

/// A route that does not take this method.
pub(crate) async fn unknown_method() -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        "Method not allowed",
        "this address does not take that method",
        "the `Allow` header names those it takes",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_well_formed_trace_is_taken_over() {
        let trace = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("traceparent", HeaderValue::from_str(text).unwrap());
            trace_id(&headers)
        };
        let good = "4bf92f3577b34da6a3ce929d0e0e4736";
        assert_eq!(trace(&format!("00-{good}-00f067aa0ba902b7-01")).as_deref(), Some(good));
        for bad in ["", "00", "00-xyz-1-1", &format!("00-{}-1-1", "0".repeat(32))] {
            assert_eq!(trace(bad), None, "{bad}");
        }
    }
}
