//! An administrator of the sandbox's engine: what somebody with too many rights can do by hand.
//!
//! Only `dev` and tests have one; no real engine has one like it, and Strongroom's own processes
//! never use it. Its password lies in the data directory.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use secrecy::SecretString;
use serde_json::{Value, json};
use strongroom_engine::auth::Login;
use strongroom_engine::{Call, EngineAddress, EngineClient, Session};
use strongroom_lab::process::{random_word, remembered};
use strongroom_lab::{Engine, InitRequest};

/// Where it logs in, and as whom.
const LOGIN: &str = "auth/lab/login/admin";

/// Where its password is kept, in the data directory.
pub const PASSWORD_FILE: &str = "engine-admin-password";

/// The administrator of one engine.
#[derive(Debug, Clone)]
pub struct Administrator {
    password: String,
}

impl Administrator {
    /// The one of this directory; none where an engine was set up without.
    pub fn of(dir: &Path) -> Result<Option<Self>> {
        let file = dir.join(PASSWORD_FILE);
        if dir.join("engine").is_dir() && !file.is_file() {
            return Ok(None);
        }
        Ok(Some(Self { password: remembered(&file, || random_word(16))? }))
    }

    /// What it logs in with.
    pub fn password(&self) -> &str {
        &self.password
    }

    /// What the engine does to itself at its first start, so that it is there.
    pub fn requests(&self) -> Vec<InitRequest> {
        let everything = "path \"*\" {\n  capabilities = [\"create\", \"read\", \"update\", \
                          \"patch\", \"delete\", \"list\", \"sudo\"]\n}";
        let request = |name: &str, path: &str, data| InitRequest {
            name: name.into(),
            path: path.into(),
            data,
        };
        vec![
            request("lab-policy", "sys/policies/acl/lab-admin", json!({ "policy": everything })),
            request("lab-users", "sys/auth/lab", json!({ "type": "userpass" })),
            request(
                "lab-admin",
                "auth/lab/users/admin",
                json!({
                    "password": self.password,
                    "token_policies": ["lab-admin"],
                    "token_ttl": "4h",
                }),
            ),
        ]
    }

    /// Logs in.
    pub async fn log_in(&self, engine: &Engine) -> Result<Session> {
        let client = client(engine)?;
        let body = json!({ "password": self.password });
        let envelope = client.call(Call::post(LOGIN, LOGIN, &body), None).await?;
        let token = envelope.auth.get("client_token").and_then(Value::as_str);
        let login = Login {
            token: SecretString::from(token.context("a login without a token")?),
            ttl_seconds: 3600,
            entity_id: String::new(),
            policies: Vec::new(),
        };
        Ok(Session::with_login(client, login))
    }
}

/// A client of the sandbox's engine.
pub fn client(engine: &Engine) -> Result<EngineClient> {
    let address = EngineAddress {
        url: engine.address().to_owned(),
        ca_pem: engine.ca_pem().map(str::to_owned),
    };
    Ok(EngineClient::new(&address, Duration::from_secs(10))?)
}
