//! Why a pass over one subject or request stopped, and whether to come back.

use strongroom_config::ConfigError;
use strongroom_engine::EngineError;
use strongroom_engine::error::Failure;
use strongroom_plan::Refusal;
use strongroom_storage::StorageError;

/// A pass stopped.
#[derive(Debug, thiserror::Error)]
pub enum ExecutorError {
    /// The configuration or the floor file cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The start was refused; the sentence says what to do.
    #[error("{0}")]
    Refused(String),
    /// The database failed.
    #[error("the database: {}", chain(.0))]
    Storage(StorageError),
    /// The engine failed.
    #[error(transparent)]
    Engine(EngineError),
    /// Something is not there yet; the request waits and says so.
    #[error("{0}")]
    Wait(String),
    /// What the request was made from has changed.
    #[error("{0}")]
    Superseded(String),
    /// An object is neither as before nor as after; a person has to look.
    #[error("{0}")]
    Stopped(String),
    /// This process is no longer the one that may write.
    #[error("the lease is lost")]
    LeaseLost,
    /// An act that was counted does not count any more: the floor file has changed or time has gone
    /// by.
    #[error("{who}'s signature does not count any more: {why}")]
    Lapsed {
        /// Who signed, as the receipt says.
        who: String,
        /// The rule that it does not meet now.
        why: String,
    },
    /// A row is not what only an honest writer stores.
    #[error("a stored row is not believed: {0}")]
    Hostile(String),
}

impl ExecutorError {
    /// Why it failed for good; what may yet succeed, or may have happened, is given back.
    pub(crate) fn for_good(self) -> Result<String, Self> {
        match self {
            Self::Stopped(why) => Ok(why),
            Self::Engine(error) if !error.is_temporary() => Ok(error.to_string()),
            error => Err(error),
        }
    }
}

/// An error with what caused it: this one ends in logs and in sentences, where nobody walks sources.
fn chain(error: &StorageError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

impl From<EngineError> for ExecutorError {
    fn from(error: EngineError) -> Self {
        match error.failure {
            // The window of the session closes with the lease.
            Failure::TooLate => Self::LeaseLost,
            _ => Self::Engine(error),
        }
    }
}

impl From<StorageError> for ExecutorError {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::LeaseLost => Self::LeaseLost,
            error => Self::Storage(error),
        }
    }
}

impl From<Refusal> for ExecutorError {
    fn from(refusal: Refusal) -> Self {
        Self::Wait(refusal.to_string())
    }
}

impl From<Vec<Refusal>> for ExecutorError {
    fn from(refusals: Vec<Refusal>) -> Self {
        let sentences: Vec<String> = refusals.iter().map(ToString::to_string).collect();
        Self::Wait(sentences.join("; "))
    }
}
