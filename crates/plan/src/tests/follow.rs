//! Roles that follow a Cluster or Platform document.

use serde_json::json;
use strongroom_domain::document::{Document, Platform, Team};

use crate::follow::{Follow, Following};
use crate::tests::support::{PAYMENTS, applied, change, cluster, context, first, one, plan_in};
use crate::{Change, Context};

fn payments() -> Team {
    let Document::Team(team) = one(PAYMENTS) else { unreachable!("it is a team") };
    *team
}

/// A change of the cluster's audience, and the context in which its plan is made.
fn another_audience() -> (Context, Vec<Change>) {
    let Document::Cluster(mut proposed) = cluster("prod-eu") else { unreachable!("a cluster") };
    proposed.audience = "vault".into();
    let mut context = context();
    context.clusters.insert(proposed.name.clone(), (*proposed).clone());
    (context, vec![change(&cluster("prod-eu"), &Document::Cluster(proposed))])
}

fn another_ceiling(text: &str) -> Vec<Change> {
    let platform = Platform { token_ttl_ceiling: text.parse().unwrap(), ..Platform::default() };
    vec![first(&Document::Platform(Box::new(platform)))]
}

fn follow(context: &Context, changes: &[Change], team: &Team) -> Vec<Following> {
    Follow::of(context, changes).map(|follow| follow.roles(team)).unwrap_or_default()
}

#[test]
fn every_role_on_the_cluster_gets_its_audience() {
    let (context, changes) = another_audience();
    let roles = follow(&context, &changes, &payments());
    assert!(!roles.is_empty());
    for role in &roles {
        assert_eq!(role.after["audience"], "vault");
        let mut found = role.after.clone();
        assert!(!role.is_ours(&found), "it is there already");
        found.insert("audience".into(), json!("strongroom"));
        assert!(role.is_ours(&found));
        found.insert("audience".into(), json!("another"));
        assert!(!role.is_ours(&found), "a hand changed it: the look for drift judges");
    }
}

#[test]
fn the_ceiling_goes_into_every_role_and_no_higher_than_the_floor() {
    for (text, seconds) in [("30m", 1800), ("2h", 7200), ("23h", 82_800)] {
        let roles = follow(&context(), &another_ceiling(text), &payments());
        assert!(!roles.is_empty());
        for role in &roles {
            assert_eq!(role.after["token_max_ttl"], seconds, "{text}");
        }
    }
    let low = Context { floor_token_ttl: 3600, ..context() };
    assert!(follow(&low, &another_ceiling("23h"), &payments()).is_empty());
}

#[test]
fn nothing_follows_where_nothing_changes_or_the_team_is_off() {
    let same = [change(&cluster("prod-eu"), &cluster("prod-eu"))];
    assert!(Follow::of(&context(), &same).is_none());
    let new = [first(&cluster("lab"))];
    assert!(Follow::of(&context(), &new).is_none());
    assert!(follow(&context(), &another_ceiling("1h"), &payments()).is_empty());
    let (context, changes) = another_audience();
    let removed = Team { removed: true, ..payments() };
    assert!(follow(&context, &changes, &removed).is_empty());
}

#[test]
fn people_read_it_before_they_vote() {
    let (context, changes) = another_audience();
    let draft = plan_in(&context, &applied(&[&cluster("prod-eu")]), &changes).unwrap();
    let orders = draft.standing_orders.join("\n");
    assert!(orders.contains("write the audience vault into the role"), "{orders}");
    let summary = draft.summary.join("\n");
    assert!(summary.contains("those made for strongroom are refused"), "{summary}");
}
