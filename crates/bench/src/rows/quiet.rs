//! Rows 3, 4 and 10: what it costs when nothing has changed.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde_json::json;
use strongroom_engine::sys;
use strongroom_vault_model::object::ObjectKey;

use crate::audit::{Calls, Who};
use crate::estate::{Estate, decoded, read_all, slug};
use crate::lab::Lab;
use crate::measure::{Row, Values, float, length};
use crate::process::Executor;
use crate::proxy::Proxy;

/// How long a quiet executor is watched. Longer than between two looks of the slow kind.
const WINDOW: Duration = Duration::from_secs(20);

/// The keys of every prepared team's objects.
pub fn keys(estate: &Estate) -> Result<Vec<ObjectKey>> {
    let mut keys = Vec::new();
    for number in 0..estate.teams {
        keys.extend(estate.objects(&decoded(&slug(number))?)?.into_keys());
    }
    keys.sort();
    keys.dedup();
    Ok(keys)
}

/// Row 3, counted by a proxy: with the audit log and without.
pub async fn counted(lab: &Lab, estate: &Estate) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for audit in [true, false] {
        let proxy = Proxy::before(lab)?;
        let name = if audit { "quiet-audit" } else { "quiet-index" };
        let config = proxy.config(lab, name, audit)?;
        let mut executor = Executor::start(&lab.program, &lab.dir, &config, name)?;
        executor.until_said("swept", 1).await?;
        settle(lab, estate).await?;
        proxy.take()?;
        tokio::time::sleep(WINDOW).await;
        let passed = proxy.take()?;
        // The auditor's question comes once a minute, whatever the number of teams.
        let asked = |call: &&String| call.contains("capabilities") || call.contains("auth/");
        let check = passed.calls.iter().filter(asked).count();
        let calls: Vec<&String> = passed.calls.iter().filter(|call| !asked(call)).collect();
        let looks = WINDOW.as_secs() / 5;
        let others: Vec<_> = calls.iter().filter(|call| !call.contains("sys/leader")).collect();
        let (what, target, most) = if audit {
            ("quiet, audit log read: engine calls", "≤ 1 per look", looks)
        } else {
            ("quiet, no audit log: engine calls", "1 per look (each 5 s)", looks + 1)
        };
        let kept = calls.len() as u64 <= most && others.is_empty();
        let size = format!("{} teams, {} s", estate.teams, WINDOW.as_secs());
        rows.push(
            Row::new(3, what, size)
                .against(target, format!("{} calls {others:?}", calls.len()), kept)
                .beside(format!("besides {check} of the self-check (once a minute)")),
        );
        executor.stop().await?;
    }
    Ok(rows)
}

/// Row 3, wall: the one call against reading every object.
pub async fn against_loop(lab: &Lab, estate: &Estate) -> Result<Vec<Row>> {
    let keys = keys(estate)?;
    let (mut loops, mut calls) = (Values::default(), Values::default());
    let place = lab.audit.end();
    for _ in 0..3 {
        let begun = Instant::now();
        read_all(&lab.admin, &keys, 10).await?;
        loops.0.push(begun.elapsed().as_secs_f64());
        for _ in 0..20 {
            let begun = Instant::now();
            sys::applied_index(lab.admin.client()).await?;
            calls.0.push(begun.elapsed().as_secs_f64());
        }
    }
    let bytes = lab.audit.bytes_since(place)?.len() / 3;
    let ratio = loops.median() / calls.median();
    Ok(vec![
        Row::new(
            3,
            "quiet: reading every object, ten at a time, against the one call",
            estate.teams,
        )
        .against("≥ 1,000×", format!("{ratio:.0}×"), ratio >= 1000.0)
        .beside(format!(
            "{} reads in {:.2} s and {:.1} MB of audit log; the call {:.2} ms",
            keys.len(),
            loops.median(),
            length(bytes) / 1e6,
            calls.median() * 1000.0
        )),
    ])
}

/// Row 10: what a quiet executor costs machine, audit log and database.
pub async fn footprint(lab: &Lab, estate: &Estate, executor: &Executor) -> Result<Vec<Row>> {
    settle(lab, estate).await?;
    let (place, cpu, wal) = (lab.audit.end(), executor.cpu(), wal(lab).await?);
    tokio::time::sleep(WINDOW).await;
    let share = (executor.cpu() - cpu) / WINDOW.as_secs_f64() * 100.0;
    let wal = self::wal(lab).await? - wal;
    let bytes = lab.audit.bytes_of(place, Who::Executor)?;
    let check = lab.audit.bytes_of(place, Who::Auditor)?;
    let size = format!("{} teams, {} s", estate.teams, WINDOW.as_secs());
    Ok(vec![
        Row::new(10, "quiet: bytes the executor puts in the audit log", &size)
            .against("0", bytes, bytes == 0)
            .beside(format!("the auditor's self-check: {check} bytes")),
        Row::new(10, "quiet: share of one core", &size).against(
            "≤ 0.5 %",
            format!("{share:.2} %"),
            share <= 0.5,
        ),
        Row::new(10, "quiet: WAL records of the database, all writers", &size)
            .against("0", wal, wal == 0)
            .beside("the lease is renewed by a write"),
    ])
}

async fn wal(lab: &Lab) -> Result<i64> {
    // What is still in a backend's own counters is told within a second.
    tokio::time::sleep(Duration::from_millis(1200)).await;
    let (records,): (i64,) = sqlx::query_as("SELECT wal_records::bigint FROM pg_stat_wal")
        .fetch_one(&lab.database)
        .await?;
    Ok(records)
}

/// Waits until the executor asks nothing any more.
pub async fn settle(lab: &Lab, estate: &Estate) -> Result<()> {
    lab.until_attached("estate-", estate.teams).await?;
    let start = Instant::now();
    loop {
        let place = lab.audit.end();
        tokio::time::sleep(Duration::from_secs(3)).await;
        let lines = lab.audit.since(place)?;
        if Calls::of(&lines).reads() == 0 {
            return Ok(());
        }
        anyhow::ensure!(start.elapsed() < Duration::from_mins(10), "never quiet");
    }
}

/// What of an audit line must be read at least.
#[derive(Deserialize)]
#[expect(dead_code, reason = "read for its cost only")]
struct Typed<'a> {
    #[serde(rename = "type", borrow)]
    kind: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    request: TypedRequest<'a>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "read for its cost only")]
struct TypedRequest<'a> {
    #[serde(borrow, default)]
    operation: std::borrow::Cow<'a, str>,
    #[serde(borrow, default)]
    path: std::borrow::Cow<'a, str>,
}

/// Row 4: workloads log in all the time, and nothing that is managed changes.
pub async fn busy(lab: &Lab, estate: &Estate, executor: &Executor) -> Result<Vec<Row>> {
    let role = json!({ "token_ttl": "60s", "token_policies": ["default"] });
    lab.admin.write("auth/approle/role/bench", "{role}", &role).await?;
    let id = lab.admin.read("auth/approle/role/bench/role-id", "{role}").await?;
    let id = id.and_then(|data| data.get("role_id").cloned()).context("no role id")?;
    let secret = lab.admin.write("auth/approle/role/bench/secret-id", "{role}", &json!({})).await?;
    let secret = secret.data.get("secret_id").cloned().context("no secret id")?;
    let body = json!({ "role_id": id, "secret_id": secret });
    settle(lab, estate).await?;
    let (place, cpu, begun) = (lab.audit.end(), executor.cpu(), Instant::now());
    let client = lab.client()?;
    let mut logins = 0_u32;
    while begun.elapsed() < Duration::from_secs(15) {
        let call = || {
            let path = "auth/approle/login";
            client.call(strongroom_engine::Call::post(path, path, &body), None)
        };
        let many = futures::future::join_all((0..8).map(|_| call())).await;
        logins += u32::try_from(many.iter().filter(|each| each.is_ok()).count())?;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let cpu = executor.cpu() - cpu;
    let bytes = lab.audit.bytes_since(place)?;
    let calls = Calls::of(&lab.audit.since(place)?);
    let parsing = Instant::now();
    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let typed = lines.filter(|line| serde_json::from_slice::<Typed<'_>>(line).is_ok()).count();
    let parsing = parsing.elapsed().as_secs_f64();
    let size = format!("{} teams, {logins} logins in 15 s", estate.teams);
    let megabytes = length(bytes.len()) / 1e6;
    let ratio = cpu / parsing;
    let mut rows =
        vec![Row::new(4, "busy: object reads and writes by the executor", &size).against(
            "0 and 0",
            format!("{} and {}", calls.reads(), calls.writes()),
            calls.reads() + calls.writes() == 0,
        )];
    rows.push(
        Row::new(4, "busy: executor's processor time against parsing the same lines", &size)
            .against("≤ 1.3×", format!("{ratio:.1}×"), ratio <= 1.3)
            .beside(format!(
                "{cpu:.2} s for {megabytes:.1} MB and the time itself; typed parse of {typed} \
                 lines {parsing:.3} s; {:.1} ms per MB",
                cpu * 1000.0 / megabytes.max(float(1) / 1000.0)
            )),
    );
    Ok(rows)
}
