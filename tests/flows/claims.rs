//! A namespace has one team, by its document and the platform's vote, and by nothing a tenant can
//! write anywhere else.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::api::Api;
use crate::support::{Lab, Team};

/// A team of `group`, with one claim or none and with a binding or without.
fn document(slug: &str, group: &str, claim: Option<&str>, binding: Option<&str>) -> Value {
    let mut spec = json!({
        "displayName": "Test", "contact": "test@example.com",
        "people": { "owners": [{ "group": group }] },
        "mounts": [{ "name": "kv", "type": "kv-v2" }],
    });
    if let Some(namespace) = claim {
        spec["namespaces"] = json!([{
            "cluster": "prod-eu", "name": namespace, "environment": "development",
        }]);
    }
    if let Some(namespace) = binding {
        spec["bindings"] = json!([{
            "name": "api", "cluster": "prod-eu", "namespace": namespace,
            "serviceAccounts": ["api"],
            "access": [{ "mount": "kv", "path": "prod/*", "level": "read" }],
        }]);
    }
    json!({
        "apiVersion": "strongroom.dev/v1", "kind": "Team", "metadata": { "name": slug },
        "spec": spec,
    })
}

/// Labels and annotations by which tenants of other systems prove who owns a namespace.
fn says_it_is(slug: &str) -> Value {
    json!({
        "strongroom.dev/team": slug, "team": slug, "owner": slug, "tenant": slug,
        "capsule.clastix.io/tenant": slug, "field.cattle.io/projectId": slug,
    })
}

async fn preview(api: &Api, documents: &[Value]) -> crate::api::Answer {
    api.post("requests/preview", &json!({ "documents": documents })).await
}

#[tokio::test]
async fn k8s_06_a_namespace_is_given_by_vote_and_by_nothing_else() {
    let lab = Lab::get();
    let owner = lab.new_team("ksix").await;
    lab.onboard(&owner).await;
    let theirs = owner.slug.as_str();
    let other = format!("{theirs}-x");
    let api = lab.kubernetes();
    let carol = Api::of(&lab, "carol").await;
    let mut refused = 0;

    // The tenant writes its name on what is another's, and on nobody's.
    api.annotate_namespace(theirs, &says_it_is(&other)).await.unwrap();
    let nobodys = format!("{theirs}-free");
    api.create_namespace(&nobodys).await.unwrap();
    api.create_service_account(&nobodys, "api").await.unwrap();
    let team = |claim, binding| document(&other, "orders-leads", claim, binding);
    let absent = format!("{theirs}-absent");
    for (what, body, pointer, words) in [
        ("another's", team(Some(theirs), None), "/spec/namespaces/0", "claimed by another team"),
        (
            "another's, used",
            team(Some(theirs), Some(theirs)),
            "/spec/namespaces/0",
            "claimed by another team",
        ),
        ("another's, not claimed", team(None, Some(theirs)), "/spec/bindings/0", "does not claim"),
        ("nobody's, not claimed", team(None, Some(&nobodys)), "/spec/bindings/0", "does not claim"),
        (
            "one claimed, another used",
            team(Some(&nobodys), Some(theirs)),
            "/spec/bindings/0",
            "does not claim",
        ),
        (
            "what is not there",
            team(Some(&absent), Some(&absent)),
            "/spec/namespaces/0",
            "does not exist",
        ),
        (
            "Strongroom's own reader",
            team(Some("kube-system"), None),
            "/spec/namespaces/0/name",
            "kube-",
        ),
    ] {
        let answer = preview(&carol, std::slice::from_ref(&body)).await;
        assert!(answer.is_invalid(), "{what}: {} {:#}", answer.status, answer.body);
        let told = answer.faults();
        let place = format!("/documents/0{pointer}");
        let hit = told.iter().any(|(at, message)| *at == place && message.contains(words));
        assert!(hit, "{what}: {told:?}");
        // Who has it is not told to strangers.
        assert!(!answer.body.to_string().contains(&format!("team {theirs}")), "{what}: {told:?}");
        let file = lab.write("claim.yaml", &body.to_string()).display().to_string();
        let arguments = ["apply", "-f", &file, "--reason", "mine", "--yes"];
        let printed = lab.person("carol").await.run(&arguments).await.unwrap();
        assert_ne!(printed.code, 0, "{what} is submitted");
        refused += 2;
    }
    let both = [
        team(Some(&nobodys), None),
        document(&format!("{other}-y"), "orders-leads", Some(&nobodys), None),
    ];
    let answer = preview(&carol, &both).await;
    assert!(answer.is_invalid() && answer.body.to_string().contains("claimed twice"));
    refused += 1;

    // Nobody's namespace, with and without the tenant's name on it: the same votes are needed.
    let unnamed = stages(&carol, &team(Some(&nobodys), Some(&nobodys))).await;
    assert!(unnamed.to_string().contains("platform-sre"), "no vote of the platform: {unnamed}");
    for name in [&other, theirs] {
        api.annotate_namespace(&nobodys, &says_it_is(name)).await.unwrap();
        let named = stages(&carol, &team(Some(&nobodys), Some(&nobodys))).await;
        assert_eq!(named, unnamed, "a label changes who must sign");
    }
    println!(
        "K8S-06: 0 accepted of {refused} claims on what is another's, nobody's or not there; labels and annotations change nothing"
    );
}

async fn stages(api: &Api, document: &Value) -> Value {
    let answer = preview(api, std::slice::from_ref(document)).await;
    assert_eq!(answer.status, 200, "{:#}", answer.body);
    assert_eq!(answer.body["risk"], "high", "{:#}", answer.body);
    answer.body["stages"].clone()
}

/// Two requests for one namespace, both taken in while it is nobody's: the first that is applied
/// has it, and the votes for the second give nothing.
#[tokio::test]
async fn k8s_06_of_two_claims_at_once_one_is_applied() {
    let lab = Lab::get();
    let mut lost = 0;
    // With a binding, and as a mere claim, which leaves nothing in the engine.
    for first_binds in [true, false] {
        let word = format!("ksixb-{}", &uuid::Uuid::new_v4().simple().to_string()[..8]);
        let api = lab.kubernetes();
        api.create_namespace(&word).await.unwrap();
        api.create_service_account(&word, "api").await.unwrap();
        let (one, two) = (format!("{word}-a"), format!("{word}-b"));
        let binding = first_binds.then_some(word.as_str());
        let first = document(&one, "payments-leads", Some(&word), binding);
        let second = document(&two, "orders-leads", Some(&word), Some(&word));
        let submit = async |person: &str, slug: &str, document: &Value| {
            let file = lab.write(&format!("{slug}.yaml"), &document.to_string());
            let team = Team { slug: slug.to_owned(), file };
            lab.until_seen(&team).await;
            lab.person(person).await.submits(&team.file, "ours", &[]).await.unwrap()
        };
        let first = submit("bob", &one, &first).await;
        let second = submit("carol", &two, &second).await;
        for request in [&first, &second] {
            lab.until(request, "in_review").await;
        }
        lab.decide(&first, &["sue"]).await;
        // The vote may be refused already; if it is taken it must not count for anything.
        let _ = lab.person("sue").await.run(&["approve", &second, "--yes"]).await.unwrap();
        let mut start = Instant::now();
        let mut reason = String::new();
        while reason.is_empty() || start.elapsed() < Duration::from_secs(3) {
            let shown = lab.request(&second).await;
            assert_ne!(shown["state"], "applied", "two teams have {word}: {shown:#}");
            assert!(start.elapsed() < Duration::from_mins(1), "nobody is told why: {shown:#}");
            let told = shown["stateReason"].as_str().unwrap_or_default();
            if reason.is_empty() && !told.is_empty() {
                (reason, start) = (told.to_owned(), Instant::now());
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        assert!(reason.contains("claimed by another team"), "{reason}");
        let admin = lab.admin().await;
        let policy = format!("sys/policies/acl/team.{two}.binding.api");
        assert!(admin.read(&policy, "{policy}").await.unwrap().is_none(), "it was half applied");
        lost += 1;
    }
    println!(
        "K8S-06: of 2 claims at once on one namespace 1 is applied; {lost} of {lost} second ones are not"
    );
}
