//! Clocks that are wrong: nothing lasts longer because of them, and the order of things stays.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::private::PrivateLab;
use crate::support::{Lab, document};

async fn has_skew(lab: &Lab) -> bool {
    let out = lab.person("sue").await.does(&["get", "findings", "-o", "json"]).await.unwrap();
    let all: Vec<Value> = serde_json::from_str(&out).unwrap();
    all.iter().any(|each| each["text"].as_str().unwrap_or_default().contains("clock"))
}

async fn until_skew(lab: &Lab, wanted: bool) {
    let start = Instant::now();
    while has_skew(lab).await != wanted {
        assert!(start.elapsed() < Duration::from_secs(40), "clock skew told: {}", !wanted);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test]
async fn rel_13_clocks_that_are_wrong_lengthen_nothing() {
    let private = PrivateLab::start().await;
    let lab = &private.lab;
    let team = lab.new_team("clock").await;
    lab.onboard(&team).await;
    let (bob, sue) = (lab.person("bob").await, lab.person("sue").await);
    let mut edits = Vec::new();
    for number in 0..4 {
        let text = document(&team.slug, true)
            .replace("displayName: Test", &format!("displayName: Name {number}"));
        edits.push(lab.write(&format!("edit-{number}.yaml"), &text));
    }

    // Ten minutes either way: told, and no act counts that was signed in what is the future here.
    let mut cases = 0;
    for (edit, minutes) in [(&edits[0], 10), (&edits[1], -10)] {
        let request = bob.submits(edit, "a name", &[]).await.unwrap();
        lab.until(&request, "in_review").await;
        private.clock(minutes * 60);
        until_skew(lab, true).await;
        let printed = sue.run(&["approve", &request, "--yes"]).await.unwrap();
        if minutes < 0 {
            assert_ne!(printed.code, 0, "an act from the future counts: {}", printed.out);
            let shown = lab.request(&request).await;
            assert_eq!(shown["state"], "in_review");
            let why = shown["stateReason"].as_str().unwrap_or_default();
            assert!(why.contains("clock"), "{shown:#}");
        }
        // The stored act counts once the clock is right.
        private.clock(0);
        until_skew(lab, false).await;
        lab.until(&request, "applied").await;
        cases += 1;
    }

    // A request that has run out by our clock does not come back when the clock goes back.
    let request = bob.submits(&edits[2], "a name", &[]).await.unwrap();
    lab.until(&request, "in_review").await;
    private.clock(16 * 86_400);
    lab.until(&request, "expired").await;
    private.clock(0);
    let printed = sue.run(&["approve", &request, "--yes"]).await.unwrap();
    assert_ne!(printed.code, 0, "{}", printed.out);
    assert_eq!(lab.request(&request).await["state"], "expired");
    cases += 1;

    // And one that has not, did not run out by ten minutes.
    let request = bob.submits(&edits[3], "a name", &[]).await.unwrap();
    lab.until(&request, "in_review").await;
    private.clock(13 * 86_400);
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(lab.request(&request).await["state"], "in_review", "ran out too early");
    private.clock(0);
    cases += 1;

    // The ledger's order is that of its numbers, whatever the clocks said.
    let database = private.database().await;
    let rows: Vec<(i64, String)> = sqlx::query_as(
        "SELECT sequence, kind FROM ledger_events WHERE request_id = $1::uuid ORDER BY sequence",
    )
    .bind(&request)
    .fetch_all(&database)
    .await
    .unwrap();
    assert!(rows.len() >= 2 && rows.windows(2).all(|pair| pair[0].0 < pair[1].0), "{rows:?}");
    println!("REL-13: 0 wrong expiries of {cases} cases");
    private.end().await;
}
