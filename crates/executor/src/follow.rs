//! Roles of teams follow a Cluster or Platform document: written while its plan is carried out, under
//! the plan's own standing order, before its heads say that it is applied.
//!
//! So a break in the middle goes on where it was, and a plan that stops goes back. A role that is not
//! as a plan left it is not touched here: the look for drift judges it.

use std::time::{Duration, Instant};

use strongroom_domain::Digest;
use strongroom_domain::document::{Document, Team};
use strongroom_domain::id::RequestId;
use strongroom_domain::subject::Subject;
use strongroom_plan::follow::{FIELDS, Follow, Following, ORDER};
use strongroom_plan::model::{Action, PlannedDocument, Step};
use strongroom_plan::{Change, Plan};
use strongroom_vault_model::object::{Fields, ObjectKey, fingerprint};

use crate::accounts::order;
use crate::carry::SIDE_BY_SIDE;
use crate::error::ExecutorError;
use crate::object::Reading;
use crate::record::Write;
use crate::start::Executor;

/// How long one pass writes roles: what takes away comes first in every pass.
const TURN: Duration = Duration::from_secs(10);

/// How far the roles of one plan have come.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FollowedTo {
    request: RequestId,
    direction: Direction,
    /// All up to this one are done.
    subject: Subject,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Direction {
    Forth,
    Back,
}

impl Executor {
    /// Plans that roles follow begin when nothing else is half done, and while one is no other plan
    /// writes a role: so that no two of them wait for each other, and every role is as some applied
    /// document says.
    pub(crate) fn follow_may_begin(&self, plan: &Plan) -> Result<(), ExecutorError> {
        if self.follow_of(plan)?.is_none() {
            return self.role_may_be_written(plan);
        }
        let own = |subject: &Subject| plan.documents.iter().any(|each| each.subject == *subject);
        let mut begun = self.heads.iter().filter(|(_, head)| head.head.applying.is_some());
        match begun.find(|(subject, _)| !own(subject)) {
            Some((subject, _)) => Err(ExecutorError::Wait(format!(
                "another request is being applied to {subject}; this one, which the roles of teams \
                 follow, begins after it"
            ))),
            None => Ok(()),
        }
    }

    fn role_may_be_written(&self, plan: &Plan) -> Result<(), ExecutorError> {
        let followed = plan.steps.iter().filter_map(|step| match &step.object {
            ObjectKey::Role(cluster, _) => {
                Some([Subject::Platform, Subject::Cluster(cluster.clone())])
            }
            _ => None,
        });
        let begun = |subject: &Subject| {
            self.heads.get(subject).is_some_and(|head| head.head.applying.is_some())
        };
        match followed.flatten().find(begun) {
            Some(subject) => Err(ExecutorError::Wait(format!(
                "another request is being applied to {subject}, which roles follow; this one, which \
                 writes a role, begins after it"
            ))),
            None => Ok(()),
        }
    }

    /// Writes again what roles take from the documents of this plan.
    pub(crate) async fn roles_follow(
        &mut self,
        plan: &Plan,
        reading: &mut Reading,
    ) -> Result<(), ExecutorError> {
        let Some(follow) = self.follow_of(plan)? else { return Ok(()) };
        self.roles_walk(plan, &follow, Direction::Forth, reading).await?;
        // What a hand did to a role meanwhile was taken for the plan's own.
        self.drift.doubt(None);
        Ok(())
    }

    /// A plan that stopped in the middle: roles that followed it already go back.
    pub(crate) async fn roles_go_back(&mut self, plan: &Plan) -> Result<(), ExecutorError> {
        // What cannot be read now was not written from either.
        let Ok(Some(follow)) = self.follow_of(plan) else { return Ok(()) };
        let mut reading = self.reading();
        self.roles_walk(plan, &follow.back(), Direction::Back, &mut reading).await
    }

    /// What follows from a plan, if people signed that it does.
    fn follow_of(&self, plan: &Plan) -> Result<Option<Follow>, ExecutorError> {
        let is_team = |subject: &Subject| matches!(subject, Subject::Team(_));
        if plan.documents.iter().all(|planned| is_team(&planned.subject)) {
            return Ok(None);
        }
        let changes = self.changes_of(plan)?;
        // Hosts of the plan's own teams say `applying` now, and are not asked for.
        let others: Vec<Change> =
            changes.iter().filter(|change| !is_team(&change.proposed.subject())).cloned().collect();
        let Some(follow) = Follow::of(&self.context(&others, &plan.lift)?, &changes) else {
            return Ok(None);
        };
        if follow.orders().iter().all(|order| plan.standing_orders.contains(order)) {
            return Ok(Some(follow));
        }
        // Another version's plan, or another floor since: nobody signed this.
        tracing::warn!(request = %plan.request, "roles do not follow: it is not in the signed plan");
        Ok(None)
    }

    /// The plan's documents against what the heads say is applied.
    fn changes_of(&self, plan: &Plan) -> Result<Vec<Change>, ExecutorError> {
        let change = |planned: &PlannedDocument| {
            let proposed = Document::from_value(&planned.document)
                .map_err(|_| ExecutorError::Stopped(format!("the plan of {}", planned.subject)))?;
            let head = self.heads.get(&planned.subject);
            let base = head.map(|head| head.document()).transpose()?.flatten();
            let applied = head.and_then(|head| head.head.applied.as_ref());
            let base_pins = applied.map(|applied| applied.pins.to_map()).unwrap_or_default();
            Ok(Change { base, proposed, base_pins })
        };
        plan.documents.iter().map(change).collect()
    }

    async fn roles_walk(
        &mut self,
        plan: &Plan,
        follow: &Follow,
        direction: Direction,
        reading: &mut Reading,
    ) -> Result<(), ExecutorError> {
        let begun = Instant::now();
        let subjects: Vec<Subject> = self.heads.keys().cloned().collect();
        // Before the first write: one that is half done may yet write a role of before.
        for subject in &subjects {
            if self.is_half_done(plan, subject)
                && let Some(team) = self.team_of_head(plan, subject)
                && !follow.roles(&team).is_empty()
            {
                return Err(ExecutorError::Wait(format!(
                    "another request is being applied to {subject}, whose roles follow this one"
                )));
            }
        }
        let after = match &self.followed_to {
            Some(to) if to.request == plan.request && to.direction == direction => {
                Some(to.subject.clone())
            }
            _ => None,
        };
        let rest = subjects.iter().filter(|subject| after.as_ref().is_none_or(|a| *subject > a));
        let named = (plan.request, Plan::hash_of(&plan.canonical()));
        let mut batch = Vec::new();
        for subject in rest {
            let Some(team) = self.team_of_head(plan, subject) else { continue };
            let roles = follow.roles(&team).into_iter();
            batch.extend(roles.map(|role| (subject.clone(), role)));
            if batch.len() >= SIDE_BY_SIDE {
                self.roles_write(named, std::mem::take(&mut batch), reading).await?;
                self.followed_to =
                    Some(FollowedTo { request: plan.request, direction, subject: subject.clone() });
                if begun.elapsed() > TURN {
                    let done = subjects.iter().filter(|each| *each <= subject).count();
                    return Err(ExecutorError::Wait(format!(
                        "the roles of teams are written: {done} of {} subjects are done",
                        subjects.len()
                    )));
                }
            }
        }
        self.roles_write(named, batch, reading).await?;
        self.followed_to = None;
        Ok(())
    }

    fn is_half_done(&self, plan: &Plan, subject: &Subject) -> bool {
        let applying = self.heads.get(subject).and_then(|head| head.head.applying.as_ref());
        applying.is_some_and(|begun| begun.target.request != plan.request)
    }

    /// A team's document once this plan is applied. Of a team that is not believed nothing follows.
    fn team_of_head(&self, plan: &Plan, subject: &Subject) -> Option<Team> {
        let head = self.heads.get(subject).filter(|_| matches!(subject, Subject::Team(_)))?;
        if self.unbelieved.contains_key(subject) {
            return None;
        }
        let own = head.head.applying.as_ref();
        let own = own.filter(|begun| begun.target.request == plan.request);
        let document = match own {
            Some(begun) => begun.target.document().ok()?,
            None => head.document().ok()??,
        };
        match document {
            Document::Team(team) => Some(*team),
            _ => None,
        }
    }

    async fn roles_write(
        &mut self,
        (request, hash): (RequestId, Digest),
        roles: Vec<(Subject, Following)>,
        reading: &mut Reading,
    ) -> Result<(), ExecutorError> {
        for chunk in roles.chunks(SIDE_BY_SIDE) {
            self.lease_keep().await?;
            // What was read for the plan's own steps is of before them.
            for (_, role) in chunk {
                reading.forget(&role.key);
            }
            let keys = chunk.iter().map(|(_, role)| role.key.clone()).collect();
            let observed = self.observe(reading, &keys).await?;
            let step = |(subject, role): &(Subject, Following)| {
                let found =
                    observed.get(&role.key).flatten().filter(|found| role.is_ours(found))?;
                let step = Step {
                    ordinal: 0,
                    action: Action::Update,
                    object: role.key.clone(),
                    before: Some(found.clone()),
                    after: Some(role.after.clone()),
                };
                Some((subject.clone(), role.key.name(), step))
            };
            let steps: Vec<(Subject, String, Step)> = chunk.iter().filter_map(step).collect();
            let todo = steps.iter().map(|(subject, name, step)| {
                let write = Write {
                    request: Some(request),
                    plan_hash: Some(hash),
                    subject: Some(subject.clone()),
                    after: step.after.as_ref().map(fingerprint),
                    ..order(ORDER, step.action.as_str(), step.object.kind(), name)
                };
                (step, write)
            });
            let todo: Vec<(&Step, Write<'_>)> = todo.collect();
            let mut ended = Vec::new();
            let failed = self.steps_send(&todo, reading, &mut ended).await?;
            self.receipts(&ended).await?;
            for (step, error) in failed {
                // One that cannot be written stops no other; the look for drift tells of it.
                let why = error.for_good()?;
                tracing::error!(object = %step.object, why, "the role does not follow");
                self.drift.forget();
            }
            for (_, role) in chunk {
                reading.forget(&role.key);
            }
        }
        Ok(())
    }

    /// While a plan that roles follow is half done, a role may be as before it or as after.
    pub(crate) fn role_follows_yet(
        &self,
        key: &ObjectKey,
        wanted: &mut Fields,
        found: Option<&Fields>,
    ) {
        let (ObjectKey::Role(cluster, _), Some(found)) = (key, found) else { return };
        let followed = [Subject::Platform, Subject::Cluster(cluster.clone())];
        let is_begun = |subject: &Subject| {
            self.heads.get(subject).is_some_and(|head| head.head.applying.is_some())
        };
        if followed.iter().any(is_begun) {
            for name in FIELDS {
                if let Some(value) = found.get(name) {
                    wanted.insert(name.to_owned(), value.clone());
                }
            }
        }
    }
}
