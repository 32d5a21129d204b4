//! Tombstones in the engine: what ended, and which rounds are void, whatever the database says.
//!
//! One value per request that ended without being applied, and per suspension, beside the heads. It is written before the
//! row is, and looked at once under each lease before anything is decided about a request; what ends
//! under the lease is remembered. It never allows anything.

use std::collections::BTreeMap;

use serde_json::Value;
use strongroom_domain::Digest;
use strongroom_domain::ended::{ENDED_VERSION, Ended, Forbids, Spent};
use strongroom_domain::event::EventKind;
use strongroom_domain::id::{ActId, RequestId};
use strongroom_domain::request::State;
use strongroom_domain::subject::Subject;
use strongroom_engine::kv;
use strongroom_storage::request::RequestRow;
use strongroom_vault_model::object::HEADS_MOUNT;

use crate::error::ExecutorError;
use crate::finding::{Severity, finding};
use crate::freeze::submission;
use crate::record::{Write, Written};
use crate::start::Executor;

/// So many requests are remembered at most; then they are read again.
const REMEMBERED: usize = 10_000;

/// What is known of tombstones: their content, and the version it came from.
pub(crate) type Tombstones = BTreeMap<RequestId, (Ended, u64)>;

fn path(request: RequestId) -> String {
    format!("ended/{request}")
}

/// Ids of acts are made by clients: one that is also a request's must not end that.
fn act_path(act: ActId) -> String {
    format!("ended/act.{act}")
}

impl Executor {
    /// Whether a tombstone stands against this row; then the row is moved to where it says.
    pub(crate) async fn is_ended(&mut self, row: &RequestRow) -> Result<bool, ExecutorError> {
        let round = u32::try_from(row.round).unwrap_or(0);
        let ended = self.tombstone(row.request).await?.0;
        match ended.forbids(row.state, round) {
            Forbids::Nothing => Ok(false),
            Forbids::Round => {
                // Whatever keeps it from being frozen again, it can still end.
                if !self.has_begun(row.request) && self.request_ends(row).await? {
                    return Ok(true);
                }
                self.forgotten(row, &format!("that round {round} is void")).await?;
                let submission = submission(row)?;
                let submitter = self.submitter(row, &submission).await?;
                let why = format!("its votes were void already: {}", ended.because);
                self.freeze(row, &submission, &submitter, Some(&why)).await?;
                Ok(true)
            }
            Forbids::Request(state) => {
                let over = ended.over.unwrap_or(state).as_str();
                self.forgotten(row, &format!("that it was {over}")).await?;
                let kind = match state {
                    State::Failed => EventKind::RequestFailed,
                    State::Withdrawn => EventKind::RequestWithdrawn,
                    State::Expired => EventKind::RequestExpired,
                    State::Superseded => EventKind::RequestSuperseded,
                    _ => EventKind::RequestRejected,
                };
                let why = format!("{} (the database had forgotten it)", ended.because);
                self.move_on(row, state, Some(&why), kind).await?;
                Ok(true)
            }
        }
    }

    async fn forgotten(&mut self, row: &RequestRow, what: &str) -> Result<(), ExecutorError> {
        let text = format!(
            "the engine remembers of request {} {what}, the database did not; the engine's word stands",
            row.request
        );
        let next = "if the executor was not interrupted just then, the database was restored from an \
                    older copy or edited: find out which, and what else is missing";
        let found = finding("forgotten", &row.request.to_string(), Severity::Warning, text, next);
        let key = found.key.clone();
        // It is mended in the same moment.
        self.found(found).await?;
        self.resolved(&key).await
    }

    /// A request ends without being applied: said in the engine first.
    pub(crate) async fn tombstone_end(
        &mut self,
        row: &RequestRow,
        state: State,
        because: &str,
    ) -> Result<(), ExecutorError> {
        let (mut ended, version) = self.tombstone(row.request).await?;
        let before = ended.clone();
        ended.end(state, because);
        self.tombstone_write(row, before, ended, version).await
    }

    /// A round's votes are void: said in the engine before there is a next one.
    pub(crate) async fn tombstone_void(
        &mut self,
        row: &RequestRow,
        because: &str,
    ) -> Result<(), ExecutorError> {
        let round = u32::try_from(row.round).unwrap_or(0);
        let (mut ended, version) = self.tombstone(row.request).await?;
        let before = ended.clone();
        ended.void(round, because);
        self.tombstone_write(row, before, ended, version).await
    }

    async fn tombstone(&mut self, request: RequestId) -> Result<(Ended, u64), ExecutorError> {
        if let Some(known) = self.ended.get(&request) {
            return Ok(known.clone());
        }
        let wrong =
            |why: &str| ExecutorError::Stopped(format!("the tombstone of request {request} {why}"));
        let known = match kv::read(&self.engine, HEADS_MOUNT, &path(request)).await? {
            None => (Ended::new(self.floor.deployment, request), 0),
            Some(stored) => {
                let ended: Ended = serde_json::from_value(stored.data)
                    .map_err(|error| wrong(&format!("cannot be read: {error}")))?;
                let ours = ended.version == ENDED_VERSION
                    && ended.deployment == self.floor.deployment
                    && ended.request == request;
                if !ours {
                    return Err(wrong("is not its own"));
                }
                (ended, stored.version)
            }
        };
        if self.ended.len() >= REMEMBERED {
            self.ended.clear();
        }
        self.ended.insert(request, known.clone());
        Ok(known)
    }

    /// Whether an act without a request has had its effect already, whatever the database says.
    pub(crate) async fn is_spent(&self, act: ActId) -> Result<bool, ExecutorError> {
        let Some(stored) = kv::read(&self.engine, HEADS_MOUNT, &act_path(act)).await? else {
            return Ok(false);
        };
        let spent = serde_json::from_value::<Spent>(stored.data);
        let ours = spent.is_ok_and(|spent| {
            let deployment = spent.deployment == self.floor.deployment;
            spent.version == ENDED_VERSION && deployment && spent.act == act
        });
        let wrong = || ExecutorError::Stopped(format!("the tombstone of act {act} is not its own"));
        if ours { Ok(true) } else { Err(wrong()) }
    }

    /// Remembers that an act has had its effect.
    pub(crate) async fn spend(
        &self,
        act: ActId,
        token: Digest,
        what: String,
        subject: &Subject,
    ) -> Result<(), ExecutorError> {
        let name = act.to_string();
        let write = Write {
            request: None,
            plan_hash: None,
            standing_order: None,
            subject: Some(subject.clone()),
            step: 0,
            operation: "spend",
            object_kind: "tombstone",
            object_name: &name,
            after: None,
        };
        let spent = Spent::new(self.floor.deployment, act, token, what);
        let value: Value = serde_json::to_value(&spent)
            .map_err(|error| ExecutorError::Stopped(error.to_string()))?;
        self.intent(&write).await?;
        let (_, envelope) =
            kv::write_cas(&self.engine, HEADS_MOUNT, &act_path(act), &value, 0).await?;
        self.receipt(&write, "written", &Written::of(&envelope)).await
    }

    async fn tombstone_write(
        &mut self,
        row: &RequestRow,
        before: Ended,
        ended: Ended,
        version: u64,
    ) -> Result<(), ExecutorError> {
        if ended == before {
            return Ok(());
        }
        let name = row.request.to_string();
        let write = Write {
            request: Some(row.request),
            plan_hash: None,
            standing_order: None,
            subject: None,
            step: 0,
            operation: if ended.over.is_some() { "end" } else { "void" },
            object_kind: "tombstone",
            object_name: &name,
            after: None,
        };
        self.intent(&write).await?;
        let value: Value = serde_json::to_value(&ended)
            .map_err(|error| ExecutorError::Stopped(error.to_string()))?;
        // Whatever comes of it, it is read again before it is believed.
        self.ended.remove(&row.request);
        let sent =
            kv::write_cas(&self.engine, HEADS_MOUNT, &path(row.request), &value, version).await;
        let (version, envelope) = sent?;
        self.receipt(&write, "written", &Written::of(&envelope)).await?;
        self.ended.insert(row.request, (ended, version));
        Ok(())
    }
}
