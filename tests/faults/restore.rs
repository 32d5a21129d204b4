//! The database put back to an older state: nothing is removed, what it forgot is frozen and named.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;
use sqlx::postgres::PgPool;
use sqlx::{AssertSqlSafe, Executor as _};

use crate::private::PrivateLab;
use crate::support::document;

/// All tables but the one of migrations, in no order: triggers and foreign keys are off.
async fn tables(database: &PgPool) -> Vec<String> {
    sqlx::query_scalar(
        "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace \
         AND relkind = 'r' AND relname <> '_sqlx_migrations' ORDER BY 1",
    )
    .fetch_all(database)
    .await
    .unwrap()
}

async fn columns(database: &PgPool, table: &str) -> String {
    let names: Vec<String> = sqlx::query_scalar(
        "SELECT attname::text FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 \
         AND NOT attisdropped ORDER BY attnum",
    )
    .bind(table)
    .fetch_all(database)
    .await
    .unwrap();
    names.join(", ")
}

/// Keeps a copy of everything.
#[expect(clippy::disallowed_methods, reason = "names of tables cannot be parameters")]
async fn keep(database: &PgPool) {
    let mut connection = database.acquire().await.unwrap();
    connection.execute("CREATE SCHEMA kept").await.unwrap();
    for table in tables(database).await {
        let copy = format!("CREATE TABLE kept.{table} AS SELECT * FROM public.{table}");
        connection.execute(AssertSqlSafe(copy)).await.unwrap();
    }
}

/// Puts the copy back while everything runs.
#[expect(clippy::disallowed_methods, reason = "names of tables cannot be parameters")]
async fn put_back(database: &PgPool) {
    let mut connection = database.acquire().await.unwrap();
    connection.execute("BEGIN; SET LOCAL session_replication_role = replica").await.unwrap();
    for table in tables(database).await {
        let names = columns(database, &table).await;
        let back = format!(
            "DELETE FROM public.{table}; INSERT INTO public.{table} ({names}) \
             OVERRIDING SYSTEM VALUE SELECT {names} FROM kept.{table}"
        );
        connection.execute(AssertSqlSafe(back)).await.unwrap();
    }
    connection.execute("COMMIT").await.unwrap();
}

#[tokio::test]
async fn rel_07_an_older_database_removes_nothing_and_is_told() {
    let private = PrivateLab::start().await;
    let lab = &private.lab;
    let database = private.database().await;
    let before = lab.new_team("before").await;
    lab.onboard(&before).await;

    keep(&database).await;
    let count = if std::env::var_os("STRONGROOM_FULL").is_some() { 20 } else { 3 };
    let mut later = Vec::new();
    for _ in 0..count {
        let team = lab.new_team("after").await;
        lab.onboard(&team).await;
        let live = lab.workload(&team.slug, "api").await;
        live.reads_soon(&format!("team/{}/kv/data/prod/api/db", team.slug)).await;
        later.push((team, live));
    }

    // Back to where it was, while everything runs.
    put_back(&database).await;

    // Each that the database forgot is named in an alarm.
    let sue = lab.person("sue").await;
    let start = Instant::now();
    loop {
        let out = sue.does(&["get", "findings", "-o", "json"]).await.unwrap();
        let found: Vec<Value> = serde_json::from_str(&out).unwrap();
        let alarmed = |slug: &str| {
            let subject = format!("team/{slug}");
            found.iter().any(|each| {
                each["kind"] == "records-differ"
                    && each["severity"] == "alarm"
                    && each["subject"] == subject.as_str()
            })
        };
        if later.iter().all(|(team, _)| alarmed(&team.slug)) {
            assert!(!alarmed(&before.slug), "what the database knows is frozen too");
            break;
        }
        assert!(start.elapsed() < Duration::from_mins(1), "not all are told: {found:#?}");
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    // Nothing was taken away.
    for (team, live) in &later {
        let path = format!("team/{}/kv/data/prod/api/db", team.slug);
        assert!(!live.is_refused(&path).await, "{} lost its access", team.slug);
    }
    // Frozen: a change waits for somebody to look; a critical request goes on.
    let (team, _) = &later[0];
    let bob = lab.person("bob").await;
    let file = team.file.display().to_string();
    let plain = bob.run(&["apply", "-f", &file, "--reason", "as is", "--yes"]).await.unwrap();
    assert!(plain.code != 0 || plain.out.contains("no change"), "{} {}", plain.out, plain.err);
    let target = format!("team/{}", team.slug);
    let request = bob.submits(&team.file, "looked at", &["--lift", &target]).await.unwrap();
    lab.until(&request, "in_review").await;
    assert_eq!(lab.request(&request).await["risk"], "critical");
    for name in ["sam", "kim"] {
        lab.person(name).await.approves(&request).await.unwrap();
    }
    lab.until(&request, "applied").await;
    let start = Instant::now();
    loop {
        let out = sue.does(&["get", "findings", "-o", "json"]).await.unwrap();
        if !out.contains(&format!("\"{target}\"")) {
            break;
        }
        assert!(start.elapsed() < Duration::from_mins(1), "still told after it was lifted: {out}");
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    println!("REL-07: {count} onboardings forgotten by the database, all named, 0 removals");
    private.end().await;
}

/// A no, a withdrawal and void votes stand although the database that held them is put back to when
/// the votes for the request were there and still young enough to count.
#[tokio::test]
async fn apr_02b_a_no_stands_although_the_database_forgot_it() {
    let private = PrivateLab::start().await;
    let lab = &private.lab;
    let database = private.database().await;
    let team = lab.new_team("tombstone").await;
    lab.onboard(&team).await;
    let (bob, sue) = (lab.person("bob").await, lab.person("sue").await);
    let mut requests = Vec::new();
    for (number, end) in ["reject", "withdraw"].into_iter().enumerate() {
        let text = document(&team.slug, true)
            .replace("path: prod/batch/*", &format!("path: prod/more-{number}/*"));
        let file = lab.write(&format!("more-{number}.yaml"), &text);
        let request = bob.submits(&file, "more", &[]).await.unwrap();
        lab.until(&request, "in_review").await;
        requests.push((request, end));
    }
    // Both miss one vote only.
    keep(&database).await;
    let cases = [(&requests[0], &sue, "rejected"), (&requests[1], &bob, "withdrawn")];
    for ((request, end), person, state) in cases {
        person.does(&[end, request, "--comment", "no", "--yes"]).await.unwrap();
        lab.until(request, state).await;
    }
    put_back(&database).await;
    let sam = lab.person("sam").await;
    for ((request, _), _, state) in cases {
        let forgotten: String = sqlx::query_scalar(
            "SELECT state FROM kept.change_requests WHERE request_id = $1::uuid",
        )
        .bind(request)
        .fetch_one(&database)
        .await
        .unwrap();
        assert_eq!(forgotten, "in_review", "the copy knows of the end already");
        let printed = sam.run(&["approve", request, "--yes"]).await.unwrap();
        lab.until(request, state).await;
        assert_ne!(printed.code, 0, "the last vote counts: {}", printed.out);
    }
    let admin = lab.admin().await;
    let policy = format!("sys/policies/acl/team.{}.binding.batch", team.slug);
    let policy = admin.read(&policy, "{policy}").await.unwrap().unwrap();
    assert!(!policy["policy"].to_string().contains("more-"), "{policy:#}");
    let events = sue.does(&["get", "events", "--request", &requests[0].0, "-o", "json"]).await;
    assert!(events.unwrap().contains("request.rejected"), "the ledger does not tell it again");
    println!("APR-02b: {} requests that were over stay so in an older database", cases.len());
    private.end().await;
}

/// A plan is half written, the executor is gone, and so is everything that the database knew of the
/// request: the heads alone carry it to its end.
#[tokio::test]
async fn rel_07_a_half_done_plan_goes_on_although_the_database_forgot_it() {
    let private = PrivateLab::start().await;
    let lab = &private.lab;
    let database = private.database().await;
    let team = lab.new_team("half").await;
    let people = (lab.person("alice").await, lab.person("bob").await, lab.person("sue").await);
    keep(&database).await;
    private.executor_end(Signal::TERM).await;
    // In the middle of the steps: some thirty places come after the first head is written.
    let mut half = private.executor("half", None, &[("STRONGROOM_FAULT", "kill:40")]);
    let request = people.0.submits(&team.file, "a team", &[]).await.unwrap();
    lab.until(&request, "in_review").await;
    people.1.approves(&request).await.unwrap();
    let _ = people.2.run(&["approve", &request, "--yes"]).await.unwrap();
    assert!(half.ends_within(Duration::from_mins(1)).await, "it was not broken off");
    let admin = lab.admin().await;
    let head = format!("strongroom/data/heads/team/{}", team.slug);
    let read = async || admin.read(&head, "{head}").await.unwrap().unwrap()["data"].clone();
    let begun = read().await;
    assert!(begun["applied"].is_null() && begun["applying"].is_object(), "{begun:#}");
    put_back(&database).await;

    let _executor = private.executor("after", None, &[]);
    let start = Instant::now();
    loop {
        let now = read().await;
        if now["applying"].is_null() {
            assert_eq!(now["applied"]["request"], request.as_str(), "{now:#}");
            break;
        }
        assert!(start.elapsed() < Duration::from_mins(1), "it does not go on");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let took = start.elapsed();
    let group = format!("identity/group/name/team.{}.binding.api", team.slug);
    let start = Instant::now();
    loop {
        let group = admin.read(&group, "{group}").await.unwrap().unwrap_or_default();
        if group["member_entity_ids"].as_array().is_some_and(|members| members.len() == 1) {
            break;
        }
        // What the database forgot is frozen: nobody new is attached before somebody has looked.
        let out = lab.person("sam").await.does(&["get", "findings", "-o", "json"]).await.unwrap();
        if out.contains(&format!("team/{}", team.slug)) {
            break;
        }
        assert!(start.elapsed() < Duration::from_mins(1), "{group:#}");
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    println!(
        "REL-07: a half-done plan that the database forgot is carried out {took:?} after a start"
    );
    private.end().await;
}

/// A suspension acts once: an older database that holds the act and not its answer does not make it
/// act again after a request has lifted it.
#[tokio::test]
async fn apr_02b_a_lifted_suspension_is_not_made_again() {
    let private = PrivateLab::start().await;
    let lab = &private.lab;
    let database = private.database().await;
    let team = lab.new_team("spent").await;
    lab.onboard(&team).await;
    let target = format!("team/{}/api", team.slug);
    let path = format!("team/{}/kv/data/prod/api/db", team.slug);
    let (bob, sue) = (lab.person("bob").await, lab.person("sue").await);
    private.executor_end(Signal::TERM).await;
    bob.must(&["suspend", &target, "--reason", "INC-1", "--yes"], None, 7).await.unwrap();
    // The act is there, and nobody has looked at it.
    keep(&database).await;
    let _executor = private.executor("spends", None, &[]);
    lab.workload(&team.slug, "api").await.refused_soon(&path).await;
    let request = bob.submits(&team.file, "it is over", &["--lift", &target]).await.unwrap();
    lab.until(&request, "in_review").await;
    sue.approves(&request).await.unwrap();
    lab.until(&request, "applied").await;
    let live = lab.workload(&team.slug, "api").await;
    live.reads_soon(&path).await;

    put_back(&database).await;
    let start = Instant::now();
    loop {
        let verdict: Option<String> = sqlx::query_scalar(
            "SELECT p.verdict FROM acts a JOIN act_receipts p USING (act_id) WHERE a.act = 'suspend'",
        )
        .fetch_optional(&database)
        .await
        .unwrap();
        if let Some(verdict) = verdict {
            assert_eq!(verdict, "refused", "it counts a second time");
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(40), "nobody looks at it again");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(!live.is_refused(&path).await, "a spent suspension took access away again");
    println!("APR-02b: a spent suspension is refused in an older database");
    private.end().await;
}
