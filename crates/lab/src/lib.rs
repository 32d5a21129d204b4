//! Starts and stops the real parts on one machine: Postgres, OpenBao, an OIDC provider, a
//! Kubernetes API.
//!
//! Used by `strongroom dev` and by the tests. Parts are found, never fetched, here (`cargo xtask
//! tools` fetches them). Each part keeps its data in a directory of its own and takes it up again
//! at the next start. Nothing here is meant for production.

pub mod browser;
pub mod engine;
pub mod kubernetes;
pub mod parts;
pub mod person;
pub mod postgres;
pub mod process;
pub mod provider;
mod provider_admin;
pub mod tls;

pub use browser::Browser;
pub use engine::{Engine, EngineOptions, InitRequest};
pub use kubernetes::Kubernetes;
pub use parts::Parts;
pub use person::Person;
pub use postgres::Postgres;
pub use provider::{Client, Provider, ProviderOptions, User};
pub use provider_admin::ProviderAdmin;
