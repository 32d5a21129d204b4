//! What hands did to who is in the groups: told here, and put right, or left, by the look at the
//! bindings. Nobody is put into a group here.

use std::collections::BTreeSet;

use strongroom_domain::subject::Subject;
use strongroom_storage::finding::{Finding, MEMBERS_OUT};
use strongroom_vault_model::object::{Fields, ObjectKey};
use strongroom_vault_model::policy::PolicyName;

use crate::error::ExecutorError;
use crate::finding::{Severity, finding};
use crate::groups::{accounts_in, members_in};
use crate::object::Reading;
use crate::start::Executor;

impl Executor {
    /// A group that somebody touched: members that no binding names are told, and leave with the
    /// next look at the bindings.
    pub(crate) async fn members_look(
        &mut self,
        reading: &Reading,
        key: &ObjectKey,
        name: &PolicyName,
        wanted: Option<&Fields>,
        who: &str,
    ) -> Result<(), ExecutorError> {
        let now = reading.answer(key).map(members_in).unwrap_or_default();
        let mut known = BTreeSet::new();
        for account in wanted.into_iter().flat_map(accounts_in) {
            known.extend(self.entity_of(&account).await?.map(|entity| entity.id));
        }
        let strange = now.difference(&known).count();
        self.attached.doubt(name.team());
        // If members are missing, the look at the bindings tells of it.
        self.drift.hands.insert(name.clone(), who.to_owned());
        if strange == 0 { Ok(()) } else { self.members_tell(name, strange, Some(who)).await }
    }

    /// Tells of members that came in by hand.
    pub(crate) async fn members_tell(
        &mut self,
        name: &PolicyName,
        strange: usize,
        who: Option<&str>,
    ) -> Result<(), ExecutorError> {
        let key = ObjectKey::Group(name.clone());
        let text = format!("{key} got {strange} members by hand that no document names");
        let next = "they are taken out by themselves; find out who did it, and why";
        let mut each = finding("members", &key.to_string(), Severity::Alarm, text, next);
        each.subject = Some(format!("team/{}", name.team()));
        each.object = Some(key.to_string());
        each.culprit = who.map(str::to_owned);
        self.found_once(each).await
    }

    /// Tells of accounts that were taken out by hand.
    pub(crate) async fn members_out_tell(
        &mut self,
        name: &PolicyName,
        accounts: &[String],
    ) -> Result<(), ExecutorError> {
        let key = ObjectKey::Group(name.clone());
        let (who, names) = (if accounts.len() == 1 { "is" } else { "are" }, accounts.join(", "));
        let text = format!("{names} {who} not in {key} any more: taken out of it by hand");
        let next = "nothing is done by itself, for it may be an emergency: put them back by \
             hand, or by a request with the team's document (`strongroom get document team/NAME -o \
             yaml | strongroom apply -f -`, high)";
        let mut each = finding(MEMBERS_OUT, &key.to_string(), Severity::Warning, text, next);
        each.subject = Some(format!("team/{}", name.team()));
        each.object = Some(key.to_string());
        each.culprit = self.drift.culprit.clone().or_else(|| self.drift.hands.remove(name));
        self.found(each).await
    }

    /// Keeps in the head whether a hand took members out of this group: it stands there whatever the
    /// database says, until the hand puts them back or a plan that says so is applied.
    pub(crate) async fn taken_out_keep(
        &mut self,
        name: &PolicyName,
        is_taken_out: bool,
    ) -> Result<(), ExecutorError> {
        let PolicyName::Binding(team, binding) = name else { return Ok(()) };
        let Some(head) = self.heads.get(&Subject::Team(team.clone())) else { return Ok(()) };
        let is_changed = head.head.taken_out.contains(binding) != is_taken_out;
        let changed = is_changed.then(|| head.clone());
        // Known until the head says it, should it not be written.
        self.attached.take_out(name, is_taken_out && is_changed);
        if let Some(mut head) = changed {
            if is_taken_out {
                head.head.taken_out.insert(binding.clone());
            } else {
                head.head.taken_out.remove(binding);
            }
            self.head_write(*head, None, "members").await?;
        }
        Ok(())
    }

    /// Takes back what is over: the group has all its members again, or is gone.
    pub(crate) async fn members_out_settle(&mut self) -> Result<(), ExecutorError> {
        let told: Vec<PolicyName> = self.findings.values().filter_map(Finding::taken_out).collect();
        for name in told {
            if !self.attached.is_taken_out(&name) {
                self.resolved(&format!("{MEMBERS_OUT} {}", ObjectKey::Group(name))).await?;
            }
        }
        Ok(())
    }
}
