//! Row 6: edits by hand, and what putting them back costs.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::{Value, json};
use strongroom_engine::Session;

use crate::audit::{Calls, Line, Who};
use crate::estate::{Estate, slug};
use crate::lab::Lab;
use crate::measure::{Row, Values};

/// Makes `count` edits, spread over kinds that the executor puts back, and counts.
pub async fn measure(lab: &Lab, estate: &Estate, count: usize) -> Result<Vec<Row>> {
    let teams = estate.teams;
    crate::rows::quiet::settle(lab, estate).await?;
    let place = lab.audit.end();
    let mut edited = Vec::new();
    for number in 0..count {
        let team = slug(number % teams);
        edited.push(edit(&lab.admin, &team, number / teams + number % 3).await?);
    }
    let start = Instant::now();
    let lines = loop {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let lines = lab.audit.since(place)?;
        if restored(&lines).len() >= edited.len() {
            tokio::time::sleep(Duration::from_millis(1500)).await;
            break lab.audit.since(place)?;
        }
        if start.elapsed() > Duration::from_mins(1) {
            bail!("{} of {count} edits were put back", restored(&lines).len());
        }
    };
    let calls = Calls::of(&lines);
    let times = Values(restored(&lines).into_values().collect());
    let size = format!("{teams} teams, {count} edits");
    let (reads, writes) = (calls.reads(), calls.writes());
    // One look before and one after each write; the second is no part of the target's "K reads".
    let most = 2 * count as u64;
    Ok(vec![
        Row::new(6, "repair: writes", &size).against(
            &format!("{count}"),
            writes,
            writes == count as u64,
        ),
        Row::new(6, "repair: reads", &size)
            .against(&format!("{count} (+ {count} read back)"), reads, reads == most)
            .beside(calls.to_string()),
        Row::new(6, "repair: from the edit's answer to its repair's", &size).against(
            "p50 ≤ 25 ms, p99 ≤ 150 ms",
            format!("p50 {:.0} ms, p99 {:.0} ms", times.median(), times.quantile(0.99)),
            times.median() <= 25.0 && times.quantile(0.99) <= 150.0,
        ),
    ])
}

/// One edit that allows more: of a policy, a limit or a role.
async fn edit(admin: &Session, team: &str, kind: usize) -> Result<String> {
    let change = |mut value: Value, field: &str, to: Value| {
        value[field] = to;
        value
    };
    let (path, body) = match kind % 3 {
        0 => {
            let path = format!("sys/policies/acl/team.{team}.owner");
            let read = admin.read(&path, "{policy}").await?.unwrap_or_default();
            let text = read["policy"].as_str().unwrap_or_default();
            let more =
                format!("{text}path \"team/{team}/more/*\" {{\n  capabilities = [\"read\"]\n}}\n");
            (path, json!({ "policy": more }))
        }
        1 => {
            let path = format!("sys/quotas/rate-limit/team.{team}.kv");
            let body = json!({ "path": format!("team/{team}/kv/"), "rate": 900, "interval": 1 });
            (path, body)
        }
        _ => {
            let path = format!("auth/k8s/prod-eu/role/{team}");
            let read = admin.read(&path, "{role}").await?.unwrap_or_default();
            (path, change(read, "token_max_ttl", json!(86_400)))
        }
    };
    admin.write(&path, "{object}", &body).await?;
    Ok(path)
}

/// Milliseconds from somebody's write to a path until the executor's, for each such path.
fn restored(lines: &[Line]) -> BTreeMap<String, f64> {
    let mut edits = BTreeMap::new();
    let mut times = BTreeMap::new();
    for line in lines.iter().filter(|line| line.writes()) {
        match line.who {
            Who::Other => {
                edits.insert(line.path.clone(), line.at);
            }
            Who::Executor => {
                if let Some(at) = edits.get(&line.path) {
                    let took = line.at.duration_since(*at).as_secs_f64() * 1000.0;
                    times.entry(line.path.clone()).or_insert(took);
                }
            }
            Who::Auditor => {}
        }
    }
    times
}
