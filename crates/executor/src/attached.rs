//! What was last made true for each binding, and which teams have to be looked at again: a quiet
//! cluster costs nothing, and a change costs what it concerns.
//!
//! A team leaves the list only when all of it was made true.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;

use jiff::civil::Date;
use strongroom_domain::Digest;
use strongroom_domain::subject::Subject;
use strongroom_plan::build::Change;
use strongroom_vault_model::name::TeamName;
use strongroom_vault_model::object::Account;
use strongroom_vault_model::policy::PolicyName;

/// What a binding's state follows from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Seen {
    /// Its last day is over.
    Ended(Date),
    /// It is held, with the sentence.
    Held(String),
    /// Its cluster is held, with the sentence.
    Paused(String),
    /// It is for a group of people.
    People,
    /// Whether the subject stands still, namespace UID and account UIDs as the inventory shows them.
    Accounts(Option<String>, Option<String>, BTreeMap<Account, Option<String>>),
}

impl Seen {
    /// An estate has thousands of bindings: a digest of each is remembered.
    fn digest(&self) -> Digest {
        Digest::of(format!("{self:?}").as_bytes())
    }
}

/// Which teams are looked at next.
#[derive(Debug)]
enum Due {
    All,
    Some(BTreeSet<TeamName>),
}

/// What is made true, and what has to be looked at.
#[derive(Debug)]
pub(crate) struct Attached {
    seen: BTreeMap<TeamName, Vec<(PolicyName, Digest)>>,
    /// Who was in each group when it was last made true.
    members: BTreeMap<TeamName, Vec<(PolicyName, Digest)>>,
    /// Groups that a hand took members out of: nobody comes in until the team changes.
    taken_out: BTreeSet<PolicyName>,
    due: Due,
    day: Option<Date>,
}

impl Default for Attached {
    fn default() -> Self {
        Self {
            seen: BTreeMap::new(),
            members: BTreeMap::new(),
            taken_out: BTreeSet::new(),
            due: Due::All,
            day: None,
        }
    }
}

impl Attached {
    /// Nothing is known to be true any more; these groups are known to have lost members by hand.
    pub(crate) fn start_anew(&mut self, taken_out: BTreeSet<PolicyName>) {
        self.members.clear();
        self.taken_out = taken_out;
        self.doubt_all();
    }

    /// Everything may have been changed by hand; what was put into the groups is still known.
    pub(crate) fn doubt_all(&mut self) {
        self.seen.clear();
        self.due = Due::All;
    }

    /// The team is another: nothing of it is known to be true any more, and what a hand took out
    /// may come back.
    pub(crate) fn forget(&mut self, team: &TeamName) {
        self.members.remove(team);
        self.taken_out.retain(|name| name.team() != team);
        self.doubt(team);
    }

    /// Something of one team may have been changed by hand; what was put into its groups is still
    /// known.
    pub(crate) fn doubt(&mut self, team: &TeamName) {
        self.seen.remove(team);
        self.look_at([team.clone()]);
    }

    /// These are looked at; what is as it was is not touched.
    pub(crate) fn look_at(&mut self, teams: impl IntoIterator<Item = TeamName>) {
        if let Due::Some(due) = &mut self.due {
            due.extend(teams);
        }
    }

    /// All are looked at; what is as it was is not touched.
    pub(crate) fn look_at_all(&mut self) {
        self.due = Due::All;
    }

    /// Bindings end with a day.
    pub(crate) fn day_is(&mut self, today: Date) {
        if self.day.replace(today) != Some(today) {
            self.look_at_all();
        }
    }

    /// Whether anything has to be looked at.
    pub(crate) fn is_due(&self) -> bool {
        !matches!(&self.due, Due::Some(due) if due.is_empty())
    }

    /// Takes the list of what is due; whoever takes it gives back what was not done.
    pub(crate) fn take_due(&mut self, all: impl FnOnce() -> Vec<TeamName>) -> Vec<TeamName> {
        match mem::replace(&mut self.due, Due::Some(BTreeSet::new())) {
            Due::All => all(),
            Due::Some(due) => due.into_iter().collect(),
        }
    }

    /// Whether the binding was made true from just this.
    pub(crate) fn is_true(&self, team: &TeamName, name: &PolicyName, seen: &Seen) -> bool {
        self.mark(team, name).is_some_and(|digest| digest == seen.digest())
    }

    /// Whether the binding was made true from anything.
    pub(crate) fn is_marked(&self, team: &TeamName, name: &PolicyName) -> bool {
        self.mark(team, name).is_some()
    }

    fn mark(&self, team: &TeamName, name: &PolicyName) -> Option<Digest> {
        let marks = self.seen.get(team)?;
        marks.iter().find(|(marked, _)| marked == name).map(|(_, digest)| *digest)
    }

    /// These are the members of the binding's group now.
    pub(crate) fn members_are(&mut self, name: &PolicyName, members: &BTreeSet<String>) {
        put(self.members.entry(name.team().clone()).or_default(), name, members_digest(members));
    }

    /// Whether just these were in the group when it was made true; `None` where nobody knows.
    pub(crate) fn members_were(
        &self,
        name: &PolicyName,
        members: &BTreeSet<String>,
    ) -> Option<bool> {
        let known = self.members.get(name.team())?;
        let known = known.iter().find(|(known, _)| known == name);
        known.map(|(_, digest)| *digest == members_digest(members))
    }

    /// Whether members may not come back into the group.
    pub(crate) fn is_taken_out(&self, name: &PolicyName) -> bool {
        self.taken_out.contains(name)
    }

    /// The groups of these changes' teams that a hand took members out of.
    pub(crate) fn taken_out(&self, changes: &[Change]) -> BTreeSet<PolicyName> {
        let of_change = |name: &PolicyName| {
            let subject = Subject::Team(name.team().clone());
            changes.iter().any(|change| change.proposed.subject() == subject)
        };
        self.taken_out.iter().filter(|name| of_change(name)).cloned().collect()
    }

    /// A hand took members out of the group.
    pub(crate) fn take_out(&mut self, name: &PolicyName) {
        self.taken_out.insert(name.clone());
    }

    /// The group has all its members again.
    pub(crate) fn is_whole(&mut self, name: &PolicyName) {
        self.taken_out.remove(name);
    }

    /// The binding is made true.
    pub(crate) fn remember(&mut self, team: &TeamName, name: &PolicyName, seen: &Seen) {
        put(self.seen.entry(team.clone()).or_default(), name, seen.digest());
    }
}

fn put(marks: &mut Vec<(PolicyName, Digest)>, name: &PolicyName, digest: Digest) {
    marks.retain(|(marked, _)| marked != name);
    marks.push((name.clone(), digest));
}

fn members_digest(members: &BTreeSet<String>) -> Digest {
    let members: Vec<&str> = members.iter().map(String::as_str).collect();
    Digest::of(members.join("\n").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> TeamName {
        TeamName::new(text).unwrap()
    }

    #[test]
    fn what_is_due_is_taken_once_and_all_means_all() {
        let all = || vec![name("team-a"), name("team-b")];
        let mut attached = Attached::default();
        assert!(attached.is_due(), "nothing was looked at yet");
        assert_eq!(attached.take_due(all), all());
        assert!(!attached.is_due());
        attached.look_at([name("team-b")]);
        attached.look_at([name("team-b")]);
        assert_eq!(attached.take_due(all), [name("team-b")]);
        attached.day_is(Date::constant(2026, 11, 1));
        assert_eq!(attached.take_due(all), all());
        attached.day_is(Date::constant(2026, 11, 1));
        assert!(!attached.is_due());
        attached.day_is(Date::constant(2026, 10, 31));
        assert_eq!(attached.take_due(all), all(), "a clock that was put back, too");
    }

    #[test]
    fn a_mark_holds_for_what_it_was_made_from() {
        let (team, binding): (_, PolicyName) =
            (name("team-a"), "team.team-a.binding.api".parse().unwrap());
        let mut attached = Attached::default();
        let uid = |uid: &str| Seen::Accounts(None, Some(uid.to_owned()), BTreeMap::new());
        attached.remember(&team, &binding, &uid("1"));
        assert!(attached.is_true(&team, &binding, &uid("1")));
        assert!(!attached.is_true(&team, &binding, &uid("2")));
        attached.remember(&team, &binding, &uid("2"));
        assert!(!attached.is_true(&team, &binding, &uid("1")));
        attached.take_due(Vec::new);
        attached.forget(&name("team-b"));
        assert!(attached.is_true(&team, &binding, &uid("2")));
        let members = |ids: &[&str]| ids.iter().map(ToString::to_string).collect();
        assert_eq!(attached.members_were(&binding, &members(&["a"])), None);
        attached.members_are(&binding, &members(&["a"]));
        attached.doubt(&team);
        assert!(!attached.is_marked(&team, &binding));
        assert_eq!(attached.members_were(&binding, &members(&["a"])), Some(true));
        assert_eq!(attached.members_were(&binding, &members(&["a", "b"])), Some(false));
        assert_eq!(attached.members_were(&binding, &members(&[])), Some(false));
        attached.take_out(&binding);
        attached.doubt_all();
        assert!(attached.is_taken_out(&binding), "a doubt brings nobody back");
        attached.forget(&team);
        assert!(!attached.is_taken_out(&binding), "a change of the team does");
        assert_eq!(attached.members_were(&binding, &members(&["a"])), None);
        attached.members_are(&binding, &members(&["a"]));
        attached.start_anew([binding.clone()].into());
        assert!(attached.is_taken_out(&binding));
        assert_eq!(attached.members_were(&binding, &members(&["a"])), None);
        assert_eq!(attached.take_due(|| vec![name("team-c")]), [name("team-c")]);
    }
}
