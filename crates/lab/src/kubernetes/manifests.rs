//! Manifests as a person's `kubectl` sends them: what the API server objects to, and kinds that it
//! learns from somebody's definitions.
//!
//! A manifest travels as the text that it is, so that the API server reads it and nobody before it.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use reqwest::{Method, StatusCode};
use serde_json::Value;

use super::KubernetesApi;

const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

/// What says where a manifest goes.
#[derive(Debug, Clone, Copy)]
pub struct Address<'a> {
    /// `GROUP/VERSION`, or `v1`.
    pub api_version: &'a str,
    /// The kind.
    pub kind: &'a str,
    /// The namespace.
    pub namespace: &'a str,
}

impl KubernetesApi {
    /// Makes the kind of a definition known, and waits until it is served.
    pub async fn define(&self, definition: &Value) -> Result<()> {
        let text = |at: &str| definition.pointer(at).and_then(Value::as_str);
        let name = text("/metadata/name").context("a definition without a name")?;
        let kind = text("/spec/names/kind").context("a definition without a kind")?;
        let group = text("/spec/group").context("a definition without a group")?;
        self.ensure(DEFINITIONS, definition.clone()).await?;
        let start = Instant::now();
        loop {
            let found = self.call(Method::GET, &format!("{DEFINITIONS}/{name}"), None).await?;
            let served = self.raw(Method::GET, &format!("/apis/{group}"), None).await?.1;
            if is_established(&found) && self.serves(&served, kind).await? {
                return Ok(());
            }
            if start.elapsed() > Duration::from_secs(30) {
                bail!("{name} is not established: {}", found["status"]);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Whether the newest version of a group has a kind.
    async fn serves(&self, group: &Value, kind: &str) -> Result<bool> {
        let newest = group.pointer("/preferredVersion/groupVersion").and_then(Value::as_str);
        let Some(newest) = newest else { return Ok(false) };
        Ok(self.resource(newest, kind).await?.is_some())
    }

    /// Sends a manifest without anything being stored, every field of it held against the schema.
    /// Gives the API server's sentence where it does not take it.
    pub async fn objection_to(&self, address: Address<'_>, text: &str) -> Result<Option<String>> {
        let Address { api_version, kind, namespace } = address;
        let (path, resource) = self
            .resource(api_version, kind)
            .await?
            .with_context(|| format!("the API server knows no {kind} in {api_version}"))?;
        let url = format!(
            "{}{path}/namespaces/{namespace}/{resource}?dryRun=All&fieldValidation=Strict",
            self.server
        );
        let request = self.http.post(url).bearer_auth(&self.token);
        let request = request.header("content-type", "application/yaml").body(text.to_owned());
        let answer = request.send().await.with_context(|| format!("send a {kind}"))?;
        let (status, told) = (answer.status(), answer.text().await?);
        match status {
            status if status.is_success() => Ok(None),
            StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => {
                let told: Value = serde_json::from_str(&told).unwrap_or_default();
                let message = told.get("message").and_then(Value::as_str);
                Ok(Some(message.unwrap_or("it says no more").to_owned()))
            }
            status => bail!("send a {kind}: {status} {told}"),
        }
    }

    /// The path of a version of the API, and what a kind is called there.
    async fn resource(&self, api_version: &str, kind: &str) -> Result<Option<(String, String)>> {
        let root = if api_version.contains('/') { "/apis" } else { "/api" };
        let path = format!("{root}/{api_version}");
        let (status, list) = self.raw(Method::GET, &path, None).await?;
        if status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let all = list.get("resources").and_then(Value::as_array);
        let name = all.into_iter().flatten().find_map(|each| {
            let name = each.get("name")?.as_str()?;
            // `serviceaccounts/token` has a kind of its own, and some have that of another.
            let is_it = each.get("kind")?.as_str()? == kind && !name.contains('/');
            is_it.then(|| name.to_owned())
        });
        Ok(name.map(|name| (path, name)))
    }
}

fn is_established(definition: &Value) -> bool {
    let conditions = definition.pointer("/status/conditions").and_then(Value::as_array);
    conditions
        .into_iter()
        .flatten()
        .any(|each| each["type"] == "Established" && each["status"] == "True")
}
