//! An engine that others use already is prepared for Strongroom, and nothing of theirs is touched.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use strongroom_engine::session::AppRole;
use strongroom_engine::{EngineAddress, EngineClient, Session, auth, sys};
use strongroom_lab::{Engine, EngineOptions, InitRequest, Parts};
use strongroom_test_support::program;
use tokio::process::Command;

use crate::support::Lab;

const EVERYTHING: &str = "path \"*\" { capabilities = [\"create\", \"read\", \"update\", \"patch\", \
                          \"delete\", \"list\", \"sudo\"] }";

/// An engine with an administrator and things of other teams.
fn before() -> Vec<InitRequest> {
    let role = "auth/approle/role/admin";
    let request = |name: &str, path: &str, data: Value| InitRequest {
        name: name.to_owned(),
        path: path.to_owned(),
        data,
    };
    vec![
        request("approle", "sys/auth/approle", json!({ "type": "approle" })),
        request("admin-policy", "sys/policies/acl/admin", json!({ "policy": EVERYTHING })),
        request("admin", role, json!({ "token_policies": ["admin"], "token_ttl": "20m" })),
        request("admin-id", "auth/approle/role/admin/role-id", json!({ "role_id": "admin" })),
        request(
            "admin-secret",
            "auth/approle/role/admin/custom-secret-id",
            json!({ "secret_id": "an-admins-own-secret" }),
        ),
        request("theirs", "sys/mounts/secret", json!({ "type": "kv" })),
        request(
            "their-policy",
            "sys/policies/acl/theirs",
            json!({ "policy": "path \"secret/*\" { capabilities = [\"read\"] }" }),
        ),
    ]
}

struct Existing {
    engine: Engine,
    client: EngineClient,
    admin: Session,
    token: String,
    dir: tempfile::TempDir,
    issuer: String,
}

impl Existing {
    async fn start() -> Self {
        let issuer = {
            let file = Lab::get().dir().join("serve.yaml");
            let serve: Value =
                serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
            serve["issuer"]["url"].as_str().unwrap().to_owned()
        };
        let dir = tempfile::tempdir().unwrap();
        let parts = Parts::find().unwrap();
        let options = EngineOptions { initialize: before(), ..EngineOptions::default() };
        let engine = Engine::start(&parts, &dir.path().join("engine"), options).await.unwrap();
        let address = EngineAddress {
            url: engine.address().to_owned(),
            ca_pem: engine.ca_pem().map(str::to_owned),
        };
        let client = EngineClient::new(&address, Duration::from_secs(20)).unwrap();
        let approle = AppRole { role_id: "admin".into(), secret_id: "an-admins-own-secret".into() };
        let login = auth::approle_login(&client, &approle).await.unwrap();
        let token = login.token.expose_secret().to_owned();
        let admin = Session::with_login(client.clone(), login);
        std::fs::write(dir.path().join("ca.pem"), engine.ca_pem().unwrap()).unwrap();
        std::fs::write(dir.path().join("client-secret"), "the-engines-own").unwrap();
        Self { engine, client, admin, token, dir, issuer }
    }

    async fn bootstrap(&self, more: &[&str]) -> (i32, String) {
        let file = |name: &str| self.dir.path().join(name);
        let own = file("secrets");
        let dir: &[&str] = if more.contains(&"--secrets-dir") {
            &[]
        } else {
            &["--secrets-dir", own.to_str().unwrap()]
        };
        let output = Command::new(program())
            .args(["engine", "bootstrap", "--issuer", &self.issuer])
            .args(["--client-id", "strongroom-engine", "--executor-address", "127.0.0.1/32"])
            .arg("--client-secret-file")
            .arg(file("client-secret"))
            .args(dir)
            .args(more)
            .env_remove("BAO_NAMESPACE")
            .env_remove("VAULT_NAMESPACE")
            .env("BAO_ADDR", self.engine.address())
            .env("BAO_CACERT", file("ca.pem"))
            .env("BAO_TOKEN", &self.token)
            .output()
            .await
            .unwrap();
        let told = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        for secret in [self.token.as_str(), "the-engines-own"] {
            assert!(!told.contains(secret), "a secret is printed");
        }
        (output.status.code().unwrap(), told)
    }

    /// What only a write moves.
    async fn index(&self) -> u64 {
        sys::applied_index(&self.client).await.unwrap().unwrap()
    }
}

#[tokio::test]
async fn an_engine_that_others_use_is_prepared_and_theirs_is_not_touched() {
    let existing = Existing::start().await;
    let read = async |path: &'static str| existing.admin.read(path, path).await.unwrap();
    let (mounts, theirs) = (read("sys/mounts").await, read("sys/policies/acl/theirs").await);

    let before = existing.index().await;
    let (code, told) = existing.bootstrap(&[]).await;
    assert_eq!(code, 0, "{told}");
    assert!(told.contains("there      sys/auth/approle\n"), "{told}");
    assert!(told.contains("new        sys/mounts/strongroom\n"), "{told}");
    assert!(told.contains("nothing was written; --apply makes these 14 writes"), "{told}");
    assert!(
        told.contains("+path \"strongroom/data/*\""),
        "an administrator sees the policy: {told}"
    );
    assert_eq!(existing.index().await, before, "something was written");
    assert!(!existing.dir.path().join("secrets").exists());

    // Somebody signs in at our path already: nothing at all is written.
    let people = "sys/auth/people";
    existing.admin.write(people, people, &json!({ "type": "approle" })).await.unwrap();
    let before = existing.index().await;
    let (code, told) = existing.bootstrap(&["--apply"]).await;
    assert_eq!(code, 6, "{told}");
    assert!(told.contains("foreign    sys/auth/people: there is something else already"), "{told}");
    assert_eq!(existing.index().await, before, "something was written");
    let delete = strongroom_engine::Call::new(strongroom_engine::Method::Delete, people, people);
    existing.admin.call(delete).await.unwrap();

    let (code, told) = existing.bootstrap(&["--apply"]).await;
    assert_eq!(code, 0, "{told}");
    assert!(told.contains("verified   ") && !told.contains("note "), "{told}");
    for name in ["role-id", "secret-id", "auditor-role-id", "auditor-secret-id"] {
        let file = existing.dir.path().join("secrets").join(name);
        let mode = std::fs::metadata(&file).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{name}");
        let value = std::fs::read_to_string(&file).unwrap();
        assert!(name.ends_with("role-id") || !told.contains(&value), "{name} is printed");
    }
    // Once more there is nothing to do, and what others have is as it was.
    let before = existing.index().await;
    let (code, told) = existing.bootstrap(&["--apply"]).await;
    assert_eq!(code, 0, "{told}");
    assert!(!told.contains("wrote"), "{told}");
    let (code, told) = existing.bootstrap(&[]).await;
    assert!(code == 0 && told.contains("all of it is there; nothing to write"), "{told}");
    println!("engine bootstrap: a second run wrote {} entries", existing.index().await - before);
    assert_eq!(read("sys/policies/acl/theirs").await, theirs);
    let now = read("sys/mounts").await.unwrap();
    let mounts = mounts.unwrap();
    for (path, mount) in mounts.as_object().unwrap() {
        assert_eq!(now[path]["uuid"], mount["uuid"], "{path}");
    }
    // What was prepared works: the executor logs in with what was kept.
    let secret = |name: &str| {
        std::fs::read_to_string(existing.dir.path().join("secrets").join(name)).unwrap()
    };
    let approle = AppRole { role_id: secret("role-id"), secret_id: secret("secret-id").into() };
    auth::approle_login(&existing.client, &approle).await.unwrap();

    let approle = AppRole {
        role_id: secret("auditor-role-id"),
        secret_id: secret("auditor-secret-id").into(),
    };
    auth::approle_login(&existing.client, &approle).await.unwrap();

    // From another directory: the roles are in use, and nobody is locked out.
    let elsewhere = existing.dir.path().join("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    std::fs::write(elsewhere.join("role-id"), "another-one").unwrap();
    let (code, told) =
        existing.bootstrap(&["--apply", "--secrets-dir", elsewhere.to_str().unwrap()]).await;
    assert_eq!(code, 6, "{told}");
    assert!(told.contains("the role is in use") && !told.contains("another-one"), "{told}");

    // Broken off before the engine was told a SecretID: the next run tells it.
    let role = "auth/approle/role/strongroom-auditor";
    let delete = strongroom_engine::Call::new(strongroom_engine::Method::Delete, role, role);
    existing.admin.call(delete).await.unwrap();
    let (code, told) = existing.bootstrap(&["--apply"]).await;
    assert_eq!(code, 0, "{told}");
    assert!(told.contains(&format!("wrote      {role}/custom-secret-id")), "{told}");
    auth::approle_login(&existing.client, &approle).await.unwrap();

    // What somebody changed is shown, and put right on request.
    let path = "sys/policies/acl/strongroom-executor";
    existing.admin.write(path, path, &json!({ "policy": EVERYTHING })).await.unwrap();
    let (_, told) = existing.bootstrap(&[]).await;
    assert!(
        told.contains(&format!("changes    {path}: the policy's text is another one")),
        "{told}"
    );
    let (code, told) = existing.bootstrap(&["--apply"]).await;
    assert!(code == 0 && told.contains(&format!("wrote      {path}")), "{told}");
    existing.engine.stop().await.unwrap();
}
