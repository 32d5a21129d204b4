//! `strongroom serve`: wires the API together. It holds no engine credential and no act client.

use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use jiff::SignedDuration;
use secrecy::ExposeSecret as _;
use strongroom_api::{AppState, SignIn};
use strongroom_app::access::Access;
use strongroom_app::reach::ReachCache;
use strongroom_app::{App, Rules};
use strongroom_authn::{Issuer, SignInRules, WorkloadIssuer};
use strongroom_config::{ClusterKeys, ServeConfig};
use strongroom_domain::clock::SystemClock;
use strongroom_domain::name::GroupName;
use strongroom_storage::{Store, check_schema};

use crate::arguments::ConfigFile;
use crate::{logging, signals};

/// Serves until it is asked to stop; requests under way are finished.
pub async fn run(options: &ConfigFile) -> Result<()> {
    logging::start();
    let config = ServeConfig::read(&options.config)?;
    let url = config.database.url(&options.config)?;
    let store = Store::connect(url.expose_secret(), "strongroom serve", 20)
        .await
        .context("connect to the database")?;
    check_schema(store.pool()).await?;
    let ca_pem = config.issuer.ca_pem(&options.config)?;
    let issuer = Issuer::new(&config.issuer.url, ca_pem.as_deref(), &config.issuer.hosts)?;
    let names = |groups: &[GroupName]| groups.iter().map(ToString::to_string).collect();
    let app = App {
        store,
        clock: Arc::new(SystemClock),
        rules: Rules {
            platform_groups: names(&config.platform_groups),
            auditor_groups: names(&config.auditor_groups),
            open_requests_per_person: config.open_requests_per_person,
            machine_clusters: config.clusters.iter().map(audience).collect(),
            session_idle: SignedDuration::from_mins(config.session.idle_minutes.into()),
            session_absolute: SignedDuration::from_hours(config.session.absolute_hours.into()),
        },
        access: Access::default(),
        reach: ReachCache::default(),
    };
    let state = AppState {
        app: Arc::new(app),
        issuer: Arc::new(issuer),
        workloads: config.clusters.iter().map(workloads).collect(),
        sign_in: Arc::new(SignIn {
            rules: SignInRules {
                client: config.sign_in_client.clone(),
                person_claim: config.person_claim.clone(),
                groups_claim: config.groups_claim.clone(),
            },
            scopes: config.sign_in_scopes.clone(),
        }),
    };
    ensure!(config.listen.ip().is_loopback(), "only a loopback address is served without TLS");
    let listener = tokio::net::TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("listen on {}", config.listen))?;
    tracing::info!(listen = %config.listen, "api is up");
    axum::serve(listener, strongroom_api::router(state))
        .with_graceful_shutdown(signals::stop())
        .await
        .context("serve the API")
}

fn audience(cluster: &ClusterKeys) -> (String, String) {
    (cluster.name.to_string(), cluster.audience.clone())
}

/// Whose service accounts' tokens are taken.
fn workloads(cluster: &ClusterKeys) -> WorkloadIssuer {
    WorkloadIssuer {
        cluster: cluster.name.to_string(),
        issuer: cluster.issuer.clone(),
        audience: cluster.audience.clone(),
        keys_file: cluster.keys_file.clone(),
    }
}
