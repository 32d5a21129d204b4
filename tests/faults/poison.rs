//! One subject whose records are nonsense stops nobody else.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sqlx::Executor as _;

use crate::private::PrivateLab;
use crate::support::{Lab, Team, document};

async fn edit(lab: &Lab, team: &Team, number: usize) -> String {
    let text = document(&team.slug, true)
        .replace("displayName: Test", &format!("displayName: Name {number}"));
    let file = lab.write(&format!("{}-{number}.yaml", team.slug), &text);
    let request = lab.person("bob").await.submits(&file, "an edit", &[]).await.unwrap();
    lab.until(&request, "in_review").await;
    request
}

#[tokio::test]
async fn rel_09_one_poisoned_subject_stops_nobody_else() {
    let private = PrivateLab::start().await;
    let lab = &private.lab;
    let database = private.database().await;
    let full = std::env::var_os("STRONGROOM_FULL").is_some();
    let poisoned = lab.new_team("poison").await;
    lab.onboard(&poisoned).await;
    let mut others = Vec::new();
    for _ in 0..if full { 20 } else { 2 } {
        let team = lab.new_team("well").await;
        lab.onboard(&team).await;
        others.push(team);
    }
    let slug = poisoned.slug.clone();
    let live = lab.workload(&slug, "api").await;
    let path = format!("team/{slug}/kv/data/prod/api/db");
    live.reads_soon(&path).await;
    edit(lab, &poisoned, 0).await;

    let rows = [
        "UPDATE change_requests SET submission = '\\x7b7d' \
         WHERE state = 'in_review' RETURNING 1",
        "UPDATE plans SET canonical = '\\x00ff' WHERE request_id IN \
         (SELECT request_id FROM change_requests WHERE state = 'in_review') RETURNING 1",
        "UPDATE subject_states SET applied_document = convert_to(repeat('[', 200000), 'UTF8'), \
         pins = '[[]]', holds = '7' WHERE name LIKE 'poison-%' RETURNING 1",
        "UPDATE binding_states SET reason = repeat('x', 3000) \
         WHERE team LIKE 'poison-%' RETURNING 1",
    ];
    let mut taken = 0;
    for row in rows {
        let mut tx = database.begin().await.unwrap();
        tx.execute("SET LOCAL session_replication_role = replica").await.unwrap();
        if tx.fetch_optional(row).await.is_ok_and(|one| one.is_some()) {
            tx.commit().await.unwrap();
            taken += 1;
        }
    }
    assert!(taken >= 2, "the schema refuses most of it");
    // And its head, by somebody with the engine's keys.
    let admin = lab.admin().await;
    let head = format!("strongroom/data/heads/team/{slug}");
    let body = json!({ "data": { "version": 1, "nonsense": "x".repeat(2000) } });
    admin.write(&head, "{head}", &body).await.unwrap();
    // A new executor has to load all that.
    private.executor_end(rustix::process::Signal::TERM).await;
    let mut executor = private.executor("after-poison", None, &[]);

    let start = Instant::now();
    let mut on_time = 0;
    for (number, team) in others.iter().enumerate() {
        let request = edit(lab, team, number + 1).await;
        lab.person("sue").await.approves(&request).await.unwrap();
        lab.until(&request, "applied").await;
        on_time += 1;
    }
    let fresh = lab.new_team("fresh").await;
    lab.onboard(&fresh).await;
    let took = start.elapsed();
    assert!(!executor.is_over(), "the executor ended over one team's rows");

    // The one keeps what it had, and is named.
    assert!(live.read(&path).await.unwrap().is_some(), "a poisoned team lost its access");
    let start = Instant::now();
    loop {
        let sue = lab.person("sue").await;
        let out = sue.does(&["get", "findings", "-o", "json"]).await.unwrap();
        let all: Vec<Value> = serde_json::from_str(&out).unwrap();
        let named = |each: &Value| {
            ["text", "key", "subject"]
                .iter()
                .any(|field| each[field].as_str().is_some_and(|text| text.contains(&slug)))
        };
        if all.iter().any(named) {
            break;
        }
        assert!(
            start.elapsed() < Duration::from_secs(40),
            "the poisoned team is not named: {all:#?}"
        );
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    println!(
        "REL-09: {on_time}/{} others edited and one onboarded in {took:?}; 1 named, its access kept",
        others.len()
    );
    private.end().await;
}
