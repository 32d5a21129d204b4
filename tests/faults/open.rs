//! However many requests are open, and whatever keeps one from being frozen: each is looked at, and
//! ends in time.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::private::PrivateLab;

/// So many that nobody reads them all at once.
const JUNK: i32 = 1200;

#[tokio::test]
async fn a_flood_of_open_requests_starves_nobody() {
    let private = PrivateLab::start().await;
    let lab = &private.lab;
    let database = private.database().await;
    // Older than everybody's, by id and by time, and never to be frozen.
    let flood = "INSERT INTO change_requests (request_id, state, reason, attest, lift, submission, \
         submission_hash, submitted_issuer, submitted_person, submitted_display, created_at, \
         updated_at, expires_at) \
         SELECT ('0100b5d0-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'submitted', 'junk', \
         '{}', '{}', '\\x7b7d', decode(repeat('00', 32), 'hex'), 'nobody', 'eve', 'eve', \
         '2020-01-01Z', '2020-01-01Z', '2100-01-01Z' FROM generate_series(1, $1) n";
    sqlx::query(flood).bind(JUNK).execute(&database).await.unwrap();
    let start = Instant::now();
    let team = lab.new_team("flood").await;
    let file = team.file.display().to_string();
    let arguments = ["apply", "-f", &file, "--reason", "a team", "--yes", "-o", "name"];
    // Seven: nobody has answered yet; the request stands all the same.
    let printed = lab.person("alice").await.run(&arguments).await.unwrap();
    assert!([0, 7].contains(&printed.code), "{} {}", printed.out, printed.err);
    let request = printed.out.lines().find_map(|line| line.strip_prefix("request/"));
    let request = request.expect("no request id").to_owned();
    lab.decide_within(&request, &["bob", "sue"], Duration::from_mins(4)).await;
    let open: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM change_requests WHERE submitted_person = 'eve' \
             AND state = 'submitted'",
    )
    .fetch_one(&database)
    .await
    .unwrap();
    assert_eq!(open, i64::from(JUNK), "the flood is not there any more");
    println!("flood: applied {:?} after {JUNK} older open requests", start.elapsed());
    private.end().await;
}

/// The submission's own signature runs out, whatever a row says, and although no plan was ever made.
#[tokio::test]
async fn a_submission_that_is_never_frozen_runs_out() {
    let private = PrivateLab::start().await;
    let lab = &private.lab;
    let database = private.database().await;
    let team = lab.new_team("stuck").await;
    let mount = format!("sys/mounts/team/{}/kv", team.slug);
    let body = json!({ "type": "kv", "description": "not Strongroom's" });
    lab.admin().await.write(&mount, "{mount}", &body).await.unwrap();
    let request = lab.person("alice").await.submits(&team.file, "it waits", &[]).await.unwrap();
    let start = Instant::now();
    while lab.request(&request).await["stateReason"].is_null() {
        assert!(start.elapsed() < Duration::from_secs(40), "nobody says why it waits");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let edited = sqlx::query(
        "UPDATE change_requests SET expires_at = '2100-01-01Z' WHERE request_id = $1::uuid",
    )
    .bind(&request)
    .execute(&database)
    .await
    .unwrap();
    assert_eq!(edited.rows_affected(), 1);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(lab.request(&request).await["state"], "submitted");
    private.clock(15 * 86_400);
    lab.until(&request, "expired").await;
    private.end().await;
}
