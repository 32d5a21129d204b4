//! Row 26: a service account appears in the cluster, and gets its rights in the engine.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::audit::{Calls, Who};
use crate::estate::{Estate, slug};
use crate::lab::Lab;
use crate::measure::{Row, Values, length};

/// Makes accounts anew one by one, each of another team.
pub async fn measure(lab: &Lab, estate: &Estate, times: usize) -> Result<Vec<Row>> {
    let mut executor = lab.executor("attach").await?;
    crate::rows::quiet::settle(lab, estate).await?;
    let mut taken = Values::default();
    let (mut calls, mut total) = (Calls::default(), 0);
    for number in 0..times {
        let team = slug(number % estate.teams);
        lab.kubernetes.delete_service_account(&team, "api").await?;
        tokio::time::sleep(Duration::from_millis(2500)).await;
        let place = lab.audit.end();
        let at = crate::estate::now();
        lab.kubernetes.create_service_account(&team, "api").await?;
        let path = format!("identity/group/name/team.{team}.binding.api");
        let start = Instant::now();
        let seconds = loop {
            tokio::time::sleep(Duration::from_millis(20)).await;
            let lines = lab.audit.since(place)?;
            let wrote = |line: &&crate::audit::Line| {
                line.who == Who::Executor && line.writes() && line.path == path
            };
            if let Some(line) = lines.iter().find(wrote) {
                break line.at.duration_since(at).as_secs_f64();
            }
            ensure!(start.elapsed() < Duration::from_mins(1), "{team} is not attached");
        };
        taken.0.push(seconds * 1000.0);
        tokio::time::sleep(Duration::from_millis(700)).await;
        calls = Calls::of(&lab.audit.since(place)?);
        total += calls.reads() + calls.writes();
    }
    // Ends the borrow of its log in the right order.
    executor.until_said("swept", 1).await?;
    executor.stop().await?;
    let size = format!("{} teams, {times} accounts", estate.teams);
    let mean = length(usize::try_from(total)?) / length(times.max(1));
    Ok(vec![
        Row::new(26, "account appears until it has its rights: wall", &size)
            .against(
                "p50 ≤ 20 ms",
                format!("p50 {:.0} ms, p99 {:.0} ms", taken.median(), taken.quantile(0.99)),
                taken.median() <= 20.0,
            )
            .beside("with making the account; UIDs are read live three times"),
        Row::new(26, "account appears until it has its rights: engine calls", &size)
            .against("1", format!("{mean:.1}"), mean <= 1.0)
            .beside(calls.to_string()),
    ])
}
