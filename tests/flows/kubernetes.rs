//! Grants follow the identity, not the name.

use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::support::{Lab, document};

/// Wildcards of every spelling are refused before anything is stored, and every role that there is
/// carries no rights and names exact accounts.
#[tokio::test]
async fn k8s_01_wildcards_are_refused_and_roles_carry_nothing() {
    let lab = Lab::get();
    let team = lab.new_team("kone").await;
    let alice = lab.person("alice").await;
    let good = document(&team.slug, true);
    let accounts = |text: &str| good.replacen("serviceAccounts: [api]", text, 1);
    let namespace = |text: &str| {
        good.replace(
            &format!("name: {}, environment", team.slug),
            &format!("name: {text}, environment"),
        )
        .replace(&format!("namespace: {}", team.slug), &format!("namespace: {text}"))
    };
    let bad = [
        accounts("serviceAccounts: ['*']"),
        accounts("serviceAccounts: ['a*']"),
        accounts("serviceAccounts: ['api,batch']"),
        accounts("serviceAccounts: []"),
        accounts("serviceAccounts: { matchLabels: { team: payments } }"),
        accounts("serviceAccounts: [api]\n      selector: { matchLabels: { team: payments } }"),
        namespace("'*'"),
        namespace("'te*'"),
        namespace("'a,b'"),
        namespace("kube-system"),
        namespace("kube-public"),
        namespace("Payments"),
    ];
    for (number, text) in bad.iter().enumerate() {
        assert_ne!(*text, good, "case {number} changes nothing");
        let file = lab.write(&format!("bad-{number}.yaml"), text);
        let file = file.display().to_string();
        let printed = alice.run(&["apply", "-f", &file, "--reason", "try", "--yes"]).await.unwrap();
        assert_ne!(printed.code, 0, "taken: {text}");
        assert!(printed.err.contains("spec."), "no field in: {}", printed.err);
    }
    let requests = alice.does(&["get", "requests", "-o", "name"]).await.unwrap();
    let subject = format!("team/{}", team.slug);
    let ours = alice.does(&["get", "requests", "--subject", &subject, "-o", "name"]).await.unwrap();
    assert_eq!(ours.trim(), "", "a bad document became a request: {requests}");

    lab.onboard(&team).await;
    let admin = lab.admin().await;
    let roles = admin.list("auth/k8s/prod-eu/role", "auth/k8s/{cluster}/role").await.unwrap();
    assert!(roles.contains(&team.slug));
    for role in &roles {
        let path = format!("auth/k8s/prod-eu/role/{role}");
        let Some(read) = admin.read(&path, "{role}").await.unwrap() else {
            continue;
        };
        let names = |field: &str| -> Vec<String> {
            let items = read[field].as_array().cloned().unwrap_or_default();
            items.iter().filter_map(Value::as_str).map(str::to_owned).collect()
        };
        for name in names("bound_service_account_names") {
            assert!(!name.contains(['*', '?', ',', '[']), "{role} binds {name}");
        }
        assert_eq!(names("bound_service_account_namespaces"), std::slice::from_ref(role));
        assert_eq!(read["bound_service_account_namespace_selector"], "");
        assert_eq!(read["audience"], "strongroom");
        assert_eq!(read["alias_name_source"], "serviceaccount_uid");
        assert_eq!(read["token_policies"], json!([]));
        assert_eq!(read["token_no_default_policy"], true);
        assert_eq!(read["token_period"], 0);
        let (ttl, most) =
            (read["token_ttl"].as_u64().unwrap(), read["token_max_ttl"].as_u64().unwrap());
        assert!(0 < ttl && ttl <= most && most <= 86_400, "{role}: {ttl} {most}");
    }
    println!(
        "K8S-01: {} roles read back, 0 exceptions; {} bad documents refused",
        roles.len(),
        bad.len()
    );
}

async fn finding_stands(lab: &Lab, key: &str) -> bool {
    let sue = lab.person("sue").await;
    sue.does(&["get", "findings", key, "-o", "name"]).await.unwrap().contains(key)
}

/// A namespace made anew under the same names reads nothing: not while the executor stands still,
/// not after it went on, not with the tokens from before, not before a new vote; and old tokens
/// stay dead after it.
#[tokio::test]
async fn k8s_03_a_recreated_namespace_reads_nothing() {
    let lab = Lab::get();
    let team = lab.new_team("kthree").await;
    lab.onboard(&team).await;
    let path = format!("team/{}/kv/data/prod/api/db", team.slug);
    let old = lab.workload(&team.slug, "api").await;
    old.reads_soon(&path).await;

    let api = lab.kubernetes();
    let executor = Executor::of(&lab);
    executor.signal(Signal::STOP);
    api.delete_namespace(&team.slug).await.unwrap();
    api.create_namespace(&team.slug).await.unwrap();
    for account in ["api", "batch"] {
        api.create_service_account(&team.slug, account).await.unwrap();
    }
    let newcomer = lab.workload(&team.slug, "api").await;
    let mut refused = 0;
    for _ in 0..20 {
        assert!(newcomer.is_refused(&path).await, "the newcomer reads while the executor stands");
        refused += 1;
    }
    executor.signal(Signal::CONT);
    let took = old.refused_soon(&path).await;
    for _ in 0..20 {
        assert!(newcomer.is_refused(&path).await && old.is_refused(&path).await);
        refused += 2;
    }

    // The state is visible with its reason.
    let alice = lab.person("alice").await;
    let shown = alice.does(&["get", "bindings", "--team", &team.slug, "-o", "json"]).await.unwrap();
    assert!(shown.contains("suspended") && shown.contains("--reattest"), "{shown}");
    // So is the finding, and whoever applies the unchanged document reads what is missing.
    let told = format!("namespace-changed team.{}.binding.api", team.slug);
    assert!(finding_stands(&lab, &told).await, "{told} is not told");
    let file = team.file.display().to_string();
    let same = alice.does(&["apply", "-f", &file, "--reason", "nothing"]).await.unwrap();
    assert!(same.contains("no change") && same.contains("--reattest"), "{same}");

    // Applying the same document again without saying so trusts nothing: the pins are kept.
    let place = format!("prod-eu/{}", team.slug);
    let request = alice.submits(&team.file, "rebuilt", &["--reattest", &place]).await.unwrap();
    lab.until(&request, "in_review").await;
    assert_eq!(lab.request(&request).await["risk"], "high");
    assert!(newcomer.is_refused(&path).await, "a request alone gives the newcomer something");
    for name in ["bob", "sue"] {
        lab.person(name).await.approves(&request).await.unwrap();
    }
    lab.until(&request, "applied").await;
    let again = lab.workload(&team.slug, "api").await;
    again.reads_soon(&path).await;
    let start = Instant::now();
    while finding_stands(&lab, &told).await {
        assert!(start.elapsed() < Duration::from_secs(20), "{told} is still told");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    for _ in 0..20 {
        assert!(old.is_refused(&path).await, "a token of the deleted namespace reads");
        assert!(newcomer.is_refused(&path).await, "a token from before the vote reads");
        refused += 2;
    }
    println!("K8S-03: 0 reads of {refused}; old token refused {took:?} after the executor went on");
}

/// A live token of a namespace that was removed by an approved change is refused and cannot renew
/// itself back.
#[tokio::test]
async fn k8s_04_a_removed_namespace_loses_its_live_tokens() {
    let lab = Lab::get();
    let team = lab.new_team("kfour").await;
    lab.onboard(&team).await;
    let path = format!("team/{}/kv/data/prod/api/db", team.slug);
    let live = lab.workload(&team.slug, "api").await;
    live.reads_soon(&path).await;
    assert!(live.renews().await, "a live token cannot renew itself");

    let whole = document(&team.slug, true);
    let (before, rest) = whole.split_once("  namespaces:").unwrap();
    let (_, after) = rest.split_once("  limits:").unwrap();
    let file = lab.write("removed.yaml", &format!("{before}  limits:{after}"));
    let bob = lab.person("bob").await;
    let request = bob.submits(&file, "moved away", &[]).await.unwrap();
    lab.until(&request, "in_review").await;
    assert!(live.read(&path).await.unwrap().is_some(), "a request alone takes something away");
    lab.person("sue").await.approves(&request).await.unwrap();
    let took = live.refused_soon(&path).await;
    lab.until(&request, "applied").await;
    let mut renewals = 0;
    for _ in 0..10 {
        renewals += i32::from(live.renews().await);
        assert!(live.is_refused(&path).await);
    }
    assert_eq!(renewals, 0, "the token renews itself after its rights are gone");
    println!("K8S-04: refused {took:?} after the last vote was counted; 0 renewals of 10");
}

/// The lab's executor process.
struct Executor(Pid);

impl Executor {
    fn of(lab: &Lab) -> Self {
        let text = std::fs::read_to_string(lab.dir().join("execute.pid")).unwrap();
        Self(Pid::from_raw(text.lines().next().unwrap().parse().unwrap()).unwrap())
    }

    fn signal(&self, signal: Signal) {
        kill_process(self.0, signal).unwrap();
    }
}

impl Drop for Executor {
    fn drop(&mut self) {
        // A failed assertion must not leave the others' executor standing.
        let _ = kill_process(self.0, Signal::CONT);
    }
}
