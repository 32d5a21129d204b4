//! What was last made true for each binding, and which teams have to be looked at again: a quiet
//! cluster costs nothing, and a change costs what it concerns.
//!
//! A team leaves the list only when all of it was made true. What is new comes before the round of
//! all teams, and before what was looked at and could not be made true yet.

use std::collections::{BTreeMap, BTreeSet};

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

/// What is made true, and what has to be looked at.
#[derive(Debug)]
pub(crate) struct Attached {
    /// All teams are looked at, from the beginning.
    all: bool,
    /// Something of these changed.
    news: BTreeSet<TeamName>,
    /// The rest of a round, the last one first.
    round: Vec<TeamName>,
    /// The round is through those of `later`, and not through all teams.
    is_retry: bool,
    /// These were looked at, and something was unknown or held back.
    later: BTreeSet<TeamName>,
    seen: BTreeMap<TeamName, Vec<(PolicyName, Digest)>>,
    /// Who was in each group when it was last made true.
    members: BTreeMap<TeamName, Vec<(PolicyName, Digest)>>,
    /// Groups that a hand took members out of, as the heads say.
    taken_out: BTreeSet<PolicyName>,
    /// The same, where the head could not be written yet.
    unsaid: BTreeSet<PolicyName>,
    day: Option<Date>,
}

impl Default for Attached {
    fn default() -> Self {
        Self {
            all: true,
            news: BTreeSet::new(),
            round: Vec::new(),
            is_retry: false,
            later: BTreeSet::new(),
            seen: BTreeMap::new(),
            members: BTreeMap::new(),
            taken_out: BTreeSet::new(),
            unsaid: BTreeSet::new(),
            day: None,
        }
    }
}

impl Attached {
    /// Nothing is known to be true any more.
    pub(crate) fn start_anew(&mut self) {
        self.members.clear();
        self.taken_out.clear();
        self.doubt_all();
    }

    /// Everything may have been changed by hand; what was put into the groups is still known.
    pub(crate) fn doubt_all(&mut self) {
        self.seen.clear();
        self.all = true;
    }

    /// Something of one team is another, or may have been changed by hand; what was put into its
    /// groups is still known.
    pub(crate) fn doubt(&mut self, team: &TeamName) {
        self.seen.remove(team);
        self.look_at([team.clone()]);
    }

    /// These are looked at; what is as it was is not touched.
    pub(crate) fn look_at(&mut self, teams: impl IntoIterator<Item = TeamName>) {
        self.news.extend(teams);
    }

    /// This one was looked at, and has to be again: there are others first.
    pub(crate) fn look_later(&mut self, team: &TeamName) {
        self.later.insert(team.clone());
    }

    /// All are looked at; what is as it was is not touched.
    pub(crate) fn look_at_all(&mut self) {
        self.all = true;
    }

    /// Bindings end with a day.
    pub(crate) fn day_is(&mut self, today: Date) {
        if self.day.replace(today) != Some(today) {
            self.look_at_all();
        }
    }

    /// Whether anything has to be looked at.
    pub(crate) fn is_due(&self) -> bool {
        self.is_under_way() || !self.round.is_empty() || !self.later.is_empty()
    }

    /// Whether some were not come to yet. What is tried again has time.
    pub(crate) fn is_under_way(&self) -> bool {
        self.all || !self.news.is_empty() || (!self.is_retry && !self.round.is_empty())
    }

    /// A new look: what could not be made true is tried again when the round is over.
    pub(crate) fn begin(&mut self, all: impl FnOnce() -> Vec<TeamName>) {
        if self.all {
            // What an earlier round did not come to comes first, however often all is begun anew.
            let left = std::mem::take(&mut self.round);
            let left = if self.is_retry { Vec::new() } else { left };
            let known: BTreeSet<&TeamName> = left.iter().collect();
            self.round = all().into_iter().filter(|team| !known.contains(team)).collect();
            self.round.extend(left);
            (self.all, self.is_retry) = (false, false);
            self.later.clear();
        } else if self.round.is_empty() {
            self.round = std::mem::take(&mut self.later).into_iter().collect();
            self.is_retry = true;
        }
    }

    /// Takes the next team; whoever takes it gives it back if it is not made true.
    pub(crate) fn next(&mut self) -> Option<TeamName> {
        self.news.pop_last().or_else(|| self.round.pop())
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
        self.taken_out.contains(name) || self.unsaid.contains(name)
    }

    /// Whether a hand took members out of the group and its head does not say so yet.
    pub(crate) fn take_out(&mut self, name: &PolicyName, is_unsaid: bool) {
        if is_unsaid {
            self.unsaid.insert(name.clone());
        } else {
            self.unsaid.remove(name);
        }
    }

    /// The groups of these changes' teams that a hand took members out of.
    pub(crate) fn taken_out(&self, changes: &[Change]) -> BTreeSet<PolicyName> {
        let of_change = |name: &PolicyName| {
            let subject = Subject::Team(name.team().clone());
            changes.iter().any(|change| change.proposed.subject() == subject)
        };
        self.taken_out.iter().filter(|name| of_change(name)).cloned().collect()
    }

    /// The groups of one team that a hand took members out of, by its head.
    pub(crate) fn taken_out_are(&mut self, team: &TeamName, taken_out: BTreeSet<PolicyName>) {
        self.taken_out.retain(|name| name.team() != team);
        self.unsaid.retain(|name| !taken_out.contains(name));
        self.taken_out.extend(taken_out);
    }

    /// The group is made, emptied or deleted by Strongroom itself: who was in it says nothing any more.
    pub(crate) fn members_forget(&mut self, name: &PolicyName) {
        if let Some(known) = self.members.get_mut(name.team()) {
            known.retain(|(known, _)| known != name);
        }
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

    fn taken(attached: &mut Attached) -> Vec<TeamName> {
        attached.begin(|| vec![name("team-a"), name("team-b")]);
        std::iter::from_fn(|| attached.next()).collect()
    }

    #[test]
    fn what_is_due_is_taken_once_and_all_means_all() {
        let all = [name("team-b"), name("team-a")];
        let mut attached = Attached::default();
        assert!(attached.is_due(), "nothing was looked at yet");
        assert_eq!(taken(&mut attached), all);
        assert!(!attached.is_due());
        attached.look_at([name("team-b")]);
        attached.look_at([name("team-b")]);
        assert_eq!(taken(&mut attached), [name("team-b")]);
        attached.day_is(Date::constant(2026, 11, 1));
        assert_eq!(taken(&mut attached), all);
        attached.day_is(Date::constant(2026, 11, 1));
        assert!(!attached.is_due());
        attached.day_is(Date::constant(2026, 10, 31));
        assert_eq!(taken(&mut attached), all, "a clock that was put back, too");
    }

    #[test]
    fn beginning_anew_keeps_what_is_new_and_what_was_not_come_to() {
        let all = || vec![name("team-a"), name("team-b"), name("team-c")];
        let mut attached = Attached::default();
        attached.begin(all);
        assert_eq!(attached.next(), Some(name("team-c")));
        attached.look_at([name("team-c")]);
        attached.doubt_all();
        attached.begin(all);
        let order: Vec<TeamName> = std::iter::from_fn(|| attached.next()).collect();
        assert_eq!(order, ["team-c", "team-b", "team-a", "team-c"].map(name));
    }

    #[test]
    fn what_is_new_comes_before_the_round_and_the_rest_of_that_before_what_waits() {
        let mut attached = Attached::default();
        attached.begin(|| vec![name("team-a"), name("team-b"), name("team-c")]);
        assert_eq!(attached.next(), Some(name("team-c")));
        attached.look_later(&name("team-c"));
        attached.begin(Vec::new);
        attached.look_at([name("team-a")]);
        assert_eq!(attached.next(), Some(name("team-a")));
        assert!(attached.is_under_way());
        assert_eq!(attached.next(), Some(name("team-b")));
        assert_eq!(attached.next(), Some(name("team-a")));
        assert_eq!(attached.next(), None);
        assert!(attached.is_due() && !attached.is_under_way());
        attached.begin(Vec::new);
        assert!(attached.is_due() && !attached.is_under_way(), "it has time");
        assert_eq!(attached.next(), Some(name("team-c")));
        assert!(!attached.is_due());
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
        attached.doubt(&name("team-b"));
        assert!(attached.is_true(&team, &binding, &uid("2")));
        let members = |ids: &[&str]| ids.iter().map(ToString::to_string).collect();
        assert_eq!(attached.members_were(&binding, &members(&["a"])), None);
        attached.members_are(&binding, &members(&["a"]));
        attached.doubt(&team);
        assert!(!attached.is_marked(&team, &binding));
        assert_eq!(attached.members_were(&binding, &members(&["a"])), Some(true));
        assert_eq!(attached.members_were(&binding, &members(&["a", "b"])), Some(false));
        assert_eq!(attached.members_were(&binding, &members(&[])), Some(false));
        attached.members_forget(&binding);
        assert_eq!(attached.members_were(&binding, &members(&["a"])), None);
        attached.taken_out_are(&team, [binding.clone()].into());
        attached.taken_out_are(&name("team-b"), BTreeSet::new());
        attached.doubt_all();
        assert!(attached.is_taken_out(&binding), "a doubt brings nobody back");
        attached.taken_out_are(&team, BTreeSet::new());
        assert!(!attached.is_taken_out(&binding), "its head does");
        attached.members_are(&binding, &members(&["a"]));
        attached.start_anew();
        assert_eq!(attached.members_were(&binding, &members(&["a"])), None);
        assert!(attached.is_due());
    }
}
