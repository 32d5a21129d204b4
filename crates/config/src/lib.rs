//! Typed configuration of the server processes, and the executor's floor file.
//!
//! YAML files with unknown keys refused; secrets stand in files that are named, never in the
//! configuration itself. Relative paths are relative to the file they stand in. Nothing here
//! decides anything: every default is written, with its reason, in the samples under `deploy/`.

mod clusters;
mod database;
pub mod execute;
pub mod file;
pub mod floor;
pub mod issuer;
#[cfg(test)]
mod schema;
pub mod serve;
mod tls;

pub use clusters::ClusterKeys;
pub use database::{Database, URL_VARIABLE};
pub use execute::ExecuteConfig;
pub use file::ConfigError;
pub use floor::Floor;
pub use issuer::IssuerConfig;
pub use serve::ServeConfig;
pub use tls::TlsConfig;

/// A documented `serve.yaml`.
pub const SERVE_SAMPLE: &str = include_str!("../../../deploy/serve.yaml");
/// A documented `execute.yaml`.
pub const EXECUTE_SAMPLE: &str = include_str!("../../../deploy/execute.yaml");
/// A documented `floor.yaml`.
pub const FLOOR_SAMPLE: &str = include_str!("../../../deploy/floor.yaml");
