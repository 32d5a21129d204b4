//! The look at every binding: which of them changed since they were last made true, and what each
//! of them must be now. What ends and what is held comes before what is attached.

use std::collections::BTreeMap;

use jiff::civil::Date;
use strongroom_domain::document::team::{Binding, Holder};
use strongroom_domain::document::{Document, Team};
use strongroom_domain::hold::Target;
use strongroom_domain::name::TeamName;
use strongroom_domain::subject::Subject;
use strongroom_kubernetes::InventoryState;
use strongroom_plan::{Holds, desired};
use strongroom_vault_model::object::{Account, ObjectKey};
use strongroom_vault_model::policy::{PolicyName, TeamRole};

use crate::error::ExecutorError;
use crate::start::Executor;

/// The standing order under which a binding ends.
pub(crate) const END: &str = "end at a date";

/// The standing order under which something is made to stand still.
pub(crate) const SUSPEND: &str = "suspend";

/// Why a binding without a group gives nothing.
pub(crate) const GROUP_GONE: &str = "its group in the engine was taken away by hand; a request with \
     the team's document gives it back";

/// Why a binding that ended once stays ended.
pub(crate) const HAS_ENDED: &str = "it has ended already, whatever the clock says now; a request \
     with another end gives it back";

/// What was last made true for each binding, so that a quiet cluster costs nothing.
#[derive(Debug, Default)]
pub(crate) struct Attached {
    seen: BTreeMap<PolicyName, Seen>,
    /// Whether something could not be made true and has to be tried again soon.
    pub(crate) is_pending: bool,
}

/// What a binding's state follows from.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Seen {
    /// Its last day is over.
    Ended(Date),
    /// It is held, with the sentence.
    Held(String),
    /// It is for a group of people.
    People,
    /// Whether the subject stands still, namespace UID and account UIDs as the inventory shows them.
    Accounts(Option<String>, Option<String>, BTreeMap<Account, Option<String>>),
}

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

    /// Everything that a hold may concern is looked at again.
    pub(crate) fn forget_held(&mut self, target: &Target) {
        match target {
            Target::Team(team) | Target::Binding(team, _) => self.forget(team),
            Target::Platform | Target::Cluster(_) => self.forget_all(),
        }
    }
}

impl Executor {
    /// Looks at every binding whose accounts, namespace, holds or end changed since it was last
    /// looked at.
    pub(crate) async fn bindings_keep(&mut self) -> Result<(), ExecutorError> {
        let (mut teams, mut begun) = (Vec::new(), Vec::new());
        for head in self.heads.values() {
            // While a plan is being applied its own steps decide what is given; what is held, has
            // ended or is in another namespace is taken away all the same.
            if let Some(applying) = &head.head.applying {
                for side in head.head.applied.iter().chain([&applying.target]) {
                    if let Ok(Document::Team(team)) = Document::from_value(&side.document) {
                        begun.push((*team, side.pins.clone()));
                    }
                }
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
        self.bindings_count = teams.iter().map(|(team, _)| team.bindings.len()).sum();
        let holds = Holds { now: self.held.clone(), ..Holds::default() };
        for (team, pins) in teams {
            self.lease_keep().await?;
            for role in TeamRole::ALL {
                let name = PolicyName::People(team.name.clone(), role);
                if holds.team_is_held(&team) && !self.attached.seen.contains_key(&name) {
                    let done = self.group_end(&name, SUSPEND, "the team is suspended").await;
                    self.keep(&name, Seen::People, done.map(|()| true))?;
                }
            }
            for binding in &team.bindings {
                let name = PolicyName::Binding(team.name.clone(), binding.name.clone());
                let Some(seen) = self.seen(&holds, &team, binding) else {
                    continue;
                };
                if self.attached.seen.get(&name) == Some(&seen) {
                    continue;
                }
                let done = self.binding_keep(&team, binding, &name, &pins, &seen).await;
                self.keep(&name, seen, done)?;
            }
        }
        for (team, pins) in &begun {
            self.team_narrow(&holds, team, pins).await?;
        }
        self.brake_tell().await
    }

    /// What may not wait until a plan about the team has ended. Nothing is given here, and nothing
    /// is remembered as made true: the plan may still write.
    async fn team_narrow(
        &mut self,
        holds: &Holds,
        team: &Team,
        pins: &BTreeMap<String, String>,
    ) -> Result<(), ExecutorError> {
        self.attached.is_pending = true;
        if holds.team_is_held(team) {
            for role in TeamRole::ALL {
                let name = PolicyName::People(team.name.clone(), role);
                self.group_end(&name, SUSPEND, "the team is suspended").await?;
            }
        }
        for binding in &team.bindings {
            let name = PolicyName::Binding(team.name.clone(), binding.name.clone());
            let done = match self.seen(holds, team, binding) {
                Some(Seen::Held(why)) => self.group_end(&name, SUSPEND, &why).await,
                Some(Seen::Ended(until)) if self.brake_allows(&name) => {
                    self.group_end(&name, END, &format!("its last day was {until}")).await
                }
                Some(Seen::Accounts(_, uid, _)) => {
                    let elsewhere = match &binding.holder {
                        Holder::Accounts { cluster, namespace, .. } => pins
                            .get(&format!("{cluster}/{namespace}"))
                            .is_some_and(|pin| uid.as_ref() != Some(pin)),
                        Holder::People { .. } => false,
                    };
                    if elsewhere {
                        let still = Some("a plan about the team is being applied");
                        self.accounts_keep(team, binding, &name, pins, still).await.map(drop)
                    } else {
                        Ok(())
                    }
                }
                _ => Ok(()),
            };
            match done {
                Err(ExecutorError::LeaseLost) => return Err(ExecutorError::LeaseLost),
                Err(error) => tracing::warn!(binding = %name, %error, "binding is not narrowed"),
                Ok(()) => {}
            }
        }
        Ok(())
    }

    /// Remembers what was made true. One binding that cannot be kept stops no other.
    fn keep(
        &mut self,
        name: &PolicyName,
        seen: Seen,
        done: Result<bool, ExecutorError>,
    ) -> Result<(), ExecutorError> {
        match done {
            Ok(true) => {
                self.attached.seen.insert(name.clone(), seen);
            }
            Ok(false) => self.attached.is_pending = true,
            Err(ExecutorError::LeaseLost) => return Err(ExecutorError::LeaseLost),
            Err(error) => {
                self.attached.is_pending = true;
                tracing::warn!(binding = %name, %error, "binding is not kept");
            }
        }
        Ok(())
    }

    /// What a binding's state follows from now; `None` while its cluster is unknown.
    fn seen(&self, holds: &Holds, team: &Team, binding: &Binding) -> Option<Seen> {
        if let Some(until) = binding.until
            && until < self.today()
        {
            return Some(Seen::Ended(until));
        }
        if let Some(why) = holds.over_binding(team, binding) {
            return Some(Seen::Held(why.to_owned()));
        }
        let Holder::Accounts { cluster, namespace, .. } = &binding.holder else {
            return Some(Seen::People);
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
        let still = self
            .stands_still(&Subject::Team(team.name.clone()))
            .or_else(|| self.stands_still(&Subject::Cluster(cluster.clone())));
        Some(Seen::Accounts(still, uid, accounts.collect()))
    }

    /// Makes one binding what it must be. `false`: something was unknown, look again.
    async fn binding_keep(
        &mut self,
        team: &Team,
        binding: &Binding,
        name: &PolicyName,
        pins: &BTreeMap<String, String>,
        seen: &Seen,
    ) -> Result<bool, ExecutorError> {
        match seen {
            Seen::Ended(until) => {
                if !self.brake_allows(name) {
                    return Ok(false);
                }
                let why = format!("its last day was {until}");
                self.group_end(name, END, &why).await?;
                self.policy_end(name, END).await?;
                self.standings_all(team, binding, "ended", &why).await?;
                Ok(true)
            }
            // Somebody decided this: no brake.
            Seen::Held(why) => {
                self.group_end(name, SUSPEND, why).await?;
                self.standings_all(team, binding, "suspended", why).await?;
                Ok(true)
            }
            Seen::People => {
                let there = self.group_is_there(name).await?;
                let (state, why) = if there { ("attached", "") } else { ("suspended", GROUP_GONE) };
                self.standings_all(team, binding, state, why).await?;
                Ok(true)
            }
            Seen::Accounts(still, ..) => {
                self.accounts_keep(team, binding, name, pins, still.as_deref()).await
            }
        }
    }

    async fn group_is_there(&self, name: &PolicyName) -> Result<bool, ExecutorError> {
        let key = ObjectKey::Group(name.clone());
        let mut reading = self.reading();
        Ok(self.read_now(&mut reading, &key).await?.0.is_some())
    }
}
