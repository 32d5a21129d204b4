//! The executor broken off at every place: killed, failed, and with a write done twice.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};
use sqlx::postgres::PgPool;
use strongroom_engine::Session;
use strongroom_lab::Person;

use crate::private::{PrivateLab, lease_ends};
use crate::support::{Lab, Team, document};

/// People who have signed in once.
struct People {
    alice: Person,
    bob: Person,
    sue: Person,
}

async fn state(sue: &Person, request: &str) -> Value {
    let out = sue.does(&["request", "show", request, "-o", "json"]).await.unwrap();
    let value: Value = serde_json::from_str(&out).unwrap();
    value.get("request").filter(|inner| inner.is_object()).cloned().unwrap_or(value)
}

async fn until(sue: &Person, request: &str, wanted: &str) {
    let start = Instant::now();
    loop {
        let shown = state(sue, request).await;
        if shown["state"] == wanted {
            return;
        }
        assert!(start.elapsed() < Duration::from_mins(1), "not {wanted}: {shown:#}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// An act whose executor may be broken off before it answers: the act is stored and counts later.
async fn acts(person: &Person, arguments: &[&str]) {
    let printed = person.run(arguments).await.unwrap();
    let waiting = printed.err.contains("has not answered") || printed.out.contains("not answered");
    assert!(printed.code == 0 || waiting, "{arguments:?}: {} {}", printed.out, printed.err);
}

/// Onboards a team, takes one binding away, and makes its namespace anew.
async fn scenario(lab: &Lab, people: &People, team: &Team) {
    let request = people.alice.submits(&team.file, "a team", &[]).await.unwrap();
    until(&people.sue, &request, "in_review").await;
    acts(&people.bob, &["approve", &request, "--yes"]).await;
    acts(&people.sue, &["approve", &request, "--yes"]).await;
    until(&people.sue, &request, "applied").await;
    until_members(lab, &team.slug, 1).await;

    let fewer = lab.write(&format!("{}-fewer.yaml", team.slug), &document(&team.slug, false));
    let request = people.bob.submits(&fewer, "batch is gone", &[]).await.unwrap();
    until(&people.sue, &request, "applied").await;

    let api = lab.kubernetes();
    api.delete_namespace(&team.slug).await.unwrap();
    api.create_namespace(&team.slug).await.unwrap();
    until_members(lab, &team.slug, 0).await;
}

/// Waits until the binding `api` has so many members; none means that it has no group.
async fn until_members(lab: &Lab, slug: &str, wanted: usize) {
    let admin = lab.admin().await;
    let start = Instant::now();
    loop {
        let path = format!("identity/group/name/team.{slug}.binding.api");
        let group = admin.read(&path, "{group}").await.unwrap();
        let members = group.map(|group| group["member_entity_ids"].as_array().map_or(0, Vec::len));
        if members.unwrap_or(0) == wanted && (wanted > 0 || members.is_none()) {
            return;
        }
        assert!(start.elapsed() < Duration::from_mins(1), "{members:?} members, not {wanted}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// What the engine holds of a team, without its name and without ids.
async fn end_state(admin: &Session, slug: &str) -> BTreeMap<String, Value> {
    let mut state = BTreeMap::new();
    let places = [
        ("sys/policies/acl", "sys/policies/acl/"),
        ("identity/group/name", "identity/group/name/"),
        ("identity/entity/name", "identity/entity/name/"),
        ("auth/k8s/prod-eu/role", "auth/k8s/prod-eu/role/"),
        ("sys/quotas/rate-limit", "sys/quotas/rate-limit/"),
    ];
    for (list, prefix) in places {
        for name in admin.list(list, list).await.unwrap() {
            if !name.contains(slug) {
                continue;
            }
            let path = format!("{prefix}{name}");
            let read = admin.read(&path, "{object}").await.unwrap().unwrap_or_default();
            let mut kept = serde_json::Map::new();
            for field in [
                "policy",
                "policies",
                "expiration",
                "rate",
                "path",
                "type",
                "audience",
                "bound_service_account_names",
                "token_policies",
                "token_ttl",
                "token_max_ttl",
            ] {
                kept.insert(field.to_owned(), read[field].clone());
            }
            let members = read["member_entity_ids"].as_array().map_or(0, Vec::len);
            kept.insert("members".to_owned(), json!(members));
            let aliases = read["aliases"].as_array().map_or(0, Vec::len);
            kept.insert("aliases".to_owned(), json!(aliases));
            let text = Value::Object(kept).to_string().replace(slug, "SLUG");
            state.insert(path.replace(slug, "SLUG"), serde_json::from_str(&text).unwrap());
        }
    }
    state
}

/// Steps that were written more than once, by the journal and by the engine's audit log.
async fn written_twice(private: &PrivateLab, database: &PgPool, slug: &str) -> Vec<String> {
    let rows: Vec<(String, i32, i64)> = sqlx::query_as(
        "SELECT object_name, step, count(*) FROM journal \
         WHERE phase = 'receipt' AND outcome = 'written' AND step > 0 AND object_name LIKE $1 \
         GROUP BY plan_hash, object_name, step HAVING count(*) > 1",
    )
    .bind(format!("%{slug}%"))
    .fetch_all(database)
    .await
    .unwrap();
    let mut twice: Vec<String> = rows.iter().map(|row| format!("journal: {row:?}")).collect();
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    let log = std::fs::read_to_string(private.lab.text("/engine/audit_log")).unwrap();
    for line in log.lines().filter(|line| line.contains(slug)) {
        let Ok(line) = serde_json::from_str::<Value>(line) else { continue };
        let path = line["request"]["path"].as_str().unwrap_or_default();
        let once = ["sys/policies/acl/", "sys/mounts/team/", "auth/k8s/prod-eu/role/"];
        let create = matches!(line["request"]["operation"].as_str(), Some("update" | "create"));
        let ok =
            line["type"] == "response" && line["error"].as_str().unwrap_or_default().is_empty();
        if create && ok && once.iter().any(|prefix| path.starts_with(prefix)) {
            *counts.entry(path.to_owned()).or_default() += 1;
        }
    }
    // The role is written twice by two plans: made, and left by one name.
    let most = |path: &str| if path.contains("/role/") { 2 } else { 1 };
    let many = counts.into_iter().filter(|(path, count)| *count > most(path));
    twice.extend(many.map(|(path, count)| format!("engine: {path} written {count} times")));
    twice
}

/// Runs the scenario with an executor that breaks off at one place, and a clean one after it.
async fn broken_at(
    private: &PrivateLab,
    database: &PgPool,
    people: &People,
    fault: &str,
) -> (Team, bool) {
    let lab = &private.lab;
    let mut executor = private.executor("broken", None, &[("STRONGROOM_FAULT", fault)]);
    let mut ended = false;
    // From the beginning: it may break off before anybody asked it for anything.
    let team = {
        let supervise = async {
            loop {
                if executor.is_over() {
                    ended = true;
                    lease_ends(database).await;
                    executor = private.executor("broken", None, &[]);
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let told = async {
            let team = lab.new_team("crash").await;
            scenario(lab, people, &team).await;
            team
        };
        tokio::select! {
            team = told => team,
            () = supervise => unreachable!("it goes on until the scenario is told"),
        }
    };
    executor.end().await;
    (team, ended)
}

#[tokio::test]
async fn rel_01_broken_off_anywhere_the_end_is_the_same() {
    let private = PrivateLab::start().await;
    let lab = &private.lab;
    let people = People {
        alice: lab.person("alice").await,
        bob: lab.person("bob").await,
        sue: lab.person("sue").await,
    };
    let database = private.database().await;
    let admin = lab.admin().await;
    private.executor_end(Signal::TERM).await;
    let (reference, _) = broken_at(&private, &database, &people, "none:0").await;
    let wanted = end_state(&admin, &reference.slug).await;
    assert!(wanted.len() >= 8, "{wanted:#?}");

    let full = std::env::var_os("STRONGROOM_FULL").is_some();
    // Another place each day that the tests run; all of them with --full.
    let (step, offset) = if full { (1, 1) } else { (30, 1 + std::process::id() as usize % 30) };
    let mut counts = BTreeMap::new();
    for (mode, stride) in [("kill", 1), ("fail", 2), ("twice", 3)] {
        for number in (offset..).step_by(step * stride) {
            let fault = format!("{mode}:{number}");
            let (team, ended) = broken_at(&private, &database, &people, &fault).await;
            let found = end_state(&admin, &team.slug).await;
            assert_eq!(found, wanted, "another end after {fault}");
            if mode != "twice" {
                let twice = written_twice(&private, &database, &team.slug).await;
                assert!(twice.is_empty(), "after {fault}: {twice:#?}");
            }
            *counts.entry(mode).or_insert(0) += 1;
            // Beyond the last place nothing breaks off any more.
            if (mode == "kill" && !ended) || number > 400 {
                break;
            }
            if mode != "kill" && number > counts["kill"] * step {
                break;
            }
        }
    }
    let half: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM change_requests WHERE state IN ('applying', 'approved')",
    )
    .fetch_one(&database)
    .await
    .unwrap();
    assert_eq!(half, 0, "requests stay half done");
    println!("REL-01: {counts:?} runs broken off; 0 lost, 0 written twice, 0 half done");
    private.end().await;
}
