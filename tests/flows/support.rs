//! The shared lab as tests see it: people at terminals, an engine administrator, workloads.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use secrecy::SecretString;
use serde_json::{Value, json};
use strongroom_engine::error::Failure;
use strongroom_engine::{EngineAddress, EngineClient, EngineError, Session, auth};
use strongroom_lab::kubernetes::KubernetesApi;
use strongroom_lab::{Browser, Person};
use strongroom_test_support::{SharedLab, program};
use tokio::sync::OnceCell;

/// The password of everybody in the lab.
pub const PASSWORD: &str = "correct horse battery staple";

/// The shared lab.
pub struct Lab {
    shared: SharedLab,
    /// Signed in once: she looks often.
    watcher: OnceCell<Person>,
    /// Context files and documents of this test.
    pub scratch: tempfile::TempDir,
}

/// A team of one test.
pub struct Team {
    /// Its slug; its namespace is called the same.
    pub slug: String,
    /// Its document.
    pub file: PathBuf,
}

impl Lab {
    pub fn get() -> Self {
        Self::of(SharedLab::get())
    }

    pub fn of(shared: SharedLab) -> Self {
        Self { shared, watcher: OnceCell::new(), scratch: tempfile::tempdir().unwrap() }
    }

    pub fn text(&self, pointer: &str) -> &str {
        self.shared.text(pointer)
    }

    pub fn dir(&self) -> &Path {
        self.shared.dir()
    }

    pub fn server(&self) -> &str {
        self.text("/server")
    }

    pub fn kubernetes(&self) -> KubernetesApi {
        let text = |name: &str| self.text(&format!("/kubernetes/{name}"));
        KubernetesApi::connect(text("server"), text("ca_pem"), text("admin_token")).unwrap()
    }

    pub fn engine(&self) -> EngineClient {
        let address = EngineAddress {
            url: self.text("/engine/address").to_owned(),
            ca_pem: Some(self.text("/engine/ca_pem").to_owned()),
        };
        EngineClient::new(&address, Duration::from_secs(20)).unwrap()
    }

    /// The engine's administrator, whom only tests have.
    pub async fn admin(&self) -> Session {
        let client = self.engine();
        let body = json!({ "password": self.text("/engine/admin_password") });
        let path = "auth/lab/login/admin";
        let call = strongroom_engine::Call::post(path, path, &body);
        let envelope = client.call(call, None).await.unwrap();
        let text = |name: &str| envelope.auth.get(name).and_then(Value::as_str);
        let login = auth::Login {
            token: SecretString::from(text("client_token").unwrap()),
            ttl_seconds: 3600,
            entity_id: String::new(),
            policies: Vec::new(),
        };
        Session::with_login(client, login)
    }

    /// A person who has signed in.
    pub async fn person(&self, name: &str) -> Person {
        self.signed_in(name, self.scratch.path()).await
    }

    /// The same at another machine.
    pub async fn person_at(&self, name: &str, place: &str) -> Person {
        self.signed_in(name, &self.scratch.path().join(place)).await
    }

    async fn signed_in(&self, name: &str, dir: &Path) -> Person {
        let person = Person::new(&program(), name, dir, self.server()).unwrap();
        person.does(&["login"]).await.unwrap();
        person
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let file = self.scratch.path().join(name);
        std::fs::write(&file, text).unwrap();
        file
    }

    /// A team with a namespace and the accounts `api` and `batch`, not yet submitted.
    pub async fn new_team(&self, prefix: &str) -> Team {
        let slug = format!("{prefix}-{}", &uuid::Uuid::new_v4().simple().to_string()[..10]);
        let api = self.kubernetes();
        api.create_namespace(&slug).await.unwrap();
        for account in ["api", "batch"] {
            api.create_service_account(&slug, account).await.unwrap();
        }
        let file = self.write(&format!("{slug}.yaml"), &document(&slug, true));
        let team = Team { slug, file };
        self.until_seen(&team).await;
        team
    }

    /// Previews follow the cluster within a second or so.
    pub async fn until_seen(&self, team: &Team) {
        self.person("sue").await.until_previewed(&team.file).await.unwrap();
    }

    /// Submits as alice, approved by bob and sue, applied; a value in each binding's path.
    pub async fn onboard(&self, team: &Team) {
        let alice = self.person("alice").await;
        let request = alice.submits(&team.file, "a test's team", &[]).await.unwrap();
        self.decide(&request, &["bob", "sue"]).await;
        let bob = self.person("bob").await;
        for folder in ["api", "batch"] {
            let path = format!("{}/kv/prod/{folder}/db", team.slug);
            bob.must(&["kv", "put", &path, "password=-"], Some("s3cr3t"), 0).await.unwrap();
        }
    }

    /// These people approve, one after the other, until it is applied.
    pub async fn decide(&self, request: &str, voters: &[&str]) {
        self.decide_within(request, voters, Duration::from_mins(1)).await;
    }

    /// The same for a request that has much to do. Something beside it may change what its plan was
    /// made from, a group's anchor for one; then there is a new round, and they vote once more.
    pub async fn decide_within(&self, request: &str, voters: &[&str], patience: Duration) {
        let (start, mut voted, mut refusal) = (Instant::now(), Value::Null, String::new());
        loop {
            let shown = self.request(request).await;
            if shown["state"] == "applied" {
                return;
            }
            if shown["state"] == "in_review" && shown["round"] != voted {
                voted = shown["round"].clone();
                for name in voters {
                    let person = self.person(name).await;
                    let printed = person.run(&["approve", request, "--yes"]).await.unwrap();
                    if printed.code != 0 {
                        refusal = printed.err;
                    }
                }
            }
            assert!(start.elapsed() < patience, "not applied: {refusal} {shown:#}");
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }

    /// The state of a request, and the whole of it, as an SRE sees it.
    pub async fn request(&self, request: &str) -> Value {
        let sue = self.watcher.get_or_init(|| self.person("sue")).await;
        let out = sue.does(&["request", "show", request, "-o", "json"]).await.unwrap();
        let value: Value = serde_json::from_str(&out).unwrap();
        value.get("request").filter(|inner| inner.is_object()).cloned().unwrap_or(value)
    }

    pub async fn until(&self, request: &str, wanted: &str) {
        let start = Instant::now();
        loop {
            let shown = self.request(request).await;
            if shown["state"] == wanted {
                return;
            }
            assert!(start.elapsed() < Duration::from_mins(1), "not {wanted}: {shown:#}");
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }

    /// A workload's live token.
    pub async fn workload(&self, namespace: &str, account: &str) -> Workload {
        self.workload_on("prod-eu", namespace, account).await
    }

    /// The same on another cluster.
    pub async fn workload_on(&self, cluster: &str, namespace: &str, account: &str) -> Workload {
        let jwt = self.kubernetes().token(namespace, account, &["strongroom"], 900).await.unwrap();
        self.login(cluster, namespace, jwt).await
    }

    /// A workload that logs in with this token.
    pub async fn login(&self, cluster: &str, role: &str, jwt: String) -> Workload {
        let login = self.try_login(cluster, role, jwt).await.unwrap();
        Workload { session: Session::with_login(self.engine(), login) }
    }

    /// What the engine says to this token.
    pub async fn try_login(
        &self,
        cluster: &str,
        role: &str,
        jwt: String,
    ) -> Result<auth::Login, EngineError> {
        let (client, mount) = (self.engine(), format!("k8s/{cluster}"));
        auth::kubernetes_login(&client, &mount, role, &SecretString::from(jwt)).await
    }
}

/// A team's document, with one binding or two.
pub fn document(slug: &str, with_batch: bool) -> String {
    let batch = format!(
        "    - name: batch\n      cluster: prod-eu\n      namespace: {slug}\n      \
         serviceAccounts: [batch]\n      access: [{{ mount: kv, path: prod/batch/*, level: read }}]\n"
    );
    format!(
        "apiVersion: strongroom.dev/v1\nkind: Team\nmetadata: {{ name: {slug} }}\nspec:\n  \
         displayName: Test\n  contact: test@example.com\n  people:\n    \
         owners: [{{ group: payments-leads }}]\n    editors: [{{ group: payments-dev }}]\n  \
         mounts: [{{ name: kv, type: kv-v2 }}]\n  namespaces:\n    \
         - {{ cluster: prod-eu, name: {slug}, environment: production, tokenTtl: 20m }}\n  \
         bindings:\n    - name: api\n      cluster: prod-eu\n      namespace: {slug}\n      \
         serviceAccounts: [api]\n      access: [{{ mount: kv, path: prod/api/*, level: read }}]\n\
         {}  limits: {{ requestsPerSecond: 500 }}\n",
        if with_batch { batch } else { String::new() }
    )
}

/// A live token of a service account.
pub struct Workload {
    session: Session,
}

impl Workload {
    pub fn session(&self) -> &Session {
        &self.session
    }

    pub async fn read(&self, path: &str) -> Result<Option<Value>, EngineError> {
        self.session.read(path, "{secret}").await
    }

    pub async fn is_refused(&self, path: &str) -> bool {
        matches!(self.read(path).await, Err(error) if error.failure == Failure::Denied)
    }

    pub async fn reads_soon(&self, path: &str) {
        let start = Instant::now();
        loop {
            match self.read(path).await {
                Ok(Some(_)) => return,
                Ok(None) => panic!("there is no secret at {path}"),
                Err(error) => {
                    assert_eq!(error.failure, Failure::Denied, "{error}");
                    assert!(start.elapsed() < Duration::from_secs(40), "never reads {path}");
                }
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Reads until it is refused; gives how long that took.
    pub async fn refused_soon(&self, path: &str) -> Duration {
        let start = Instant::now();
        while !self.is_refused(path).await {
            assert!(start.elapsed() < Duration::from_secs(40), "still reads {path}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        start.elapsed()
    }

    pub async fn renews(&self) -> bool {
        self.renew().await.is_ok()
    }

    pub async fn renew(&self) -> Result<(), EngineError> {
        let path = "auth/token/renew-self";
        self.session.write(path, path, &json!({})).await.map(drop)
    }
}

/// A browser of one of the lab's people, not signed in.
pub fn browser(name: &str) -> Browser {
    Browser::new(name, PASSWORD).unwrap()
}
