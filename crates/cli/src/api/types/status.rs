//! How the deployment stands, and people as of their sign-ins.

use serde::{Deserialize, Serialize};

views! {
    /// `GET /status`.
    StatusView {
        /// The server's version.
        version: String,
        /// The server's time.
        now: String,
        /// The engine.
        engine: Option<EngineStatus>,
        /// The executor.
        executor: Option<ExecutorStatus>,
        /// Clusters as they are seen.
        clusters: Vec<ClusterStatus>,
        /// Requests that have not ended, by state.
        requests: Vec<CountView>,
        /// What waits for the executor.
        queue: Vec<CountView>,
        /// Findings that stand, by severity.
        findings: Vec<CountView>,
        /// Subjects, by kind and state.
        subjects: Vec<CountView>,
        /// What stands still.
        standing_still: Vec<StandingStill>,
    }
    /// The engine as the executor last described it.
    EngineStatus {
        /// Its name.
        name: String,
        /// Product and version.
        product: String,
        /// The id that it gives itself.
        cluster_id: String,
    }
    /// The executor that writes, or wrote last.
    ExecutorStatus {
        /// Whether one is at work.
        at_work: bool,
        /// The process.
        holder: String,
        /// Grows with every change of holder.
        epoch: i64,
        /// Until when it may write.
        lease_until: String,
        /// When it last knew what is in the engine.
        looked_at: Option<String>,
    }
    /// A cluster as it is seen.
    ClusterStatus {
        /// Its name.
        cluster: String,
        /// Whether it is seen now.
        known: bool,
        /// Why not.
        reason: Option<String>,
        /// When it was last seen.
        as_of: String,
        /// How many namespaces.
        namespaces: i64,
        /// How many service accounts.
        service_accounts: i64,
    }
    /// How many there are of something.
    CountView {
        /// Of what.
        of: String,
        /// How many.
        count: i64,
        /// Since when the oldest.
        oldest: Option<String>,
    }
    /// Something that stands still.
    StandingStill {
        /// What.
        target: String,
        /// Why.
        reason: String,
        /// Whether engine and database tell different things of it.
        differs: bool,
    }
    /// Somebody as of their last sign-in.
    KnownPerson {
        /// The issuer.
        issuer: String,
        /// At the provider.
        person: String,
        /// A name to read.
        display: String,
        /// The groups of that sign-in.
        groups: Vec<String>,
        /// When it was.
        signed_in_at: String,
    }
}
