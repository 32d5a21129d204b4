//! Applying exactly what was signed: compare, head `applying`, step by step, head `applied`.

use strongroom_domain::request::State;
use strongroom_plan::resume::{Progress, Verdict, judge, progress};

use super::call::Sent;
use super::{Executor, Go, Stop};
use crate::Omission;
use crate::database::Row;
use crate::engine::Write;
use crate::world::Frozen;

impl Executor {
    fn omits(&self, omission: Omission) -> bool {
        self.world.borrow().omits(omission)
    }

    /// Applies an approved request, or goes on with one that was interrupted.
    pub(super) async fn apply(&mut self, row: &Row) -> Go<()> {
        let frozen = self.frozen_plan(row).await?;
        let (resume, begin) = match self.progress(&frozen).await? {
            Progress::Begun(_) if self.omits(Omission::OtherHeads) => (true, Vec::new()),
            Progress::Begun(rest) => (true, rest),
            Progress::Ending => {
                let row = &self.enter_applying(row).await?;
                self.heads_applied(&frozen).await?;
                return self.transition(row, State::Applied).await;
            }
            Progress::Busy(_) => return Err(Stop::Wait),
            Progress::GoingBack | Progress::Torn(_) => return self.fail(row, &frozen).await,
            Progress::Done if row.state == State::Applying => {
                return self.transition(row, State::Applied).await;
            }
            Progress::NotBegun | Progress::Done => {
                if self.is_ended(row.request).await? {
                    let applying = row.state == State::Applying;
                    let end = if applying { State::Failed } else { State::Rejected };
                    return self.transition(row, end).await;
                }
                self.check_signatures(row, &frozen).await?;
                (false, (0..frozen.wishes.len()).collect())
            }
        };
        if resume {
            let mut world = self.world.borrow_mut();
            let moment = world.truth.moment;
            world.truth.looked.insert((frozen.number, (self.me, self.epoch)), moment);
        } else if !self.is_still_so(row, &frozen).await? {
            return Ok(());
        }
        let row = &self.enter_applying(row).await?;
        self.heads_applying(&frozen, &begin).await?;
        for place in 0..frozen.made.effects.len() {
            match self.step(&frozen, place, resume).await {
                Ok(()) => {}
                Err(Stop::Stopped) => return self.fail(row, &frozen).await,
                Err(stop) => return Err(stop),
            }
        }
        self.heads_applied(&frozen).await?;
        self.transition(row, State::Applied).await
    }

    /// How far the plan has come, by the heads as they are now.
    async fn progress(&mut self, frozen: &Frozen) -> Go<Progress> {
        for (subject, _) in &frozen.wishes {
            let head = self.head_read(*subject).await?;
            self.heads.insert(*subject, head);
        }
        let alone = self.omits(Omission::HalfWay);
        let own = |subject: &usize| frozen.wishes.iter().any(|(each, _)| each == subject);
        let heads = self.heads.iter().filter(|(subject, _)| !alone || own(subject));
        let heads = heads.map(|(_, (head, _))| head);
        Ok(progress(&frozen.plan, frozen.text.as_bytes(), frozen.hash, heads))
    }

    /// Plans again from what is observed now. If anything that would be done differs, the request
    /// goes back to review in a new round.
    async fn is_still_so(&mut self, row: &Row, frozen: &Frozen) -> Go<bool> {
        let now = self.plan(row).await?;
        if frozen.plan.is_still(&now.plan) || self.omits(Omission::Compare) {
            let place = (frozen.number, (self.me, self.epoch));
            self.world.borrow_mut().truth.looked.insert(place, now.looked);
            return Ok(true);
        }
        if row.state == State::Applying {
            return Err(Stop::Superseded);
        }
        self.freeze(row).await?;
        Ok(false)
    }

    async fn enter_applying(&mut self, row: &Row) -> Go<Row> {
        if row.state == State::Applying {
            return Ok(row.clone());
        }
        self.transition(row, State::Applying).await?;
        Ok(Row { state: State::Applying, version: row.version + 1, ..row.clone() })
    }

    /// All heads to `applying`, in name order, before the first step; back again if one fails.
    async fn heads_applying(&mut self, frozen: &Frozen, begin: &[usize]) -> Go<()> {
        for place in begin {
            let subject = frozen.wishes[*place].0;
            let Some((mut head, _)) = self.heads.get(&subject).cloned() else {
                return Err(Stop::Stopped);
            };
            let target = frozen.plan.target(frozen.hash, *place, head.applied.as_ref());
            head.begin(target, frozen.text.clone());
            match self.head_write(subject, head).await {
                // Where no answer came it may have begun: the next pass sees.
                Err(Stop::Stopped) => {
                    self.heads_back(frozen).await?;
                    return Err(Stop::Down);
                }
                done => done?,
            }
        }
        Ok(())
    }

    async fn heads_back(&mut self, frozen: &Frozen) -> Go<()> {
        for (subject, _) in &frozen.wishes {
            let (mut head, version) = self.head_read(*subject).await?;
            self.heads.insert(*subject, (head.clone(), version));
            if head.go_back(frozen.plan.request) {
                self.head_write(*subject, head).await?;
            }
        }
        Ok(())
    }

    async fn heads_applied(&mut self, frozen: &Frozen) -> Go<()> {
        for (subject, _) in &frozen.wishes {
            let Some((mut head, _)) = self.heads.get(subject).cloned() else {
                continue;
            };
            if head.finish(&frozen.plan.lift) {
                self.head_write(*subject, head).await?;
            }
        }
        Ok(())
    }

    /// Stops in the middle: the heads say again what was applied before.
    async fn fail(&mut self, row: &Row, frozen: &Frozen) -> Go<()> {
        self.heads_back(frozen).await?;
        self.tombstone(row.request).await?;
        self.transition(row, State::Failed).await
    }

    async fn step(&mut self, frozen: &Frozen, place: usize, resume: bool) -> Go<()> {
        let effect = frozen.made.effects[place].clone();
        if resume && !self.omits(Omission::Judge) {
            let found = self.object_read(effect.key).await?;
            let fields = self.world.borrow().scenery.fields(found.content);
            match judge(&frozen.plan.steps, place, fields.as_ref()) {
                Verdict::Already => return Ok(()),
                Verdict::Do => {}
                Verdict::Stop => return Err(Stop::Stopped),
            }
        }
        self.intent().await?;
        let write = Write::Step {
            plan: frozen.number,
            place,
            key: effect.key,
            after: effect.after,
            may_stay: effect.may_stay,
        };
        let sent = self.send(write).await?;
        if sent == Sent::Unknown && self.omits(Omission::Unknown) {
            return Ok(());
        }
        // What is there decides; but who is in a group cannot be told from a read. Where no answer
        // came and what is there does not show it, the next pass looks.
        let found = self.object_read(effect.key).await?;
        let shows = sent != Sent::Unknown || !effect.of_group;
        match (found.content == effect.after, sent) {
            (true, _) if shows => Ok(()),
            (_, Sent::Unknown) => Err(Stop::Down),
            _ => Err(Stop::Stopped),
        }
    }
}
