//! Who asks, and by which rules of visibility they are answered.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use strongroom_authorization::{Resource, Snapshot, Standing, Verb};
use strongroom_domain::clock::Clock;
use strongroom_domain::event::{Actor, Event, EventKind};
use strongroom_domain::id::{EventId, MachineId, RequestId, SessionId};
use strongroom_domain::machine::Scope;
use strongroom_domain::name::TeamName;
use strongroom_domain::person::SignedPerson;
use strongroom_domain::subject::Subject;
use strongroom_storage::Store;
use strongroom_storage::request::Visibility;
use uuid::Uuid;

use crate::access::Access;
use crate::error::AppError;
use crate::live::Live;
use crate::reach::ReachCache;

/// What the configuration of `serve` says about who sees what. The executor has its own lists.
#[derive(Debug, Clone)]
pub struct Rules {
    /// See everything, and may propose clusters and platform rules.
    pub platform_groups: BTreeSet<String>,
    /// See everything and change nothing.
    pub auditor_groups: BTreeSet<String>,
    /// How many open requests one person may have.
    pub open_requests_per_person: u32,
    /// Clusters whose service accounts may ask, each with the one audience of their tokens.
    pub machine_clusters: BTreeMap<String, String>,
    /// How long a session lives without use.
    pub session_idle: SignedDuration,
    /// How long a session lives at most.
    pub session_absolute: SignedDuration,
}

/// What all requests share.
pub struct App {
    /// The database, as the role of the API.
    pub store: Store,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Who sees what.
    pub rules: Rules,
    /// Who is in which team.
    pub access: Access,
    /// Who can reach what.
    pub reach: ReachCache,
    /// Who waits for what is new.
    pub live: Live,
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").field("rules", &self.rules).finish_non_exhaustive()
    }
}

impl App {
    /// The time now.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// An id that sorts by time.
    pub(crate) fn new_id(&self) -> Uuid {
        let now = self.now();
        let seconds = u64::try_from(now.as_second()).unwrap_or_default();
        let nanos = u32::try_from(now.subsec_nanosecond()).unwrap_or_default();
        Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, seconds, nanos))
    }

    /// An event of a person whom the API merely has a session of, or of a machine.
    pub(crate) fn event(
        &self,
        kind: EventKind,
        person: &SignedPerson,
        request: Option<RequestId>,
        subject: Option<Subject>,
        detail: serde_json::Value,
    ) -> Event {
        let display = person.display.clone();
        let actor = match person.id.machine() {
            Some(machine) => Actor::Machine { machine, display },
            None => Actor::Person {
                issuer: person.id.issuer.clone(),
                person: person.id.person.clone(),
                display,
                signed: false,
            },
        };
        Event {
            id: EventId::from_uuid(self.new_id()),
            at: self.now(),
            kind,
            request,
            subject,
            actor,
            detail,
        }
    }
}

/// By what somebody asks.
#[derive(Debug, Clone)]
pub enum Caller {
    /// A person's live session.
    Session(SessionId),
    /// A machine, in nobody's name.
    Machine(Machine),
}

/// A machine as it asks.
#[derive(Debug, Clone)]
pub struct Machine {
    /// Which.
    pub id: MachineId,
    /// The one team it may see; all where there is none.
    pub team: Option<TeamName>,
    /// What it may do.
    pub scope: Scope,
}

/// One request of one signed-in person or one machine. There is no way to it but through a live
/// session or a live machine.
#[derive(Debug, Clone)]
pub struct Ctx {
    /// What all requests share.
    pub app: Arc<App>,
    /// Who asks, as of the sign-in. A machine is in no group.
    pub person: SignedPerson,
    /// By what.
    pub caller: Caller,
    /// When that ends.
    pub expires_at: Timestamp,
    /// Who is in which team, as of this request.
    pub(crate) members: Arc<Snapshot>,
}

impl Ctx {
    /// The machine that asks, if none of the people.
    pub fn machine(&self) -> Option<&Machine> {
        match &self.caller {
            Caller::Machine(machine) => Some(machine),
            Caller::Session(_) => None,
        }
    }

    /// Whether the person is in a platform group.
    pub fn is_platform(&self) -> bool {
        !self.app.rules.platform_groups.is_disjoint(&self.person.groups)
    }

    /// Whether the person sees everything and changes nothing.
    pub fn is_auditor(&self) -> bool {
        !self.is_platform() && !self.app.rules.auditor_groups.is_disjoint(&self.person.groups)
    }

    /// What the caller is besides their teams.
    fn standing(&self) -> Standing {
        if let Some(Machine { team, scope, .. }) = self.machine() {
            return match (team, scope) {
                (Some(_), Scope::Read) => Standing::Reader,
                (Some(_), Scope::Propose) => Standing::Proposer,
                (None, Scope::Read) => Standing::WideReader,
                (None, Scope::Propose) => Standing::WideProposer,
            };
        }
        match (self.is_platform(), self.is_auditor()) {
            (true, _) => Standing::Platform,
            (false, true) => Standing::Auditor,
            (false, false) => Standing::Person,
        }
    }

    /// Whether the caller may do this, in a team or outside of all.
    pub fn may(&self, within: Option<&TeamName>, resource: Resource, verb: Verb) -> bool {
        let standing = self.standing();
        match self.machine() {
            Some(machine) => {
                let own = machine.team.as_ref();
                self.members.machine_may(standing, own, within, resource, verb)
            }
            None => self.members.may(standing, &self.person.groups, within, resource, verb),
        }
    }

    /// What the caller may see, by the documents that are applied now.
    pub fn visibility(&self) -> Visibility {
        let all = self.may(None, Resource::TeamDocument, Verb::Read);
        let groups = &self.person.groups;
        let own = self.machine().and_then(|machine| machine.team.as_ref());
        let teams = if all { BTreeSet::new() } else { self.members.teams_of(groups) };
        let teams = teams.into_iter().chain(own).map(ToString::to_string).collect();
        Visibility { all, teams, groups: groups.clone(), person: self.person.id.clone() }
    }

    /// Refuses what the person may not do outside of all teams.
    pub fn must(&self, resource: Resource, verb: Verb) -> Result<(), AppError> {
        if self.may(None, resource, verb) {
            return Ok(());
        }
        if let Some(machine) = self.machine() {
            return Err(AppError::forbidden(
                format!("a machine with the scope `{}` may not do this", machine.scope.as_str()),
                "machines read, and propose where they were made with --scope propose; a person signs",
            ));
        }
        if self.is_auditor() {
            return Err(AppError::forbidden(
                "auditors see everything and change nothing",
                "ask a member of the team or of the platform",
            ));
        }
        Err(AppError::forbidden(
            format!("your groups may not do this ({resource} {verb})"),
            "`strongroom whoami` shows your groups; ask a member of the platform",
        ))
    }
}

/// Whether the viewer sees a subject. Clusters and platform rules are the platform's and the
/// auditors'; a team is its members' too.
pub(crate) fn sees(visibility: &Visibility, subject: &Subject) -> bool {
    visibility.all
        || matches!(subject, Subject::Team(team) if visibility.teams.contains(team.as_str()))
}
