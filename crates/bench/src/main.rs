//! `cargo xtask bench`: what Strongroom costs, against floors and peers of the same run.
//!
//! It starts a lab of its own, prepares estates as their administrator, and measures a real
//! executor from outside. It must never report a target as met that this run has not met.

mod audit;
mod estate;
mod lab;
mod measure;
mod process;
mod proxy;
mod pure;
mod report;
mod rows;
mod terraform;
mod work;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::{Context as _, Result};
use strongroom_engine::sys;

use estate::Estate;
use lab::Lab;
use report::Report;

/// What is measured, and how large.
struct Options {
    rows: Vec<u32>,
    growth: Vec<usize>,
    pairs: usize,
    pure: (usize, usize),
    terraform: usize,
    repeats: usize,
}

impl Options {
    fn read(arguments: &[String]) -> Self {
        let full = arguments.iter().any(|argument| argument == "--full");
        let rows = arguments.iter().filter_map(|argument| argument.parse().ok()).collect();
        let teams = arguments.iter().find_map(|argument| argument.strip_prefix("--teams="));
        let teams: Vec<usize> =
            teams.into_iter().flat_map(|text| text.split(',')).flat_map(str::parse).collect();
        let growth = match (teams.is_empty(), full) {
            (false, _) => teams,
            (true, true) => vec![1000, 5000, 10_000],
            (true, false) => vec![10, 100, 500],
        };
        let (pairs, pure, repeats) = if full { (7, (1000, 4000), 10) } else { (3, (250, 1000), 3) };
        let terraform = if full { 500 } else { 100 };
        Self { rows, growth, pairs, pure, terraform, repeats }
    }

    fn wants(&self, any: &[u32]) -> bool {
        self.rows.is_empty() || any.iter().any(|row| self.rows.contains(row))
    }
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "this program prints its figures")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let result = match arguments.as_slice() {
        [verb, name, teams, times] if verb == "work" => worked(name, teams, times),
        _ => run(&Options::read(&arguments)).await,
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn worked(name: &str, teams: &str, times: &str) -> Result<()> {
    anyhow::ensure!(work::WORKS.contains(&name), "there is no work {name:?}");
    work::run(name, teams.parse()?, times.parse()?)
}

#[expect(clippy::print_stdout, reason = "this program prints its figures")]
async fn run(options: &Options) -> Result<()> {
    let begun = Instant::now();
    let program = std::env::var_os("STRONGROOM_BIN").map(PathBuf::from);
    let program = program.context("run this by `cargo xtask bench`")?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize()?;
    let needs_lab = options.wants(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 23, 24, 25, 26]);
    let lab = if needs_lab { Some(Lab::start(&program).await?) } else { None };
    let settings = match &lab {
        Some(lab) => Some(settings(lab).await?),
        None => None,
    };
    let mut report = Report::open(&root, settings)?;
    if options.wants(&[19, 20, 21, 22]) {
        report.add(pure::measure(options.pure.0, options.pure.1)?)?;
    }
    if options.wants(&[2, 3]) {
        match terraform::measure(options.terraform)? {
            Some(rows) => report.add(rows)?,
            None => println!("there is no terraform on this machine; its rows stay out"),
        }
        println!("{}", hvac());
    }
    if let Some(mut lab) = lab {
        // Boxed: the futures of all rows together are large.
        if options.wants(&[1, 2, 8, 9]) {
            let measured = Box::pin(on_few(&lab, options, &mut report)).await;
            lab.end().await?;
            measured?;
            // Sizes are counted from nothing.
            lab = Lab::start(&program).await?;
        }
        let measured = Box::pin(on_many(&lab, options, &mut report)).await;
        lab.end().await?;
        measured?;
    }
    report.write()?;
    println!("docs/benchmarks.md is written after {:.0} s", begun.elapsed().as_secs_f64());
    Ok(())
}

/// What needs no estate.
async fn on_few(lab: &Lab, options: &Options, report: &mut Report) -> Result<()> {
    let mut estate = Estate::new(lab).await?;
    if options.wants(&[1, 2, 9]) {
        report.add(rows::converge::measure(lab, &mut estate, options.pairs).await?)?;
    }
    if options.wants(&[8]) {
        report.add(rows::remove::measure(lab, &estate, options.repeats).await?)?;
    }
    Ok(())
}

/// What is measured among more and more teams. Large sizes take long: each says that it is there.
#[expect(clippy::print_stdout, reason = "this program prints its figures")]
async fn on_many(lab: &Lab, options: &Options, report: &mut Report) -> Result<()> {
    let mut estate = Estate::new(lab).await?;
    let (mut points, mut edits) = (Vec::new(), Vec::new());
    let last = options.growth.len().saturating_sub(1);
    for (place, teams) in options.growth.iter().copied().enumerate() {
        if !options.wants(&[3, 4, 5, 6, 7, 10, 23, 24, 25, 26]) {
            break;
        }
        let grown = estate.grow(lab, teams).await?.as_secs();
        println!("{teams} teams are prepared after {grown} s");
        let (mut executor, point, rows) = rows::sweep::start(lab, &estate).await?;
        println!(
            "{teams} teams: quiet, the executor takes {:.1} MiB, {:.1} at its peak",
            point.memory.all, point.memory.peak
        );
        points.push(point);
        if options.wants(&[24]) {
            report.add(rows)?;
        }
        if options.wants(&[10]) && place != 1 {
            report.add(rows::quiet::footprint(lab, &estate, &executor).await?)?;
        }
        if options.wants(&[6]) {
            let many = if place == last { 60 } else { 10 };
            for count in [1, many] {
                report.add(rows::repair::measure(lab, &estate, count).await?)?;
            }
        }
        if place == last && options.wants(&[5]) {
            let pairs = options.pairs;
            report.add(rows::sweep::full(lab, &estate, &mut executor, pairs).await?)?;
        }
        if place == last && options.wants(&[4]) {
            report.add(rows::quiet::busy(lab, &estate, &executor).await?)?;
        }
        if options.wants(&[7]) {
            edits.push(rows::edit::measure(lab, &estate, executor).await?);
        } else {
            executor.stop().await?;
        }
        if options.wants(&[3]) && place != 1 {
            report.add(rows::quiet::counted(lab, &estate).await?)?;
        }
    }
    if options.wants(&[3]) {
        report.add(rows::quiet::against_loop(lab, &estate).await?)?;
    }
    if options.wants(&[7]) {
        report.add(rows::edit::rows(&edits))?;
    }
    if options.wants(&[23]) {
        report.add(rows::sweep::memory(&points))?;
    }
    if options.wants(&[24]) {
        report.add(rows::sweep::growth(&points))?;
    }
    if options.wants(&[26]) {
        report.add(rows::attach::measure(lab, &estate, 3 * options.repeats).await?)?;
    }
    if options.wants(&[25]) {
        report.add(rows::handover::measure(lab, &estate, options.repeats.min(3)).await?)?;
    }
    Ok(())
}

/// What every figure depends on.
async fn settings(lab: &Lab) -> Result<Vec<String>> {
    let mut settings = Vec::new();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let profile = if cfg!(debug_assertions) { "development" } else { "release" };
    settings.push(format!("{cores} cores shared by every part; {profile} build"));
    let about = sys::about(lab.admin.client()).await?;
    settings.push(format!(
        "engine: {} {}, one raft node, TLS, two file audit devices (every call is logged), a \
         service token with one policy",
        about.product, about.version
    ));
    let (version, commit, fsync): (String, String, String) = sqlx::query_as(
        "SELECT current_setting('server_version'), current_setting('synchronous_commit'), \
         current_setting('fsync')",
    )
    .fetch_one(&lab.database)
    .await?;
    settings.push(format!("Postgres {version}, synchronous_commit {commit}, fsync {fsync}"));
    settings.push(format!("one fsync of 4 kB here: {:.2} ms (median of 50)", fsync_ms(&lab.dir)?));
    settings.push(
        "a team is one KV mount with settings and limit, three policies, three groups, one role, \
         and one service account with entity and alias; ten teams share two provider groups"
            .to_owned(),
    );
    settings.push(hvac());
    Ok(settings)
}

fn hvac() -> String {
    let there = Command::new("python3").args(["-c", "import hvac"]).output();
    if there.is_ok_and(|out| out.status.success()) {
        "hvac is here, and is not measured: its calls are those of the GET loop".to_owned()
    } else {
        "hvac is not here, so it was not measured; its calls are those of the GET loop".to_owned()
    }
}

fn fsync_ms(dir: &Path) -> Result<f64> {
    use std::io::Write as _;
    let mut file = std::fs::File::create(dir.join("fsync"))?;
    let mut times = measure::Values::default();
    for _ in 0..50 {
        file.write_all(&[0; 4096])?;
        let begun = Instant::now();
        file.sync_data()?;
        times.0.push(begun.elapsed().as_secs_f64() * 1000.0);
    }
    Ok(times.median())
}
