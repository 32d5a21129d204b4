//! Ledger events: what happened, as canonical bytes that evidence can later be built from.
//!
//! An event never holds a secret value, a token or a key; a proof is named by its digest. Each row
//! of the ledger stores these bytes, their hash and the schema version.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Digest;
use crate::id::{EventId, MachineId, RequestId};
use crate::subject::Subject;

/// The version of the shape of [`Event`].
pub const SCHEMA_VERSION: i32 = 1;

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $word:literal;)*) => {
        /// What happened. The words are stable: reports and filters use them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum EventKind {
            $($(#[$doc])* #[serde(rename = $word)] $name,)*
        }

        impl EventKind {
            /// Every kind there is.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The stable word.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }
        }
    };
}

kinds! {
    /// Somebody signed in to the API.
    SignedIn = "session.signed_in";
    /// A session was ended from another one.
    SessionEnded = "session.ended";
    /// A machine may ask the API from now on.
    MachineCreated = "machine.created";
    /// It may not any more.
    MachineEnded = "machine.ended";
    /// Documents were proposed.
    RequestSubmitted = "request.submitted";
    /// Somebody said something about a request.
    RequestCommented = "request.commented";
    /// A signed act came in; the executor has not judged it yet.
    ActReceived = "act.received";
    /// The executor verified an act and counts it.
    ActCounted = "act.counted";
    /// The executor verified an act and does not count it.
    ActRefused = "act.refused";
    /// The executor froze and signed a plan.
    PlanFrozen = "plan.frozen";
    /// Every stage has its votes.
    RequestApproved = "request.approved";
    /// Somebody with a vote said no.
    RequestRejected = "request.rejected";
    /// The submitter took it back.
    RequestWithdrawn = "request.withdrawn";
    /// Its time ran out.
    RequestExpired = "request.expired";
    /// What it was made from has changed.
    RequestSuperseded = "request.superseded";
    /// The executor began to write.
    ApplyStarted = "apply.started";
    /// A standing order is about to write one object.
    StepIntended = "apply.intended";
    /// One object was written and read back.
    StepWritten = "apply.written";
    /// Everything is written and read back.
    RequestApplied = "request.applied";
    /// The executor stopped in the middle.
    RequestFailed = "request.failed";
    /// A service account got its rights.
    AccountAttached = "account.attached";
    /// A service account lost its rights.
    AccountDetached = "account.detached";
    /// A binding's last day is over.
    BindingEnded = "binding.ended";
    /// Something was made to stand still.
    HoldMade = "hold.made";
    /// A request let it go on.
    HoldLifted = "hold.lifted";
    /// Removals that were held back go on.
    BrakeReleased = "brake.released";
    /// An object was put back to what the head says.
    DriftCorrected = "drift.corrected";
    /// A binding was suspended.
    BindingSuspended = "binding.suspended";
    /// A check in a cluster said, once, how its reads went; its ticket's maker stands as the actor.
    BindingChecked = "binding.checked";
    /// Something is not as it should be.
    FindingOpened = "finding.opened";
    /// It is as it should be again.
    FindingResolved = "finding.resolved";
}

/// Who caused an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum Actor {
    /// A person; `signed` says whether the executor verified a signature for this very act, or
    /// whether the API merely had a session.
    Person {
        /// The issuer.
        issuer: String,
        /// The value of the person claim.
        person: String,
        /// A name to read.
        display: String,
        /// Whether the executor verified it.
        signed: bool,
    },
    /// A machine: an API key or a service account. It signs nothing.
    Machine {
        /// Which.
        machine: MachineId,
        /// Its name.
        display: String,
    },
    /// The executor, by an approved plan or a standing order.
    Executor,
    /// Somebody on the executor's host, by a local command.
    Operator,
}

/// One event before it has a sequence number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// Its id.
    pub id: EventId,
    /// When it happened, by the clock of the process that caused it.
    pub at: Timestamp,
    /// What happened.
    pub kind: EventKind,
    /// The change request it belongs to.
    pub request: Option<RequestId>,
    /// What it is about.
    pub subject: Option<Subject>,
    /// Who caused it.
    pub actor: Actor,
    /// The rest, by kind. Never a secret.
    pub detail: Value,
}

impl Event {
    /// The bytes that are stored and hashed.
    pub fn canonical(&self) -> Vec<u8> {
        crate::canonical::to_bytes(self)
            .expect("an event holds only text, integers, booleans, lists and maps with text keys")
    }

    /// SHA-256 of a domain line and the canonical bytes.
    pub fn digest(canonical: &[u8]) -> Digest {
        Digest::labelled("strongroom/event/1", canonical)
    }
}
