//! Verifies acts, freezes and applies plans, observes the engine and the clusters, finds drift.
