//! The invariants, checked whenever something lands and once at the end.

use std::collections::BTreeSet;

use strongroom_domain::head::Head;
use strongroom_domain::request::State;

use crate::bits::Bits;
use crate::database::{Kind, PlanNumber};
use crate::engine::{Old, Write};
use crate::scenery::{ABSENT, Scenery, Wish};
use crate::truth::Sender;
use crate::world::{Frozen, World, doc_of};

/// A write in a line.
pub(crate) fn told(write: &Write) -> String {
    match write {
        Write::Step { plan, place, key, after, .. } => {
            let what = if *after == ABSENT { "goes" } else { "is written" };
            format!("plan {plan} step {place}: object {key} {what}")
        }
        Write::Members { key, members } => format!("members of {key} become {members:#b}"),
        Write::Head { subject, head, .. } => {
            let applying = head.applying.as_ref().map(|a| a.target.revision);
            let applied = head.applied.as_ref().map(|a| a.revision);
            format!("head {subject}: applied {applied:?}, applying {applying:?}")
        }
    }
}

/// Looks at everything after a write has landed.
pub(crate) fn landed(world: &mut World, old: &Old, write: &Write, sender: Sender, excused: bool) {
    let (_, epoch) = sender;
    // I8: an older epoch never lands after a newer one.
    if !excused {
        let newest = world.truth.newest_epoch;
        if epoch < newest {
            world.violated(format!("epoch {epoch} writes after epoch {newest}: {}", told(write)));
        }
        world.truth.newest_epoch = newest.max(epoch);
    }
    match (write, old) {
        (Write::Step { plan, place, key, .. }, Old::Object(old)) => {
            let changed = *old != world.engine.objects[*key];
            step(world, (*plan, *place), old.content, changed, sender, excused);
            rights(world);
        }
        (Write::Head { subject, head, .. }, Old::Head(old)) => {
            head_landed(world, *subject, old.as_deref(), head, excused);
        }
        _ => rights(world),
    }
}

fn step(
    world: &mut World,
    (plan, place): (PlanNumber, usize),
    found: u32,
    changed: bool,
    sender: Sender,
    excused: bool,
) {
    let frozen = world.plans[plan].clone();
    let effect = &frozen.made.effects[place];
    let Some(begun) = world.truth.begun.get(&plan).copied() else {
        return world.violated(format!("step {place} of plan {plan}, which no head began with"));
    };
    for (subject, _) in &frozen.wishes {
        let head = world.engine.heads[*subject].head.as_ref();
        let begun = head.and_then(|head| head.applying.as_ref()).map(|a| a.target.plan_hash);
        let done = head.and_then(|head| head.applied.as_ref()).map(|a| a.plan_hash);
        let is_another =
            begun != Some(frozen.hash) && (begun.is_some() || done != Some(frozen.hash));
        if is_another && !excused && !world.truth.forgotten.contains(subject) {
            world.violated(format!(
                "step {place} of plan {plan} while the head of subject {subject} says another"
            ));
        }
    }
    let touched = world.truth.by_hand[effect.key];
    // I7: over nothing but what was signed for, as far as whoever sent it could have looked.
    let of_plan = frozen.made.effects.iter().filter(|each| each.key == effect.key);
    let expected = found == effect.before || of_plan.into_iter().any(|each| found == each.after);
    let looked = world.truth.looked.get(&(plan, sender)).copied().unwrap_or(0);
    if !expected && touched <= looked {
        world.violated(format!("step {place} of plan {plan} writes over what it did not expect"));
    }
    if !changed {
        return;
    }
    let (_, epoch) = sender;
    let count = world.truth.changed.entry((plan, place, epoch)).or_default();
    *count += 1;
    if *count > 1 && touched <= begun {
        world.violated(format!("step {place} of plan {plan} took effect twice in epoch {epoch}"));
    }
    let furthest = world.truth.furthest.entry(plan).or_default();
    if place < *furthest && touched <= begun {
        let furthest = *furthest;
        world.violated(format!("step {place} of plan {plan} took effect after step {furthest}"));
    } else {
        *furthest = place.max(*furthest);
    }
}

fn head_landed(world: &mut World, subject: usize, old: Option<&Head>, new: &Head, excused: bool) {
    if old.is_some_and(|old| new.epoch < old.epoch) {
        world.violated(format!("the head of subject {subject} went back to an older epoch"));
    }
    if excused {
        world.truth.forgotten.insert(subject);
    } else {
        world.truth.forgotten.remove(&subject);
    }
    let plan_of = |head: Option<&Head>| head.and_then(|head| head.applying.as_ref()).cloned();
    let (was, is) = (plan_of(old), plan_of(Some(new)));
    let applied = old.and_then(|old| old.applied.as_ref());
    match (was, is) {
        (None, Some(is)) => {
            let Some(frozen) = world.plan_of(is.target.plan_hash) else {
                return world.violated(format!("subject {subject} begins with no plan"));
            };
            begins(world, subject, old, &frozen, excused);
        }
        (Some(was), None) => {
            let Some(frozen) = world.plan_of(was.target.plan_hash) else {
                return world.violated(format!("subject {subject} ends no plan"));
            };
            if new.applied.as_ref() == applied {
                went_back(world, subject, &frozen);
            } else if new.applied.as_ref() == Some(&was.target) {
                finished(world, subject, &frozen);
                let grew = applied.is_none_or(|old| old.revision < was.target.revision);
                if !grew {
                    world.violated(format!("the revision of subject {subject} did not grow"));
                }
            } else {
                world.violated(format!("the head of subject {subject} says what no plan said"));
            }
        }
        (Some(was), Some(is)) if was != is => {
            world.violated(format!("two plans at once on subject {subject}"));
        }
        _ => {
            if new.applied.as_ref() != applied {
                world.violated(format!("subject {subject} changed without a plan"));
            }
        }
    }
}

fn begins(world: &mut World, subject: usize, old: Option<&Head>, frozen: &Frozen, excused: bool) {
    let plan = frozen.number;
    let base = old.and_then(Head::digest);
    let planned = frozen.wishes.iter().position(|(each, _)| *each == subject);
    let based_on = planned.map(|place| frozen.plan.documents[place].head_hash);
    if based_on != Some(base) {
        world.violated(format!("plan {plan} begins on subject {subject}, which has moved on"));
    }
    // A no that comes after the first head comes too late.
    let first = !world.truth.begun.contains_key(&plan) && !excused;
    if first && let Some(why) = not_approved(world, frozen) {
        world.violated(format!("plan {plan} begins although {why}"));
    }
    for other in 0..world.engine.heads.len() {
        let applying = world.engine.heads[other].head.as_ref().and_then(|h| h.applying.as_ref());
        let other_plan = applying.and_then(|applying| world.plan_of(applying.target.plan_hash));
        let known = !world.truth.forgotten.contains(&other);
        if let Some(other_plan) = other_plan.filter(|other| known && other.number != plan)
            && other_plan.wishes.iter().any(|(each, _)| *each == subject)
        {
            let number = other_plan.number;
            world.violated(format!(
                "plan {plan} begins on subject {subject} while plan {number} is half way on it"
            ));
        }
    }
    let moment = world.truth.moment;
    world.truth.begun.entry(plan).or_insert(moment);
}

/// I6 and I7, counted a second time: by what was really signed, for exactly this plan.
fn not_approved(world: &World, frozen: &Frozen) -> Option<String> {
    let request = request_of(frozen);
    if world.truth.ended.contains(&request) {
        return Some(format!("a no to request {request} was counted"));
    }
    let mut all = Vec::new();
    let mut needed = 0;
    for stage in &frozen.plan.stages {
        let mut people: Vec<usize> = world
            .truth
            .signed
            .iter()
            .filter(|act| {
                act.kind == Kind::Approve && act.plan == frozen.number && act.stage == stage.name
            })
            .map(|act| act.person)
            .filter(|person| *person != frozen.submitter)
            .filter(|person| !world.scenery.people[*person].groups.is_disjoint(&stage.groups))
            .collect();
        people.sort_unstable();
        people.dedup();
        if people.len() < stage.votes as usize {
            return Some(format!("{} has {} of {} votes", stage.name, people.len(), stage.votes));
        }
        needed += stage.votes as usize;
        all.extend(people);
    }
    all.sort_unstable();
    all.dedup();
    (all.len() < needed).then(|| format!("{} people voted instead of {needed}", all.len()))
}

/// The request of a plan.
pub(crate) fn request_of(frozen: &Frozen) -> usize {
    let number = frozen.plan.request.as_uuid().as_u128() - 1;
    usize::try_from(number).expect("requests of the small world are few")
}

fn went_back(world: &mut World, subject: usize, frozen: &Frozen) {
    world.say(|| format!("plan {} goes back on subject {subject}", frozen.number));
    // What it gave by then was voted on, and stays until somebody looks.
    for (each, wish) in &frozen.wishes {
        let gives = world.scenery.gives[wish.proposed].clone();
        for (left, gives) in world.truth.left[*each].iter_mut().zip(gives) {
            *left |= gives;
        }
    }
    let keys = frozen.made.effects.iter().map(|effect| effect.key);
    world.truth.left_keys.extend(keys);
}

/// Nothing half: every step is there when a head says so.
fn finished(world: &mut World, subject: usize, frozen: &Frozen) {
    let plan = frozen.number;
    let begun = world.truth.begun.get(&plan).copied().unwrap_or(0);
    for (place, effect) in frozen.made.effects.iter().enumerate() {
        let last = frozen.made.effects[place + 1..].iter().all(|each| each.key != effect.key);
        let object = world.engine.objects[effect.key];
        let done = object.content == effect.after && object.members & !effect.may_stay == 0;
        if last && !done && world.truth.by_hand[effect.key] <= begun {
            world.violated(format!("plan {plan} is said to be applied without step {place}"));
        }
    }
    world.truth.finished.entry(plan).or_default().insert(subject);
}

/// Nobody holds what neither the applied nor the begun documents give them, nor a hand, nor a plan
/// that was voted on and failed.
fn rights(world: &mut World) {
    let scenery = world.scenery.clone();
    let mut allowed = vec![world.truth.given_by_hand; scenery.holder_count()];
    let mut allow = |gives: &[Bits]| {
        for (allowed, gives) in allowed.iter_mut().zip(gives) {
            *allowed |= *gives;
        }
    };
    for (subject, stored) in world.engine.heads.iter().enumerate() {
        let Some(head) = &stored.head else {
            continue;
        };
        if let Some(applied) = &head.applied {
            allow(&scenery.gives[doc_of(&applied.document)]);
        }
        if let Some(applying) = &head.applying {
            allow(&scenery.gives[doc_of(&applying.target.document)]);
        }
        allow(&world.truth.left[subject]);
    }
    let mut held = vec![Bits::default(); scenery.holder_count()];
    for (policy, group) in &scenery.groups {
        let (policy, group) = (world.engine.objects[*policy], world.engine.objects[*group]);
        if policy.content == ABSENT || group.content == ABSENT {
            continue;
        }
        let rights = scenery.rights(policy.content);
        for (holder, held) in held.iter_mut().enumerate().take(16) {
            if group.members & (1 << holder) != 0 {
                *held |= rights;
            }
        }
        for holder in scenery.people_in(group.content).iter() {
            held[*holder] |= rights;
        }
    }
    for (holder, (held, allowed)) in held.iter().zip(&allowed).enumerate() {
        if let Some(right) = held.beyond(allowed) {
            let (who, what) = (Scenery::holder(holder), scenery.right(right));
            world.violated(format!("{who} can {what}, which nobody approved"));
        }
    }
}

/// When all is quiet nothing is half done, and the engine is what the heads say. A request whose
/// rows somebody edited in the middle may stay where it is, and holds up what shares its subjects.
pub(crate) fn at_rest(world: &mut World) {
    let mut held_up = BTreeSet::new();
    for (subject, stored) in world.engine.heads.clone().into_iter().enumerate() {
        let Some(head) = stored.head else {
            continue;
        };
        if let Some(applying) = &head.applying {
            let plan = world.plan_of(applying.target.plan_hash);
            let plan = plan.filter(|plan| world.truth.tampered.contains(&request_of(plan)));
            match plan {
                Some(plan) => held_up.extend(plan.wishes.iter().map(|(subject, _)| *subject)),
                None => world.violated(format!("subject {subject} is half way for ever")),
            }
        } else if let Some(applied) = &head.applied {
            settled(world, subject, doc_of(&applied.document));
        }
    }
    for row in world.database.rows.clone() {
        if world.truth.tampered.contains(&row.request) {
            continue;
        }
        let plans = world.plans.iter().filter(|plan| request_of(plan) == row.request);
        let applied = plans.filter(|plan| {
            let finished = world.truth.finished.get(&plan.number);
            finished.is_some_and(|subjects| subjects.len() == plan.wishes.len())
        });
        let applied = applied.count() > 0;
        match row.state {
            State::Submitted | State::Approved | State::Applying
                if row.submitted.documents.iter().any(|each| held_up.contains(&each.subject)) => {}
            State::Submitted | State::Approved | State::Applying => {
                let (request, state) = (row.request, row.state.as_str());
                world.violated(format!("request {request} stays {state}"));
            }
            State::Applied if !applied => {
                world.violated(format!("request {} is said to be applied", row.request));
            }
            State::Applied => {}
            _ if applied => {
                let (request, state) = (row.request, row.state.as_str());
                world.violated(format!("request {request} is applied and said to be {state}"));
            }
            _ => {}
        }
    }
}

/// Planning the applied document again finds nothing to do, unless a hand or a failed plan was
/// there.
fn settled(world: &mut World, subject: usize, doc: usize) {
    let scenery = world.scenery.clone();
    let wish = Wish { base: Some(doc), proposed: doc, voted: None };
    let keys = scenery.relevant(&[wish]);
    let touched =
        |key: &usize| world.truth.by_hand[*key] > 0 || world.truth.left_keys.contains(key);
    if keys.iter().any(touched) {
        return;
    }
    let observed = keys.iter().map(|key| (*key, world.engine.objects[*key].content)).collect();
    match scenery.build(&[wish], None, 0, observed) {
        Ok(made) if made.effects.is_empty() => {}
        Ok(made) => {
            let count = made.effects.len();
            world.violated(format!("subject {subject} lacks {count} steps of its own document"));
        }
        Err(why) => world.violated(format!("subject {subject} cannot be planned again: {why}")),
    }
}
