//! Who must sign: the default table of the design, and the floor under every Platform document.

use std::collections::BTreeSet;

use strongroom_domain::document::Document;
use strongroom_domain::document::platform::{Approvals, Platform, Votes};
use strongroom_domain::request::Stage;
use strongroom_domain::risk::Risk;

use super::engine::Engine;
use super::support::{
    applied, change, cluster, context, dev_binding, first, groups, live, one, shop,
};
use crate::stages::{FloorVotes, PLATFORM_STAGE, Submitter};
use crate::{Change, Context, Refusal, build};

/// `name: votes of groups`, in order.
fn stages_in(context: &Context, changes: &[Change], submitter: &[&str]) -> (Risk, Vec<String>) {
    let mut engine = Engine::default();
    for base in changes.iter().filter_map(|change| change.base.clone()) {
        engine.0.extend(applied(&[&base]).0);
    }
    let observed = engine.observe(context, changes);
    let draft =
        build(context, changes, &observed, &live(changes), &[], &groups(submitter)).unwrap();
    let shown = draft.stages.iter().map(|stage| {
        let groups: Vec<&str> = stage.groups.iter().map(String::as_str).collect();
        format!("{}: {} of {}", stage.name, stage.votes, groups.join(", "))
    });
    (draft.risk, shown.collect())
}

fn stages_of(proposed: &str, submitter: &[&str]) -> (Risk, Vec<String>) {
    let change = change(&one(&shop("")), &one(proposed));
    stages_in(&context(), &[change], submitter)
}

fn replaced(from: &str, to: &str) -> String {
    assert!(shop("").contains(from));
    shop("").replace(from, to)
}

fn narrowed() -> String {
    replaced("serviceAccounts: [web, worker]", "serviceAccounts: [web]")
}

fn high() -> String {
    replaced("serviceAccounts: [web, worker]", "serviceAccounts: [web, cron]")
}

const OWNER: &[&str] = &["shop-leads"];
const EDITOR: &[&str] = &["shop-dev"];
const PLATFORM: &[&str] = &["platform-sre"];
const NOBODY: &[&str] = &[];

const OWNERS_VOTE: &str = "owners of shop: 1 of shop-leads";
const OWNERS_OR_PLATFORM: &str = "owners of shop: 1 of platform-sre, shop-leads";
const PLATFORM_VOTE: &str = "platform: 1 of platform-sre";
const TWO_PLATFORM_VOTES: &str = "platform: 2 of platform-sre";

#[test]
fn the_default_table_of_the_design() {
    let low = shop(&dev_binding("more", "trial/more", "read"));
    let normal = replaced("displayName: Shop", "displayName: The shop");
    let critical = replaced("maxVersions: 10", "maxVersions: 9");
    let table: &[(&str, Risk, &[&str], &[&str])] = &[
        (&narrowed(), Risk::Low, OWNER, &[]),
        (&narrowed(), Risk::Low, EDITOR, &[OWNERS_OR_PLATFORM]),
        (&narrowed(), Risk::Low, PLATFORM, &[OWNERS_OR_PLATFORM]),
        (&narrowed(), Risk::Low, NOBODY, &[OWNERS_OR_PLATFORM]),
        (&low, Risk::Low, OWNER, &[OWNERS_OR_PLATFORM]),
        (&low, Risk::Low, EDITOR, &[OWNERS_OR_PLATFORM]),
        (&normal, Risk::Normal, OWNER, &[OWNERS_OR_PLATFORM]),
        (&normal, Risk::Normal, EDITOR, &[OWNERS_OR_PLATFORM]),
        (&high(), Risk::High, OWNER, &[PLATFORM_VOTE]),
        (&high(), Risk::High, EDITOR, &[OWNERS_VOTE, PLATFORM_VOTE]),
        (&high(), Risk::High, PLATFORM, &[OWNERS_VOTE, PLATFORM_VOTE]),
        (&critical, Risk::Critical, OWNER, &[TWO_PLATFORM_VOTES]),
        (&critical, Risk::Critical, EDITOR, &[TWO_PLATFORM_VOTES]),
    ];
    for (proposed, risk, submitter, wanted) in table {
        let (found, stages) = stages_of(proposed, submitter);
        assert_eq!(found, *risk);
        assert_eq!(stages, *wanted, "{risk} by {submitter:?}");
    }
}

/// Nobody signed what a machine submits: it fills no stage, and one platform member more has to see it,
/// whatever the change is.
#[test]
fn a_machine_counts_as_nobody_and_asks_for_one_vote_more() {
    let low = shop(&dev_binding("more", "trial/more", "read"));
    let normal = replaced("displayName: Shop", "displayName: The shop");
    let critical = replaced("maxVersions: 10", "maxVersions: 9");
    let team = |proposed: &str| change(&one(&shop("")), &one(proposed));
    let changes = [
        team(&narrowed()),
        team(&low),
        team(&normal),
        team(&high()),
        team(&critical),
        first(&one(&shop(""))),
        first(&cluster("lab")),
        first(&Document::Platform(Box::default())),
    ];
    let nothing_waived = Platform {
        approvals: Approvals {
            low: Votes { owners: 0, platform: 0 },
            ..Platform::default().approvals
        },
        ..Platform::default()
    };
    for context in [context(), Context { platform: nothing_waived, ..context() }] {
        for change in changes.clone() {
            let mut engine = Engine::default();
            engine.0.extend(change.base.iter().flat_map(|base| applied(&[base]).0));
            let changes = [change];
            let observed = engine.observe(&context, &changes);
            let of = |submitter: Submitter<'_>| {
                let live = live(&changes);
                build(&context, &changes, &observed, &live, &[], submitter).unwrap().stages
            };
            let nobody = BTreeSet::new();
            let by_nobody = of(Submitter::Person(&nobody));
            let votes = |stages: &[Stage], platform: bool| -> u32 {
                let stages = stages.iter();
                let of = stages.filter(|stage| (stage.name == PLATFORM_STAGE) == platform);
                of.map(|stage| stage.votes).sum()
            };
            let by_machine = of(Submitter::Machine);
            assert_eq!(votes(&by_machine, false), votes(&by_nobody, false));
            assert_eq!(votes(&by_machine, true), votes(&by_nobody, true) + 1);
            // Nor is it ever less than what anybody's own submission would ask for.
            for groups in [OWNER, EDITOR, PLATFORM] {
                let groups = super::support::groups(groups);
                let by_person = of(Submitter::Person(&groups));
                for platform in [false, true] {
                    assert!(votes(&by_machine, platform) >= votes(&by_person, platform));
                }
            }
        }
    }
}

#[test]
fn clusters_and_rules_need_two_of_the_platform() {
    for document in [cluster("lab"), Document::Platform(Box::default())] {
        let (risk, stages) = stages_in(&context(), &[first(&document)], PLATFORM);
        assert_eq!((risk, stages), (Risk::Critical, vec![TWO_PLATFORM_VOTES.to_owned()]));
    }
}

#[test]
fn a_new_team_needs_its_named_owners_and_the_platform() {
    let team = first(&one(&shop("")));
    let (_, stages) = stages_in(&context(), std::slice::from_ref(&team), EDITOR);
    assert_eq!(stages, [OWNERS_VOTE, PLATFORM_VOTE]);
    // Naming oneself owner does not get round the platform.
    let (_, stages) = stages_in(&context(), &[team], OWNER);
    assert_eq!(stages, [PLATFORM_VOTE]);
}

#[test]
fn the_base_says_who_the_owners_are() {
    let taken_over = replaced("owners: [{ group: shop-leads }]", "owners: [{ group: shop-dev }]");
    let (risk, stages) = stages_of(&taken_over, EDITOR);
    assert_eq!((risk, stages), (Risk::High, vec![OWNERS_VOTE.into(), PLATFORM_VOTE.into()]));
}

#[test]
fn owners_and_platform_being_one_group_still_means_two_people() {
    let base = shop("").replace("shop-leads", "platform-sre");
    let proposed = high().replace("shop-leads", "platform-sre");
    let changes = [change(&one(&base), &one(&proposed))];
    let (_, stages) = stages_in(&context(), &changes, EDITOR);
    assert_eq!(stages, ["owners of shop: 1 of platform-sre", PLATFORM_VOTE]);
}

fn rules(votes: Votes) -> Platform {
    let approvals = Approvals { low: votes, normal: votes, high: votes, critical: votes };
    Platform { approvals, ..Platform::default() }
}

fn people(stages: &[String]) -> u32 {
    let votes = |stage: &String| stage.rsplit_once(": ")?.1.split(' ').next()?.parse::<u32>().ok();
    stages.iter().map(|stage| votes(stage).expect("a number of votes")).sum()
}

#[test]
fn no_platform_document_waives_the_floor() {
    let critical = replaced("maxVersions: 10", "maxVersions: 9");
    for owners in 0..=3 {
        for platform in 0..=3 {
            let context = Context { platform: rules(Votes { owners, platform }), ..context() };
            for submitter in [OWNER, EDITOR, PLATFORM, NOBODY] {
                let of = |proposed: &str| {
                    let change = change(&one(&shop("")), &one(proposed));
                    stages_in(&context, &[change], submitter).1
                };
                let stages = of(&high());
                assert!(stages.iter().any(|stage| stage.starts_with("platform: ")), "{stages:?}");
                let stages = of(&critical);
                assert!(people(&stages) >= 2, "{owners}/{platform} {submitter:?}: {stages:?}");
                assert!(stages.iter().any(|stage| stage.starts_with("platform: ")), "{stages:?}");
                for document in [cluster("lab"), Document::Platform(Box::default())] {
                    let (_, stages) = stages_in(&context, &[first(&document)], submitter);
                    assert!(people(&stages) >= 2, "{stages:?}");
                }
                // `low` that is more than narrowing follows the document, down to nobody else than
                // an owner who submitted it.
                let stages = of(&shop(&dev_binding("more", "trial/more", "read")));
                let least = u32::from(submitter != OWNER);
                assert_eq!(people(&stages), (owners + platform).max(least), "{submitter:?}");
            }
        }
    }
}

#[test]
fn a_floor_of_nothing_still_asks_one_other_person_from_high_up() {
    let floor_votes = FloorVotes { high_platform: 0, critical_people: 0 };
    let critical = replaced("maxVersions: 10", "maxVersions: 9");
    for votes in [Votes { owners: 0, platform: 0 }, Votes { owners: 1, platform: 0 }] {
        let context = Context { floor_votes, platform: rules(votes), ..context() };
        for proposed in [high(), critical.clone()] {
            let change = change(&one(&shop("")), &one(&proposed));
            let (_, stages) = stages_in(&context, &[change], OWNER);
            assert_eq!(stages, [PLATFORM_VOTE], "{votes:?}");
        }
        for document in [cluster("lab"), Document::Platform(Box::default())] {
            let (_, stages) = stages_in(&context, &[first(&document)], PLATFORM);
            assert_eq!(stages, [PLATFORM_VOTE], "{votes:?}");
        }
    }
}

#[test]
fn a_platform_document_may_ask_for_more() {
    let votes = Votes { owners: 2, platform: 3 };
    let context = Context { platform: rules(votes), ..context() };
    let change = change(&one(&shop("")), &one(&high()));
    let (_, stages) = stages_in(&context, std::slice::from_ref(&change), EDITOR);
    assert_eq!(stages, ["owners of shop: 2 of shop-leads", "platform: 3 of platform-sre"]);
    let (_, stages) = stages_in(&context, &[change], OWNER);
    assert_eq!(stages, ["owners of shop: 1 of shop-leads", "platform: 3 of platform-sre"]);
}

#[test]
fn a_request_over_two_teams_asks_the_owners_of_each() {
    let other = |text: &str| text.replace("shop", "mart");
    let one_team = change(&one(&shop("")), &one(&high()));
    let narrowing = change(&one(&other(&shop(""))), &one(&other(&narrowed())));
    let (risk, stages) = stages_in(&context(), &[one_team, narrowing], EDITOR);
    assert_eq!(risk, Risk::High);
    assert_eq!(
        stages,
        ["owners of mart: 1 of mart-leads, platform-sre", OWNERS_VOTE, PLATFORM_VOTE]
    );
}

#[test]
fn the_platform_comes_last_and_empty_stages_do_not_come_at_all() {
    let (_, stages) = stages_of(&high(), EDITOR);
    assert!(stages.last().unwrap().starts_with("platform"));
    let (_, stages) = stages_of(&narrowed(), OWNER);
    assert!(stages.is_empty());
}

/// A group that nobody is known to be in is the provider's business; no group at all is a mistake
/// that nobody could ever vote away.
#[test]
fn a_stage_that_nobody_could_ever_fill_is_refused() {
    let nobody = Context { platform_groups: BTreeSet::new(), ..context() };
    let refused = |proposed: &str, context: &Context| {
        let change = change(&one(&shop("")), &one(proposed));
        let observed = applied(&[&one(&shop(""))]).observe(context, std::slice::from_ref(&change));
        let changes = [change];
        build(context, &changes, &observed, &live(&changes), &[], &groups(EDITOR)).err()
    };
    let wanted = vec![Refusal::NobodyCanFill("platform".into())];
    assert_eq!(refused(&high(), &nobody), Some(wanted));
    assert!(Refusal::NobodyCanFill("platform".into()).to_string().contains("ask the platform"));
    // A narrowing asks the platform for nothing, and every stage has a group.
    assert_eq!(refused(&narrowed(), &nobody), None);
    assert_eq!(refused(&high(), &context()), None);
}
