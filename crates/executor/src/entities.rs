//! The entities of service accounts: one per UID, ever.
//!
//! An entity that was taken away is deleted for good; an alias is never moved, an entity never
//! disabled and enabled again, and the engine's own merge is never used.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use strongroom_domain::document::Document;
use strongroom_domain::hold::Target;
use strongroom_domain::subject::Subject;
use strongroom_engine::identity::{self, Entity};
use strongroom_kubernetes::{InventoryState, Settled};
use strongroom_plan::{Holds, Plan, desired};
use strongroom_vault_model::name::ClusterName;
use strongroom_vault_model::object::Account;

use crate::accounts::order;
use crate::context::split;
use crate::error::ExecutorError;
use crate::meanwhile::Meanwhile;
use crate::record::Written;
use crate::start::Executor;

impl Executor {
    pub(crate) async fn entity_of(
        &self,
        account: &Account,
    ) -> Result<Option<Entity>, ExecutorError> {
        Ok(identity::entity_by_name(&self.engine, &account.entity_name()).await?)
    }

    /// The entity of exactly this UID, made or adopted. `Ok(Err(..))`: somebody else's hands are in
    /// it, and it gets nothing.
    pub(crate) async fn entity_attach(
        &self,
        account: &Account,
        accessor: &str,
        namespace_uid: &str,
        uid: &str,
    ) -> Result<Result<String, String>, ExecutorError> {
        let name = account.entity_name();
        let metadata = json!({
            "owner": self.mark.as_str(), "uid": uid, "namespace_uid": namespace_uid,
        });
        let mut found = identity::entity_by_alias(&self.engine, uid, accessor).await?;
        let mut made = None;
        if found.is_none() {
            let write = order("attach accounts", "create", "entity-alias", &name);
            self.intent(&write).await?;
            let (id, done) = identity::alias_create(&self.engine, uid, accessor).await?;
            self.receipt(&write, "written", &Written::of(&done)).await?;
            made = id;
            if made.is_none() {
                // A login came first, in the same moment.
                found = identity::entity_by_alias(&self.engine, uid, accessor).await?;
            }
        }
        if let Some(entity) = &found {
            if entity.name == name && entity.metadata == metadata && entity.policies.is_empty() {
                return Ok(Ok(entity.id.clone()));
            }
            // A workload that logged in before it was attached: adopted only when it is exactly
            // what the engine makes by itself at a login.
            let plain = entity.aliases.len() == 1
                && entity.policies.is_empty()
                && entity.groups.is_empty()
                && !entity.disabled
                && entity.metadata.get("owner").is_none();
            if !plain {
                return Ok(Err(format!("the entity {} of this account is not plain", entity.id)));
            }
        }
        let Some(id) = made.or(found.map(|entity| entity.id)) else {
            return Err(ExecutorError::Stopped(format!("the alias of {name} does not read back")));
        };
        self.entity_end(account, "its account was made anew").await?;
        let write = order("attach accounts", "adopt", "entity", &name);
        self.intent(&write).await?;
        let done = identity::entity_rename(&self.engine, &id, &name, &metadata).await?;
        let read_back = identity::entity_by_alias(&self.engine, uid, accessor).await?;
        if read_back.is_none_or(|read| read.id != id || read.name != name) {
            return Err(ExecutorError::Stopped(format!("the entity {name} does not read back")));
        }
        self.receipt(&write, "written", &Written::of(&done)).await?;
        Ok(Ok(id))
    }

    /// Takes an account's entity away for good; every token of it is dead from its next request on.
    /// `false`: there was none.
    pub(crate) async fn entity_end(
        &self,
        account: &Account,
        why: &str,
    ) -> Result<bool, ExecutorError> {
        let Some(entity) = self.entity_of(account).await? else {
            return Ok(false);
        };
        if entity.metadata.get("owner").and_then(Value::as_str) != Some(self.mark.as_str()) {
            return Err(ExecutorError::Stopped(format!(
                "the entity {} is not Strongroom's; it is left alone",
                account.entity_name()
            )));
        }
        let name = account.entity_name();
        tracing::info!(entity = %name, why, "entity ends");
        let write = order("suspend on a changed UID", "delete", "entity", &name);
        self.intent(&write).await?;
        let done = identity::entity_delete(&self.engine, &entity.id).await?;
        self.receipt(&write, "written", &Written::of(&done)).await?;
        Ok(true)
    }

    /// A plan that resets entities begins only while the clusters of its accounts are known: once it
    /// has begun it waits for them, and nobody could take it back.
    pub(crate) fn reset_may_begin(&self, plan: &Plan) -> Result<(), ExecutorError> {
        let mut clusters: BTreeSet<ClusterName> =
            plan.attest.iter().filter_map(|place| Some(split(place).ok()?.0)).collect();
        for target in &plan.lift {
            match target {
                Target::Cluster(cluster) => clusters.extend([cluster.clone()]),
                Target::Team(_) | Target::Binding(..) => {
                    for planned in &plan.documents {
                        if let Ok(Document::Team(team)) = Document::from_value(&planned.document) {
                            let bound = team.bindings.iter().flat_map(desired::accounts);
                            clusters.extend(bound.map(|account| account.cluster));
                        }
                    }
                }
                Target::Platform => {}
            }
        }
        for cluster in clusters {
            let watched = self.clusters.get(&cluster);
            let is_known = watched.is_some_and(|watched| {
                matches!(&*watched.inventory.borrow(), InventoryState::Known(_))
            });
            if !is_known {
                return Err(ExecutorError::Wait(format!(
                    "what is in the cluster {cluster} is not known now, and tokens from before must \
                     stay dead; it begins once the cluster answers"
                )));
            }
        }
        Ok(())
    }

    /// Before a namespace is trusted again or a hold is lifted: whatever the accounts had is taken
    /// away, so that tokens from before stay dead, a newcomer's early token among them.
    pub(crate) async fn reset_entities(
        &mut self,
        plan: &Plan,
        meanwhile: &mut Meanwhile,
    ) -> Result<(), ExecutorError> {
        let planned = plan.documents.iter();
        let mut teams: Vec<Document> =
            planned.filter_map(|planned| Document::from_value(&planned.document).ok()).collect();
        if plan.lift.iter().any(|target| matches!(target, Target::Cluster(_))) {
            // Whoever has accounts there, and no document in this request.
            let named: BTreeSet<Subject> = teams.iter().map(Document::subject).collect();
            let others = self.heads.iter().filter(|(subject, _)| !named.contains(*subject));
            teams.extend(others.filter_map(|(_, head)| head.document().ok().flatten()));
        }
        for document in teams {
            let Document::Team(team) = document else {
                continue;
            };
            let lift = plan.lift.iter().cloned().collect();
            for binding in &team.bindings {
                let lifted = Holds::lifts_binding(&lift, &team, binding);
                for account in desired::accounts(binding) {
                    let place = format!("{}/{}", account.cluster, account.namespace);
                    if lifted || plan.attest.contains(&place) {
                        self.meanwhile_look(plan, meanwhile).await?;
                        self.account_reset(&account).await?;
                    }
                }
            }
        }
        Ok(())
    }

    async fn account_reset(&mut self, account: &Account) -> Result<(), ExecutorError> {
        if self.entity_end(account, "its namespace is trusted anew").await? {
            // Whatever else it was a member of is made true again afterwards.
            self.attached.doubt_all();
        }
        let (cluster, namespace) = split(&format!("{}/{}", account.cluster, account.namespace))?;
        let unknown = |why: &str| {
            ExecutorError::Wait(format!(
                "whether {account} is there is not known ({why}), and its tokens from before must stay \
                 dead"
            ))
        };
        let Some(watched) = self.clusters.get(&cluster) else {
            return Err(unknown("its cluster is not watched"));
        };
        let reader = watched.cluster.clone();
        let accessor = self.accessor(&cluster).await?;
        let account_uid = match reader.settled(&namespace, &account.account).await {
            Settled::Found { account_uid, .. } => account_uid,
            Settled::NoAccount { .. } | Settled::NoNamespace => return Ok(()),
            Settled::Unknown { reason } => return Err(unknown(&reason)),
        };
        let early = identity::entity_by_alias(&self.engine, &account_uid, &accessor).await?;
        let Some(early) = early else { return Ok(()) };
        let name = account.entity_name();
        let write = order("trust a namespace anew", "delete", "entity", &name);
        self.intent(&write).await?;
        let done = identity::entity_delete(&self.engine, &early.id).await?;
        self.receipt(&write, "written", &Written::of(&done)).await
    }
}
