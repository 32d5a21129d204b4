//! The executor is given a right that it must not have: told, and nothing is applied.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::private::PrivateLab;
use crate::support::{Lab, document};

async fn alarm(lab: &Lab) -> Option<Value> {
    let out = lab.person("sue").await.does(&["get", "findings", "-o", "json"]).await.unwrap();
    let all: Vec<Value> = serde_json::from_str(&out).unwrap();
    all.into_iter().find(|each| each["kind"] == "capabilities")
}

async fn until_alarm(lab: &Lab, wanted: bool) -> Option<Value> {
    let start = Instant::now();
    loop {
        let found = alarm(lab).await;
        if found.is_some() == wanted {
            return found;
        }
        assert!(start.elapsed() < Duration::from_mins(1), "alarm: {}", !wanted);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test]
async fn the_auditor_shows_a_right_too_many_and_applies_stop() {
    let private = PrivateLab::start().await;
    let lab = &private.lab;
    let team = lab.new_team("selfcheck").await;
    lab.onboard(&team).await;
    assert!(alarm(lab).await.is_none(), "red before anything was done");
    let admin = lab.admin().await;
    let path = "sys/policies/acl/strongroom-executor";
    let own = admin.read(path, "{policy}").await.unwrap().unwrap()["policy"].clone();
    let more = format!(
        "{}path \"team/+/+/data/*\" {{ capabilities = [\"read\"] }}\n",
        own.as_str().unwrap()
    );
    let text = document(&team.slug, true).replace("displayName: Test", "displayName: Other");
    let file = lab.write("other.yaml", &text);
    let request = lab.person("bob").await.submits(&file, "a name", &[]).await.unwrap();
    lab.until(&request, "in_review").await;

    let start = Instant::now();
    admin.write(path, "{policy}", &json!({ "policy": more })).await.unwrap();
    let told = until_alarm(lab, true).await.unwrap();
    let took = start.elapsed();
    assert_eq!(told["severity"], "alarm");
    assert!(told["text"].as_str().unwrap().contains("/kv/data/"), "{told:#}");
    lab.person("sue").await.approves(&request).await.unwrap();
    tokio::time::sleep(Duration::from_secs(4)).await;
    let shown = lab.request(&request).await;
    assert_eq!(shown["state"], "approved");
    assert!(shown["stateReason"].as_str().unwrap_or_default().contains("must not"), "{shown:#}");

    admin.write(path, "{policy}", &json!({ "policy": own })).await.unwrap();
    until_alarm(lab, false).await;
    lab.until(&request, "applied").await;
    println!("self-check: a right too many told after {took:?}; nothing applied until it was gone");
    private.end().await;
}
