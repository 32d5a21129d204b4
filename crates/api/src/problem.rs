//! Outcomes as problem+json (RFC 9457).
//!
//! A problem travels in the response's extensions; the outermost layer writes it with the trace id
//! and logs its private cause once. So no handler can show a cause by mistake.

use std::sync::Arc;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use strongroom_app::error::Cause;
use strongroom_app::{AppError, FieldFault};
use strongroom_domain::document::reader::is_unsafe_in_text;

/// An outcome that is not the one asked for.
#[derive(Debug)]
pub struct Problem(Box<Parts>);

#[derive(Debug)]
struct Parts {
    status: StatusCode,
    code: &'static str,
    title: &'static str,
    detail: String,
    hint: String,
    errors: Vec<FieldFault>,
    cause: Option<Cause>,
    retry_after: Option<u64>,
}

impl Problem {
    /// A problem without field errors.
    pub fn new(
        status: StatusCode,
        code: &'static str,
        title: &'static str,
        detail: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self(Box::new(Parts {
            status,
            code,
            title,
            detail: detail.into(),
            hint: hint.into(),
            errors: Vec::new(),
            cause: None,
            retry_after: None,
        }))
    }

    /// Nobody is signed in.
    pub fn unauthenticated() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "unauthenticated",
            "Not signed in",
            "there is no live session and no live machine for this request",
            "run `strongroom login`; a key or token of a machine has ended, or was never one \
             (`strongroom get machines` as its owner)",
        )
    }

    /// The sign-in did not lead to a session.
    pub fn sign_in_refused(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "sign_in_refused",
            "Sign-in refused",
            detail,
            "begin a new sign-in",
        )
    }

    /// What is not there and what may not be seen: the same words.
    pub fn not_found() -> Self {
        AppError::NotFound.into()
    }

    /// The body is not JSON of the right kind.
    pub fn malformed(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "malformed",
            "Malformed request",
            detail,
            "send what the API's description says",
        )
    }

    /// One fault in what was sent.
    pub fn invalid(pointer: &str, message: impl Into<String>) -> Self {
        AppError::invalid(pointer, message).into()
    }

    /// The same problem with its private cause.
    pub(crate) fn caused_by(mut self, cause: impl Into<Cause>) -> Self {
        self.0.cause = Some(cause.into());
        self
    }

    /// The same problem, with the seconds after which it is over.
    pub(crate) fn retried_after(mut self, seconds: u64) -> Self {
        self.0.retry_after = Some(seconds);
        self
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.0.status
    }

    pub(crate) fn code(&self) -> &'static str {
        self.0.code
    }

    /// The private cause and everything behind it, for the log.
    pub(crate) fn cause_chain(&self) -> Option<String> {
        let mut text = String::new();
        let mut next: Option<&dyn std::error::Error> = Some(&**self.0.cause.as_ref()?);
        while let Some(error) = next {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&error.to_string());
            next = error.source();
        }
        Some(text)
    }

    /// The body, with the id by which the log is searched.
    pub(crate) fn body(&self, trace_id: &str) -> Value {
        let errors: Vec<Value> = self
            .0
            .errors
            .iter()
            .map(|fault| json!({ "pointer": fault.pointer, "message": one_line(&fault.message) }))
            .collect();
        json!({
            "type": format!("urn:strongroom:problem:{}", self.0.code),
            "title": self.0.title,
            "status": self.0.status.as_u16(),
            "code": self.0.code,
            "detail": one_line(&self.0.detail),
            "hint": self.0.hint,
            "errors": errors,
            "traceId": trace_id,
        })
    }
}

/// A sentence that may quote what was sent: what would end its line, or show something else than what is
/// there, is shown as a sign of its own.
fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if is_unsafe_in_text(c) { char::REPLACEMENT_CHARACTER } else { c })
        .collect()
}

impl From<AppError> for Problem {
    fn from(error: AppError) -> Self {
        let detail = error.to_string();
        let hint = error.hint().unwrap_or_default().to_owned();
        let (status, code, title) = match &error {
            AppError::NotFound => (StatusCode::NOT_FOUND, "not_found", "Not found"),
            AppError::NotYet { code, .. } => (StatusCode::NOT_FOUND, *code, "Not there yet"),
            AppError::Forbidden { .. } => (StatusCode::FORBIDDEN, "forbidden", "Not allowed"),
            AppError::Conflict { .. } => (StatusCode::CONFLICT, "conflict", "In conflict"),
            AppError::Invalid(_) => (StatusCode::UNPROCESSABLE_ENTITY, "invalid", "Not valid"),
            AppError::Precondition { .. } => {
                (StatusCode::SERVICE_UNAVAILABLE, "not_ready", "Not ready")
            }
            AppError::Unavailable { .. } => {
                (StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Not available")
            }
            AppError::Internal(_) => {
                (StatusCode::INTERNAL_SERVER_ERROR, "internal", "Something went wrong")
            }
        };
        let mut problem = Self::new(status, code, title, detail, hint);
        match error {
            AppError::Invalid(faults) => problem.0.errors = faults,
            AppError::Internal(cause) => problem.0.cause = Some(cause),
            AppError::Unavailable { cause, .. } => problem.0.cause = cause,
            _ => {}
        }
        problem
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.0.status.into_response();
        if self.0.status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        }
        let unavailable = (self.0.status == StatusCode::SERVICE_UNAVAILABLE).then_some(5);
        if let Some(seconds) = self.0.retry_after.or(unavailable) {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

/// The operating system gave no random bytes: nothing that must be secret can be made.
pub(crate) fn no_randomness(_: impl std::fmt::Debug) -> Problem {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "unavailable",
        "Not available",
        "the operating system gave no randomness",
        "try again in a moment",
    )
}
