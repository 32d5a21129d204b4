//! A Kubernetes cluster is prepared for Strongroom with the least there is, nothing of anybody else's is
//! touched, and what its tokens may do is asked of the cluster itself.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use reqwest::Method;
use secrecy::SecretString;
use serde_json::{Value, json};
use strongroom_domain::document::Document;
use strongroom_domain::name::NamespaceName;
use strongroom_kubernetes::{Cluster, ClusterAccess, Lookup};
use strongroom_lab::{Kubernetes, Parts};
use strongroom_test_support::program;
use tokio::process::Command;

const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1";
const ACCOUNTS: &str = "/api/v1/namespaces/strongroom-system/serviceaccounts";

/// What a run printed, and how it ended.
struct Ran {
    code: i32,
    out: String,
    err: String,
}

impl Ran {
    fn has(&self, code: i32, parts: &[&str]) -> &Self {
        assert_eq!(self.code, code, "{}{}", self.out, self.err);
        for part in parts {
            assert!(self.out.contains(part) || self.err.contains(part), "{part}: {}", self.told());
        }
        self
    }

    fn told(&self) -> String {
        format!("{}{}", self.out, self.err)
    }
}

struct Prepared {
    kubernetes: Kubernetes,
    dir: tempfile::TempDir,
}

impl Prepared {
    async fn start() -> Self {
        let dir = tempfile::Builder::new().prefix("strongroom-cluster-").tempdir().unwrap();
        let parts = Parts::find().unwrap();
        let kubernetes = Kubernetes::start(&parts, &dir.path().join("k8s")).await.unwrap();
        Self { kubernetes, dir }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.file(name)).unwrap()
    }

    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        self.kubernetes.api().call(method, path, body).await.unwrap()
    }

    async fn is_there(&self, path: &str) -> bool {
        self.kubernetes.api().call(Method::GET, path, None).await.is_ok()
    }

    /// Runs the program; no token is ever printed.
    async fn run(&self, words: &[&str]) -> Ran {
        let output = Command::new(program())
            .args(["cluster", "bootstrap", "prod-eu"])
            .args(words)
            .current_dir(self.dir.path())
            .env("KUBECONFIG", self.file("k8s/kubeconfig"))
            .env("STRONGROOM_CLOCK_FILE", self.file("clock"))
            .env_remove("HTTPS_PROXY")
            .output()
            .await
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        let ran = Ran { code: output.status.code().unwrap(), out, err };
        assert!(!ran.told().contains("eyJhbGciOi"), "a token is printed: {}", ran.told());
        assert!(!ran.told().contains(self.kubernetes.api().admin_token()), "{}", ran.told());
        ran
    }

    async fn applied(&self, more: &[&str]) -> Ran {
        self.run(&[&["--apply", "--secrets-dir", "kept"], more].concat()).await
    }

    async fn verified(&self) -> Ran {
        self.run(&["--verify", "--secrets-dir", "kept"]).await
    }

    /// Verified until it ends so: an API server learns of rights a moment after they are written, and
    /// believes a token for some seconds.
    async fn becomes(&self, code: i32, parts: &[&str]) {
        let start = Instant::now();
        loop {
            let ran = self.verified().await;
            let is_so = ran.code == code && parts.iter().all(|part| ran.out.contains(part));
            if is_so || start.elapsed() > Duration::from_secs(30) {
                ran.has(code, parts);
                return;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// What only a write moves, of everything that is made.
    async fn versions(&self) -> Vec<Value> {
        let mut versions = Vec::new();
        for path in PATHS {
            let read = self.call(Method::GET, path, None).await;
            versions.push(read["metadata"]["resourceVersion"].clone());
        }
        versions
    }
}

const PATHS: [&str; 6] = [
    "/api/v1/namespaces/strongroom-system",
    "/api/v1/namespaces/strongroom-system/serviceaccounts/reader",
    "/api/v1/namespaces/strongroom-system/serviceaccounts/reviewer",
    "/apis/rbac.authorization.k8s.io/v1/clusterroles/strongroom-reader",
    "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/strongroom-reader",
    "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/strongroom-reviewer",
];

#[tokio::test]
async fn cluster_bootstrap_prepares_a_cluster_with_the_least_and_asks_it_back() {
    let prepared = Prepared::start().await;
    what_is_printed_is_what_a_cluster_takes(&prepared).await;
    what_is_somebody_elses_stays(&prepared).await;
    it_is_applied_once(&prepared).await;
    more_rights_than_needed_are_red(&prepared).await;
    changes_are_put_right_and_never_forced(&prepared).await;
    ends_are_told_in_time(&prepared).await;
    a_cluster_of_public_keys_has_no_reviewer(&prepared).await;
    prepared.kubernetes.stop().await.unwrap();
}

async fn what_is_printed_is_what_a_cluster_takes(prepared: &Prepared) {
    let ran = prepared.run(&["--namespace", "by-hand"]).await;
    ran.has(0, &["nothing was written", "kubectl -n by-hand create token reviewer"]);
    let mut kinds = Vec::new();
    for document in ran.out.split("---\n").filter(|text| !text.is_empty()) {
        let object: Value = serde_yaml_ng::from_str(document).unwrap();
        let kind = object["kind"].as_str().unwrap().to_owned();
        let collection = match kind.as_str() {
            "Namespace" => "/api/v1/namespaces".to_owned(),
            "ServiceAccount" => "/api/v1/namespaces/by-hand/serviceaccounts".to_owned(),
            rbac => format!("{RBAC}/{}s", rbac.to_ascii_lowercase()),
        };
        // As `kubectl apply` would; only the namespace stays.
        prepared
            .call(Method::POST, &format!("{collection}?dryRun=All"), Some(object.clone()))
            .await;
        if kind == "Namespace" {
            prepared.call(Method::POST, &collection, Some(object)).await;
        }
        kinds.push(kind);
    }
    let all = ["Namespace", "ServiceAccount", "ServiceAccount", "ClusterRole"];
    assert_eq!(kinds[..4], all);
    assert_eq!(kinds[4..], ["ClusterRoleBinding", "ClusterRoleBinding"]);
}

async fn what_is_somebody_elses_stays(prepared: &Prepared) {
    let theirs = json!({
        "metadata": { "name": "strongroom-reader" },
        "rules": [{ "apiGroups": [""], "resources": ["secrets"], "verbs": ["get"] }],
    });
    let roles = format!("{RBAC}/clusterroles");
    let before = prepared.call(Method::POST, &roles, Some(theirs)).await;
    let ran = prepared.applied(&[]).await;
    ran.has(
        6,
        &["foreign    clusterrole/strongroom-reader: it has no label", "nothing was written"],
    );
    ran.has(
        6,
        &["kubectl label clusterrole/strongroom-reader", "new        namespace/strongroom-"],
    );
    assert!(!prepared.is_there(PATHS[0]).await && !prepared.file("kept").exists());
    let now = prepared.call(Method::GET, PATHS[3], None).await;
    assert_eq!(now["metadata"]["resourceVersion"], before["metadata"]["resourceVersion"]);
    prepared.call(Method::DELETE, PATHS[3], None).await;

    // An address that no document may name is told before anything is written.
    let ran = prepared.applied(&["--api-server", "https://k8s.example.com/rancher"]).await;
    ran.has(1, &["spec.server", "--api-server"]);
    assert!(!prepared.is_there(PATHS[0]).await && !prepared.file("kept").exists());
}

async fn it_is_applied_once(prepared: &Prepared) {
    let ran = prepared.applied(&[]).await;
    ran.has(0, &["wrote      clusterrolebinding/strongroom-reviewer", "reader_token_file: "]);
    ran.has(0, &["may get, list and watch namespaces, and get, list and watch serviceaccounts"]);
    assert!(!ran.told().contains("red ") && !ran.told().contains("yellow "), "{}", ran.told());
    let documents = Document::from_yaml(&ran.out).unwrap();
    let [Document::Cluster(cluster)] = documents.as_slice() else { panic!("{documents:?}") };
    assert_eq!(cluster.server, prepared.kubernetes.api().server());
    assert_eq!(cluster.ca, prepared.read("kept/prod-eu-ca.pem"));

    let mode =
        |name: &str| std::fs::metadata(prepared.file(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("kept"), 0o700);
    for name in ["prod-eu-reader", "prod-eu-reviewer", "prod-eu-ca.pem", "prod-eu-floor.yaml"] {
        assert_eq!(mode(&format!("kept/{name}")), 0o600, "{name}");
    }

    // Once more there is nothing to do.
    let (before, token) = (prepared.versions().await, prepared.read("kept/prod-eu-reader"));
    let ran = prepared.applied(&[]).await;
    ran.has(0, &["there      namespace/strongroom-system", "kept       ", "/kept/prod-eu-reader"]);
    assert!(!ran.told().contains("wrote"), "{}", ran.told());
    assert_eq!(prepared.versions().await, before);
    assert_eq!(prepared.read("kept/prod-eu-reader"), token);
    prepared.verified().await.has(0, &["green   reviewer  may create tokenreviews"]);

    // As the executor reads it.
    let access = ClusterAccess {
        server: cluster.server.clone(),
        ca_pem: cluster.ca.clone(),
        token: SecretString::from(token),
    };
    let executor = Cluster::connect(&access).await.unwrap();
    let found = executor.namespace(&NamespaceName::new("strongroom-system").unwrap()).await;
    assert!(matches!(found, Lookup::Found { .. }), "{found:?}");
    let mut inventory = strongroom_kubernetes::watch(&executor);
    let known = inventory
        .wait_for(|state| matches!(state, strongroom_kubernetes::InventoryState::Known(_)));
    tokio::time::timeout(Duration::from_secs(30), known).await.unwrap().unwrap();
}

async fn more_rights_than_needed_are_red(prepared: &Prepared) {
    let subject = |name: &str| json!([{ "kind": "ServiceAccount", "name": name, "namespace": "strongroom-system" }]);
    let give = async |path: &str, role: &str, subjects: Value| {
        let kind = "ClusterRole";
        let body = json!({
            "metadata": { "name": "more" }, "subjects": subjects,
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role },
        });
        prepared.call(Method::POST, path, Some(body)).await;
    };
    // In one namespace only: no question about the whole cluster would show it.
    let bindings = format!("{RBAC}/namespaces/by-hand/rolebindings");
    give(&bindings, "admin", subject("reader")).await;
    let red =
        ["red     reader    may get, list, watch, create, ", "secrets in by-hand", "take it away"];
    prepared.becomes(1, &red).await;
    prepared.becomes(1, &["green   reviewer  may create tokenreviews"]).await;
    prepared.call(Method::DELETE, &format!("{bindings}/more"), None).await;
    prepared.becomes(0, &[]).await;

    // In the whole cluster, for the reviewer.
    let bindings = format!("{RBAC}/clusterrolebindings");
    give(&bindings, "system:node-problem-detector", subject("reviewer")).await;
    prepared.becomes(1, &["red     reviewer  may ", " in every namespace"]).await;
    prepared.call(Method::DELETE, &format!("{bindings}/more"), None).await;

    // What every account has is told, and is not ours.
    let everybody = json!([{ "kind": "Group", "name": "system:authenticated",
        "apiGroup": "rbac.authorization.k8s.io" }]);
    give(&bindings, "system:kube-dns", everybody.clone()).await;
    let yellow = ["yellow  reader    may list and watch endpoints", "as every account"];
    prepared.becomes(0, &yellow).await;
    prepared.call(Method::DELETE, &format!("{bindings}/more"), None).await;
    // What must be refused is red whoever has it.
    give(&bindings, "cluster-admin", everybody).await;
    prepared
        .becomes(
            1,
            &[
                "red     reader    may do anything with everything",
                "red     reviewer  may do anything",
            ],
        )
        .await;
    prepared.call(Method::DELETE, &format!("{bindings}/more"), None).await;
    prepared.becomes(0, &[]).await;
}

async fn changes_are_put_right_and_never_forced(prepared: &Prepared) {
    // A field that nobody holds any more.
    let mut account = prepared.call(Method::GET, PATHS[1], None).await;
    account.as_object_mut().unwrap().remove("automountServiceAccountToken");
    prepared.call(Method::PUT, PATHS[1], Some(account)).await;
    let ran = prepared.applied(&[]).await;
    ran.has(
        0,
        &["changes    serviceaccount/reader -n strongroom-system: automountServiceAccountToken"],
    );
    ran.has(0, &["wrote      serviceaccount/reader"]);

    // One that somebody else holds: it is told who, and nothing is written.
    let mut role = prepared.call(Method::GET, PATHS[3], None).await;
    role["rules"][0]["resources"] = json!(["namespaces", "secrets"]);
    let role = prepared.call(Method::PUT, PATHS[3], Some(role)).await;
    let ran = prepared.applied(&[]).await;
    ran.has(
        6,
        &["foreign    clusterrole/strongroom-reader: it allows to get, list and watch secrets"],
    );
    ran.has(6, &["not taken by force", ".rules", "nothing was written"]);
    let now = prepared.call(Method::GET, PATHS[3], None).await;
    assert_eq!(now["metadata"]["resourceVersion"], role["metadata"]["resourceVersion"]);
    prepared.becomes(1, &["red     reader    may get, list and watch secrets"]).await;
    prepared.call(Method::DELETE, PATHS[3], None).await;
    prepared.applied(&[]).await.has(0, &["wrote      clusterrole/strongroom-reader"]);
}

async fn ends_are_told_in_time(prepared: &Prepared) {
    let after = async |days: i64| {
        std::fs::write(prepared.file("clock"), (days * 86_400).to_string()).unwrap();
        prepared.verified().await
    };
    after(300).await.has(0, &["green   reader    system:serviceaccount:strongroom-system:reader"]);
    let ran = after(350).await;
    ran.has(0, &["yellow  reader    ", "in 14 days; next: ", "--apply --renew-tokens"]);
    let ran = after(366).await;
    ran.has(1, &["red     reader    its token has ended, 24 hours ago", "--apply --renew-tokens"]);
    std::fs::remove_file(prepared.file("clock")).unwrap();

    let before = prepared.read("kept/prod-eu-reader");
    prepared.applied(&["--renew-tokens"]).await.has(0, &["wrote      ", "/kept/prod-eu-reader"]);
    assert_ne!(prepared.read("kept/prod-eu-reader"), before);
    // From a floor file it is the same.
    let floor = prepared.file("kept/prod-eu-floor.yaml").display().to_string();
    prepared.run(&["--verify", "--floor", &floor]).await.has(0, &[]);

    // An account made anew under the same name is another one: its token of before is dead.
    prepared.call(Method::DELETE, PATHS[1], None).await;
    prepared.becomes(1, &["red     reader    ", "401", "made anew"]).await;
    let ran = prepared.applied(&[]).await;
    ran.has(1, &["wrote      serviceaccount/reader", "kept       ", "/kept/prod-eu-reader", "401"]);
    assert_eq!(ran.out, "", "a document is proposed that cannot work");
    prepared.applied(&["--renew-tokens"]).await.has(0, &[]);
}

async fn a_cluster_of_public_keys_has_no_reviewer(prepared: &Prepared) {
    // The files are those of another method.
    let ran = prepared.applied(&["--auth", "jwt"]).await;
    ran.has(6, &["prod-eu-floor.yaml was kept for another", "nothing was written"]);
    let words = ["--apply", "--auth", "jwt", "--secrets-dir", "jwt", "--token-ttl", "10m"];
    let ran = prepared.run(&words).await;
    ran.has(0, &["green   reviewer  there is none"]);
    assert!(!prepared.file("jwt/prod-eu-reviewer").exists());
    assert!(!ran.told().contains("reviewer_token_file"), "{}", ran.told());
    let documents = Document::from_yaml(&ran.out).unwrap();
    let spec = &documents[0].to_value()["spec"];
    assert_eq!(spec["auth"]["issuer"], strongroom_lab::kubernetes::ISSUER);
    let key = prepared.read("k8s/service-account.pub.pem");
    assert_eq!(spec["auth"]["keys"][0].as_str().unwrap().trim(), key.trim());
    assert!(prepared.is_there(&format!("{ACCOUNTS}/reviewer")).await, "nothing is ever deleted");
}
