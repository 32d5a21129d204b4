//! casbin's traps, the whole matrix, and the same answers as twenty lines of plain code.

use std::collections::BTreeSet;

use casbin::{CoreApi as _, DefaultModel, Enforcer, MemoryAdapter, MgmtApi as _};
use proptest::prelude::*;
use strongroom_domain::name::TeamName;

use crate::rights::{RULES, Resource, Role, Verb};
use crate::subject::{Standing, group};
use crate::{Membership, Snapshot};

fn name(text: &str) -> TeamName {
    TeamName::new(text).unwrap()
}

fn member(group: &str, role: Role, team: &str) -> Membership {
    Membership { group: group.to_owned(), role, team: name(team) }
}

fn groups(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(ToString::to_string).collect()
}

async fn raw(rules: &[[&str; 3]]) -> Enforcer {
    let model = DefaultModel::from_str(
        "[request_definition]\nr = sub, dom, obj, act\n[policy_definition]\np = sub, obj, act\n\
         [role_definition]\ng = _, _, _\n[policy_effect]\ne = some(where (p.eft == allow))\n\
         [matchers]\nm = r.obj == p.obj && r.act == p.act && g(r.sub, p.sub, r.dom)\n",
    );
    let mut enforcer = Enforcer::new(model.await.unwrap(), MemoryAdapter::default()).await.unwrap();
    let rules: Vec<Vec<String>> =
        rules.iter().map(|rule| rule.map(str::to_owned).to_vec()).collect();
    if !rules.is_empty() {
        enforcer.add_policies(rules).await.unwrap();
    }
    enforcer
}

/// Without a rule casbin lets empty fields through. Our fields are words of the table, and a table
/// without rules does not start.
#[tokio::test]
async fn an_empty_policy_allows_nothing_of_ours() {
    let empty = raw(&[]).await;
    assert!(empty.enforce(("", "", "", "")).unwrap(), "the trap is gone; this test can go too");
    assert!(!RULES.is_empty());
    for word in Resource::ALL.iter().map(|each| each.as_str()) {
        assert!(!word.is_empty());
    }
    assert!(Verb::ALL.iter().all(|verb| !verb.as_str().is_empty()));
    assert!(RULES.iter().all(|(_, _, verbs)| !verbs.is_empty()));
}

/// A subject that is called like a role has it everywhere. Ours never are, whatever a group is called.
#[tokio::test]
async fn a_group_that_is_called_like_a_role_is_not_that_role() {
    let trap = raw(&[["role:owner", "team-document", "read"]]).await;
    let trapped = trap.enforce(("role:owner", "team:payments", "team-document", "read")).unwrap();
    assert!(trapped, "the trap is gone; this test can go too");
    let snapshot = Snapshot::build([member("leads", Role::Owner, "payments")]).await.unwrap();
    let payments = name("payments");
    let may = |groups: &BTreeSet<String>| {
        let within = Some(&payments);
        snapshot.may(Standing::Person, groups, within, Resource::TeamDocument, Verb::Read)
    };
    for called in ["role:owner", "role:platform", "owner", "standing:platform", "team:payments", ""]
    {
        assert!(!may(&groups(&[called])), "{called:?}");
    }
    assert!(!may(&groups(&[group("leads").as_str()])), "a subject's own spelling");
    assert!(may(&groups(&["leads"])));
}

/// Turned off, casbin allows everything: nobody in this project may turn it off.
#[tokio::test]
async fn nobody_turns_the_enforcer_off() {
    let mut off = raw(&[["role:owner", "team-document", "read"]]).await;
    off.enable_enforce(false);
    assert!(off.enforce(("x", "y", "z", "w")).unwrap(), "the trap is gone; this test can go too");
    let sources = [include_str!("lib.rs"), include_str!("snapshot.rs"), include_str!("rights.rs")];
    assert!(sources.iter().all(|text| !text.contains("enable_enforce")));
    let snapshot = Snapshot::build([]).await.unwrap();
    let nothing = BTreeSet::new();
    assert!(!snapshot.may(Standing::Person, &nothing, None, Resource::Session, Verb::EndAny));
}

/// The wrong number of fields is an error, and an error is a denial.
#[tokio::test]
async fn what_cannot_be_asked_is_denied() {
    let enforcer = raw(&[["role:owner", "team-document", "read"]]).await;
    assert!(enforcer.enforce(("a", "b", "c")).is_err());
}

#[tokio::test]
async fn only_roles_of_teams_are_had_in_a_team() {
    let elsewhere = Standing::ALL.map(Standing::role);
    for role in elsewhere {
        assert!(Snapshot::build([member("g", role, "payments")]).await.is_err(), "{role}");
    }
}

/// A machine is a viewer of its own team, and of no other; and it never signs.
#[tokio::test]
async fn a_machine_sees_its_team_and_signs_nothing() {
    let snapshot = Snapshot::build([member("leads", Role::Owner, "orders")]).await.unwrap();
    let (own, other) = (name("payments"), name("orders"));
    let machines =
        [Standing::Reader, Standing::Proposer, Standing::WideReader, Standing::WideProposer];
    for standing in machines {
        let wide = matches!(standing, Standing::WideReader | Standing::WideProposer);
        let team = (!wide).then_some(&own);
        let may =
            |within, resource, verb| snapshot.machine_may(standing, team, within, resource, verb);
        assert!(may(Some(&own), Resource::TeamDocument, Verb::Read), "{standing:?}");
        assert_eq!(may(Some(&other), Resource::TeamDocument, Verb::Read), wide, "{standing:?}");
        assert_eq!(may(None, Resource::TeamDocument, Verb::Read), wide, "{standing:?}");
        let proposes = matches!(standing, Standing::Proposer | Standing::WideProposer);
        assert_eq!(may(None, Resource::Request, Verb::Submit), proposes, "{standing:?}");
        for within in [None, Some(&own), Some(&other)] {
            for (resource, verb) in [
                (Resource::Request, Verb::Act),
                (Resource::Suspension, Verb::Submit),
                (Resource::Machine, Verb::Create),
                (Resource::Machine, Verb::End),
                (Resource::Session, Verb::List),
                (Resource::Session, Verb::End),
            ] {
                assert!(!may(within, resource, verb), "{standing:?} {within:?} {resource} {verb}");
            }
        }
    }
}

/// Everything that each role may do, to be read line by line by whoever changes it.
#[tokio::test]
async fn the_whole_matrix() {
    let mut lines = Vec::new();
    for resource in Resource::ALL {
        for verb in Verb::ALL {
            let mut who = Vec::new();
            for role in Role::ALL {
                if may_as(*role, *resource, *verb).await {
                    who.push(role.as_str().trim_start_matches("role:"));
                }
            }
            if !who.is_empty() {
                lines.push(format!(
                    "{:<18} {:<9} {}",
                    resource.as_str(),
                    verb.as_str(),
                    who.join(" ")
                ));
            }
        }
    }
    insta::assert_snapshot!(lines.join("\n"));
}

/// Whether somebody with just this role may, asked of casbin.
async fn may_as(role: Role, resource: Resource, verb: Verb) -> bool {
    let payments = name("payments");
    let everywhere = Standing::ALL.into_iter().find(|standing| standing.role() == role);
    // A machine of a team as it is in that team.
    if let Some(machine @ (Standing::Reader | Standing::Proposer)) = everywhere {
        let snapshot = Snapshot::build([]).await.unwrap();
        let own = Some(&payments);
        return snapshot.machine_may(machine, own, own, resource, verb);
    }
    let (standing, members) = if let Some(standing) = everywhere {
        (standing, Vec::new())
    } else {
        // What a person may anyway is not the role's.
        let snapshot = Snapshot::build([]).await.unwrap();
        if snapshot.may(Standing::Person, &BTreeSet::new(), None, resource, verb) {
            return false;
        }
        (Standing::Person, vec![member("g", role, "payments")])
    };
    let snapshot = Snapshot::build(members).await.unwrap();
    snapshot.may(standing, &groups(&["g"]), Some(&payments), resource, verb)
}

/// The same in plain code.
fn reference(
    members: &[Membership],
    standing: Standing,
    groups: &BTreeSet<String>,
    within: Option<&TeamName>,
    resource: Resource,
    verb: Verb,
) -> bool {
    let gives = |role: Role| {
        RULES
            .iter()
            .any(|(of, thing, verbs)| *of == role && *thing == resource && verbs.contains(&verb))
    };
    gives(standing.role())
        || members.iter().any(|member| {
            groups.contains(&member.group) && Some(&member.team) == within && gives(member.role)
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn casbin_answers_like_plain_code(
        members in proptest::collection::vec((0..6_usize, 0..3_usize, 0..4_usize), 0..12),
        mine in proptest::collection::btree_set(0..6_usize, 0..4),
        standing in 0..Standing::ALL.len(),
        within in proptest::option::of(0..4_usize),
    ) {
        let called = ["leads", "dev", "role:owner", "standing:platform", "group:dev", "*"];
        let teams = ["payments", "orders", "role", "team"];
        let roles = [Role::Owner, Role::Editor, Role::Viewer];
        let members: Vec<Membership> = members
            .into_iter()
            .map(|(group, role, team)| member(called[group], roles[role], &format!("{}-x", teams[team])))
            .collect();
        let mine: BTreeSet<String> = mine.into_iter().map(|each| called[each].to_owned()).collect();
        let within = within.map(|each| name(&format!("{}-x", teams[each])));
        let standing = Standing::ALL[standing];
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let snapshot = runtime.block_on(Snapshot::build(members.clone())).unwrap();
        for resource in Resource::ALL {
            for verb in Verb::ALL {
                let asked = snapshot.may(standing, &mine, within.as_ref(), *resource, *verb);
                let wanted =
                    reference(&members, standing, &mine, within.as_ref(), *resource, *verb);
                prop_assert_eq!(asked, wanted, "{:?} {} {}", standing, resource, verb);
            }
        }
    }
}
