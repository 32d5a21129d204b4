//! What a supervisor and a monitoring system ask, on a port of its own: whether the process lives,
//! whether it can work, and its metrics. Nothing here is a secret, and nothing here changes anything.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use strongroom_domain::metric::{ALL, API_SECONDS, PASS_SECONDS};

/// Bounds of histograms, seconds.
const BUCKETS: &[f64] = &[0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// One thing that a process needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What.
    pub name: &'static str,
    /// How it is.
    pub state: CheckState,
}

/// How something that is needed is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CheckState {
    /// As it should be.
    Good,
    /// Not; the process works on, and does less.
    Degraded(String),
    /// Not, and without it the process can do nothing.
    Bad(String),
}

/// Looks at everything that the process needs.
pub type Look = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Vec<Check>> + Send>> + Send + Sync>;

#[derive(Clone)]
struct Shared {
    metrics: PrometheusHandle,
    look: Look,
}

/// Starts to count. Once in a process, before anything is counted.
pub fn count() -> Result<PrometheusHandle> {
    let mut builder = PrometheusBuilder::new();
    for name in [API_SECONDS, PASS_SECONDS] {
        builder = builder
            .set_buckets_for_metric(Matcher::Full(name.to_owned()), BUCKETS)
            .context("set the bounds of a histogram")?;
    }
    let handle = builder.install_recorder().context("start counting")?;
    for metric in ALL {
        match metric.kind {
            "counter" => metrics::describe_counter!(metric.name, metric.help),
            "gauge" => metrics::describe_gauge!(metric.name, metric.help),
            _ => metrics::describe_histogram!(metric.name, metric.help),
        }
    }
    let kept = handle.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_secs(5)).await;
            kept.run_upkeep();
        }
    });
    Ok(handle)
}

/// Answers probes on this address until the process ends.
pub async fn answer(listen: SocketAddr, metrics: PrometheusHandle, look: Look) -> Result<()> {
    let listener = tokio::net::TcpListener::bind(listen)
        .await
        .with_context(|| format!("listen for probes on {listen}"))?;
    let router = Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(render))
        .with_state(Shared { metrics, look });
    tracing::info!(%listen, "probes are answered");
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "probes are not answered any more");
        }
    });
    Ok(())
}

async fn ready(State(shared): State<Shared>) -> impl IntoResponse {
    let (status, text) = told(&(shared.look)().await);
    (status, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text)
}

/// One line per check, and whether the process can work.
fn told(checks: &[Check]) -> (StatusCode, String) {
    let line = |check: &Check| match &check.state {
        CheckState::Good => format!("[+] {} ok\n", check.name),
        CheckState::Degraded(why) => format!("[!] {} degraded: {why}\n", check.name),
        CheckState::Bad(why) => format!("[-] {} failed: {why}\n", check.name),
    };
    let bad = checks.iter().any(|check| matches!(check.state, CheckState::Bad(_)));
    let status = if bad { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    let last = if bad { "not ready\n" } else { "ready\n" };
    (status, checks.iter().map(line).chain([last.to_owned()]).collect())
}

async fn render(State(shared): State<Shared>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], shared.metrics.render())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_degraded_is_told_and_only_what_is_bad_is_not_ready() {
        let check = |state| Check { name: "database", state };
        let (status, text) = told(&[check(CheckState::Good)]);
        assert_eq!((status, text.as_str()), (StatusCode::OK, "[+] database ok\nready\n"));
        let (status, text) = told(&[check(CheckState::Degraded("x".into()))]);
        assert_eq!(status, StatusCode::OK);
        assert!(text.contains("[!] database degraded: x"), "{text}");
        let (status, text) = told(&[check(CheckState::Good), check(CheckState::Bad("y".into()))]);
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(text.ends_with("[-] database failed: y\nnot ready\n"), "{text}");
    }
}
