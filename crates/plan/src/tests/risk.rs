//! The table of risks, each rule with an attempt to get round it.

use strongroom_domain::risk::Risk;

use super::engine::Engine;
use super::support::{
    applied, change, cluster, dev_binding, first, judged, one, plan, shop, told, uid,
};
use crate::risk::assess;
use crate::{Draft, build, build_since_vote};

fn risk(proposed: &str) -> Risk {
    judged(&shop(""), proposed).risk
}

/// The shop with one text replaced; the text must be there.
fn changed(from: &str, to: &str) -> String {
    let base = shop("");
    assert!(base.contains(from), "{from}");
    base.replace(from, to)
}

fn has(draft: &Draft, text: &str) {
    let told = told(&draft.reasons);
    assert!(told.iter().any(|each| each.contains(text)), "{text:?} not in {told:#?}");
}

#[test]
fn nothing_changed_is_normal_and_no_narrowing() {
    let draft = judged(&shop(""), &shop(""));
    assert_eq!(draft.risk, Risk::Normal);
    assert!(draft.steps.is_empty());
    let base = one(&shop(""));
    assert!(!assess(Some(&base), &base, &[]).narrowing);
}

#[test]
fn taking_away_ones_own_is_low() {
    for (from, to) in [
        ("serviceAccounts: [web, worker]", "serviceAccounts: [web]"),
        ("path: prod/*, level: read", "path: prod/*, level: list"),
        ("path: prod/*, level: read", "path: prod/api, level: read"),
        ("until: 2027-06-30", "until: 2026-12-31"),
        ("until: 2027-06-30", "until: 2020-01-01"),
    ] {
        let (base, proposed) = (one(&shop("")), one(&changed(from, to)));
        let assessment = assess(Some(&base), &proposed, &[]);
        assert!(assessment.narrowing, "{from} to {to}: {:?}", assessment.reasons);
        assert_eq!(assessment.risk, Risk::Low);
    }
    let shorter = changed(
        "name: shop-dev, environment: development, tokenTtl: 20m",
        "name: shop-dev, environment: development, tokenTtl: 10m",
    );
    assert_eq!(risk(&shorter), Risk::Low);
    let with = shop(&dev_binding("more", "dev/more", "read"));
    assert_eq!(judged(&with, &shop("")).risk, Risk::Low);
    let until = with.replace(
        "path: dev/more, level: read }] }",
        "path: dev/more, level: read }], until: 2027-01-01 }",
    );
    assert_ne!(until, with);
    assert_eq!(judged(&with, &until).risk, Risk::Low);
}

#[test]
fn adding_outside_production_in_an_owned_namespace_is_low_but_no_narrowing() {
    let (base, proposed) = (shop(""), shop(&dev_binding("more", "trial/*", "read")));
    assert_eq!(judged(&base, &proposed).risk, Risk::Low);
    assert!(!assess(Some(&one(&base)), &one(&proposed), &[]).narrowing);
    // Taking something away beside it does not make it narrowing.
    let both = proposed.replace("serviceAccounts: [web, worker]", "serviceAccounts: [web]");
    let assessment = assess(Some(&one(&base)), &one(&both), &[]);
    assert_eq!((assessment.risk, assessment.narrowing), (Risk::Low, false));
}

#[test]
fn a_name_or_a_limit_is_normal() {
    assert_eq!(risk(&changed("displayName: Shop", "displayName: The shop")), Risk::Normal);
    assert_eq!(risk(&changed("contact: shop@", "contact: store@")), Risk::Normal);
    assert_eq!(risk(&shop("  limits: { requestsPerSecond: 5 }\n")), Risk::Normal);
    assert_eq!(risk(&changed("maxVersions: 10", "maxVersions: 20")), Risk::Normal);
    // Hiding it behind a narrowing does not work.
    let both = changed("displayName: Shop", "displayName: The shop")
        .replace("serviceAccounts: [web, worker]", "serviceAccounts: [web]");
    assert_eq!(risk(&both), Risk::Normal);
}

#[test]
fn production_is_high() {
    let more = shop(
        "    - { name: more, cluster: prod-eu, namespace: shop-prod, serviceAccounts: [web], access: [{ mount: spare, path: x, level: list }] }\n",
    );
    assert_eq!(risk(&more), Risk::High);
    assert_eq!(
        risk(&changed("serviceAccounts: [web, worker]", "serviceAccounts: [web, cron]")),
        Risk::High
    );
}

#[test]
fn a_path_that_production_reaches_is_production_whoever_asks() {
    for path in ["prod/*", "prod/api", "prod/api/*", "prod/api/db"] {
        let draft = judged(&shop(""), &shop(&dev_binding("peek", path, "list")));
        assert_eq!(draft.risk, Risk::High, "{path}");
        has(&draft, "which production uses");
    }
    // From above as well.
    let wide = shop(
        "    - { name: live2, cluster: prod-eu, namespace: shop-prod, serviceAccounts: [web], access: [{ mount: spare, path: a/b/c, level: read }] }\n",
    );
    let peek = "    - { name: peek, cluster: lab, namespace: shop-dev, serviceAccounts: [web], access: [{ mount: spare, path: a/*, level: read }] }\n";
    let draft = judged(&wide, &format!("{wide}{peek}"));
    assert_eq!(draft.risk, Risk::High);
    // The same path in another mount is another path, and letters are not segments.
    assert_eq!(risk(&shop(&peek.replace("a/*", "prod/*"))), Risk::Low);
    assert_eq!(risk(&shop(&dev_binding("near", "production/*", "read"))), Risk::Low);
}

#[test]
fn taking_production_off_in_the_same_breath_does_not_make_its_path_harmless() {
    let live = "    - { name: live, cluster: prod-eu, namespace: shop-prod, serviceAccounts: [web, worker], access: [{ mount: kv, path: prod/*, level: read }] }\n";
    assert!(shop("").contains(live));
    // A new binding, and an old one that is changed.
    let fresh = shop(&dev_binding("peek", "prod/api", "read")).replace(live, "");
    let turned = shop("").replace(live, "").replace("path: dev/*", "path: prod/*");
    for proposed in [fresh, turned] {
        let draft = judged(&shop(""), &proposed);
        assert_eq!(draft.risk, Risk::High);
        has(&draft, "which production uses");
    }
    // The production binding is renamed to a development one.
    let renamed = shop("").replace(
        "cluster: prod-eu, namespace: shop-prod, serviceAccounts: [web, worker]",
        "cluster: lab, namespace: shop-dev, serviceAccounts: [web, worker]",
    );
    assert_eq!(risk(&renamed), Risk::High);
}

#[test]
fn a_claim_is_high_and_so_is_its_end_and_its_environment() {
    let claim = "    - { cluster: lab, name: shop-test, environment: development }\n  bindings:";
    let draft = judged(&shop(""), &changed("  bindings:", claim));
    assert_eq!(draft.risk, Risk::High);
    has(&draft, "first claim on the namespace shop-test of lab");

    let calmer = changed("environment: production", "environment: development");
    let draft = judged(&shop(""), &calmer);
    assert_eq!(draft.risk, Risk::High);
    has(&draft, "changes from production to development");

    let longer =
        changed("environment: production, tokenTtl: 20m", "environment: production, tokenTtl: 21m");
    assert_eq!(risk(&longer), Risk::High);

    let with = shop("").replace("  bindings:", claim);
    let draft = judged(&with, &shop(""));
    assert_eq!(draft.risk, Risk::High);
    has(&draft, "given up");
}

#[test]
fn people_are_high_in_both_directions() {
    for (from, to) in [
        ("owners: [{ group: shop-leads }]", "owners: [{ group: shop-leads }, { group: shop-dev }]"),
        ("editors: [{ group: shop-dev }]", "editors: []"),
        ("viewers: [{ group: shop-readers }]", "viewers: [{ group: everyone }]"),
    ] {
        assert_eq!(risk(&changed(from, to)), Risk::High, "{to}");
    }
}

#[test]
fn ends_may_come_nearer_but_not_go_away() {
    assert_eq!(risk(&changed("until: 2027-06-30", "until: 2027-07-01")), Risk::High);
    assert_eq!(risk(&changed(", until: 2027-06-30", "")), Risk::High);
    // An end that has come is not lifted quietly.
    let over = changed("until: 2027-06-30", "until: 2026-11-22");
    let draft = judged(&over, &shop(""));
    assert_eq!(draft.risk, Risk::High);
    has(&draft, "ends later");
}

#[test]
fn writing_workloads_and_whole_mounts_are_high() {
    for level in ["write", "admin"] {
        let draft = judged(&shop(""), &shop(&dev_binding("more", "dev/x", level)));
        assert_eq!(draft.risk, Risk::High);
        has(&draft, "lets a workload change");
    }
    let draft = judged(
        &shop(""),
        &shop(
            "    - { name: all, cluster: lab, namespace: shop-dev, serviceAccounts: [web], access: [{ mount: spare, path: '*', level: list }] }\n",
        ),
    );
    assert_eq!(draft.risk, Risk::High);
    has(&draft, "whole mount");
    // Raising the level of what is there already.
    assert_eq!(risk(&changed("path: dev/*, level: read", "path: dev/*, level: write")), Risk::High);
}

#[test]
fn people_who_read_are_normal_outside_production_and_high_inside() {
    let reads = |path: &str| {
        shop(&format!(
            "    - {{ name: look, people: {{ group: shop-dev }}, access: [{{ mount: kv, path: {path}, level: read }}], until: 2027-01-01 }}\n"
        ))
    };
    assert_eq!(risk(&reads("dev/x")), Risk::Normal);
    assert_eq!(risk(&reads("prod/x")), Risk::High);
    // Another group of people is other people.
    let (one, other) = (
        reads("dev/x"),
        reads("dev/x").replace("people: { group: shop-dev }", "people: { group: everyone }"),
    );
    assert_eq!(judged(&one, &other).risk, Risk::Normal);
}

#[test]
fn mounts_are_normal_to_add_and_critical_to_take_off_or_trim() {
    let bucket = "    - { name: bucket, type: kv-v2 }\n  namespaces:";
    assert_eq!(risk(&changed("  namespaces:", bucket)), Risk::Normal);
    let without = changed("    - { name: spare, type: kv-v2, maxVersions: 5 }\n", "");
    let draft = judged(&shop(""), &without);
    assert_eq!(draft.risk, Risk::Critical);
    has(&draft, "quarantined");
    let trimmed = changed("maxVersions: 10", "maxVersions: 9");
    assert_eq!(risk(&trimmed), Risk::Critical);
    // Renaming a mount is taking one off.
    assert_eq!(risk(&changed("name: spare", "name: backup")), Risk::Critical);
}

#[test]
fn a_new_team_is_high_however_small() {
    let tiny = "apiVersion: strongroom.dev/v1\nkind: Team\nmetadata: { name: tiny }\nspec:\n  displayName: T\n  contact: t\n  people: { owners: [{ group: t }] }\n";
    let draft = plan(&Engine::default(), &[first(&one(tiny))]).unwrap();
    assert_eq!(draft.risk, Risk::High);
    assert!(!assess(None, &one(tiny), &[]).narrowing);
    let draft = plan(&Engine::default(), &[first(&one(&shop("")))]).unwrap();
    has(&draft, "first claim on the namespace shop-prod of prod-eu");
}

#[test]
fn clusters_and_rules_are_critical_even_unchanged() {
    let cluster = cluster("lab");
    assert_eq!(assess(Some(&cluster), &cluster, &[]).risk, Risk::Critical);
    assert_eq!(assess(None, &cluster, &[]).risk, Risk::Critical);
    let platform = strongroom_domain::document::Document::Platform(Box::default());
    assert_eq!(assess(Some(&platform), &platform, &[]).risk, Risk::Critical);
}

#[test]
fn the_highest_of_several_documents_counts() {
    let (base, proposed) =
        (one(&shop("")), one(&changed("serviceAccounts: [web, worker]", "serviceAccounts: [web]")));
    let engine = applied(&[&base]);
    let draft = plan(&engine, &[change(&base, &proposed), first(&cluster("lab"))]).unwrap();
    assert_eq!(draft.risk, Risk::Critical);
    assert_eq!(draft.reasons[0].risk, Risk::Critical);
    assert!(draft.reasons.is_sorted_by(|a, b| a.risk >= b.risk));
}

#[test]
fn trusting_a_new_namespace_is_high_even_beside_a_narrowing() {
    let (base, proposed) =
        (one(&shop("")), one(&changed("serviceAccounts: [web, worker]", "serviceAccounts: [web]")));
    let attest = ["prod-eu/shop-prod".to_owned()];
    let assessment = assess(Some(&base), &proposed, &attest);
    assert_eq!((assessment.risk, assessment.narrowing), (Risk::High, false));
}

type ByHand<'a> = &'a dyn Fn(&mut Engine);

#[test]
fn what_was_narrowed_by_hand_is_not_given_back_by_a_narrowing() {
    let base = one(&shop(&dev_binding("more", "dev/more", "read")));
    let proposed = one(&shop(""));
    let key = |kind: &str, name: &str| {
        strongroom_vault_model::object::ObjectKey::parse(kind, name).unwrap()
    };
    let untouched = applied(&[&base]);
    let draft = plan(&untouched, &[change(&base, &proposed)]).unwrap();
    assert_eq!(draft.risk, Risk::Low);

    let by_hand: [(&str, &str, ByHand<'_>); 5] = [
        ("the group is gone", "group", &|engine| {
            engine.0.remove(&key("group", "team.shop.binding.live"));
        }),
        ("the group has lost its policy", "group", &|engine| {
            let group = engine.0.get_mut(&key("group", "team.shop.binding.live")).unwrap();
            group.insert("policies".into(), serde_json::json!(["strongroom.self"]));
        }),
        ("the policy is gone", "policy", &|engine| {
            engine.0.remove(&key("policy", "team.shop.binding.live"));
        }),
        ("the policy says less", "policy", &|engine| {
            let policy = engine.0.get_mut(&key("policy", "team.shop.binding.live")).unwrap();
            let text =
                policy["policy"].as_str().unwrap().split("\npath").next().unwrap().to_owned();
            policy.insert("policy".into(), text.into());
        }),
        ("the role knows one account less", "role", &|engine| {
            let role = engine.0.get_mut(&key("role", "auth/k8s/prod-eu/role/shop-prod")).unwrap();
            role.insert("bound_service_account_names".into(), serde_json::json!(["web"]));
        }),
    ];
    for (what, kind, narrow) in by_hand {
        let mut engine = untouched.clone();
        narrow(&mut engine);
        let draft = plan(&engine, &[change(&base, &proposed)]).unwrap();
        assert_eq!(draft.risk, Risk::High, "{what}");
        has(&draft, &format!("less than what is applied for {kind}"));
        assert!(!draft.stages.is_empty(), "{what}: people see it");
        let told = told(&draft.reasons);
        assert!(!told.iter().any(|reason| reason.contains("only takes access away")), "{told:#?}");
    }

    // Drift that gives more than what is applied is put right without further ado.
    let mut engine = untouched.clone();
    let role = engine.0.get_mut(&key("role", "auth/k8s/prod-eu/role/shop-prod")).unwrap();
    role.insert("token_period".into(), 60.into());
    let draft = plan(&engine, &[change(&base, &proposed)]).unwrap();
    assert_eq!(draft.risk, Risk::Low);
    assert!(draft.steps.iter().any(|step| step.object.kind() == "role"));
}

#[test]
fn what_ended_or_was_suspended_and_comes_back_says_so() {
    let base = one(&shop(""));
    let mut engine = applied(&[&base]);
    let group = strongroom_vault_model::object::ObjectKey::parse("group", "team.shop.binding.live")
        .unwrap();
    engine.0.remove(&group);
    let changes = [change(&base, &base)];
    let context = super::support::context();
    let mut live = super::support::live(&changes);
    live.insert("prod-eu/shop-prod".into(), Some(uid("prod-eu/shop-prod", 2)));
    let observed = engine.observe(&context, &changes);
    let attest = ["prod-eu/shop-prod".to_owned()];
    let draft =
        build(&context, &changes, &observed, &live, &attest, &std::collections::BTreeSet::new())
            .unwrap();
    assert_eq!(draft.risk, Risk::High);
    has(&draft, "made anew");
    has(&draft, "given back");
}

#[test]
fn what_a_hand_took_out_of_a_group_comes_back_before_people_who_see_it() {
    let base = one(&shop(""));
    let renamed = one(&changed("displayName: Shop", "displayName: Store"));
    let (engine, changes) = (applied(&[&base]), [change(&base, &renamed)]);
    let draft = |group: &str| {
        let mut context = super::support::context();
        context.taken_out = [group.parse().unwrap()].into();
        let observed = engine.observe(&context, &changes);
        let live = super::support::live(&changes);
        build(&context, &changes, &observed, &live, &[], &std::collections::BTreeSet::new())
            .unwrap()
    };
    let told = draft("team.shop.binding.live");
    assert_eq!(told.risk, Risk::High, "a rename does not undo an emergency by the way");
    has(&told, "given back");
    assert!(told.summary.iter().any(|line| line.contains("come back into the group")));
    assert_eq!(draft("team.other.binding.live").risk, Risk::Normal, "another team's group");
}

/// Production is taken off by an owner alone; then its path looks harmless to the applied document.
#[test]
fn small_steps_that_nobody_voted_on_add_up() {
    let voted = one(&shop(""));
    let live_line = |line: &&str| !line.contains("name: live");
    let narrowed = one(&shop("").lines().filter(live_line).collect::<Vec<_>>().join("\n"));
    assert!(assess(Some(&voted), &narrowed, &[]).narrowing);
    let text = shop(&dev_binding("peek", "prod/api", "read"));
    let grab = one(&text.lines().filter(live_line).collect::<Vec<_>>().join("\n"));

    let engine = applied(&[&narrowed]);
    let changes = [change(&narrowed, &grab)];
    let context = super::support::context();
    let observed = engine.observe(&context, &changes);
    let live = super::support::live(&changes);
    let plan_since = |documents: &[&strongroom_domain::document::Document]| {
        let voted = documents.iter().map(|each| (each.subject(), (*each).clone())).collect();
        let nobody = std::collections::BTreeSet::new();
        build_since_vote(&context, &changes, &voted, &observed, &live, &[], &nobody).unwrap()
    };
    assert_eq!(plan_since(&[]).risk, Risk::Low, "the applied document alone shows nothing");
    let draft = plan_since(&[&voted]);
    assert_eq!(draft.risk, Risk::High);
    has(&draft, "which production uses");
    assert_eq!(draft.steps, plan_since(&[]).steps, "only the judgement differs");

    // More narrowing stays an owner's own.
    let changes = [change(&voted, &narrowed)];
    let observed = applied(&[&voted]).observe(&context, &changes);
    let since = [(voted.subject(), voted.clone())].into();
    let owner = super::support::groups(&["shop-leads"]);
    let draft =
        build_since_vote(&context, &changes, &since, &observed, &live, &[], &owner).unwrap();
    assert_eq!((draft.risk, draft.stages.len()), (Risk::Low, 0));
}
