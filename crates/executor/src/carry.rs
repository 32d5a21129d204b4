//! Carrying a plan out: heads `applying`, batch after batch of steps, roles that follow, heads
//! `applied`.
//!
//! It must not ask whether the plan may be: that is decided before the first write.

use std::collections::BTreeSet;
use std::ops::Range;

use serde_json::Value;
use strongroom_domain::document::Document;
use strongroom_domain::head::Head;
use strongroom_domain::subject::Subject;
use strongroom_plan::batch::batches;
use strongroom_plan::model::Step;
use strongroom_plan::resume::{Verdict, judge, only_leaves};
use strongroom_plan::{Plan, summary};
use strongroom_storage::plan::PlanRow;
use strongroom_vault_model::name::BindingName;
use strongroom_vault_model::object::{ObjectKey, fingerprint};
use strongroom_vault_model::policy::PolicyName;

use crate::error::ExecutorError;
use crate::fault;
use crate::heads::Order;
use crate::meanwhile::{STANDS_STILL, Still, StillGroups, why_still};
use crate::object::Reading;
use crate::record::{Write, Written};
use crate::start::Executor;

/// How many steps are written side by side. All of a batch begin at once, so that each of them is
/// within the lease that was looked at before.
pub(crate) const SIDE_BY_SIDE: usize = 16;

impl Executor {
    /// Heads, steps, heads. Gives the step that it stopped at for good, if it came to one, and why.
    pub(crate) async fn carry_out<'p>(
        &mut self,
        plan: &'p Plan,
        stored: &PlanRow,
        begin: &[usize],
        reading: &mut Reading,
        resume: bool,
    ) -> Result<Option<(Option<&'p Step>, String)>, ExecutorError> {
        // After an interruption those that are missing: nothing was written before the last of them.
        match self.heads_applying(plan, stored, begin).await {
            Ok(()) => {}
            Err(ExecutorError::Engine(error)) if error.is_refused() => {
                return Ok(Some((None, error.to_string())));
            }
            Err(ExecutorError::Stopped(why)) => return Ok(Some((None, why))),
            Err(error) => return Err(error),
        }
        let mut meanwhile = self.meanwhile(plan, resume)?;
        // After an interruption too: nobody is attached while the head says `applying`, and a
        // token from before the vote must never be adopted.
        self.reset_entities(plan, &mut meanwhile).await?;
        if resume {
            // Groups name anchors by the engine's ids, which the first try had read.
            let lists = plan.steps.iter().filter_map(|step| step.after.as_ref()?.get("anchors"));
            let names = lists.filter_map(Value::as_array).flatten().filter_map(Value::as_str);
            let anchors = names.filter_map(|name| ObjectKey::parse("anchor", name).ok()).collect();
            self.observe(reading, &anchors).await?;
        }
        for batch in batches(&plan.steps, SIDE_BY_SIDE) {
            self.meanwhile_look(plan, &mut meanwhile).await?;
            let again = meanwhile.again.as_ref();
            let stopped = self.batch_write(plan, stored, batch, reading, again).await?;
            if let Some((step, why)) = stopped {
                return Ok(Some((Some(step), why)));
            }
        }
        self.roles_follow(plan, reading).await?;
        self.heads_applied(plan).await?;
        Ok(None)
    }

    /// Writes one batch. After an interruption each step is looked at alone: as before: do it; as
    /// after: it was done; anything else: stop. What stands still since then is left out.
    async fn batch_write<'p>(
        &self,
        plan: &'p Plan,
        stored: &PlanRow,
        batch: Range<usize>,
        reading: &mut Reading,
        again: Option<&StillGroups>,
    ) -> Result<Option<(&'p Step, String)>, ExecutorError> {
        let names: Vec<String> =
            plan.steps[batch.clone()].iter().map(|step| step.object.name()).collect();
        let mut found_now = Vec::new().into_iter();
        if again.is_some() {
            let keys: Vec<&ObjectKey> =
                plan.steps[batch.clone()].iter().map(|step| &step.object).collect();
            found_now = self.read_now_each(reading, &keys).await?.into_iter();
        }
        let (mut todo, mut ended) = (Vec::new(), Vec::new());
        for (place, name) in batch.zip(&names) {
            let step = &plan.steps[place];
            let write = Write {
                request: Some(plan.request),
                plan_hash: Some(stored.hash),
                standing_order: None,
                subject: None,
                step: step.ordinal,
                operation: step.action.as_str(),
                object_kind: step.object.kind(),
                object_name: name,
                after: step.after.as_ref().map(fingerprint),
            };
            if let (Some(still), Some((found, id))) = (again, found_now.next()) {
                let outcome =
                    match (why_still(step, still), judge(&plan.steps, place, found.as_ref())) {
                        (Some(Still::Held), _) if found.is_none() => Some(STANDS_STILL),
                        (Some(Still::Ended), _) if !only_leaves(step) => Some(STANDS_STILL),
                        (_, Verdict::Stop) => {
                            self.receipts(&ended).await?;
                            let why = format!(
                                "{} is neither as before nor as after step {}",
                                step.object, step.ordinal
                            );
                            return Ok(Some((step, why)));
                        }
                        // What is ours is taken away by the look at the bindings; then it goes on.
                        (Some(Still::Held), _) => {
                            self.receipts(&ended).await?;
                            let why =
                                format!("{} is taken away first: it stands still", step.object);
                            return Err(ExecutorError::Wait(why));
                        }
                        (_, Verdict::Already) => Some("already"),
                        (_, Verdict::Do) => None,
                    };
                if let Some(outcome) = outcome {
                    ended.push((write, outcome, Written { read_back: id, ..Written::default() }));
                    continue;
                }
            }
            todo.push((step, write));
        }
        let failed = self.steps_send(&todo, reading, &mut ended).await?;
        self.receipts(&ended).await?;
        // What may yet succeed, or may have happened, is tried again before anything is given up.
        let mut first = None;
        for (step, error) in failed {
            first.get_or_insert((step, error.for_good()?));
        }
        Ok(first)
    }

    /// Sends steps side by side, and waits for all of them: one that fails breaks off no other.
    pub(crate) async fn steps_send<'p, 'w>(
        &self,
        todo: &[(&'p Step, Write<'w>)],
        reading: &mut Reading,
        ended: &mut Vec<(Write<'w>, &'static str, Written)>,
    ) -> Result<Vec<(&'p Step, ExecutorError)>, ExecutorError> {
        if todo.is_empty() {
            return Ok(Vec::new());
        }
        let writes: Vec<Write<'_>> = todo.iter().map(|(_, write)| write.clone()).collect();
        self.intents(&writes).await?;
        let known = &*reading;
        let send = |step: &'p Step| async move {
            fault::point("step")?;
            let exists = step.before.is_some();
            self.write_sent(known, &step.object, step.after.as_ref(), exists).await
        };
        let results = futures::future::join_all(todo.iter().map(|(step, _)| send(step))).await;
        let mut failed = Vec::new();
        for ((step, write), result) in todo.iter().zip(results) {
            let compared =
                result.and_then(|wrote| reading.compare(&step.object, step.after.as_ref(), wrote));
            match compared {
                Ok(written) => ended.push((write.clone(), "written", written)),
                Err(error) => {
                    ended.push((write.clone(), "failed", Written::default()));
                    failed.push((*step, error));
                }
            }
        }
        Ok(failed)
    }

    /// All heads to `applying`, in name order, before the first step.
    async fn heads_applying(
        &mut self,
        plan: &Plan,
        stored: &PlanRow,
        begin: &[usize],
    ) -> Result<(), ExecutorError> {
        let text = String::from_utf8_lossy(&stored.canonical).into_owned();
        let mut heads = Vec::new();
        for place in begin.iter().copied() {
            let Some(mut head) = self.heads.get(&plan.documents[place].subject).cloned() else {
                return Err(ExecutorError::Stopped("a head was not read".into()));
            };
            let target = plan.target(stored.hash, place, head.head.applied.as_ref());
            head.head.begin(target, text.clone());
            heads.push(*head);
        }
        // If one fails, nothing more is written before all heads are loaded again; then those that
        // had begun go on or go back.
        self.heads_write(heads, Some(plan.request), "applying", Order::OneByOne).await
    }

    /// Who was in a group that the plan wrote says nothing of a hand any more.
    fn members_are_anew(&mut self, plan: &Plan) {
        for step in &plan.steps {
            if let ObjectKey::Group(name) = &step.object {
                self.attached.members_forget(name);
            }
        }
    }

    pub(crate) async fn heads_back(&mut self, plan: &Plan) -> Result<(), ExecutorError> {
        self.roles_go_back(plan).await?;
        self.members_are_anew(plan);
        for document in &plan.documents {
            let mut head = self.head_read(&document.subject).await?;
            if head.head.go_back(plan.request) {
                self.head_write(head, Some(plan.request), "back").await?;
            }
        }
        Ok(())
    }

    /// Which of them comes first says nothing any more: every step is done.
    pub(crate) async fn heads_applied(&mut self, plan: &Plan) -> Result<(), ExecutorError> {
        let mut heads = Vec::new();
        let lifted = self.lifted(plan);
        for document in &plan.documents {
            let Some(mut head) = self.heads.get(&document.subject).cloned() else {
                continue;
            };
            let come_back = comes_back(plan, &head.head);
            let beside = self.held_beside(plan, &head.head);
            if head.head.finish(&lifted) {
                head.head.holds.extend(beside);
                head.head.taken_out.retain(|binding| !come_back.contains(binding));
                for binding in come_back {
                    if let Subject::Team(team) = &document.subject {
                        // Who was in it before says nothing of a hand any more.
                        self.attached.members_forget(&PolicyName::Binding(team.clone(), binding));
                    }
                }
                heads.push(*head);
            }
        }
        self.members_are_anew(plan);
        self.heads_write(heads, Some(plan.request), "applied", Order::SideBySide).await
    }
}

/// Bindings whose members come back: people signed that they do, or there is no such binding any more.
fn comes_back(plan: &Plan, head: &Head) -> BTreeSet<BindingName> {
    let (Subject::Team(team), Some(begun)) = (&head.subject, &head.applying) else {
        return BTreeSet::new();
    };
    let Ok(Document::Team(document)) = begun.target.document() else { return BTreeSet::new() };
    let is_over = |binding: &&BindingName| {
        let group = PolicyName::Binding(team.clone(), (*binding).clone());
        plan.standing_orders.contains(&summary::come_back(&group))
            || !document.bindings.iter().any(|each| each.name == **binding)
    };
    head.taken_out.iter().filter(is_over).cloned().collect()
}
