//! What people make to stand still while a plan is half done stays so, although the plan goes on.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;
use strongroom_lab::Person;

use crate::follow::applied;
use crate::private::{PrivateLab, lease_ends};
use crate::support::document;

/// An executor that dies right before the first step of the next plan: its heads say `applying`.
async fn dies_half_way(private: &PrivateLab, request: &str, voters: &[&Person]) {
    let mut executor = private.executor("half-way", None, &[("STRONGROOM_FAULT", "kill:step")]);
    private.lab.until(request, "in_review").await;
    for voter in voters {
        // It may die before it answers; the act is stored.
        voter.run(&["approve", request, "--yes"]).await.unwrap();
    }
    let start = Instant::now();
    while !executor.is_over() {
        assert!(start.elapsed() < Duration::from_secs(40), "it does not come to a step");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    lease_ends(&private.database().await).await;
    assert_eq!(private.lab.request(request).await["state"], "applying");
}

/// Stores a suspension while nobody is there to answer it.
async fn suspends(private: &PrivateLab, target: &str, reason: &str) {
    let bob = private.lab.person("bob").await;
    let asked = bob.run(&["suspend", target, "--reason", reason, "--yes"]).await.unwrap();
    let told = format!("{}{}", asked.out, asked.err);
    assert!(told.contains("not answered"), "{told}");
}

/// Writes that the engine let through at this path, by its audit log.
fn writes(private: &PrivateLab, path: &str) -> Vec<String> {
    let log = std::fs::read_to_string(private.lab.text("/engine/audit_log")).unwrap();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let operations = lines.filter_map(|line| {
        let request = &line["request"];
        let is_change = ["create", "update"].contains(&request["operation"].as_str()?);
        let ours = line["type"] == "response" && request["path"] == path && is_change;
        ours.then(|| request["operation"].to_string())
    });
    operations.collect()
}

#[tokio::test]
async fn a_hold_that_is_newer_than_the_plan_stands_although_the_plan_goes_on() {
    let private = PrivateLab::start().await;
    let lab = &private.lab;
    let (bob, sue) = (lab.person("bob").await, lab.person("sue").await);
    let team = lab.new_team("meanwhile").await;
    lab.onboard(&team).await;
    let slug = &team.slug;
    let humans = "    - name: humans\n      people: { group: payments-dev }\n      access: [{ mount: kv, path: \
                  prod/api/*, level: read }]\n      until: 2099-01-01\n";
    let text = document(slug, true).replace("  limits:", &format!("{humans}  limits:"));
    let file = lab.write("meanwhile.yaml", &text);
    let group = format!("identity/group/name/team.{slug}.binding.humans");
    let admin = lab.admin().await;
    let there = || async { admin.read(&group, "{group}").await.unwrap().is_some() };
    private.executor_end(Signal::TERM).await;

    // Suspended while the plan that makes the binding is half done: its group is never written.
    let mut executor = private.executor("clean", None, &[]);
    let request = bob.submits(&file, "people may look", &[]).await.unwrap();
    lab.until(&request, "in_review").await;
    executor.end().await;
    dies_half_way(&private, &request, &[&sue]).await;
    let target = format!("team/{slug}");
    suspends(&private, &target, "INC-20").await;
    let mut executor = private.executor("clean", None, &[]);
    lab.until(&request, "applied").await;
    assert_eq!(writes(&private, &group), Vec::<String>::new(), "given while the team is held");
    assert!(!there().await);

    // Suspended anew while the plan that lifts it is half done: the newer hold stands.
    let request = bob.submits(&file, "it is over", &["--lift", &target]).await.unwrap();
    lab.until(&request, "in_review").await;
    executor.end().await;
    dies_half_way(&private, &request, &[&sue]).await;
    suspends(&private, &target, "INC-21").await;
    let mut executor = private.executor("clean", None, &[]);
    lab.until(&request, "applied").await;
    assert_eq!(writes(&private, &group), Vec::<String>::new(), "given while the team is held anew");
    let database = private.database().await;
    let lifted: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM ledger_events WHERE kind = 'hold.lifted' AND subject = $1",
    )
    .bind(&target)
    .fetch_one(&database)
    .await
    .unwrap();
    assert_eq!(lifted, 0, "it says that it lifted what stands");

    // Lifted with nothing in between, it is as the document says.
    let request = bob.submits(&file, "now it is", &["--lift", &target]).await.unwrap();
    lab.until(&request, "in_review").await;
    sue.approves(&request).await.unwrap();
    lab.until(&request, "applied").await;
    assert!(there().await);
    executor.end().await;
    private.end().await;
}

/// Waits until the binding's group is there, or is not.
async fn until_there(private: &PrivateLab, slug: &str, binding: &str, wanted: bool) {
    let admin = private.lab.admin().await;
    let group = format!("identity/group/name/team.{slug}.binding.{binding}");
    let start = Instant::now();
    while admin.read(&group, "{group}").await.unwrap().is_some() != wanted {
        assert!(start.elapsed() < Duration::from_secs(40), "{binding}: not {wanted}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn a_hold_is_not_got_round_by_a_plan_that_is_half_done_and_holds_up_no_other_binding() {
    let private = PrivateLab::start().await;
    let lab = &private.lab;
    let (bob, sue) = (lab.person("bob").await, lab.person("sue").await);
    let team = lab.new_team("renamed").await;
    lab.onboard(&team).await;
    let slug = &team.slug;
    let path = |folder: &str| format!("team/{slug}/kv/data/prod/{folder}/db");
    let live = lab.workload(slug, "api").await;
    live.reads_soon(&path("api")).await;
    private.executor_end(Signal::TERM).await;

    // The plan gives the same account the same path by another name.
    let renamed = document(slug, true).replace("- name: api\n", "- name: api2\n");
    let file = lab.write("renamed.yaml", &renamed);
    let mut executor = private.executor("clean", None, &[]);
    let request = bob.submits(&file, "a better name", &[]).await.unwrap();
    lab.until(&request, "in_review").await;
    executor.end().await;
    dies_half_way(&private, &request, &[&sue]).await;
    suspends(&private, &format!("team/{slug}/api"), "INC-22").await;
    let mut executor = private.executor("clean", None, &[]);
    lab.until(&request, "applied").await;
    live.refused_soon(&path("api")).await;
    let out = bob.does(&["get", "bindings", "--team", slug, "-o", "json"]).await.unwrap();
    let all: Vec<Value> = serde_json::from_str(&out).unwrap();
    let renamed_to = all.iter().find(|each| each["binding"] == "api2").unwrap();
    assert_eq!(renamed_to["state"], "suspended", "{all:#?}");
    until_there(&private, slug, "api2", false).await;

    // An old hold, which its signers knew of, does not stop another binding's plan half way.
    let wider = renamed.replace("path: prod/batch/*", "path: prod/*");
    let file = lab.write("wider.yaml", &wider);
    let request = bob.submits(&file, "batch reads all", &[]).await.unwrap();
    lab.until(&request, "in_review").await;
    executor.end().await;
    dies_half_way(&private, &request, &[&sue]).await;
    let mut executor = private.executor("clean", None, &[]);
    lab.until(&request, "applied").await;
    until_there(&private, slug, "batch", true).await;
    let batch = lab.workload(slug, "batch").await;
    batch.reads_soon(&path("api")).await;
    executor.end().await;
    private.end().await;
}

/// A plan about the platform that is half done under a freeze goes back: the request that thaws is
/// about the platform, too.
#[tokio::test]
async fn a_freeze_in_the_middle_of_a_change_of_the_platform_can_be_lifted() {
    let private = PrivateLab::start().await;
    let lab = &private.lab;
    let (sue, sam, kim) =
        (lab.person("sue").await, lab.person("sam").await, lab.person("kim").await);
    let team = lab.new_team("frozen").await;
    lab.onboard(&team).await;
    let role = format!("auth/k8s/prod-eu/role/{}", team.slug);
    let admin = lab.admin().await;
    let longest =
        || async { admin.read(&role, "{role}").await.unwrap().unwrap()["token_max_ttl"].clone() };
    let before = longest().await;
    private.executor_end(Signal::TERM).await;

    let platform = applied(lab, "platform").await;
    let mut changed = platform.clone();
    changed["spec"]["ceilings"]["tokenTtl"] = "45m".into();
    let changed = lab.write("shorter.json", &changed.to_string());
    let mut executor = private.executor("clean", None, &[]);
    let request = sue.submits(&changed, "shorter tokens", &[]).await.unwrap();
    lab.until(&request, "in_review").await;
    executor.end().await;
    dies_half_way(&private, &request, &[&sam, &kim]).await;
    let asked = sue.run(&["freeze", "--reason", "INC-23", "--yes"]).await.unwrap();
    assert!(format!("{}{}", asked.out, asked.err).contains("not answered"));
    let mut executor = private.executor("clean", None, &[]);
    lab.until(&request, "failed").await;
    let why = lab.request(&request).await["stateReason"].as_str().unwrap().to_owned();
    assert!(why.contains("INC-23") && why.contains("put back"), "{why}");
    assert_eq!(longest().await, before, "a role is as the plan wanted it");

    let platform = lab.write("thaw.json", &platform.to_string());
    let thaw = sue.submits(&platform, "on again", &["--lift", "platform"]).await.unwrap();
    lab.until(&thaw, "in_review").await;
    for person in [&sam, &kim] {
        person.run(&["approve", &thaw, "--yes"]).await.unwrap();
    }
    lab.until(&thaw, "applied").await;
    executor.end().await;
    private.end().await;
}
