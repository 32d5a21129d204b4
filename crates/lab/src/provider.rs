//! A second OpenBao as OIDC provider, with users, groups and clients.
//!
//! It keeps issuer, keys and subjects over restarts, because people are told apart by them.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::engine::{Engine, EngineOptions, InitRequest};
use crate::parts::Parts;
use crate::process::{random_word, remembered};
use crate::provider_admin::ProviderAdmin;

/// The provider's name inside the second OpenBao.
const NAME: &str = "lab";

/// A person who can sign in.
#[derive(Debug, Clone)]
pub struct User {
    /// The sign-in name.
    pub name: String,
    /// The password.
    pub password: String,
    /// The groups.
    pub groups: Vec<String>,
}

/// A client of the provider.
#[derive(Debug, Clone)]
pub struct Client {
    /// Its name.
    pub name: String,
    /// Whether it has a secret.
    pub confidential: bool,
    /// Where codes may be sent.
    pub redirect_uris: Vec<String>,
}

/// Who and what the provider knows.
#[derive(Debug, Clone, Default)]
pub struct ProviderOptions {
    /// People.
    pub users: Vec<User>,
    /// Clients.
    pub clients: Vec<Client>,
}

/// A running provider.
#[derive(Debug)]
pub struct Provider {
    engine: Engine,
    clients: BTreeMap<String, (String, Option<String>)>,
    admin: ProviderAdmin,
    admin_password: String,
}

pub(crate) fn text(value: &Value, pointer: &str) -> Result<String> {
    let found = value.pointer(pointer).and_then(Value::as_str);
    Ok(found.with_context(|| format!("no {pointer} in the provider's answer"))?.to_owned())
}

impl Provider {
    /// Starts the provider on `dir` and brings users and clients up to date.
    pub async fn start(parts: &Parts, dir: &Path, options: &ProviderOptions) -> Result<Self> {
        std::fs::create_dir_all(dir)?;
        let password = remembered(&dir.join("admin-password"), || random_word(16))?;
        let request = |name: &str, path: &str, data| InitRequest {
            name: name.into(),
            path: path.into(),
            data,
        };
        let everything = "path \"*\" {\n  capabilities = [\"create\", \"read\", \"update\", \"patch\", \
                          \"delete\", \"list\", \"sudo\"]\n}";
        let engine_options = EngineOptions {
            plain_http: true,
            initialize: vec![
                request("policy", "sys/policies/acl/lab-admin", json!({ "policy": everything })),
                request("admins", "sys/auth/admins", json!({ "type": "userpass" })),
                request(
                    "admin",
                    "auth/admins/users/admin",
                    json!({ "password": password, "token_policies": ["lab-admin"] }),
                ),
                request(
                    "users",
                    "sys/auth/userpass",
                    json!({ "type": "userpass", "config": { "listing_visibility": "unauth" } }),
                ),
            ],
            ..EngineOptions::default()
        };
        let engine =
            Engine::start(parts, dir, engine_options).await.context("start the provider")?;
        let admin = ProviderAdmin::sign_in(engine.address(), &password).await?;
        let mut provider =
            Self { engine, clients: BTreeMap::new(), admin, admin_password: password };
        provider.configure(options).await.context("configure the provider")?;
        Ok(provider)
    }

    async fn configure(&mut self, options: &ProviderOptions) -> Result<()> {
        let admin = &self.admin;
        let accessor = text(&admin.get("sys/auth/userpass").await?, "/data/accessor")?;
        let mut members: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for user in &options.users {
            let entity = self.ensure_user(user, &accessor).await?;
            for group in &user.groups {
                members.entry(group).or_default().push(entity.clone());
            }
        }
        for (group, entities) in members {
            let path = format!("identity/group/name/{group}");
            admin.post(&path, json!({ "member_entity_ids": entities })).await?;
        }
        let template = "{\"groups\": {{identity.entity.groups.names}}, \
                        \"preferred_username\": {{identity.entity.name}}}";
        admin.post("identity/oidc/scope/groups", json!({ "template": template })).await?;
        for client in &options.clients {
            let path = format!("identity/oidc/client/{}", client.name);
            let kind = if client.confidential { "confidential" } else { "public" };
            let body = json!({
                "redirect_uris": client.redirect_uris,
                "assignments": ["allow_all"],
                "client_type": kind,
                "id_token_ttl": "10m",
                "access_token_ttl": "10m",
            });
            admin.post(&path, body).await?;
            let answer = admin.get(&path).await?;
            let id = text(&answer, "/data/client_id")?;
            let secret = text(&answer, "/data/client_secret").ok().filter(|s| !s.is_empty());
            self.clients.insert(client.name.clone(), (id, secret));
        }
        let body = json!({
            "issuer": self.engine.address(),
            "allowed_client_ids": ["*"],
            "scopes_supported": ["groups"],
        });
        self.admin.post(&format!("identity/oidc/provider/{NAME}"), body).await?;
        Ok(())
    }

    async fn ensure_user(&self, user: &User, accessor: &str) -> Result<String> {
        let admin = &self.admin;
        let path = format!("auth/userpass/users/{}", user.name);
        admin.post(&path, json!({ "password": user.password })).await?;
        let path = format!("identity/entity/name/{}", user.name);
        admin.post(&path, json!({ "metadata": {} })).await?;
        let id = text(&admin.get(&path).await?, "/data/id")?;
        let body = json!({ "name": user.name, "canonical_id": id, "mount_accessor": accessor });
        admin.post("identity/entity-alias", body).await?;
        Ok(id)
    }

    /// The issuer.
    pub fn issuer(&self) -> String {
        format!("{}/v1/identity/oidc/provider/{NAME}", self.engine.address())
    }

    /// `http://127.0.0.1:port`, where its login page is.
    pub fn address(&self) -> &str {
        self.engine.address()
    }

    /// The password of the provider's administrator.
    pub fn admin_password(&self) -> &str {
        &self.admin_password
    }

    /// The client id of a client.
    pub fn client_id(&self, name: &str) -> Result<&str> {
        let (id, _) = self.clients.get(name).with_context(|| format!("no client {name}"))?;
        Ok(id)
    }

    /// The secret of a confidential client.
    pub fn client_secret(&self, name: &str) -> Result<&str> {
        let secret = self.clients.get(name).and_then(|(_, secret)| secret.as_deref());
        secret.with_context(|| format!("the client {name} has no secret"))
    }

    /// Ends the provider cleanly.
    pub async fn stop(self) -> Result<()> {
        self.engine.stop().await
    }
}
