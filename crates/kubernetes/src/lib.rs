//! The executor's read-only eyes on one Kubernetes cluster: namespaces and service accounts,
//! metadata only.
//!
//! What decides is read live ([`Cluster::settled`]); the watch ([`watch()`]) keeps an inventory for
//! people and says when to look again. A failed or empty list is *unknown*: nothing follows from
//! it (invariant I13). Nothing that the executor uses writes to a cluster; only [`bootstrap`] does, for
//! an administrator who prepares one.

mod access;
pub mod bootstrap;
pub mod cluster;
mod list;
mod reason;
#[cfg(test)]
mod scripted;
pub mod watch;

pub use cluster::{Cluster, ClusterAccess, ConnectError, Lookup, Settled};
pub use watch::{Inventory, InventoryState, watch};
