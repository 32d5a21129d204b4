//! Hand-made changes: found, named with their culprit, put back where that narrows.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};
use strongroom_engine::Session;

use crate::private::PrivateLab;
use crate::support::{Lab, Team};

/// Everything that was ever found.
async fn findings(lab: &Lab) -> Vec<Value> {
    let sue = lab.person("sue").await;
    let out = sue.does(&["get", "findings", "--all", "-o", "json"]).await.unwrap();
    serde_json::from_str(&out).unwrap()
}

/// Waits for a finding about an object; gives it.
pub async fn until_found(lab: &Lab, object: &str) -> Value {
    let start = Instant::now();
    loop {
        let all = findings(lab).await;
        let about = |each: &&Value| {
            each["object"].as_str().is_some_and(|text| text.contains(object))
                || each["key"].as_str().is_some_and(|text| text.contains(object))
        };
        if let Some(found) = all.iter().find(about) {
            return found.clone();
        }
        assert!(start.elapsed() < Duration::from_secs(30), "{object} is not found: {all:#?}");
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
}

/// Waits until an engine object holds this again; gives how long that took.
pub async fn until_holds(admin: &Session, path: &str, pointer: &str, wanted: &Value) -> Duration {
    let start = Instant::now();
    loop {
        let read = admin.read(path, "{object}").await.unwrap().unwrap_or_default();
        let found = read.pointer(pointer).cloned().unwrap_or_default();
        if found == *wanted {
            return start.elapsed();
        }
        assert!(start.elapsed() < Duration::from_secs(30), "{path} holds {found}, not {wanted}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// What an engine object holds now; null where there is none.
pub async fn read(admin: &Session, path: &str, pointer: &str) -> Value {
    let read = admin.read(path, "{object}").await.unwrap().unwrap_or_default();
    read.pointer(pointer).cloned().unwrap_or_default()
}

/// Changes an engine object by hand.
pub async fn put(admin: &Session, path: &str, body: Value) {
    admin.write(path, "{object}", &body).await.unwrap();
}

/// What widens and can be put back: each kind, with who did it.
async fn widened(lab: &Lab, team: &Team, admin: &Session) -> Vec<Duration> {
    let slug = &team.slug;
    let mut took = Vec::new();
    // A policy that allows more.
    let policy = format!("sys/policies/acl/team.{slug}.binding.api");
    let text = read(admin, &policy, "/policy").await;
    let more = format!(
        "{}path \"team/other/kv/data/*\" {{ capabilities = [\"read\"] }}\n",
        text.as_str().unwrap()
    );
    put(admin, &policy, json!({ "policy": more })).await;
    took.push(until_holds(admin, &policy, "/policy", &text).await);
    let found = until_found(lab, &format!("policy team.{slug}.binding.api")).await;
    let culprit = found["culprit"].as_str().unwrap_or_default();
    assert!(culprit.contains("lab-admin") && culprit.contains("127.0.0.1"), "{found:#}");
    assert!(found["text"].as_str().unwrap().contains("team/other/kv/data/"), "{found:#}");

    // A group with a policy and a member too many.
    let group = format!("identity/group/name/team.{slug}.binding.api");
    let policies = read(admin, &group, "/policies").await;
    let mut many = policies.as_array().unwrap().clone();
    many.push(json!("lab-admin"));
    let id = read(admin, &group, "/id").await;
    let by_id = format!("identity/group/id/{}", id.as_str().unwrap());
    put(admin, &by_id, json!({ "policies": many })).await;
    took.push(until_holds(admin, &group, "/policies", &policies).await);
    until_found(lab, &format!("group team.{slug}.binding.api")).await;
    let members = read(admin, &group, "/member_entity_ids").await;
    let stranger = admin
        .write("identity/entity", "identity/entity", &json!({ "name": format!("mallory-{slug}") }))
        .await
        .unwrap();
    let mut all = members.as_array().unwrap().clone();
    all.push(stranger.data["id"].clone());
    put(admin, &group, json!({ "member_entity_ids": all })).await;
    took.push(until_holds(admin, &group, "/member_entity_ids", &members).await);
    until_found(lab, &format!("members group team.{slug}.binding.api")).await;

    // An entity of ours that was given a policy: it goes, and its workload logs in anew.
    let entity = format!("identity/entity/name/sa.prod-eu.{slug}.api");
    let id = read(admin, &entity, "/id").await;
    put(
        admin,
        &format!("identity/entity/id/{}", id.as_str().unwrap()),
        json!({ "policies": ["lab-admin"] }),
    )
    .await;
    let start = Instant::now();
    while read(admin, &entity, "/id").await == id {
        assert!(start.elapsed() < Duration::from_secs(30), "an entity keeps its policy");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    until_found(lab, &format!("entity sa.prod-eu.{slug}.api")).await;

    // A role that carries a policy, one with another name, one without a bound on its tokens.
    let role = format!("auth/k8s/prod-eu/role/{slug}");
    let names = read(admin, &role, "/bound_service_account_names").await;
    put(admin, &role, json!({ "token_policies": ["lab-admin"] })).await;
    took.push(until_holds(admin, &role, "/token_policies", &json!([])).await);
    put(admin, &role, json!({ "bound_service_account_names": ["*"] })).await;
    took.push(until_holds(admin, &role, "/bound_service_account_names", &names).await);
    put(admin, &role, json!({ "alias_name_source": "serviceaccount_name" })).await;
    let uid = json!("serviceaccount_uid");
    took.push(until_holds(admin, &role, "/alias_name_source", &uid).await);
    until_found(lab, &format!("role auth/k8s/prod-eu/role/{slug}")).await;

    // A limit that is gone, and a group of ours that no document names.
    let limit = format!("sys/quotas/rate-limit/team.{slug}.kv");
    let rate = read(admin, &limit, "/rate").await;
    admin.delete(&limit, "{limit}").await.unwrap();
    took.push(until_holds(admin, &limit, "/rate", &rate).await);
    let extra = format!("identity/group/name/team.{slug}.binding.extra");
    let owner = read(admin, &group, "/metadata/owner").await;
    let body = json!({ "policies": ["lab-admin"], "metadata": { "owner": owner } });
    put(admin, &extra, body).await;
    took.push(until_holds(admin, &extra, "", &Value::Null).await);
    took
}

/// Every managed kind, changed by hand.
#[tokio::test]
async fn aud_07_hand_made_changes_are_found_and_put_back_where_that_narrows() {
    let private = PrivateLab::start().await;
    let lab = &private.lab;
    let team = lab.new_team("drift").await;
    lab.onboard(&team).await;
    let slug = &team.slug;
    let path = format!("team/{slug}/kv/data/prod/api/db");
    lab.workload(slug, "api").await.reads_soon(&path).await;
    let admin = lab.admin().await;
    let mut took = widened(lab, &team, &admin).await;

    // Narrowed by hand: told, and left as it is. A request gives it back (and is `high`).
    let policy = format!("sys/policies/acl/team.{slug}.binding.batch");
    let text = read(&admin, &policy, "/policy").await;
    let head = text.as_str().unwrap().lines().next().unwrap().to_owned() + "\n";
    put(&admin, &policy, json!({ "policy": head })).await;
    until_found(lab, &format!("policy team.{slug}.binding.batch")).await;
    let group = format!("identity/group/name/team.{slug}.binding.batch");
    admin.delete(&group, "{group}").await.unwrap();
    until_found(lab, &format!("group team.{slug}.binding.batch")).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(read(&admin, &policy, "/policy").await, json!(head), "widened by itself");
    assert_eq!(read(&admin, &group, "").await, Value::Null, "a group came back by itself");
    // Also a preview says so before anybody signs: the same risk, the same objects.
    let bob = lab.person("bob").await;
    let file = team.file.display().to_string();
    let look = ["apply", "-f", &file, "--dry-run", "--reason", "look", "-o", "json"];
    let preview: Value = serde_json::from_str(&bob.does(&look).await.unwrap()).unwrap();
    assert_eq!(preview["risk"], "high", "{preview:#}");
    assert_eq!(preview["steps"].as_array().unwrap().len(), 2, "{preview:#}");
    let request = bob.submits(&team.file, "give it back", &[]).await.unwrap();
    lab.until(&request, "in_review").await;
    let shown = lab.request(&request).await;
    assert_eq!(shown["risk"], preview["risk"], "{shown:#}");
    lab.person("sue").await.approves(&request).await.unwrap();
    lab.until(&request, "applied").await;
    assert_eq!(read(&admin, &policy, "/policy").await, text);

    // Foreign objects are listed and never touched.
    let foreign = format!("sys/policies/acl/team.{slug}.binding.foreign");
    let body = "path \"x\" { capabilities = [\"read\"] }";
    put(&admin, &foreign, json!({ "policy": body })).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(
        read(&admin, &foreign, "/policy").await,
        json!(body),
        "a foreign policy was touched"
    );

    // K8S-08: who changes the login configuration decides who is believed.
    let calm = lab.new_team("calm").await;
    lab.onboard(&calm).await;
    let calm_secret = format!("team/{}/kv/data/prod/api/db", calm.slug);
    let live = lab.workload(&calm.slug, "api").await;
    live.reads_soon(&calm_secret).await;
    // A request from before.
    let late = lab.new_team("late").await;
    let alice = lab.person("alice").await;
    let request = alice.submits(&late.file, "a team that comes late", &[]).await.unwrap();
    lab.until(&request, "in_review").await;
    let config = "auth/k8s/prod-eu/config";
    let host = read(&admin, config, "/kubernetes_host").await;
    let ca = read(&admin, config, "/kubernetes_ca_cert").await;
    // An administrator of the engine gives it a new reviewer's token, as docs/cluster-bootstrap.md says:
    // that is no change of the cluster, and logins go on.
    let token = lab.kubernetes().token("strongroom-system", "reviewer", &[], 3600).await.unwrap();
    let renewed = json!({
        "kubernetes_host": host, "kubernetes_ca_cert": ca, "disable_local_ca_jwt": true,
        "token_reviewer_jwt": token,
    });
    put(&admin, config, renewed).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let all = findings(lab).await;
    let told = all.iter().find(|each| each.to_string().contains("auth-config"));
    assert!(told.is_none(), "a reviewer's new token is told: {told:#?}");
    lab.workload(&calm.slug, "api").await.reads_soon(&calm_secret).await;
    let start = Instant::now();
    let fake = json!({
        "kubernetes_host": "https://127.0.0.1:1", "kubernetes_ca_cert": ca,
        "disable_local_ca_jwt": true, "token_reviewer_jwt": "of.a.stranger",
    });
    put(&admin, config, fake).await;
    let alarm = until_found(lab, "auth-config auth/k8s/prod-eu").await;
    let alarmed = start.elapsed();
    assert_eq!(alarm["severity"], "alarm", "{alarm:#}");
    took.push(until_holds(&admin, config, "/kubernetes_host", &host).await);
    until_found(lab, "records-differ cluster/prod-eu").await;
    // Until people decided, nothing new is given there, and it is said why.
    for name in ["bob", "sue"] {
        lab.person(name).await.run(&["approve", &request, "--yes"]).await.unwrap();
    }
    let start = Instant::now();
    loop {
        let shown = lab.request(&request).await;
        assert_ne!(shown["state"], "applied", "given although the cluster is frozen");
        let why = shown["stateReason"].as_str().unwrap_or_default();
        if shown["state"] == "approved" && why.contains("the cluster prod-eu is frozen") {
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(30), "nobody says why it waits: {shown:#}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    // Nor by whoever takes over, and cannot read all of it at first.
    private.executor_end(Signal::TERM).await;
    let _again = private.executor("again", None, &[("STRONGROOM_FAULT", "fail:load")]);
    let start = Instant::now();
    while private.log("again").matches("heads are loaded").count() < 2 {
        assert!(start.elapsed() < Duration::from_secs(30), "{}", private.log("again"));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    tokio::time::sleep(Duration::from_secs(4)).await;
    let shown = lab.request(&request).await;
    assert_eq!(shown["state"], "approved", "given after a restart: {shown:#}");
    let file = late.file.display().to_string();
    let again = alice.run(&["apply", "-f", &file, "--reason", "again", "--yes"]).await.unwrap();
    assert!(again.err.contains("cluster/prod-eu is frozen"), "{}", again.err);
    // Frozen takes nothing away; a person does, over the executor's own hold.
    assert!(!live.is_refused(&calm_secret).await, "frozen took something away");
    let sue = lab.person("sue").await;
    sue.does(&["suspend", "cluster/prod-eu", "--reason", "INC-4", "--yes"]).await.unwrap();
    live.refused_soon(&calm_secret).await;
    took.sort();
    println!(
        "AUD-07: {} hand-made changes put back, {:?} at most; 2 narrowings and 1 foreign object \
         left alone. K8S-08: alarm after {alarmed:?}, cluster frozen",
        took.len(),
        took.last().unwrap()
    );
    private.end().await;
}

/// Who people are at the engine is for people to look at: the alarm stands until they say that they have.
#[tokio::test]
async fn aud_07_a_hand_on_the_peoples_login_stays_an_alarm() {
    let private = PrivateLab::start().await;
    let lab = &private.lab;
    let admin = lab.admin().await;
    let role = "auth/people/role/people";
    let now = read(&admin, role, "").await;
    let fields =
        ["user_claim", "groups_claim", "allowed_redirect_uris", "oidc_scopes", "role_type"];
    let same: serde_json::Map<String, Value> =
        fields.iter().map(|name| ((*name).to_owned(), now[*name].clone())).collect();
    put(&admin, role, Value::Object(same)).await;
    until_found(lab, role).await;
    let stands = async || {
        let all = findings(lab).await;
        let of_kind =
            |each: &&Value| each["kind"] == "people-login" && each["resolvedAt"].is_null();
        all.iter().filter(of_kind).count()
    };
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(stands().await, 1, "an alarm that nobody has looked at went out");
    private.locally("execute.yaml", &["acknowledge", "--reason", "compared: as it was"]).await;
    let start = Instant::now();
    while stands().await > 0 {
        assert!(start.elapsed() < Duration::from_secs(20), "it cannot be acknowledged");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    private.end().await;
}
