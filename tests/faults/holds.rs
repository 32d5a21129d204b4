//! What stands still, what ends by itself, and what lets it go on.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::private::PrivateLab;
use crate::support::{Lab, document};

async fn bindings(lab: &Lab, team: &str) -> Vec<Value> {
    let alice = lab.person("alice").await;
    let out = alice.does(&["get", "bindings", "--team", team, "-o", "json"]).await.unwrap();
    serde_json::from_str(&out).unwrap()
}

/// Waits until a binding stands like this; gives why.
async fn until_stands(lab: &Lab, team: &str, binding: &str, state: &str) -> String {
    let start = Instant::now();
    loop {
        let all = bindings(lab, team).await;
        let found = all.iter().find(|each| each["binding"] == binding);
        if let Some(found) = found.filter(|each| each["state"] == state) {
            return found["reason"].as_str().unwrap_or_default().to_owned();
        }
        assert!(start.elapsed() < Duration::from_secs(40), "{binding} is not {state}: {all:#?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn lift(lab: &Lab, file: &std::path::Path, target: &str) {
    let bob = lab.person("bob").await;
    let request = bob.submits(file, "it is over", &["--lift", target]).await.unwrap();
    lab.until(&request, "in_review").await;
    lab.person("sue").await.approves(&request).await.unwrap();
    lab.until(&request, "applied").await;
}

/// A suspended binding, a suspended team, a frozen platform, a local order, and an end by date.
#[tokio::test]
async fn holds_stand_until_a_request_lifts_them() {
    let private = PrivateLab::start().await;
    let lab = &private.lab;
    let team = lab.new_team("hold").await;
    lab.onboard(&team).await;
    let slug = &team.slug;
    let path = |folder: &str| format!("team/{slug}/kv/data/prod/{folder}/db");
    let api = lab.workload(slug, "api").await;
    let batch = lab.workload(slug, "batch").await;
    api.reads_soon(&path("api")).await;
    batch.reads_soon(&path("batch")).await;

    // Somebody without a say.
    let target = format!("team/{slug}/api");
    let carol = lab.person("carol").await;
    let refused = carol.run(&["suspend", &target, "--reason", "no", "--yes"]).await.unwrap();
    assert_ne!(refused.code, 0, "a stranger suspends");

    // One owner's act, at once; the other binding goes on.
    let bob = lab.person("bob").await;
    bob.does(&["suspend", &target, "--reason", "INC-7: token leaked", "--yes"]).await.unwrap();
    let took = api.refused_soon(&path("api")).await;
    assert!(!batch.is_refused(&path("batch")).await);
    let why = until_stands(lab, slug, "api", "suspended").await;
    assert!(why.contains("INC-7") && why.contains("--lift"), "{why}");

    // An unrelated change of the team does not bring it back.
    let text = document(slug, true).replace("displayName: Test", "displayName: Another");
    let renamed = lab.write("renamed.yaml", &text);
    let request = bob.submits(&renamed, "a new name", &[]).await.unwrap();
    lab.until(&request, "in_review").await;
    lab.person("sue").await.approves(&request).await.unwrap();
    lab.until(&request, "applied").await;
    assert!(api.is_refused(&path("api")).await, "an unrelated request lifted the hold");

    // Lifted by a request; the token from before stays dead.
    lift(lab, &renamed, &target).await;
    let again = lab.workload(slug, "api").await;
    again.reads_soon(&path("api")).await;
    assert!(api.is_refused(&path("api")).await, "a token from before the hold reads again");

    // A local order with the provider out of the picture: the whole team.
    let whole = format!("team/{slug}");
    private.locally("execute.yaml", &["suspend", &whole, "--reason", "INC-8"]).await;
    again.refused_soon(&path("api")).await;
    batch.refused_soon(&path("batch")).await;
    let put = ["kv", "put", &format!("{slug}/kv/prod/api/db"), "password=-"];
    let start = Instant::now();
    while bob.run_with(&put, Some("x")).await.unwrap().code == 0 {
        assert!(start.elapsed() < Duration::from_secs(20), "people of a suspended team write");
    }
    lift(lab, &renamed, &whole).await;
    lab.workload(slug, "api").await.reads_soon(&path("api")).await;
    bob.must(&put, Some("s3cr3t"), 0).await.unwrap();

    // Frozen: what is approved waits and says why, until it is lifted.
    let sue = lab.person("sue").await;
    sue.does(&["freeze", "--reason", "INC-9", "--yes"]).await.unwrap();
    let text = text.replace("displayName: Another", "displayName: Third");
    let third = lab.write("third.yaml", &text);
    let request = bob.submits(&third, "a third name", &[]).await.unwrap();
    lab.until(&request, "in_review").await;
    sue.approves(&request).await.unwrap();
    let start = Instant::now();
    loop {
        let shown = lab.request(&request).await;
        assert_ne!(shown["state"], "applied", "applied although frozen");
        if shown["stateReason"].as_str().unwrap_or_default().contains("INC-9") {
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(30), "{shown:#}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    println!("holds: live token refused {took:?} after the act's receipt; all lifted by requests");
    private.end().await;
}

/// A binding ends at its date by itself, in the engine even with Strongroom down, and does not come
/// back when a clock is put back.
#[tokio::test]
async fn a_binding_ends_by_itself() {
    let private = PrivateLab::start().await;
    let lab = &private.lab;
    let team = lab.new_team("until").await;
    let tomorrow = "2099-01-01";
    let text = document(&team.slug, true).replacen(
        "level: read }]\n",
        &format!("level: read }}]\n      until: {tomorrow}\n"),
        1,
    );
    std::fs::write(&team.file, &text).unwrap();
    lab.onboard(&team).await;
    let path = format!("team/{}/kv/data/prod/api/db", team.slug);
    let other = format!("team/{}/kv/data/prod/batch/db", team.slug);
    let (api, batch) =
        (lab.workload(&team.slug, "api").await, lab.workload(&team.slug, "batch").await);
    api.reads_soon(&path).await;
    batch.reads_soon(&other).await;
    let admin = lab.admin().await;
    let name = format!("sys/policies/acl/team.{}.binding.api", team.slug);
    let policy = admin.read(&name, "{policy}").await.unwrap().unwrap();
    assert!(policy["expiration"].as_str().unwrap().starts_with("2099-01-02T00:00:00"), "{policy}");

    // A hundred years on.
    private.clock(100 * 366 * 86_400);
    api.refused_soon(&path).await;
    assert!(!batch.is_refused(&other).await, "a binding without an end ended");
    let why = until_stands(lab, &team.slug, "api", "ended").await;
    assert!(why.contains(tomorrow), "{why}");
    let start = Instant::now();
    while admin.read(&name, "{policy}").await.unwrap().is_some() {
        assert!(start.elapsed() < Duration::from_secs(20), "the policy of an ended binding stays");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // Put back: what ended stays ended until a request gives it anew.
    private.clock(0);
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert!(api.is_refused(&path).await, "a clock put back gave the grant back");
    println!("an end by date: refused, policy deleted, not given back by a clock that went back");
    private.end().await;
}

/// A cluster's hold is lifted by a request that names no team: tokens from before stay dead in all of
/// them. The same document with another API server leads to another watch.
#[tokio::test]
async fn a_clusters_hold_and_its_document_concern_every_team_there() {
    let private = PrivateLab::start().await;
    let lab = &private.lab;
    let mut lives = Vec::new();
    for _ in 0..2 {
        let team = lab.new_team("hold").await;
        lab.onboard(&team).await;
        let path = format!("team/{}/kv/data/prod/api/db", team.slug);
        let live = lab.workload(&team.slug, "api").await;
        live.reads_soon(&path).await;
        lives.push((team, path, live));
    }
    let sue = lab.person("sue").await;
    let target = "cluster/prod-eu";
    sue.does(&["suspend", target, "--reason", "INC-3", "--yes"]).await.unwrap();
    for (_, path, live) in &lives {
        live.refused_soon(path).await;
    }
    let cluster = sue.does(&["get", "document", target, "-o", "json"]).await.unwrap();
    let file = lab.write("cluster.yaml", &cluster);
    let request = sue.submits(&file, "it is over", &["--lift", target]).await.unwrap();
    lab.decide(&request, &["sam", "kim"]).await;
    for (team, path, live) in &lives {
        lab.workload(&team.slug, "api").await.reads_soon(path).await;
        assert!(live.is_refused(path).await, "a token from before the hold reads again");
    }

    // Another address of the same API server, with credentials of its own name.
    let server = lab.text("/kubernetes/server");
    let (address, calls) = forward(server.trim_start_matches("https://")).await;
    let config = private.other_floor("through", |floor| {
        let mut through = floor["clusters"][0].clone();
        through["name"] = "through".into();
        through["server"] = address.clone().into();
        floor["clusters"].as_array_mut().unwrap().push(through);
    });
    private.executor_end(rustix::process::Signal::TERM).await;
    let _executor = private.executor("through", Some(&config), &[]);
    let mut document: Value = serde_json::from_str(&cluster).unwrap();
    document["spec"]["server"] = address.into();
    document["spec"]["credentials"] = "through".into();
    let file = lab.write("through.yaml", &document.to_string());
    let request = sue.submits(&file, "another way", &[]).await.unwrap();
    lab.until(&request, "in_review").await;
    assert_eq!(calls.load(Ordering::SeqCst), 0, "somebody goes there before it is applied");
    lab.decide(&request, &["sam", "kim"]).await;
    let start = Instant::now();
    while calls.load(Ordering::SeqCst) == 0 {
        assert!(start.elapsed() < Duration::from_secs(30), "the old server is still watched");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    private.end().await;
}

/// Another address of what listens there; gives how often it was called.
async fn forward(to: &str) -> (String, Arc<AtomicUsize>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("https://{}", listener.local_addr().unwrap());
    let (calls, to) = (Arc::new(AtomicUsize::new(0)), to.to_owned());
    let counted = Arc::clone(&calls);
    tokio::spawn(async move {
        while let Ok((mut from, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            let Ok(mut there) = tokio::net::TcpStream::connect(&to).await else { continue };
            tokio::spawn(async move {
                let _ = tokio::io::copy_bidirectional(&mut from, &mut there).await;
            });
        }
    });
    (address, calls)
}
