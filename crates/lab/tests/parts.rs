//! Each part starts, does its work, and takes up its data at the next start.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::os::unix::fs::PermissionsExt as _;

use base64::Engine as _;
use serde_json::{Value, json};
use strongroom_lab::engine::http_client;
use strongroom_lab::{
    Browser, Client, Engine, EngineOptions, InitRequest, Kubernetes, Parts, Postgres, Provider,
    ProviderOptions, User,
};

fn dir() -> tempfile::TempDir {
    let dir = tempfile::Builder::new().prefix("strongroom-lab-").tempdir().unwrap();
    // Postgres runs as another user than root.
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    dir
}

#[tokio::test]
async fn postgres_starts_twice_on_the_same_data() {
    let (parts, dir) = (Parts::find().unwrap(), dir());
    let first = Postgres::start(&parts, dir.path(), false).await.unwrap();
    let url = first.admin_url("postgres");
    first.stop().await.unwrap();
    let second = Postgres::start(&parts, dir.path(), false).await.unwrap();
    assert_eq!(second.admin_url("postgres"), url);
    second.stop().await.unwrap();
}

#[tokio::test]
async fn the_engine_initialises_itself_and_keeps_its_data() {
    let (parts, dir) = (Parts::find().unwrap(), dir());
    let request =
        |name: &str, path: &str, data| InitRequest { name: name.into(), path: path.into(), data };
    let text = "# a ${comment}\npath \"secret/*\" {\n  capabilities = [\"read\"]\n}\n";
    let options = EngineOptions {
        initialize: vec![
            request("policy", "sys/policies/acl/reader", json!({ "policy": text })),
            request("users", "sys/auth/userpass", json!({ "type": "userpass" })),
            request(
                "user",
                "auth/userpass/users/eve",
                json!({ "password": "p\"q\\", "token_policies": ["reader", "default"] }),
            ),
        ],
        ..EngineOptions::default()
    };
    for _ in 0..2 {
        let engine = Engine::start(&parts, dir.path(), options.clone()).await.unwrap();
        let http = http_client(engine.ca_pem()).unwrap();
        let login: Value = http
            .post(format!("{}/v1/auth/userpass/login/eve", engine.address()))
            .json(&json!({ "password": "p\"q\\" }))
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        assert_eq!(login.pointer("/auth/policies"), Some(&json!(["default", "reader"])), "{login}");
        assert!(engine.audit_logs().iter().all(|log| log.metadata().unwrap().len() > 0));
        engine.stop().await.unwrap();
    }
}

#[tokio::test]
async fn the_provider_signs_people_in_with_their_groups() {
    let (parts, dir) = (Parts::find().unwrap(), dir());
    let options = ProviderOptions {
        users: vec![User {
            name: "alice".into(),
            password: "pw".into(),
            groups: vec!["payments-dev".into()],
        }],
        clients: vec![Client {
            name: "cli".into(),
            confidential: false,
            redirect_uris: vec!["http://127.0.0.1/callback".into()],
        }],
    };
    let mut issuers = Vec::new();
    for _ in 0..2 {
        let provider = Provider::start(&parts, dir.path(), &options).await.unwrap();
        let client = provider.client_id("cli").unwrap();
        // SHA-256 of "verifier-verifier-verifier-verifier-verifier" is not needed: plain works.
        let verifier = "v".repeat(50);
        let url = format!(
            "{}/ui/vault/identity/oidc/provider/lab/authorize?response_type=code&client_id={client}\
             &redirect_uri=http://127.0.0.1:7777/callback&scope=openid%20groups&state=s&nonce=n\
             &max_age=300&code_challenge={verifier}&code_challenge_method=plain",
            provider.address()
        );
        let mut browser = Browser::new("alice", "pw").unwrap();
        let target = browser.authorize(&url).await.unwrap();
        let code = target.query_pairs().find(|(k, _)| k == "code").unwrap().1.into_owned();
        let answer: Value = http_client(None)
            .unwrap()
            .post(format!("{}/token", provider.issuer()))
            .form(&[
                ("grant_type", "authorization_code"),
                ("code", &code),
                ("redirect_uri", "http://127.0.0.1:7777/callback"),
                ("client_id", client),
                ("code_verifier", &verifier),
            ])
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        let token = answer["id_token"].as_str().unwrap_or_else(|| panic!("{answer}"));
        let payload = token.split('.').nth(1).unwrap();
        let claims: Value = serde_json::from_slice(
            &base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).unwrap(),
        )
        .unwrap();
        assert_eq!(claims["nonce"], "n");
        assert_eq!(claims["groups"], json!(["payments-dev"]));
        assert!(claims["auth_time"].is_i64(), "{claims}");
        issuers.push((claims["iss"].clone(), claims["sub"].clone()));
        provider.stop().await.unwrap();
    }
    assert_eq!(issuers[0], issuers[1], "issuer and subject survive a restart");
}

#[tokio::test]
async fn the_kubernetes_api_has_namespaces_accounts_and_tokens() {
    let (parts, dir) = (Parts::find().unwrap(), dir());
    let cluster = Kubernetes::start(&parts, dir.path()).await.unwrap();
    let api = cluster.api();
    let first = api.create_namespace("payments-prod").await.unwrap();
    api.create_service_account("payments-prod", "api").await.unwrap();
    let token = api.token("payments-prod", "api", &["strongroom"], 600).await.unwrap();
    assert_eq!(token.split('.').count(), 3);
    api.delete_namespace("payments-prod").await.unwrap();
    let second = api.create_namespace("payments-prod").await.unwrap();
    assert_ne!(first, second);
    api.strongroom_tokens().await.unwrap();
    cluster.stop().await.unwrap();
}
