//! Local orders: what somebody on the executor's host asks for when the provider is down.
//!
//! They only narrow, let a removal go on that the brake held back, or end an alarm. They come as files in the
//! state directory, which nobody else can write, and are answered beside them.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::json;
use strongroom_domain::event::{Actor, EventKind};
use strongroom_domain::hold::{HeldBy, Target};

use crate::error::ExecutorError;
use crate::start::Executor;

/// What can be ordered locally.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "order", deny_unknown_fields, rename_all = "kebab-case")]
pub enum LocalOrder {
    /// Make something stand still.
    Suspend {
        /// What.
        target: Target,
        /// Why.
        reason: String,
    },
    /// Let removals go on that the brake held back.
    ReleaseBrake {
        /// Why.
        reason: String,
    },
    /// Say that what was done by hand to the people's login has been looked at.
    Acknowledge {
        /// What was found.
        reason: String,
    },
}

/// The answer to an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderAnswer {
    /// Whether it was carried out.
    pub done: bool,
    /// What happened.
    pub text: String,
}

/// Puts an order before the executor that uses this state directory; gives the file in which its
/// answer will be.
pub fn order_leave(state_dir: &Path, order: &LocalOrder) -> std::io::Result<PathBuf> {
    let dir = state_dir.join("orders");
    std::fs::create_dir_all(&dir)?;
    let id = uuid::Uuid::now_v7();
    let (draft, file) = (dir.join(format!("{id}.draft")), dir.join(format!("{id}.order")));
    std::fs::write(&draft, serde_json::to_vec(order)?)?;
    std::fs::rename(draft, file)?;
    Ok(dir.join(format!("{id}.answer")))
}

impl Executor {
    /// Carries out what was ordered since the last look, in order.
    pub(crate) async fn orders_take(&mut self) -> Result<(), ExecutorError> {
        let dir = self.config.state_dir.join("orders");
        let Ok(entries) = std::fs::read_dir(&dir) else {
            return Ok(());
        };
        let mut files: Vec<PathBuf> = entries
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "order"))
            .collect();
        files.sort();
        for file in files {
            let answer = match self.order_take(&file).await {
                Ok(text) => OrderAnswer { done: true, text },
                Err(ExecutorError::Wait(text) | ExecutorError::Stopped(text)) => {
                    OrderAnswer { done: false, text }
                }
                // It stays and is tried again.
                Err(error) => return Err(error),
            };
            let written = serde_json::to_vec(&answer)
                .map_err(std::io::Error::other)
                .and_then(|bytes| std::fs::write(file.with_extension("answer"), bytes))
                .and_then(|()| std::fs::remove_file(&file));
            if let Err(error) = written {
                tracing::error!(%error, file = %file.display(), "answer a local order");
            }
        }
        Ok(())
    }

    async fn order_take(&mut self, file: &Path) -> Result<String, ExecutorError> {
        let wrong =
            |error: &dyn std::fmt::Display| ExecutorError::Wait(format!("the order: {error}"));
        let bytes = std::fs::read(file).map_err(|error| wrong(&error))?;
        let order: LocalOrder = serde_json::from_slice(&bytes).map_err(|error| wrong(&error))?;
        match order {
            LocalOrder::Suspend { target, reason } => {
                self.hold_make(&target, HeldBy::Operator, &reason, Actor::Operator).await?;
                Ok(format!("{target} is held; a request with --lift {target} lifts it"))
            }
            LocalOrder::ReleaseBrake { reason } => {
                self.brake_release();
                let detail = json!({ "reason": reason });
                let event =
                    self.event_by(Actor::Operator, EventKind::BrakeReleased, None, None, detail);
                self.store.event_append(&[event]).await?;
                Ok("removals go on for an hour".to_owned())
            }
            LocalOrder::Acknowledge { reason } => self.people_login_acknowledge(&reason).await,
        }
    }
}
