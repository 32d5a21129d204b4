//! Everybody else: people who submit and vote, hands in the engine, hands in the database, and
//! machines that fail.

use std::rc::Rc;

use strongroom_domain::request::State;

use crate::database::{Act, Kind, PlanNumber, Receipt, Row, Signed, Submitted, Wanted};
use crate::scenery::ABSENT;
use crate::watch::request_of;
use crate::world::{Flight, World, doc_of};

/// The most requests in one schedule.
const REQUESTS: usize = 4;

/// Somebody does something.
pub(crate) fn happens(world: &mut World) {
    match world.rng.below(40) {
        0..=5 => submit(world),
        6..=25 => vote(world),
        26..=27 => refuse(world),
        28..=30 => by_hand(world),
        31..=33 => edit(world),
        34..=38 => world.behind = world.database.clone(),
        _ => lose_tail(world),
    }
}

fn submit(world: &mut World) {
    if world.truth.submitted.len() >= REQUESTS {
        return vote(world);
    }
    let subjects: &[usize] = match world.rng.below(9) {
        0..=2 => &[1],
        3..=4 => &[2],
        5..=7 => &[1, 2],
        _ => &[0],
    };
    let scenery = world.scenery.clone();
    let mut documents = Vec::new();
    for subject in subjects.iter().copied() {
        let (head, _) = world.head(subject);
        let applied = head.applied.as_ref().map(|applied| doc_of(&applied.document));
        let others: Vec<usize> = scenery.of_subject[subject]
            .iter()
            .copied()
            .filter(|doc| applied != Some(*doc))
            .collect();
        let proposed = world.rng.pick(&others).copied();
        // Whoever looked a while ago proposes on top of what is no longer applied.
        let behind = u64::from(world.rng.once_in(25));
        let earlier = world.truth.submitted.iter().flat_map(|each| &each.documents);
        let newest = earlier.filter(|each| each.subject == subject).map(|each| each.revision).max();
        documents.push(Wanted {
            subject,
            base_revision: head.base_revision().saturating_sub(behind),
            proposed: proposed.expect("each subject has two documents or more"),
            revision: newest.unwrap_or(1).max(head.base_revision()) + 1,
        });
    }
    // An owner of each team, and somebody who is nobody's owner.
    let submitter = [0, 4, 6][world.rng.below(3)];
    let request = world.truth.submitted.len();
    world.say(|| {
        let who = &scenery.people[submitter].display;
        format!("{who} submits request {request}: {documents:?}")
    });
    let signed = Rc::new(Submitted { submitter, documents });
    world.truth.submitted.push(signed.clone());
    world.database.rows.push(Row {
        request,
        state: State::Submitted,
        version: 1,
        round: 0,
        submitted: signed,
    });
}

/// A plan that people see now, or one of an earlier round.
fn shown(world: &mut World) -> Option<PlanNumber> {
    let open: Vec<PlanNumber> = world
        .database
        .rows
        .iter()
        .filter(|row| row.state == State::InReview)
        .filter_map(|row| Some(world.database.plan_latest(row.request)?.1))
        .collect();
    if world.rng.once_in(8) {
        let all: Vec<PlanNumber> = world.database.plans.iter().map(|(.., plan)| *plan).collect();
        return world.rng.pick(&all).copied();
    }
    world.rng.pick(&open).copied()
}

fn sign(world: &mut World, person: usize, kind: Kind, stage: String, plan: PlanNumber) {
    let request = request_of(&world.plans[plan]);
    let who = world.scenery.people[person].display.clone();
    world.say(|| format!("{who} signs {kind:?} of plan {plan} (request {request}) as {stage:?}"));
    let signed = Rc::new(Signed { person, kind, stage, plan });
    world.truth.signed.push(signed.clone());
    insert(world, request, Some(signed), None);
}

fn insert(world: &mut World, request: usize, signed: Option<Rc<Signed>>, receipt: Option<Receipt>) {
    let newest = world.database.acts.iter().map(|act| act.number).max();
    let number = newest.map_or(0, |number| number + 1);
    world.database.acts.push(Act { number, request, signed, receipt });
}

fn vote(world: &mut World) {
    let Some(plan) = shown(world) else {
        return;
    };
    let stages = world.plans[plan].plan.stages.clone();
    let Some(stage) = world.rng.pick(&stages).cloned() else {
        return;
    };
    let people = world.scenery.people.clone();
    let admitted: Vec<usize> =
        (0..people.len()).filter(|person| stage.admits(&people[*person])).collect();
    let anybody = world.rng.once_in(6);
    let person = if anybody { None } else { world.rng.pick(&admitted).copied() };
    let person = person.unwrap_or_else(|| world.rng.below(people.len()));
    sign(world, person, Kind::Approve, stage.name, plan);
}

fn refuse(world: &mut World) {
    if !world.rng.once_in(3) {
        return vote(world);
    }
    let Some(plan) = shown(world) else {
        return;
    };
    let (person, kind) = if world.rng.once_in(2) {
        (world.plans[plan].submitter, Kind::Withdraw)
    } else {
        (world.rng.below(world.scenery.people.len()), Kind::Reject)
    };
    sign(world, person, kind, String::new(), plan);
}

/// Somebody with the engine's keys takes an object away or turns a policy.
fn by_hand(world: &mut World) {
    let scenery = world.scenery.clone();
    let key = world.rng.below(scenery.keys.len());
    let Some(content) = world.rng.pick(&scenery.by_hand[key]).copied() else {
        return;
    };
    let object = &mut world.engine.objects[key];
    // Nobody makes our objects by hand, marks and all; that would be a foreign object.
    if object.content == ABSENT || object.content == content {
        return;
    }
    object.content = content;
    if content == ABSENT {
        object.members = 0;
    }
    world.truth.moment += 1;
    world.truth.by_hand[key] = world.truth.moment;
    world.truth.given_by_hand |= scenery.rights(content);
    // Contents have other numbers in another process.
    let what = if content == ABSENT { "goes" } else { "is written" };
    world.say(|| format!("by hand: object {key} ({}) {what}", scenery.keys[key]));
}

/// Somebody with the database's keys edits a row.
fn edit(world: &mut World) {
    // Rows may be missing in between, where the database has lost some.
    let place = world.rng.below(world.database.rows.len());
    let Some(request) = world.database.rows.get(place).map(|row| row.request) else {
        return;
    };
    let version = world.rng.once_in(2);
    let what = world.rng.below(7);
    match what {
        0 | 1 => {
            let states = [
                State::Submitted,
                State::InReview,
                State::Approved,
                State::Applying,
                State::Applied,
                State::Rejected,
            ];
            let state = states[world.rng.below(states.len())];
            let row = &mut world.database.rows[place];
            row.state = state;
            row.version += u32::from(version);
            tampered(world, request, &format!("state {}", state.as_str()));
        }
        2 => {
            let row = &mut world.database.rows[place];
            row.round = row.round.saturating_sub(1);
            tampered(world, request, "an earlier round");
        }
        3 => {
            // Another genuine plan in this one's place.
            let all = world.plans.len();
            let plan = world.rng.below(all);
            let stored = world.database.plans.iter().position(|(r, ..)| *r == request);
            if let (Some(stored), true) = (stored, all > 0) {
                world.database.plans[stored].2 = plan;
                tampered(world, request, &format!("plan {plan}"));
            }
        }
        4 => {
            // Somebody's genuine act, moved to another request, or one that nobody signed.
            let copy = world.rng.pick(&world.database.acts).and_then(|act| act.signed.clone());
            let receipt = if version { Some(Receipt::Forged) } else { None };
            insert(world, request, copy, receipt);
            insert(world, request, None, receipt);
            world.say(|| format!("somebody puts acts into request {request}"));
        }
        5 => {
            let number = world.rng.below(world.database.acts.len());
            if number < world.database.acts.len() {
                let act = world.database.acts.remove(number);
                // A no that the executor has seen and the database no longer holds: the residual
                // risk of the design.
                world.truth.ended.remove(&act.request);
                tampered(world, act.request, "an act less");
            }
        }
        _ => {
            let other = world.rng.below(world.truth.submitted.len());
            let mut submitted = (*world.truth.submitted[other]).clone();
            submitted.submitter = world.rng.below(world.scenery.people.len());
            world.database.rows[place].submitted = Rc::new(submitted);
            tampered(world, request, "another submission");
        }
    }
}

fn tampered(world: &mut World, request: usize, what: &str) {
    world.truth.tampered.insert(request);
    world.say(|| format!("somebody gives request {request} {what}"));
}

/// The database comes back without its newest rows, the lease's among them: at the worst moment, if
/// there is one, which is when a head is on its way and whoever sent it stops.
fn lose_tail(world: &mut World) {
    let is_head = |flight: &&Flight| flight.end.is_none() && flight.write.is_head();
    let worst = world.flights.iter().find(is_head).map(|flight| flight.sender);
    if worst.is_none() && !world.rng.once_in(3) {
        return;
    }
    world.database = world.behind.clone();
    if let Some(sender) = worst {
        world.database.lease.expires = world.now;
        world.wake[sender] = world.now + 10;
        world.hurry = 60;
    }
    world.losses += 1;
    // Its epochs are given out again, as far as no head has seen them.
    let epochs = world.engine.heads.iter().filter_map(|stored| stored.head.as_ref());
    world.truth.newest_epoch = epochs.map(|head| head.epoch).max().unwrap_or(0);
    world.truth.ended.clear();
    world.truth.tampered.extend(0..world.truth.submitted.len());
    world.say(|| "the database has lost its newest rows".to_owned());
}
