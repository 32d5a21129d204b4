//! Answers that are as the caller has them already: 304 instead of the same bytes again.
//!
//! The mark is the hash of what would be sent, so it never says that something is as it was when it is
//! not. It must not be asked before the guard: whether something changed is told to who may see it.

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use strongroom_app::AppError;
use strongroom_domain::Digest;

use crate::problem::Problem;

/// The largest answer that is marked; lists have at most 200 rows.
const MOST: usize = 64 * 1024 * 1024;

/// Marks what a read answers, and leaves it out where the caller has it.
pub(crate) async fn marked(request: Request, next: Next) -> Result<Response, Problem> {
    let is_read = request.method() == Method::GET;
    let known: Vec<HeaderValue> =
        request.headers().get_all(header::IF_NONE_MATCH).iter().cloned().collect();
    let response = next.run(request).await;
    // A stream has no end to take a hash of.
    if !is_read || response.status() != StatusCode::OK || !is_json(response.headers()) {
        return Ok(response);
    }
    let (mut parts, body) = response.into_parts();
    let bytes = to_bytes(body, MOST).await.map_err(|error| AppError::Internal(error.into()))?;
    let mark = format!("\"{}\"", Digest::of(&bytes));
    let same = has(&known, &mark);
    if let Ok(value) = HeaderValue::from_str(&mark) {
        parts.headers.insert(header::ETAG, value);
    }
    if !same {
        return Ok(Response::from_parts(parts, Body::from(bytes)));
    }
    parts.status = StatusCode::NOT_MODIFIED;
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.remove(header::CONTENT_TYPE);
    Ok(Response::from_parts(parts, Body::empty()))
}

fn is_json(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/json")
}

/// Whether the caller has it: one of the marks of `If-None-Match`, weak ones as well (RFC 9110).
fn has(known: &[HeaderValue], mark: &str) -> bool {
    known.iter().filter_map(|value| value.to_str().ok()).any(|list| {
        list.split(',')
            .map(str::trim)
            .any(|each| each == "*" || each.strip_prefix("W/").unwrap_or(each) == mark)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_the_marks_is_enough() {
        let mark = "\"abc\"";
        for (list, expected) in [
            ("\"abc\"", true),
            ("W/\"abc\"", true),
            ("\"x\", \"abc\"", true),
            ("*", true),
            ("\"x\"", false),
            ("abc", false),
            ("", false),
        ] {
            let known = vec![HeaderValue::from_str(list).unwrap()];
            assert_eq!(has(&known, mark), expected, "{list}");
        }
        assert!(!has(&[], mark));
    }
}
