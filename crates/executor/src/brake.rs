//! The brake: removals that follow from what is observed stop by themselves when there are too many
//! of them, because a mistake in what is observed looks just like that.
//!
//! What is held back keeps the rights it had; a newcomer under an old name has none in any case,
//! since rights hang on UIDs. What people signed is never held back.

use std::collections::{BTreeSet, VecDeque};

use jiff::{SignedDuration, Timestamp};
use strongroom_vault_model::policy::PolicyName;

use crate::error::ExecutorError;
use crate::finding::{Severity, finding};
use crate::start::Executor;

/// Removals of the last hour, and what is held back.
#[derive(Debug, Default)]
pub(crate) struct Brake {
    done: VecDeque<(Timestamp, PolicyName)>,
    held_back: BTreeSet<PolicyName>,
    released_until: Option<Timestamp>,
}

/// How long removals are counted together, and how long a release lasts.
const WINDOW: SignedDuration = SignedDuration::from_hours(1);

impl Executor {
    /// Whether one more binding may lose its rights because of what is observed.
    pub(crate) fn brake_allows(&mut self, name: &PolicyName) -> bool {
        let now = self.clock.now();
        let since = now.checked_sub(WINDOW).unwrap_or(now);
        while self.brake.done.front().is_some_and(|(at, _)| *at < since) {
            self.brake.done.pop_front();
        }
        let released = self.brake.released_until.is_some_and(|until| now < until);
        let counted = self.brake.done.iter().any(|(_, done)| done == name);
        if !released && !counted && self.brake.done.len() >= self.brake_limit() {
            self.brake.held_back.insert(name.clone());
            return false;
        }
        if !counted {
            self.brake.done.push_back((now, name.clone()));
        }
        self.brake.held_back.remove(name);
        true
    }

    /// The number of removals at which the brake holds: a count or a share, whichever is more.
    fn brake_limit(&self) -> usize {
        let bindings = self.places.bindings();
        let share = bindings.saturating_mul(usize::from(self.config.brake.share_percent)) / 100;
        share.max(usize::try_from(self.config.brake.count).unwrap_or(usize::MAX))
    }

    /// Tells what is held back, or that nothing is any more.
    pub(crate) async fn brake_tell(&mut self) -> Result<(), ExecutorError> {
        let mut found = Vec::new();
        if !self.brake.held_back.is_empty() {
            let names: Vec<String> =
                self.brake.held_back.iter().take(20).map(ToString::to_string).collect();
            let text = format!(
                "{} bindings would lose their rights because of what the clusters and the clock \
                 say, {} already did within the hour; the rest is held back: {}",
                self.brake.held_back.len(),
                self.brake.done.len(),
                names.join(", ")
            );
            found.push(finding(
                "brake",
                "removals",
                Severity::Alarm,
                text,
                "find out whether the namespaces are really other ones; if they are, run \
                 `strongroom execute --config FILE release-brake` on the executor's host",
            ));
        }
        self.settle("brake", found).await
    }

    /// Lets removals go on for an hour.
    pub(crate) fn brake_release(&mut self) {
        let now = self.clock.now();
        self.brake.released_until = now.checked_add(WINDOW).ok();
        self.brake.held_back.clear();
    }
}
