//! The look at every binding: which of them changed since they were last made true, and what each
//! of them must be now. What ends and what is held comes before what is attached.

use std::time::Instant;

use strongroom_domain::document::team::{Binding, Holder};
use strongroom_domain::document::{Document, Team};
use strongroom_domain::name::TeamName;
use strongroom_domain::pins::Pins;
use strongroom_domain::subject::Subject;
use strongroom_kubernetes::InventoryState;
use strongroom_plan::{Holds, desired};
use strongroom_vault_model::object::ObjectKey;
use strongroom_vault_model::policy::{PolicyName, TeamRole};

use crate::attached::Seen;
use crate::error::ExecutorError;
use crate::meanwhile::Side;
use crate::start::Executor;
use crate::sweep::TURN;

/// The standing order under which a binding ends.
pub(crate) const END: &str = "end at a date";

/// The standing order under which something is made to stand still.
pub(crate) const SUSPEND: &str = "suspend";

/// Why a binding without a group gives nothing.
pub(crate) const GROUP_GONE: &str = "its group in the engine was taken away by hand; a request with \
     the team's document gives it back";

/// Why an account that a hand took out has nothing.
pub(crate) const MEMBERS_OUT: &str = "it was taken out of the binding's group by hand; a \
     request with the team's document gives it back";

/// Why a binding that ended once stays ended.
pub(crate) const HAS_ENDED: &str = "it has ended already, whatever the clock says now; a request \
     with another end gives it back";

impl Executor {
    /// Looks at every binding whose accounts, namespace, holds or end changed since it was last
    /// looked at, for a turn: many are looked at in several passes.
    pub(crate) async fn bindings_keep(&mut self) -> Result<(), ExecutorError> {
        self.attached.day_is(self.today());
        let teams = self.heads.keys().filter_map(|subject| match subject {
            Subject::Team(team) => Some(team.clone()),
            _ => None,
        });
        self.attached.begin(|| teams.collect());
        self.teams_keep().await?;
        for side in self.begun_sides() {
            self.team_narrow(&side).await?;
        }
        // Of what was not come to nothing is told yet, and nothing taken back.
        if self.attached.is_under_way() {
            return Ok(());
        }
        self.members_out_settle().await?;
        self.namespaces_settle().await?;
        self.brake_tell().await
    }

    /// Looks at one team after the other, for a turn.
    async fn teams_keep(&mut self) -> Result<(), ExecutorError> {
        let begun = Instant::now();
        let holds = self.holds_over(None);
        while begun.elapsed() < TURN
            && let Some(name) = self.attached.next()
        {
            let Some(head) = self.heads.get(&Subject::Team(name.clone())) else { continue };
            let pins = head.head.applied.as_ref().map(|applied| applied.pins.clone());
            match (head.head.applying.is_some(), head.document()) {
                (true, _) => self.attached.look_later(&name),
                (false, Ok(Some(Document::Team(team)))) => {
                    let kept = match self.lease_keep().await {
                        Ok(()) => self.team_keep(&holds, &team, &pins.unwrap_or_default()).await,
                        lost => lost,
                    };
                    if kept.is_err() {
                        self.attached.look_at([name]);
                    }
                    kept?;
                }
                (false, Ok(_)) => {}
                (false, Err(error)) => {
                    tracing::error!(team = %name, %error, "its accounts are left alone");
                }
            }
        }
        Ok(())
    }

    async fn team_keep(
        &mut self,
        holds: &Holds,
        team: &Team,
        pins: &Pins,
    ) -> Result<(), ExecutorError> {
        for role in TeamRole::ALL {
            let name = PolicyName::People(team.name.clone(), role);
            if holds.team_is_held(team) && !self.attached.is_marked(&team.name, &name) {
                let done = self.group_end(&name, SUSPEND, "the team is suspended").await;
                self.keep(&team.name, &name, &Seen::People, done.map(|()| true))?;
            }
        }
        for binding in &team.bindings {
            let name = PolicyName::Binding(team.name.clone(), binding.name.clone());
            let Some(seen) = self.seen(holds, team, binding) else {
                continue;
            };
            if self.attached.is_true(&team.name, &name, &seen) {
                continue;
            }
            let done = self.binding_keep(team, binding, &name, pins, &seen).await;
            self.keep(&team.name, &name, &seen, done)?;
        }
        Ok(())
    }

    /// What may not wait until a plan about the team has ended. Nothing is given here, and nothing
    /// is remembered as made true: the plan may still write.
    async fn team_narrow(&mut self, side: &Side) -> Result<(), ExecutorError> {
        let Side { holds, team, pins, moved, beside } = side;
        if holds.team_is_held(team) {
            for role in TeamRole::ALL {
                let name = PolicyName::People(team.name.clone(), role);
                let done = self.group_end(&name, SUSPEND, "the team is suspended").await;
                narrowed(&name, done)?;
            }
        }
        for binding in &team.bindings {
            self.lease_keep().await?;
            let name = PolicyName::Binding(team.name.clone(), binding.name.clone());
            let done = match self.seen(holds, team, binding) {
                _ if beside.contains(&binding.name) => {
                    let why = "it reaches what a binding reached that is held";
                    self.group_end(&name, SUSPEND, why).await
                }
                seen if moved.contains(&binding.name) => {
                    self.moved_narrow(side, binding, &name, seen).await
                }
                Some(Seen::Held(why)) => self.group_end(&name, SUSPEND, &why).await,
                Some(Seen::Paused(why)) => self.group_empty(team, &name, SUSPEND, &why).await,
                Some(Seen::Ended(until)) if self.brake_allows(&name) => {
                    self.group_end(&name, END, &format!("its last day was {until}")).await
                }
                Some(Seen::Accounts(_, uid, _)) => {
                    if is_elsewhere(binding, pins, uid.as_deref()) {
                        let still = Some("a plan about the team is being applied");
                        self.accounts_keep(team, binding, &name, pins, still).await.map(drop)
                    } else {
                        Ok(())
                    }
                }
                _ => Ok(()),
            };
            narrowed(&name, done)?;
        }
        Ok(())
    }

    /// A binding that the plan gives to another holder: as long as its group is as before, those who
    /// may not be in it leave, and nothing else of it is touched.
    async fn moved_narrow(
        &mut self,
        side: &Side,
        binding: &Binding,
        name: &PolicyName,
        seen: Option<Seen>,
    ) -> Result<(), ExecutorError> {
        let why = match seen {
            Some(Seen::Held(why) | Seen::Paused(why)) => why,
            Some(Seen::Accounts(_, uid, _))
                if is_elsewhere(binding, &side.pins, uid.as_deref()) =>
            {
                "its namespace is another one".to_owned()
            }
            _ => return Ok(()),
        };
        if self.group_is_of(&side.team, name).await? {
            self.group_empty(&side.team, name, SUSPEND, &why).await?;
        }
        Ok(())
    }

    /// Remembers what was made true. One binding that cannot be kept stops no other.
    fn keep(
        &mut self,
        team: &TeamName,
        name: &PolicyName,
        seen: &Seen,
        done: Result<bool, ExecutorError>,
    ) -> Result<(), ExecutorError> {
        match done {
            Ok(true) => self.attached.remember(team, name, seen),
            Ok(false) => self.attached.look_later(team),
            Err(ExecutorError::LeaseLost) => return Err(ExecutorError::LeaseLost),
            Err(error) => {
                self.attached.look_later(team);
                tracing::warn!(binding = %name, %error, "binding is not kept");
            }
        }
        Ok(())
    }

    /// What a binding's state follows from now; `None` while its cluster is unknown.
    fn seen(&self, holds: &Holds, team: &Team, binding: &Binding) -> Option<Seen> {
        // What somebody holds goes at once; what has ended may have to wait for the brake.
        if let Some(why) = holds.over_binding(team, binding) {
            let why = why.to_owned();
            let ends = holds.ends_group(team, binding);
            return Some(if ends { Seen::Held(why) } else { Seen::Paused(why) });
        }
        if let Some(until) = binding.until
            && until < self.today()
        {
            return Some(Seen::Ended(until));
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
        pins: &Pins,
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
            Seen::Paused(why) => {
                self.group_empty(team, name, SUSPEND, why).await?;
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

/// Whether the binding's namespace is not the one that was pinned.
fn is_elsewhere(binding: &Binding, pins: &Pins, uid: Option<&str>) -> bool {
    match &binding.holder {
        Holder::Accounts { cluster, namespace, .. } => {
            pins.get(&format!("{cluster}/{namespace}")).is_some_and(|pin| uid != Some(pin))
        }
        Holder::People { .. } => false,
    }
}

/// One group that cannot be taken away stops no other.
fn narrowed(name: &PolicyName, done: Result<(), ExecutorError>) -> Result<(), ExecutorError> {
    match done {
        Err(ExecutorError::LeaseLost) => return Err(ExecutorError::LeaseLost),
        Err(error) => tracing::warn!(binding = %name, %error, "binding is not narrowed"),
        Ok(()) => {}
    }
    Ok(())
}
