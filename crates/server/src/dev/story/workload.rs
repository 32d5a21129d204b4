//! A workload: logs in to the engine with its service account's own token and reads.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use secrecy::SecretString;
use serde_json::{Value, json};
use strongroom_engine::error::Failure;
use strongroom_engine::{Session, auth};

use crate::dev::administrator;
use crate::dev::stack::Stack;

/// A live token of a service account.
#[derive(Debug)]
pub struct Workload {
    session: Session,
    entity: String,
}

impl Workload {
    /// Logs in with a projected token of the account.
    pub async fn log_in(stack: &Stack, namespace: &str, account: &str) -> Result<Self> {
        let token =
            stack.kubernetes().api().token(namespace, account, &["strongroom"], 900).await?;
        let client = administrator::client(stack.engine())?;
        let jwt = SecretString::from(token);
        let login = auth::kubernetes_login(&client, "k8s/prod-eu", namespace, &jwt)
            .await
            .with_context(|| format!("{namespace}/{account} logs in"))?;
        ensure!(
            login.policies.iter().all(|policy| policy != "default" && policy != "root"),
            "the login gave more than the account's own rights: {:?}",
            login.policies
        );
        let entity = login.entity_id.clone();
        Ok(Self { session: Session::with_login(client, login), entity })
    }

    /// The engine's id of whom it logged in as.
    pub fn entity_id(&self) -> &str {
        &self.entity
    }

    /// Reads a secret; waits a little while the account is being attached.
    pub async fn read_until(&self, path: &str) -> Result<Value> {
        let start = Instant::now();
        loop {
            match self.session.read(path, "{secret}").await {
                Ok(Some(value)) => return Ok(value),
                Ok(None) => bail!("there is no secret"),
                Err(error) if error.failure == Failure::Denied => {
                    if start.elapsed() > Duration::from_secs(30) {
                        bail!("still refused after 30 seconds");
                    }
                }
                Err(error) => return Err(error.into()),
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Waits until reading is refused.
    pub async fn refused_until(&self, path: &str) -> Result<()> {
        let start = Instant::now();
        while self.session.read(path, "{secret}").await.is_ok() {
            if start.elapsed() > Duration::from_secs(30) {
                bail!("still reads after 30 seconds");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.is_refused(path).await
    }

    /// Makes sure that reading is refused, now and as a refusal.
    pub async fn is_refused(&self, path: &str) -> Result<()> {
        match self.session.read(path, "{path}").await {
            Err(error) if error.failure == Failure::Denied => Ok(()),
            Err(error) => Err(error).context("refused in another way than expected"),
            Ok(_) => bail!("{path} can be read"),
        }
    }

    /// Makes sure that writing is refused.
    pub async fn cannot_write(&self, path: &str) -> Result<()> {
        match self.session.write(path, "{path}", &json!({ "data": { "x": "y" } })).await {
            Err(error) if error.failure == Failure::Denied => Ok(()),
            Err(error) => Err(error).context("refused in another way than expected"),
            Ok(_) => bail!("{path} can be written"),
        }
    }

    /// Renews the token by itself.
    pub async fn renew(&self) -> Result<()> {
        let path = "auth/token/renew-self";
        self.session.write(path, path, &json!({})).await?;
        Ok(())
    }
}
