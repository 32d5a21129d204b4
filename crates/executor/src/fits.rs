//! Whether heads fit into the engine's storage: asked before anybody signs, and before each write.
//!
//! A write that the storage refuses may not be tried for ever: it would load every head anew each
//! time.

use serde_json::Value;
use strongroom_domain::head::Head;
use strongroom_plan::Plan;

use crate::error::ExecutorError;
use crate::start::Executor;

/// The most bytes of a stored head: the raft storage takes 1 MiB in an entry.
const MOST: usize = 1_000_000;

/// What is kept free of it for holds.
const ROOM: usize = 100_000;

impl Executor {
    /// Whether the heads can be stored while the plan is carried out.
    pub(crate) fn heads_would_fit(
        &self,
        plan: &Plan,
        canonical: &[u8],
    ) -> Result<(), ExecutorError> {
        let hash = Plan::hash_of(canonical);
        for (place, planned) in plan.documents.iter().enumerate() {
            let known = self.heads.get(&planned.subject).map(|head| head.head.clone());
            let mut head =
                known.unwrap_or_else(|| Head::new(self.floor.deployment, planned.subject.clone()));
            let target = plan.target(hash, place, head.applied.as_ref());
            head.begin(target, String::from_utf8_lossy(canonical).into_owned());
            if measured(&head)?.1 > MOST - ROOM {
                return Err(ExecutorError::Wait(format!(
                    "the document of {} is larger than the engine can keep; withdraw the request and \
                     split it",
                    planned.subject
                )));
            }
        }
        Ok(())
    }
}

/// The value to store.
pub(crate) fn stored(head: &Head) -> Result<Value, ExecutorError> {
    let (value, bytes) = measured(head)?;
    if bytes > MOST {
        return Err(ExecutorError::Stopped(format!(
            "the head of {} would be larger than the engine stores",
            head.subject
        )));
    }
    Ok(value)
}

fn measured(head: &Head) -> Result<(Value, usize), ExecutorError> {
    head.to_stored().map_err(|error| ExecutorError::Stopped(error.to_string()))
}
