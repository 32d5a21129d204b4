//! The one error of the use cases: what the caller may do next, in words for people, and apart from
//! it the private cause for the log.

use std::error::Error;

use strongroom_domain::document::Fault;
use strongroom_storage::StorageError;

/// Something wrong with what was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldFault {
    /// JSON pointer into the request's body.
    pub pointer: String,
    /// What is wrong and what would be right.
    pub message: String,
}

impl FieldFault {
    /// A fault at a place.
    pub fn new(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), message: message.into() }
    }

    /// A document's fault, where the document stands at `base` in the body.
    pub fn of_document(base: &str, fault: Fault) -> Self {
        Self { pointer: format!("{base}{}", fault.pointer), message: fault.message }
    }
}

/// The private cause of an error. It is logged once, at the edge, and never shown.
pub type Cause = Box<dyn Error + Send + Sync>;

/// Why an operation did not happen.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// There is no such thing, or the caller may not see it; the two are never told apart.
    #[error("there is no such thing, or you may not see it")]
    NotFound,
    /// It will be there, but is not yet.
    #[error("{message}")]
    NotYet {
        /// A stable word.
        code: &'static str,
        /// What is missing.
        message: String,
        /// What to do next.
        hint: &'static str,
    },
    /// Visible, and not allowed.
    #[error("{message}")]
    Forbidden {
        /// What is not allowed.
        message: String,
        /// Who could.
        hint: String,
    },
    /// Something else stands in the way.
    #[error("{message}")]
    Conflict {
        /// What.
        message: String,
        /// What to do next.
        hint: String,
    },
    /// What was sent is not right; every fault at once.
    #[error("what was sent cannot be taken as it is")]
    Invalid(Vec<FieldFault>),
    /// It is not the time for it, such as before the executor ever ran.
    #[error("{message}")]
    Precondition {
        /// What is missing.
        message: String,
        /// What to do next.
        hint: String,
    },
    /// A part that is needed does not answer.
    #[error("{message}")]
    Unavailable {
        /// Which.
        message: String,
        /// Why.
        #[source]
        cause: Option<Cause>,
    },
    /// A fault of ours.
    #[error("something went wrong here")]
    Internal(#[source] Cause),
}

impl AppError {
    /// A conflict with what to do next.
    pub fn conflict(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Conflict { message: message.into(), hint: hint.into() }
    }

    /// A refusal with who could.
    pub fn forbidden(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Forbidden { message: message.into(), hint: hint.into() }
    }

    /// One fault in what was sent.
    pub fn invalid(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldFault::new(pointer, message)])
    }

    /// A row holds what it cannot hold.
    pub(crate) fn corrupt(what: &'static str) -> Self {
        Self::Internal(format!("a stored {what} cannot be read").into())
    }

    /// What to do next, where there is something.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::NotFound => Some("check the name, and whether you belong to the team"),
            Self::NotYet { hint, .. } => Some(hint),
            Self::Forbidden { hint, .. }
            | Self::Conflict { hint, .. }
            | Self::Precondition { hint, .. } => Some(hint),
            Self::Invalid(_) => Some("correct what `errors` names and send it again"),
            Self::Unavailable { .. } => Some("try again in a moment"),
            Self::Internal(_) => Some("tell the platform team the trace id"),
        }
    }
}

impl From<StorageError> for AppError {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::NotFound => Self::NotFound,
            StorageError::Conflict(message) => Self::conflict(message, "look at what is there"),
            StorageError::Stale => Self::conflict(
                "somebody else changed it in the meantime",
                "read it again and repeat what you did",
            ),
            StorageError::AlreadyUsed(what) => {
                Self::conflict(format!("{what} was used before"), "start again with a new one")
            }
            StorageError::TooManyOpen(most) => Self::conflict(
                format!(
                    "you have {most} open requests, which is as many as one person, or all machines \
                     of one team, may have"
                ),
                "withdraw those that are not needed any more (`strongroom withdraw <id>`; a machine's \
                 are rejected by who votes), or wait until some are decided",
            ),
            StorageError::Schema(message) => Self::Unavailable { message, cause: None },
            StorageError::Database(_) => Self::Unavailable {
                message: "the database does not answer as it should".to_owned(),
                cause: Some(Box::new(error)),
            },
            StorageError::Corrupt { .. } | StorageError::LeaseLost => {
                Self::Internal(Box::new(error))
            }
        }
    }
}
