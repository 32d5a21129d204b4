//! Listening: TLS from files that are read again when they change, plain HTTP on loopback only, slow
//! callers cut off, and an end that lets requests under way finish.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result, ensure};
use axum::Router;
use axum_server::tls_rustls::RustlsConfig;
use axum_server::{Handle, Server};
use strongroom_config::TlsConfig;

use crate::signals;

/// How long requests under way have once the process is asked to stop.
const DRAIN: Duration = Duration::from_secs(25);

/// How often the files of a certificate are looked at.
const LOOK: Duration = Duration::from_secs(10);

/// How long a new connection may say nothing, and a request's head may take to come in.
const PATIENCE: Duration = Duration::from_secs(15);

/// The most bytes of a request's head, which each connection may make the process hold.
const HEAD: usize = 64 * 1024;

/// A port that is taken, and the certificate for it.
pub struct Listening {
    listener: TcpListener,
    tls: Option<RustlsConfig>,
    /// Set once the process is asked to stop.
    pub stopping: Arc<AtomicBool>,
}

/// Reads a certificate and its key, which must fit each other.
pub async fn certificate(files: &TlsConfig) -> Result<RustlsConfig> {
    let read = RustlsConfig::from_pem_file(&files.cert_file, &files.key_file).await;
    read.with_context(|| {
        let (cert, key) = (files.cert_file.display(), files.key_file.display());
        format!("read the certificate {cert} and its key {key}")
    })
}

impl Listening {
    /// Takes the port.
    pub async fn begin(listen: SocketAddr, tls: Option<&TlsConfig>) -> Result<Self> {
        let tls = if let Some(files) = tls {
            // Before they are read: what changes in between is seen as a change.
            let seen = changed(files);
            let config = certificate(files).await?;
            tokio::spawn(keep(config.clone(), files.clone(), seen));
            Some(config)
        } else {
            ensure!(listen.ip().is_loopback(), "only a loopback address is served without TLS");
            None
        };
        let listener = TcpListener::bind(listen).with_context(|| format!("listen on {listen}"))?;
        tracing::info!(%listen, tls = tls.is_some(), "api is up");
        Ok(Self { listener, tls, stopping: Arc::default() })
    }

    /// Serves until the process is asked to stop.
    pub async fn serve(self, router: Router) -> Result<()> {
        let Self { listener, tls, stopping } = self;
        let handle = Handle::new();
        let asked = handle.clone();
        tokio::spawn(async move {
            signals::stop().await;
            stopping.store(true, Ordering::Relaxed);
            asked.graceful_shutdown(Some(DRAIN));
        });
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        let served = if let Some(config) = tls {
            let server = axum_server::from_tcp_rustls(listener, config).context("listen")?;
            careful(server).handle(handle).serve(service).await
        } else {
            let server = axum_server::from_tcp(listener).context("listen")?;
            careful(server).handle(handle).serve(service).await
        };
        served.context("serve the API")
    }
}

/// Who connects and says nothing holds a file of the process: not for long.
fn careful<A>(server: Server<SocketAddr, A>) -> Server<SocketAddr, A> {
    let mut server = server
        .first_request_timeout(PATIENCE)
        .accept_error_handler(|_, error| tracing::error!(%error, "take a connection"));
    server.http_builder().http1().header_read_timeout(PATIENCE).max_buf_size(HEAD);
    server.http_builder().http2().keep_alive_interval(PATIENCE).keep_alive_timeout(PATIENCE);
    server
}

/// Takes a renewed certificate up. One that cannot be read is told, and the old one stays.
async fn keep(config: RustlsConfig, files: TlsConfig, mut seen: [Option<SystemTime>; 2]) {
    loop {
        tokio::time::sleep(LOOK).await;
        let now = changed(&files);
        if now == seen {
            continue;
        }
        match config.reload_from_pem_file(&files.cert_file, &files.key_file).await {
            Ok(()) => {
                tracing::info!(cert = %files.cert_file.display(), "the certificate was renewed");
                seen = now;
            }
            // Written in two steps, the files may not fit each other yet.
            Err(error) => {
                let cert = files.cert_file.display();
                tracing::error!(%error, %cert, "the new certificate is not taken");
            }
        }
    }
}

/// When the files last changed.
fn changed(files: &TlsConfig) -> [Option<SystemTime>; 2] {
    let at = |file: &Path| std::fs::metadata(file).and_then(|found| found.modified()).ok();
    [at(&files.cert_file), at(&files.key_file)]
}
