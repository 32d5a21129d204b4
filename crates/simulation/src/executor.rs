//! The executor: when it asks what. Each function has the name and the order of the product's own;
//! what is decided is decided by the product's pure code.

mod apply;
mod call;
mod freeze;
mod review;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use strongroom_domain::head::Head;
use strongroom_domain::request::State;

use crate::Omission;
use crate::database::{MARGIN, RequestNumber, Row};
use crate::engine::Write;
use crate::scenery::ABSENT;
use crate::world::{World, doc_of};

/// Why a pass or one request stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// A call failed, or its answer was lost; the next pass tries again.
    Down,
    /// The request waits.
    Wait,
    /// What it was made from has changed.
    Superseded,
    /// An object is neither as before nor as after.
    Stopped,
    /// Somebody else may write.
    LeaseLost,
    /// A row is not believed.
    Hostile,
}

pub(crate) type Go<T> = Result<T, Stop>;

/// One process.
pub(crate) struct Executor {
    world: Rc<RefCell<World>>,
    /// Which of the executors; a new start is a new holder.
    me: usize,
    holder: usize,
    epoch: i64,
    /// Until when the lease lasts, by its own clock, as it knew when it asked.
    until: i64,
    heads: BTreeMap<usize, (Head, u64)>,
    /// How often the database had lost rows when the lease was last looked at.
    losses: u32,
}

/// Runs until it is dropped, which is a crash.
pub(crate) async fn run(world: Rc<RefCell<World>>, me: usize, holder: usize) {
    let heads = BTreeMap::new();
    let mut executor = Executor { world, me, holder, epoch: 0, until: 0, heads, losses: 0 };
    loop {
        let result = executor.pass().await;
        executor.say(|| format!("pass ends: {result:?}"));
        if result == Err(Stop::LeaseLost) {
            executor.epoch = 0;
        }
        let quiet = executor.rest();
        executor.sleep(quiet).await;
    }
}

impl Executor {
    fn say(&self, line: impl FnOnce() -> String) {
        let (me, epoch) = (self.me, self.epoch);
        self.world.borrow_mut().say(|| format!("executor {me} (epoch {epoch}): {}", line()));
    }

    async fn pass(&mut self) -> Go<()> {
        let Some(epoch) = self.lease_acquire().await? else {
            self.epoch = 0;
            return Ok(());
        };
        if epoch != self.epoch {
            // Not ours to use until everything is loaded.
            self.epoch = 0;
            self.heads_load().await?;
            self.epoch = self.epoch_above_heads(epoch).await?;
            self.say(|| "has the lease".to_owned());
        }
        self.bindings_keep().await?;
        self.requests_advance().await?;
        self.bindings_keep().await
    }

    async fn heads_load(&mut self) -> Go<()> {
        self.heads.clear();
        for subject in 0..3 {
            let head = self.head_read(subject).await?;
            self.heads.insert(subject, head);
        }
        Ok(())
    }

    /// A database that lost its newest rows would give out old epochs again: the heads know better.
    async fn epoch_above_heads(&mut self, epoch: i64) -> Go<i64> {
        let newest = self.heads.values().map(|(head, _)| head.epoch).max().unwrap_or(0);
        if newest < epoch {
            return Ok(epoch);
        }
        if !self.lease_raise(epoch, newest + 1).await? {
            return Err(Stop::LeaseLost);
        }
        Ok(newest + 1)
    }

    /// Makes members what the applied documents say, where no plan is being applied.
    async fn bindings_keep(&mut self) -> Go<()> {
        let scenery = self.world.borrow().scenery.clone();
        let docs: Vec<usize> = self
            .heads
            .values()
            .filter(|(head, _)| head.applying.is_none())
            .filter_map(|(head, _)| head.applied.as_ref())
            .map(|applied| doc_of(&applied.document))
            .collect();
        for doc in docs {
            for (policy, group) in &scenery.groups {
                let named = scenery.named(doc, *group);
                let (object, rules) = {
                    let world = self.world.borrow();
                    (world.engine.objects[*group], world.engine.objects[*policy].content)
                };
                // Nobody comes into a group whose policy is not the applied document's: a plan
                // that failed half way may have left another.
                let as_applied = rules == scenery.policy_of(doc, *policy);
                let trusted = as_applied || self.world.borrow().omits(Omission::Policy);
                let members = if trusted { named } else { named & object.members };
                if named == 0 || object.content == ABSENT || object.members == members {
                    continue;
                }
                self.intent().await?;
                self.send(Write::Members { key: *group, members }).await?;
            }
        }
        Ok(())
    }

    async fn requests_advance(&mut self) -> Go<()> {
        for _ in 0..3 {
            let mut moved = false;
            for row in self.requests_open().await? {
                let before = (row.state, row.round);
                let request = row.request;
                match self.request_advance(row).await {
                    Ok(()) => {}
                    Err(Stop::LeaseLost) => return Err(Stop::LeaseLost),
                    Err(stop) => self.say(|| format!("request {request} stays: {stop:?}")),
                }
                let after = self.state(request);
                moved |= after.is_some_and(|after| after != before);
            }
            if self.lease_acquire().await? != Some(self.epoch) {
                return Err(Stop::LeaseLost);
            }
            if !moved {
                break;
            }
        }
        Ok(())
    }

    fn state(&self, request: RequestNumber) -> Option<(State, u32)> {
        let world = self.world.borrow();
        let row = world.database.rows.iter().find(|row| row.request == request);
        row.map(|row| (row.state, row.round))
    }

    /// Takes one request as far as it goes now.
    async fn request_advance(&mut self, row: Row) -> Go<()> {
        let result = match row.state {
            State::Submitted => self.take_in(&row).await,
            State::InReview => self.review(&row).await.map(drop),
            State::Approved => match self.review(&row).await {
                Ok(true) => Ok(()),
                Ok(false) => self.apply(&row).await,
                Err(stop) => Err(stop),
            },
            State::Applying => self.apply(&row).await,
            _ => Ok(()),
        };
        match result {
            // Nothing was begun, or the heads would say so.
            Err(Stop::Superseded) if row.state == State::Applying => {
                self.tombstone(row.request).await?;
                self.transition(&row, State::Failed).await
            }
            Err(Stop::Superseded) => self.transition(&row, State::Superseded).await,
            result => result,
        }
    }

    async fn transition(&mut self, row: &Row, to: State) -> Go<()> {
        if !row.state.can_become(to) {
            return Err(Stop::Hostile);
        }
        self.transition_store(row, to).await
    }

    /// Whether there is still time for a write to land before the lease may be another's.
    fn in_time(&self, now: i64) -> bool {
        now + MARGIN <= self.until
    }
}
