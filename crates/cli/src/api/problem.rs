//! From problem+json (RFC 9457) to a sentence and an exit code.

use reqwest::StatusCode;
use serde::Deserialize;

use crate::exit::Exit;
use crate::failure::Failure;

/// The problem as the API tells it. Anything may be missing: a proxy may have answered.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Problem {
    title: String,
    detail: String,
    code: String,
    hint: String,
    errors: Vec<FieldError>,
    trace_id: String,
}

/// One fault in what was sent.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct FieldError {
    pointer: String,
    message: String,
}

/// The code of a plan that the executor has not frozen yet.
pub const PLAN_NOT_FROZEN: &str = "plan_not_frozen";

impl Problem {
    /// The failure that this problem is for the person.
    pub fn into_failure(self, what: &str, status: StatusCode) -> Failure {
        let mut failure = Failure::new(self.exit(status), what);
        let sentence = [&self.detail, &self.title].into_iter().find(|text| !text.is_empty());
        failure = match sentence {
            Some(sentence) => failure.because(sentence),
            None => failure.because(format!("the server answered {status}")),
        };
        let faults = self.errors.iter();
        failure.faults =
            faults.map(|error| (error.pointer.clone(), error.message.clone())).collect();
        if status.is_server_error() && !self.trace_id.is_empty() {
            failure = failure.because(format!("trace {}", self.trace_id));
        }
        // The hint of a fault is written for programs that send bodies.
        let hint = match status {
            StatusCode::UNPROCESSABLE_ENTITY if !failure.faults.is_empty() => {
                Some("correct it; docs/documents.md has every field, with examples".to_owned())
            }
            _ => Some(self.hint).filter(|hint| !hint.is_empty()),
        };
        match hint.or_else(|| own_hint(status)) {
            Some(hint) => failure.next(hint),
            None => failure,
        }
    }

    fn exit(&self, status: StatusCode) -> Exit {
        if self.code == PLAN_NOT_FROZEN {
            return Exit::Waiting;
        }
        match status {
            StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => Exit::Usage,
            StatusCode::UNAUTHORIZED => Exit::LoginNeeded,
            StatusCode::FORBIDDEN => Exit::Denied,
            StatusCode::NOT_FOUND => Exit::NotFound,
            StatusCode::CONFLICT
            | StatusCode::PRECONDITION_FAILED
            | StatusCode::PRECONDITION_REQUIRED => Exit::Conflict,
            StatusCode::REQUEST_TIMEOUT | StatusCode::GATEWAY_TIMEOUT => Exit::TimedOut,
            _ => Exit::Failed,
        }
    }
}

fn own_hint(status: StatusCode) -> Option<String> {
    let hint = match status {
        StatusCode::UNAUTHORIZED => "run `strongroom login`",
        StatusCode::NOT_FOUND => {
            "check the name; what you may not see is answered like what is not there"
        }
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => "try again in a moment",
        _ => return None,
    };
    Some(hint.to_owned())
}
