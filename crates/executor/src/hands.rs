//! What hands did to the entities of service accounts: rights or another login put into one.
//!
//! All of them are looked at, in turns, for the engine's log names an entity by an id that nobody
//! keeps. Such an entity is deleted, for it may not be written to, and made anew by the next look at
//! the bindings.

use std::collections::BTreeSet;
use std::time::Instant;

use serde_json::Value;
use strongroom_domain::document::Document;
use strongroom_engine::identity::Entity;
use strongroom_plan::desired;
use strongroom_vault_model::object::Account;

use crate::error::ExecutorError;
use crate::finding::{Severity, finding};
use crate::start::Executor;
use crate::sweep::TURN;

/// How many entities are read side by side.
const SIDE_BY_SIDE: usize = 8;

/// Accounts whose entities are still to be looked at.
#[derive(Debug, Default)]
pub(crate) struct EntitiesDue {
    rest: Vec<Account>,
    /// Who is the reason for it.
    culprit: Option<String>,
    /// All are looked at, once more if they are just being.
    is_doubted: bool,
    doubted_by: Option<String>,
    /// How often a look at all has begun, and which of them was the last to end.
    begun: u64,
    ended: u64,
}

impl EntitiesDue {
    /// The look that begins next.
    pub(crate) fn next(&self) -> u64 {
        self.begun + 1
    }

    /// Whether that look is over.
    pub(crate) fn is_over(&self, look: u64) -> bool {
        self.ended >= look
    }
}

impl Executor {
    /// Some entity may have been changed by hand.
    pub(crate) fn entities_doubt(&mut self, who: Option<String>) {
        self.drift.entities.is_doubted = true;
        self.drift.entities.doubted_by = who;
    }

    /// Looks at the entities that may have been changed, for a turn.
    pub(crate) async fn entities_turn(&mut self) -> Result<(), ExecutorError> {
        let begun = Instant::now();
        if self.drift.entities.rest.is_empty() && self.drift.entities.is_doubted {
            let rest = self.accounts_bound();
            let due = &mut self.drift.entities;
            (due.rest, due.culprit) = (rest, due.doubted_by.take());
            due.is_doubted = false;
            due.begun += 1;
        }
        while !self.drift.entities.rest.is_empty() && begun.elapsed() < TURN {
            self.lease_keep().await?;
            let left = self.drift.entities.rest.len().saturating_sub(SIDE_BY_SIDE);
            let some = self.drift.entities.rest.split_off(left);
            let read = some.iter().map(|account| self.entity_of(account));
            let read = futures::future::try_join_all(read).await?;
            for (account, entity) in some.iter().zip(read) {
                if let Some(entity) = entity {
                    self.entity_look(account, &entity).await?;
                }
            }
        }
        if self.drift.entities.rest.is_empty() {
            self.drift.entities.ended = self.drift.entities.begun;
        }
        Ok(())
    }

    /// Every account that an applied document binds.
    fn accounts_bound(&self) -> Vec<Account> {
        let mut accounts = BTreeSet::new();
        for head in self.heads.values() {
            if let Ok(Some(Document::Team(team))) = head.document() {
                accounts.extend(team.bindings.iter().flat_map(desired::accounts));
            }
        }
        accounts.into_iter().collect()
    }

    async fn entity_look(
        &mut self,
        account: &Account,
        entity: &Entity,
    ) -> Result<(), ExecutorError> {
        let is_ours = entity.metadata.get("owner").and_then(Value::as_str);
        let uid = entity.metadata.get("uid").and_then(Value::as_str).unwrap_or_default();
        let Ok(accessor) = self.accessor(&account.cluster).await else { return Ok(()) };
        let is_own =
            entity.aliases.iter().all(|each| each.name == uid && each.mount_accessor == accessor);
        if is_ours != Some(self.mark.as_str())
            || (entity.policies.is_empty() && is_own && entity.aliases.len() <= 1)
        {
            return Ok(());
        }
        let name = account.entity_name();
        let text = format!(
            "the entity {name} was given policies or another login by hand; it is deleted, and its \
             workload logs in again"
        );
        let next = "find out who did it, and why";
        let mut found = finding("entity", &name, Severity::Alarm, text, next);
        found.object = Some(format!("entity {name}"));
        found.culprit.clone_from(&self.drift.entities.culprit);
        let key = found.key.clone();
        self.found(found).await?;
        self.entity_end(account, "somebody put more into it").await?;
        self.attached.doubt_all();
        self.resolved(&key).await
    }
}
