//! Removals that follow from what is seen stop by themselves when there are too many.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};
use strongroom_engine::Session;

use crate::private::PrivateLab;
use crate::support::{Lab, document};

const NAMESPACES: usize = 4;
const EACH: usize = 5;
/// Of twenty bindings and two of another team: a quarter.
const MOST: usize = 5;

/// A team with twenty bindings in four namespaces.
fn estate(slug: &str) -> String {
    let mut text = format!(
        "apiVersion: strongroom.dev/v1\nkind: Team\nmetadata: {{ name: {slug} }}\nspec:\n  \
         displayName: Estate\n  contact: test@example.com\n  people:\n    \
         owners: [{{ group: payments-leads }}]\n  mounts: [{{ name: kv, type: kv-v2 }}]\n"
    );
    text.push_str("  namespaces:\n");
    for n in 0..NAMESPACES {
        let _ = writeln!(
            text,
            "    - {{ cluster: prod-eu, name: {slug}-{n}, environment: production }}"
        );
    }
    text.push_str("  bindings:\n");
    for n in 0..NAMESPACES {
        for each in 0..EACH {
            let _ = write!(
                text,
                "    - name: b{n}-{each}\n      cluster: prod-eu\n      namespace: {slug}-{n}\n      \
                 serviceAccounts: [a{each}]\n      \
                 access: [{{ mount: kv, path: n{n}/*, level: read }}]\n"
            );
        }
    }
    text
}

/// The bindings of a team that have members in the engine.
async fn with_members(admin: &Session, slug: &str) -> usize {
    let list = "identity/group/name";
    let mut count = 0;
    for name in admin.list(list, list).await.unwrap() {
        if name.starts_with(&format!("team.{slug}.binding.")) {
            let group = admin.read(&format!("{list}/{name}"), "{group}").await.unwrap();
            let group = group.unwrap_or_default();
            count +=
                usize::from(group["member_entity_ids"].as_array().is_some_and(|m| !m.is_empty()));
        }
    }
    count
}

async fn until_with_members(admin: &Session, slug: &str, wanted: usize) {
    let start = Instant::now();
    loop {
        let count = with_members(admin, slug).await;
        if count == wanted {
            return;
        }
        assert!(start.elapsed() < Duration::from_mins(1), "{count} bindings have members");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn make(lab: &Lab, namespace: &str) {
    let api = lab.kubernetes();
    api.create_namespace(namespace).await.unwrap();
    for each in 0..EACH {
        api.create_service_account(namespace, &format!("a{each}")).await.unwrap();
    }
}

async fn make_anew(lab: &Lab, namespace: &str) {
    lab.kubernetes().delete_namespace(namespace).await.unwrap();
    make(lab, namespace).await;
}

async fn alarm(lab: &Lab) -> Option<Value> {
    let out = lab.person("sue").await.does(&["get", "findings", "-o", "json"]).await.unwrap();
    let all: Vec<Value> = serde_json::from_str(&out).unwrap();
    all.into_iter().find(|each| each["text"].as_str().unwrap_or_default().contains("held back"))
}

/// Hand-made mounts, policies and roles beside ours.
async fn foreign(admin: &Session, count: usize) -> Vec<(String, Value)> {
    let mut made = Vec::new();
    for n in 0..count {
        let policy = format!("sys/policies/acl/handmade-{n}");
        let body = json!({ "policy": "path \"x/*\" { capabilities = [\"read\"] }" });
        admin.write(&policy, "{policy}", &body).await.unwrap();
        let role = format!("auth/k8s/prod-eu/role/handmade-{n}");
        let body = json!({
            "bound_service_account_names": ["x"],
            "bound_service_account_namespaces": ["x"],
            "audience": "x",
        });
        admin.write(&role, "{role}", &body).await.unwrap();
        for path in [policy, role] {
            let read = admin.read(&path, "{object}").await.unwrap().unwrap();
            made.push((path, read));
        }
        if n % 10 == 0 {
            let path = format!("sys/mounts/handmade-{n}");
            admin.write(&path, "{mount}", &json!({ "type": "kv" })).await.unwrap();
            let read = admin.read(&path, "{object}").await.unwrap().unwrap();
            made.push((path, read));
        }
    }
    made
}

#[tokio::test]
async fn crd_04_removals_stop_by_themselves_and_foreign_objects_are_left_alone() {
    let private = PrivateLab::start().await;
    let lab = &private.lab;
    private.executor_end(Signal::TERM).await;
    let _executor = private.executor("braked", Some(&braked(&private)), &[]);
    let slug = "estate";
    for n in 0..NAMESPACES {
        make(lab, &format!("{slug}-{n}")).await;
    }
    let other = lab.new_team("other").await;
    lab.onboard(&other).await;
    let file = lab.write("estate.yaml", &estate(slug));
    let alice = lab.person("alice").await;
    let request = alice.submits(&file, "an estate", &[]).await.unwrap();
    lab.until(&request, "in_review").await;
    for name in ["bob", "sue"] {
        lab.person(name).await.approves(&request).await.unwrap();
    }
    lab.until(&request, "applied").await;
    let admin = lab.admin().await;
    until_with_members(&admin, slug, NAMESPACES * EACH).await;
    let full = std::env::var_os("STRONGROOM_FULL").is_some();
    let handmade = foreign(&admin, if full { 1000 } else { 50 }).await;

    // A quarter of it is made anew: all of that goes.
    make_anew(lab, "estate-0").await;
    until_with_members(&admin, slug, NAMESPACES * EACH - EACH).await;
    assert!(alarm(lab).await.is_none());
    // And then everything: nothing more goes, and somebody is told.
    for n in 1..NAMESPACES {
        make_anew(lab, &format!("{slug}-{n}")).await;
    }
    let start = Instant::now();
    let told = loop {
        match alarm(lab).await {
            Some(told) => break told,
            None => assert!(start.elapsed() < Duration::from_secs(40), "nobody is told"),
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    };
    assert!(told["nextStep"].as_str().unwrap().contains("release-brake"), "{told:#}");
    tokio::time::sleep(Duration::from_secs(12)).await;
    let kept = with_members(&admin, slug).await;
    assert_eq!(kept, NAMESPACES * EACH - MOST, "more than the brake allows went");

    // Held back or not, who came under an old name has nothing.
    for n in 0..NAMESPACES {
        let newcomer = lab.workload(&format!("{slug}-{n}"), "a0").await;
        assert!(newcomer.is_refused(&format!("team/{slug}/kv/data/n{n}/x")).await);
    }
    // Others' work goes on.
    let text = document(&other.slug, true).replace("displayName: Test", "displayName: Other");
    let renamed = lab.write("other.yaml", &text);
    let request = lab.person("bob").await.submits(&renamed, "a name", &[]).await.unwrap();
    lab.until(&request, "in_review").await;
    lab.person("sue").await.approves(&request).await.unwrap();
    lab.until(&request, "applied").await;

    // Released by whoever has the executor's host.
    private
        .locally("execute-braked.yaml", &["release-brake", "--reason", "a test swapped them"])
        .await;
    until_with_members(&admin, slug, 0).await;
    let start = Instant::now();
    while alarm(lab).await.is_some() {
        assert!(start.elapsed() < Duration::from_secs(40), "the alarm stays");
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    let mut touched = 0;
    for (path, before) in &handmade {
        let now = admin.read(path, "{object}").await.unwrap().unwrap_or_default();
        touched += usize::from(now != *before);
    }
    assert_eq!(touched, 0, "hand-made objects were touched");
    println!(
        "CRD-04: {MOST} of {} bindings lost their rights, 0 past the brake, the rest after its \
         release; 0 of {} foreign objects touched",
        NAMESPACES * EACH,
        handmade.len()
    );
    private.end().await;
}

fn braked(private: &PrivateLab) -> PathBuf {
    let dir = private.dir();
    let text = std::fs::read_to_string(dir.join("execute.yaml")).unwrap();
    let mut value: Value = serde_json::from_str(&text).unwrap();
    value["brake"] = json!({ "count": 2, "share_percent": 25 });
    let file = dir.join("execute-braked.yaml");
    std::fs::write(&file, value.to_string()).unwrap();
    file
}

/// Many bindings end on one day and the brake keeps some of them: what somebody holds goes all the
/// same.
#[tokio::test]
async fn a_hold_takes_away_what_the_brake_keeps() {
    let private = PrivateLab::start().await;
    let lab = &private.lab;
    private.executor_end(Signal::TERM).await;
    let config = braked(&private);
    let _executor = private.executor("braked", Some(&config), &[]);
    let slug = "endings";
    for n in 0..NAMESPACES {
        make(lab, &format!("{slug}-{n}")).await;
    }
    let text =
        estate(slug).replace("level: read }]\n", "level: read }]\n      until: 2099-01-01\n");
    let file = lab.write("endings.yaml", &text);
    let request = lab.person("alice").await.submits(&file, "they end", &[]).await.unwrap();
    lab.decide(&request, &["bob", "sue"]).await;
    let admin = lab.admin().await;
    let all = NAMESPACES * EACH;
    until_with_members(&admin, slug, all).await;

    private.clock(100 * 366 * 86_400);
    let start = Instant::now();
    while alarm(lab).await.is_none() {
        assert!(start.elapsed() < Duration::from_secs(40), "the brake holds nothing back");
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    let kept = with_members(&admin, slug).await;
    assert!(kept >= all - MOST, "{kept} are left: the brake kept nothing");
    private
        .locally("execute-braked.yaml", &["suspend", &format!("team/{slug}"), "--reason", "INC-11"])
        .await;
    until_with_members(&admin, slug, 0).await;
    println!("the brake kept {kept} of {all} bindings that had ended; a hold took them all");
    private.end().await;
}
