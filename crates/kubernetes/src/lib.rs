//! Reads namespaces and service accounts of a cluster, metadata only, and turns them into observations.
