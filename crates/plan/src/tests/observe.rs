//! What stands in the engine and in the clusters decides: foreign, unknown, suspended, ended.

use std::collections::BTreeSet;

use serde_json::json;
use strongroom_domain::document::Document;
use strongroom_domain::risk::Risk;
use strongroom_vault_model::object::{Fields, ObjectKey};

use super::engine::{Engine, texts};
use super::support::{
    CLUSTERS, PAYMENTS, applied, change, cluster, context, dev_binding, first, live, one, pins,
    plan, plan_in, shop, uid,
};
use crate::build::{LiveNamespaces, named_namespaces};
use crate::model::Action;
use crate::{Change, Context, Draft, Observed, Refusal, build, keys};

fn key(kind: &str, name: &str) -> ObjectKey {
    ObjectKey::parse(kind, name).unwrap()
}

fn fields(value: serde_json::Value) -> Fields {
    serde_json::from_value(value).unwrap()
}

fn plan_with(
    engine: &Engine,
    changes: &[Change],
    live: &LiveNamespaces,
    attest: &[&str],
) -> Result<Draft, Vec<Refusal>> {
    let attest: Vec<String> = attest.iter().map(ToString::to_string).collect();
    let observed = engine.observe(&context(), changes);
    build(&context(), changes, &observed, live, &attest, &BTreeSet::new())
}

#[test]
fn an_object_that_was_not_read_is_unknown_and_nothing_follows() {
    let changes = [first(&one(PAYMENTS))];
    let (context, live) = (context(), live(&changes));
    let all = keys(&context, &changes).unwrap();
    assert!(all.len() > 10);
    for missing in &all {
        let observed: Observed =
            all.iter().filter(|key| *key != missing).map(|key| (key.clone(), None)).collect();
        let refusals = build(&context, &changes, &observed, &live, &[], &BTreeSet::new());
        assert_eq!(refusals.unwrap_err(), [Refusal::Unknown(missing.clone())]);
    }
}

/// For every object of the plan: something of somebody else's under its name.
#[test]
fn foreign_objects_are_refused_and_left_alone() {
    let document = one(PAYMENTS);
    let changes = [first(&document)];
    let ours = applied(&[&document]);
    for (key, mut found) in ours.0 {
        match &key {
            ObjectKey::Mount(_) => {
                found.insert("description".into(), json!("somebody's secrets"));
            }
            ObjectKey::Policy(_) => {
                found.insert(
                    "policy".into(),
                    json!("path \"secret/*\" { capabilities = [\"read\"] }"),
                );
            }
            ObjectKey::Group(_) | ObjectKey::Anchor(_) => {
                found.insert("owner".into(), json!(""));
            }
            // A role that no applied document of this team stands for is another team's claim; the
            // others are nobody's without their parents, so not ours.
            ObjectKey::Role(..)
            | ObjectKey::MountConfig(_)
            | ObjectKey::RateLimit(_)
            | ObjectKey::AnchorAlias(_) => {}
            ObjectKey::AuthMount(_) | ObjectKey::AuthConfig(_) => unreachable!("no cluster here"),
        }
        let engine = Engine([(key.clone(), found)].into());
        assert_eq!(plan(&engine, &changes).unwrap_err(), [Refusal::Foreign(key)]);
    }
}

#[test]
fn another_deployments_objects_are_foreign() {
    let document = one(PAYMENTS);
    let other = Context {
        mark: strongroom_vault_model::policy::Mark::new(uuid::Uuid::from_u128(2)),
        ..context()
    };
    let mut engine = Engine::default();
    engine.apply_all(&plan_in(&other, &engine, &[first(&document)]).unwrap().steps);
    let refusals = plan(&engine, &[first(&document)]).unwrap_err();
    let refused: BTreeSet<ObjectKey> = refusals
        .into_iter()
        .map(|refusal| match refusal {
            Refusal::Foreign(key) => key,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(refused, engine.0.keys().cloned().collect());
}

#[test]
fn a_mount_that_was_moved_here_from_a_longer_name_is_foreign() {
    let mut engine = applied(&[&one(PAYMENTS)]);
    let mount = key("mount", "team/payments/kv");
    let description = engine.0[&mount]["description"].as_str().unwrap().to_owned();
    engine
        .0
        .get_mut(&mount)
        .unwrap()
        .insert("description".into(), json!(format!("{description}2")));
    let base = one(PAYMENTS);
    let refusals = plan(&engine, &[change(&base, &base)]).unwrap_err();
    assert!(refusals.contains(&Refusal::Foreign(mount)), "{refusals:?}");
}

#[test]
fn foreign_objects_in_the_way_of_a_removal_stay() {
    let base = one(&shop(&dev_binding("more", "dev/more", "read")));
    let proposed = one(&shop(""));
    let mut engine = applied(&[&base]);
    let group = key("group", "team.shop.binding.more");
    engine.0.get_mut(&group).unwrap().insert("owner".into(), json!("somebody"));
    let draft = plan(&engine, &[change(&base, &proposed)]).unwrap();
    assert!(!draft.steps.iter().any(|step| step.object == group));
    engine.apply_all(&draft.steps);
    assert!(engine.0.contains_key(&group));
}

#[test]
fn another_teams_role_is_refused() {
    let shop_document = one(&shop(""));
    let engine = applied(&[&shop_document]);
    // Another team claims the shop's namespace and binds in it.
    let thief = one(&shop("").replace("{ name: shop }", "{ name: thief }"));
    let refusals = plan(&engine, &[first(&thief)]).unwrap_err();
    let roles = [
        Refusal::Foreign(key("role", "auth/k8s/lab/role/shop-dev")),
        Refusal::Foreign(key("role", "auth/k8s/prod-eu/role/shop-prod")),
    ];
    assert_eq!(refusals, roles);
    // Nor does it work with both documents in one request.
    let both = [first(&shop_document), first(&thief)];
    let refusals = plan(&Engine::default(), &both).unwrap_err();
    assert_eq!(
        refusals,
        [
            Refusal::ClaimedTwice("prod-eu/shop-prod".into()),
            Refusal::ClaimedTwice("lab/shop-dev".into()),
        ]
    );
}

#[test]
fn one_subject_stands_in_a_request_once() {
    let base = one(&shop(""));
    let wider = one(&shop(&dev_binding("x1", "dev/x", "read")));
    let changes = [change(&base, &base), change(&base, &wider)];
    let refusals = plan(&applied(&[&base]), &changes).unwrap_err();
    assert!(refusals.contains(&Refusal::SubjectTwice(base.subject())), "{refusals:?}");
    let other = Change { base: Some(base.clone()), ..first(&one(PAYMENTS)) };
    let refusals = plan(&Engine::default(), &[other]).unwrap_err();
    assert_eq!(refusals, [Refusal::OtherSubject(base.subject())]);
}

#[test]
fn a_mount_of_another_type_is_refused() {
    for (field, other) in [("type", "pki"), ("version", "1")] {
        let mut engine = applied(&[&one(PAYMENTS)]);
        let mount = key("mount", "team/payments/kv");
        engine.0.get_mut(&mount).unwrap().insert(field.into(), json!(other));
        let base = one(PAYMENTS);
        let refusals = plan(&engine, &[change(&base, &base)]).unwrap_err();
        assert_eq!(refusals, [Refusal::OtherType(mount)]);
    }
    let lab = cluster("lab");
    let mut engine = applied(&[&lab]);
    let mount = key("auth-mount", "auth/k8s/lab");
    engine.0.get_mut(&mount).unwrap().insert("type".into(), json!("jwt"));
    let refusals = plan(&engine, &[change(&lab, &lab)]).unwrap_err();
    assert_eq!(refusals, [Refusal::OtherType(mount)]);
}

#[test]
fn removing_a_mount_takes_access_off_keeps_the_data_and_says_so() {
    let base = one(&shop("  limits: { requestsPerSecond: 5 }\n"));
    let proposed = one(&shop("  limits: { requestsPerSecond: 5 }\n")
        .replace("    - { name: spare, type: kv-v2, maxVersions: 5 }\n", ""));
    let mut engine = applied(&[&base]);
    let draft = plan(&engine, &[change(&base, &proposed)]).unwrap();
    assert_eq!(draft.risk, Risk::Critical);
    engine.apply_all(&draft.steps);
    let mount = &engine.0[&key("mount", "team/shop/spare")];
    assert!(mount["description"].as_str().unwrap().ends_with("team/shop/spare (quarantined)"));
    assert!(engine.0.contains_key(&key("mount-config", "team/shop/spare")));
    assert!(!engine.0.contains_key(&key("rate-limit", "team.shop.spare")));
    for (key, fields) in &engine.0 {
        if key.kind() == "policy" {
            assert!(!fields["policy"].as_str().unwrap().contains("team/shop/spare"), "{key}");
        }
    }
    // Again, with the same base: nothing is left to do for the mount.
    let draft = plan(&engine, &[change(&base, &proposed)]).unwrap();
    assert!(draft.steps.is_empty(), "{:?}", draft.steps);
    // Asking for it again brings the same mount back.
    let draft = plan(&engine, &[change(&proposed, &base)]).unwrap();
    let step = draft.steps.iter().find(|step| step.object.kind() == "mount").unwrap();
    assert_eq!(step.action, Action::Update);
}

#[test]
fn members_who_leave_go_first_and_those_who_come_last() {
    let base = one(&shop(""));
    let swapped =
        shop("").replace("serviceAccounts: [web, worker]", "serviceAccounts: [worker, cron]");
    let draft = plan(&applied(&[&base]), &[change(&base, &one(&swapped))]).unwrap();
    let shown: Vec<String> = draft
        .steps
        .iter()
        .map(|step| format!("{} {}", step.action.as_str(), step.object))
        .collect();
    assert_eq!(
        shown,
        [
            "update group team.shop.binding.live",
            "update role auth/k8s/prod-eu/role/shop-prod",
            "update group team.shop.binding.live",
        ]
    );
    let accounts =
        |number: usize| texts(draft.steps[number].after.as_ref().unwrap(), "accounts").join(" ");
    assert_eq!(accounts(0), "prod-eu/shop-prod/worker");
    assert_eq!(accounts(2), "prod-eu/shop-prod/cron prod-eu/shop-prod/worker");
}

#[test]
fn accounts_that_are_not_there_yet_are_no_difference() {
    let base = one(&shop(""));
    let mut engine = applied(&[&base]);
    for (key, fields) in &mut engine.0 {
        if matches!(key, ObjectKey::Group(_)) {
            fields.insert("accounts".into(), json!([]));
        }
    }
    assert!(plan(&engine, &[change(&base, &base)]).unwrap().steps.is_empty());
}

#[test]
fn a_namespace_without_a_uid_cannot_be_claimed() {
    let changes = [first(&one(PAYMENTS))];
    let place = "prod-eu/payments-prod".to_owned();
    let gone = [(place.clone(), None)].into();
    let refusals = plan_with(&Engine::default(), &changes, &gone, &[]).unwrap_err();
    assert_eq!(refusals, [Refusal::NoNamespace(place.clone())]);
    let unknown = LiveNamespaces::new();
    let refusals = plan_with(&Engine::default(), &changes, &unknown, &[]).unwrap_err();
    assert_eq!(refusals, [Refusal::UnknownNamespace(place)]);
}

/// I13: unknown means no new grant and no removal.
#[test]
fn an_unknown_namespace_takes_nothing_away() {
    let base = one(&shop(""));
    let changes = [change(&base, &base)];
    let mut seen = live(&changes);
    seen.remove("prod-eu/shop-prod");
    let refusals = plan_with(&applied(&[&base]), &changes, &seen, &[]).unwrap_err();
    assert_eq!(refusals, [Refusal::UnknownNamespace("prod-eu/shop-prod".into())]);
    // Giving the claim up needs no word from a cluster that is gone for good.
    let text = shop("");
    let without: Vec<&str> = text.lines().filter(|line| !line.contains("shop-prod")).collect();
    let changes = [change(&base, &one(&without.join("\n")))];
    assert_eq!(named_namespaces(&changes), ["lab/shop-dev".to_owned()].into());
    let draft = plan_with(&applied(&[&base]), &changes, &live(&changes), &[]).unwrap();
    assert!(draft.steps.iter().any(|step| step.action == Action::Delete));
}

#[test]
fn a_suspended_namespace_keeps_the_old_pin_and_loses_its_groups() {
    let base = one(&shop(""));
    let place = "prod-eu/shop-prod";
    let changes = [change(&base, &base)];
    for now in [Some(uid(place, 2)), None] {
        let mut engine = applied(&[&base]);
        let mut live = live(&changes);
        live.insert(place.into(), now);
        let draft = plan_with(&engine, &changes, &live, &[]).unwrap();
        assert_eq!(draft.pins, pins(&base), "the new UID is not trusted by itself");
        let shown: Vec<String> = draft.steps.iter().map(|step| step.object.to_string()).collect();
        assert_eq!(shown, ["group team.shop.binding.live"]);
        assert_eq!(draft.steps[0].action, Action::Delete);
        engine.apply_all(&draft.steps);
        assert!(plan_with(&engine, &changes, &live, &[]).unwrap().steps.is_empty());
    }
}

#[test]
fn trusting_the_new_namespace_pins_its_uid_and_brings_the_groups_back() {
    let base = one(&shop(""));
    let place = "prod-eu/shop-prod";
    let changes = [change(&base, &base)];
    let mut engine = applied(&[&base]);
    let mut live = live(&changes);
    live.insert(place.into(), Some(uid(place, 2)));
    engine.apply_all(&plan_with(&engine, &changes, &live, &[]).unwrap().steps);
    let draft = plan_with(&engine, &changes, &live, &[place]).unwrap();
    assert_eq!(draft.risk, Risk::High);
    assert_eq!(draft.pins[place], uid(place, 2));
    assert_eq!(draft.pins["lab/shop-dev"], uid("lab/shop-dev", 1), "the other one is as it was");
    assert_eq!(draft.steps.len(), 1);
    assert_eq!(draft.steps[0].action, Action::Create);
    // There is nothing to trust where nothing is, and nothing that the request does not claim.
    live.insert(place.into(), None);
    let refusals = plan_with(&engine, &changes, &live, &[place]).unwrap_err();
    assert_eq!(refusals, [Refusal::NoNamespace(place.into())]);
    let live = super::support::live(&changes);
    let refusals = plan_with(&engine, &changes, &live, &["lab/elsewhere"]).unwrap_err();
    assert_eq!(refusals, [Refusal::NotClaimed("lab/elsewhere".into())]);
}

#[test]
fn a_first_claim_pins_what_the_cluster_says_now() {
    let base = one(&shop(""));
    let changes = [first(&base)];
    let mut live = live(&changes);
    live.insert("prod-eu/shop-prod".into(), Some(uid("prod-eu/shop-prod", 7)));
    let draft = plan_with(&Engine::default(), &changes, &live, &[]).unwrap();
    assert_eq!(draft.pins["prod-eu/shop-prod"], uid("prod-eu/shop-prod", 7));
    // Pins of namespaces that are claimed no more are dropped.
    let mut more = change(&base, &base);
    more.base_pins.insert("prod-eu/gone".into(), uid("prod-eu/gone", 1));
    let draft = plan(&applied(&[&base]), &[more]).unwrap();
    assert_eq!(draft.pins, pins(&base));
}

#[test]
fn an_ended_binding_is_taken_off_and_not_promised() {
    let base = one(&shop(""));
    let mut engine = applied(&[&base]);
    let changes = [change(&base, &base)];
    for (today, there) in [("2027-06-30", true), ("2027-07-01", false)] {
        let context = Context { today: today.parse().unwrap(), ..context() };
        let draft = plan_in(&context, &engine, &changes).unwrap();
        let promised = draft.standing_orders.iter().any(|order| order.contains("shop/test"));
        assert_eq!(promised, there, "{today}");
        engine.apply_all(&draft.steps);
        for (kind, name) in
            [("group", "team.shop.binding.test"), ("policy", "team.shop.binding.test")]
        {
            assert_eq!(engine.0.contains_key(&key(kind, name)), there, "{name} on {today}");
        }
        // The role carries no rights and goes on saying whose namespace it is.
        assert!(engine.0.contains_key(&key("role", "auth/k8s/lab/role/shop-dev")));
    }
}

#[test]
fn a_token_never_lives_longer_than_the_ceiling() {
    let text = PAYMENTS.replace("tokenTtl: 20m", "tokenTtl: 1h");
    let at =
        |context: &Context, text: &str| plan_in(context, &Engine::default(), &[first(&one(text))]);
    at(&context(), &text).unwrap();
    let over = PAYMENTS.replace("tokenTtl: 20m", "tokenTtl: 3601s");
    let refused = |ceiling| vec![Refusal::TokenTtl("prod-eu/payments-prod".into(), ceiling)];
    assert_eq!(at(&context(), &over).unwrap_err(), refused(3600));
    // The lower of floor and Platform document holds.
    let floor = Context { floor_token_ttl: 600, ..context() };
    assert_eq!(at(&floor, PAYMENTS).unwrap_err(), refused(600));
    let draft = at(&context(), PAYMENTS).unwrap();
    let role = draft.steps.iter().find(|step| step.object.kind() == "role").unwrap();
    let after = role.after.as_ref().unwrap();
    assert_eq!((&after["token_ttl"], &after["token_max_ttl"]), (&json!(1200), &json!(3600)));
}

#[test]
fn unknown_clusters_and_reserved_names_are_refused_all_at_once() {
    let text = PAYMENTS.replace("prod-eu", "mars");
    let refusals = plan(&Engine::default(), &[first(&one(&text))]).unwrap_err();
    assert_eq!(refusals, [Refusal::NoCluster("mars".parse().unwrap())]);
    let mut context = context();
    context.platform.reserved_names.push("payments".parse().unwrap());
    let refusals = plan_in(&context, &Engine::default(), &[first(&one(&text))]).unwrap_err();
    assert_eq!(
        refusals,
        [
            Refusal::ReservedName("payments".parse().unwrap()),
            Refusal::NoCluster("mars".parse().unwrap()),
        ]
    );
    // A team that is there already keeps its name.
    let base = one(PAYMENTS);
    let engine = applied(&[&base]);
    plan_in(&context, &engine, &[change(&base, &base)]).unwrap();
}

#[test]
fn a_team_may_come_with_its_cluster_in_one_request() {
    let mut changes = vec![first(&one(PAYMENTS))];
    changes.extend(CLUSTERS.map(|name| first(&cluster(name))));
    let mut engine = Engine::default();
    let draft = plan(&engine, &changes).unwrap();
    assert!(draft.steps[0].object.kind() == "auth-mount", "the mount before its roles");
    engine.apply_all(&draft.steps);
    let role = &engine.0[&key("role", "auth/k8s/prod-eu/role/payments-prod")];
    // I4, K8S-01: exact names, an audience, alias by UID, no policies, no period, bounded life.
    assert_eq!(
        *role,
        fields(json!({
            "bound_service_account_names": ["api"],
            "bound_service_account_namespaces": ["payments-prod"],
            "bound_service_account_namespace_selector": "",
            "audience": "strongroom",
            "alias_name_source": "serviceaccount_uid",
            "token_policies": [],
            "token_no_default_policy": true,
            "token_period": 0,
            "token_ttl": 1200,
            "token_max_ttl": 3600,
        }))
    );
}

#[test]
fn a_platform_document_writes_nothing_to_the_engine() {
    let platform = Document::Platform(Box::default());
    let draft = plan(&Engine::default(), &[first(&platform)]).unwrap();
    assert!(draft.steps.is_empty());
    assert!(keys(&context(), &[first(&platform)]).unwrap().is_empty());
}
