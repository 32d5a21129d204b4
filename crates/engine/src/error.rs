//! What can come of a call, told apart by what the caller may do next.

use std::fmt;
use std::time::Duration;

use crate::client::Method;

/// A call that did not succeed.
#[derive(Debug)]
pub struct EngineError {
    /// What happened.
    pub failure: Failure,
    /// The path with tenants' names taken out.
    pub template: &'static str,
    /// What was being done there, once it was tried.
    pub operation: Option<Method>,
    /// The engine's id of the request, where it told one.
    pub request_id: Option<String>,
    /// Our own id of a write, by which the engine's audit log is searched after an unknown outcome.
    pub write_id: Option<String>,
}

/// The ways a call fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The path was not canonical; nothing was sent.
    BadPath,
    /// No connection, so nothing was sent; or a read whose connection broke.
    Unreachable(String),
    /// A read that was not answered in time.
    TimedOut(String),
    /// Sent, and no answer: it may have happened. Read back before anything else.
    UnknownOutcome(String),
    /// The engine is sealed.
    Sealed,
    /// The engine is not initialised.
    NotInitialized,
    /// This node is a standby and does not serve the call.
    Standby,
    /// There is no such thing.
    NotFound,
    /// There was a value, and its newest version is deleted. Not the same as never having been.
    Deleted,
    /// The token may not do this, or is no longer good.
    Denied,
    /// The engine refuses the request as wrong.
    Invalid(Vec<String>),
    /// A check-and-set did not match: somebody else wrote.
    CasMismatch,
    /// Too many requests.
    RateLimited(Option<Duration>),
    /// The engine failed.
    Server(u16),
    /// The engine knows no vault namespaces and would answer with the root namespace's data.
    NamespaceIgnored,
    /// It could land after the moment until which changes may be sent; nothing was sent.
    TooLate,
    /// The answer is not one of an engine: a redirect, no JSON, too large.
    Malformed(String),
}

impl EngineError {
    /// A failure at a path.
    pub fn new(failure: Failure, template: &'static str) -> Self {
        Self { failure, template, operation: None, request_id: None, write_id: None }
    }

    /// Whether the object is not there.
    pub fn is_not_found(&self) -> bool {
        self.failure == Failure::NotFound
    }

    /// Whether the engine refused it, and each of its sentences says this.
    pub fn is_refused_with(&self, says: impl Fn(&str) -> bool) -> bool {
        match &self.failure {
            Failure::Invalid(errors) => {
                !errors.is_empty() && errors.iter().all(|error| says(error))
            }
            _ => false,
        }
    }

    /// Whether the write may have happened all the same.
    pub fn is_unknown_outcome(&self) -> bool {
        matches!(
            self.failure,
            Failure::UnknownOutcome(_) | Failure::Malformed(_) | Failure::Server(_)
        )
    }

    /// Whether the engine refused the request as wrong, so that nothing was done.
    pub fn is_refused(&self) -> bool {
        matches!(self.failure, Failure::Invalid(_))
    }

    /// Whether trying again later can help, with nothing changed by us.
    pub fn is_temporary(&self) -> bool {
        matches!(
            self.failure,
            Failure::Unreachable(_)
                | Failure::TimedOut(_)
                | Failure::UnknownOutcome(_)
                | Failure::Sealed
                | Failure::Standby
                | Failure::RateLimited(_)
                | Failure::Server(_)
        )
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::BadPath => f.write_str("the path is not in canonical form; nothing was sent"),
            Failure::TooLate => f.write_str("it is too late to send this; nothing was sent"),
            Failure::Unreachable(why) => write!(f, "the engine cannot be reached ({why})"),
            Failure::TimedOut(why) => write!(f, "no answer in time ({why})"),
            Failure::UnknownOutcome(why) => {
                write!(f, "no answer after sending ({why}); it may have happened")
            }
            Failure::Sealed => f.write_str("the engine is sealed; unseal it, writes resume alone"),
            Failure::NotInitialized => f.write_str("the engine is not initialised"),
            Failure::Standby => f.write_str("this node is a standby"),
            Failure::NotFound => f.write_str("there is no such thing"),
            Failure::Deleted => f.write_str("its newest version is deleted"),
            Failure::Denied => f.write_str("permission denied"),
            Failure::Invalid(errors) => write!(f, "refused: {}", errors.join("; ")),
            Failure::CasMismatch => f.write_str("check-and-set did not match: somebody else wrote"),
            Failure::RateLimited(_) => f.write_str("too many requests"),
            Failure::Server(status) => write!(f, "the engine failed with status {status}"),
            Failure::NamespaceIgnored => {
                f.write_str("the engine knows no vault namespaces and ignores the one it is given")
            }
            Failure::Malformed(why) => write!(f, "the answer is not one of an engine ({why})"),
        }
    }
}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.operation {
            Some(operation) => write!(f, "{operation} {} in the engine: ", self.template),
            None => write!(f, "engine call {}: ", self.template),
        }?;
        self.failure.fmt(f)?;
        if let Some(id) = &self.request_id {
            write!(f, " [request {id}]")?;
        }
        Ok(())
    }
}

impl std::error::Error for EngineError {}
