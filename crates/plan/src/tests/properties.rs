//! What holds for every plan, tried on generated teams against the model engine.
//!
//! `STRONGROOM_FULL` in the environment raises the number of cases fiftyfold.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::json;
use strongroom_domain::document::Document;
use strongroom_domain::document::team::{Environment, Team};
use strongroom_domain::risk::Risk;
use strongroom_vault_model::object::{Fields, ObjectKey};
use strongroom_vault_model::policy;

use super::documents::{Edit, edit, edited, narrowing, reading, reordered, team};
use super::engine::{Engine, Grant, texts};
use super::support::{change, context, first, live, plan, uid};
use crate::batch::batches;
use crate::build::{LiveNamespaces, render_base};
use crate::desired::Objects;
use crate::model::{Action, Step};
use crate::risk::assess;
use crate::{Change, Draft, Refusal, build};

fn check<S: Strategy>(
    cases: u32,
    strategy: &S,
    test: impl Fn(S::Value) -> Result<(), TestCaseError>,
) {
    let times = if std::env::var_os("STRONGROOM_FULL").is_some() { 50 } else { 1 };
    let config = Config { cases: cases * times, failure_persistence: None, ..Config::default() };
    TestRunner::new(config).run(strategy, test).unwrap_or_else(|failure| panic!("{failure}"));
}

fn document(team: &Team) -> Document {
    Document::Team(Box::new(team.clone()))
}

/// What happened to a namespace since it was pinned.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    Lives,
    Gone,
    MadeAnew,
    MadeAnewAndTrusted,
}

/// One or two teams that change in one request, over an engine with some history.
#[derive(Debug, Clone)]
struct Scene {
    teams: Vec<(Option<Team>, Team)>,
    fates: Vec<Fate>,
    /// Objects that somebody took away by hand, by number.
    lost: Vec<usize>,
    /// Whether named accounts are attached already.
    attached: bool,
}

fn changed_team(name: &'static str) -> impl Strategy<Value = (Option<Team>, Team)> {
    let edits = prop::collection::vec(edit(), 0..6);
    prop_oneof![
        1 => team(name).prop_map(|team| (None, team)),
        1 => (team(name), team(name)).prop_map(|(base, team)| (Some(base), team)),
        4 => (team(name), edits).prop_map(|(base, edits)| (Some(base.clone()), edited(&base, &edits))),
    ]
}

fn scene() -> impl Strategy<Value = Scene> {
    let fate = prop_oneof![
        5 => Just(Fate::Lives),
        1 => Just(Fate::Gone),
        1 => Just(Fate::MadeAnew),
        1 => Just(Fate::MadeAnewAndTrusted),
    ];
    let teams = prop_oneof![
        3 => changed_team("pay").prop_map(|one| vec![one]),
        1 => (changed_team("pay"), changed_team("pay-eu")).prop_map(|(a, b)| vec![a, b]),
    ];
    let lost = prop_oneof![3 => Just(Vec::new()), 1 => prop::collection::vec(0..40_usize, 1..4)];
    (teams, prop::collection::vec(fate, 6), lost, any::<bool>())
        .prop_map(|(teams, fates, lost, attached)| Scene { teams, fates, lost, attached })
}

impl Scene {
    fn changes(&self) -> Vec<Change> {
        let change = |(base, proposed): &(Option<Team>, Team)| match base {
            Some(base) => change(&document(base), &document(proposed)),
            None => first(&document(proposed)),
        };
        self.teams.iter().map(change).collect()
    }

    /// The engine as the applied documents want it, before anything was lost.
    fn base_engine(&self) -> Engine {
        let mut engine = Engine::default();
        for base in self.teams.iter().filter_map(|(base, _)| base.as_ref()) {
            let draft = plan(&engine, &[first(&document(base))]).expect("a plan of the base");
            engine.apply_all(&draft.steps);
        }
        engine
    }

    fn engine(&self) -> Engine {
        let mut engine = self.base_engine();
        for (key, fields) in &mut engine.0 {
            if matches!(key, ObjectKey::Group(_)) && !self.attached {
                fields.insert("accounts".into(), json!([]));
            }
        }
        for number in &self.lost {
            let key = engine.0.keys().nth(*number).cloned();
            key.and_then(|key| engine.0.remove(&key));
        }
        engine
    }

    /// Namespaces as the clusters show them now, and which the request asks to trust.
    fn live(&self) -> (LiveNamespaces, Vec<String>) {
        let changes = self.changes();
        let mut live = live(&changes);
        let mut attest = Vec::new();
        for ((place, now), fate) in live.iter_mut().zip(&self.fates) {
            let pinned = changes.iter().any(|change| change.base_pins.contains_key(place));
            *now = match fate {
                // A namespace that is claimed for the first time is there.
                Fate::Gone if pinned => None,
                Fate::Lives | Fate::Gone => Some(uid(place, 1)),
                Fate::MadeAnew | Fate::MadeAnewAndTrusted => Some(uid(place, 2)),
            };
            if *fate == Fate::MadeAnewAndTrusted {
                attest.push(place.clone());
            }
        }
        (live, attest)
    }

    fn plan(&self, engine: &Engine) -> Draft {
        let (live, attest) = self.live();
        let changes = self.changes();
        let observed = engine.observe(&context(), &changes);
        build(&context(), &changes, &observed, &live, &attest, &BTreeSet::new())
            .unwrap_or_else(|refusals| panic!("{refusals:?}"))
    }
}

fn today() -> Date {
    context().today
}

/// Days on which different bindings have ended.
fn days() -> [Date; 3] {
    ["2026-11-23", "2027-01-01", "2028-01-01"].map(|day| day.parse().unwrap())
}

#[test]
fn planning_again_after_applying_gives_no_steps() {
    check(150, &scene(), |scene| {
        let mut engine = scene.engine();
        let draft = scene.plan(&engine);
        engine.apply_all(&draft.steps);
        // As the next request that changes nothing: what was applied is the base then. (With the
        // old base there is no plan again: a resumed plan looks at each step by itself.)
        let (live, _) = scene.live();
        let again: Vec<Change> = scene
            .changes()
            .into_iter()
            .map(|change| Change {
                base: Some(change.proposed.clone()),
                proposed: change.proposed,
                base_pins: draft.pins.clone(),
            })
            .collect();
        let observed = engine.observe(&context(), &again);
        let draft = build(&context(), &again, &observed, &live, &[], &BTreeSet::new());
        prop_assert_eq!(draft.expect("a plan").steps, vec![]);
        Ok(())
    });
}

#[test]
fn the_same_wishes_in_another_order_give_the_same_plan() {
    check(100, &(scene(), 0..5_usize), |(scene, by)| {
        let engine = scene.engine();
        prop_assert_eq!(&scene.plan(&engine), &scene.plan(&engine));
        // Sentences follow the order of the document that people wrote.
        let silent = |scene: &Scene| Draft { summary: Vec::new(), ..scene.plan(&engine) };
        let draft = silent(&scene);
        let mut other = scene.clone();
        for (base, proposed) in &mut other.teams {
            *base = base.as_ref().map(|base| reordered(base, by));
            *proposed = reordered(proposed, by);
        }
        prop_assert_eq!(&silent(&other), &draft);
        other.teams.reverse();
        prop_assert_eq!(&silent(&other), &draft);
        Ok(())
    });
}

/// Something under this key that is not ours.
fn foreign(key: &ObjectKey) -> Fields {
    let value = match key {
        ObjectKey::Mount(_) | ObjectKey::AuthMount(_) => {
            json!({ "type": "kv", "version": "2", "description": "by hand" })
        }
        ObjectKey::Policy(_) => {
            json!({ "policy": "path \"secret/*\" { capabilities = [\"read\"] }" })
        }
        ObjectKey::Group(_) | ObjectKey::Anchor(_) => {
            json!({ "type": "internal", "policies": ["admin"], "anchors": [], "accounts": [], "owner": "" })
        }
        _ => json!({ "made": "by hand" }),
    };
    serde_json::from_value(value).unwrap()
}

#[test]
fn no_unowned_object_is_ever_touched() {
    check(150, &(scene(), prop::collection::vec(0..200_usize, 1..6)), |(scene, places)| {
        let mut engine = scene.engine();
        let changes = scene.changes();
        let mut keys: Vec<ObjectKey> =
            crate::keys(&context(), &changes).unwrap().into_iter().collect();
        // Names beside ours, of a team that is not in the request.
        for (kind, name) in [
            ("mount", "team/other/kv"),
            ("policy", "team.other.owner"),
            ("group", "team.pay.binding.b9"),
            ("policy", "team.pay-eu.binding.b1"),
            ("role", "auth/k8s/lab/role/other"),
            ("rate-limit", "team.other.kv"),
        ] {
            keys.push(ObjectKey::parse(kind, name).unwrap());
        }
        // With the bindings that have ended: what they left behind is ours until it is taken away.
        let applied: Objects = changes
            .iter()
            .filter_map(|change| change.base.as_ref())
            .flat_map(|base| render_base(&context(), base).unwrap())
            .collect();
        let mut strangers = BTreeMap::new();
        for place in places {
            let key = keys[place % keys.len()].clone();
            // What cannot carry a mark is somebody else's only where the applied documents do not
            // stand for it, and follows its parent otherwise.
            let own = engine.0.contains_key(&key) || applied.contains_key(&key);
            let unmarked = matches!(
                key,
                ObjectKey::Role(..)
                    | ObjectKey::RateLimit(_)
                    | ObjectKey::MountConfig(_)
                    | ObjectKey::AnchorAlias(_)
            );
            if !(unmarked && own) {
                strangers.insert(key.clone(), foreign(&key));
            }
        }
        // Where the parent is ours the child is ours too.
        let ours = engine.clone();
        strangers.retain(|key, _| match key {
            ObjectKey::RateLimit(at) | ObjectKey::MountConfig(at) => {
                !ours.0.contains_key(&ObjectKey::Mount(at.clone()))
            }
            ObjectKey::AnchorAlias(anchor) => {
                !ours.0.contains_key(&ObjectKey::Anchor(anchor.clone()))
            }
            _ => true,
        });
        engine.0.extend(strangers.clone());
        let (live, attest) = scene.live();
        let observed = engine.observe(&context(), &changes);
        let before = engine.clone();
        match build(&context(), &changes, &observed, &live, &attest, &BTreeSet::new()) {
            Err(refusals) => {
                for refusal in refusals {
                    let Refusal::Foreign(key) = &refusal else {
                        return Err(TestCaseError::fail(refusal.to_string()));
                    };
                    // A child is refused with its parent.
                    let guilty = match key {
                        ObjectKey::RateLimit(at) | ObjectKey::MountConfig(at) => {
                            strangers.contains_key(&ObjectKey::Mount(at.clone()))
                        }
                        ObjectKey::AnchorAlias(anchor) => {
                            strangers.contains_key(&ObjectKey::Anchor(anchor.clone()))
                        }
                        _ => false,
                    };
                    prop_assert!(guilty || strangers.contains_key(key), "{} refused", key);
                }
            }
            Ok(draft) => {
                for step in &draft.steps {
                    prop_assert!(!strangers.contains_key(&step.object), "{}", step.object);
                }
                engine.apply_all(&draft.steps);
                for key in strangers.keys() {
                    prop_assert_eq!(engine.0.get(key), before.0.get(key));
                }
            }
        }
        Ok(())
    });
}

#[test]
fn policies_of_two_teams_never_overlap() {
    // Names that are each other's beginnings.
    let pair = prop_oneof![
        (team("pay"), team("pay-eu")),
        (team("pay"), team("payments")),
        (team("kv"), team("pay")),
    ];
    check(100, &pair, |(one, other)| {
        let rules = |team: &Team| {
            let draft = plan(&Engine::default(), &[first(&document(team))]).expect("a plan");
            let text = |step: &Step| Some(step.after.as_ref()?.get("policy")?.as_str()?.to_owned());
            let texts: Vec<String> = draft.steps.iter().filter_map(text).collect();
            texts
                .iter()
                .flat_map(|text| policy::parse(text).expect("the safe subset").into_keys())
                .collect::<BTreeSet<String>>()
        };
        let (mine, theirs) = (rules(&one), rules(&other));
        let home = format!("team/{}/", one.name);
        prop_assert!(mine.iter().all(|path| path.starts_with(&home)));
        for a in &mine {
            for b in &theirs {
                let (a_stem, b_stem) = (a.trim_end_matches('*'), b.trim_end_matches('*'));
                let apart = match (a.ends_with('*'), b.ends_with('*')) {
                    (true, true) => !a_stem.starts_with(b_stem) && !b_stem.starts_with(a_stem),
                    (true, false) => !b.starts_with(a_stem),
                    (false, true) => !a.starts_with(b_stem),
                    (false, false) => a != b,
                };
                prop_assert!(apart, "{a} meets {b}");
            }
        }
        Ok(())
    });
}

/// Does the steps of a scene's plan in some order; nowhere on the way is anything possible that
/// neither the applied documents nor the whole plan allow.
fn stays_approved(
    scene: &Scene,
    order: impl Fn(&[Step]) -> Vec<usize>,
) -> Result<(), TestCaseError> {
    let applied = scene.base_engine();
    let mut engine = scene.engine();
    let draft = scene.plan(&engine);
    let mut done = engine.clone();
    done.apply_all(&draft.steps);
    let mut paths = applied.sample_paths();
    paths.extend(done.sample_paths());
    let mut approved: BTreeSet<Grant> = applied.approved(today(), &paths);
    approved.extend(done.approved(today(), &paths));
    for place in order(&draft.steps) {
        let step = &draft.steps[place];
        engine.apply(step);
        let now = engine.effective(today(), &paths);
        let new: Vec<&Grant> = now.difference(&approved).take(3).collect();
        prop_assert!(new.is_empty(), "after {} {}: {:?}", step.ordinal, step.object, new);
    }
    Ok(())
}

#[test]
fn every_prefix_of_the_steps_leaves_no_access_that_was_not_approved() {
    check(120, &scene(), |scene| stays_approved(&scene, |steps| (0..steps.len()).collect()));
}

#[test]
fn every_part_of_a_batch_leaves_no_access_that_was_not_approved() {
    let several = std::cell::Cell::new(0_u32);
    check(120, &(scene(), any::<u64>()), |(scene, order)| {
        stays_approved(&scene, |steps| {
            let mut all = Vec::new();
            for batch in batches(steps, 16) {
                several.set(several.get() + u32::from(batch.len() > 1));
                let mut places: Vec<usize> = batch.collect();
                // Any order: each step in it comes to be first, in the middle and last.
                places
                    .sort_by_key(|place| order.wrapping_mul(2 * *place as u64 + 1).rotate_left(17));
                all.extend(places);
            }
            all
        })
    });
    assert!(several.get() > 100, "only {} batches of more than one step", several.get());
}

/// Leave, change, come, go.
fn class(step: &Step) -> u8 {
    let members = |fields: &Option<Fields>| -> BTreeSet<String> {
        let fields = fields.as_ref();
        let of = |name| fields.map(|fields| texts(fields, name)).unwrap_or_default();
        of("anchors").into_iter().chain(of("accounts")).map(str::to_owned).collect()
    };
    if !matches!(step.object, ObjectKey::Group(_)) {
        return if step.action == Action::Delete { 3 } else { 1 };
    }
    let (before, after) = (members(&step.before), members(&step.after));
    match step.action {
        Action::Delete => 0,
        Action::Update if !before.is_subset(&after) => {
            assert!(after.is_subset(&before), "a step lets members go and others come");
            0
        }
        Action::Create | Action::Update => 2,
    }
}

#[test]
fn members_leave_first_and_come_when_all_else_stands() {
    check(150, &scene(), |scene| {
        let draft = scene.plan(&scene.engine());
        let classes: Vec<u8> = draft.steps.iter().map(class).collect();
        prop_assert!(classes.is_sorted(), "{:?}", classes);
        Ok(())
    });
}

/// What somebody may do on some day.
type Dated = BTreeSet<(Date, Grant)>;

fn grants(engine: &Engine, paths: &BTreeSet<String>) -> Dated {
    let on = |day: Date| engine.approved(day, paths).into_iter().map(move |grant| (day, grant));
    days().into_iter().flat_map(on).collect()
}

/// Everything anybody may do on any day before and after, and the two engines.
fn before_and_after(base: &Team, proposed: &Team) -> (Dated, Dated, Engine, Engine) {
    let mut engine = Engine::default();
    engine.apply_all(&plan(&engine, &[first(&document(base))]).expect("a plan").steps);
    let before = engine.clone();
    let changes = [change(&document(base), &document(proposed))];
    engine.apply_all(&plan(&engine, &changes).expect("a plan").steps);
    let mut paths = before.sample_paths();
    paths.extend(engine.sample_paths());
    (grants(&before, &paths), grants(&engine, &paths), before, engine)
}

fn token_lives(engine: &Engine) -> BTreeMap<String, (u64, BTreeSet<String>)> {
    let role = |(key, fields): (&ObjectKey, &Fields)| {
        let names = texts(fields, "bound_service_account_names");
        let ttl = fields.get("token_ttl")?.as_u64()?;
        Some((key.name(), (ttl, names.into_iter().map(str::to_owned).collect())))
    };
    engine.0.iter().filter_map(role).collect()
}

#[test]
fn taking_away_is_judged_low_and_gives_nobody_anything() {
    let edits = prop::collection::vec(narrowing(), 1..5);
    check(120, &(team("pay"), edits), |(base, edits): (Team, Vec<Edit>)| {
        let proposed = edited(&base, &edits);
        let assessment = assess(Some(&document(&base)), &document(&proposed), &[]);
        let (before, after, old, new) = before_and_after(&base, &proposed);
        prop_assert!(after.is_subset(&before), "{:?}", after.difference(&before).next());
        if assessment.narrowing {
            prop_assert_eq!(assessment.risk, Risk::Low);
            let (old, new) = (token_lives(&old), token_lives(&new));
            for (role, (ttl, names)) in &new {
                prop_assert!(old.get(role).is_some_and(|(t, n)| ttl <= t && names.is_subset(n)));
            }
        } else {
            // Nothing was really taken away: the rest of the document gave the same already.
            prop_assert_eq!(assessment.risk, Risk::Normal);
            prop_assert_eq!(after, before);
        }
        Ok(())
    });
}

#[test]
fn what_gives_somebody_something_is_never_judged_narrowing() {
    let edits = prop::collection::vec(edit(), 1..4);
    let narrowings = std::cell::Cell::new(0_u32);
    check(600, &(team("pay"), edits), |(base, edits)| {
        let proposed = edited(&base, &edits);
        let assessment = assess(Some(&document(&base)), &document(&proposed), &[]);
        if assessment.narrowing {
            narrowings.set(narrowings.get() + 1);
            let (before, after, old, new) = before_and_after(&base, &proposed);
            prop_assert!(after.is_subset(&before), "{:?}", after.difference(&before).next());
            let (old, new) = (token_lives(&old), token_lives(&new));
            for (role, (ttl, names)) in &new {
                prop_assert!(old.get(role).is_some_and(|(t, n)| ttl <= t && names.is_subset(n)));
            }
        }
        Ok(())
    });
    assert!(narrowings.get() > 20, "only {} narrowings were tried", narrowings.get());
}

/// The account's place, if the holder is one: `account <cluster>/<namespace>/<account>`.
fn place_of(holder: &str) -> Option<&str> {
    holder.strip_prefix("account ")?.rsplit_once('/').map(|(place, _)| place)
}

/// `low` is checked against what the engine would really let people do, by rules written a second
/// time: nothing new but reading, outside production and away from what it reads, in a namespace
/// the team had, and no longer than the namespace had it.
#[test]
fn what_is_judged_low_gives_what_low_may_give() {
    let edits = prop::collection::vec(prop_oneof![3 => reading(), 1 => edit()], 1..4);
    let gains = std::cell::Cell::new(0_u32);
    check(600, &(team("pay"), edits), |(base, edits)| {
        let proposed = edited(&base, &edits);
        let assessment = assess(Some(&document(&base)), &document(&proposed), &[]);
        if assessment.risk != Risk::Low {
            return Ok(());
        }
        let (before, after, ..) = before_and_after(&base, &proposed);
        let production: BTreeSet<String> = base
            .namespaces
            .iter()
            .filter(|claim| claim.environment == Environment::Production)
            .map(|claim| format!("{}/{}", claim.cluster, claim.name))
            .collect();
        let at = |grants: &Dated, test: &dyn Fn(&(Date, Grant)) -> bool| grants.iter().any(test);
        for (day, (holder, path, word)) in after.difference(&before) {
            gains.set(gains.get() + 1);
            let told =
                format!("{holder} gets {word} on {path} from {day}: {:?}", assessment.reasons);
            let Some(place) = place_of(holder) else {
                return Err(TestCaseError::fail(told));
            };
            prop_assert!(word == "read" || word == "list", "{}", told);
            let claimed = |team: &Team| {
                team.namespaces.iter().any(|c| format!("{}/{}", c.cluster, c.name) == place)
            };
            prop_assert!(claimed(&base) && !production.contains(place), "{}", told);
            let production_reads = |(_, (other, at, _)): &(Date, Grant)| {
                at == path && place_of(other).is_some_and(|place| production.contains(place))
            };
            prop_assert!(
                !at(&before, &production_reads) && !at(&after, &production_reads),
                "{}",
                told
            );
            let in_place = |(d, (other, at, w)): &(Date, Grant), on: &dyn Fn(Date) -> bool| {
                on(*d) && place_of(other) == Some(place) && at == path && w == word
            };
            let earlier = at(&before, &|grant| in_place(grant, &|d| d < *day));
            let then = at(&before, &|grant| in_place(grant, &|d| d == *day));
            prop_assert!(!earlier || then, "longer: {}", told);
        }
        Ok(())
    });
    assert!(gains.get() > 100, "only {} gains were looked at", gains.get());
}
