//! A real Kubernetes API: etcd, kube-apiserver and the controller manager. No kubelet: pods stay
//! pending, but namespaces, service accounts, tokens and reviews are the real thing.

mod manifests;

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use reqwest::{Method, StatusCode};
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::engine::http_client;
use crate::parts::Parts;
use crate::process::{Process, random_word, remembered, remembered_port, write_private};
use crate::tls::ServerTls;

pub use self::manifests::Address;

/// Whom tokens of service accounts name as their issuer.
pub const ISSUER: &str = "https://kubernetes.default.svc";

/// A running API server with its own administrator.
#[derive(Debug)]
pub struct Kubernetes {
    etcd: Process,
    apiserver: Process,
    controllers: Process,
    api: KubernetesApi,
}

/// Calls of the cluster's administrator; can be made from another process too.
#[derive(Debug, Clone)]
pub struct KubernetesApi {
    http: reqwest::Client,
    server: String,
    ca_pem: String,
    token: String,
}

impl Kubernetes {
    /// Starts a cluster on `dir`.
    pub async fn start(parts: &Parts, dir: &Path) -> Result<Self> {
        std::fs::create_dir_all(dir)?;
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let port = |name: &str| remembered_port(dir, name, loopback);
        let (client_port, peer_port) = (port("etcd-client")?, port("etcd-peer")?);
        let etcd_url = format!("http://127.0.0.1:{client_port}");
        let peer_url = format!("http://127.0.0.1:{peer_port}");
        let mut command = Command::new(&parts.etcd);
        command.arg("--data-dir").arg(dir.join("etcd"));
        command.args(["--listen-client-urls", &etcd_url, "--advertise-client-urls", &etcd_url]);
        command.args(["--listen-peer-urls", &peer_url, "--initial-advertise-peer-urls", &peer_url]);
        command.args(["--initial-cluster", &format!("default={peer_url}")]);
        command.args(["--unsafe-no-fsync", "--log-level", "error"]);
        let mut etcd = Process::start("etcd", dir, command)?;
        let plain = http_client(None)?;
        let health = format!("{etcd_url}/health");
        etcd.wait_ready(Duration::from_secs(30), || async {
            plain.get(&health).send().await.is_ok_and(|answer| answer.status().is_success())
        })
        .await?;

        let api_port = port("apiserver")?;
        let server = format!("https://127.0.0.1:{api_port}");
        let tls = ServerTls::in_dir(dir, &["127.0.0.1", "localhost", "kubernetes"])?;
        let token = remembered(&dir.join("admin-token"), || random_word(24))?;
        write_private(
            &dir.join("tokens.csv"),
            format!("{token},admin,admin,system:masters\n").as_bytes(),
        )?;
        let key = dir.join("service-account.pem");
        if !key.is_file() {
            let pair = rcgen::KeyPair::generate().context("make a key for service accounts")?;
            write_private(&key, pair.serialize_pem().as_bytes())?;
            std::fs::write(dir.join("service-account.pub.pem"), pair.public_key_pem())?;
        }
        let mut command = Command::new(&parts.kube_apiserver);
        command.args(["--etcd-servers", &etcd_url, "--service-account-issuer", ISSUER]);
        command.arg("--service-account-key-file").arg(dir.join("service-account.pub.pem"));
        command.arg("--service-account-signing-key-file").arg(&key);
        command.args(["--api-audiences", ISSUER, "--service-cluster-ip-range", "10.0.0.0/24"]);
        command.arg("--token-auth-file").arg(dir.join("tokens.csv"));
        command.args(["--authorization-mode", "RBAC,Node", "--bind-address", "127.0.0.1"]);
        command.args(["--secure-port", &api_port.to_string()]);
        command.arg("--cert-dir").arg(dir.join("apiserver-certs"));
        command.arg("--tls-cert-file").arg(&tls.cert_file);
        command.arg("--tls-private-key-file").arg(&tls.key_file);
        command.args(["--allow-privileged=true", "--disable-admission-plugins=ServiceAccount"]);
        let apiserver = Process::start("kube-apiserver", dir, command)?;
        let http = http_client(Some(&tls.ca_pem))?;
        let api = KubernetesApi { http, server: server.clone(), ca_pem: tls.ca_pem, token };

        let kubeconfig = dir.join("kubeconfig");
        write_private(&kubeconfig, api.kubeconfig().as_bytes())?;
        let mut command = Command::new(&parts.kube_controller_manager);
        command.arg("--kubeconfig").arg(&kubeconfig);
        command.arg("--service-account-private-key-file").arg(&key);
        command.args(["--use-service-account-credentials=false", "--leader-elect=false"]);
        command.arg("--cert-dir").arg(dir.join("controller-certs"));
        command.args(["--controllers=*", "--bind-address=127.0.0.1"]);
        command.args(["--secure-port", &port("controllers")?.to_string()]);
        let mut apiserver = apiserver;
        let ready = api.clone();
        apiserver
            .wait_ready(Duration::from_mins(2), || {
                let ready = ready.clone();
                async move { ready.call(Method::GET, "/readyz", None).await.is_ok() }
            })
            .await?;
        let controllers = Process::start("kube-controller-manager", dir, command)?;
        Ok(Self { etcd, apiserver, controllers, api })
    }

    /// Calls of the administrator.
    pub fn api(&self) -> &KubernetesApi {
        &self.api
    }

    /// Ends the cluster.
    pub async fn stop(self) -> Result<()> {
        self.controllers.stop(Signal::TERM).await?;
        self.apiserver.stop(Signal::TERM).await?;
        self.etcd.stop(Signal::TERM).await
    }
}

impl KubernetesApi {
    /// Calls from another process than the one that started the cluster.
    pub fn connect(server: &str, ca_pem: &str, token: &str) -> Result<Self> {
        let http = http_client(Some(ca_pem))?;
        Ok(Self { http, server: server.into(), ca_pem: ca_pem.into(), token: token.into() })
    }

    /// `https://127.0.0.1:port`.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// The CA to trust.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// The administrator's token.
    pub fn admin_token(&self) -> &str {
        &self.token
    }

    fn kubeconfig(&self) -> String {
        use base64::Engine as _;
        let ca = base64::engine::general_purpose::STANDARD.encode(&self.ca_pem);
        json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{ "name": "lab", "cluster": {
                "server": self.server, "certificate-authority-data": ca,
            }}],
            "users": [{ "name": "admin", "user": { "token": self.token } }],
            "contexts": [{ "name": "lab", "context": { "cluster": "lab", "user": "admin" } }],
            "current-context": "lab",
        })
        .to_string()
    }

    /// Any call of the administrator.
    pub async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value> {
        let (status, value) = self.raw(method, path, body).await?;
        if !status.is_success() {
            bail!("Kubernetes {path}: {status} {value}");
        }
        Ok(value)
    }

    async fn raw(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<(StatusCode, Value)> {
        let request =
            self.http.request(method, format!("{}{path}", self.server)).bearer_auth(&self.token);
        let request = if let Some(body) = body { request.json(&body) } else { request };
        let answer = request.send().await.with_context(|| format!("call Kubernetes: {path}"))?;
        let status = answer.status();
        let text = answer.text().await?;
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
    }

    /// The public keys of the cluster's own tokens, a JWKS.
    pub async fn public_keys(&self) -> Result<Value> {
        self.call(Method::GET, "/openid/v1/jwks", None).await
    }

    async fn ensure(&self, path: &str, body: Value) -> Result<()> {
        match self.raw(Method::POST, path, Some(body)).await? {
            (status, _) if status.is_success() || status == StatusCode::CONFLICT => Ok(()),
            (status, value) => bail!("Kubernetes {path}: {status} {value}"),
        }
    }

    /// Makes a namespace if it is not there, and gives its UID.
    pub async fn create_namespace(&self, name: &str) -> Result<String> {
        let body = json!({ "metadata": { "name": name } });
        self.ensure("/api/v1/namespaces", body).await?;
        let value = self.call(Method::GET, &format!("/api/v1/namespaces/{name}"), None).await?;
        uid(&value)
    }

    /// Writes labels and annotations onto a namespace, as somebody with rights in it would.
    pub async fn annotate_namespace(&self, name: &str, words: &Value) -> Result<()> {
        let body = json!({ "metadata": { "labels": words, "annotations": words } });
        let path = format!("/api/v1/namespaces/{name}");
        let request = self.http.patch(format!("{}{path}", self.server)).bearer_auth(&self.token);
        let request = request.header("content-type", "application/merge-patch+json");
        let answer = request.body(body.to_string()).send().await.context("label a namespace")?;
        if !answer.status().is_success() {
            bail!("Kubernetes {path}: {} {}", answer.status(), answer.text().await?);
        }
        Ok(())
    }

    /// Deletes a namespace and waits until it is gone.
    pub async fn delete_namespace(&self, name: &str) -> Result<()> {
        let path = format!("/api/v1/namespaces/{name}");
        self.call(Method::DELETE, &path, None).await?;
        let start = Instant::now();
        while self.raw(Method::GET, &path, None).await?.0 != StatusCode::NOT_FOUND {
            if start.elapsed() > Duration::from_mins(1) {
                bail!("the namespace {name} is still there a minute after its deletion");
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }

    /// Makes a service account if it is not there, and gives its UID.
    pub async fn create_service_account(&self, namespace: &str, name: &str) -> Result<String> {
        let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts");
        self.ensure(&path, json!({ "metadata": { "name": name } })).await?;
        let value = self.call(Method::GET, &format!("{path}/{name}"), None).await?;
        uid(&value)
    }

    /// Deletes a service account.
    pub async fn delete_service_account(&self, namespace: &str, name: &str) -> Result<()> {
        let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts/{name}");
        self.call(Method::DELETE, &path, None).await?;
        Ok(())
    }

    /// Makes a pod of a service account, which stays pending, and gives its UID.
    pub async fn create_pod(&self, namespace: &str, name: &str, account: &str) -> Result<String> {
        let path = format!("/api/v1/namespaces/{namespace}/pods");
        let body = json!({
            "metadata": { "name": name },
            "spec": {
                "serviceAccountName": account,
                "containers": [{ "name": "main", "image": "none.example.com/none" }],
            },
        });
        uid(&self.call(Method::POST, &path, Some(body)).await?)
    }

    /// Deletes a pod at once.
    pub async fn delete_pod(&self, namespace: &str, name: &str) -> Result<()> {
        let path = format!("/api/v1/namespaces/{namespace}/pods/{name}?gracePeriodSeconds=0");
        self.call(Method::DELETE, &path, None).await?;
        Ok(())
    }

    /// A token of a service account, as a projected volume would have it.
    pub async fn token(
        &self,
        namespace: &str,
        account: &str,
        audiences: &[&str],
        seconds: u32,
    ) -> Result<String> {
        let mut spec = json!({ "expirationSeconds": seconds });
        if !audiences.is_empty() {
            spec["audiences"] = json!(audiences);
        }
        self.token_request(namespace, account, spec).await
    }

    /// The same token bound to a pod: the API server's own check ends it with the pod.
    pub async fn pod_token(
        &self,
        namespace: &str,
        account: &str,
        audience: &str,
        pod: (&str, &str),
    ) -> Result<String> {
        let (name, uid) = pod;
        let spec = json!({
            "audiences": [audience],
            "expirationSeconds": 3600,
            "boundObjectRef": { "kind": "Pod", "apiVersion": "v1", "name": name, "uid": uid },
        });
        self.token_request(namespace, account, spec).await
    }

    async fn token_request(&self, namespace: &str, account: &str, spec: Value) -> Result<String> {
        let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token");
        let answer = self.call(Method::POST, &path, Some(json!({ "spec": spec }))).await?;
        let token = answer.pointer("/status/token").and_then(Value::as_str);
        Ok(token.context("no token in the answer")?.to_owned())
    }

    /// Makes the two accounts Strongroom needs in a cluster and gives their tokens: a reader of
    /// namespaces and service accounts, and a reviewer of tokens.
    pub async fn strongroom_tokens(&self) -> Result<(String, String)> {
        let namespace = "strongroom-system";
        self.create_namespace(namespace).await?;
        for account in ["reader", "reviewer"] {
            self.create_service_account(namespace, account).await?;
        }
        let rbac = "/apis/rbac.authorization.k8s.io/v1";
        let role = json!({
            "metadata": { "name": "strongroom-reader" },
            "rules": [{
                "apiGroups": [""],
                "resources": ["namespaces", "serviceaccounts"],
                "verbs": ["get", "list", "watch"],
            }],
        });
        self.ensure(&format!("{rbac}/clusterroles"), role).await?;
        for (account, role) in
            [("reader", "strongroom-reader"), ("reviewer", "system:auth-delegator")]
        {
            let binding = json!({
                "metadata": { "name": format!("strongroom-{account}") },
                "roleRef": {
                    "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role,
                },
                "subjects": [{
                    "kind": "ServiceAccount", "name": account, "namespace": namespace,
                }],
            });
            self.ensure(&format!("{rbac}/clusterrolebindings"), binding).await?;
        }
        let day = 24 * 3600;
        Ok((
            self.token(namespace, "reader", &[], day).await?,
            self.token(namespace, "reviewer", &[], day).await?,
        ))
    }
}

fn uid(value: &Value) -> Result<String> {
    let uid = value.pointer("/metadata/uid").and_then(Value::as_str);
    Ok(uid.context("no UID in the answer")?.to_owned())
}
