//! The standing orders about service accounts: attach inside the pinned namespace, suspend when
//! the namespace is another, take an entity away when its account's UID is gone.
//!
//! What decides is read live. An account that cannot be read changes nothing: it keeps what it has
//! and gets nothing new. Aliases are never moved, entities are never disabled, and one that was
//! taken away is never given rights again.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use strongroom_domain::document::team::{Binding, Holder};
use strongroom_domain::document::{Document, Team};
use strongroom_domain::event::EventKind;
use strongroom_domain::name::TeamName;
use strongroom_domain::subject::Subject;
use strongroom_engine::sys;
use strongroom_kubernetes::{InventoryState, Settled};
use strongroom_plan::desired;
use strongroom_storage::state::BindingState;
use strongroom_vault_model::name::ClusterName;
use strongroom_vault_model::object::{Account, ObjectKey, fingerprint};
use strongroom_vault_model::path::auth_mount;
use strongroom_vault_model::policy::PolicyName;
use strongroom_vault_model::wire;

use crate::error::ExecutorError;
use crate::record::{Write, Written};
use crate::start::Executor;

/// What was last made true for each binding, so that a quiet cluster costs nothing.
#[derive(Debug, Default)]
pub(crate) struct Attached {
    seen: BTreeMap<PolicyName, Seen>,
    /// Whether something could not be made true and has to be tried again soon.
    pub(crate) is_pending: bool,
}

/// Namespace UID and account UIDs as the inventory showed them.
type Seen = (Option<String>, BTreeMap<Account, Option<String>>);

impl Attached {
    /// Everything is looked at again.
    pub(crate) fn forget_all(&mut self) {
        self.seen.clear();
        self.is_pending = true;
    }

    /// Everything of one team is looked at again.
    pub(crate) fn forget(&mut self, team: &TeamName) {
        self.seen.retain(|name, _| name.team() != team);
        self.is_pending = true;
    }
}

/// How one account of a binding stands.
#[derive(Debug, Clone)]
struct Standing {
    state: &'static str,
    reason: Option<String>,
    namespace_uid: Option<String>,
    account_uid: Option<String>,
}

impl Executor {
    /// Looks at every binding whose accounts or namespace changed since it was last looked at.
    pub(crate) async fn accounts_keep(&mut self) -> Result<(), ExecutorError> {
        let mut teams = Vec::new();
        for head in self.heads.values() {
            // While a plan is being applied its own steps decide.
            if head.head.applying.is_some() {
                continue;
            }
            let document = match head.document() {
                Ok(document) => document,
                Err(error) => {
                    tracing::error!(subject = %head.head.subject, %error, "its accounts are left alone");
                    continue;
                }
            };
            if let (Some(Document::Team(team)), Some(applied)) = (document, &head.head.applied) {
                teams.push((*team, applied.pins.clone()));
            }
        }
        self.attached.is_pending = false;
        for (team, pins) in teams {
            for binding in &team.bindings {
                let name = PolicyName::Binding(team.name.clone(), binding.name.clone());
                let Some(seen) = self.seen(binding) else {
                    continue;
                };
                if self.attached.seen.get(&name) == Some(&seen) {
                    continue;
                }
                // One binding that cannot be kept stops no other.
                match self.binding_keep(&team, binding, &name, &pins).await {
                    Ok(true) => {
                        self.attached.seen.insert(name, seen);
                    }
                    Ok(false) => self.attached.is_pending = true,
                    Err(ExecutorError::LeaseLost) => return Err(ExecutorError::LeaseLost),
                    Err(error) => tracing::warn!(binding = %name, %error, "binding is not kept"),
                }
            }
        }
        Ok(())
    }

    /// What the inventory shows of a binding; `None` while the cluster is unknown.
    fn seen(&self, binding: &Binding) -> Option<Seen> {
        let Holder::Accounts { cluster, namespace, .. } = &binding.holder else {
            return None;
        };
        let state = self.clusters.get(cluster)?.inventory.borrow();
        let InventoryState::Known(inventory) = &*state else {
            return None;
        };
        let uid = inventory.namespaces.get(namespace.as_str()).cloned();
        let accounts = desired::accounts(binding).into_iter().map(|account| {
            let key = (namespace.to_string(), account.account.to_string());
            let uid = inventory.accounts.get(&key).cloned();
            (account, uid)
        });
        Some((uid, accounts.collect()))
    }

    /// Makes one binding's members what they must be. `false`: something was unknown, look again.
    async fn binding_keep(
        &mut self,
        team: &Team,
        binding: &Binding,
        name: &PolicyName,
        pins: &BTreeMap<String, String>,
    ) -> Result<bool, ExecutorError> {
        let Holder::Accounts { cluster, namespace, .. } = &binding.holder else {
            return Ok(true);
        };
        let Some(pin) = pins.get(&format!("{cluster}/{namespace}")) else {
            return Ok(true);
        };
        let Some(watched) = self.clusters.get(cluster) else {
            return Ok(false);
        };
        let reader = watched.cluster.clone();
        let accessor = self.accessor(cluster).await?;
        let mut members = BTreeSet::new();
        let mut standings = Vec::new();
        let mut all_known = true;
        let mut suspended = None;
        for account in desired::accounts(binding) {
            let standing = match reader.settled(namespace, &account.account).await {
                Settled::Unknown { reason } => {
                    all_known = false;
                    tracing::warn!(%account, reason, "account is unknown; nothing changes for it");
                    // It stays a member if it is one.
                    let entity = self.entity_of(&account).await?;
                    members.extend(entity.map(|entity| entity.id));
                    continue;
                }
                Settled::Found { namespace_uid, account_uid } if namespace_uid == *pin => {
                    match self.entity_attach(&account, &accessor, pin, &account_uid).await? {
                        Ok(entity) => {
                            members.insert(entity);
                            Standing {
                                state: "attached",
                                reason: None,
                                namespace_uid: Some(namespace_uid),
                                account_uid: Some(account_uid),
                            }
                        }
                        Err(reason) => Standing {
                            state: "waiting",
                            reason: Some(reason),
                            namespace_uid: Some(namespace_uid),
                            account_uid: Some(account_uid),
                        },
                    }
                }
                Settled::NoAccount { namespace_uid } if namespace_uid == *pin => {
                    self.entity_end(&account, "its service account is gone").await?;
                    Standing {
                        state: "waiting",
                        reason: Some("the service account does not exist yet".into()),
                        namespace_uid: Some(namespace_uid),
                        account_uid: None,
                    }
                }
                other => {
                    let (reason, namespace_uid) = match other {
                        Settled::NoNamespace => ("the namespace is gone".to_owned(), None),
                        Settled::Found { namespace_uid, .. }
                        | Settled::NoAccount { namespace_uid } => (
                            format!(
                                "the namespace was made anew (UID {namespace_uid}); a request with \
                                 --reattest {cluster}/{namespace} trusts it again"
                            ),
                            Some(namespace_uid),
                        ),
                        Settled::Unknown { reason } => (reason, None),
                    };
                    suspended = Some(reason.clone());
                    Standing {
                        state: "suspended",
                        reason: Some(reason),
                        namespace_uid,
                        account_uid: None,
                    }
                }
            };
            standings.push((account, standing));
        }
        if let Some(reason) = &suspended {
            // One write stops every live token of the binding; then the entities go for good.
            self.group_end(name, reason).await?;
            for account in desired::accounts(binding) {
                self.entity_end(&account, "its namespace is not the one that was voted on").await?;
            }
        } else {
            self.group_members(team, name, binding, &members).await?;
        }
        for (account, standing) in standings {
            self.standing_store(team, binding, &account, standing).await?;
        }
        Ok(all_known)
    }

    pub(crate) async fn accessor(
        &mut self,
        cluster: &ClusterName,
    ) -> Result<String, ExecutorError> {
        if let Some(accessor) = self.accessors.get(cluster) {
            return Ok(accessor.clone());
        }
        let found = sys::auth_accessor(&self.engine, &auth_mount(cluster)).await?;
        let accessor = found.ok_or_else(|| {
            ExecutorError::Wait(format!("the auth mount of the cluster {cluster} is missing"))
        })?;
        self.accessors.insert(cluster.clone(), accessor.clone());
        Ok(accessor)
    }

    /// Deletes a suspended binding's group.
    async fn group_end(&self, name: &PolicyName, why: &str) -> Result<(), ExecutorError> {
        let key = ObjectKey::Group(name.clone());
        let mut reading = self.reading();
        let (found, _) = self.read_now(&mut reading, &key).await?;
        let Some(found) = found else { return Ok(()) };
        if found.get("owner").and_then(Value::as_str) != Some(self.mark.as_str()) {
            return Err(ExecutorError::Stopped(format!("the group {name} is not Strongroom's")));
        }
        let text = name.to_string();
        tracing::info!(binding = %name, why, "binding is suspended");
        let write = order("suspend on a changed UID", "delete", "group", &text);
        self.intent(&write).await?;
        let written = self.write_object(&mut reading, &key, None, true).await?;
        self.receipt(&write, "written", &written).await
    }

    /// Makes a group's members exactly these entities. A group that is not there was taken away,
    /// by us or by hand, and only a request brings it back.
    async fn group_members(
        &self,
        team: &Team,
        name: &PolicyName,
        binding: &Binding,
        members: &BTreeSet<String>,
    ) -> Result<(), ExecutorError> {
        let key = ObjectKey::Group(name.clone());
        let mut reading = self.reading();
        let (found, _) = self.read_now(&mut reading, &key).await?;
        let (Some(found), Some(data)) = (found, reading.answer(&key)) else {
            return Ok(());
        };
        let ids = |field: &str| -> BTreeSet<String> {
            let items = data.get(field).and_then(Value::as_array);
            items.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
        };
        if ids("member_entity_ids") == *members {
            return Ok(());
        }
        let document = Document::Team(Box::new(team.clone()));
        let context = self.context(&[])?;
        let objects = desired::desired(&context, &document, &BTreeSet::new())
            .map_err(|error| ExecutorError::Stopped(error.to_string()))?;
        let Some(fields) = objects.get(&key) else {
            return Ok(());
        };
        let ours = found.get("owner") == fields.get("owner");
        let no_groups = found.get("anchors").and_then(Value::as_array).is_none_or(Vec::is_empty);
        if !ours || !no_groups {
            return Err(ExecutorError::Stopped(format!(
                "the group {name} is not as Strongroom left it"
            )));
        }
        let text = name.to_string();
        let write = Write {
            after: Some(fingerprint(fields)),
            ..order("attach accounts", "members", "group", &text)
        };
        self.intent(&write).await?;
        let list: Vec<String> = members.iter().cloned().collect();
        let (path, body) = wire::write(&key, fields, true, &reading.ids, &list)
            .map_err(|error| ExecutorError::Stopped(error.to_string()))?;
        let done = self.engine.write(&path, wire::template(&key), &body).await?;
        let mut written = Written::of(&done);
        let (_, read_back) = self.read_now(&mut reading, &key).await?;
        written.read_back = read_back;
        tracing::info!(binding = %binding.name, team = %team.name, count = list.len(), "members");
        self.receipt(&write, "written", &written).await
    }

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
                    && desired::accounts(binding).iter().any(|account| {
                        account.cluster.as_str() == row.cluster
                            && account.namespace.as_str() == row.namespace
                            && account.account.as_str() == row.account
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

    async fn standing_store(
        &self,
        team: &Team,
        binding: &Binding,
        account: &Account,
        standing: Standing,
    ) -> Result<(), ExecutorError> {
        let engine = self.config.engine.id;
        let state = BindingState {
            team: team.name.to_string(),
            binding: binding.name.to_string(),
            cluster: account.cluster.to_string(),
            namespace: account.namespace.to_string(),
            account: account.account.to_string(),
            namespace_uid: standing.namespace_uid,
            account_uid: standing.account_uid,
            state: standing.state.to_owned(),
            reason: standing.reason,
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
        });
        if unchanged {
            return Ok(());
        }
        let kind = match state.state.as_str() {
            "attached" => EventKind::AccountAttached,
            "suspended" => EventKind::BindingSuspended,
            _ => EventKind::AccountDetached,
        };
        let detail = json!({
            "binding": state.binding,
            "account": account.to_string(),
            "accountUid": state.account_uid,
            "namespaceUid": state.namespace_uid,
            "reason": state.reason,
        });
        let event = self.event(kind, None, Some(Subject::Team(team.name.clone())), detail);
        self.store.binding_state_put(engine, &state, &[event]).await?;
        Ok(())
    }
}

/// A write under a standing order.
pub(crate) fn order<'a>(
    order: &'a str,
    operation: &'a str,
    kind: &'a str,
    name: &'a str,
) -> Write<'a> {
    let subject = team_of(name).map(Subject::Team);
    Write {
        request: None,
        plan_hash: None,
        standing_order: Some(order),
        subject,
        step: 0,
        operation,
        object_kind: kind,
        object_name: name,
        after: None,
    }
}

/// The team that an engine name belongs to, if it names one.
fn team_of(name: &str) -> Option<TeamName> {
    name.strip_prefix("team.")?.split('.').next()?.parse().ok()
}
