//! Typed configuration of the server processes, and the executor's floor file.
//!
//! YAML files with unknown keys refused; secrets stand in files that are named, never in the
//! configuration itself. Relative paths are relative to the file they stand in. Nothing here
//! decides anything: defaults are the ones written in `docs/configuration.md`.

mod database;
pub mod execute;
pub mod file;
pub mod floor;
pub mod issuer;
pub mod serve;

pub use database::Database;
pub use execute::ExecuteConfig;
pub use file::ConfigError;
pub use floor::Floor;
pub use issuer::IssuerConfig;
pub use serve::ServeConfig;
