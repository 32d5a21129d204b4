//! Names that are the beginning of one another, spelled in other cases, or used before: each is
//! one team's for ever.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use strongroom_engine::sys;

use crate::api::Api;
use crate::support::{Lab, Team};

/// A team with everything in it.
fn full(slug: &str, group: &str) -> Value {
    let mut document = empty(slug, group);
    document["spec"]["mounts"] = json!([{ "name": "kv", "type": "kv-v2" }]);
    document["spec"]["namespaces"] = json!([{
        "cluster": "prod-eu", "name": slug, "environment": "development",
    }]);
    document["spec"]["bindings"] = json!([{
        "name": "api", "cluster": "prod-eu", "namespace": slug, "serviceAccounts": ["api"],
        "access": [{ "mount": "kv", "path": "prod/*", "level": "admin" }],
    }]);
    document
}

/// The same team emptied as far as a document can.
fn empty(slug: &str, group: &str) -> Value {
    json!({
        "apiVersion": "strongroom.dev/v1", "kind": "Team", "metadata": { "name": slug },
        "spec": {
            "displayName": "Test", "contact": "test@example.com",
            "people": { "owners": [{ "group": group }] },
        },
    })
}

fn team(lab: &Lab, document: &Value) -> Team {
    let slug = document["metadata"]["name"].as_str().unwrap().to_owned();
    Team { file: lab.write(&format!("{slug}.yaml"), &document.to_string()), slug }
}

/// Onboarded by its own people, with a value of its own.
async fn onboard(lab: &Lab, owner: &str, group: &str, slug: &str) -> Team {
    let api = lab.kubernetes();
    api.create_namespace(slug).await.unwrap();
    api.create_service_account(slug, "api").await.unwrap();
    let team = team(lab, &full(slug, group));
    lab.until_seen(&team).await;
    let request = lab.person(owner).await.submits(&team.file, "new", &[]).await.unwrap();
    lab.decide(&request, &["sue"]).await;
    let path = format!("team/{slug}/kv/data/prod/db");
    let value = json!({ "data": { "password": format!("value-of-{slug}") } });
    lab.admin().await.write(&path, "{secret}", &value).await.unwrap();
    lab.workload(slug, "api").await.reads_soon(&path).await;
    team
}

/// What the person may see of a team, in lists and by name.
async fn sees(api: &Api, slug: &str) -> Vec<String> {
    let mut seen = Vec::new();
    for path in [
        format!("documents/team/{slug}"),
        format!("documents/team/{slug}?revision=1"),
        format!("teams/{slug}/bindings"),
    ] {
        if api.get(&path).await.status != 404 {
            seen.push(path);
        }
    }
    for path in [
        format!("events?subject=team/{slug}"),
        format!("requests?subject=team/{slug}"),
        "teams".to_owned(),
        "events".to_owned(),
        "requests".to_owned(),
        "findings".to_owned(),
    ] {
        let answer = api.get(&path).await;
        let text = answer.body.to_string();
        let names = [
            format!("team/{slug}\""),
            format!("team/{slug}/"),
            format!("team.{slug}."),
            format!("\"{slug}\""),
        ];
        if names.iter().any(|name| text.contains(name)) {
            seen.push(path);
        }
    }
    seen
}

#[tokio::test]
async fn iso_05_a_name_is_one_teams_for_ever() {
    let lab = Lab::get();
    let word = format!("isofive{}", &uuid::Uuid::new_v4().simple().to_string()[..8]);
    let (old, near) = (word.clone(), format!("{word}-c"));
    let first = onboard(&lab, "bob", "payments-leads", &old).await;
    onboard(&lab, "carol", "orders-leads", &near).await;

    // Beginnings of one another, and neither reaches the other.
    let mut cells = 0;
    for (from, to) in [(&old, &near), (&near, &old)] {
        let workload = lab.workload(from, "api").await;
        let mut paths = Vec::new();
        for area in ["data", "metadata", "subkeys", "delete", "undelete", "destroy"] {
            for end in ["prod/db", "prod/", "prod", ""] {
                paths.push(format!("team/{to}/kv/{area}/{end}"));
            }
        }
        paths.extend([format!("team/{to}/kv"), format!("sys/mounts/team/{to}/kv")]);
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        for (path, words) in sys::capabilities_self(workload.session(), &paths).await.unwrap() {
            assert_eq!(words, ["deny"], "{from} at {path}");
            cells += 1;
        }
        assert!(workload.is_refused(&format!("team/{to}/kv/data/prod/db")).await);
    }
    let (bob, carol) = (Api::of(&lab, "bob").await, Api::of(&lab, "carol").await);
    assert_eq!(sees(&carol, &old).await, Vec::<String>::new(), "the neighbour's people see it");
    assert_eq!(sees(&bob, &near).await, Vec::<String>::new(), "its people see the neighbour");
    assert!(sees(&bob, &old).await.len() >= 5, "its own people do not see it");

    // Other cases of the name are no names.
    for odd in
        [old.to_uppercase(), format!("I{}", &old[1..]), format!("{old}-C"), near.to_uppercase()]
    {
        let body = json!({ "documents": [empty(&odd, "orders-leads")] });
        let answer = carol.post("requests/preview", &body).await;
        assert!(answer.is_invalid(), "{odd} is taken");
    }

    // Emptied as far as a document can: access ends, the name stays used.
    let live = lab.workload(&old, "api").await;
    let secret = format!("team/{old}/kv/data/prod/db");
    live.reads_soon(&secret).await;
    let emptied = team(&lab, &empty(&old, "payments-leads"));
    let request = lab.person("bob").await.submits(&emptied.file, "we are gone", &[]).await.unwrap();
    lab.decide(&request, &["sue", "sam"]).await;
    live.refused_soon(&secret).await;

    // Nobody else becomes that team, in any way in.
    let mut refused = 0;
    for document in [full(&old, "orders-leads"), empty(&old, "orders-leads")] {
        let answer = carol.post("requests/preview", &json!({ "documents": [document] })).await;
        assert!(answer.is_invalid(), "{:#}", answer.body);
        assert!(answer.body.to_string().contains("this name is taken"), "{:#}", answer.body);
        let again = team(&lab, &document);
        let file = again.file.display().to_string();
        let arguments = ["apply", "-f", &file, "--reason", "ours now", "--yes"];
        let printed = lab.person("carol").await.run(&arguments).await.unwrap();
        assert_ne!(printed.code, 0, "the name was used again");
        assert!(printed.err.contains("this name is taken"), "{}", printed.err);
        refused += 2;
    }
    // Nor does anybody who lets the namespace's name go to a new team inherit what stood there.
    lab.write(&format!("{old}.yaml"), &empty(&old, "payments-leads").to_string());
    let heir = format!("{word}-d");
    let mut document = full(&heir, "orders-leads");
    document["spec"]["namespaces"][0]["name"] = json!(old);
    document["spec"]["bindings"][0]["namespace"] = json!(old);
    let heir_team = team(&lab, &document);
    lab.until_seen(&heir_team).await;
    let request = lab.person("carol").await.submits(&heir_team.file, "heir", &[]).await.unwrap();
    lab.decide(&request, &["sue"]).await;
    let value = json!({ "data": { "password": "value-of-the-heir" } });
    let own = format!("team/{heir}/kv/data/prod/db");
    lab.admin().await.write(&own, "{secret}", &value).await.unwrap();
    let workload = lab.workload(&old, "api").await;
    workload.reads_soon(&own).await;
    assert!(workload.is_refused(&secret).await, "the heir reads what was the old team's");

    // The emptied team's data are still there, for its own people only; its past is not shown.
    let kept = lab.admin().await.read(&secret, "{secret}").await.unwrap().unwrap();
    assert_eq!(kept["data"]["password"], format!("value-of-{old}"));
    assert_eq!(sees(&carol, &old).await, Vec::<String>::new(), "the old team's past is shown");
    let start = Instant::now();
    while bob.get(&format!("events?subject=team/{old}")).await.body["items"]
        .as_array()
        .unwrap()
        .len()
        < 3
    {
        assert!(start.elapsed() < Duration::from_secs(20), "its own people lost its events");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let _ = first;
    println!(
        "ISO-05: 0 of {cells} capabilities between teams whose names begin alike; the used name \
         refused {refused} of {refused} times; nothing of the old team seen by the new one's people"
    );
}
