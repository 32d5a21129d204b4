//! The executor's read-only eyes on one Kubernetes cluster: namespaces and service accounts,
//! metadata only.
//!
//! What decides is read live ([`Cluster::settled`]); the watch ([`watch()`]) keeps an inventory for
//! people and says when to look again. A failed or empty list is *unknown*: nothing follows from
//! it (invariant I13). Nothing here writes to a cluster.

mod access;
pub mod cluster;
mod list;
mod reason;
#[cfg(test)]
mod scripted;
pub mod watch;

pub use cluster::{Cluster, ClusterAccess, ConnectError, Lookup, Settled};
pub use watch::{Inventory, InventoryState, watch};
