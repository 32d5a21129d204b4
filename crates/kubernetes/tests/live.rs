//! Reads and watches a real API server, with the token of a reader that may do nothing else.

#![expect(clippy::unwrap_used, reason = "a test ends when its lab cannot be set up")]

use std::time::Duration;

use secrecy::SecretString;
use strongroom_domain::name::{NamespaceName, ServiceAccountName};
use strongroom_kubernetes::{
    Cluster, ClusterAccess, Inventory, InventoryState, Lookup, Settled, watch,
};
use strongroom_lab::kubernetes::KubernetesApi;
use strongroom_lab::{Kubernetes, Parts};
use tokio::sync::watch::Receiver;

struct Lab {
    kubernetes: Kubernetes,
    reader: ClusterAccess,
    _dir: tempfile::TempDir,
}

impl Lab {
    async fn start() -> Self {
        let dir = tempfile::Builder::new().prefix("strongroom-kubernetes-").tempdir().unwrap();
        let kubernetes = Kubernetes::start(&Parts::find().unwrap(), dir.path()).await.unwrap();
        let api = kubernetes.api();
        let (reader, _) = api.strongroom_tokens().await.unwrap();
        let reader = ClusterAccess {
            server: api.server().into(),
            ca_pem: api.ca_pem().into(),
            token: SecretString::from(reader),
        };
        Self { kubernetes, reader, _dir: dir }
    }

    fn api(&self) -> &KubernetesApi {
        self.kubernetes.api()
    }

    async fn cluster(&self) -> Cluster {
        Cluster::connect(&self.reader).await.unwrap()
    }
}

fn namespace(name: &str) -> NamespaceName {
    NamespaceName::new(name).unwrap()
}

fn account(name: &str) -> ServiceAccountName {
    ServiceAccountName::new(name).unwrap()
}

#[tokio::test]
async fn k8s_01_live_reads_tell_found_absent_and_unknown_apart() {
    let lab = Lab::start().await;
    let cluster = lab.cluster().await;
    let (payments, api) = (namespace("payments-prod"), account("api"));
    let missing = cluster.settled(&payments, &api).await;
    assert_eq!(missing, Settled::NoNamespace);
    assert_eq!(cluster.account(&payments, &api).await, Lookup::Absent);

    let first = lab.api().create_namespace("payments-prod").await.unwrap();
    assert_eq!(cluster.namespace(&payments).await, Lookup::Found { uid: first.clone() });
    let waiting = cluster.settled(&payments, &api).await;
    assert_eq!(waiting, Settled::NoAccount { namespace_uid: first.clone() });

    let uid = lab.api().create_service_account("payments-prod", "api").await.unwrap();
    let found = Settled::Found { namespace_uid: first.clone(), account_uid: uid.clone() };
    assert_eq!(cluster.settled(&payments, &api).await, found);

    // The same names again are somebody else.
    lab.api().delete_namespace("payments-prod").await.unwrap();
    assert_eq!(cluster.namespace(&payments).await, Lookup::Absent);
    let second = lab.api().create_namespace("payments-prod").await.unwrap();
    let newcomer = lab.api().create_service_account("payments-prod", "api").await.unwrap();
    assert!(second != first && newcomer != uid);
    let found = Settled::Found { namespace_uid: second, account_uid: newcomer };
    assert_eq!(cluster.settled(&payments, &api).await, found);

    // A token that is refused, another server's certificate and a server that is gone say nothing.
    let wrong = |change: &dyn Fn(&mut ClusterAccess)| {
        let mut access = lab.reader.clone();
        change(&mut access);
        access
    };
    let other_ca = rcgen::generate_simple_self_signed(vec!["127.0.0.1".into()]).unwrap();
    for (access, part) in [
        (wrong(&|access| access.token = SecretString::from("nobody")), "401"),
        (wrong(&|access| access.ca_pem = other_ca.cert.pem()), "certificate"),
        (wrong(&|access| access.server = "https://127.0.0.1:1".into()), "refused"),
    ] {
        let read = Cluster::connect(&access).await.unwrap().namespace(&payments).await;
        let Lookup::Unknown { reason } = read else { panic!("{read:?}") };
        assert!(reason.contains(part), "{reason}");
    }
    lab.kubernetes.stop().await.unwrap();
    let gone = cluster.settled(&payments, &api).await;
    assert!(matches!(gone, Settled::Unknown { .. }), "{gone:?}");
}

/// The inventory as soon as it is like this.
async fn becomes(
    inventory: &mut Receiver<InventoryState>,
    wanted: impl Fn(&Inventory) -> bool,
) -> Inventory {
    let reached = inventory.wait_for(|state| match state {
        InventoryState::Known(inventory) => wanted(inventory),
        InventoryState::Unknown { .. } => false,
    });
    match tokio::time::timeout(Duration::from_secs(30), reached).await {
        Ok(Ok(state)) => match &*state {
            InventoryState::Known(inventory) => Inventory::clone(inventory),
            InventoryState::Unknown { reason } => panic!("{reason}"),
        },
        _ => panic!("the inventory did not become so"),
    }
}

#[tokio::test]
async fn k8s_03_the_watch_follows_a_cluster_and_never_takes_silence_for_deletion() {
    let lab = Lab::start().await;
    // More than one page of what is there before the watch begins.
    let count = if std::env::var_os("STRONGROOM_FULL").is_some() { 10_000 } else { 510 };
    for number in 0..count {
        let name = format!("worker-{number}");
        lab.api().create_service_account("strongroom-system", &name).await.unwrap();
    }
    let first = lab.api().create_namespace("payments-prod").await.unwrap();
    let mut inventory = watch(&lab.cluster().await);
    let key = |name: &str| ("payments-prod".to_owned(), name.to_owned());
    let known =
        becomes(&mut inventory, |known| known.namespaces.contains_key("payments-prod")).await;
    assert_eq!(known.namespaces.get("payments-prod"), Some(&first));
    assert!(!known.namespaces.contains_key("kube-system"));
    let workers = known.accounts.keys().filter(|(_, name)| name.starts_with("worker-")).count();
    assert_eq!(workers, count);

    let uid = lab.api().create_service_account("payments-prod", "api").await.unwrap();
    becomes(&mut inventory, |known| known.accounts.get(&key("api")) == Some(&uid)).await;
    lab.api().delete_service_account("payments-prod", "api").await.unwrap();
    becomes(&mut inventory, |known| !known.accounts.contains_key(&key("api"))).await;

    lab.api().delete_namespace("payments-prod").await.unwrap();
    becomes(&mut inventory, |known| !known.namespaces.contains_key("payments-prod")).await;
    let second = lab.api().create_namespace("payments-prod").await.unwrap();
    assert_ne!(first, second);
    becomes(&mut inventory, |known| known.namespaces.get("payments-prod") == Some(&second)).await;

    lab.kubernetes.stop().await.unwrap();
    let lost = inventory.wait_for(|state| matches!(state, InventoryState::Unknown { .. }));
    let lost = tokio::time::timeout(Duration::from_secs(30), lost).await;
    assert!(lost.is_ok(), "the API server is gone and the inventory still says it knows");
}
