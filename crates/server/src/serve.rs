//! `strongroom serve`: wires the API together. It holds no engine credential and no act client.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context as _, Result};
use jiff::SignedDuration;
use secrecy::ExposeSecret as _;
use strongroom_api::{AppState, CallsPerMinute, Limits, SignIn};
use strongroom_app::access::Access;
use strongroom_app::live::{self, Live};
use strongroom_app::reach::ReachCache;
use strongroom_app::{App, Rules, health};
use strongroom_authn::{Issuer, SignInRules, WorkloadIssuer};
use strongroom_config::{ClusterKeys, ServeConfig};
use strongroom_domain::clock::SystemClock;
use strongroom_domain::name::GroupName;
use strongroom_storage::{Store, check_schema};

use crate::arguments::ConfigFile;
use crate::listen::Listening;
use crate::probes::{Check, CheckState};
use crate::{logging, probes};

/// Serves until it is asked to stop; requests under way are finished.
pub async fn run(options: &ConfigFile) -> Result<()> {
    logging::start();
    let counted = probes::count()?;
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
        live: Live::default(),
    };
    let state = AppState {
        app: Arc::new(app),
        issuer: Arc::new(issuer),
        limits: Arc::new(limits(&config)),
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
    tokio::spawn(live::keep(Arc::clone(&state.app)));
    let listening = Listening::begin(config.listen, config.tls.as_ref()).await?;
    if let Some(listen) = config.probes {
        let (app, issuer) = (Arc::clone(&state.app), Arc::clone(&state.issuer));
        let stopping = Arc::clone(&listening.stopping);
        let look = move || -> Pin<Box<dyn Future<Output = Vec<Check>> + Send>> {
            let stops = stopping.load(Ordering::Relaxed);
            Box::pin(checks(stops, Arc::clone(&app), Arc::clone(&issuer)))
        };
        probes::answer(listen, counted, Arc::new(look)).await?;
    }
    listening.serve(strongroom_api::router(state)).await
}

/// Without its database it can do nothing; without provider or executor it shows what is there. All are
/// asked at once and none for long: whoever asks has little patience.
async fn checks(stops: bool, app: Arc<App>, issuer: Arc<Issuer>) -> Vec<Check> {
    const PATIENCE: Duration = Duration::from_secs(2);
    let silent = || "no answer within 2 seconds".to_owned();
    let (database, executor, provider) = tokio::join!(
        tokio::time::timeout(PATIENCE, health::ready(&app)),
        tokio::time::timeout(PATIENCE, health::executor_away(&app)),
        tokio::time::timeout(PATIENCE, issuer.metadata()),
    );
    let database = match database {
        Ok(Ok(())) => CheckState::Good,
        Ok(Err(error)) => CheckState::Bad(error.to_string()),
        Err(_) => CheckState::Bad(silent()),
    };
    let executor = match executor {
        Ok(Ok(None)) => CheckState::Good,
        Ok(Ok(Some(why))) => CheckState::Degraded(why),
        Ok(Err(error)) => CheckState::Degraded(error.to_string()),
        Err(_) => CheckState::Degraded(silent()),
    };
    let provider = match provider {
        Ok(Ok(_)) => CheckState::Good,
        Ok(Err(error)) => CheckState::Degraded(error.to_string()),
        Err(_) => CheckState::Degraded(silent()),
    };
    let mut checks = vec![
        Check { name: "database", state: database },
        Check { name: "executor", state: executor },
        Check { name: "provider", state: provider },
    ];
    if stops {
        checks.push(Check { name: "process", state: CheckState::Bad("it stops".to_owned()) });
    }
    checks
}

fn limits(config: &ServeConfig) -> Limits {
    let calls = CallsPerMinute {
        caller: config.calls_per_minute.caller,
        team: config.calls_per_minute.team,
        nobody: config.calls_per_minute.nobody,
    };
    Limits::new(calls, config.trusted_proxies.clone())
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
