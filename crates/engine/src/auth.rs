//! Logins: the executor's `AppRole`, a workload's Kubernetes token, a person's OIDC sign-in.

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use crate::client::{Call, EngineClient, Method};
use crate::error::{EngineError, Failure};
use crate::session::{AppRole, Session};

/// What a login gave.
#[derive(Debug, Clone)]
pub struct Login {
    /// The token.
    pub token: SecretString,
    /// How long it lives, seconds.
    pub ttl_seconds: u64,
    /// The entity it belongs to; empty for none.
    pub entity_id: String,
    /// Policies from identity and token, as the engine tells them.
    pub policies: Vec<String>,
}

impl Login {
    pub(crate) fn from_auth(auth: &Value, template: &'static str) -> Result<Self, EngineError> {
        let text = |name: &str| auth.get(name).and_then(Value::as_str);
        let token = text("client_token").ok_or_else(|| {
            EngineError::new(Failure::Malformed("a login without a token".into()), template)
        })?;
        let policies = auth.get("policies").and_then(Value::as_array);
        Ok(Self {
            token: SecretString::from(token),
            ttl_seconds: auth.get("lease_duration").and_then(Value::as_u64).unwrap_or(0),
            entity_id: text("entity_id").unwrap_or_default().to_owned(),
            policies: policies
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
        })
    }
}

/// Logs in by `AppRole`.
pub async fn approle_login(client: &EngineClient, approle: &AppRole) -> Result<Login, EngineError> {
    let template = "auth/approle/login";
    let body = json!({
        "role_id": approle.role_id,
        "secret_id": approle.secret_id.expose_secret(),
    });
    let envelope = client.call(Call::post(template, template, &body), None).await?;
    Login::from_auth(&envelope.auth, template)
}

/// The accessor of a session's own token.
pub async fn own_accessor(session: &Session) -> Result<String, EngineError> {
    let template = "auth/token/lookup-self";
    let data = session.read(template, template).await?.unwrap_or_default();
    let accessor = data.get("accessor").and_then(Value::as_str).ok_or_else(|| {
        EngineError::new(Failure::Malformed("a token without an accessor".into()), template)
    })?;
    Ok(accessor.to_owned())
}

/// The policies of another token, its own and those of its entity, by its accessor.
pub async fn policies_of(session: &Session, accessor: &str) -> Result<Vec<String>, EngineError> {
    let template = "auth/token/lookup-accessor";
    let answer = session.write(template, template, &json!({ "accessor": accessor })).await?;
    let list = |name: &str| {
        let words = answer.data.get(name).and_then(Value::as_array);
        words.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned)
    };
    let mut all: Vec<String> = list("policies").chain(list("identity_policies")).collect();
    all.sort();
    all.dedup();
    Ok(all)
}

/// Makes a new `SecretID` for a role; the session's token must allow it.
pub async fn approle_new_secret_id(
    session: &Session,
    role: &str,
) -> Result<SecretString, EngineError> {
    let template = "auth/approle/role/{role}/secret-id";
    let path = format!("auth/approle/role/{role}/secret-id");
    let envelope = session.write(&path, template, &json!({})).await?;
    let secret = envelope.data.get("secret_id").and_then(Value::as_str).ok_or_else(|| {
        EngineError::new(Failure::Malformed("no secret_id in the answer".into()), template)
    })?;
    Ok(SecretString::from(secret))
}

/// Ends a `SecretID` of a role.
pub async fn approle_destroy_secret_id(
    session: &Session,
    role: &str,
    secret_id: &SecretString,
) -> Result<(), EngineError> {
    let template = "auth/approle/role/{role}/secret-id/destroy";
    let path = format!("auth/approle/role/{role}/secret-id/destroy");
    session.write(&path, template, &json!({ "secret_id": secret_id.expose_secret() })).await?;
    Ok(())
}

/// Logs a workload in with its Kubernetes token.
pub async fn kubernetes_login(
    client: &EngineClient,
    mount: &str,
    role: &str,
    jwt: &SecretString,
) -> Result<Login, EngineError> {
    let template = "auth/{mount}/login";
    let path = format!("auth/{mount}/login");
    let body = json!({ "role": role, "jwt": jwt.expose_secret() });
    let envelope = client.call(Call::post(&path, template, &body), None).await?;
    Login::from_auth(&envelope.auth, template)
}

/// Asks the engine where a person signs in; the answer is a URL of the provider.
pub async fn oidc_auth_url(
    client: &EngineClient,
    mount: &str,
    role: &str,
    redirect_uri: &str,
    client_nonce: &str,
) -> Result<String, EngineError> {
    let template = "auth/{mount}/oidc/auth_url";
    let path = format!("auth/{mount}/oidc/auth_url");
    let body = json!({ "role": role, "redirect_uri": redirect_uri, "client_nonce": client_nonce });
    let envelope = client.call(Call::post(&path, template, &body), None).await?;
    let url = envelope.data.get("auth_url").and_then(Value::as_str).unwrap_or_default();
    if url.is_empty() {
        let why = "no sign-in page; is the redirect address allowed by the role?";
        return Err(EngineError::new(Failure::Malformed(why.into()), template));
    }
    Ok(url.to_owned())
}

/// Finishes a person's sign-in with what the provider sent back.
pub async fn oidc_callback(
    client: &EngineClient,
    mount: &str,
    state: &str,
    code: &str,
    client_nonce: &str,
) -> Result<Login, EngineError> {
    let template = "auth/{mount}/oidc/callback";
    let path = format!("auth/{mount}/oidc/callback");
    let query = [("state", state), ("code", code), ("client_nonce", client_nonce)];
    let call = Call { query: &query, ..Call::new(Method::Get, &path, template) };
    let envelope = client.call(call, None).await?;
    Login::from_auth(&envelope.auth, template)
}
