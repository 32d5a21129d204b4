//! The administrator of the lab's provider: what happens at a real one while Strongroom runs.
//!
//! Keys are turned, people come into groups and leave them. Only a lab knows the password.

use anyhow::{Context as _, Result};
use reqwest::Method;
use serde_json::{Value, json};

use crate::engine::http_client;
use crate::provider::text;

/// Calls of the provider's own administrator.
#[derive(Debug, Clone)]
pub struct ProviderAdmin {
    http: reqwest::Client,
    address: String,
    token: String,
}

impl ProviderAdmin {
    /// Signs in.
    pub async fn sign_in(address: &str, password: &str) -> Result<Self> {
        let http = http_client(None)?;
        let login: Value = http
            .post(format!("{address}/v1/auth/admins/login/admin"))
            .json(&json!({ "password": password }))
            .send()
            .await?
            .json()
            .await?;
        let token = text(&login, "/auth/client_token")?;
        Ok(Self { http, address: address.to_owned(), token })
    }

    async fn send(&self, method: Method, path: &str, body: Value) -> Result<Value> {
        let request = self
            .http
            .request(method, format!("{}/v1/{path}", self.address))
            .header("x-vault-token", &self.token);
        let request = if body.is_null() { request } else { request.json(&body) };
        let answer = request.send().await.with_context(|| format!("call the provider: {path}"))?;
        let status = answer.status();
        let text = answer.text().await?;
        anyhow::ensure!(status.is_success(), "provider {path}: {status} {text}");
        Ok(serde_json::from_str(&text).unwrap_or_default())
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Result<Value> {
        self.send(Method::POST, path, body).await
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Value> {
        self.send(Method::GET, path, Value::Null).await
    }

    /// Signs with a new key from now on, and publishes the old one for so long.
    pub async fn rotate_key(&self, published: &str) -> Result<()> {
        let body = json!({ "verification_ttl": published });
        self.post("identity/oidc/key/default/rotate", body).await.map(drop)
    }

    /// The id by which tokens name a person.
    pub async fn person_id(&self, user: &str) -> Result<String> {
        text(&self.get(&format!("identity/entity/name/{user}")).await?, "/data/id")
    }

    /// Puts a person into a group, or takes them out of it.
    pub async fn set_member(&self, group: &str, user: &str, member: bool) -> Result<()> {
        let id = self.person_id(user).await?;
        let path = format!("identity/group/name/{group}");
        let known = self.get(&path).await?;
        let known = known.pointer("/data/member_entity_ids").and_then(Value::as_array);
        let mut members: Vec<Value> = known.cloned().unwrap_or_default();
        members.retain(|each| each.as_str() != Some(id.as_str()));
        if member {
            members.push(id.into());
        }
        self.post(&path, json!({ "member_entity_ids": members })).await.map(drop)
    }
}
