//! Making things stand still: one signed act, or a local order, written into the head first.
//!
//! A hold only takes away. What it takes is taken by the next look at the bindings, which finds the
//! hold in the head: a crash between the two loses nothing. Only a request lifts it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::json;
use strongroom_acts::token::Accepted;
use strongroom_domain::Digest;
use strongroom_domain::document::Document;
use strongroom_domain::event::{Actor, EventKind};
use strongroom_domain::hold::{HeldBy, Hold, Suspension, Target};
use strongroom_domain::name::GroupName;
use strongroom_domain::subject::Subject;
use strongroom_storage::act::SuspensionRow;

use crate::acts::About;
use crate::error::ExecutorError;
use crate::record::signed_actor;
use crate::start::Executor;

/// An act acts once, although an older database knows nothing of it.
const SPENT: &str = "this act has had its effect before, and the database had forgotten it; what it \
     held was lifted since, or is held by another act: sign a new one if it is to stand still again";

impl Executor {
    /// Judges every signed suspension that has no answer yet.
    pub(crate) async fn suspensions_take(&mut self) -> Result<(), ExecutorError> {
        for row in self.store.suspensions_unjudged().await? {
            match self.suspension_take(&row).await {
                Ok(()) => {}
                Err(ExecutorError::LeaseLost) => return Err(ExecutorError::LeaseLost),
                // The next look tries again; one that cannot be judged now stops no other.
                Err(error) => tracing::error!(act = %row.act.act, %error, "suspension waits"),
            }
        }
        Ok(())
    }

    async fn suspension_take(&mut self, row: &SuspensionRow) -> Result<(), ExecutorError> {
        let Ok(target) = row.target.parse::<Target>() else {
            return self
                .act_refuse(None, &row.act, "what is to be suspended has no such name")
                .await;
        };
        let suspension = Suspension { target: target.clone(), reason: row.act.comment.clone() };
        let verified = match self.act_judge(&row.act, About::Suspension(&suspension)).await {
            Ok(verified) => verified,
            Err(Ok(reason)) => return self.act_refuse(None, &row.act, &reason).await,
            Err(Err(error)) => return Err(error),
        };
        if let Err(reason) = self.may_suspend(&target, &verified.accepted)? {
            return self.act_refuse(None, &row.act, &reason).await;
        }
        let person = &verified.accepted.person;
        let token = verified.accepted.token;
        let by = HeldBy::Person { id: person.id.clone(), display: person.display.clone(), token };
        let spent = self.is_spent(row.act.act).await?;
        if spent && !self.holds_by(&target, token) {
            return self.act_refuse(None, &row.act, SPENT).await;
        }
        if spent {
            return self.act_count(None, &row.act, &verified).await;
        }
        // The head first: a receipt says that it stands. Then it is spent, before anybody could
        // lift it: only requests do, and they come later in a pass.
        match self.hold_make(&target, by, &suspension.reason, signed_actor(person)).await {
            Ok(()) => {
                let (act, what) = (row.act.act, format!("suspend {target}"));
                self.spend(act, token, what, &target.subject()).await?;
                self.act_count(None, &row.act, &verified).await
            }
            Err(ExecutorError::Wait(why)) => self.act_refuse(None, &row.act, &why).await,
            Err(error) => Err(error),
        }
    }

    /// Whether what stands is what this very act made.
    fn holds_by(&self, target: &Target, act: Digest) -> bool {
        self.hold(target)
            .is_some_and(|hold| matches!(hold.by, HeldBy::Person { token, .. } if token == act))
    }

    fn may_suspend(
        &self,
        target: &Target,
        accepted: &Accepted,
    ) -> Result<Result<(), String>, ExecutorError> {
        let platform = self.floor.platform_groups.iter().map(GroupName::as_str);
        if accepted.person.in_any(platform) {
            return Ok(Ok(()));
        }
        let owners = match self.heads.get(&target.subject()) {
            // Of a team that a plan is just making, the owners whom it gets.
            Some(head) if head.head.applied.is_none() => {
                let begun = head.head.applying.as_ref().and_then(|begun| begun.target.team());
                begun.map(|team| team.people.owners).unwrap_or_default()
            }
            Some(head) => match head.document()? {
                Some(Document::Team(team)) => team.people.owners,
                _ => Vec::new(),
            },
            None => Vec::new(),
        };
        if accepted.person.in_any(owners.iter().map(GroupName::as_str)) {
            return Ok(Ok(()));
        }
        Ok(Err(match target {
            Target::Team(_) | Target::Binding(..) => {
                format!("only owners of the team and members of the platform can suspend {target}")
            }
            _ => format!("only members of the platform can suspend {target}"),
        }))
    }

    /// Writes a hold into the head, in place of one that stands already.
    pub(crate) async fn hold_make(
        &mut self,
        target: &Target,
        by: HeldBy,
        reason: &str,
        actor: Actor,
    ) -> Result<(), ExecutorError> {
        let subject = target.subject();
        let mut head = self.head_read(&subject).await?;
        // What a half-done plan makes can be held before it is done.
        let begun = head.head.applying.as_ref().and_then(|begun| begun.target.document().ok());
        let sides: Vec<Document> = head.document()?.into_iter().chain(begun).collect();
        may_be_held(target, &sides)?;
        // Known before its moment is chosen. One that stands is replaced: whoever signed to lift that
        // one has not heard of this one.
        self.head_remember(subject.clone(), head.clone());
        let since = self.hold_since(target)?;
        let standing = head.head.holds.get(target);
        if standing.is_some_and(|standing| {
            // The same once more, after an interruption.
            let is_same = standing.by == by && standing.reason == reason && !standing.frozen;
            is_same && !self.is_being_lifted(target, standing)
        }) {
            return Ok(());
        }
        let hold = Hold { by, reason: reason.to_owned(), since, frozen: false };
        tracing::warn!(%target, by = hold.by.display(), "is held");
        head.head.holds.insert(target.clone(), hold.clone());
        self.head_write(head, None, "hold").await?;
        let detail = json!({ "target": target, "reason": reason, "by": hold.by });
        let event = self.event_by(actor, EventKind::HoldMade, None, Some(subject.clone()), detail);
        self.store.event_append(&[event]).await?;
        self.subjects_publish([subject]).await?;
        self.holds_tell().await?;
        Ok(())
    }

    /// Makes a subject stand still as it is: nothing is taken away, nothing is given.
    pub(crate) async fn hold_freeze(
        &mut self,
        target: &Target,
        reason: &str,
        actor: Actor,
    ) -> Result<(), ExecutorError> {
        let subject = target.subject();
        let mut head = self.head_read(&subject).await?;
        if head.head.holds.contains_key(target) {
            self.head_remember(subject, head);
            return Ok(());
        }
        let since = Timestamp::from_second(self.clock.now().as_second())
            .map_err(|error| ExecutorError::Stopped(error.to_string()))?;
        let reason = reason.to_owned();
        let hold = Hold { by: HeldBy::Executor, reason: reason.clone(), since, frozen: true };
        head.head.holds.insert(target.clone(), hold);
        self.head_write(head, None, "freeze").await?;
        let detail = json!({ "target": target, "reason": reason, "frozen": true });
        let event = self.event_by(actor, EventKind::HoldMade, None, Some(subject.clone()), detail);
        self.store.event_append(&[event]).await?;
        self.records_compare(None).await?;
        self.subjects_publish([subject]).await
    }

    /// Why nothing is given to anybody of this subject now, if that is so.
    pub(crate) fn stands_still(&self, subject: &Subject) -> Option<String> {
        let frozen = self.held.get(&Target::Platform).cloned();
        // What is frozen in a head that nobody can read is not known.
        let unread = || self.unbelieved.get(&Subject::Platform).cloned();
        frozen.or_else(|| self.differing.get(subject).cloned()).or_else(unread)
    }
}

/// Whether what is to be held is there, as applied or as a half-done plan makes it.
fn may_be_held(target: &Target, sides: &[Document]) -> Result<(), ExecutorError> {
    let Target::Binding(team, name) = target else {
        return match target {
            Target::Cluster(_) | Target::Team(_) if sides.is_empty() => {
                Err(ExecutorError::Wait(format!("{} is not applied", target.subject())))
            }
            _ => Ok(()),
        };
    };
    let teams = sides.iter().filter_map(|side| match side {
        Document::Team(team) => Some(team),
        _ => None,
    });
    let names: BTreeSet<&str> =
        teams.flat_map(|team| &team.bindings).map(|binding| binding.name.as_str()).collect();
    if names.contains(name.as_str()) {
        return Ok(());
    }
    let names = names.into_iter().collect::<Vec<_>>().join(", ");
    Err(ExecutorError::Wait(format!(
        "the team {team} has no binding {name}; its bindings: {names}"
    )))
}
