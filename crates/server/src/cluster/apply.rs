//! `--apply`: look at everything first, then write what is missing, make the tokens, and ask the cluster
//! back.
//!
//! Files come after the objects and before the questions: what is asked about is what is kept. Nothing is
//! ever taken by force: who else holds a field of ours keeps it, and is named.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use strongroom_cli::screen::Screen;
use strongroom_config::file;
use strongroom_config::floor::ClusterCredential;
use strongroom_domain::document::Document;
use strongroom_kubernetes::bootstrap::administrator::Administrator;
use strongroom_kubernetes::bootstrap::compare::Standing;
use strongroom_kubernetes::bootstrap::{CallError, Needed, keys};
use tokio::time::Instant;

use super::kept::{Kept, Place};
use super::{CONFLICT, ends, objects_of, told, verify};
use crate::arguments::cluster::{AuthMethod, ClusterBootstrap};
use crate::clock::clock;
use crate::private;

/// Every API server of a cluster learns of new rights a moment after they are written.
const SETTLES: Duration = Duration::from_secs(15);

/// Looks, writes, verifies; the Cluster document is on standard output when all of it is as it should be.
pub async fn run(options: &ClusterBootstrap, kept: &Kept, screen: Screen) -> Result<ExitCode> {
    let administrator =
        Administrator::connect(options.kubeconfig.as_deref(), options.kube_context.as_deref())
            .await
            .context("use the kubeconfig; without --apply the objects are printed for kubectl")?;
    screen.say(&format!("context    {}: {}", administrator.context, administrator.server));
    let place = place(options, &administrator)?;
    let document = document(options, &administrator, &place).await?;
    if !options.renew_tokens
        && let Some(why) = kept.another(&place)?
    {
        screen.must_say(&format!("foreign    {why}\nnothing was written"));
        return Ok(ExitCode::from(CONFLICT));
    }
    let needed = objects_of(options).objects();
    let looks = look(&administrator, &needed).await?;
    screen.say(&shown(&looks));
    if looks.iter().any(|(_, standing)| matches!(standing, Standing::Foreign(_))) {
        screen.must_say("nothing was written: what is somebody else's must be looked at first");
        return Ok(ExitCode::from(CONFLICT));
    }
    let due = looks.iter().filter(|(_, standing)| *standing != Standing::Same);
    let due: Vec<&Needed> = due.map(|(needed, _)| *needed).collect();
    for needed in &due {
        administrator.apply(needed).await.map_err(denied).with_context(|| {
            format!("write {}; run it again: what was written is seen then", needed.shown())
        })?;
        screen.say(&format!("wrote      {}", needed.shown()));
    }
    for (needed, standing) in look(&administrator, &needed).await? {
        ensure!(
            standing == Standing::Same,
            "{} is not as it was written: {standing:?}",
            needed.shown()
        );
    }
    kept.write_place(&place, options.renew_tokens)?;
    tokens(options, kept, &administrator, screen).await?;

    let all = ClusterCredential::read_all(&kept.floor()).context("read what was kept")?;
    let credential = all.first().context("the kept entry holds no cluster")?;
    let settled = Instant::now() + if due.is_empty() { Duration::ZERO } else { SETTLES };
    let report = loop {
        let report = verify::look(credential, clock().now()).await;
        if !report.is_red() || Instant::now() >= settled {
            break report;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    };
    screen.must_say(&report.text(screen.style_err()));
    if !report.is_red() {
        screen.say(&told::next_steps(options, kept, &place));
        screen.data(&document.to_yaml());
    }
    Ok(report.exit())
}

/// Where executor and engine reach the cluster, and by which CA they know it.
fn place(options: &ClusterBootstrap, administrator: &Administrator) -> Result<Place> {
    let server = options.api_server.as_ref().unwrap_or(&administrator.server);
    let ca_pem = match &options.ca_file {
        Some(path) => {
            let text = file::read_text(path)?;
            let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
            let all = all.with_context(|| format!("read certificates in {}", path.display()))?;
            all.iter().map(|der| keys::pem("CERTIFICATE", der)).collect()
        }
        None => administrator.ca_pem.clone().with_context(|| {
            format!(
                "the context {} names no CA of the cluster: get it with `kubectl get configmap \
                 kube-root-ca.crt -o jsonpath='{{.data.ca\\.crt}}' > ca.pem`, and name --ca-file ca.pem",
                administrator.context
            )
        })?,
    };
    let with_reviewer = options.auth == AuthMethod::Kubernetes;
    Ok(Place { server: server.trim_end_matches('/').to_owned(), ca_pem, with_reviewer })
}

/// Made before anything is written: an address that no document may name is told in time.
async fn document(
    options: &ClusterBootstrap,
    administrator: &Administrator,
    place: &Place,
) -> Result<Document> {
    let auth: Value = match options.auth {
        AuthMethod::Kubernetes => json!({ "method": "kubernetes" }),
        AuthMethod::Jwt => {
            let issuer = administrator.issuer().await?;
            ensure!(
                !issuer.keys.is_empty(),
                "the cluster publishes no key of RS256 or ES256, and others the engine does not take"
            );
            json!({ "method": "jwt", "issuer": issuer.issuer, "keys": issuer.keys })
        }
    };
    told::document(options, place, &auth)
}

/// How the cluster stands to each object. What would have to be forced is somebody else's, too.
async fn look<'n>(
    administrator: &Administrator,
    needed: &'n [Needed],
) -> Result<Vec<(&'n Needed, Standing)>> {
    let mut looks = Vec::new();
    for each in needed {
        let standing = administrator.look(each).await.map_err(denied)?;
        let standing = match standing {
            Standing::Differs(why) => match administrator.try_apply(each).await.map_err(denied)? {
                Some(held) => Standing::Foreign(format!(
                    "{}; it is not taken by force: {held}",
                    why.join("; ")
                )),
                None => Standing::Differs(why),
            },
            other => other,
        };
        looks.push((each, standing));
    }
    Ok(looks)
}

/// Who may not do it is told whom to ask.
fn denied(error: CallError) -> anyhow::Error {
    let is_denied = matches!(error.code, Some(401 | 403));
    let error = anyhow::Error::new(error);
    if is_denied {
        error.context(
            "the kubeconfig's user may not do this: take an administrator's, or let one pipe what is printed \
             without --apply into kubectl",
        )
    } else {
        error
    }
}

fn shown(looks: &[(&Needed, Standing)]) -> String {
    let line = |(needed, standing): &(&Needed, Standing)| {
        let (word, why) = match standing {
            Standing::Same => ("there", String::new()),
            Standing::New => ("new", String::new()),
            Standing::Differs(why) => ("changes", format!(": {}", why.join("; "))),
            Standing::Foreign(why) => ("foreign", format!(": {why}")),
        };
        strongroom_cli::render::text::clean(&format!("{word:<10} {}{why}", needed.shown())) + "\n"
    };
    looks.iter().map(line).collect()
}

/// Makes the tokens that are not kept yet, or all anew.
async fn tokens(
    options: &ClusterBootstrap,
    kept: &Kept,
    administrator: &Administrator,
    screen: Screen,
) -> Result<()> {
    for account in told::accounts(options) {
        let path = kept.token(*account);
        let file = path.display();
        if path.exists() && !options.renew_tokens {
            if file::read_secret(&path)?.expose_secret().trim().is_empty() {
                bail!("{file} is empty: remove it, and it is made anew");
            }
            screen.say(&format!("kept       {file}"));
            continue;
        }
        let ttl = options.token_ttl;
        let token = administrator.token(&options.namespace, account.name(), ttl).await;
        let token = token.map_err(denied)?;
        private::write(&path, token.expose_secret().as_bytes(), options.renew_tokens)?;
        let life = ends::of_token(token.expose_secret())
            .and_then(|says| Some(says.until?.duration_since(says.from?)));
        let less = life.is_some_and(|life| life.as_secs() < i64::from(ttl));
        let note = if less { ", which the cluster gives less time than asked for" } else { "" };
        screen.say(&format!("wrote      {file}{note}"));
    }
    Ok(())
}
