//! Several executors on one database: one writes at a time, and an older epoch never lands last.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;
use sqlx::postgres::PgPool;

use crate::private::{Executor, PrivateLab};
use crate::support::{Lab, document};

/// The process that holds the lease, and its epoch.
async fn holder(database: &PgPool) -> (u32, i64) {
    let (holder, epoch): (String, i64) =
        sqlx::query_as("SELECT holder, epoch FROM leases ORDER BY expires_at DESC LIMIT 1")
            .fetch_one(database)
            .await
            .unwrap();
    (holder.split('-').next().unwrap().parse().unwrap(), epoch)
}

async fn until_held_by_another(database: &PgPool, than: u32) -> Duration {
    let start = Instant::now();
    while holder(database).await.0 == than {
        assert!(start.elapsed() < Duration::from_mins(1), "nobody takes the lease over");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    start.elapsed()
}

fn find(executors: &mut [Executor], id: u32) -> Option<&mut Executor> {
    executors
        .iter_mut()
        .find_map(|executor| (!executor.is_over() && executor.id() == id).then_some(executor))
}

#[tokio::test]
async fn rel_04_replicas_take_turns_and_an_older_epoch_never_lands_last() {
    let private = PrivateLab::start().await;
    let lab = &private.lab;
    let database = private.database().await;
    let team = lab.new_team("race").await;
    lab.onboard(&team).await;
    let mut executors: Vec<Executor> =
        (1..=3).map(|n| private.executor(&format!("replica-{n}"), None, &[])).collect();
    private.executor_end(Signal::TERM).await;

    let (bob, sue) = (lab.person("bob").await, lab.person("sue").await);
    let mut handovers = Vec::new();
    let mut last = String::new();
    for number in 0..6 {
        last = format!("Name {number}");
        let text = document(&team.slug, true)
            .replace("displayName: Test", &format!("displayName: {last}"));
        let text =
            text.replace("requestsPerSecond: 500", &format!("requestsPerSecond: {}", 100 + number));
        let file = lab.write(&format!("edit-{number}.yaml"), &text);
        let request = bob.submits(&file, "an edit", &[]).await.unwrap();
        lab.until(&request, "in_review").await;
        let (id, _) = holder(&database).await;
        let Some(writer) = find(&mut executors, id) else { panic!("{id} is none of ours") };
        match number % 3 {
            // Paused past its lease, in the middle of what it does; then it goes on.
            0 => {
                let arguments = ["approve", &request, "--yes"];
                let vote = sue.run(&arguments);
                let pause = async {
                    tokio::time::sleep(Duration::from_millis(400)).await;
                    writer.signal(Signal::STOP);
                    until_held_by_another(&database, id).await;
                    writer.signal(Signal::CONT);
                };
                let (voted, ()) = tokio::join!(vote, pause);
                let voted = voted.unwrap();
                println!("vote while paused: {} {} {}", voted.code, voted.out, voted.err);
            }
            // Asked to stop: it hands over.
            1 => {
                writer.signal(Signal::TERM);
                handovers.push(until_held_by_another(&database, id).await);
                sue.approves(&request).await.unwrap();
                executors.push(private.executor(&format!("more-{number}"), None, &[]));
            }
            _ => drop(sue.approves(&request).await.unwrap()),
        }
        lab.until(&request, "applied").await;
    }
    // The order of the journal is the order of the writes: epochs only grow in it.
    let falling: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM (SELECT epoch, lag(epoch) OVER (ORDER BY journal_id) AS before \
         FROM journal WHERE phase = 'intent') AS each WHERE epoch < before",
    )
    .fetch_one(&database)
    .await
    .unwrap();
    assert_eq!(falling, 0, "a write of an older epoch came after one of a newer");
    let epochs: i64 = sqlx::query_scalar("SELECT count(DISTINCT epoch) FROM journal")
        .fetch_one(&database)
        .await
        .unwrap();
    assert!(epochs >= 4, "only {epochs} holders ever wrote");
    let twice: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM (SELECT 1 FROM journal WHERE phase = 'receipt' AND step > 0 \
         AND outcome = 'written' GROUP BY plan_hash, step HAVING count(*) > 1) AS each",
    )
    .fetch_one(&database)
    .await
    .unwrap();
    assert_eq!(twice, 0, "a step was written twice");
    // The engine holds what was approved last.
    let admin = lab.admin().await;
    let limit = format!("sys/quotas/rate-limit/team.{}.kv", team.slug);
    let limit = admin.read(&limit, "{limit}").await.unwrap().unwrap();
    assert_eq!(limit["rate"].as_f64(), Some(105.0), "{last}");
    println!(
        "REL-04: 6 edits, {epochs} epochs wrote, 0 out of order, 0 twice; SIGTERM handed over in \
         {handovers:?}"
    );
    for executor in executors {
        executor.kill().await;
    }
    private.end().await;
}

/// How often the engine was asked to write this path, by its audit log.
fn writes(lab: &Lab, path: &str) -> usize {
    let log = std::fs::read_to_string(lab.text("/engine/audit_log")).unwrap();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let is_write = |line: &Value| {
        let asked = &line["request"];
        line["type"] == "request"
            && asked["path"] == path
            && matches!(asked["operation"].as_str(), Some("update" | "create"))
    };
    lines.filter(is_write).count()
}

/// Stopped between its last look at the lease and the write, for longer than the lease: whoever took
/// over wrote, and nothing of the old one lands when it goes on.
#[tokio::test]
async fn rel_04_stopped_right_before_a_write_it_sends_nothing_later() {
    let private = PrivateLab::start().await;
    let lab = &private.lab;
    let database = private.database().await;
    let team = lab.new_team("stopped").await;
    lab.onboard(&team).await;
    private.executor_end(Signal::TERM).await;
    let stopped = private.executor("stopped", None, &[("STRONGROOM_FAULT", "stop:step")]);
    while holder(&database).await.0 != stopped.id() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let next = private.executor("next", None, &[]);
    let text =
        document(&team.slug, true).replace("requestsPerSecond: 500", "requestsPerSecond: 77");
    let file = lab.write("stopped-edit.yaml", &text);
    let (bob, sue) = (lab.person("bob").await, lab.person("sue").await);
    let path = format!("sys/quotas/rate-limit/team.{}.kv", team.slug);
    let before = writes(lab, &path);
    let request = bob.submits(&file, "an edit", &[]).await.unwrap();
    lab.until(&request, "in_review").await;
    sue.run(&["approve", &request, "--yes"]).await.unwrap();
    let start = Instant::now();
    while !private.log("stopped").contains("\"what\":\"stop\"") {
        assert!(start.elapsed() < Duration::from_mins(1), "it never comes to a write");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    until_held_by_another(&database, stopped.id()).await;
    lab.until(&request, "applied").await;
    assert_eq!(holder(&database).await.0, next.id());
    assert_eq!(writes(lab, &path), before + 1, "the successor writes it once");
    stopped.signal(Signal::CONT);
    let start = Instant::now();
    while !private.log("stopped").contains("the lease is lost") {
        assert!(
            start.elapsed() < Duration::from_secs(30),
            "it does not see that it lost the lease"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(writes(lab, &path), before + 1, "an old write landed");
    println!("REL-04: stopped right before a write, past its lease: 0 of 1 landed");
    stopped.kill().await;
    next.kill().await;
    private.end().await;
}
