//! No record, no change.

use std::io::{BufRead as _, BufReader};
use std::time::Duration;

use serde_json::Value;
use sqlx::Executor as _;

use crate::private::PrivateLab;
use crate::support::{Lab, document};

/// Writes of the executor in the engine's audit log, without sign-ins and look-ups.
fn writes(lab: &Lab) -> usize {
    let file = std::fs::File::open(lab.dir().join("engine/audit-one.log")).unwrap();
    let lines = BufReader::new(file).lines().map(Result::unwrap);
    let is_write = |line: &Value| {
        let text = |pointer: &str| line.pointer(pointer).and_then(Value::as_str).unwrap_or("");
        let (operation, path) = (text("/request/operation"), text("/request/path"));
        line["type"] == "request"
            && ["create", "update", "delete", "patch"].contains(&operation)
            && line.pointer("/request/headers/x-strongroom-write").is_some()
            && (!path.starts_with("auth/") || path.contains("/role/"))
            && !path.contains("lookup")
            && !path.contains("capabilities")
    };
    lines.filter_map(|line| serde_json::from_str(&line).ok()).filter(is_write).count()
}

#[tokio::test]
async fn aud_03_without_a_record_nothing_is_written() {
    let private = PrivateLab::start().await;
    let lab = &private.lab;
    let database = private.database().await;
    let team = lab.new_team("audthree").await;
    let before = writes(lab);
    lab.onboard(&team).await;
    assert!(writes(lab) > before + 10, "the audit log does not show the executor's writes");
    database
        .execute(
            "CREATE FUNCTION disk_full() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             RAISE EXCEPTION 'could not extend file: no space left on device' \
             USING ERRCODE = 'disk_full'; END $$",
        )
        .await
        .unwrap();
    let ways = [
        (
            "the journal's disk is full",
            "CREATE TRIGGER full_disk BEFORE INSERT ON journal EXECUTE FUNCTION disk_full()",
            "DROP TRIGGER full_disk ON journal",
        ),
        (
            "the journal's grant is gone",
            "REVOKE INSERT ON journal FROM strongroom_executor",
            "GRANT INSERT ON journal TO strongroom_executor",
        ),
        (
            "the ledger's grant is gone",
            "REVOKE INSERT ON ledger_events FROM strongroom_executor",
            "GRANT INSERT ON ledger_events TO strongroom_executor",
        ),
    ];
    let mut held = 0;
    for (number, (what, spoil, mend)) in ways.into_iter().enumerate() {
        let rate = 200 + number;
        let text = document(&team.slug, true)
            .replace("displayName: Test", &format!("displayName: Name {number}"))
            .replace("requestsPerSecond: 500", &format!("requestsPerSecond: {rate}"));
        let file = lab.write(&format!("edit-{number}.yaml"), &text);
        let request = lab.person("bob").await.submits(&file, what, &[]).await.unwrap();
        lab.until(&request, "in_review").await;
        let before = writes(lab);
        database.execute(spoil).await.unwrap();
        let sue = lab.person("sue").await;
        let printed = sue.run(&["approve", &request, "--yes"]).await.unwrap();
        let late = printed.err.contains("answered") || printed.out.contains("answered");
        assert!(printed.code == 0 || late, "{} {}", printed.out, printed.err);
        // A binding's account goes at the same time: not even that is done unrecorded.
        lab.kubernetes().delete_service_account(&team.slug, "batch").await.unwrap();
        tokio::time::sleep(Duration::from_secs(8)).await;
        assert_eq!(writes(lab), before, "{what}: something was written");
        let state = lab.request(&request).await["state"].as_str().unwrap().to_owned();
        assert!(["in_review", "approved", "applying"].contains(&state.as_str()), "{what}: {state}");
        held += 1;
        database.execute(mend).await.unwrap();
        lab.kubernetes().create_service_account(&team.slug, "batch").await.unwrap();
        lab.until(&request, "applied").await;
        assert!(writes(lab) > before, "{what}: nothing was written afterwards");
    }
    println!("AUD-03: 0 unaudited writes; {held} ways to lose a record, each held up and went on");
    private.end().await;
}
