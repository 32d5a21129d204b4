//! A cluster whose tokens the engine checks by public keys: the same promises, no reviewer.

use serde_json::{Value, json};

use crate::support::{Lab, Team, document};

const CLUSTER: &str = "keyed-eu";

/// Registers the lab's cluster once more, by its public key; gives its document.
pub async fn register(lab: &Lab, cluster: &str) -> Value {
    let api = lab.kubernetes();
    let key = lab.dir().join("kubernetes/service-account.pub.pem");
    let document = json!({
        "apiVersion": "strongroom.dev/v1",
        "kind": "Cluster",
        "metadata": { "name": cluster },
        "spec": {
            "server": api.server(),
            "ca": api.ca_pem(),
            "auth": {
                "method": "jwt",
                "issuer": "https://kubernetes.default.svc",
                "keys": [std::fs::read_to_string(key).unwrap()],
            },
            "audience": "strongroom",
            "credentials": "prod-eu",
        },
    });
    let file = lab.write("keyed.yaml", &format!("{document:#}\n"));
    let sue = lab.person("sue").await;
    let request = sue.submits(&file, "a cluster by keys", &[]).await.unwrap();
    lab.until(&request, "in_review").await;
    assert_eq!(lab.request(&request).await["risk"], "critical");
    for name in ["sam", "kim"] {
        lab.person(name).await.approves(&request).await.unwrap();
    }
    lab.until(&request, "applied").await;
    document
}

/// The method of a mount cannot be changed under it.
async fn keeps_its_method(lab: &Lab, document: &Value) {
    let other = document.to_string().replace(
        &document["spec"]["auth"].to_string(),
        &json!({ "method": "kubernetes" }).to_string(),
    );
    let file = lab.write("keyed-other.yaml", &other).display().to_string();
    let sue = lab.person("sue").await;
    let printed = sue.run(&["apply", "-f", &file, "--reason", "x", "--dry-run"]).await.unwrap();
    assert_ne!(printed.code, 0, "{}", printed.out);
    assert!(printed.err.contains("another type"), "{}", printed.err);
}

/// What a login with this token says; `None` when it is let in.
async fn refusal(lab: &Lab, role: &str, jwt: String) -> Option<String> {
    lab.try_login(CLUSTER, role, jwt).await.err().map(|error| error.to_string())
}

#[tokio::test]
async fn a_cluster_by_public_keys_keeps_the_same_promises() {
    let lab = Lab::get();
    let registered = register(&lab, CLUSTER).await;
    keeps_its_method(&lab, &registered).await;
    let team = lab.new_team("keyed").await;
    let text = document(&team.slug, true).replace("prod-eu", CLUSTER);
    let team = Team { file: lab.write("keyed-team.yaml", &text), slug: team.slug };
    lab.until_seen(&team).await;
    lab.onboard(&team).await;
    let path = format!("team/{}/kv/data/prod/api/db", team.slug);
    let first = lab.workload_on(CLUSTER, &team.slug, "api").await;
    first.reads_soon(&path).await;
    let batch = lab.workload_on(CLUSTER, &team.slug, "batch").await;
    assert!(batch.is_refused(&path).await, "batch reads what is api's");

    // Logins that are refused.
    let api = lab.kubernetes();
    api.create_service_account(&team.slug, "other").await.unwrap();
    let mut refused = 0;
    let wrong = [
        ("another audience", api.token(&team.slug, "api", &["elsewhere"], 900).await.unwrap()),
        ("another account", api.token(&team.slug, "other", &["strongroom"], 900).await.unwrap()),
        ("another namespace", api.token("default", "default", &["strongroom"], 900).await.unwrap()),
    ];
    for (what, jwt) in wrong {
        assert!(refusal(&lab, &team.slug, jwt).await.is_some(), "{what} is let in");
        refused += 1;
    }
    let good = api.token(&team.slug, "api", &["strongroom"], 3600).await.unwrap();
    let (signed, _) = good.rsplit_once('.').unwrap();
    let forged = format!("{signed}.{}", "A".repeat(342));
    assert!(refusal(&lab, &team.slug, forged).await.is_some(), "a forged signature is let in");
    refused += 1;

    // An account made anew inside the pinned namespace is attached again by itself, and tokens of
    // the one before stay dead.
    api.delete_service_account(&team.slug, "api").await.unwrap();
    api.create_service_account(&team.slug, "api").await.unwrap();
    first.refused_soon(&path).await;
    let second = lab.workload_on(CLUSTER, &team.slug, "api").await;
    second.reads_soon(&path).await;

    // A namespace made anew reads nothing, not even by a token that was signed before and is still
    // good for logins, because no API server is asked.
    api.delete_namespace(&team.slug).await.unwrap();
    api.create_namespace(&team.slug).await.unwrap();
    api.create_service_account(&team.slug, "api").await.unwrap();
    second.refused_soon(&path).await;
    let newcomer = lab.workload_on(CLUSTER, &team.slug, "api").await;
    let late = lab.login(CLUSTER, &team.slug, good).await;
    for _ in 0..20 {
        assert!(newcomer.is_refused(&path).await && late.is_refused(&path).await);
        assert!(second.is_refused(&path).await && first.is_refused(&path).await);
    }
    println!("keyed cluster: 0 of {refused} wrong tokens let in; 0 reads of 80 after a swap");
}
