//! The standing orders about service accounts: attach inside the pinned namespace, suspend when
//! the namespace is another, take an entity away when its account's UID is gone.
//!
//! What decides is read live. An account that cannot be read changes nothing: it keeps what it has
//! and gets nothing new. Aliases are never moved, entities are never disabled, and one that was
//! taken away is never given rights again.

use std::collections::{BTreeMap, BTreeSet};

use strongroom_domain::document::Team;
use strongroom_domain::document::team::{Binding, Holder};
use strongroom_domain::name::TeamName;
use strongroom_domain::pins::Pins;
use strongroom_domain::subject::Subject;
use strongroom_engine::sys;
use strongroom_kubernetes::Settled;
use strongroom_plan::desired;
use strongroom_vault_model::name::ClusterName;
use strongroom_vault_model::object::ObjectKey;
use strongroom_vault_model::path::auth_mount;
use strongroom_vault_model::policy::PolicyName;

use crate::bindings::{GROUP_GONE, HAS_ENDED, MEMBERS_OUT};
use crate::error::ExecutorError;
use crate::groups::Members;
use crate::record::Write;
use crate::standings::Standing;
use crate::start::Executor;

impl Executor {
    /// Makes one binding's members what they must be. `false`: something was unknown, look again.
    pub(crate) async fn accounts_keep(
        &mut self,
        team: &Team,
        binding: &Binding,
        name: &PolicyName,
        pins: &Pins,
        still: Option<&str>,
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
        let mut entities = BTreeMap::new();
        let mut standings = Vec::new();
        let mut all_known = true;
        let mut suspended = None;
        for account in desired::accounts(binding) {
            self.lease_keep().await?;
            let standing = match reader.settled(namespace, &account.account).await {
                Settled::Unknown { reason } => {
                    all_known = false;
                    tracing::warn!(%account, reason, "account is unknown; nothing changes for it");
                    // It stays a member if it is one.
                    members.extend(self.member_of(name, &account).await?.map(|entity| entity.id));
                    continue;
                }
                // Whoever has rights keeps them; nobody new comes in.
                Settled::Found { namespace_uid, account_uid }
                    if namespace_uid == *pin && still.is_some() =>
                {
                    let entity = self.member_of(name, &account).await?;
                    let same = entity.filter(|entity| entity.metadata["uid"] == account_uid);
                    if let Some(entity) = &same {
                        members.insert(entity.id.clone());
                        entities.insert(account.clone(), entity.id.clone());
                    }
                    Standing {
                        state: if same.is_some() { "attached" } else { "waiting" },
                        reason: still.map(str::to_owned),
                        namespace_uid: Some(namespace_uid),
                        account_uid: Some(account_uid),
                    }
                }
                Settled::Found { namespace_uid, account_uid } if namespace_uid == *pin => {
                    match self.entity_attach(&account, &accessor, pin, &account_uid).await? {
                        Ok(entity) => {
                            members.insert(entity.clone());
                            entities.insert(account.clone(), entity);
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
                    if self.entity_of(&account).await?.is_some() && !self.brake_allows(name) {
                        return Ok(false);
                    }
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
                        Settled::NoNamespace => (
                            format!(
                                "the namespace is gone; when there is one again, a request with \
                                 --reattest {cluster}/{namespace} trusts it"
                            ),
                            None,
                        ),
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
            if !self.brake_allows(name) {
                return Ok(false);
            }
            // One write stops every live token of the binding; then the entities go for good.
            self.group_end(name, "suspend on a changed UID", reason).await?;
            for (account, standing) in &standings {
                // Another team's vote may trust the namespace that is there now: that entity is its.
                let live = standing.namespace_uid.as_deref();
                let entity = self.entity_of(account).await?;
                let trusted = entity.is_some_and(|entity| {
                    live.is_some() && entity.metadata["namespace_uid"].as_str() == live
                });
                if !trusted {
                    let why = "its namespace is not the one that was voted on";
                    self.entity_end(account, why).await?;
                }
            }
        } else {
            let is_whole = still.is_none() && entities.len() == desired::accounts(binding).len();
            match self.group_members(team, name, binding, &members, is_whole).await? {
                Members::True => {}
                Members::TakenOut(left) => {
                    let mut out = Vec::new();
                    for (account, standing) in &mut standings {
                        if entities.get(account).is_some_and(|entity| !left.contains(entity)) {
                            standing.state = "suspended";
                            standing.reason = Some(MEMBERS_OUT.to_owned());
                            out.push(account.to_string());
                        }
                    }
                    if !out.is_empty() {
                        self.members_out_tell(name, &out).await?;
                    }
                }
                Members::Gone => {
                    let (state, reason) = self.group_missing(name, binding).await?;
                    for (_, standing) in &mut standings {
                        standing.state = state;
                        standing.reason = Some(reason.to_owned());
                    }
                }
            }
        }
        // Of what is not known nothing is told, and nothing taken back.
        if suspended.is_some() || all_known {
            self.namespace_tell(team, binding, name, suspended.as_deref()).await?;
        }
        for (account, standing) in standings {
            self.standing_store(team, binding, &account, standing).await?;
        }
        Ok(all_known)
    }

    /// Why a binding's group is not there: an end takes the policy too, and stands although a clock
    /// was put back; a hand rather takes one of them.
    async fn group_missing(
        &self,
        name: &PolicyName,
        binding: &Binding,
    ) -> Result<(&'static str, &'static str), ExecutorError> {
        if binding.until.is_some() {
            let mut reading = self.reading();
            let policy = ObjectKey::Policy(name.clone());
            if self.read_now(&mut reading, &policy).await?.0.is_none() {
                return Ok(("ended", HAS_ENDED));
            }
        }
        Ok(("suspended", GROUP_GONE))
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
