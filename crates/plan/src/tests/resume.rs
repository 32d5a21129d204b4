//! How far a plan has come, for every way in which heads and objects can stand.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use strongroom_domain::Digest;
use strongroom_domain::document::Document;
use strongroom_domain::head::Head;
use strongroom_domain::id::{DeploymentId, EngineId, RequestId};
use strongroom_domain::person::PersonId;
use strongroom_domain::request::Stage;
use strongroom_domain::subject::Subject;
use uuid::Uuid;

use super::engine::Engine;
use super::support::{applied, change, first, one, plan, shop};
use crate::model::{Action, EngineRef, Plan, PlannedDocument, RENDERER, Step};
use crate::resume::{Progress, Verdict, judge, progress};
use crate::{Change, Draft};

const DEPLOYMENT: u128 = 7;

/// A plan of request `number` over these changes and heads.
fn planned(number: u128, changes: &[Change], heads: &[&Head], draft: Draft) -> Plan {
    let document = |(change, head): (&Change, &&Head)| PlannedDocument {
        subject: change.proposed.subject(),
        revision: head.base_revision() + 1,
        base_revision: head.base_revision(),
        head_hash: head.digest(),
        document_hash: change.proposed.digest(),
        document: change.proposed.to_value(),
    };
    Plan {
        deployment: DeploymentId::from_uuid(Uuid::from_u128(DEPLOYMENT)),
        engine: EngineRef {
            id: EngineId::from_uuid(Uuid::from_u128(1)),
            cluster_id: "engine".into(),
            vault_namespace: String::new(),
        },
        request: RequestId::from_uuid(Uuid::from_u128(number)),
        round: 1,
        submission: Digest::of(b"token"),
        submitter: PersonId { issuer: "https://idp".into(), person: "alice".into() },
        submitter_display: "Alice".into(),
        reason: "because".into(),
        documents: changes.iter().zip(heads).map(document).collect(),
        pins: draft.pins,
        attest: Vec::new(),
        lift: Vec::new(),
        lifts: BTreeMap::new(),
        risk: draft.risk,
        reasons: draft.reasons,
        rules: Digest::of(b"rules"),
        stages: draft.stages,
        steps: draft.steps,
        standing_orders: draft.standing_orders,
        summary: draft.summary,
        renderer: RENDERER,
        frozen_at: jiff::Timestamp::UNIX_EPOCH,
        expires_at: jiff::Timestamp::UNIX_EPOCH,
    }
}

fn head(subject: &str) -> Head {
    let deployment = DeploymentId::from_uuid(Uuid::from_u128(DEPLOYMENT));
    Head::new(deployment, subject.parse().unwrap())
}

fn mart() -> String {
    shop("").replace("shop", "mart")
}

/// The shop and the mart from nothing in one request, with bytes and hash.
fn both() -> (Plan, Vec<u8>, Digest) {
    let changes = [first(&one(&mart())), first(&one(&shop("")))];
    let draft = plan(&Engine::default(), &changes).unwrap();
    let plan = planned(1, &changes, &[&head("team/mart"), &head("team/shop")], draft);
    let bytes = plan.canonical();
    let hash = Plan::hash_of(&bytes);
    (plan, bytes, hash)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Breaks off after every step, and takes each step for what it is from then on.
fn walk(steps: &[Step], engine: &Engine) {
    for done in 0..=steps.len() {
        let mut now = engine.clone();
        now.apply_all(&steps[..done]);
        for place in 0..steps.len() {
            let step = &steps[place];
            let verdict = judge(steps, place, now.0.get(&step.object));
            let told = format!("step {place} ({}) after {done} steps", step.object);
            // Members are no part of what is read: letting them go again is harmless.
            let leave = verdict == Verdict::Do && step.object.kind() == "group";
            if place < done {
                assert!(verdict == Verdict::Already || leave, "{told}: {verdict:?}");
            } else {
                // Only members may make a step look as if it was done, and only where they come.
                let come = step.object.kind() == "group" && step.action == Action::Update;
                assert!(verdict == Verdict::Do || come, "{told}: {verdict:?}");
                if verdict == Verdict::Do {
                    now.apply(step);
                }
            }
        }
    }
    let other = serde_json::from_value(json!({ "made": "by hand" })).unwrap();
    for place in 0..steps.len() {
        assert_eq!(judge(steps, place, Some(&other)), Verdict::Stop);
    }
}

#[test]
fn a_step_is_judged_by_what_is_there_alone() {
    let base = one(&shop(""));
    let engine = applied(&[&base]);
    for (from, to) in [
        ("[web, worker]", "[web, cron]"),
        (
            "[web, worker], access: [{ mount: kv, path: prod/*, level: read",
            "[web], access: [{ mount: kv, path: prod/*, level: write",
        ),
        ("owners: [{ group: shop-leads }]", "owners: [{ group: shop-dev }]"),
        ("owners: [{ group: shop-leads }]", "owners: [{ group: shop-dev }, { group: shop-leads }]"),
        ("- { name: spare, type: kv-v2, maxVersions: 5 }", "- { name: more, type: kv-v2 }"),
    ] {
        assert!(shop("").contains(from));
        let draft = plan(&engine, &[change(&base, &one(&shop("").replace(from, to)))]).unwrap();
        walk(&draft.steps, &engine);
    }
    walk(&plan(&Engine::default(), &[first(&base)]).unwrap().steps, &Engine::default());
}

#[test]
fn where_a_group_has_two_steps_the_second_says_that_the_first_was_done() {
    let base = one(&shop("").replace("shop-leads }", "shop-leads }, { group: shop-old }"));
    let engine = applied(&[&base]);
    let other = one(&shop("").replace("shop-leads }", "shop-leads }, { group: shop-new }"));
    let steps = plan(&engine, &[change(&base, &other)]).unwrap().steps;
    let group = |step: &&Step| step.object.kind() == "group";
    assert_eq!(steps.iter().filter(group).count(), 2);
    let mut done = engine.clone();
    done.apply_all(&steps);
    for place in 0..steps.len() {
        let found = done.0.get(&steps[place].object);
        assert_eq!(judge(&steps, place, found), Verdict::Already, "{}", steps[place].object);
    }
}

/// Otherwise whoever was to leave would still be in the group when its policy gives more.
#[test]
fn accounts_that_leave_are_let_go_again_before_anything_is_given() {
    let base = one(&shop(""));
    let engine = applied(&[&base]);
    let turned = one(&shop("").replace(
        "[web, worker], access: [{ mount: kv, path: prod/*, level: read",
        "[web], access: [{ mount: kv, path: prod/*, level: write",
    ));
    let steps = plan(&engine, &[change(&base, &turned)]).unwrap().steps;
    assert_eq!((steps[0].object.kind(), steps[0].action), ("group", Action::Update));
    assert_eq!(judge(&steps, 0, engine.0.get(&steps[0].object)), Verdict::Do);
    let mut found = engine.0[&steps[0].object].clone();
    found.insert("policies".into(), json!(["admin"]));
    assert_eq!(judge(&steps, 0, Some(&found)), Verdict::Stop);
}

#[test]
fn a_plan_over_two_subjects_comes_as_far_as_its_heads_say() {
    let (plan, bytes, hash) = both();
    let (mut mart, mut shop) = (head("team/mart"), head("team/shop"));
    let now = |heads: &[&Head]| progress(&plan, &bytes, hash, heads.iter().copied());
    assert_eq!(now(&[]), Progress::NotBegun);
    assert_eq!(now(&[&mart, &shop]), Progress::NotBegun);
    // Broken off between the two heads.
    mart.begin(plan.target(hash, 0, None), text(&bytes));
    assert_eq!(now(&[&mart, &shop]), Progress::Begun(vec![1]));
    assert_eq!(now(&[&mart]), Progress::Begun(vec![1]));
    shop.begin(plan.target(hash, 1, None), text(&bytes));
    assert_eq!(now(&[&mart, &shop]), Progress::Begun(vec![]));
    // Broken off between the two ways back.
    let mut back = mart.clone();
    assert!(back.go_back(plan.request));
    assert_eq!(now(&[&back, &shop]), Progress::GoingBack);
    // Broken off between the two ends, of which either may come first.
    let mut first = shop.clone();
    first.finish(&[]);
    assert_eq!(now(&[&mart, &first]), Progress::Ending);
    mart.finish(&[]);
    assert_eq!(now(&[&mart, &shop]), Progress::Ending);
    shop.finish(&[]);
    assert_eq!(now(&[&mart, &shop]), Progress::Done);
    assert_eq!((mart.base_revision(), shop.base_revision()), (1, 1));
    let pins: Vec<&str> = shop.applied.as_ref().unwrap().pins.places().collect();
    assert_eq!(pins, ["lab/shop-dev", "prod-eu/shop-prod"], "each head has its own pins");
}

/// A request of the shop alone, based on this head.
fn alone(number: u128, base: Option<&Document>, head: &Head) -> (Plan, Vec<u8>, Digest) {
    let proposed = one(&shop("").replace("displayName: Shop", &format!("displayName: S{number}")));
    let (engine, changes) = match base {
        Some(base) => (applied(&[base]), [change(base, &proposed)]),
        None => (Engine::default(), [first(&proposed)]),
    };
    let draft = plan(&engine, &changes).unwrap();
    let plan = planned(number, &changes, &[head], draft);
    let bytes = plan.canonical();
    let hash = Plan::hash_of(&bytes);
    (plan, bytes, hash)
}

#[test]
fn nobody_begins_on_a_subject_of_a_request_that_is_half_way() {
    let (plan, bytes, hash) = both();
    let (mut mart, mut shop) = (head("team/mart"), head("team/shop"));
    let (other, other_bytes, other_hash) = alone(2, None, &shop);
    let others =
        |heads: &[&Head]| progress(&other, &other_bytes, other_hash, heads.iter().copied());
    let subject: Subject = "team/shop".parse().unwrap();
    assert_eq!(others(&[&mart, &shop]), Progress::NotBegun);
    // The mart's head has begun; the shop's is written next.
    mart.begin(plan.target(hash, 0, None), text(&bytes));
    assert_eq!(others(&[&mart, &shop]), Progress::Busy(subject.clone()));
    shop.begin(plan.target(hash, 1, None), text(&bytes));
    assert_eq!(others(&[&mart, &shop]), Progress::Busy(subject.clone()));
    // The shop's is done, the mart's is not yet.
    shop.finish(&[]);
    assert_eq!(others(&[&mart, &shop]), Progress::Busy(subject));
    mart.finish(&[]);
    assert_eq!(others(&[&mart, &shop]), Progress::NotBegun);
    // If somebody did all the same, by hand or with an older version, it is told and not written
    // over.
    let (mut mart, mut shop) = (head("team/mart"), head("team/shop"));
    mart.begin(plan.target(hash, 0, None), text(&bytes));
    shop.begin(other.target(other_hash, 0, None), text(&other_bytes));
    let now = |heads: &[&Head]| progress(&plan, &bytes, hash, heads.iter().copied());
    assert_eq!(now(&[&mart, &shop]), Progress::Busy("team/shop".parse().unwrap()));
    shop.finish(&[]);
    assert_eq!(now(&[&mart, &shop]), Progress::Torn("team/shop".parse().unwrap()));
}

#[test]
fn a_plan_is_still_the_same_when_only_its_times_are_others() {
    type Edit = (&'static str, fn(&mut Plan));
    let (frozen, ..) = both();
    let mut now = frozen.clone();
    now.round += 1;
    now.frozen_at = "2026-11-23T18:00:00Z".parse().unwrap();
    now.expires_at = now.frozen_at;
    assert!(frozen.is_still(&now));
    let edits: [Edit; 9] = [
        ("steps", |plan| drop(plan.steps.pop())),
        ("documents", |plan| plan.documents[0].head_hash = Some(Digest::of(b"other"))),
        ("pins", |plan| drop(plan.pins.pop_first())),
        ("lift", |plan| plan.lift.push(strongroom_domain::hold::Target::Platform)),
        ("risk", |plan| plan.risk = strongroom_domain::risk::Risk::Low),
        ("stages", |plan| plan.stages[0].votes += 1),
        ("rules", |plan| plan.rules = Digest::of(b"other")),
        ("standing orders", |plan| drop(plan.standing_orders.pop())),
        ("renderer", |plan| plan.renderer += 1),
    ];
    for (what, edit) in edits {
        let mut now = frozen.clone();
        edit(&mut now);
        assert!(!frozen.is_still(&now), "{what}");
    }
}

/// What people voted on stays what it was until they vote on something else.
#[test]
fn the_head_keeps_what_people_voted_on() {
    let mut at = head("team/shop");
    let mut begin = |number: u128, votes: bool| -> Value {
        let base = one(&shop(""));
        let (mut plan, ..) = alone(number, Some(&base), &at);
        if !votes {
            plan.stages.clear();
        }
        let hash = Plan::hash_of(&plan.canonical());
        at.begin(plan.target(hash, 0, at.applied.as_ref()), String::new());
        at.finish(&[]);
        json!(
            at.applied
                .as_ref()
                .unwrap()
                .voted
                .as_ref()
                .map(|document| { document.value()["spec"]["displayName"].clone() })
        )
    };
    assert_eq!(begin(1, true), Value::Null);
    assert_eq!(begin(2, false), "S1");
    assert_eq!(begin(3, false), "S1", "small steps do not move it");
    assert_eq!(begin(4, true), Value::Null);
    assert_eq!(begin(5, false), "S4");
}

/// Two people of one team cannot vote a path out of production and give it away then.
#[test]
fn only_the_platform_settles_that_a_path_is_productions_no_more() {
    let base = one(&shop(""));
    let voted = |bindings_go: bool, platform: bool| -> Value {
        let mut at = head("team/shop");
        let (plan, ..) = alone(1, Some(&base), &at);
        let hash = Plan::hash_of(&plan.canonical());
        at.begin(plan.target(hash, 0, None), String::new());
        at.finish(&[]);
        let (mut plan, ..) = alone(2, Some(&base), &at);
        if bindings_go {
            plan.documents[0].document["spec"]["bindings"] = json!([]);
        }
        let stage = |name: &str| Stage { name: name.into(), groups: BTreeSet::new(), votes: 1 };
        plan.stages = vec![stage("owners of shop")];
        if platform {
            plan.stages.push(stage("platform"));
        }
        let target = plan.target(hash, 0, at.applied.as_ref());
        json!(target.voted.map(|document| document.value()["spec"]["displayName"].clone()))
    };
    assert_eq!(voted(false, false), Value::Null, "an owner's vote settles what stays production's");
    assert_eq!(voted(true, false), "S1", "risk goes on being judged against it");
    assert_eq!(voted(true, true), Value::Null);
}
