//! One signature has one effect, however often and however late it is handed in.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use sqlx::postgres::{PgPool, PgPoolOptions};
use strongroom_acts::new_salt;
use strongroom_domain::act::{Statement, Submission, SubmittedDocument};
use strongroom_domain::document::Document;
use strongroom_domain::id::RequestId;

use crate::forger::Forger;
use crate::support::{Lab, Team, document};

/// How often one act is sent at once.
const CLICKS: usize = 100;

/// The lab's database as its superuser.
async fn database(lab: &Lab) -> PgPool {
    let server = lab.text("/postgres_admin_url").strip_suffix("/postgres").unwrap();
    let options = PgPoolOptions::new().max_connections(2);
    options.connect(&format!("{server}/strongroom")).await.unwrap()
}

/// The same body, sent many times at once.
async fn at_once(who: &Arc<Forger>, path: &str, body: &Value, times: usize) -> Vec<(u16, Value)> {
    let sends: Vec<_> = (0..times)
        .map(|_| {
            let (who, path, body) = (who.clone(), path.to_owned(), body.clone());
            tokio::spawn(async move { who.send(&path, &body).await })
        })
        .collect();
    let mut answers = Vec::new();
    for send in sends {
        answers.push(send.await.unwrap());
    }
    answers
}

fn submission(team: &Team) -> Submission {
    let text = std::fs::read_to_string(&team.file).unwrap();
    let document = Document::from_yaml(&text).unwrap().remove(0);
    Submission {
        request: RequestId::from_uuid(uuid::Uuid::now_v7()),
        documents: vec![SubmittedDocument {
            subject: document.subject(),
            base_revision: 0,
            base_hash: None,
            document: document.to_value(),
        }],
        attest: Vec::new(),
        lift: Vec::new(),
        reason: "clicked often".into(),
    }
}

/// How often the ledger has an event of this kind for a request.
async fn events(database: &PgPool, request: &str, kind: &str) -> i64 {
    let count = "SELECT count(*) FROM ledger_events WHERE request_id = $1::uuid AND kind = $2";
    sqlx::query_scalar(count).bind(request).bind(kind).fetch_one(database).await.unwrap()
}

/// Puts the token of an act under a new id, as only a database superuser can.
async fn stored_again(database: &PgPool, act: &str) -> String {
    let copy = "INSERT INTO acts (act_id, request_id, act, id_token, token_digest, statement, \
                comment, claimed_display, received_at) \
                SELECT gen_random_uuid(), request_id, act, id_token, \
                sha256(random()::text::bytea), statement, comment, claimed_display, now() \
                FROM acts WHERE act_id = $1::uuid RETURNING act_id::text";
    sqlx::query_scalar(copy).bind(act).fetch_one(database).await.unwrap()
}

/// Puts an act into the database that the API does not take any more.
async fn put_in(database: &PgPool, request: &str, statement: &Statement, token: &str) {
    let put = "INSERT INTO acts (act_id, request_id, act, id_token, token_digest, statement, \
               comment, claimed_display, received_at) VALUES (gen_random_uuid(), $1::uuid, \
               'approve', $2, sha256(convert_to($2, 'UTF8')), $3, '', 'sue', now())";
    let bytes = strongroom_acts::statement::canonical_bytes(statement);
    sqlx::query(put).bind(request).bind(token).bind(bytes).execute(database).await.unwrap();
}

async fn edit(lab: &Lab, team: &Team, name: &str) -> String {
    let text =
        document(&team.slug, true).replace("displayName: Test", &format!("displayName: {name}"));
    let file = lab.write(&format!("{}-{name}.yaml", team.slug), &text);
    let request = lab.person("bob").await.submits(&file, "an edit", &[]).await.unwrap();
    lab.until(&request, "in_review").await;
    request
}

#[tokio::test]
async fn apr_03_one_signature_has_one_effect() {
    let lab = Lab::get();
    let database = database(&lab).await;
    let mut sent = 0;
    // What all teams of these people share is there already: no plan changes under the votes.
    lab.onboard(&lab.new_team("first").await).await;
    let team = lab.new_team("replay").await;

    // One submission, sent many times at once.
    let alice = Arc::new(Forger::of(&lab, "alice").await);
    let submission = submission(&team);
    let statement = alice.submission(&submission);
    let token = alice.token("alice", &statement.audience, &statement).await;
    let act = json!({ "statement": statement, "idToken": token, "comment": "" });
    let body = json!({ "submission": submission, "act": act });
    let answers = at_once(&alice, "requests", &body, CLICKS).await;
    sent += answers.len();
    let created = answers.iter().filter(|(status, _)| *status == 201).count();
    let known = answers.iter().filter(|(status, _)| *status == 200).count();
    assert_eq!((created, known), (1, CLICKS - 1), "{answers:#?}");
    let request = submission.request.to_string();
    assert!(answers.iter().all(|(_, body)| body["requestId"] == request.as_str()));
    lab.until(&request, "in_review").await;

    // One vote of each stage, sent many times at once, and once more when it is counted.
    let owners = format!("owners of {}", team.slug);
    for (name, stage) in [("bob", owners.as_str()), ("sue", "platform")] {
        let voter = Arc::new(Forger::of(&lab, name).await);
        let statement = voter.statement(&request, &voter.plan(&request).await, stage);
        let token = voter.token(name, &statement.audience, &statement).await;
        let body = json!({ "statement": statement, "idToken": token, "comment": "" });
        let path = format!("requests/{request}/acts");
        let answers = at_once(&voter, &path, &body, CLICKS).await;
        sent += answers.len();
        let id = answers[0].1["actId"].as_str().unwrap().to_owned();
        for (status, answer) in &answers {
            assert_eq!((*status, &answer["actId"]), (202, &json!(id)), "{answer:#}");
        }
        assert_eq!(voter.refusal(&request, &id).await, None, "{name}'s vote does not count");
        let (status, again) = voter.post(&request, &statement, &token).await;
        assert_eq!((status, &again["actId"]), (202, &json!(id)), "{again:#}");
        sent += 1;
        if name == "sue" {
            break;
        }
        // The same sign-in for another statement, and the same token under a new id.
        let other = Statement { salt: new_salt().unwrap(), ..statement };
        assert_eq!(voter.post(&request, &other, &token).await.0, 409);
        let copy = stored_again(&database, &id).await;
        let why = voter.refusal(&request, &copy).await.expect("a token counts twice");
        assert!(why.contains("handed in before"), "{why}");
        sent += 2;
    }
    lab.until(&request, "applied").await;
    let mut doubles = 0;
    for (kind, wanted) in
        [("act.counted", 3), ("request.approved", 1), ("apply.started", 1), ("request.applied", 1)]
    {
        let found = events(&database, &request, kind).await;
        assert_eq!(found, wanted, "{kind}");
        doubles += found - wanted;
    }
    let twice: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM (SELECT step FROM journal WHERE request_id = $1::uuid \
         AND outcome = 'written' GROUP BY step, operation, object_name HAVING count(*) > 1) AS twice",
    )
    .bind(&request)
    .fetch_one(&database)
    .await
    .unwrap();
    assert_eq!(twice, 0, "steps written twice");

    // A vote signed in time for a request that has ended meanwhile, for each way to end.
    let sue = Arc::new(Forger::of(&lab, "sue").await);
    let mut late = Vec::new();
    for end in ["withdrawn", "rejected", "expired", "superseded", "applied"] {
        let request = edit(&lab, &team, &format!("was-{end}")).await;
        let statement = sue.statement(&request, &sue.plan(&request).await, &owners);
        let token = sue.token("sue", &statement.audience, &statement).await;
        match end {
            "withdrawn" => drop(lab.person("bob").await.does(&["withdraw", &request, "-y"]).await),
            "rejected" => drop(lab.person("sam").await.does(&["reject", &request, "-y"]).await),
            "expired" => {
                let over = "UPDATE change_requests SET expires_at = now() - interval '1 hour' \
                            WHERE request_id = $1::uuid";
                sqlx::query(over).bind(&request).execute(&database).await.unwrap();
            }
            // By the one that comes next.
            "superseded" => {}
            _ => drop(lab.person("sam").await.approves(&request).await.unwrap()),
        }
        late.push((end, request, statement, token));
    }
    for (end, request, statement, token) in &late {
        lab.until(request, end).await;
        let (status, answer) = sue.post(request, statement, token).await;
        assert_eq!(status, 409, "a vote for a request that is {end}: {answer:#}");
        assert!(answer["detail"].as_str().unwrap().contains(end), "{answer:#}");
        put_in(&database, request, statement, token).await;
        sent += 2;
    }

    // One document proposed twice at once, both agreed to: one of them is applied.
    let text = document(&team.slug, true).replace("displayName: Test", "displayName: Twice");
    let file = lab.write("twice.yaml", &text);
    let bob = lab.person("bob").await;
    let (one, two) = tokio::join!(bob.submits(&file, "one", &[]), bob.submits(&file, "two", &[]));
    let pair = [one.unwrap(), two.unwrap()];
    for request in &pair {
        lab.until(request, "in_review").await;
    }
    let (sue_person, sam) = (lab.person("sue").await, lab.person("sam").await);
    let (first, second) = (["approve", &pair[0], "-y"], ["approve", &pair[1], "-y"]);
    let _ = tokio::join!(sue_person.run(&first), sam.run(&second));
    let states = ended(&lab, &pair).await;
    assert_eq!(states, ["applied", "superseded"]);

    // The executor has been round many times: what was put in for ended requests changed nothing.
    for (end, request, ..) in &late {
        assert_eq!(lab.request(request).await["state"], *end);
        let wanted = i64::from(*end == "applied");
        assert_eq!(events(&database, request, "request.applied").await, wanted, "{end}");
        let acts = sue.acts(request).await;
        let judged =
            acts.iter().filter(|act| act["kind"] == "approve" && act["receipt"] != json!(null));
        assert_eq!(judged.count(), usize::from(*end == "applied"), "{end}: {acts:#?}");
    }
    println!(
        "APR-03: {doubles} double applies of {sent} sends; 3 acts counted of {} clicks; 0 of {} \
         late votes counted; of one document proposed twice at once one is applied",
        3 * CLICKS,
        late.len()
    );
}

/// How both ended, sorted.
async fn ended(lab: &Lab, pair: &[String; 2]) -> [String; 2] {
    let start = std::time::Instant::now();
    loop {
        let mut states = Vec::new();
        for request in pair {
            states.push(lab.request(request).await["state"].as_str().unwrap().to_owned());
        }
        states.sort();
        if states.iter().all(|state| ["applied", "superseded", "failed"].contains(&state.as_str()))
        {
            return states.try_into().unwrap();
        }
        assert!(start.elapsed() < Duration::from_mins(1), "{states:?}");
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}
