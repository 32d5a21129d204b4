//! Every call that leaves the process. Between any two of them anything may happen; each may fail
//! before it does something, and its answer may be lost after it did.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use strongroom_domain::head::Head;
use strongroom_domain::request::State;

use super::{Executor, Go, Stop};
use crate::Omission;
use crate::database::{Act, PlanNumber, Receipt, RequestNumber, Row};
use crate::engine::{Object, Write};
use crate::scenery::{Content, Key};
use crate::world::{End, Frozen, World};

/// What is known of a write that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    Done,
    /// Check-and-set failed.
    Refused,
    /// No answer came.
    Unknown,
}

impl Executor {
    /// Lets everybody else go first.
    pub(super) async fn pause(&self) {
        let mut waited = false;
        poll_fn(|_| {
            if waited {
                return Poll::Ready(());
            }
            waited = true;
            Poll::Pending
        })
        .await;
    }

    pub(super) async fn sleep(&self, seconds: i64) {
        {
            let mut world = self.world.borrow_mut();
            world.wake[self.me] = world.now + seconds;
        }
        self.pause().await;
    }

    pub(super) fn rest(&self) -> i64 {
        let mut world = self.world.borrow_mut();
        if world.faults { 1 + i64::from(world.rng.once_in(3)) } else { 7 }
    }

    /// One call: it may fail before anything is done.
    async fn call<T>(&self, does: impl FnOnce(&mut World) -> T) -> Go<T> {
        self.pause().await;
        let mut world = self.world.borrow_mut();
        if world.faults && world.rng.once_in(90) {
            return Err(Stop::Down);
        }
        world.truth.moment += 1;
        let answer = does(&mut world);
        if world.faults && world.rng.once_in(90) {
            return Err(Stop::Down);
        }
        Ok(answer)
    }

    /// A read of the database, which may be behind.
    async fn query<T>(&self, reads: impl FnOnce(&crate::database::Database) -> T) -> Go<T> {
        self.call(|world| {
            let stale = world.faults && world.rng.once_in(12);
            reads(if stale { &world.behind } else { &world.database })
        })
        .await
    }

    pub(super) async fn lease_acquire(&mut self) -> Go<Option<i64>> {
        let asked = self.world.borrow().now;
        let holder = self.holder;
        let epoch = self.call(|world| world.database.lease_acquire(holder, world.now)).await?;
        if epoch.is_some() {
            self.until = asked + crate::database::LEASE;
        }
        Ok(epoch)
    }

    pub(super) async fn lease_raise(&mut self, epoch: i64, to: i64) -> Go<bool> {
        let holder = self.holder;
        self.call(|world| world.database.lease_raise(holder, epoch, to, world.now)).await
    }

    /// The lease is looked at and the intent recorded, before anything is written.
    pub(super) async fn intent(&mut self) -> Go<()> {
        let (holder, epoch) = (self.holder, self.epoch);
        let held = self
            .call(|world| {
                let held = world.database.lease_check(holder, epoch, world.now);
                held || world.omits(Omission::Epoch)
            })
            .await?;
        if !held {
            return Err(Stop::LeaseLost);
        }
        let losses = self.world.borrow().losses;
        self.losses = losses;
        self.call(|_| ()).await
    }

    /// Sends a write and waits for its answer as long as the engine may take.
    pub(super) async fn send(&mut self, write: Write) -> Go<Sent> {
        self.pause().await;
        let number = {
            let mut world = self.world.borrow_mut();
            let unfenced = world.omits(Omission::Epoch) || world.omits(Omission::Clock);
            if !self.in_time(world.now) && !unfenced {
                return Err(Stop::LeaseLost);
            }
            world.send(self.me, write, self.epoch, self.losses)
        };
        // Whoever dies here leaves it on its way: the world settles it when its time is over.
        self.pause().await;
        let mut world = self.world.borrow_mut();
        let late = world.flights.iter().any(|each| each.number == number && each.end.is_some());
        let arrives = !(world.faults && world.rng.once_in(60));
        let end = world.land(number, arrives);
        world.forget(number);
        if late || end == End::Lost || (world.faults && world.rng.once_in(60)) {
            return Ok(Sent::Unknown);
        }
        Ok(if end == End::Landed { Sent::Done } else { Sent::Refused })
    }

    pub(super) async fn head_read(&self, subject: usize) -> Go<(Head, u64)> {
        let (head, version) = self.call(|world| world.head(subject)).await?;
        // The fence: a later holder of the lease has written already.
        let unfenced = self.world.borrow().omits(Omission::Epoch);
        if self.epoch > 0 && head.epoch > self.epoch && !unfenced {
            return Err(Stop::LeaseLost);
        }
        Ok((head, version))
    }

    /// Writes a head by check-and-set and remembers it.
    pub(super) async fn head_write(&mut self, subject: usize, mut head: Head) -> Go<()> {
        let version = self.heads.get(&subject).map_or(0, |(_, version)| *version);
        head.epoch = self.epoch;
        self.intent().await?;
        let unchecked = {
            let world = self.world.borrow();
            world.omits(Omission::CheckAndSet) || world.omits(Omission::Epoch)
        };
        let checked = (!unchecked).then_some(version);
        let write = Write::Head { subject, head: Box::new(head.clone()), version: checked };
        match self.send(write).await? {
            Sent::Done => {}
            Sent::Refused => return Err(Stop::Stopped),
            // What it knows of this head may be wrong, and others are judged by it: all are loaded
            // again before anything else is done.
            Sent::Unknown if self.world.borrow().omits(Omission::Memory) => return Err(Stop::Down),
            Sent::Unknown => return Err(Stop::LeaseLost),
        }
        self.heads.insert(subject, (head, version + 1));
        Ok(())
    }

    /// Says beside the heads that a request is over, before its row does.
    pub(super) async fn tombstone(&self, request: RequestNumber) -> Go<()> {
        self.call(|world| world.engine.ended.insert(request)).await.map(drop)
    }

    pub(super) async fn is_ended(&self, request: RequestNumber) -> Go<bool> {
        self.call(|world| world.engine.ended.contains(&request)).await
    }

    pub(super) async fn object_read(&self, key: Key) -> Go<Object> {
        self.call(|world| world.engine.objects[key]).await
    }

    pub(super) async fn observe(&self, keys: &[Key]) -> Go<(u64, Vec<(Key, Content)>)> {
        self.call(|world| {
            let found = keys.iter().map(|key| (*key, world.engine.objects[*key].content));
            (world.truth.moment, found.collect())
        })
        .await
    }

    pub(super) async fn requests_open(&self) -> Go<Vec<Row>> {
        let open = |row: &&Row| !row.state.is_final();
        self.query(|database| database.rows.iter().filter(open).cloned().collect()).await
    }

    pub(super) async fn acts_of(&self, request: RequestNumber) -> Go<Vec<Act>> {
        // Decisions are made on the writer: a no that was counted must not be missing.
        let of_request = |act: &&Act| act.request == request;
        self.call(|world| world.database.acts.iter().filter(of_request).cloned().collect()).await
    }

    /// The stored plan of a request, if it is one that an executor signed for it.
    pub(super) async fn frozen_plan(&self, row: &Row) -> Go<Rc<Frozen>> {
        let latest = self.query(|database| database.plan_latest(row.request)).await?;
        let (_, number) = latest.ok_or(Stop::Hostile)?;
        let frozen = self.world.borrow().plans[number].clone();
        let ours = frozen.plan.request == crate::world::request_id(row.request)
            && frozen.plan.round == row.round;
        if ours { Ok(frozen) } else { Err(Stop::Hostile) }
    }

    /// A write to the database, in one transaction with a look at the lease: whoever was stopped
    /// past it moves nothing and answers nobody any more. `change` gives whether the row was still
    /// what it was when it was read.
    async fn store(&self, change: impl FnOnce(&mut World) -> bool) -> Go<()> {
        let (holder, epoch) = (self.holder, self.epoch);
        let outcome = self
            .call(|world| {
                let held = world.database.lease_holds(holder, epoch, world.now);
                if !held && !world.omits(Omission::Rows) {
                    return None;
                }
                let done = change(world);
                if done {
                    world.last_change = world.now;
                }
                Some(done)
            })
            .await?;
        match outcome {
            None => Err(Stop::LeaseLost),
            Some(true) => Ok(()),
            Some(false) => Err(Stop::Down),
        }
    }

    pub(super) async fn transition_store(&self, row: &Row, to: State) -> Go<()> {
        let request = row.request;
        self.store(|world| {
            let moved = world.database.transition(row, to);
            if moved {
                world.say(|| format!("request {request} is {}", to.as_str()));
            }
            moved
        })
        .await
    }

    pub(super) async fn plan_store(&self, row: &Row, number: PlanNumber) -> Go<()> {
        let request = row.request;
        self.store(|world| {
            let stored = world.database.freeze(row, row.round + 1, number);
            if stored {
                world.say(|| format!("request {request} is frozen as plan {number}"));
            }
            stored
        })
        .await
    }

    pub(super) async fn receipt_store(&self, act: &Act, receipt: Receipt, ends: bool) -> Go<()> {
        let (number, request) = (act.number, act.request);
        self.store(|world| {
            let stored = world.database.receipt(number, receipt);
            if stored {
                world.say(|| format!("act {number} on request {request}: {receipt:?}"));
                if ends {
                    world.truth.ended.insert(request);
                }
            }
            stored
        })
        .await
    }
}
