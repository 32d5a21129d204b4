//! Tokens that are not what they say: of another audience, another cluster, another time, a pod or
//! an account that is gone, another signer. On both ways in which a cluster can be registered.
//!
//! Where the engine checks signatures by public keys it asks no API server, so a token of a deleted
//! pod or account goes on being let in until it expires. What it can do then hangs on the account's
//! UID alone, and the tests here say exactly what that is.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};
use strongroom_engine::error::Failure;
use strongroom_engine::{Session, auth, sys};
use strongroom_lab::kubernetes::KubernetesApi;
use strongroom_lab::{Kubernetes, Parts};

use crate::keyed;
use crate::support::{Lab, Team, document};

const AUDIENCE: &str = "strongroom";

/// The claims of a token.
fn claims(jwt: &str) -> Value {
    let part = jwt.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

fn signing_key(pem: &[u8]) -> EncodingKey {
    EncodingKey::from_ec_der(PrivateKeyDer::from_pem_slice(pem).unwrap().secret_der())
}

/// The cluster's own signature over other claims.
pub fn signed(lab: &Lab, like: &str, change: impl FnOnce(&mut Value)) -> String {
    let pem = std::fs::read(lab.dir().join("kubernetes/service-account.pem")).unwrap();
    let mut claims = claims(like);
    change(&mut claims);
    let mut header = Header::new(Algorithm::ES256);
    header.kid = jsonwebtoken::decode_header(like).unwrap().kid;
    let key = signing_key(&pem);
    jsonwebtoken::encode(&header, &claims, &key).unwrap()
}

/// A token in three parts with this head and this signature.
fn assembled(head: &Value, claims: &Value, signature: &[u8]) -> String {
    let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let (head, body) = (head.to_string(), claims.to_string());
    format!("{}.{}.{}", part(head.as_bytes()), part(body.as_bytes()), part(signature))
}

/// Signed by somebody else, by nobody, or with the public key as if it were a secret.
fn forgeries(lab: &Lab, good: &str) -> Vec<(&'static str, String)> {
    let claims = claims(good);
    let head: Value = serde_json::to_value(jsonwebtoken::decode_header(good).unwrap()).unwrap();
    let (start, signature) = good.rsplit_once('.').unwrap();
    let mut bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
    bytes[20] ^= 1;
    let other = rcgen::KeyPair::generate().unwrap().serialize_pem();
    let other = signing_key(other.as_bytes());
    let mut header = Header::new(Algorithm::ES256);
    header.kid = jsonwebtoken::decode_header(good).unwrap().kid;
    let public = std::fs::read(lab.dir().join("kubernetes/service-account.pub.pem")).unwrap();
    let confused = Header { alg: Algorithm::HS256, ..header.clone() };
    let mut none = head.clone();
    none["alg"] = json!("none");
    let mut swapped = claims.clone();
    swapped["sub"] = json!("system:serviceaccount:default:default");
    vec![
        ("one bit of the signature", format!("{start}.{}", URL_SAFE_NO_PAD.encode(bytes))),
        ("no signature", format!("{start}.")),
        ("an empty signature", assembled(&head, &claims, &[0; 64])),
        ("another key", jsonwebtoken::encode(&header, &claims, &other).unwrap()),
        ("no algorithm", assembled(&none, &claims, b"")),
        (
            "the public key as a secret",
            jsonwebtoken::encode(&confused, &claims, &EncodingKey::from_secret(&public)).unwrap(),
        ),
        ("other claims under a good signature", {
            let body = URL_SAFE_NO_PAD.encode(swapped.to_string());
            let head = start.split_once('.').unwrap().0;
            format!("{head}.{body}.{signature}")
        }),
    ]
}

/// Refused by the engine's own answer, not because something was down.
async fn is_refused(lab: &Lab, cluster: &str, role: &str, jwt: &str) -> Result<(), String> {
    match lab.try_login(cluster, role, jwt.to_owned()).await {
        Ok(login) => Err(format!("let in with {:?}", login.policies)),
        Err(error) if matches!(error.failure, Failure::Denied | Failure::Invalid(_)) => Ok(()),
        Err(error) => Err(format!("no answer of the engine: {error}")),
    }
}

/// What a login may do at the team's paths; and its policies.
async fn rights(lab: &Lab, login: auth::Login, slug: &str) -> (Vec<String>, Vec<String>) {
    let policies = login.policies.clone();
    let session = Session::with_login(lab.engine(), login);
    let mut allowed = Vec::new();
    let paths: Vec<String> = ["data", "metadata", "subkeys"]
        .iter()
        .flat_map(|area| {
            [format!("team/{slug}/kv/{area}/prod/api/db"), format!("team/{slug}/kv/{area}/")]
        })
        .collect();
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    // A token without any right may not even ask; the engine says so by refusing.
    match sys::capabilities_self(&session, &paths).await {
        Ok(answers) => {
            let may = answers.into_iter().filter(|(_, words)| words != &["deny"]);
            allowed.extend(may.map(|(path, words)| format!("{path}: {words:?}")));
        }
        Err(error) => assert_eq!(error.failure, Failure::Denied, "{error}"),
    }
    for path in paths {
        if session.read(path, "{path}").await.is_ok() {
            allowed.push(format!("{path}: read"));
        }
    }
    (allowed, policies)
}

/// Tokens that must not be let in anywhere, whatever the mount's method.
async fn wrong_tokens(
    lab: &Lab,
    slug: &str,
    elsewhere: &KubernetesApi,
) -> Vec<(&'static str, String)> {
    let api = lab.kubernetes();
    let good = api.token(slug, "api", &[AUDIENCE], 3600).await.unwrap();
    let now = claims(&good)["iat"].as_i64().unwrap();
    elsewhere.create_namespace(slug).await.unwrap();
    elsewhere.create_service_account(slug, "api").await.unwrap();
    api.create_service_account(slug, "other").await.unwrap();
    let mut wrong = vec![
        ("another audience", api.token(slug, "api", &["elsewhere"], 3600).await.unwrap()),
        ("the API server's audience", api.token(slug, "api", &[], 3600).await.unwrap()),
        ("a longer audience", api.token(slug, "api", &["strongroom-x"], 3600).await.unwrap()),
        ("another cluster", elsewhere.token(slug, "api", &[AUDIENCE], 3600).await.unwrap()),
        ("another account", api.token(slug, "other", &[AUDIENCE], 3600).await.unwrap()),
        ("another namespace", api.token("default", "default", &[AUDIENCE], 3600).await.unwrap()),
        (
            "expired",
            signed(lab, &good, |claims| {
                claims["iat"] = json!(now - 7200);
                claims["nbf"] = json!(now - 7200);
                claims["exp"] = json!(now - 3600);
            }),
        ),
        (
            "not yet good",
            signed(lab, &good, |claims| {
                claims["iat"] = json!(now + 3600);
                claims["nbf"] = json!(now + 3600);
                claims["exp"] = json!(now + 7200);
            }),
        ),
        ("another issuer", signed(lab, &good, |claims| claims["iss"] = json!("https://other"))),
        (
            "no audience",
            signed(lab, &good, |claims| {
                claims.as_object_mut().unwrap().remove("aud");
            }),
        ),
        ("nothing", String::new()),
        ("no token", "not.a.token".to_owned()),
    ];
    wrong.extend(forgeries(lab, &good));
    wrong
}

#[tokio::test]
async fn k8s_07_wrong_tokens_are_not_let_in() {
    let lab = Lab::get();
    let keyed = "keyed-seven";
    keyed::register(&lab, keyed).await;
    let dir = tempfile::Builder::new().prefix("strongroom-elsewhere-").tempdir().unwrap();
    let elsewhere = Kubernetes::start(&Parts::find().unwrap(), dir.path()).await.unwrap();

    let mut refused = 0;
    let mut said = Vec::new();
    for cluster in ["prod-eu", keyed] {
        let team = lab.new_team("kseven").await;
        let slug = team.slug.clone();
        let text = document(&slug, true).replace("prod-eu", cluster);
        let team = Team { file: lab.write(&format!("{slug}.yaml"), &text), slug: slug.clone() };
        lab.until_seen(&team).await;
        lab.onboard(&team).await;
        let path = format!("team/{slug}/kv/data/prod/api/db");
        lab.workload_on(cluster, &slug, "api").await.reads_soon(&path).await;

        // What is wrong with an expired token is its time and nothing else: our own signature over
        // the same claims is let in.
        let api = lab.kubernetes();
        let good = api.token(&slug, "api", &[AUDIENCE], 3600).await.unwrap();
        let again = signed(&lab, &good, |_| {});
        lab.login(cluster, &slug, again).await.reads_soon(&path).await;

        for (what, jwt) in wrong_tokens(&lab, &slug, elsewhere.api()).await {
            let answer = is_refused(&lab, cluster, &slug, &jwt).await;
            assert_eq!(answer, Ok(()), "a token with {what} at {cluster}");
            refused += 1;
        }
        // A good token at a role of another namespace, and at a role that is not there.
        for role in ["default", "", "*", &format!("{slug}-x"), &slug.to_uppercase()] {
            let answer = is_refused(&lab, cluster, role, &good).await;
            if role == slug.to_uppercase() && answer.is_err() {
                // The engine folds a role's name; the role is the same one.
                continue;
            }
            assert_eq!(answer, Ok(()), "the role {role:?} at {cluster}");
            refused += 1;
        }
        let (late, told) = if cluster == keyed {
            of_what_is_gone_by_keys(&lab, cluster, &slug).await
        } else {
            of_what_is_gone(&lab, cluster, &slug).await
        };
        refused += late;
        said.push(told);
    }
    elsewhere.stop().await.unwrap();
    println!(
        "K8S-07: 0 logins of {refused} wrong tokens at two kinds of clusters; {}",
        said.join("; ")
    );
}

/// A pod-bound token of `api`, and a plain one of `batch`; then pod and account are deleted.
async fn tokens_of_what_is_gone(lab: &Lab, cluster: &str, slug: &str) -> (String, String) {
    let api = lab.kubernetes();
    let uid = api.create_pod(slug, "worker", "api").await.unwrap();
    let pod = api.pod_token(slug, "api", AUDIENCE, ("worker", &uid)).await.unwrap();
    let account = api.token(slug, "batch", &[AUDIENCE], 3600).await.unwrap();
    // Both are good while what they are bound to is there.
    let path = |name: &str| format!("team/{slug}/kv/data/prod/{name}/db");
    lab.login(cluster, slug, pod.clone()).await.reads_soon(&path("api")).await;
    let live = lab.login(cluster, slug, account.clone()).await;
    live.reads_soon(&path("batch")).await;
    api.delete_pod(slug, "worker").await.unwrap();
    api.delete_service_account(slug, "batch").await.unwrap();
    live.refused_soon(&path("batch")).await;
    (pod, account)
}

/// With a reviewer the API server says that they are gone. It may look into a cache for a moment.
async fn of_what_is_gone(lab: &Lab, cluster: &str, slug: &str) -> (usize, String) {
    let (pod, account) = tokens_of_what_is_gone(lab, cluster, slug).await;
    let start = Instant::now();
    for (what, jwt) in [("pod", &pod), ("account", &account)] {
        loop {
            let answer = is_refused(lab, cluster, slug, jwt).await;
            if answer.is_ok() {
                break;
            }
            let late = start.elapsed() > Duration::from_mins(1);
            assert!(!late, "a token of a deleted {what} is {answer:?}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        for _ in 0..5 {
            assert_eq!(is_refused(lab, cluster, slug, jwt).await, Ok(()), "{what}");
        }
    }
    (10, "by review, a deleted pod's and a deleted account's tokens are refused".to_owned())
}

/// By keys both are let in until they expire. The deleted account's login is a fresh entity without
/// any right. The deleted pod's is its account's, which is there and still entitled.
async fn of_what_is_gone_by_keys(lab: &Lab, cluster: &str, slug: &str) -> (usize, String) {
    let (pod, account) = tokens_of_what_is_gone(lab, cluster, slug).await;
    let login = lab.try_login(cluster, slug, account.clone()).await.unwrap();
    let (allowed, policies) = rights(lab, login, slug).await;
    assert!(allowed.is_empty() && policies.is_empty(), "{allowed:?} {policies:?}");
    // Made anew inside the namespace, the account's earlier token gives nothing of the new one.
    lab.kubernetes().create_service_account(slug, "batch").await.unwrap();
    let path = format!("team/{slug}/kv/data/prod/batch/db");
    lab.workload_on(cluster, slug, "batch").await.reads_soon(&path).await;
    let login = lab.try_login(cluster, slug, account).await.unwrap();
    let (allowed, policies) = rights(lab, login, slug).await;
    assert!(allowed.is_empty() && policies.is_empty(), "{allowed:?} {policies:?}");

    let login = lab.try_login(cluster, slug, pod.clone()).await.unwrap();
    let mut policies = login.policies.clone();
    policies.sort();
    assert_eq!(policies, ["strongroom.self".to_owned(), format!("team.{slug}.binding.api")]);
    // It ends with the account.
    lab.kubernetes().delete_service_account(slug, "api").await.unwrap();
    let path = format!("team/{slug}/kv/data/prod/api/db");
    let live = lab.login(cluster, slug, pod.clone()).await;
    live.refused_soon(&path).await;
    let login = lab.try_login(cluster, slug, pod).await.unwrap();
    let (allowed, policies) = rights(lab, login, slug).await;
    assert!(allowed.is_empty() && policies.is_empty(), "{allowed:?} {policies:?}");
    let told = "by keys, a deleted account's token is let in until it expires and may do nothing; \
                a deleted pod's has its account's rights until token or account ends";
    (0, told.to_owned())
}
