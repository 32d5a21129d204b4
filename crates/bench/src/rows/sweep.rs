//! Rows 5, 23 and 24: looking at everything, memory, and the way from start to ready.

use std::time::Instant;

use anyhow::{Context as _, Result};
use serde_json::json;
use strongroom_engine::{Call, Method, kv};
use strongroom_vault_model::object::{HEADS_MOUNT, ObjectKey};

use crate::audit::{Calls, Line, Who};
use crate::estate::{Estate, read_all, slug};
use crate::lab::Lab;
use crate::measure::{Row, Values, float, length, ratios};
use crate::process::{Executor, Memory};
use crate::rows::quiet::{keys, settle};

/// What one size showed.
#[derive(Debug, Clone, Copy)]
pub struct Point {
    /// Teams.
    pub teams: usize,
    /// Seconds from start to ready.
    pub ready: f64,
    /// Calls until then.
    pub calls: f64,
    /// Resident memory when quiet.
    pub memory: Memory,
}

/// Row 24: a fresh start; gives the running executor, quiet.
pub async fn start(lab: &Lab, estate: &Estate) -> Result<(Executor, Point, Vec<Row>)> {
    // The first start on new teams attaches every account; the second one is what is measured.
    let first = lab.executor(&format!("first-{}", estate.teams)).await?;
    settle(lab, estate).await?;
    first.stop().await?;
    let place = lab.audit.end();
    let config = lab.dir.join("execute.yaml");
    let name = format!("start-{}", estate.teams);
    let mut executor = Executor::start(&lab.program, &lab.dir, &config, &name)?;
    let loaded = executor.until_said("heads are loaded", 1).await?.as_secs_f64();
    let ready = executor.until_said("swept", 1).await?.as_secs_f64();
    let calls = Calls::of(&lab.audit.since(place)?);
    settle(lab, estate).await?;
    let memory = executor.memory();
    let mut floors = Values::default();
    for _ in 0..3 {
        floors.0.push(heads_bare(lab, estate).await?);
    }
    let floor = floors.median();
    let count = calls.reads();
    let rows = vec![
        Row::new(
            24,
            "start until heads are loaded, against reading them 16 at a time",
            estate.teams,
        )
        .against(
            "≤ 1.3×, ≤ 0.3 s",
            format!("{:.2}× ({loaded:.2} s)", loaded / floor),
            loaded / floor <= 1.3 && loaded <= 0.3,
        )
        .beside(format!("bare {floor:.2} s; until all is swept {ready:.2} s")),
        Row::new(24, "start until swept: engine reads", estate.teams).against(
            "1",
            count,
            count <= 1,
        ),
    ];
    let calls = float(count);
    Ok((executor, Point { teams: estate.teams, ready, calls, memory }, rows))
}

async fn heads_bare(lab: &Lab, estate: &Estate) -> Result<f64> {
    use futures::{StreamExt as _, TryStreamExt as _, stream};
    let begun = Instant::now();
    stream::iter(0..estate.teams)
        .map(|number| async move {
            let path = format!("heads/team/{}", slug(number));
            let read = kv::read(&lab.admin, HEADS_MOUNT, &path).await?;
            let head = strongroom_domain::head::Head::from_stored(read.context("no head")?.data)?;
            anyhow::ensure!(head.applied.is_some(), "an empty head");
            Ok(())
        })
        .buffer_unordered(16)
        .try_collect::<()>()
        .await?;
    Ok(begun.elapsed().as_secs_f64())
}

/// Row 5: a full look, caused by a change that no object can be told from.
pub async fn full(
    lab: &Lab,
    estate: &Estate,
    executor: &mut Executor,
    pairs: usize,
) -> Result<Vec<Row>> {
    let keys = keys(estate)?;
    let (mut ours, mut loops, mut floors) = (Vec::new(), Vec::new(), Vec::new());
    let (mut calls, mut bytes, mut loop_bytes) = (Calls::default(), 0, 0);
    for pair in 0..pairs {
        let place = lab.audit.end();
        let known = executor.said("swept").len();
        let rule = json!({ "policy": format!("length = {}\nrule \"charset\" {{ charset = \"abc\" }}", 20 + pair) });
        lab.admin.write("sys/policies/password/bench", "{policy}", &rule).await?;
        executor.until_said("swept", known + 1).await?;
        let lines = lab.audit.since(place)?;
        let own: Vec<&Line> =
            lines.iter().filter(|line| line.who == Who::Executor && !line.is_token()).collect();
        let (first, last) = own.first().zip(own.last()).context("nothing was looked at")?;
        ours.push(last.at.duration_since(first.at).as_secs_f64());
        calls = Calls::of(&lines);
        bytes = lab.audit.bytes_of(place, Who::Executor)?;
        settle(lab, estate).await?;

        let place = lab.audit.end();
        let begun = Instant::now();
        read_all(&lab.admin, &keys, 10).await?;
        loops.push(begun.elapsed().as_secs_f64());
        loop_bytes = lab.audit.bytes_since(place)?.len() as u64;

        let begun = Instant::now();
        bulk(lab, &keys).await?;
        floors.push(begun.elapsed().as_secs_f64());
    }
    let floor = ratios(&ours, &floors);
    let faster = ratios(&loops, &ours);
    let share = float(bytes) / float(loop_bytes.max(1)) * 100.0;
    Ok(vec![
        Row::new(
            5,
            "full look, wall: against bulk lists and one read per object besides",
            estate.teams,
        )
        .against("≤ 1.15×", format!("{floor}×"), floor.median() <= 1.15)
        .beside(format!("ours {} s, bare {} s", Values(ours.clone()), Values(floors))),
        Row::new(
            5,
            "full look, wall: faster than reading every object, ten at a time",
            estate.teams,
        )
        .against("≥ 1.5×", format!("{faster}×"), faster.median() >= 1.5)
        .beside(format!("loop {} s for {} objects", Values(loops), keys.len())),
        Row::new(5, "full look: bytes of audit log, of those of the loop", estate.teams)
            .against("≤ 60 %", format!("{share:.0} %"), share <= 60.0)
            .beside(format!("{:.1} MB; {calls}", float(bytes) / 1e6)),
    ])
}

/// The least that a full look needs: lists with bodies where there are any, and a read for each
/// object without.
async fn bulk(lab: &Lab, keys: &[ObjectKey]) -> Result<()> {
    let path = "sys/policies/detailed/acl";
    lab.admin.call(Call::new(Method::List, path, path)).await?;
    lab.admin.read("sys/mounts", "sys/mounts").await?;
    let listed = |key: &&ObjectKey| {
        matches!(key, ObjectKey::Policy(_) | ObjectKey::Mount(_) | ObjectKey::AnchorAlias(_))
    };
    let rest: Vec<ObjectKey> = keys.iter().filter(|key| !listed(key)).cloned().collect();
    read_all(&lab.admin, &rest, 10).await?;
    Ok(())
}

/// Row 23, from several sizes.
pub fn memory(points: &[Point]) -> Vec<Row> {
    let mut rows = Vec::new();
    for point in points {
        let Memory { all, peak, own } = point.memory;
        let text = format!("{all:.1} MiB, peak {peak:.1} MiB");
        let row = Row::new(23, "executor's resident memory, quiet", point.teams)
            .beside(format!("{own:.1} MiB without pages of the program's file"));
        rows.push(if point.teams >= 10_000 {
            row.against("≤ 64 MiB in all", text, peak <= 64.0)
        } else {
            row.shows(text)
        });
    }
    if let (Some(first), Some(last)) = (points.first(), points.last())
        && last.teams > first.teams
    {
        let more = length(last.teams - first.teams);
        let bytes = (last.memory.all - first.memory.all) * 1024.0 * 1024.0 / more;
        let size = format!("{}–{}", first.teams, last.teams);
        rows.push(
            Row::new(23, "executor's resident memory per team, by growth", size)
                .against("≤ 7 kB (700 B per object)", format!("{bytes:.0} B"), bytes <= 7000.0)
                .beside(format!(
                    "by this, {:.0} MiB at 10,000 teams",
                    bytes.mul_add(
                        length(10_000 - last.teams.min(10_000)) / 1024.0 / 1024.0,
                        last.memory.all
                    )
                )),
        );
    }
    rows
}

/// How ready time and calls grow.
pub fn growth(points: &[Point]) -> Vec<Row> {
    let of = |value: fn(&Point) -> f64| -> f64 {
        let pairs: Vec<_> =
            points.iter().map(|point| (length(point.teams), value(point))).collect();
        crate::measure::slope(&pairs)
    };
    let sizes: Vec<String> = points.iter().map(|point| point.teams.to_string()).collect();
    vec![
        Row::new(24, "start until swept: growth of calls and of wall", sizes.join(", "))
            .shows(format!("N^{:.2} and N^{:.2}", of(|p| p.calls), of(|p| p.ready)))
            .beside("linear is 1"),
    ]
}
