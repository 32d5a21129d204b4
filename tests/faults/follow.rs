//! Roles of teams follow a Cluster or Platform document, also when the executor dies meanwhile.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};
use strongroom_engine::Session;

use crate::drift::read;
use crate::private::{PrivateLab, lease_ends};
use crate::support::Lab;

/// What is applied.
pub async fn applied(lab: &Lab, subject: &str) -> Value {
    let sue = lab.person("sue").await;
    let out = sue.does(&["get", "document", subject, "-o", "json"]).await.unwrap();
    let out: Value = serde_json::from_str(&out).unwrap();
    out.get("document").cloned().unwrap_or(out)
}

/// What is applied, with one field changed.
async fn changed(lab: &Lab, subject: &str, pointer: &str, value: &str) -> std::path::PathBuf {
    let mut document = applied(lab, subject).await;
    *document.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}")) = json!(value);
    lab.write(&format!("{}.json", subject.replace('/', "-")), &document.to_string())
}

/// Submits such a change as sue, and has sam and kim approve it.
async fn change(lab: &Lab, subject: &str, pointer: &str, value: &str) -> String {
    let file = changed(lab, subject, pointer, value).await;
    let sue = lab.person("sue").await;
    let request = sue.submits(&file, "what roles hold changes", &[]).await.unwrap();
    lab.until(&request, "in_review").await;
    for name in ["sam", "kim"] {
        // The executor may die over it; the act is stored, and counts later.
        lab.person(name).await.run(&["approve", &request, "--yes"]).await.unwrap();
    }
    request
}

/// What the roles of these namespaces hold in one field.
async fn field(admin: &Session, namespaces: &[&str], field: &str) -> Vec<Value> {
    let mut found = Vec::new();
    for namespace in namespaces {
        let role = format!("auth/k8s/prod-eu/role/{namespace}");
        found.push(read(admin, &role, &format!("/{field}")).await);
    }
    found
}

/// Waits for a request to be applied while executors die and are started again. Gives how many died.
async fn applied_by_any(
    private: &PrivateLab,
    fault: &str,
    change: impl Future<Output = String>,
) -> u32 {
    let database = private.database().await;
    let mut executor = private.executor("follow", None, &[("STRONGROOM_FAULT", fault)]);
    let mut died = 0;
    let supervise = async {
        loop {
            if executor.is_over() {
                died += 1;
                lease_ends(&database).await;
                executor = private.executor("follow", None, &[]);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let done = async { private.lab.until(&change.await, "applied").await };
    tokio::select! {
        () = done => {}
        () = supervise => {}
    }
    executor.end().await;
    died
}

#[tokio::test]
async fn roles_of_teams_follow_a_cluster_s_audience_and_the_ceiling() {
    let private = PrivateLab::start().await;
    let lab = &private.lab;
    let (one, other) = (lab.new_team("follow").await, lab.new_team("follow").await);
    lab.onboard(&one).await;
    lab.onboard(&other).await;
    let admin = lab.admin().await;
    let places = [one.slug.as_str(), other.slug.as_str()];

    // The plan that people sign says what becomes of the roles.
    let request = change(lab, "cluster/prod-eu", "/spec/audience", "vault.prod-eu").await;
    let plan = lab.person("sam").await.does(&["request", "show", &request]).await.unwrap();
    for said in ["write the audience vault.prod-eu", "made for strongroom are refused"] {
        assert!(plan.contains(said), "{plan}");
    }
    lab.until(&request, "applied").await;
    assert_eq!(field(&admin, &places, "audience").await, vec![json!("vault.prod-eu"); 2]);
    let token = |audience: &'static str| {
        let (api, namespace) = (lab.kubernetes(), one.slug.clone());
        async move { api.token(&namespace, "api", &[audience], 900).await.unwrap() }
    };
    let refused = lab.try_login("prod-eu", &one.slug, token("strongroom").await).await;
    assert!(refused.is_err(), "a token for the audience of before is let in");
    let path = format!("team/{}/kv/data/prod/api/db", one.slug);
    let workload = lab.login("prod-eu", &one.slug, token("vault.prod-eu").await).await;
    workload.reads_soon(&path).await;

    // The longest life of tokens, down and up.
    for (ceiling, seconds) in [("30m", 1800), ("2h", 7200)] {
        let request = change(lab, "platform", "/spec/ceilings/tokenTtl", ceiling).await;
        lab.until(&request, "applied").await;
        assert_eq!(field(&admin, &places, "token_max_ttl").await, vec![json!(seconds); 2]);
    }

    // Whoever dies in the middle, the next one goes on.
    private.executor_end(Signal::TERM).await;
    let offset = 3 + std::process::id() % 6;
    let mut died = 0;
    for number in (offset..).step_by(6).take(4) {
        let audience = format!("vault.{number}");
        let changing = change(lab, "cluster/prod-eu", "/spec/audience", &audience);
        died += applied_by_any(&private, &format!("kill:{number}"), changing).await;
        assert_eq!(field(&admin, &places, "audience").await, [json!(audience), json!(audience)]);
    }
    assert!(died > 0, "no executor died");

    // None of it was anybody else's doing.
    let _executor = private.executor("last", None, &[]);
    let start = Instant::now();
    while !private.log("last").contains("swept") {
        assert!(start.elapsed() < Duration::from_mins(1), "it never looks at everything");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let sue = lab.person("sue").await;
    let found = sue.does(&["get", "findings", "--all", "-o", "json"]).await.unwrap();
    let found: Vec<Value> = serde_json::from_str(&found).unwrap();
    let drift: Vec<&Value> = found.iter().filter(|each| each["kind"] == "drift").collect();
    assert!(drift.is_empty(), "{drift:#?}");
    println!("roles follow: 7 changes, {died} executors died over 4 of them; 0 taken for drift");
    private.end().await;
}
