//! An administrator's hand in a cluster: looks at the few objects that Strongroom needs, applies them,
//! and makes tokens of the two accounts.
//!
//! The one place of this crate that takes a kubeconfig, and the one that writes. It is for `strongroom
//! cluster bootstrap` alone; the executor must never hold such a credential.

use std::path::Path;

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use secrecy::SecretString;
use serde_json::{Value, json};
use strongroom_domain::name::NamespaceName;

use super::Needed;
use super::call::{Call, CallError, send};
use super::compare::{Standing, compare};
use super::keys;
use crate::cluster::ConnectError;
use crate::reason::reason;

/// A cluster as its administrator sees it.
pub struct Administrator {
    client: Client,
    /// The name of the kubeconfig's context.
    pub context: String,
    /// The API server, as the kubeconfig names it.
    pub server: String,
    /// The CA that the kubeconfig trusts; `None` where it trusts what the system trusts.
    pub ca_pem: Option<String>,
}

impl std::fmt::Debug for Administrator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Administrator")
            .field("context", &self.context)
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}

/// What signs a cluster's tokens, as the cluster tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer {
    /// The `iss` of its tokens.
    pub issuer: String,
    /// Its public keys, PEM.
    pub keys: Vec<String>,
}

impl Administrator {
    /// By a kubeconfig: the given file, else what `KUBECONFIG` names, else `~/.kube/config`. Nothing is
    /// sent yet.
    pub async fn connect(
        kubeconfig: Option<&Path>,
        context: Option<&str>,
    ) -> Result<Self, ConnectError> {
        let wrong = |why: String| ConnectError::Config(why);
        let read = kubeconfig.map_or_else(Kubeconfig::read, Kubeconfig::read_from);
        let file = read.map_err(|error| wrong(error.to_string()))?;
        let name = context.map(str::to_owned).or_else(|| file.current_context.clone());
        let name = name.filter(|name| !name.is_empty()).ok_or_else(|| {
            wrong("the kubeconfig has no current context: name one with --kube-context".into())
        })?;
        if has_proxy(&file, &name) {
            return Err(wrong(format!(
                "the context {name} goes through a proxy (proxy-url), which is not spoken here: use a \
                 context without one, or pipe what is printed without --apply into kubectl"
            )));
        }
        let options = KubeConfigOptions { context: Some(name.clone()), ..Default::default() };
        let config = Config::from_custom_kubeconfig(file, &options).await;
        let mut config = config.map_err(|error| wrong(error.to_string()))?;
        if config.accept_invalid_certs {
            return Err(wrong(format!(
                "the context {name} does not look at who answers (insecure-skip-tls-verify): put the \
                 cluster's CA in its place"
            )));
        }
        // One out of the environment is for other programs.
        config.proxy_url = None;
        let server = config.cluster_url.to_string().trim_end_matches('/').to_owned();
        let ca_pem = config.root_cert.as_ref().map(|certificates| {
            certificates.iter().map(|der| keys::pem("CERTIFICATE", der)).collect()
        });
        let client = Client::try_from(config).map_err(|error| wrong(reason(&error)))?;
        Ok(Self { client, context: name, server, ca_pem })
    }

    /// How the cluster stands to one object.
    pub async fn look(&self, needed: &Needed) -> Result<Standing, CallError> {
        match send(&self.client, &needed.collection, needed.name(), Call::Get).await {
            Ok(read) => Ok(compare(needed, Some(&read))),
            Err(error) if error.code == Some(404) => Ok(compare(needed, None)),
            Err(error) => Err(error),
        }
    }

    /// Whether the object could be applied, or who holds what of it. Nothing is written.
    pub async fn try_apply(&self, needed: &Needed) -> Result<Option<String>, CallError> {
        match self.send_apply(needed, true).await {
            Ok(_) => Ok(None),
            Err(error) if error.code == Some(409) => Ok(Some(error.reason)),
            Err(error) => Err(error),
        }
    }

    /// Applies the object.
    pub async fn apply(&self, needed: &Needed) -> Result<(), CallError> {
        self.send_apply(needed, false).await.map(drop)
    }

    async fn send_apply(&self, needed: &Needed, dry_run: bool) -> Result<Value, CallError> {
        let call = Call::Apply { body: &needed.body, dry_run };
        send(&self.client, &needed.collection, needed.name(), call).await
    }

    /// Makes a token of an account, for the API server itself. The cluster may give a shorter life.
    pub async fn token(
        &self,
        namespace: &NamespaceName,
        account: &str,
        seconds: u32,
    ) -> Result<SecretString, CallError> {
        let collection = format!("/api/v1/namespaces/{namespace}/serviceaccounts");
        let body = json!({
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": { "expirationSeconds": seconds },
        });
        let made = send(&self.client, &collection, account, Call::Token(&body)).await?;
        let token = made.pointer("/status/token").and_then(Value::as_str);
        token.map(SecretString::from).ok_or_else(|| CallError {
            what: format!("make a token of {account}"),
            reason: "the answer holds none".to_owned(),
            code: None,
        })
    }

    /// Who signs the cluster's tokens, and with which keys.
    pub async fn issuer(&self) -> Result<Issuer, CallError> {
        let (place, name) = ("/.well-known", "openid-configuration");
        let told = send(&self.client, place, name, Call::Get).await?;
        let jwks = send(&self.client, "/openid/v1", "jwks", Call::Get).await?;
        let issuer = told.get("issuer").and_then(Value::as_str).unwrap_or_default().to_owned();
        let all = jwks.get("keys").and_then(Value::as_array).into_iter().flatten();
        Ok(Issuer { issuer, keys: all.filter_map(keys::to_pem).collect() })
    }
}

fn has_proxy(file: &Kubeconfig, context: &str) -> bool {
    let named = file.contexts.iter().find(|named| named.name == context);
    let cluster = named.and_then(|named| named.context.as_ref()).map(|context| &context.cluster);
    let cluster = file.clusters.iter().find(|named| Some(&named.name) == cluster);
    let proxy = cluster.and_then(|named| named.cluster.as_ref()?.proxy_url.as_ref());
    proxy.is_some_and(|proxy| !proxy.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bootstrap::Bootstrap;
    use crate::scripted::{Answer, Scripted, ca_pem, failure};

    async fn connected(cluster: Value, context: Option<&str>) -> Result<Administrator, String> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("kubeconfig");
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "one",
            "clusters": [{ "name": "c", "cluster": cluster }],
            "users": [{ "name": "u", "user": { "token": "an-administrators" } }],
            "contexts": [{ "name": "one", "context": { "cluster": "c", "user": "u" } }],
        });
        std::fs::write(&file, config.to_string()).unwrap();
        let connected = Administrator::connect(Some(&file), context).await;
        connected.map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn a_kubeconfig_says_server_and_ca_and_never_that_anybody_may_answer() {
        use base64::Engine as _;
        let (pem, server) = (ca_pem(), "https://k8s.example.com:6443/");
        let data = base64::engine::general_purpose::STANDARD.encode(&pem);
        let good = json!({ "server": server, "certificate-authority-data": data });
        let administrator = connected(good.clone(), None).await.unwrap();
        assert_eq!(administrator.server, "https://k8s.example.com:6443");
        assert_eq!(administrator.ca_pem.as_deref(), Some(pem.as_str()));
        assert_eq!(administrator.context, "one");
        assert!(!format!("{administrator:?}").contains("an-administrators"));

        let none = connected(json!({ "server": server }), None).await.unwrap();
        assert_eq!(none.ca_pem, None);
        let said = connected(good, Some("two")).await.unwrap_err();
        assert!(said.contains("two"), "{said}");
        let blind = json!({ "server": server, "insecure-skip-tls-verify": true });
        let said = connected(blind, None).await.unwrap_err();
        assert!(said.contains("insecure-skip-tls-verify"), "{said}");
        let proxied = json!({ "server": server, "proxy-url": "http://proxy.example.com:1" });
        let said = connected(proxied, None).await.unwrap_err();
        assert!(said.contains("proxy-url"), "{said}");
        let nowhere = Administrator::connect(Some(Path::new("/nonexistent")), None).await;
        assert!(nowhere.unwrap_err().to_string().contains("/nonexistent"));
    }

    #[tokio::test]
    async fn absent_is_only_what_the_api_server_itself_says() {
        let namespace = NamespaceName::new("strongroom-system").unwrap();
        let needed = Bootstrap { namespace, with_reviewer: false }.objects().remove(0);
        let looked = async |answer: fn() -> Answer| {
            let server = Scripted::start(move |_, _| answer()).await;
            let cluster = json!({ "server": server.address() });
            connected(cluster, None).await.unwrap().look(&needed).await
        };
        let absent = looked(|| failure(404, "NotFound", &Value::Null)).await;
        assert_eq!(absent, Ok(Standing::New));
        // A proxy's page says nothing about the object.
        let page = looked(|| Answer::Text(404, "<html>no such page</html>")).await.unwrap_err();
        assert_eq!(
            (page.code, page.what.as_str()),
            (None, "read /api/v1/namespaces/strongroom-system")
        );
        let denied = looked(|| failure(403, "Forbidden", &Value::Null)).await.unwrap_err();
        assert_eq!(denied.code, Some(403));
        assert!(denied.reason.contains("403"), "{denied}");
    }
}
