//! Row 25: the executor that holds the lease dies, another one goes on.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use rustix::process::Signal;
use serde_json::json;

use crate::audit::Who;
use crate::estate::{Estate, slug};
use crate::lab::Lab;
use crate::measure::{Row, Values};
use crate::process::Executor;

/// Kills or ends the holder some times while there is something to be put back.
pub async fn measure(lab: &Lab, estate: &Estate, times: usize) -> Result<Vec<Row>> {
    let config = lab.dir.join("execute.yaml");
    let start = |name: String| Executor::start(&lab.program, &lab.dir, &config, &name);
    let mut rows = Vec::new();
    for signal in [Signal::KILL, Signal::TERM] {
        let mut first = lab.executor("holder").await?;
        let mut taken = Values::default();
        for number in 0..times {
            let word = if signal == Signal::KILL { "killed" } else { "ended" };
            let second = start(format!("next-{word}-{number}"))?;
            // It is up and waits for the lease.
            tokio::time::sleep(Duration::from_secs(3)).await;
            let (place, begun) = (lab.audit.end(), Instant::now());
            let at = crate::estate::now();
            first.signal(signal)?;
            let path = format!("sys/quotas/rate-limit/team.{}.kv", slug(number));
            let body = json!({
                "path": format!("team/{}/kv/", slug(number)), "rate": 901, "interval": 1,
            });
            lab.admin.write(&path, "{limit}", &body).await?;
            let wrote = loop {
                tokio::time::sleep(Duration::from_millis(50)).await;
                let lines = lab.audit.since(place)?;
                let first = lines
                    .iter()
                    .find(|line| line.who == Who::Executor && line.writes() && line.path == path);
                if let Some(line) = first {
                    break line.at.duration_since(at).as_secs_f64();
                }
                ensure!(begun.elapsed() < Duration::from_mins(3), "nobody goes on");
            };
            taken.0.push(wrote);
            first = second;
        }
        let how = if signal == Signal::KILL { "killed" } else { "asked to end" };
        let size = format!("{} teams, {times} times", estate.teams);
        rows.push(
            Row::new(25, &format!("holder {how}: until another one writes"), &size)
                .against("≤ 2 s", format!("{taken} s"), taken.quantile(1.0) <= 2.0)
                .beside("the lease lasts 20 s; an engine call may take 5 s"),
        );
        first.stop().await?;
    }
    let (twice,): (i64,) = sqlx::query_as(
        "SELECT count(*) FROM (SELECT 1 FROM journal WHERE phase = 'receipt' AND step > 0 \
         AND outcome = 'written' GROUP BY plan_hash, step HAVING count(*) > 1) AS each",
    )
    .fetch_one(&lab.database)
    .await?;
    let (falling,): (i64,) = sqlx::query_as(
        "SELECT count(*) FROM (SELECT epoch, lag(epoch) OVER (ORDER BY journal_id) AS before \
         FROM journal WHERE phase = 'intent') AS each WHERE epoch < before",
    )
    .fetch_one(&lab.database)
    .await?;
    rows.push(
        Row::new(25, "over all hand-overs: steps written twice, writes of an older epoch", "")
            .against("0 and 0", format!("{twice} and {falling}"), twice + falling == 0),
    );
    Ok(rows)
}
