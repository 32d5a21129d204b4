//! Attempts to get round the rules of risk: small steps, other names, another order, labels, and
//! documents that would judge themselves.

use strongroom_domain::document::Document;
use strongroom_domain::document::platform::{Approvals, Platform, Votes};
use strongroom_domain::risk::Risk;
use strongroom_domain::subject::Subject;

use super::support::{
    applied, change, cluster, context, dev_binding, first, groups, judged, live, one, plan, shop,
    told,
};
use crate::risk::{Assessment, assess};
use crate::stages::voted_on;
use crate::{Context, Draft, build, build_since_vote};

/// What the change from one text to another is worth, with its reasons.
fn worth(base: &str, proposed: &str) -> (Risk, String) {
    let draft = judged(base, proposed);
    (draft.risk, told(&draft.reasons).join("\n"))
}

fn is_high(base: &str, proposed: &str, because: &str) {
    let (risk, told) = worth(base, proposed);
    assert_eq!(risk, Risk::High, "{told}");
    assert!(told.contains(because), "{because:?} not in {told}");
}

fn is_low(base: &str, proposed: &str) {
    let (risk, told) = worth(base, proposed);
    assert_eq!(risk, Risk::Low, "{told}");
}

fn with(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from} not in {text}");
    text.replace(from, to)
}

fn without(text: &str, line_with: &str) -> String {
    assert!(text.contains(line_with));
    text.lines().filter(|line| !line.contains(line_with)).collect::<Vec<_>>().join("\n")
}

/// A further binding of the development namespace that ends.
fn ending(name: &str, account: &str, path: &str, until: &str) -> String {
    format!(
        "    - {{ name: {name}, cluster: lab, namespace: shop-dev, serviceAccounts: [{account}], \
         access: [{{ mount: kv, path: {path}, level: read }}], until: {until} }}\n"
    )
}

/// The plan of `proposed` over `applied`, where people last voted on `voted`.
fn since(voted: &str, base: &str, proposed: &str, submitter: &[&str]) -> Draft {
    let (voted, base, proposed) = (one(voted), one(base), one(proposed));
    let changes = [change(&base, &proposed)];
    let observed = applied(&[&base]).observe(&context(), &changes);
    let voted = [(voted.subject(), voted)].into();
    build_since_vote(
        &context(),
        &changes,
        &voted,
        &observed,
        &live(&changes),
        &[],
        &groups(submitter),
    )
    .unwrap()
}

const END: &str = "until: 2027-06-30";

#[test]
fn an_end_moved_day_by_day_is_high_each_day() {
    let days = ["2027-06-30", "2027-07-01", "2027-07-02", "2027-07-03"];
    for pair in days.windows(2) {
        let text = |day| with(&shop(""), END, &format!("until: {day}"));
        is_high(&text(pair[0]), &text(pair[1]), "test ends later");
    }
    // Nearer is an owner's own. Back again is not, although people once voted on a later day.
    let nearer = with(&shop(""), END, "until: 2027-01-01");
    is_low(&shop(""), &nearer);
    let back = with(&shop(""), END, "until: 2027-01-02");
    let draft = since(&shop(""), &nearer, &back, &["shop-leads"]);
    assert_eq!(draft.risk, Risk::High);
    assert!(!draft.stages.is_empty());
}

#[test]
fn an_end_is_not_got_round_by_another_name() {
    let twin = shop(&dev_binding("twin", "dev/x", "read"));
    // A second binding beside the one that ends, without an end or with a later one.
    is_high(&shop(""), &twin, "longer than test, which ends on 2027-06-30");
    is_high(&shop(""), &shop(&ending("twin", "web", "dev/x", "2027-07-01")), "longer than test");
    // Another account of the namespace is the same pods.
    is_high(&shop(""), &shop(&ending("twin", "job", "dev/x", "2028-01-01")), "longer than test");
    // The binding renamed, and the end left out.
    let renamed = with(&shop(""), "name: test,", "name: trial,");
    is_low(&shop(""), &renamed);
    is_high(&shop(""), &with(&renamed, ", until: 2027-06-30", ""), "longer than test");
    // An older binding turned to the path of the one that ends.
    let other = shop(&dev_binding("more", "trial/x", "read"));
    is_high(&other, &with(&other, "trial/x", "dev/x"), "more reaches kv/dev/x longer than test");
    // An end that has come stands too.
    let over = with(&shop(""), END, "until: 2026-11-22");
    is_high(&over, &with(&twin, END, "until: 2026-11-22"), "which ends on 2026-11-22");

    // Not longer, or another path, or what the namespace has for good anyway.
    is_low(&shop(""), &shop(&ending("twin", "web", "dev/x", "2027-06-30")));
    is_low(&shop(""), &shop(&dev_binding("twin", "trial/x", "read")));
    let for_good = shop(&dev_binding("good", "dev/x/*", "read"));
    let third = with(
        &for_good,
        "bindings:\n",
        &format!("bindings:\n{}", dev_binding("third", "dev/x/y", "read")),
    );
    is_low(&for_good, &third);
}

#[test]
fn an_end_of_people_is_not_got_round_by_another_name() {
    let look = |name: &str, until: &str| {
        format!(
            "    - {{ name: {name}, people: {{ group: shop-dev }}, \
             access: [{{ mount: kv, path: dev/x, level: read }}]{until} }}\n"
        )
    };
    let base = shop(&look("look", ", until: 2027-01-01"));
    let both = format!("{base}{}", look("peek", ""));
    is_high(&base, &both, "peek reaches kv/dev/x longer than look, which ends on 2027-01-01");
    // Other people never had an end there.
    let others = with(
        &both,
        "name: peek, people: { group: shop-dev }",
        "name: peek, people: { group: ops }",
    );
    assert_eq!(worth(&base, &others).0, Risk::Normal);
}

#[test]
fn an_end_taken_off_alone_and_the_access_brought_back_adds_up() {
    let gone = without(&shop(""), "name: test,");
    assert!(since(&shop(""), &shop(""), &gone, &["shop-leads"]).stages.is_empty());
    let back = format!("{gone}\n{}", dev_binding("fresh", "dev/*", "read"));
    assert_eq!(worth(&gone, &back).0, Risk::Low, "the applied document alone shows nothing");
    let draft = since(&shop(""), &gone, &back, &["shop-leads"]);
    assert_eq!(draft.risk, Risk::High, "{:?}", draft.reasons);
    assert!(!draft.stages.is_empty());
}

#[test]
fn a_longer_token_is_high_in_every_small_step_and_by_leaving_it_out() {
    let dev = |ttl: &str| {
        with(
            &shop(""),
            "environment: development, tokenTtl: 20m",
            &format!("environment: development{ttl}"),
        )
    };
    for pair in [", tokenTtl: 20m", ", tokenTtl: 21m", ", tokenTtl: 22m"].windows(2) {
        is_high(
            &dev(pair[0]),
            &dev(pair[1]),
            "tokens of the namespace shop-dev of lab live longer",
        );
    }
    // Leaving it out means 20 minutes.
    is_high(&dev(", tokenTtl: 10m"), &dev(""), "live longer");
    // Shorter alone, then back to what people voted on.
    is_low(&shop(""), &dev(", tokenTtl: 10m"));
    let draft = since(&shop(""), &dev(", tokenTtl: 10m"), &shop(""), &["shop-leads"]);
    assert_eq!(draft.risk, Risk::High);
    // Hidden behind a narrowing.
    let both = with(&dev(", tokenTtl: 21m"), "[web, worker]", "[web]");
    is_high(&shop(""), &both, "live longer");
}

#[test]
fn a_binding_moved_to_another_namespace_is_judged_there() {
    let home = with(
        &shop(""),
        "  bindings:",
        "    - { cluster: lab, name: shop-test, environment: development }\n  bindings:",
    );
    let at = "name: test, cluster: lab, namespace: shop-dev";
    // Into another namespace of the team outside production, and nothing longer.
    is_low(&home, &with(&home, at, "name: test, cluster: lab, namespace: shop-test"));
    is_high(
        &home,
        &with(&home, at, "name: test, cluster: prod-eu, namespace: shop-prod"),
        "reaches kv/dev/* from production",
    );
    // Into one that this very request claims.
    is_high(
        &shop(""),
        &with(&home, at, "name: test, cluster: lab, namespace: shop-test"),
        "first claim on the namespace shop-test of lab",
    );
    // Out of production: its path stays what it was.
    is_high(
        &shop(""),
        &with(
            &shop(""),
            "name: live, cluster: prod-eu, namespace: shop-prod",
            "name: live, cluster: lab, namespace: shop-dev",
        ),
        "which production uses",
    );
    // The same name on another cluster is another namespace.
    is_high(
        &shop(""),
        &with(&shop(""), "cluster: lab", "cluster: prod-eu"),
        "first claim on the namespace shop-dev of prod-eu",
    );
}

#[test]
fn an_environment_lowered_and_its_path_used_is_told_as_what_it_is() {
    let calmer = with(&shop(""), "environment: production", "environment: development");
    is_high(
        &shop(""),
        &calmer,
        "changes from production to development; kv/prod/* then no longer counts as production",
    );
    // Used in the same request.
    let used = with(
        &shop(&dev_binding("peek", "prod/x", "read")),
        "environment: production",
        "environment: development",
    );
    is_high(&shop(""), &used, "peek reaches kv/prod/x, which production uses");
    // By way of staging, and by giving the claim up and taking it again.
    let staging = with(&shop(""), "environment: production", "environment: staging");
    is_high(&shop(""), &staging, "no longer counts as production");
    is_high(&staging, &calmer, "changes from staging to development");
    let given_up = without(&without(&shop(""), "name: shop-prod"), "name: live");
    is_high(&shop(""), &given_up, "given up; kv/prod/* then no longer counts as production");
    is_high(&given_up, &calmer, "first claim on the namespace shop-prod of prod-eu");
    // Another production binding on the path: it counts as before, and nothing else is said.
    let two = shop(
        "    - { name: live2, cluster: prod-eu, namespace: shop-prod, serviceAccounts: [web], access: [{ mount: kv, path: prod/*, level: list }] }\n",
    );
    let told = worth(&two, &without(&two, "name: live2")).1;
    assert!(!told.contains("no longer counts"), "{told}");
}

#[test]
fn whoever_votes_after_a_narrowing_is_told_what_it_made_of_production() {
    let gone = without(&shop(""), "name: live,");
    let (risk, alone) = worth(&shop(""), &gone);
    assert_eq!(risk, Risk::Low);
    assert!(alone.contains("live is taken off; kv/prod/* then no longer counts as production"));
    // A harmless change afterwards, to have some vote in between, shows it to who votes.
    let named = with(&gone, "displayName: Shop", "displayName: The shop");
    let told = told(&since(&shop(""), &gone, &named, &["shop-leads"]).reasons).join("\n");
    assert!(told.contains("low: live is taken off; kv/prod/*"), "{told}");
    assert!(!told.contains("only takes access away"), "{told}");
}

#[test]
fn production_that_comes_to_a_path_tells_who_is_there_already() {
    let base = shop(&dev_binding("more", "shared/*", "read"));
    let more = with(
        &base,
        "path: prod/*, level: read }",
        "path: prod/*, level: read }, { mount: kv, path: shared/x, level: read }",
    );
    is_high(&base, &more, "more reaches kv/shared/*, which production begins to use");
    // So does a namespace that becomes production.
    let raised = with(&base, "environment: development", "environment: staging");
    assert!(!worth(&base, &raised).1.contains("begins to use"));
    let people = "    - { name: look, people: { group: shop-dev }, access: [{ mount: kv, path: dev/x, level: read }], until: 2027-01-01 }\n";
    let raised = with(&shop(people), "environment: development", "environment: production");
    is_high(&shop(people), &raised, "look reaches kv/dev/x, which production begins to use");
}

#[test]
fn a_whole_mount_in_two_halves_is_a_whole_mount_twice() {
    let all = |name: &str, account: &str, level: &str| {
        format!(
            "    - {{ name: {name}, cluster: lab, namespace: shop-dev, serviceAccounts: [{account}], access: [{{ mount: spare, path: '*', level: {level} }}] }}\n"
        )
    };
    let names = shop(&all("all", "web", "list"));
    is_high(&shop(""), &names, "all reaches the whole mount spare");
    // Names first, values later; one account first, another later; another name for the same.
    is_high(&names, &shop(&all("all", "web", "read")), "reaches the whole mount spare");
    is_high(&names, &shop(&all("all", "'web', 'job'", "list")), "reaches the whole mount spare");
    is_high(&names, &shop(&all("every", "web", "list")), "every reaches the whole mount spare");
    // Less than what is there is nothing new.
    is_low(&names, &with(&names, "'*', level: list", "a/*, level: list"));
}

#[test]
fn a_mount_that_was_taken_off_does_not_come_back_as_a_new_one() {
    let base = one(&shop(""));
    let off = one(&without(&shop(""), "name: spare"));
    let mut engine = applied(&[&base]);
    let draft = plan(&engine, &[change(&base, &off)]).unwrap();
    assert_eq!(draft.risk, Risk::Critical);
    engine.apply_all(&draft.steps);
    let draft = plan(&engine, &[change(&off, &base)]).unwrap();
    let told = told(&draft.reasons).join("\n");
    assert_eq!(draft.risk, Risk::High, "{told}");
    assert!(
        told.contains("team/shop/spare comes back with the data that was kept in it"),
        "{told}"
    );
    // One that was never there does not.
    let draft = plan(&applied(&[&off]), &[change(&off, &base)]).unwrap();
    assert_eq!(draft.risk, Risk::Normal);
}

#[test]
fn versions_are_not_trimmed_by_leaving_the_number_out() {
    // Left out means ten.
    let many = with(&shop(""), "maxVersions: 10", "maxVersions: 50");
    let draft = judged(&many, &with(&shop(""), ", maxVersions: 10", ""));
    assert_eq!(draft.risk, Risk::Critical);
}

#[test]
fn labels_and_selectors_have_no_place_in_a_document() {
    for (at, field) in [
        ("metadata: { name: shop", ", labels: { environment: development }"),
        ("metadata: { name: shop", ", annotations: { owner: shop }"),
        ("name: shop-prod, environment: production", ", labels: { team: shop }"),
        ("name: shop-prod, environment: production", ", uid: 8a5f"),
        ("name: live, cluster: prod-eu", ", namespaceSelector: { matchLabels: {} }"),
        ("name: live, cluster: prod-eu", ", risk: low"),
        ("name: live, cluster: prod-eu", ", environment: development"),
    ] {
        let text = with(&shop(""), at, &format!("{at}{field}"));
        assert!(Document::from_yaml(&text).is_err(), "{field} was taken");
    }
    // An environment is one of three words, and the claim has to say it.
    for (from, to) in [
        ("environment: production, ", ""),
        ("environment: production", "environment: Production"),
        ("environment: production", "environment: prod"),
    ] {
        assert!(Document::from_yaml(&with(&shop(""), from, to)).is_err(), "{to} was taken");
    }
}

fn platform(votes: Votes) -> Platform {
    let approvals = Approvals { low: votes, normal: votes, high: votes, critical: votes };
    Platform { approvals, ..Platform::default() }
}

#[test]
fn rules_and_voters_that_a_request_brings_do_not_judge_it() {
    let base = one(&shop(""));
    let proposed = one(&with(&shop(""), "[web, worker]", "[web, cron]"));
    let rules = Document::Platform(Box::new(platform(Votes { owners: 1, platform: 0 })));
    let engine = applied(&[&base]);
    let changes = [change(&base, &proposed), first(&rules)];
    let observed = engine.observe(&context(), &changes);
    let owner = groups(&["shop-leads"]);
    let of = |changes: &[crate::Change]| {
        build(&context(), changes, &observed, &live(changes), &[], &owner).unwrap().stages
    };
    let together = of(&changes);
    assert_eq!(together.len(), 1);
    assert_eq!((together[0].name.as_str(), together[0].votes), ("platform", 2));

    // Owners whom the document names vote from the next request on.
    let own = with(&shop(""), "owners: [{ group: shop-leads }]", "owners: [{ group: friends }]");
    let own = [change(&base, &one(&own))];
    let observed = engine.observe(&context(), &own);
    let stages =
        build(&context(), &own, &observed, &live(&own), &[], &groups(&["friends"])).unwrap().stages;
    assert!(stages.iter().all(|stage| !stage.groups.contains("friends")), "{stages:?}");
    assert_eq!(stages.len(), 2);
    // And it is so although the submitter is in the platform group as well.
    let stages = build(&context(), &own, &observed, &live(&own), &[], &groups(&["platform-sre"]))
        .unwrap()
        .stages;
    assert_eq!(stages.iter().map(|stage| stage.votes).sum::<u32>(), 2);
}

#[test]
fn removing_ones_own_grant_is_low_and_whoever_asks_for_it_decides_who_else_must() {
    let base = shop(
        "    - { name: look, people: { group: shop-dev }, access: [{ mount: kv, path: prod/x, level: read }], until: 2027-01-01 }\n",
    );
    for gone in ["name: look,", "name: live,", "name: test,"] {
        let proposed = without(&base, gone);
        for (submitter, asked) in
            [(["shop-leads"], 0), (["shop-dev"], 1), (["mart-leads"], 1), (["platform-sre"], 1)]
        {
            let draft = since(&base, &base, &proposed, &submitter);
            assert_eq!(draft.risk, Risk::Low);
            assert_eq!(draft.stages.len(), asked, "{gone} by {submitter:?}");
        }
    }
}

#[test]
fn nothing_low_goes_through_without_somebody_whose_groups_allow_it() {
    let context = Context { platform: platform(Votes { owners: 0, platform: 0 }), ..context() };
    let changes = [change(&one(&shop("")), &one(&shop(&dev_binding("more", "trial/x", "read"))))];
    let observed = applied(&[&one(&shop(""))]).observe(&context, &changes);
    for (submitter, asked) in [("shop-leads", 0), ("shop-dev", 1), ("platform-sre", 1)] {
        let draft =
            build(&context, &changes, &observed, &live(&changes), &[], &groups(&[submitter]));
        let draft = draft.unwrap();
        assert_eq!((draft.risk, draft.stages.len()), (Risk::Low, asked), "{submitter}");
    }
    // `normal` never goes on an owner's own submission.
    let named =
        [change(&one(&shop("")), &one(&with(&shop(""), "displayName: Shop", "displayName: S")))];
    let draft = build(&context, &named, &observed, &live(&named), &[], &groups(&["shop-leads"]));
    assert_eq!(draft.unwrap().stages.len(), 1);
    // A document can say so for `low` and for nothing else.
    let text = |risk: &str| {
        format!(
            "apiVersion: strongroom.dev/v1\nkind: Platform\nmetadata: {{ name: platform }}\nspec:\n  \
             approvals: {{ {risk}: {{ owners: 0, platform: 0 }} }}\n"
        )
    };
    assert!(Document::from_yaml(&text("low")).is_ok());
    for risk in ["normal", "high", "critical"] {
        assert!(Document::from_yaml(&text(risk)).is_err(), "{risk}");
    }
}

#[test]
fn a_vote_of_another_teams_owners_says_nothing_about_a_document() {
    let owner = ["shop-leads"];
    let stages = |proposed: &str| {
        let other = |text: &str| text.replace("shop", "mart");
        let shop_change = change(&one(&shop("")), &one(proposed));
        let mart = with(&shop(""), "displayName: Shop", "displayName: Mart");
        let mart_change = change(&one(&other(&shop(""))), &one(&other(&mart)));
        let changes = [shop_change, mart_change];
        let engine = applied(&[&one(&shop("")), &one(&other(&shop("")))]);
        let observed = engine.observe(&context(), &changes);
        build(&context(), &changes, &observed, &live(&changes), &[], &groups(&owner))
            .unwrap()
            .stages
    };
    let subject = |team: &str| Subject::Team(team.parse().unwrap());
    // The shop's owner narrows alone; only the mart is voted on.
    let narrowing = stages(&without(&shop(""), "name: live,"));
    assert!(!voted_on(&narrowing, &subject("shop")) && voted_on(&narrowing, &subject("mart")));
    // The platform looks at the whole plan.
    let with_platform = stages(&with(&shop(""), "[web, worker]", "[web, cron]"));
    assert!(voted_on(&with_platform, &subject("shop")));
    assert!(voted_on(&with_platform, &Subject::Platform));
    assert!(!voted_on(&[], &subject("shop")));
}

#[test]
fn a_namespace_made_anew_concerns_the_team_that_claims_it() {
    let attest = ["lab/shop-dev".to_owned()];
    let narrowed = one(&with(&shop(""), "[web, worker]", "[web]"));
    let judge = |base: &str, proposed: &Document| -> Assessment {
        assess(Some(&one(base)), proposed, &attest)
    };
    assert_eq!(judge(&shop(""), &narrowed).risk, Risk::High);
    let other = |text: &str| text.replace("shop", "mart");
    let mart = one(&other(&with(&shop(""), "[web, worker]", "[web]")));
    assert!(judge(&other(&shop("")), &mart).narrowing);
    assert_eq!(assess(None, &cluster("lab"), &attest).reasons.len(), 1);
}

/// Splitting one change into any two requests never makes both cheaper than the whole, where nobody
/// voted in between.
#[test]
fn halves_cost_what_the_whole_costs() {
    let whole = [
        dev_binding("more", "prod/x", "read"),
        dev_binding("more", "dev/y", "read"),
        dev_binding("more", "trial/y", "write"),
    ];
    for lines in whole {
        let proposed = shop(&lines);
        let (risk, _) = worth(&shop(""), &proposed);
        for taken_off in ["name: live,", "name: test,"] {
            let half = without(&shop(""), taken_off);
            let rest = without(&proposed, taken_off);
            let draft = since(&shop(""), &half, &rest, &["shop-leads"]);
            assert!(draft.risk >= risk, "{lines} after {taken_off}: {:?}", draft.reasons);
        }
    }
}
