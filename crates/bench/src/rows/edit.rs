//! Row 7: one team changed among many, the real way.

use anyhow::Result;

use crate::audit::{Audit, Calls};
use crate::estate::{Estate, document, slug};
use crate::lab::Lab;
use crate::measure::{Row, Values, length, slope};
use crate::process::Executor;
use crate::proxy::Proxy;

/// What one size showed.
#[derive(Debug, Clone)]
pub struct Point {
    teams: usize,
    calls: Calls,
    seconds: f64,
    cpu: f64,
    bytes: u64,
}

/// Changes one team's limit some times: direct for time, once through a counting proxy for bytes.
pub async fn measure(lab: &Lab, estate: &Estate, executor: Executor) -> Result<Point> {
    let (mut times, mut cpus) = (Values::default(), Values::default());
    let mut calls = Calls::default();
    for number in 0..3 {
        let place = lab.audit.end();
        let (seconds, cpu) = change(lab, &executor, estate, 600 + number).await?;
        times.0.push(seconds);
        cpus.0.push(cpu);
        calls = count(&lab.audit, place)?;
    }
    executor.stop().await?;
    let proxy = Proxy::before(lab)?;
    let config = proxy.config(lab, "edit", true)?;
    let mut executor = Executor::start(&lab.program, &lab.dir, &config, "edit")?;
    executor.until_said("swept", 1).await?;
    crate::rows::quiet::settle(lab, estate).await?;
    proxy.take()?;
    change(lab, &executor, estate, 700).await?;
    let bytes = proxy.take()?.answered;
    executor.stop().await?;
    Ok(Point { teams: estate.teams, calls, seconds: times.median(), cpu: cpus.median(), bytes })
}

/// The self-check's own questions, once a minute, are about no team.
fn count(audit: &Audit, place: u64) -> Result<Calls> {
    let lines = audit.since(place)?;
    let lines: Vec<_> = lines.into_iter().filter(|l| !l.path.contains("capabilities")).collect();
    Ok(Calls::of(&lines))
}

async fn change(
    lab: &Lab,
    executor: &Executor,
    estate: &Estate,
    rate: usize,
) -> Result<(f64, f64)> {
    let team = slug(estate.teams / 2);
    let limit = format!("requestsPerSecond: {}", rate + estate.teams);
    let text = document(&team).replace("requestsPerSecond: 500", &limit);
    let file = lab.write("edit.yaml", &text)?;
    let alice = lab.person("alice").await?;
    let cpu = executor.cpu();
    let request = alice.submits(&file, "an edit", &[]).await?;
    let seconds = lab.settle(&request).await?;
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    Ok((seconds, executor.cpu() - cpu))
}

/// The rows of all sizes.
pub fn rows(points: &[Point]) -> Vec<Row> {
    let Some(last) = points.last() else { return Vec::new() };
    let same = points.iter().all(|point| point.calls == last.calls);
    let sizes: Vec<String> = points.iter().map(|point| point.teams.to_string()).collect();
    let sizes = sizes.join(", ");
    let of = |value: fn(&Point) -> f64| -> f64 {
        let pairs: Vec<_> = points.iter().map(|p| (length(p.teams), value(p))).collect();
        slope(&pairs)
    };
    let text = |value: fn(&Point) -> f64, unit: &str| -> String {
        let each: Vec<String> = points.iter().map(|p| format!("{:.2}", value(p))).collect();
        format!("{} {unit}", each.join(", "))
    };
    let total = last.calls.reads() + last.calls.writes();
    vec![
        Row::new(7, "one team changed among many: the same calls at each size", &sizes)
            .against("the same", if same { "the same" } else { "not the same" }, same)
            .beside(last.calls.to_string()),
        Row::new(7, "one team's limit changed: engine calls", last.teams)
            .against("≤ 8", total, total <= 8)
            .beside("observed twice (freeze, apply), two head writes, each write read back"),
        Row::new(7, "one team changed: bytes of the engine's answers", last.teams).against(
            "≤ 20 kB",
            format!("{:.1} kB", crate::measure::float(last.bytes) / 1000.0),
            last.bytes <= 20_000,
        ),
        Row::new(7, "one team changed: growth of wall, approved to applied", &sizes)
            .against("≤ N^0.05", format!("N^{:.2}", of(|p| p.seconds)), of(|p| p.seconds) <= 0.05)
            .beside(text(|p| p.seconds, "s")),
        Row::new(7, "one team changed: growth of the executor's processor time", &sizes)
            .against("≤ N^0.05", format!("N^{:.2}", of(|p| p.cpu)), of(|p| p.cpu) <= 0.05)
            .beside(text(|p| p.cpu, "s")),
    ]
}
