//! A real engine, prepared as `strongroom dev` prepares one, with one more login that may do
//! everything.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use strongroom_engine::session::AppRole;
use strongroom_engine::sys::{Product, Version};
use strongroom_engine::{EngineAddress, EngineClient, Session};
use strongroom_lab::{
    Client, Engine, EngineOptions, InitRequest, Parts, Provider, ProviderOptions, User,
};
use strongroom_vault_model::bootstrap::{Bootstrap, EXECUTOR_ROLE};

use crate::vault::Vault;

/// Where people's sign-ins come back to.
pub const REDIRECT: &str = "http://127.0.0.1/oidc/callback";

/// A role whose tokens live two seconds, and four at most.
pub const SHORT_ROLE: &str = "contract-short";

const ADMIN_ROLE: &str = "contract-admin";

const EVERYTHING: &str = "path \"*\" {\n  capabilities = [\"create\", \"read\", \"update\", \
                          \"patch\", \"delete\", \"list\", \"sudo\"]\n}";

#[derive(Debug)]
enum Running {
    OpenBao(Engine),
    Vault(Vault),
}

/// A running engine with its provider.
#[derive(Debug)]
pub struct Server {
    running: Running,
    /// The product that was started.
    pub product: Product,
    /// Its version.
    pub version: Version,
    /// Where people sign in.
    pub provider: Provider,
    dir: tempfile::TempDir,
}

/// Everything that the engine is told before the first case.
fn preparation(provider: &Provider) -> Vec<InitRequest> {
    let bootstrap = Bootstrap {
        oidc_discovery_url: provider.issuer(),
        oidc_client_id: provider.client_id("engine").unwrap().to_owned(),
        oidc_client_secret: provider.client_secret("engine").unwrap().to_owned(),
        executor_role_id: role_id(EXECUTOR_ROLE),
        executor_secret_id: first_secret_id(EXECUTOR_ROLE),
        auditor_role_id: role_id("strongroom-auditor"),
        auditor_secret_id: first_secret_id("strongroom-auditor"),
        executor_addresses: vec!["127.0.0.1/32".to_owned()],
    };
    let request =
        |name: &str, path: String, data: Value| InitRequest { name: name.to_owned(), path, data };
    let mut requests: Vec<InitRequest> = bootstrap
        .requests()
        .into_iter()
        .map(|known| request(known.name, known.path, known.data))
        .collect();
    requests.push(request(
        "everything",
        format!("sys/policies/acl/{ADMIN_ROLE}"),
        json!({ "policy": EVERYTHING }),
    ));
    for (role, ttl, max_ttl) in [(ADMIN_ROLE, "20m", "20m"), (SHORT_ROLE, "2s", "4s")] {
        let path = format!("auth/approle/role/{role}");
        let role_data = json!({
            "token_policies": [ADMIN_ROLE],
            "token_ttl": ttl,
            "token_max_ttl": max_ttl,
        });
        requests.push(request(role, path.clone(), role_data));
        requests.push(request(
            &format!("{role}-role-id"),
            format!("{path}/role-id"),
            json!({ "role_id": role_id(role) }),
        ));
        requests.push(request(
            &format!("{role}-secret-id"),
            format!("{path}/custom-secret-id"),
            json!({ "secret_id": first_secret_id(role) }),
        ));
    }
    requests
}

fn role_id(role: &str) -> String {
    format!("role-id-of-{role}")
}

/// The `SecretID` that a role starts with.
pub fn first_secret_id(role: &str) -> String {
    format!("first-secret-id-of-{role}")
}

/// A role's login.
pub fn approle(role: &str) -> AppRole {
    AppRole { role_id: role_id(role), secret_id: first_secret_id(role).into() }
}

async fn provider(parts: &Parts, dir: &Path) -> Provider {
    let options = ProviderOptions {
        users: vec![User {
            name: "alice".into(),
            password: "alice's password".into(),
            groups: vec!["payments-dev".into()],
        }],
        clients: vec![Client {
            name: "engine".into(),
            confidential: true,
            redirect_uris: vec![REDIRECT.into()],
        }],
    };
    Provider::start(parts, &dir.join("provider"), &options).await.unwrap()
}

impl Server {
    /// Starts an OpenBao of this version; it prepares itself.
    pub async fn openbao(parts: &Parts, version: Version) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let provider = provider(parts, dir.path()).await;
        let options = EngineOptions {
            binary: Some(parts.openbao(&version.to_string()).unwrap()),
            initialize: preparation(&provider),
            plain_http: false,
        };
        let engine = Engine::start(parts, &dir.path().join("engine"), options).await.unwrap();
        Self {
            running: Running::OpenBao(engine),
            product: Product::OpenBao,
            version,
            provider,
            dir,
        }
    }

    /// Starts HashiCorp Vault, which has to be prepared from outside.
    pub async fn vault(parts: &Parts, version: Version) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let provider = provider(parts, dir.path()).await;
        let binary = parts.vault().unwrap();
        let place = dir.path().join("engine");
        let vault = Vault::start(&binary, &place, &preparation(&provider)).await.unwrap();
        Self { running: Running::Vault(vault), product: Product::Vault, version, provider, dir }
    }

    fn ca_pem(&self) -> &str {
        match &self.running {
            Running::OpenBao(engine) => engine.ca_pem().unwrap(),
            Running::Vault(vault) => vault.ca_pem(),
        }
    }

    /// Where it is and whom to trust.
    pub fn address(&self) -> EngineAddress {
        let url = match &self.running {
            Running::OpenBao(engine) => engine.address(),
            Running::Vault(vault) => vault.address(),
        };
        EngineAddress { url: url.to_owned(), ca_pem: Some(self.ca_pem().to_owned()) }
    }

    /// A client of it with its own connections.
    pub fn client(&self) -> EngineClient {
        self.impatient_client(Duration::from_secs(10))
    }

    /// A client that waits only so long.
    pub fn impatient_client(&self, timeout: Duration) -> EngineClient {
        EngineClient::new(&self.address(), timeout).unwrap()
    }

    /// A session that may do everything.
    pub fn admin(&self) -> Session {
        Session::approle(self.client(), approle(ADMIN_ROLE))
    }

    /// A session as the executor has one.
    pub fn executor(&self) -> Session {
        Session::approle(self.client(), approle(EXECUTOR_ROLE))
    }

    /// The requests in the audit log that a condition picks; waits until there is one.
    pub async fn audited(&self, wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
        let start = Instant::now();
        loop {
            let found: Vec<Value> = audit_lines(&self.audit_log())
                .into_iter()
                .filter(|line| line["type"] == "request" && wanted(&line["request"]))
                .collect();
            if !found.is_empty() || start.elapsed() > Duration::from_secs(10) {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn audit_log(&self) -> PathBuf {
        self.dir.path().join("engine/audit-one.log")
    }

    /// Stops the engine's clock.
    pub fn pause(&self) {
        match &self.running {
            Running::OpenBao(engine) => engine.pause(),
            Running::Vault(vault) => vault.pause(),
        }
        .unwrap();
    }

    /// Lets it go on.
    pub fn resume(&self) {
        match &self.running {
            Running::OpenBao(engine) => engine.resume(),
            Running::Vault(vault) => vault.resume(),
        }
        .unwrap();
    }

    /// Ends both.
    pub async fn stop(self) {
        match self.running {
            Running::OpenBao(engine) => engine.stop().await.unwrap(),
            Running::Vault(vault) => vault.stop().await.unwrap(),
        }
        self.provider.stop().await.unwrap();
    }
}

/// The lines of an audit log.
pub fn audit_lines(log: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(log).unwrap();
    // The last line may be half written.
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}
