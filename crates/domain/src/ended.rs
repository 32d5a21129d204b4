//! Tombstones: requests that are over, rounds that are void and acts that are spent, remembered where no database
//! administrator can make them forgotten.
//!
//! A no stands although the rows that held it are gone: an older database would otherwise bring back
//! a request together with votes that still verify. Tombstones only ever forbid.

use serde::{Deserialize, Serialize};

use crate::Digest;
use crate::id::{ActId, DeploymentId, RequestId};
use crate::request::State;

/// The version of this shape.
pub const ENDED_VERSION: u32 = 1;

/// What can no longer become of one request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Ended {
    /// [`ENDED_VERSION`].
    pub version: u32,
    /// The deployment that wrote it.
    pub deployment: DeploymentId,
    /// The request.
    pub request: RequestId,
    /// Rounds up to this one are void; 0 for none.
    pub void_rounds: u32,
    /// How the whole request ended, if it did.
    pub over: Option<State>,
    /// Why, for people.
    pub because: String,
}

/// What a tombstone says about a row that claims to be open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forbids {
    /// Nothing.
    Nothing,
    /// The votes of its round: it is frozen anew.
    Round,
    /// Everything: it ended so.
    Request(State),
}

impl Ended {
    /// Of a request about which nothing is known yet.
    pub fn new(deployment: DeploymentId, request: RequestId) -> Self {
        Self {
            version: ENDED_VERSION,
            deployment,
            request,
            void_rounds: 0,
            over: None,
            because: String::new(),
        }
    }

    /// One more round is void. Nothing that was forbidden is allowed again.
    pub fn void(&mut self, round: u32, because: &str) {
        if round > self.void_rounds {
            self.void_rounds = round;
            because.clone_into(&mut self.because);
        }
    }

    /// The request is over. How it ended first stands.
    pub fn end(&mut self, state: State, because: &str) {
        if self.over.is_none() {
            self.over = Some(state);
            because.clone_into(&mut self.because);
        }
    }

    /// What it forbids to a request that is in this state and round, and of which no head says that
    /// its plan has begun: what has begun is judged by the heads alone.
    pub fn forbids(&self, state: State, round: u32) -> Forbids {
        match (self.over, state) {
            (_, state) if state.is_final() => Forbids::Nothing,
            (Some(_), State::Applying) => Forbids::Request(State::Failed),
            // What failed after it had begun is, to a row that knows nothing of that, out of date.
            (Some(State::Failed), _) => Forbids::Request(State::Superseded),
            (Some(over), _) => Forbids::Request(over),
            (None, State::InReview | State::Approved) if round <= self.void_rounds => {
                Forbids::Round
            }
            (None, State::Applying) if round <= self.void_rounds => Forbids::Request(State::Failed),
            (None, _) => Forbids::Nothing,
        }
    }
}

/// An act without a request that has had its effect: it has none a second time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Spent {
    /// [`ENDED_VERSION`].
    pub version: u32,
    /// The deployment that wrote it.
    pub deployment: DeploymentId,
    /// The act.
    pub act: ActId,
    /// SHA-256 of the ID token that proves it.
    pub token: Digest,
    /// What was done, for people.
    pub what: String,
}

impl Spent {
    /// Of an act that is being taken.
    pub fn new(deployment: DeploymentId, act: ActId, token: Digest, what: String) -> Self {
        Self { version: ENDED_VERSION, deployment, act, token, what }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn ended() -> Ended {
        let deployment = DeploymentId::from_uuid(Uuid::from_u128(1));
        Ended::new(deployment, RequestId::from_uuid(Uuid::from_u128(2)))
    }

    #[test]
    fn a_no_is_remembered_and_the_first_one_stands() {
        let mut ended = ended();
        assert_eq!(ended.forbids(State::Approved, 1), Forbids::Nothing);
        ended.end(State::Rejected, "no");
        ended.end(State::Withdrawn, "again");
        for state in [State::Submitted, State::InReview, State::Approved] {
            assert_eq!(ended.forbids(state, 7), Forbids::Request(State::Rejected));
        }
        assert_eq!(ended.because, "no");
        assert_eq!(ended.forbids(State::Applying, 1), Forbids::Request(State::Failed));
        assert_eq!(ended.forbids(State::Applied, 1), Forbids::Nothing);
    }

    #[test]
    fn void_rounds_only_grow_and_later_ones_are_open() {
        let mut ended = ended();
        ended.void(2, "changed");
        ended.void(1, "older");
        assert_eq!(ended.because, "changed");
        assert_eq!(ended.forbids(State::Approved, 2), Forbids::Round);
        assert_eq!(ended.forbids(State::InReview, 1), Forbids::Round);
        assert_eq!(ended.forbids(State::InReview, 3), Forbids::Nothing);
        // Nothing is frozen yet, so there is no vote to be void.
        assert_eq!(ended.forbids(State::Submitted, 0), Forbids::Nothing);
        // A row that says it has begun, and no head does.
        assert_eq!(ended.forbids(State::Applying, 2), Forbids::Request(State::Failed));
        assert_eq!(ended.forbids(State::Applying, 3), Forbids::Nothing);
    }

    #[test]
    fn whatever_it_forbids_the_state_machine_allows_to_follow() {
        let open = [State::Submitted, State::InReview, State::Approved, State::Applying];
        let ends =
            [State::Rejected, State::Withdrawn, State::Expired, State::Superseded, State::Failed];
        for state in open {
            for end in ends {
                let mut ended = ended();
                ended.end(end, "why");
                let Forbids::Request(next) = ended.forbids(state, 1) else {
                    panic!("{state:?} goes on")
                };
                assert!(state.can_become(next), "{state:?} to {next:?}");
            }
        }
    }
}
