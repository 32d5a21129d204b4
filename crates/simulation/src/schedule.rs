//! One schedule: who goes next, who dies, and when all is quiet.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Waker};

use crate::Omission;
use crate::executor;
use crate::people;
use crate::scenery::Scenery;
use crate::watch;
use crate::world::World;

/// How long nothing must change until a schedule is over, seconds: longer than any lease.
const QUIET: i64 = 40;

/// How long a schedule may take to become quiet, seconds.
const LONGEST: i64 = 2_000;

/// What came of a schedule.
#[derive(Debug)]
pub struct Outcome {
    /// What must never be and was.
    pub violation: Option<String>,
    /// What happened, line by line, if it was asked for.
    pub trace: Vec<String>,
    /// What the schedule was made of.
    pub statistics: Statistics,
}

/// How much happened; of many schedules added up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Statistics {
    /// Schedules.
    pub schedules: u64,
    /// Turns of executors.
    pub turns: u64,
    /// Crashes.
    pub crashes: u64,
    /// Plans that were frozen.
    pub plans: u64,
    /// Plans that were begun.
    pub begun: u64,
    /// Plans that were applied whole.
    pub applied: u64,
    /// Writes of steps that changed something.
    pub steps: u64,
    /// Requests that ended without being applied.
    pub ended: u64,
}

impl Statistics {
    /// Adds another schedule's.
    pub fn add(&mut self, more: &Self) {
        self.schedules += more.schedules;
        self.turns += more.turns;
        self.crashes += more.crashes;
        self.plans += more.plans;
        self.begun += more.begun;
        self.applied += more.applied;
        self.steps += more.steps;
        self.ended += more.ended;
    }
}

struct Processes {
    world: Rc<RefCell<World>>,
    running: Vec<Pin<Box<dyn Future<Output = ()>>>>,
    started: usize,
    turns: u64,
    crashes: u64,
}

impl Processes {
    fn start(&mut self, me: usize) -> Pin<Box<dyn Future<Output = ()>>> {
        self.started += 1;
        Box::pin(executor::run(self.world.clone(), me, self.started))
    }

    /// One turn of one executor that has something to do, if there is one.
    fn turn(&mut self) {
        let mut world = self.world.borrow_mut();
        let now = world.now;
        let ready: Vec<usize> =
            (0..self.running.len()).filter(|me| world.wake[*me] <= now).collect();
        let Some(me) = world.rng.pick(&ready).copied() else {
            let next = world.wake.iter().copied().min().unwrap_or(now);
            world.now = next.max(now + 1);
            return;
        };
        drop(world);
        self.turns += 1;
        let mut context = Context::from_waker(Waker::noop());
        // It never ends by itself.
        let _pending = self.running[me].as_mut().poll(&mut context);
    }

    /// `kill -9`: nothing is cleaned up, and what was sent is on its way.
    fn crash(&mut self, me: usize) {
        self.crashes += 1;
        let fresh = self.start(me);
        self.running[me] = fresh;
        let mut world = self.world.borrow_mut();
        world.wake[me] = world.now + i64::from(world.rng.once_in(2)) * 25;
        world.say(|| format!("executor {me} is killed and starts again"));
    }

    fn faulty(&mut self) {
        let count = 260 + self.world.borrow_mut().rng.below(240);
        for _ in 0..count {
            let dice = {
                let mut world = self.world.borrow_mut();
                if world.hurry == 0 {
                    world.now += i64::from(world.rng.once_in(3));
                }
                world.hurry = world.hurry.saturating_sub(1);
                world.settle();
                world.rng.below(100)
            };
            let me = self.world.borrow_mut().rng.below(self.running.len());
            match dice {
                0 => self.crash(me),
                1 => self.stop(me),
                2..=27 => people::happens(&mut self.world.borrow_mut()),
                _ => self.turn(),
            }
            if self.world.borrow().violation.is_some() {
                return;
            }
        }
    }

    /// Stopped in mid-step, and going on later as if nothing had been.
    fn stop(&mut self, me: usize) {
        let mut world = self.world.borrow_mut();
        let seconds = 4 + world.rng.below(40);
        world.wake[me] = world.now + i64::try_from(seconds).unwrap_or(4);
        world.say(|| format!("executor {me} stops for {seconds} s"));
    }

    /// No more faults, no more people: everything comes to its end.
    fn quiet(&mut self) {
        let begin = {
            let mut world = self.world.borrow_mut();
            world.faults = false;
            world.say(|| "no more faults".to_owned());
            // Whoever is stopped has to go on first.
            let awake = world.wake.iter().copied().max().unwrap_or(0);
            world.last_change = world.now.max(awake);
            world.now
        };
        loop {
            {
                let mut world = self.world.borrow_mut();
                world.settle();
                if world.violation.is_some() || world.now - world.last_change > QUIET {
                    return;
                }
                if world.now - begin > LONGEST {
                    world.violated("it does not become quiet".to_owned());
                    return;
                }
            }
            for _ in 0..4 {
                self.turn();
            }
            self.world.borrow_mut().now += 1;
        }
    }
}

/// Runs the schedule of a seed.
pub fn run(scenery: &Rc<Scenery>, seed: u64, omission: Option<Omission>, traced: bool) -> Outcome {
    let world = World::new(scenery.clone(), seed, omission, traced);
    let world = Rc::new(RefCell::new(world));
    let mut processes =
        Processes { world: world.clone(), running: Vec::new(), started: 0, turns: 0, crashes: 0 };
    let count = 2 + usize::from(world.borrow_mut().rng.once_in(3));
    world.borrow_mut().wake = vec![0; count];
    for me in 0..count {
        let process = processes.start(me);
        processes.running.push(process);
    }
    processes.faulty();
    processes.quiet();
    let (turns, crashes) = (processes.turns, processes.crashes);
    drop(processes);
    let mut world = world.borrow_mut();
    if world.violation.is_none() {
        watch::at_rest(&mut world);
    }
    let statistics = statistics(&world, turns, crashes);
    let trace = std::mem::take(&mut world.trace).into_lines();
    Outcome { violation: world.violation.take(), trace, statistics }
}

fn statistics(world: &World, turns: u64, crashes: u64) -> Statistics {
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let whole = |plan: &usize| {
        let finished = world.truth.finished.get(plan);
        finished.is_some_and(|subjects| subjects.len() == world.plans[*plan].wishes.len())
    };
    let ended = world.database.rows.iter().filter(|row| row.state.is_final());
    let applied = (0..world.plans.len()).filter(whole).count();
    Statistics {
        schedules: 1,
        turns,
        crashes,
        plans: count(world.plans.len()),
        begun: count(world.truth.begun.len()),
        applied: count(applied),
        steps: count(world.truth.changed.len()),
        ended: count(ended.count()).saturating_sub(count(applied)),
    }
}
