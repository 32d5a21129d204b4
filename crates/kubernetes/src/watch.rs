//! Lists and watches namespaces and service accounts, for the inventory and as a wake-up.
//!
//! An object's absence from the inventory is a reason to read it live, never a fact by itself.
//! After anything that may have been a gap the whole list is read again, because the watch could
//! not say what it missed.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt as _};
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use kube::Resource;
use kube::api::Api;
use kube::core::PartialObjectMeta;
use kube::runtime::watcher::{self, Event, watcher};
use serde::de::DeserializeOwned;
use tokio::sync::watch::{self as channel, Receiver, Sender};
use tokio::time::Instant;

use crate::cluster::Cluster;
use crate::list::{List, Step, account_key, namespace_key};
use crate::reason::watch_reason;

/// Objects a page.
const PAGE: u32 = 500;

/// What is known of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InventoryState {
    /// Nothing can be said.
    Unknown {
        /// Why.
        reason: String,
    },
    /// The lists are the cluster's.
    Known(Arc<Inventory>),
}

/// Namespaces and accounts with their UIDs, as far as they can be a tenant's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inventory {
    /// UID by name.
    pub namespaces: BTreeMap<String, String>,
    /// UID by namespace and name.
    pub accounts: BTreeMap<(String, String), String>,
}

/// How patient the watch is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// Before the first new try after a failure; doubles with each.
    pub(crate) first_retry: Duration,
    /// Between tries at most.
    pub(crate) longest_retry: Duration,
    /// For a complete list.
    pub(crate) list: Duration,
    /// For a watch, before everything is listed anew all the same.
    pub(crate) watch: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            first_retry: Duration::from_millis(250),
            longest_retry: Duration::from_secs(30),
            list: Duration::from_mins(2),
            watch: Duration::from_mins(10),
        }
    }
}

/// Starts watching. The receiver always has the newest state; dropping it ends the watch.
pub fn watch(cluster: &Cluster) -> Receiver<InventoryState> {
    watch_with(cluster, Patience::default())
}

pub(crate) fn watch_with(cluster: &Cluster, patience: Patience) -> Receiver<InventoryState> {
    let unknown = InventoryState::Unknown { reason: "the cluster was not read yet".into() };
    let (sender, receiver) = channel::channel(unknown);
    let client = cluster.client();
    let namespaces: Api<PartialObjectMeta<Namespace>> = Api::all(client.clone());
    let accounts: Api<PartialObjectMeta<ServiceAccount>> = Api::all(client);
    tokio::spawn(async move {
        let namespaces = Follower::new(namespaces, List::new(namespace_key), patience);
        let accounts = Follower::new(accounts, List::new(account_key), patience);
        run(namespaces, accounts, &sender).await;
    });
    receiver
}

type Events<T> = Pin<Box<dyn Stream<Item = watcher::Result<Event<PartialObjectMeta<T>>>> + Send>>;

/// Keeps one kind's list.
struct Follower<T, K> {
    api: Api<PartialObjectMeta<T>>,
    list: List<K>,
    patience: Patience,
    /// The running watch; none while waiting for the next try.
    events: Option<Events<T>>,
    /// While waiting: the next try. While listing or watching: when that has to end.
    until: Instant,
    /// Since when the list is complete.
    complete: Option<Instant>,
    failures: u32,
}

impl<T, K> Follower<T, K>
where
    T: Resource + Clone + Debug + Send + 'static,
    PartialObjectMeta<T>: Resource + Clone + Debug + DeserializeOwned + Send + 'static,
    K: Ord,
{
    fn new(api: Api<PartialObjectMeta<T>>, list: List<K>, patience: Patience) -> Self {
        Self {
            api,
            list,
            patience,
            events: None,
            until: Instant::now(),
            complete: None,
            failures: 0,
        }
    }

    /// Goes on until there is something to tell. May be dropped and called again at any time.
    async fn next(&mut self) {
        loop {
            let Some(events) = &mut self.events else {
                tokio::time::sleep_until(self.until).await;
                self.begin();
                continue;
            };
            let step = match tokio::time::timeout_at(self.until, events.next()).await {
                Ok(Some(Ok(event))) => {
                    let done = matches!(event, Event::InitDone);
                    let step = self.list.take(&event);
                    if done && step == Step::Changed {
                        let now = Instant::now();
                        self.complete = Some(now);
                        self.until = now + self.patience.watch;
                    }
                    step
                }
                Ok(Some(Err(error))) => {
                    self.list.lose(watch_reason(&error));
                    Step::Again
                }
                // A watcher never ends by itself; if it does, that is a gap like any other.
                Ok(None) => {
                    self.list.lose("the watch ended".to_owned());
                    Step::Again
                }
                // The list is not lost: it is only time to compare it as a whole.
                Err(_) if self.complete.is_some() => {
                    self.failures = 0;
                    self.begin();
                    continue;
                }
                Err(_) => {
                    let seconds = self.patience.list.as_secs();
                    self.list.lose(format!("the list was not complete after {seconds} seconds"));
                    Step::Again
                }
            };
            match step {
                Step::Nothing => {}
                Step::Changed => return,
                Step::Again => {
                    self.wait();
                    return;
                }
            }
        }
    }

    fn begin(&mut self) {
        let config = watcher::Config::default().page_size(PAGE);
        self.events = Some(Box::pin(watcher(self.api.clone(), config)));
        self.until = Instant::now() + self.patience.list;
        self.complete = None;
    }

    fn wait(&mut self) {
        // A watch that was good for long starts counting anew.
        let good = self.complete.is_some_and(|at| at.elapsed() > self.patience.longest_retry);
        if good {
            self.failures = 0;
        }
        let doubled = self.patience.first_retry.saturating_mul(2_u32.saturating_pow(self.failures));
        self.failures = self.failures.saturating_add(1);
        self.events = None;
        self.until = Instant::now() + doubled.min(self.patience.longest_retry);
    }
}

async fn run(
    mut namespaces: Follower<Namespace, String>,
    mut accounts: Follower<ServiceAccount, (String, String)>,
    sender: &Sender<InventoryState>,
) {
    loop {
        tokio::select! {
            () = namespaces.next() => {}
            () = accounts.next() => {}
            () = sender.closed() => return,
        }
        let state = match (namespaces.list.known(), accounts.list.known()) {
            (Ok(namespaces), Ok(accounts)) => InventoryState::Known(Arc::new(Inventory {
                namespaces: namespaces.clone(),
                accounts: accounts.clone(),
            })),
            (Err(reason), _) | (_, Err(reason)) => {
                InventoryState::Unknown { reason: reason.to_owned() }
            }
        };
        sender.send_if_modified(|old| {
            let changed = *old != state;
            if changed {
                tracing::debug!(
                    known = matches!(state, InventoryState::Known(_)),
                    "kubernetes.inventory"
                );
                *old = state;
            }
            changed
        });
    }
}

#[cfg(test)]
mod tests;
