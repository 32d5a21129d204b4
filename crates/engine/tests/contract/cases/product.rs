//! What the engine is and can do.

use secrecy::SecretString;
use serde_json::json;
use strongroom_engine::auth::Login;
use strongroom_engine::error::Failure;
use strongroom_engine::sys::{self, Capabilities, Product};
use strongroom_engine::{Call, Method, Session};
use strongroom_vault_model::policy::SELF_POLICY;

use crate::server::Server;

pub async fn says_what_it_is(server: &Server) {
    let about = sys::about(&server.client()).await.unwrap();
    assert_eq!((about.product, about.version), (server.product, server.version));
    assert!(!about.cluster_id.is_empty());
    match server.product {
        Product::OpenBao => about.ensure_supported(false).unwrap(),
        // The one that can be built here is too old to be written to outside tests.
        Product::Vault => {
            let refusal = about.ensure_supported(false).unwrap_err().to_string();
            assert!(refusal.starts_with("the engine is Vault 1.21.0; "), "{refusal}");
            about.ensure_supported(true).unwrap();
        }
    }
}

pub async fn tells_what_it_can_do(server: &Server) {
    let all = server.product == Product::OpenBao;
    let expected =
        Capabilities { policies_expire: all, policy_list_is_detailed: all, namespaces: all };
    let found = sys::capabilities(&server.admin(), SELF_POLICY).await.unwrap();
    assert_eq!(found, expected);
    // The executor may have the list too: it looks at everything in one call.
    let found = sys::capabilities(&server.executor(), SELF_POLICY).await.unwrap();
    assert_eq!(found, expected);
}

pub async fn namespaces_are_used_only_where_they_are_not_ignored(server: &Server) {
    let inside = server.client().in_namespace("contract").await;
    if server.product == Product::Vault {
        assert_eq!(inside.unwrap_err().failure, Failure::NamespaceIgnored);
        return;
    }
    let bad = server.client().in_namespace("a/../b").await;
    assert_eq!(bad.unwrap_err().failure, Failure::BadPath);

    let admin = server.admin();
    admin.write("sys/namespaces/contract", "sys/namespaces/{name}", &json!({})).await.unwrap();
    let body = json!({ "policies": ["contract-admin"], "ttl": "5m" });
    let token = admin.write("auth/token/create", "auth/token/create", &body).await.unwrap();
    let token = token.auth["client_token"].as_str().unwrap().to_owned();
    let login = Login {
        token: SecretString::from(token),
        ttl_seconds: 300,
        entity_id: String::new(),
        policies: Vec::new(),
    };
    let inside = Session::with_login(inside.unwrap(), login);
    let (path, template) = ("sys/policies/acl/inside-only", "sys/policies/acl/{name}");
    let policy = json!({ "policy": "path \"x\" { capabilities = [\"read\"] }" });
    inside.write(path, template, &policy).await.unwrap();
    assert!(inside.read(path, template).await.unwrap().is_some());
    assert!(admin.read(path, template).await.unwrap().is_none());
    let in_root = Call::new(Method::List, "sys/policies/acl", "sys/policies/acl");
    let names = admin.call(in_root).await.unwrap().data["keys"].to_string();
    assert!(!names.contains("inside-only"), "{names}");
}
