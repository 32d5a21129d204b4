//! Rows 1, 2 and 9: many new teams at once, the real way, against a bare loop of the same writes;
//! and what readers feel meanwhile.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use rustix::process::Signal;
use serde_json::json;
use strongroom_plan::desired::Objects;
use strongroom_vault_model::object::ObjectKey;
use strongroom_vault_model::wire;

use crate::audit::{Calls, Who};
use crate::estate::{Estate, Known, bare, decoded, document, write_all};
use crate::lab::Lab;
use crate::measure::{Row, Values, float, length, ratios};
use crate::process::Executor;

/// Teams in one request: the most that one may hold.
const BATCH: usize = 20;

/// Concurrencies of the bare loop.
const SWEPT: [usize; 3] = [1, 4, 16];

/// The one of them that is also measured with its objects read before and after.
const VERIFIED: usize = 16;

/// What one request of many teams cost.
struct Cost {
    seconds: f64,
    calls: Calls,
    index: u64,
    applied: Calls,
    cpu: f64,
}

/// Rows 1, 2 and 9.
pub async fn measure(lab: &Lab, estate: &mut Estate, pairs: usize) -> Result<Vec<Row>> {
    let executor = lab.executor("converge").await?;
    // The first request also brings the shared anchors and warms both sides.
    ours(lab, estate, &executor, "warm", 2).await?;
    let mut known = estate.known.clone();
    theirs(lab, estate, &executor, &mut known, "warm", 2, 1).await?;
    let (mut costs, mut floors) = (Vec::new(), vec![Vec::new(); SWEPT.len()]);
    let mut verified = Vec::new();
    let mut floor_index = 0;
    for pair in 0..pairs {
        costs.push(ours(lab, estate, &executor, &format!("w1-{pair}"), BATCH).await?);
        for (place, side_by_side) in SWEPT.into_iter().enumerate() {
            let name = format!("w1-{pair}-{side_by_side}");
            let (seconds, index) =
                theirs(lab, estate, &executor, &mut known, &name, BATCH, side_by_side).await?;
            floors[place].push(seconds);
            floor_index = index;
            if side_by_side == VERIFIED {
                verified.push(seconds + read_twice(lab, estate, &executor, &name).await?);
            }
        }
    }
    let objects = per_team(estate)?;
    let mut rows = calls(&costs, objects, floor_index);
    rows.push(terraform_calls(lab, estate, &mut known).await?);
    let seconds: Vec<f64> = costs.iter().map(|cost| cost.seconds).collect();
    let size = format!("{pairs} pairs of {BATCH} teams");
    for (place, side_by_side) in SWEPT.into_iter().enumerate() {
        let ratio = ratios(&seconds, &floors[place]);
        let what = format!("converge, wall: against the bare loop, {side_by_side} at a time");
        let row = Row::new(2, &what, &size).beside(format!(
            "ours {} s, bare {} s for {} objects",
            Values(seconds.clone()),
            Values(floors[place].clone()),
            objects * BATCH,
        ));
        let kept = ratio.median() <= 1.15;
        rows.push(row.against("≤ 1.15×", format!("{ratio}×"), kept));
    }
    let ratio = ratios(&seconds, &verified);
    let what = "converge, wall: against the bare loop that reads each object before and after";
    rows.push(
        Row::new(2, what, &size).shows(format!("{ratio}×")).beside(format!(
            "{VERIFIED} at a time, {} s; the design asks for both",
            Values(verified)
        )),
    );
    let cpu = Values(costs.iter().map(|c| c.cpu * 1000.0 / float(c.applied.writes())).collect());
    rows.push(Row::new(2, "converge: executor's processor time per write", &size).against(
        "≤ 0.25 ms (10 % of the server's 2.5 ms)",
        format!("{cpu} ms"),
        cpu.median() <= 0.25,
    ));
    rows.extend(readers(lab, estate, &executor, &mut known).await?);
    executor.stop().await?;
    Ok(rows)
}

fn per_team(estate: &Estate) -> Result<usize> {
    let shared = |key: &&ObjectKey| matches!(key, ObjectKey::Anchor(_) | ObjectKey::AnchorAlias(_));
    let objects = estate.objects(&decoded("some")?)?;
    Ok(objects.keys().filter(|key| !shared(key)).count())
}

fn calls(costs: &[Cost], objects: usize, floor_index: u64) -> Vec<Row> {
    let teams = length(costs.len() * BATCH);
    let per = |count: fn(&Cost) -> u64| float(costs.iter().map(count).sum()) / teams;
    let (writes, reads) = (per(|c| c.applied.writes()), per(|c| c.applied.reads()));
    let (all_writes, all_reads) = (per(|c| c.calls.writes()), per(|c| c.calls.reads()));
    let size = format!("{teams} teams");
    let shown = costs.last().map(|cost| cost.applied.to_string()).unwrap_or_default();
    vec![
        Row::new(1, "converge, calls: writes per team from approved to applied", &size)
            .against(
                &format!("{objects}.00 (one per object)"),
                format!("{writes:.2}"),
                writes <= length(objects) + 0.01,
            )
            .beside(format!("{objects} objects + 2 head writes; last batch: {shown}")),
        Row::new(1, "converge, calls: reads per team from approved to applied", &size)
            .against("≤ 2", format!("{reads:.2}"), reads <= 2.0)
            .beside("planned again from live state, and each write is read back"),
        Row::new(1, "converge, calls: from submission to attached, per team", &size)
            .shows(format!("{all_writes:.2} writes, {all_reads:.2} reads")),
        Row::new(1, "converge: raft entries per team, submission to attached", &size)
            .shows(format!("{:.2}", per(|c| c.index)))
            .beside(format!("bare loop {:.2}", float(floor_index) / length(BATCH))),
    ]
}

/// One request of new teams, the real way; attached at the end.
async fn ours(
    lab: &Lab,
    estate: &Estate,
    executor: &Executor,
    name: &str,
    count: usize,
) -> Result<Cost> {
    let slugs: Vec<String> = (0..count).map(|number| format!("{name}-{number:02}")).collect();
    estate.namespaces(lab, &slugs).await?;
    let texts: Vec<String> = slugs.iter().map(|slug| document(slug)).collect();
    let file = lab.write(&format!("{name}.yaml"), &texts.join("---\n"))?;
    // An owner of all of them: otherwise each team would want the vote of another owner.
    let bob = lab.person("bob").await?;
    bob.until_previewed(&file).await?;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let (place, index) = (lab.audit.end(), lab.index().await?);
    let request = bob.submits(&file, "many teams", &[]).await?;
    let before = executor.cpu();
    let seconds = lab.settle(&request).await?;
    let cpu = executor.cpu() - before;
    lab.until_attached(&format!("{name}-"), count).await?;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let lines = lab.audit.since(place)?;
    let index = lab.index().await? - index;
    // From the first head to the last: what the vote set going.
    let of_us = || lines.iter().filter(|line| line.who == Who::Executor);
    let heads = of_us().filter(|l| l.path.starts_with("strongroom/data/heads/") && l.writes());
    let last = heads.map(|line| line.at).max().context("no head was written")?;
    #[expect(clippy::cast_possible_truncation, reason = "seconds of a request")]
    let begin = last - jiff::SignedDuration::from_millis((seconds * 1000.0) as i64 + 50);
    let applied: Vec<_> =
        lines.iter().filter(|line| line.at >= begin && line.at <= last).cloned().collect();
    Ok(Cost { seconds, calls: Calls::of(&lines), index, applied: Calls::of(&applied), cpu })
}

/// The same writes by the same client library, and nothing else; the executor stands still.
async fn theirs(
    lab: &Lab,
    estate: &Estate,
    executor: &Executor,
    known: &mut Known,
    name: &str,
    count: usize,
    side_by_side: usize,
) -> Result<(f64, u64)> {
    let objects = bare_objects(estate, name, count)?;
    let index = lab.index().await?;
    executor.signal(Signal::STOP)?;
    let begun = Instant::now();
    let done = write_all(&lab.admin, &objects, known, side_by_side, bare).await;
    let seconds = begun.elapsed().as_secs_f64();
    executor.signal(Signal::CONT)?;
    done?;
    Ok((seconds, lab.index().await? - index))
}

/// What it takes to read each object of the bare loop twice, as before and after its write.
async fn read_twice(lab: &Lab, estate: &Estate, executor: &Executor, name: &str) -> Result<f64> {
    let objects = bare_objects(estate, name, BATCH)?;
    let paths = || objects.keys().map(|key| bare(&wire::read_path(key)));
    executor.signal(Signal::STOP)?;
    let begun = Instant::now();
    let done = read_paths(lab, paths().chain(paths()), VERIFIED).await;
    let seconds = begun.elapsed().as_secs_f64();
    executor.signal(Signal::CONT)?;
    done.map(|()| seconds)
}

async fn read_paths(
    lab: &Lab,
    paths: impl Iterator<Item = String>,
    side_by_side: usize,
) -> Result<()> {
    stream::iter(paths)
        .map(|path| async move { lab.admin.read(&path, "{object}").await })
        .buffer_unordered(side_by_side)
        .try_for_each(|_| async { Ok(()) })
        .await?;
    Ok(())
}

fn bare_objects(estate: &Estate, name: &str, count: usize) -> Result<Objects> {
    let mut objects = Objects::new();
    for number in 0..count {
        objects.extend(estate.objects(&decoded(&format!("{name}-{number:02}"))?)?);
    }
    Ok(objects)
}

/// Terraform's provider for the same objects: a policy is read, written and read, everything else
/// is written and read; ten resources at a time.
async fn terraform_calls(lab: &Lab, estate: &Estate, known: &mut Known) -> Result<Row> {
    let objects = bare_objects(estate, "terraform", BATCH)?;
    let place = lab.audit.end();
    let begun = Instant::now();
    write_all(&lab.admin, &objects, known, 10, bare).await?;
    let keys =
        objects.keys().filter(|k| !matches!(k, ObjectKey::AnchorAlias(_) | ObjectKey::Anchor(_)));
    let twice = keys.flat_map(|key| {
        let times = if matches!(key, ObjectKey::Policy(_)) { 2 } else { 1 };
        vec![bare(&wire::read_path(key)); times]
    });
    read_paths(lab, twice, 10).await?;
    let seconds = begun.elapsed().as_secs_f64();
    let calls = lab.audit.since(place)?.len();
    Ok(Row::new(1, "peer: Terraform's create sequence, replayed", format!("{BATCH} teams"))
        .shows(format!("{:.2} calls per team", length(calls) / length(BATCH)))
        .beside(format!("{seconds:.2} s, ten at a time, without Terraform's own work")))
}

/// Row 9: values are read at a fixed rate, alone and while teams are made.
async fn readers(
    lab: &Lab,
    estate: &Estate,
    executor: &Executor,
    known: &mut Known,
) -> Result<Vec<Row>> {
    let mount = json!({ "type": "kv", "options": { "version": "2" } });
    lab.admin.write("sys/mounts/readers", "sys/mounts/{mount}", &mount).await?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    lab.admin.write("readers/data/one", "{secret}", &json!({ "data": { "a": "b" } })).await?;
    let mut alone = Values::default();
    read_for(lab, &mut alone, tokio::time::sleep(Duration::from_secs(6))).await?;
    let mut during = Values::default();
    read_during(lab, &mut during, ours(lab, estate, executor, "readers", BATCH)).await?;
    let mut beside = Values::default();
    let many = theirs(lab, estate, executor, known, "beside", 3 * BATCH, 16);
    read_during(lab, &mut beside, many).await?;
    let ms = |values: &Values| format!("{:.1} ms", values.quantile(0.99));
    let ratio = during.quantile(0.99) / alone.quantile(0.99);
    Ok(vec![
        Row::new(9, "readers at 100/s while 20 teams are made: p99", "20 teams")
            .against("≤ 1.25× alone", format!("{ratio:.2}×"), ratio <= 1.25)
            .beside(format!(
                "alone {}, during {}, beside the bare loop 16 at a time {}",
                ms(&alone),
                ms(&during),
                ms(&beside)
            )),
    ])
}

async fn read_during<T>(
    lab: &Lab,
    values: &mut Values,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    let mut out = None;
    read_for(lab, values, async {
        out = Some(work.await);
    })
    .await?;
    out.context("it did not end")?
}

/// Open loop: each read has its time, whether the one before has ended or not.
async fn read_for(lab: &Lab, values: &mut Values, until: impl Future<Output = ()>) -> Result<()> {
    let mut until = std::pin::pin!(until);
    let mut ticks = tokio::time::interval(Duration::from_millis(10));
    let mut reads = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            due = ticks.tick() => {
                let admin = lab.admin.clone();
                reads.spawn(async move {
                    admin.read("readers/data/one", "{secret}").await.map(|_| due.elapsed())
                });
            }
            () = &mut until => break,
        }
    }
    while let Some(read) = reads.join_next().await {
        values.0.push(read??.as_secs_f64() * 1000.0);
    }
    Ok(())
}
