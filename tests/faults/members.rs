//! Members put into a binding's group by hand, and taken out of it.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};
use strongroom_engine::Session;

use crate::drift::{put, read, until_found, until_holds};
use crate::private::{Executor, PrivateLab};
use crate::support::Lab;

/// An executor that looks at everything every five seconds and reads no audit log.
async fn sweeping(private: &PrivateLab, name: &str) -> Executor {
    let file = private.other_floor(name, |_| {});
    let mut config: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    config["drift"]["sweep_seconds"] = 5.into();
    config["engine"].as_object_mut().unwrap().remove("audit_file").unwrap();
    std::fs::write(&file, config.to_string()).unwrap();
    let executor = private.executor(name, Some(&file), &[]);
    let start = Instant::now();
    while !private.log(name).contains("swept") {
        assert!(start.elapsed() < Duration::from_mins(1), "it never looks at everything");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // Its own first look at the bindings is over, too.
    tokio::time::sleep(Duration::from_secs(3)).await;
    executor
}

/// Without the audit log, what was put into a group by hand is found when everything is looked at.
#[tokio::test]
async fn aud_07_a_member_put_in_by_hand_is_found_without_the_log() {
    let private = PrivateLab::start().await;
    let lab = &private.lab;
    let team = lab.new_team("unfed").await;
    lab.onboard(&team).await;
    let path = format!("team/{}/kv/data/prod/api/db", team.slug);
    lab.workload(&team.slug, "api").await.reads_soon(&path).await;
    private.executor_end(Signal::TERM).await;
    let _executor = sweeping(&private, "unfed").await;
    let admin = lab.admin().await;
    put(&admin, "identity/entity", json!({ "name": "mallory" })).await;
    let mallory = read(&admin, "identity/entity/name/mallory", "/id").await;
    let group = format!("identity/group/name/team.{}.binding.api", team.slug);
    let members = read(&admin, &group, "/member_entity_ids").await;
    let mut more = members.as_array().unwrap().clone();
    assert_eq!(more.len(), 1);
    more.push(mallory);
    put(&admin, &group, json!({ "member_entity_ids": more })).await;
    let took = until_holds(&admin, &group, "/member_entity_ids", &members).await;
    until_found(lab, &format!("members group team.{}.binding.api", team.slug)).await;
    println!("AUD-07: a member put in by hand is out after {took:?} without the audit log");
    private.end().await;
}

/// Waits until such a finding stands, or stands no more; gives it.
async fn until_told(lab: &Lab, key: &str, stands: bool) -> Option<Value> {
    let start = Instant::now();
    loop {
        let out = lab.person("sue").await.does(&["get", "findings", "-o", "json"]).await.unwrap();
        let all: Vec<Value> = serde_json::from_str(&out).unwrap();
        let found = all.into_iter().find(|each| each["key"] == key);
        if found.is_some() == stands {
            return found;
        }
        assert!(start.elapsed() < Duration::from_secs(30), "{key}: {found:?}");
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
}

/// Nobody comes back into a group for two sweeps.
async fn stays_empty(admin: &Session, group: &str) {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(11) {
        let left = read(admin, group, "/member_entity_ids").await;
        assert!(left.as_array().is_none_or(Vec::is_empty), "put back by itself: {left}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Taken out by hand, perhaps in an emergency: told, and left so until people decide.
#[tokio::test]
async fn aud_07_a_member_taken_out_by_hand_stays_out_until_the_team_changes() {
    let private = PrivateLab::start().await;
    let lab = &private.lab;
    let team = lab.new_team("emptied").await;
    lab.onboard(&team).await;
    let path = format!("team/{}/kv/data/prod/api/db", team.slug);
    lab.workload(&team.slug, "api").await.reads_soon(&path).await;
    private.executor_end(Signal::TERM).await;
    let mut executor = sweeping(&private, "first").await;
    let admin = lab.admin().await;
    let group = format!("identity/group/name/team.{}.binding.api", team.slug);
    let members = read(&admin, &group, "/member_entity_ids").await;
    let key = format!("members-out group team.{}.binding.api", team.slug);
    put(&admin, &group, json!({ "member_entity_ids": [] })).await;
    let told = until_told(lab, &key, true).await.unwrap();
    assert_eq!(told["severity"], "warning", "{told:#}");
    stays_empty(&admin, &group).await;
    // The account says so, and why.
    let shown = lab.person("bob").await;
    let shown = shown.does(&["get", "bindings", "--team", &team.slug]).await.unwrap();
    assert!(shown.contains("taken out of the binding's group by hand"), "{shown}");

    // Somebody else's act about the same team brings nobody back.
    let bob = lab.person("bob").await;
    let other = format!("team/{}/batch", team.slug);
    bob.does(&["suspend", &other, "--reason", "INC-8", "--yes"]).await.unwrap();
    stays_empty(&admin, &group).await;

    // Whoever takes over knows it, too, whatever the database says.
    let database = private.database().await;
    let edited = sqlx::query("UPDATE findings SET resolved_at = now() WHERE kind = 'members-out'");
    assert_eq!(edited.execute(&database).await.unwrap().rows_affected(), 1);
    executor.end().await;
    let _executor = sweeping(&private, "second").await;
    stays_empty(&admin, &group).await;

    // Put back by hand: it is over.
    put(&admin, &group, json!({ "member_entity_ids": members })).await;
    until_told(lab, &key, false).await;

    // And a request with the team's document gives back, before people who see it.
    put(&admin, &group, json!({ "member_entity_ids": [] })).await;
    until_told(lab, &key, true).await;
    let request = bob.submits(&team.file, "it is over", &[]).await.unwrap();
    lab.until(&request, "in_review").await;
    let shown = lab.request(&request).await;
    assert_eq!(shown["risk"], "high", "{shown:#}");
    let plan = bob.does(&["request", "show", &request]).await.unwrap();
    assert!(plan.contains("come back into the group"), "{plan}");
    lab.person("sue").await.approves(&request).await.unwrap();
    lab.until(&request, "applied").await;
    until_holds(&admin, &group, "/member_entity_ids", &members).await;
    until_told(lab, &key, false).await;

    // Nor does an account that is made anew come in.
    put(&admin, &group, json!({ "member_entity_ids": [] })).await;
    until_told(lab, &key, true).await;
    let api = lab.kubernetes();
    api.delete_service_account(&team.slug, "api").await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    api.create_service_account(&team.slug, "api").await.unwrap();
    stays_empty(&admin, &group).await;
    private.end().await;
}
