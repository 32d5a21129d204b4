//! How accounts and people's bindings stand, as rows for people to read. Nothing is decided from
//! them.

use serde_json::json;
use strongroom_domain::document::Document;
use strongroom_domain::document::Team;
use strongroom_domain::document::team::{Binding, Holder};
use strongroom_domain::event::EventKind;
use strongroom_domain::name::TeamName;
use strongroom_domain::subject::Subject;
use strongroom_plan::desired;
use strongroom_storage::state::BindingState;
use strongroom_vault_model::object::Account;

use crate::error::ExecutorError;
use crate::start::Executor;

/// How one account of a binding stands.
#[derive(Debug, Clone)]
pub(crate) struct Standing {
    pub(crate) state: &'static str,
    pub(crate) reason: Option<String>,
    pub(crate) namespace_uid: Option<String>,
    pub(crate) account_uid: Option<String>,
}

/// The place of a standing: cluster, namespace and account, or a group of people.
type Place = (String, String, String);

fn places(binding: &Binding) -> Vec<Place> {
    match &binding.holder {
        // A group of people is in no cluster.
        Holder::People { group } => vec![(String::new(), String::new(), group.to_string())],
        Holder::Accounts { .. } => desired::accounts(binding).iter().map(place).collect(),
    }
}

fn place(account: &Account) -> Place {
    (account.cluster.to_string(), account.namespace.to_string(), account.account.to_string())
}

impl Executor {
    /// Forgets how accounts stood that the applied document no longer names.
    pub(crate) async fn standings_sweep(&self, team: &TeamName) -> Result<(), ExecutorError> {
        let engine = self.config.engine.id;
        let subject = Subject::Team(team.clone());
        let document = match self.heads.get(&subject) {
            Some(head) => head.document()?,
            None => None,
        };
        let Some(Document::Team(applied)) = document else {
            return Ok(());
        };
        for row in self.store.binding_states_of(engine, team.as_str()).await? {
            let is_named = applied.bindings.iter().any(|binding| {
                binding.name.as_str() == row.binding
                    && places(binding).iter().any(|(cluster, namespace, account)| {
                        (cluster, namespace, account)
                            == (&row.cluster, &row.namespace, &row.account)
                    })
            });
            if is_named {
                continue;
            }
            let detail = json!({
                "binding": row.binding,
                "account": format!("{}/{}/{}", row.cluster, row.namespace, row.account),
                "reason": "the applied document no longer names it",
            });
            let subject = Some(subject.clone());
            let event = self.event(EventKind::AccountDetached, None, subject, detail);
            self.store.binding_state_remove(engine, &row, &[event]).await?;
        }
        Ok(())
    }

    /// How one account stands.
    pub(crate) async fn standing_store(
        &self,
        team: &Team,
        binding: &Binding,
        account: &Account,
        standing: Standing,
    ) -> Result<(), ExecutorError> {
        self.standing_put(team, binding, place(account), standing).await
    }

    /// That every account or group of a binding stands the same.
    pub(crate) async fn standings_all(
        &self,
        team: &Team,
        binding: &Binding,
        state: &'static str,
        why: &str,
    ) -> Result<(), ExecutorError> {
        for place in places(binding) {
            let reason = Some(why.to_owned()).filter(|why| !why.is_empty());
            let standing = Standing { state, reason, namespace_uid: None, account_uid: None };
            self.standing_put(team, binding, place, standing).await?;
        }
        Ok(())
    }

    async fn standing_put(
        &self,
        team: &Team,
        binding: &Binding,
        (cluster, namespace, account): Place,
        standing: Standing,
    ) -> Result<(), ExecutorError> {
        let engine = self.config.engine.id;
        let state = BindingState {
            team: team.name.to_string(),
            binding: binding.name.to_string(),
            cluster,
            namespace,
            account,
            namespace_uid: standing.namespace_uid,
            account_uid: standing.account_uid,
            state: standing.state.to_owned(),
            reason: standing.reason.map(|reason| reason.chars().take(2000).collect()),
            updated_at: self.clock.now(),
        };
        let rows = self.store.binding_states_of(engine, team.name.as_str()).await?;
        let old = rows.iter().find(|row| {
            (&row.binding, &row.cluster, &row.namespace, &row.account)
                == (&state.binding, &state.cluster, &state.namespace, &state.account)
        });
        let unchanged = old.is_some_and(|old| {
            old.state == state.state
                && old.account_uid == state.account_uid
                && old.namespace_uid == state.namespace_uid
                && old.reason == state.reason
        });
        if unchanged {
            return Ok(());
        }
        // Another reason alone happens to nobody: it is shown, and is no event.
        let stands =
            old.is_some_and(|old| old.state == state.state && old.account_uid == state.account_uid);
        let kind = match state.state.as_str() {
            "attached" => EventKind::AccountAttached,
            "suspended" => EventKind::BindingSuspended,
            "ended" => EventKind::BindingEnded,
            _ => EventKind::AccountDetached,
        };
        let shown = match state.cluster.as_str() {
            "" => state.account.clone(),
            _ => format!("{}/{}/{}", state.cluster, state.namespace, state.account),
        };
        let detail = json!({
            "binding": state.binding,
            "account": shown,
            "accountUid": state.account_uid,
            "namespaceUid": state.namespace_uid,
            "reason": state.reason,
        });
        let event = self.event(kind, None, Some(Subject::Team(team.name.clone())), detail);
        let events = if stands { Vec::new() } else { vec![event] };
        self.store.binding_state_put(engine, &state, &events).await?;
        Ok(())
    }
}
