//! The engine fails in every way: nothing is lost, nothing is said to have failed that has not, and
//! work goes on by itself.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;
use strongroom_lab::Person;

use crate::private::{PrivateLab, signal_part};
use crate::proxy::{Fault, Proxy, To};
use crate::support::{Lab, Team, document};

/// Bob's edit of his team, in review.
async fn edit(lab: &Lab, team: &Team, rate: u32) -> String {
    let text = document(&team.slug, true)
        .replace("displayName: Test", &format!("displayName: Name {rate}"))
        .replace("requestsPerSecond: 500", &format!("requestsPerSecond: {rate}"));
    let file = lab.write(&format!("edit-{rate}.yaml"), &text);
    let request =
        lab.person("bob").await.submits(&file, "an edit", &[]).await.expect("bob's submission");
    lab.until(&request, "in_review").await;
    request
}

/// A vote whose answer may be late.
async fn vote(lab: &Lab, request: &str) {
    let sue = lab.person("sue").await;
    let printed = sue.run(&["approve", request, "--yes"]).await.unwrap();
    let late = printed.err.contains("not answered") || printed.out.contains("not answered");
    assert!(printed.code == 0 || late, "{} {}", printed.out, printed.err);
}

async fn rate(lab: &Lab, slug: &str) -> Option<Value> {
    let path = format!("sys/quotas/rate-limit/team.{slug}.kv");
    let read = lab.admin().await.read(&path, "{limit}").await.unwrap();
    read.map(|limit| limit["rate"].clone())
}

/// While a fault lasts a request waits, with a reason or without; it does not fail.
async fn stays(lab: &Lab, request: &str, what: &str, over: impl Fn() -> bool) {
    let start = Instant::now();
    while !over() {
        let shown = lab.request(request).await;
        let state = shown["state"].as_str().unwrap_or_default().to_owned();
        assert!(
            ["in_review", "approved", "applying", "applied"].contains(&state.as_str()),
            "{what}: {shown:#}"
        );
        if state == "applied" || start.elapsed() > Duration::from_secs(6) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test]
async fn rel_02_every_fault_of_the_engine_ends_by_itself() {
    let private = PrivateLab::start().await;
    let lab = &private.lab;
    let team = lab.new_team("reltwo").await;
    lab.onboard(&team).await;
    let path = format!("team/{}/kv/data/prod/api/db", team.slug);
    let live = lab.workload(&team.slug, "api").await;
    live.reads_soon(&path).await;
    private.executor_end(Signal::TERM).await;
    let proxy = Proxy::before(lab.text("/engine/address"), lab.text("/engine/ca_pem"));
    let config = proxy.configure(private.dir());
    let _executor = private.executor("through-proxy", Some(&config), &[]);

    // The executor says where the engine is, so people are told that it has moved.
    let start = Instant::now();
    for name in ["bob", "sue"] {
        let program = strongroom_test_support::program();
        let person = Person::new(&program, name, lab.scratch.path(), lab.server()).unwrap();
        while person.run(&["login"]).await.unwrap().code == 0 {
            assert!(start.elapsed() < Duration::from_secs(30), "the address is not published");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        person.does(&["login", "--accept-new-trust"]).await.unwrap();
    }
    let (all, writes, some) = (To::All, To::Writes, To::SomeWrites);
    let full = std::env::var_os("STRONGROOM_FULL").is_some();
    let long = Duration::from_millis(if full { 30_000 } else { 900 });
    let rows = [
        ("429 on writes", Fault::Status(429, "rate limit quota exceeded"), writes),
        ("429 on every call", Fault::Status(429, "rate limit quota exceeded"), all),
        ("500 on some writes", Fault::Status(500, "internal error"), some),
        ("502 on every call", Fault::Status(502, "bad gateway"), all),
        ("sealed", Fault::Status(503, "Vault is sealed"), all),
        ("not initialised", Fault::Status(501, "not initialized"), all),
        ("a standby without a leader", Fault::Status(473, "standby"), all),
        ("the answer is lost", Fault::Cut, some),
        ("every answer is lost", Fault::Cut, writes),
        ("refused connections", Fault::Refuse, all),
        ("each call takes long", Fault::Slow(long), all),
        ("one audit device is gone", Fault::OneAuditDevice, all),
    ];
    let mut slowest = Duration::ZERO;
    let mut hits = 0;
    for (wanted, (what, fault, to)) in (100_u32..).zip(rows) {
        let request = edit(lab, &team, wanted).await;
        proxy.set(fault, to);
        vote(lab, &request).await;
        stays(lab, &request, what, || proxy.hits() > 2).await;
        // Workloads talk to the engine themselves.
        assert!(live.read(&path).await.unwrap().is_some(), "{what}: a workload is refused");
        let hit = proxy.clear();
        assert!(hit > 0, "{what}: nothing was hit");
        hits += hit;
        let start = Instant::now();
        lab.until(&request, "applied").await;
        slowest = slowest.max(start.elapsed());
        let found = rate(lab, &team.slug).await;
        assert_eq!(found.and_then(|rate| rate.as_f64()), Some(f64::from(wanted)), "{what}");
    }

    // The engine itself stands still longer than a call may take.
    let request = edit(lab, &team, 300).await;
    let stopped = signal_part(private.dir(), "engine", Signal::STOP);
    vote(lab, &request).await;
    tokio::time::sleep(Duration::from_secs(12)).await;
    signal_part(private.dir(), "engine", Signal::CONT);
    let start = Instant::now();
    lab.until(&request, "applied").await;
    slowest = slowest.max(start.elapsed());
    assert_eq!(rate(lab, &team.slug).await.and_then(|rate| rate.as_f64()), Some(300.0));
    println!(
        "REL-02: 0 wrong end states of {}; {hits} calls were hit; at most {slowest:?} from the end \
         of a fault to applied; {stopped} process stopped for 12 s",
        rows.len() + 1
    );
    private.end().await;
}
