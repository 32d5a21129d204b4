//! Engine calls per object kind, counted from the engine's own audit log.
//!
//! One write and one read-back per object (a KV mount counts as two: mount and configuration), at
//! most one read per object before writing plus two per pass, two head writes per subject and
//! plan, nothing for an unchanged document, and all of it the same among many teams as among few.

use std::collections::BTreeMap;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Lab, Team};

/// Calls by kind of object: reads, writes.
type Calls = BTreeMap<&'static str, (u32, u32)>;

#[tokio::test]
async fn figures_calls_per_object_are_exact_and_do_not_grow_with_the_estate() {
    let lab = Lab::get();
    // The first team of an estate also makes the anchors of its people's groups.
    let first = measure(&lab, "first").await;
    print_table("the first with its groups", &first);
    let few = measure(&lab, "few").await;
    print_table("among few teams", &few);

    // Per kind: objects of one team of this test. People: owners, editors; bindings: api, batch.
    let objects: [(&str, u32); 9] = [
        ("mount", 1),
        ("mount-config", 1),
        ("rate-limit", 1),
        ("policy", 4),
        ("role", 1),
        ("group", 4),
        ("anchor", 2),
        ("entity", 2),
        ("entity-alias", 2),
    ];
    for (kind, count) in objects {
        let (reads, writes) = few.get(kind).copied().unwrap_or_default();
        match kind {
            // The anchors of these groups stand already: looked at, not written.
            "anchor" => {
                assert_eq!(writes, 0, "a shared anchor is written again");
                assert_eq!(reads, 2 * count, "anchor: one read per pass (freeze, apply)");
            }
            // A group's members come in by one more write and its read-back, after its accounts
            // have entities: two bindings, so two such writes; each looks at the group before.
            "group" => {
                assert_eq!(writes, count + 2, "one write per group, one per binding's members");
                assert_eq!(reads, 3 * count + 2 * 2, "group");
            }
            "entity" => {
                assert_eq!(writes, count);
                // Before: by alias (a lookup counts as a read) and by name.
                assert_eq!(reads, 3 * count, "by alias, by name, and the read-back of both");
            }
            "entity-alias" => assert_eq!(writes, count),
            // Nothing is beneath a mount that is not there: one read less at freeze and at apply.
            "mount-config" => {
                assert_eq!(writes, count);
                assert_eq!(reads, count, "mount-config: only the read-back");
            }
            _ => {
                assert_eq!(writes, count, "{kind}: one write per object");
                assert_eq!(
                    reads,
                    3 * count,
                    "{kind}: one read at freeze, one at apply, one read-back"
                );
            }
        }
    }
    let (head_reads, head_writes) = few["head"];
    assert_eq!(head_writes, 2, "two head writes per subject and plan");
    assert_eq!(head_reads, 3, "head: one at freeze, two at apply");
    let (other_reads, other_writes) = few.get("other").copied().unwrap_or_default();
    assert_eq!(other_writes, 0, "something else was written");
    assert!(other_reads <= 2, "two reads per pass at most: {other_reads}");

    let many = if std::env::var_os("STRONGROOM_FULL").is_some() { 1000 } else { 100 };
    populate(&lab, many).await;
    until_quiet(&lab).await;
    let among = measure(&lab, "many").await;
    print_table(&format!("among {many} more teams"), &among);
    assert_eq!(few, among, "the calls depend on how many teams there are");
}

/// Onboards one team while nothing else is going on and counts the executor's calls, then applies
/// the same document again and makes sure that nothing is written.
async fn measure(lab: &Lab, prefix: &str) -> Calls {
    let team = lab.new_team(prefix).await;
    // The executor is still busy with what the namespace's creation woke it for.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let before = size(lab);
    onboard(lab, &team).await;
    let calls = calls_since(lab, before);

    let quiet = size(lab);
    let alice = lab.person("alice").await;
    let file = team.file.display().to_string();
    let printed = alice.run(&["apply", "-f", &file, "--reason", "again", "--yes"]).await.unwrap();
    assert_eq!(printed.code, 0, "{}", printed.err);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let writes: u32 = calls_since(lab, quiet).values().map(|(_, writes)| writes).sum();
    assert_eq!(writes, 0, "an unchanged document writes something");
    calls
}

/// Waits until the executor is done with what it was told of: each foreign object is looked at once.
async fn until_quiet(lab: &Lab) {
    let start = Instant::now();
    loop {
        let before = size(lab);
        tokio::time::sleep(Duration::from_secs(3)).await;
        let calls: u32 = calls_since(lab, before).values().map(|(r, w)| r + w).sum();
        if calls == 0 {
            return;
        }
        assert!(start.elapsed() < Duration::from_mins(5), "the executor never comes to rest");
    }
}

async fn onboard(lab: &Lab, team: &Team) {
    let alice = lab.person("alice").await;
    let request = alice.submits(&team.file, "to be counted", &[]).await.unwrap();
    for name in ["bob", "sue"] {
        lab.until(&request, "in_review").await;
        lab.person(name).await.approves(&request).await.unwrap();
    }
    lab.until(&request, "applied").await;
    // Until both accounts are attached.
    for _ in 0..100 {
        let shown =
            alice.does(&["get", "bindings", "--team", &team.slug, "-o", "json"]).await.unwrap();
        if shown.matches("attached").count() >= 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
}

fn size(lab: &Lab) -> u64 {
    std::fs::metadata(lab.text("/engine/audit_log")).unwrap().len()
}

fn calls_since(lab: &Lab, offset: u64) -> Calls {
    let mut file = std::fs::File::open(lab.text("/engine/audit_log")).unwrap();
    file.seek(SeekFrom::Start(offset)).unwrap();
    let mut text = String::new();
    file.read_to_string(&mut text).unwrap();
    let mut calls = Calls::new();
    for line in text.lines() {
        let Ok(entry) = serde_json::from_str::<Value>(line) else {
            continue;
        };
        let policies = entry["auth"]["policies"].to_string();
        if entry["type"] != "response" || !policies.contains("strongroom-executor") {
            continue;
        }
        let path = entry["request"]["path"].as_str().unwrap_or_default();
        let operation = entry["request"]["operation"].as_str().unwrap_or_default();
        // A new KV mount refuses for up to two seconds; nothing was written, and it is tried again.
        if entry["error"].is_string() {
            continue;
        }
        // The executor's own token is not about any object.
        if path.starts_with("auth/token/") || path.starts_with("auth/approle/") {
            continue;
        }
        let lookup = path == "identity/lookup/entity";
        let (reads, writes) = calls.entry(kind(path)).or_default();
        match operation {
            "read" | "list" => *reads += 1,
            _ if lookup => *reads += 1,
            _ => *writes += 1,
        }
    }
    calls
}

fn kind(path: &str) -> &'static str {
    match path {
        _ if path.starts_with("sys/mounts/team/") => "mount",
        _ if path.starts_with("team/") && path.ends_with("/config") => "mount-config",
        _ if path.starts_with("sys/quotas/rate-limit/") => "rate-limit",
        _ if path.starts_with("sys/policies/acl/team.") => "policy",
        _ if path.contains("/role/") => "role",
        _ if path.starts_with("identity/group/name/team.") => "group",
        _ if path.starts_with("identity/group/name/people.") => "anchor",
        "identity/group-alias" => "anchor",
        "identity/entity-alias" => "entity-alias",
        _ if path.starts_with("identity/") => "entity",
        _ if path.starts_with("strongroom/data/heads/") => "head",
        _ => "other",
    }
}

fn print_table(title: &str, calls: &Calls) {
    println!("engine calls of one team's onboarding, {title}:");
    println!("  {:<14} {:>5} {:>6}", "object", "reads", "writes");
    for (kind, (reads, writes)) in calls {
        println!("  {kind:<14} {reads:>5} {writes:>6}");
    }
}

/// Teams as the executor would have left them, made by the administrator because only their number
/// counts here.
async fn populate(lab: &Lab, count: u32) {
    let admin = lab.admin().await;
    for number in 0..count {
        let slug = format!("filler-{number}");
        let mount = json!({ "type": "kv", "options": { "version": "2" }, "description": "filler" });
        let writes = [
            (format!("sys/mounts/team/{slug}/kv"), mount),
            (
                format!("sys/policies/acl/team.{slug}.owner"),
                json!({ "policy": format!("path \"team/{slug}/kv/metadata/*\" {{ capabilities = [\"list\"] }}") }),
            ),
            (
                format!("identity/group/name/team.{slug}.owner"),
                json!({ "type": "internal", "policies": [format!("team.{slug}.owner")] }),
            ),
        ];
        for (path, body) in writes {
            admin.write(&path, "{filler}", &body).await.unwrap();
        }
    }
}
