//! Many schedules, each from its seed; and one guard left out after the other.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::rc::Rc;
use std::thread;

use strongroom_simulation::{Omission, Scenery, Statistics, run};

/// Runs these seeds on all cores; tells the first one that is violated.
fn many(seeds: u64) -> Statistics {
    let workers = thread::available_parallelism().map_or(2, |count| count.get() as u64);
    let one = |worker: u64| {
        move || {
            let scenery = Rc::new(Scenery::new());
            let mut sum = Statistics::default();
            for seed in (worker..seeds).step_by(usize::try_from(workers).unwrap()) {
                let outcome = run(&scenery, seed, None, false);
                if let Some(violation) = outcome.violation {
                    let told = run(&Rc::new(Scenery::new()), seed, None, true);
                    panic!("seed {seed}: {violation}\n{}", told.trace.join("\n"));
                }
                sum.add(&outcome.statistics);
            }
            sum
        }
    };
    let threads: Vec<_> = (0..workers).map(|worker| thread::spawn(one(worker))).collect();
    let mut sum = Statistics::default();
    for thread in threads {
        sum.add(&thread.join().unwrap());
    }
    sum
}

#[test]
fn eng_02_no_schedule_breaks_an_invariant() {
    let full = std::env::var_os("STRONGROOM_FULL").is_some();
    let sum = many(if full { 1_000_000 } else { 100_000 });
    println!("ENG-02: 0 violations of {} schedules: {sum:?}", sum.schedules);
    // A simulation in which little happens shows little.
    assert!(sum.applied > sum.schedules / 2 && sum.steps > sum.schedules, "{sum:?}");
    assert!(sum.begun > sum.applied, "some fail half way: {sum:?}");
    assert!(sum.crashes > sum.schedules, "{sum:?}");
}

#[test]
fn a_seed_is_the_same_schedule_for_ever() {
    let fresh = || Rc::new(Scenery::new());
    let used = fresh();
    for seed in 0..50 {
        let (one, other) = (run(&used, seed, None, true), run(&fresh(), seed, None, true));
        assert_eq!(one.trace, other.trace, "seed {seed}");
        assert_eq!(one.statistics, other.statistics);
    }
}

/// The simulation can fail: each guard that is left out is missed.
#[test]
fn every_guard_is_missed_when_it_is_left_out() {
    const MOST: u64 = 200_000;
    let scenery = Rc::new(Scenery::new());
    for omission in Omission::ALL {
        let found = (0..MOST).find_map(|seed| {
            let violation = run(&scenery, seed, Some(omission), false).violation?;
            Some((seed, violation))
        });
        let Some((seed, violation)) = found else {
            panic!("{omission:?} is not missed in {MOST} schedules");
        };
        println!("without {omission:?}: found after {} schedules: {violation}", seed + 1);
    }
}
