//! What the executor's credential can do, asked of the engine.

use secrecy::{ExposeSecret as _, SecretString};
use strongroom_engine::session::AppRole;
use strongroom_engine::{Session, auth, sys};

use strongroom_vault_model::bootstrap::forbidden_paths;
use strongroom_vault_model::path::TeamMount;

use crate::support::Lab;

/// The executor's own credential can read no tenant data, delete no mount, touch no audit device,
/// snapshot or plugin, and make no token; it is short-lived and bound to its address.
#[tokio::test]
async fn crd_01_the_executors_credential_opens_no_tenant_data() {
    let lab = Lab::get();
    let team = lab.new_team("crd").await;
    lab.onboard(&team).await;
    let slug = &team.slug;
    let read = |name: &str| std::fs::read_to_string(lab.dir().join(name)).unwrap();
    let approle = AppRole {
        role_id: read("role-id"),
        secret_id: SecretString::from(read("executor/secret-id")),
    };
    let login = auth::approle_login(&lab.engine(), &approle).await.unwrap();
    assert!(login.ttl_seconds <= 600, "the token lives {} s", login.ttl_seconds);
    let token = login.token.clone();
    let session = Session::with_login(lab.engine(), login);

    let mount = TeamMount { team: slug.parse().unwrap(), mount: "kv".parse().unwrap() };
    let mut forbidden = forbidden_paths(&[mount]);
    forbidden.extend([
        format!("team/{slug}/kv/data/prod/api/db"),
        format!("team/{slug}/kv/metadata/"),
        "sys/policies/acl/lab-admin".to_owned(),
    ]);
    let paths: Vec<&str> = forbidden.iter().map(String::as_str).collect();
    let answers = sys::capabilities_self(&session, &paths).await.unwrap();
    assert_eq!(answers.len(), forbidden.len());
    let allowed: Vec<_> = answers.iter().filter(|(_, words)| words != &["deny"]).collect();
    assert!(allowed.is_empty(), "the executor's token may: {allowed:?}");
    // Asking is one thing, trying another.
    for path in &paths[..8] {
        let tried = session.read(path, "{path}").await;
        assert!(tried.is_err(), "{path} can be read");
    }
    let mount = format!("sys/mounts/team/{slug}/kv");
    let may = sys::capabilities_self(&session, &[&mount]).await.unwrap();
    assert!(!may[0].1.contains(&"delete".to_owned()), "the executor may unmount: {may:?}");
    assert!(session.delete(&mount, "{mount}").await.is_err(), "a mount was deleted");

    // Its policy's parameter rules hold for every spelling.
    for policies in [serde_json::json!(["lab-admin"]), "lab-admin".into(), serde_json::json!([])] {
        let body = serde_json::json!({
            "bound_service_account_names": ["x"],
            "bound_service_account_namespaces": [slug],
            "token_policies": policies,
        });
        let path = format!("auth/k8s/prod-eu/role/{slug}");
        assert!(session.write(&path, "{role}", &body).await.is_err(), "{body} was taken");
        let body = serde_json::json!({ "name": "sa.x.y.z", "policies": policies });
        assert!(session.write("identity/entity", "{entity}", &body).await.is_err(), "{body}");
    }

    // From another address the same token is nothing.
    let ca = reqwest::Certificate::from_pem(lab.text("/engine/ca_pem").as_bytes()).unwrap();
    let elsewhere = reqwest::Client::builder()
        .tls_certs_only([ca])
        .local_address(Some("127.0.0.2".parse().unwrap()))
        .build()
        .unwrap();
    let url = format!("{}/v1/auth/token/lookup-self", lab.text("/engine/address"));
    let status = elsewhere
        .get(url)
        .header("x-vault-token", token.expose_secret())
        .send()
        .await
        .unwrap()
        .status();
    assert_eq!(status, 403, "the token works from another address");

    // The first SecretID, which stood in a file of the engine's configuration, is dead.
    let first = AppRole {
        role_id: read("role-id"),
        secret_id: SecretString::from(read("first-secret-id")),
    };
    assert!(auth::approle_login(&lab.engine(), &first).await.is_err(), "the first SecretID lives");
    session.revoke_self().await.unwrap();
    println!(
        "CRD-01: 0 forbidden capabilities of {}; the token lives 600 s at most per login",
        forbidden.len()
    );
}
