//! A database superuser takes the signature off a submission, so that it looks like a machine's.

use std::time::Duration;

use sqlx::Executor as _;

use crate::private::PrivateLab;

/// What lost its act is nobody's: the plan that was frozen for the person is for another submission,
/// and the votes on it apply nothing.
#[tokio::test]
async fn apr_02b_a_submission_without_its_act_applies_nothing() {
    let private = PrivateLab::start().await;
    let lab = &private.lab;
    let team = lab.new_team("unsigned").await;
    // Bob owns it: his submission stands for the owners', so that the platform's vote is enough.
    let bob = lab.person("bob").await;
    let request = bob.submits(&team.file, "by an owner", &[]).await.unwrap();
    lab.until(&request, "in_review").await;
    assert_eq!(lab.request(&request).await["stages"].as_array().unwrap().len(), 1);

    let database = private.database().await;
    let mut connection = database.acquire().await.unwrap();
    connection.execute("SET session_replication_role = replica").await.unwrap();
    for sql in [
        "DELETE FROM act_receipts WHERE act_id IN (SELECT act_id FROM acts WHERE request_id = $1::uuid)",
        "DELETE FROM acts WHERE request_id = $1::uuid",
        "UPDATE change_requests SET submitted_issuer = 'strongroom:machine', \
         submitted_person = '0199b5d0-0000-7000-8000-000000000001' WHERE request_id = $1::uuid",
    ] {
        sqlx::query(sql).bind(&request).execute(&mut *connection).await.unwrap();
    }
    lab.person("sue").await.run(&["approve", &request, "--yes", "--anyway"]).await.unwrap();
    let mut reasons = std::collections::BTreeSet::new();
    for _ in 0..40 {
        let shown = lab.request(&request).await;
        assert_ne!(shown["state"], "applied", "one vote applied what nobody submitted");
        reasons.extend(shown["stateReason"].as_str().map(str::to_owned));
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    println!("APR-02b: a submission without its act: 0 effects; it says {reasons:?}");
    assert!(
        reasons.iter().any(|reason| reason.contains("made for another submission")),
        "{reasons:?}"
    );
    private.end().await;
}
