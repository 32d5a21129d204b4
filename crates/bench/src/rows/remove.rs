//! Row 8 and the way from a removal to a refusal on a live token.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use secrecy::SecretString;
use serde_json::json;
use strongroom_engine::error::Failure;
use strongroom_engine::{Session, auth};

use crate::audit::{Calls, Who};
use crate::estate::{Estate, document};
use crate::lab::Lab;
use crate::measure::{Row, Values, length};

/// A team of its own, with a value and a workload that reads it.
async fn team(lab: &Lab, estate: &Estate, slug: &str) -> Result<Session> {
    estate.namespaces(lab, &[slug.to_owned()]).await?;
    let file = lab.write("removed.yaml", &document(slug))?;
    let alice = lab.person("alice").await?;
    alice.until_previewed(&file).await?;
    let request = alice.submits(&file, "to be removed", &[]).await?;
    lab.settle(&request).await?;
    lab.until_attached(slug, 1).await?;
    let value = json!({ "data": { "password": "s3cr3t" } });
    lab.admin.write(&format!("team/{slug}/kv/data/prod/api/db"), "{secret}", &value).await?;
    let token = lab.kubernetes.token(slug, "api", &["strongroom"], 900).await?;
    let client = lab.client()?;
    let token = SecretString::from(token);
    let login = auth::kubernetes_login(&client, "k8s/prod-eu", slug, &token).await?;
    let workload = Session::with_login(client, login);
    let start = Instant::now();
    while workload.read(&format!("team/{slug}/kv/data/prod/api/db"), "{secret}").await.is_err() {
        ensure!(start.elapsed() < Duration::from_mins(1), "the workload never reads");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(workload)
}

/// Takes away what the team has and keeps its name.
fn emptied(slug: &str, mounts: bool) -> Result<String> {
    let text = document(slug);
    let bindings = text.find("  bindings:").context("an odd document")?;
    let limits = text.find("  limits:").context("an odd document")?;
    let text = format!("{}{}", &text[..bindings], &text[limits..]);
    if mounts {
        return Ok(text);
    }
    let from = text.find("  namespaces:").context("an odd document")?;
    let to = text.find("  limits:").context("an odd document")?;
    let text = format!("{}{}", &text[..from], &text[to..]);
    Ok(text.replace("  mounts: [{ name: kv, type: kv-v2 }]\n", ""))
}

/// Row 8: a team leaves; and removals to refusals.
pub async fn measure(lab: &Lab, estate: &Estate, times: usize) -> Result<Vec<Row>> {
    let executor = lab.executor("remove").await?;
    let (mut accepted, mut approved) = (Values::default(), Values::default());
    for number in 0..times {
        let slug = format!("gone-{number}");
        let workload = team(lab, estate, &slug).await?;
        let file = lab.write("emptied.yaml", &emptied(&slug, true)?)?;
        let path = format!("team/{slug}/kv/data/prod/api/db");
        let bob = lab.person("bob").await?;
        let refusal = async {
            let start = Instant::now();
            loop {
                let read = workload.read(&path, "{secret}").await;
                if matches!(read, Err(error) if error.failure == Failure::Denied) {
                    return Ok(crate::estate::now());
                }
                ensure!(start.elapsed() < Duration::from_mins(2), "it still reads");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let submit = async {
            let request = bob.submits(&file, "not needed", &[]).await?;
            lab.settle(&request).await?;
            anyhow::Ok(request)
        };
        let (refused, request) = tokio::try_join!(refusal, submit)?;
        let id: uuid::Uuid = request.parse()?;
        let seconds = |kind: &'static str| async move {
            let (at,): (f64,) = sqlx::query_as(
                "SELECT extract(epoch FROM min(at))::float8 FROM ledger_events \
                 WHERE request_id = $1 AND kind = $2",
            )
            .bind(id)
            .bind(kind)
            .fetch_one(&lab.database)
            .await?;
            anyhow::Ok(at)
        };
        let refused = jiff::SignedDuration::from_nanos(0)
            + refused.duration_since(jiff::Timestamp::UNIX_EPOCH);
        accepted.0.push(refused.as_secs_f64() - seconds("request.submitted").await?);
        approved.0.push(refused.as_secs_f64() - seconds("request.approved").await?);
    }
    let size = format!("{times} removals of a binding by its owner");
    let most = accepted.quantile(1.0);
    let mut rows = vec![
        Row::new(
            8,
            "removal on a live token: from its acceptance by the API to the refusal",
            &size,
        )
        .against("≤ 1 s", format!("{accepted} s"), most <= 1.0)
        .beside(format!("from the executor's approval {approved} s")),
    ];
    rows.push(leave(lab, estate).await?);
    executor.stop().await?;
    Ok(rows)
}

async fn leave(lab: &Lab, estate: &Estate) -> Result<Row> {
    let slug = "leaving";
    team(lab, estate, slug).await?;
    let file = lab.write("leaving.yaml", &emptied(slug, false)?)?;
    let place = lab.audit.end();
    let request = lab.person("bob").await?.submits(&file, "the team leaves", &[]).await?;
    let seconds = lab.settle(&request).await?;
    tokio::time::sleep(Duration::from_millis(700)).await;
    let lines = lab.audit.since(place)?;
    let calls = Calls::of(&lines);
    let own = lines.iter().filter(|line| line.who == Who::Executor);
    let deletes = own.filter(|line| line.operation == "delete").count();
    let mut left = Vec::new();
    for list in ["sys/policies/acl", "identity/group/name", "auth/k8s/prod-eu/role"] {
        let names = lab.admin.list(list, list).await?;
        left.extend(names.into_iter().filter(|name| name.contains(slug)));
    }
    Ok(Row::new(8, "a team leaves: what is left that carries rights", "1 team")
        .against("0", format!("{} {left:?}", left.len()), left.is_empty())
        .beside(format!(
            "{deletes} deletes; {seconds:.2} s; the mount keeps its data, quarantined; {:.0} calls: \
             {calls}",
            length(usize::try_from(calls.reads() + calls.writes())?)
        )))
}
