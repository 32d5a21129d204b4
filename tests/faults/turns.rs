//! Long looks take turns: while everything is looked at, whoever signs something does not wait, and
//! what is written meanwhile is taken for nobody else's doing.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};
use strongroom_engine::Session;

use crate::drift::put;
use crate::follow::applied;
use crate::private::{Executor, PrivateLab};
use crate::proxy::{Fault, Proxy, To};
use crate::support::{Lab, Team, document};

/// Enough that the look takes longer than what goes on meanwhile.
const TEAMS: usize = 9;

async fn onboard_many(lab: &Lab) -> Vec<Team> {
    let mut teams = Vec::new();
    for number in 0..TEAMS {
        let mut team = lab.new_team(&format!("turn-{number:02}")).await;
        team.file = lab.write("one.yaml", &document(&team.slug, false));
        lab.onboard(&team).await;
        teams.push(team);
    }
    teams
}

async fn until_said(private: &PrivateLab, what: &str, times: usize) {
    let start = Instant::now();
    while private.log("turns").matches(what).count() < times {
        assert!(start.elapsed() < Duration::from_mins(2), "it never says {what:?} {times} times");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A proxy and an executor that uses it, before anybody signs in: people are told where the engine is.
async fn before_the_engine(private: &PrivateLab) -> (Proxy, Executor) {
    let lab = &private.lab;
    let proxy = Proxy::before(lab.text("/engine/address"), lab.text("/engine/ca_pem"));
    let config = proxy.configure(private.dir());
    let executor = private.executor("turns", Some(&config), &[]);
    until_said(private, "swept", 1).await;
    (proxy, executor)
}

#[tokio::test]
async fn while_everything_is_looked_at_nobody_waits() {
    let private = PrivateLab::start().await;
    let lab = &private.lab;
    private.executor_end(Signal::TERM).await;
    let (proxy, _executor) = before_the_engine(&private).await;
    let teams = onboard_many(lab).await;
    let (first, last) = (&teams[0], &teams[TEAMS - 1]);
    let path = |team: &Team| format!("team/{}/kv/data/prod/api/db", team.slug);
    let live = lab.workload(&last.slug, "api").await;
    live.reads_soon(&path(last)).await;

    // Each call takes long now, and nobody can tell what somebody touched.
    let swept = private.log("turns").matches("\"swept\"").count();
    let begun = private.log("turns").matches("looks at everything").count();
    proxy.set(Fault::Slow(Duration::from_millis(300)), To::All);
    let admin = lab.admin().await;
    put(
        &admin,
        "sys/policies/password/turns",
        json!({ "policy": "length = 20\nrule \"charset\" { charset = \"abc\" }" }),
    )
    .await;
    let start = Instant::now();
    until_said(&private, "looks at everything", begun + 1).await;
    let is_over = || private.log("turns").matches("\"swept\"").count() > swept;

    // The last team's binding, which the look has not come to.
    let target = format!("team/{}/api", last.slug);
    let bob = lab.person("bob").await;
    bob.does(&["suspend", &target, "--reason", "INC-9", "--yes"]).await.unwrap();
    live.refused_soon(&path(last)).await;
    let suspended = start.elapsed();
    assert!(!is_over(), "the suspension waited for the look at everything");

    // The first team, which it has looked at already, gets a binding more.
    let more = lab.write("more.yaml", &document(&first.slug, true));
    let request = bob.submits(&more, "one binding more", &[]).await.unwrap();
    lab.decide(&request, &["sue"]).await;
    let applied = start.elapsed();
    assert!(!is_over(), "the request waited for the look at everything");

    until_said(&private, "\"swept\"", swept + 1).await;
    let took = start.elapsed();
    proxy.clear();
    // And once more, with nothing going on beside it.
    put(
        &admin,
        "sys/policies/password/turns",
        json!({ "policy": "length = 21\nrule \"charset\" { charset = \"abc\" }" }),
    )
    .await;
    until_said(&private, "\"swept\"", swept + 2).await;
    lab.workload(&first.slug, "batch")
        .await
        .reads_soon(&path(first).replace("/api/", "/batch/"))
        .await;
    let out = lab.person("sue").await.does(&["get", "findings", "--all", "-o", "json"]).await;
    let found: Vec<Value> = serde_json::from_str(&out.unwrap()).unwrap();
    let wrong =
        |each: &&Value| ["drift", "foreign", "members"].iter().any(|kind| each["kind"] == *kind);
    let wrong: Vec<&Value> = found.iter().filter(wrong).collect();
    assert!(wrong.is_empty(), "taken for somebody else's doing: {wrong:#?}");
    println!(
        "turns: during a look of {took:?}, suspended after {suspended:?}, applied after {applied:?}; 0 \
         taken for drift"
    );
    private.end().await;
}

/// Waits until so many bindings of a team have their group.
async fn until_groups(admin: &Session, slug: &str, wanted: usize) {
    let (start, list) = (Instant::now(), "identity/group/name");
    loop {
        let names = admin.list(list, list).await.unwrap();
        let ours = format!("team.{slug}.binding.");
        let count = names.iter().filter(|name| name.starts_with(&ours)).count();
        if count == wanted {
            return;
        }
        assert!(start.elapsed() < Duration::from_mins(1), "{count} groups, not {wanted}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// How many bindings the long plan makes, each with a policy and a group.
const BINDINGS: usize = 64;

#[tokio::test]
async fn while_a_long_plan_is_applied_nobody_waits() {
    let private = PrivateLab::start().await;
    let lab = &private.lab;
    private.executor_end(Signal::TERM).await;
    let (proxy, _executor) = before_the_engine(&private).await;
    let (long, other) = (lab.new_team("long").await, lab.new_team("other").await);
    lab.onboard(&long).await;
    lab.onboard(&other).await;
    let path = |account: &str| format!("team/{}/kv/data/prod/{account}/db", other.slug);
    let live = lab.workload(&other.slug, "api").await;
    live.reads_soon(&path("api")).await;
    let batch = lab.workload(&other.slug, "batch").await;
    batch.reads_soon(&path("batch")).await;

    let mut text = document(&long.slug, true);
    for number in 0..BINDINGS {
        let binding = format!(
            "    - name: more-{number}\n      cluster: prod-eu\n      namespace: {}\n      \
             serviceAccounts: [more-{number}]\n      access: [{{ mount: kv, path: \
             prod/more-{number}/*, level: read }}]\n",
            long.slug
        );
        text = text.replace("  limits:", &format!("{binding}  limits:"));
    }
    let file = lab.write("long.yaml", &text);
    let (bob, admin) = (lab.person("bob").await, lab.admin().await);
    let request = bob.submits(&file, "many more", &[]).await.unwrap();
    lab.until(&request, "in_review").await;
    proxy.set(Fault::Slow(Duration::from_millis(500)), To::All);
    lab.person("sue").await.approves(&request).await.unwrap();
    lab.until(&request, "applying").await;
    let start = Instant::now();

    let target = format!("team/{}/api", other.slug);
    bob.does(&["suspend", &target, "--reason", "INC-10", "--yes"]).await.unwrap();
    live.refused_soon(&path("api")).await;
    let suspended = start.elapsed();
    // An account that is made anew loses what the old one had, and gets it as its own.
    let api = lab.kubernetes();
    api.delete_service_account(&other.slug, "batch").await.unwrap();
    api.create_service_account(&other.slug, "batch").await.unwrap();
    batch.refused_soon(&path("batch")).await;
    let replaced = start.elapsed();
    assert_eq!(lab.request(&request).await["state"], "applying", "they waited for the long plan");
    lab.until(&request, "applied").await;
    let took = start.elapsed();
    proxy.clear();
    let again = lab.workload(&other.slug, "batch").await;
    again.reads_soon(&path("batch")).await;

    // All of it held and lifted: the looks in the middle of the plan take nothing of what it gives.
    let whole = format!("team/{}", long.slug);
    bob.does(&["suspend", &whole, "--reason", "INC-12", "--yes"]).await.unwrap();
    until_groups(&admin, &long.slug, 0).await;
    let request = bob.submits(&file, "it is over", &["--lift", &whole]).await.unwrap();
    lab.until(&request, "in_review").await;
    proxy.set(Fault::Slow(Duration::from_millis(150)), To::All);
    lab.person("sue").await.approves(&request).await.unwrap();
    lab.until(&request, "applying").await;
    // Frozen in the middle: nothing more is given before somebody lets it go on.
    let sue = lab.person("sue").await;
    sue.does(&["freeze", "--reason", "INC-13", "--yes"]).await.unwrap();
    let start = Instant::now();
    loop {
        let shown = lab.request(&request).await;
        if shown["stateReason"].as_str().unwrap_or_default().contains("INC-13") {
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(40), "it does not stop: {shown:#}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    proxy.clear();
    let platform = lab.write("platform.json", &applied(lab, "platform").await.to_string());
    let thaw = sue.submits(&platform, "on again", &["--lift", "platform"]).await.unwrap();
    lab.until(&thaw, "in_review").await;
    for name in ["sam", "kim"] {
        lab.person(name).await.run(&["approve", &thaw, "--yes"]).await.unwrap();
    }
    lab.until(&thaw, "applied").await;
    lab.until(&request, "applied").await;
    until_groups(&admin, &long.slug, BINDINGS + 2).await;
    println!(
        "turns: during a plan of {took:?}, suspended after {suspended:?}, a new account after \
         {replaced:?}"
    );
    private.end().await;
}
