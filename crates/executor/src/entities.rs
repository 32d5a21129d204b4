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
use strongroom_kubernetes::Settled;
use strongroom_plan::{Holds, Plan, desired};
use strongroom_vault_model::object::Account;

use crate::accounts::order;
use crate::context::split;
use crate::error::ExecutorError;
use crate::finding::{Severity, finding};
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
    pub(crate) async fn entity_end(
        &self,
        account: &Account,
        why: &str,
    ) -> Result<(), ExecutorError> {
        let Some(entity) = self.entity_of(account).await? else {
            return Ok(());
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
        self.receipt(&write, "written", &Written::of(&done)).await
    }

    /// Before a namespace is trusted again or a hold is lifted: whatever the accounts had is taken
    /// away, so that tokens from before stay dead, a newcomer's early token among them.
    pub(crate) async fn reset_entities(&mut self, plan: &Plan) -> Result<(), ExecutorError> {
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
                        self.account_reset(&account).await?;
                    }
                }
            }
        }
        Ok(())
    }

    async fn account_reset(&mut self, account: &Account) -> Result<(), ExecutorError> {
        // Whatever else it is a member of by its old entity is made true again afterwards.
        self.attached.doubt_all();
        self.entity_end(account, "its namespace is trusted anew").await?;
        let (cluster, namespace) = split(&format!("{}/{}", account.cluster, account.namespace))?;
        let Some(watched) = self.clusters.get(&cluster) else {
            return Ok(());
        };
        let reader = watched.cluster.clone();
        let accessor = self.accessor(&cluster).await?;
        let Settled::Found { account_uid, .. } = reader.settled(&namespace, &account.account).await
        else {
            return Ok(());
        };
        let early = identity::entity_by_alias(&self.engine, &account_uid, &accessor).await?;
        let Some(early) = early else { return Ok(()) };
        let name = account.entity_name();
        let write = order("trust a namespace anew", "delete", "entity", &name);
        self.intent(&write).await?;
        let done = identity::entity_delete(&self.engine, &early.id).await?;
        self.receipt(&write, "written", &Written::of(&done)).await
    }

    /// Entities of ours into which somebody put rights or another login: they are deleted, for they
    /// may not be written to, and made anew by the next look at the bindings.
    pub(crate) async fn entities_look(&mut self) -> Result<(), ExecutorError> {
        let mut accounts = BTreeSet::new();
        for head in self.heads.values() {
            if let Ok(Some(Document::Team(team))) = head.document() {
                accounts.extend(team.bindings.iter().flat_map(desired::accounts));
            }
        }
        let mut found = Vec::new();
        let accounts: Vec<Account> = accounts.into_iter().collect();
        for some in accounts.chunks(8) {
            self.lease_keep().await?;
            let read = some.iter().map(|account| self.entity_of(account));
            let read = futures::future::try_join_all(read).await?;
            for (account, entity) in some.iter().zip(read) {
                let Some(entity) = entity else { continue };
                let ours = entity.metadata.get("owner").and_then(Value::as_str);
                let uid = entity.metadata.get("uid").and_then(Value::as_str).unwrap_or_default();
                let Ok(accessor) = self.accessor(&account.cluster).await else { continue };
                let alias = entity
                    .aliases
                    .iter()
                    .all(|alias| alias.name == uid && alias.mount_accessor == accessor);
                if ours != Some(self.mark.as_str())
                    || (entity.policies.is_empty() && alias && entity.aliases.len() <= 1)
                {
                    continue;
                }
                let name = account.entity_name();
                let text = format!(
                    "the entity {name} was given policies or another login by hand; it is deleted, and \
                     its workload logs in again"
                );
                let next = "find out who did it, and why";
                let mut each = finding("entity", &name, Severity::Alarm, text, next);
                each.object = Some(format!("entity {name}"));
                each.culprit.clone_from(&self.drift.culprit);
                found.push(each);
                self.entity_end(account, "somebody put more into it").await?;
                self.attached.doubt_all();
            }
        }
        for each in found {
            let key = each.key.clone();
            self.found(each).await?;
            self.resolved(&key).await?;
        }
        Ok(())
    }
}
