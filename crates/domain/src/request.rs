//! A change request's states, its stages, and the counting of votes.
//!
//! Pure rules: the executor decides with them from acts whose signatures it verified itself, and
//! pages show them. Nothing here reads rows.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::person::{PersonId, SignedPerson};

/// Where a change request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Stored; the executor has not frozen a plan yet.
    Submitted,
    /// A plan is frozen; people sign.
    InReview,
    /// Every stage has its votes.
    Approved,
    /// The executor has begun to write.
    Applying,
    /// Written and read back.
    Applied,
    /// Stopped in the middle; a finding says where.
    Failed,
    /// Somebody with a vote said no.
    Rejected,
    /// The submitter took it back.
    Withdrawn,
    /// Its time ran out.
    Expired,
    /// What it was made from has changed.
    Superseded,
}

const STATES: &[(State, &str)] = &[
    (State::Submitted, "submitted"),
    (State::InReview, "in_review"),
    (State::Approved, "approved"),
    (State::Applying, "applying"),
    (State::Applied, "applied"),
    (State::Failed, "failed"),
    (State::Rejected, "rejected"),
    (State::Withdrawn, "withdrawn"),
    (State::Expired, "expired"),
    (State::Superseded, "superseded"),
];

impl State {
    /// The word in rows, answers and pages.
    pub fn as_str(self) -> &'static str {
        STATES.iter().find(|(state, _)| *state == self).map_or("", |(_, word)| word)
    }

    /// The state that this word names.
    pub fn from_word(word: &str) -> Option<Self> {
        STATES.iter().find(|(_, each)| *each == word).map(|(state, _)| *state)
    }

    /// All words, in the order of a request's life.
    pub fn words() -> String {
        STATES.iter().map(|(_, word)| *word).collect::<Vec<_>>().join(", ")
    }

    /// Whether nothing can follow.
    pub fn is_final(self) -> bool {
        STATES.iter().all(|(next, _)| !self.can_become(*next))
    }

    /// The arrows of the state machine.
    pub fn can_become(self, next: Self) -> bool {
        use State::{
            Applied, Applying, Approved, Expired, Failed, InReview, Rejected, Submitted,
            Superseded, Withdrawn,
        };
        match self {
            Submitted => matches!(next, InReview | Rejected | Withdrawn | Expired | Superseded),
            // Back to review: frozen anew in a new round.
            InReview => {
                matches!(next, InReview | Approved | Rejected | Withdrawn | Expired | Superseded)
            }
            Approved => {
                matches!(next, InReview | Applying | Rejected | Withdrawn | Expired | Superseded)
            }
            Applying => matches!(next, Applied | Failed),
            Applied | Failed | Rejected | Withdrawn | Expired | Superseded => false,
        }
    }
}

/// One group of people and how many of them must sign.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// `owners of <team>` or `platform`.
    pub name: String,
    /// Being in one of these groups is enough.
    pub groups: BTreeSet<String>,
    /// How many distinct people besides the submitter.
    pub votes: u32,
}

impl Stage {
    /// Whether the signed groups of this person let them vote here.
    pub fn admits(&self, person: &SignedPerson) -> bool {
        person.in_any(self.groups.iter().map(String::as_str))
    }
}

/// A verified approval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vote {
    /// Who signed, with the groups of that sign-in.
    pub by: SignedPerson,
    /// The stage they signed for.
    pub stage: String,
}

/// The shortest time that a vote lives by default.
const SURELY_COUNTS: SignedDuration = SignedDuration::from_hours(24);

/// Whether a vote that was counted surely still counts. Old ones may have run out, and after a denial the
/// request says so (`said`): then voting again is right. Only the executor knows of those.
pub fn surely_counts(said: Option<&str>, received_at: Timestamp, now: Timestamp) -> bool {
    let denied = said.is_some_and(|reason| !reason.is_empty());
    !denied && now.duration_since(received_at) < SURELY_COUNTS
}

/// Why a verified approval does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoVote {
    /// The submitter's own approval.
    #[error("the submitter's own approval does not count")]
    Submitter,
    /// One person counts once over the whole request.
    #[error("this person's approval is counted already")]
    Twice,
    /// There is no such stage in the plan.
    #[error("the plan has no stage of this name")]
    NoSuchStage,
    /// The signed groups are not the stage's.
    #[error("the signed groups do not include one that votes in this stage")]
    NotAllowed,
}

/// How far a request's stages are filled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// Per stage, in order: who counts.
    pub counted: Vec<(Stage, Vec<PersonId>)>,
}

impl Tally {
    /// Counts votes in the order they were received. A vote that does not count is passed over.
    pub fn count(stages: &[Stage], submitter: &PersonId, votes: &[Vote]) -> Self {
        let mut tally =
            Self { counted: stages.iter().map(|stage| (stage.clone(), Vec::new())).collect() };
        for vote in votes {
            if tally.judge(submitter, vote).is_ok()
                && let Some((_, people)) =
                    tally.counted.iter_mut().find(|(stage, _)| stage.name == vote.stage)
            {
                people.push(vote.by.id.clone());
            }
        }
        tally
    }

    /// Whether one more vote would count.
    pub fn judge(&self, submitter: &PersonId, vote: &Vote) -> Result<(), NoVote> {
        let (stage, _) = self
            .counted
            .iter()
            .find(|(stage, _)| stage.name == vote.stage)
            .ok_or(NoVote::NoSuchStage)?;
        if vote.by.id == *submitter {
            return Err(NoVote::Submitter);
        }
        if self.counted.iter().any(|(_, people)| people.contains(&vote.by.id)) {
            return Err(NoVote::Twice);
        }
        if stage.admits(&vote.by) { Ok(()) } else { Err(NoVote::NotAllowed) }
    }

    /// Whether every stage has its votes.
    pub fn is_complete(&self) -> bool {
        self.counted.iter().all(|(stage, people)| people.len() >= stage.votes as usize)
    }
}

/// Where a request goes from review, by what counts now. `ended` is what a counted reject or
/// withdrawal makes of it: it stands before every approval, also when the executor was interrupted
/// between counting it and moving the request on.
pub fn decide(state: State, ended: Option<State>, complete: bool) -> Option<State> {
    match (state, ended, complete) {
        (State::InReview | State::Approved, Some(end), _) => Some(end),
        (State::InReview, None, true) => Some(State::Approved),
        // Votes have become too old, or are denied, before it could be applied.
        (State::Approved, None, false) => Some(State::InReview),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(name: &str, groups: &[&str]) -> SignedPerson {
        SignedPerson {
            id: PersonId { issuer: "https://idp".into(), person: name.into() },
            display: name.into(),
            groups: groups.iter().map(ToString::to_string).collect(),
        }
    }

    fn stage(name: &str, group: &str, votes: u32) -> Stage {
        Stage { name: name.into(), groups: [group.to_owned()].into(), votes }
    }

    fn vote(name: &str, groups: &[&str], stage: &str) -> Vote {
        Vote { by: person(name, groups), stage: stage.into() }
    }

    #[test]
    fn final_states_have_no_way_out_and_words_come_back() {
        for (state, word) in STATES {
            assert_eq!(State::from_word(word), Some(*state));
        }
        assert!(State::Applied.is_final() && State::Rejected.is_final());
        assert!(!State::InReview.is_final());
        assert!(!State::Submitted.can_become(State::Applying));
        assert!(!State::Submitted.can_become(State::Approved));
        assert!(!State::Applying.can_become(State::Withdrawn));
    }

    /// The whole table: rows are where a request stands, columns where it may go next, both in the
    /// order of `STATES`.
    #[test]
    fn the_state_machine_is_this_table() {
        let table = [
            // submitted in_review approved applying applied failed rejected withdrawn expired superseded
            ("submitted", ".x....xxxx"),
            ("in_review", ".xx...xxxx"),
            ("approved", ".x.x..xxxx"),
            ("applying", "....xx...."),
            ("applied", ".........."),
            ("failed", ".........."),
            ("rejected", ".........."),
            ("withdrawn", ".........."),
            ("expired", ".........."),
            ("superseded", ".........."),
        ];
        assert_eq!(table.len(), STATES.len());
        for ((state, word), (row, arrows)) in STATES.iter().zip(table) {
            assert_eq!(*word, row);
            let found: String = STATES
                .iter()
                .map(|(next, _)| if state.can_become(*next) { 'x' } else { '.' })
                .collect();
            assert_eq!(found, arrows, "{word}");
            assert_eq!(state.is_final(), !arrows.contains('x'), "{word}");
            assert_eq!(serde_json::to_value(state).unwrap(), *word);
        }
        assert_eq!(State::from_word("done"), None);
    }

    #[test]
    fn a_no_stands_before_every_yes_and_only_in_review() {
        for end in [State::Rejected, State::Withdrawn] {
            for complete in [true, false] {
                assert_eq!(decide(State::InReview, Some(end), complete), Some(end));
                assert_eq!(decide(State::Approved, Some(end), complete), Some(end));
            }
        }
        assert_eq!(decide(State::InReview, None, true), Some(State::Approved));
        assert_eq!(decide(State::InReview, None, false), None);
        assert_eq!(decide(State::Approved, None, true), None);
        assert_eq!(decide(State::Approved, None, false), Some(State::InReview));
        for (state, _) in STATES {
            for (ended, complete) in [(Some(State::Rejected), true), (None, true), (None, false)] {
                let next = decide(*state, ended, complete);
                assert!(next.is_none_or(|next| state.can_become(next)), "{state:?} to {next:?}");
            }
        }
    }

    #[test]
    fn the_submitter_and_a_second_vote_do_not_count() {
        let stages = [stage("owners of payments", "leads", 1), stage("platform", "sre", 1)];
        let alice = person("alice", &[]).id;
        let votes = [
            vote("alice", &["leads", "sre"], "platform"),
            vote("bob", &["leads", "sre"], "owners of payments"),
            vote("bob", &["leads", "sre"], "platform"),
            vote("carol", &["others"], "platform"),
        ];
        let tally = Tally::count(&stages, &alice, &votes);
        assert_eq!(tally.counted[0].1.len(), 1);
        assert_eq!(tally.counted[1].1.len(), 0);
        assert!(!tally.is_complete());
        assert_eq!(tally.judge(&alice, &votes[0]), Err(NoVote::Submitter));
        assert_eq!(tally.judge(&alice, &votes[2]), Err(NoVote::Twice));
        assert_eq!(tally.judge(&alice, &votes[3]), Err(NoVote::NotAllowed));
        assert_eq!(
            tally.judge(&alice, &vote("sue", &["sre"], "elsewhere")),
            Err(NoVote::NoSuchStage)
        );
        assert_eq!(tally.judge(&alice, &vote("sue", &["sre"], "platform")), Ok(()));
    }

    #[test]
    fn the_same_name_at_another_issuer_is_another_person_but_groups_still_decide() {
        let stages = [stage("platform", "sre", 2)];
        let mut twin = person("sam", &["sre"]);
        twin.id.issuer = "https://other".into();
        let votes =
            [vote("sam", &["sre"], "platform"), Vote { by: twin, stage: "platform".into() }];
        let tally = Tally::count(&stages, &person("sue", &[]).id, &votes);
        assert!(tally.is_complete());
    }
}
