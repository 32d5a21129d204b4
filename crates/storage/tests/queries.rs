//! Every query on a real Postgres, each under the role that uses it, and what the roles and
//! triggers refuse.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use sqlx::PgPool;
use strongroom_domain::Digest;
use strongroom_domain::act::ActKind;
use strongroom_domain::check::{Read, Report};
use strongroom_domain::event::{Actor, Event, EventKind};
use strongroom_domain::id::{ActId, EngineId, EventId, MachineId, RequestId, SessionId, SignInId};
use strongroom_domain::machine::Scope;
use strongroom_domain::person::{PersonId, SignedPerson};
use strongroom_domain::request::State;
use strongroom_domain::subject::Subject;
use strongroom_storage::act::{NewAct, ReceiptRow};
use strongroom_storage::check::{CheckPlace, CheckRow, NewCheck, OpenCheck};
use strongroom_storage::event::EventFilter;
use strongroom_storage::inventory::Inventory;
use strongroom_storage::journal::{JournalEntry, Outcome};
use strongroom_storage::machine::{Account, MachineRow, NewMachine, Proof};
use strongroom_storage::person::{KnownPerson, NewSession};
use strongroom_storage::plan::PlanRow;
use strongroom_storage::request::{RequestFilter, Visibility};
use strongroom_storage::roles::ensure_database;
use strongroom_storage::state::{BindingState, SubjectState};
use strongroom_storage::submit::{NewDocument, NewRequest, Submitted};
use strongroom_storage::{RoleNames, StorageError, Store, check_schema, migrate};
use strongroom_test_support::SharedLab;
use uuid::Uuid;

/// How many open requests one submitter may have.
const MOST_OPEN: u32 = 4;

/// Roles belong to the whole server: tests make the same ones one after the other.
const ROLES_LOCK: i64 = 8_142_533;

struct Database {
    owner: PgPool,
    api: Store,
    executor: Store,
    ballot: PgPool,
    ingest: PgPool,
}

fn url(admin: &str, user: Option<&str>, database: &str) -> String {
    let (scheme, rest) = admin.split_once("://").unwrap();
    let (login, host) = rest.split_once('@').unwrap();
    let host = host.split('/').next().unwrap();
    let login = user.map_or_else(|| login.to_owned(), |user| format!("{user}:secret"));
    format!("{scheme}://{login}@{host}/{database}")
}

async fn database() -> Database {
    let lab = SharedLab::get();
    let admin_url = lab.postgres_admin_url();
    let name = format!("storage_{}", Uuid::new_v4().simple());
    let roles = RoleNames {
        api: "storage_test_api".into(),
        executor: "storage_test_executor".into(),
        ballot: "storage_test_ballot".into(),
        ingest: "storage_test_ingest".into(),
    };
    let admin = PgPool::connect(admin_url).await.unwrap();
    let mut lock = admin.acquire().await.unwrap();
    sqlx::query("SELECT pg_advisory_lock($1)").bind(ROLES_LOCK).execute(&mut *lock).await.unwrap();
    roles.create(&admin, ["secret"; 4]).await.unwrap();
    ensure_database(&admin, &name).await.unwrap();
    ensure_database(&admin, &name).await.unwrap();
    let owner = PgPool::connect(&url(admin_url, None, &name)).await.unwrap();
    migrate(&owner).await.unwrap();
    migrate(&owner).await.unwrap();
    roles.apply_grants(&owner).await.unwrap();
    sqlx::query("SELECT pg_advisory_unlock_all()").execute(&mut *lock).await.unwrap();
    drop(lock);
    admin.close().await;
    let store = async |role: &str| {
        Store::connect(&url(admin_url, Some(role), &name), "storage tests", 4).await.unwrap()
    };
    Database {
        api: store(&roles.api).await,
        executor: store(&roles.executor).await,
        ballot: store(&roles.ballot).await.pool().clone(),
        ingest: store(&roles.ingest).await.pool().clone(),
        owner,
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn person(name: &str) -> PersonId {
    PersonId { issuer: "https://idp".into(), person: name.into() }
}

fn event(kind: EventKind, request: Option<RequestId>, subject: Option<&str>) -> Event {
    Event {
        id: EventId::from_uuid(Uuid::now_v7()),
        at: at(0),
        kind,
        request,
        subject: subject.map(|text| text.parse().unwrap()),
        actor: Actor::Executor,
        detail: json!({}),
    }
}

fn everything() -> Visibility {
    Visibility {
        all: true,
        teams: BTreeSet::new(),
        groups: BTreeSet::new(),
        person: person("auditor"),
    }
}

fn sees(team: &str, group: &str, who: &str) -> Visibility {
    Visibility {
        all: false,
        teams: [team.to_owned()].into(),
        groups: [group.to_owned()].into(),
        person: person(who),
    }
}

fn act(request: RequestId, kind: ActKind) -> NewAct {
    let token = Uuid::new_v4().to_string();
    NewAct {
        act: ActId::from_uuid(Uuid::now_v7()),
        request,
        kind,
        token_digest: Digest::of(token.as_bytes()),
        id_token: token,
        statement: b"{}".to_vec(),
        comment: "a comment".into(),
        claimed_display: "alice".into(),
        received_at: at(1),
    }
}

fn submission(team: &str, group: &str, who: &str) -> NewRequest {
    let request = RequestId::from_uuid(Uuid::now_v7());
    let canonical = format!("{{\"team\":\"{team}\"}}").into_bytes();
    NewRequest {
        request,
        reason: "because".into(),
        attest: vec!["prod-eu/payments-prod".into()],
        lift: Vec::new(),
        submission: b"{}".to_vec(),
        submission_hash: Digest::of(request.to_string().as_bytes()),
        submitter: person(who),
        display: who.into(),
        documents: vec![NewDocument {
            subject: format!("team/{team}").parse().unwrap(),
            hash: Digest::of(&canonical),
            canonical,
            base_revision: 0,
            base_hash: None,
            seen_by: vec![group.to_owned()],
        }],
        act: Some(act(request, ActKind::Submit)),
        managed_by: "cli".into(),
        at: at(0),
        expires_at: at(1000),
    }
}

async fn submit(db: &Database, new: &NewRequest) {
    let subject = new.documents[0].subject.to_string();
    let happened = event(EventKind::RequestSubmitted, Some(new.request), Some(&subject));
    assert_eq!(
        db.api.request_submit(new, MOST_OPEN, &[happened]).await.unwrap(),
        Submitted::Created
    );
}

#[tokio::test]
async fn a_request_goes_its_way_under_the_two_roles() {
    let db = database().await;
    check_schema(db.api.pool()).await.unwrap();
    db.api.ping().await.unwrap();
    let new = submission("payments", "leads", "alice");
    submit(&db, &new).await;

    let open = db.executor.requests_open(None, 10).await.unwrap();
    let row = open.iter().find(|row| row.request == new.request).unwrap().clone();
    assert_eq!((row.state, row.round, row.version), (State::Submitted, 0, 1));
    assert_eq!(row.attest, new.attest);
    let documents = db.executor.request_documents(&everything(), new.request).await.unwrap();
    assert_eq!((documents[0].revision, documents[0].base_revision), (1, 0));
    assert_eq!(documents[0].canonical, new.documents[0].canonical);

    let acts = db.executor.acts_of_request(new.request).await.unwrap();
    assert!(acts[0].receipt.is_none());
    let receipt = ReceiptRow {
        verdict: "counted".into(),
        reason: None,
        canonical: b"receipt".to_vec(),
        signature: vec![1; 64],
        key_id: "key".into(),
        created_at: at(2),
    };
    let counted = event(EventKind::ActCounted, Some(new.request), None);
    db.executor.receipt_insert(acts[0].act, &receipt, &[counted]).await.unwrap();
    let acts = db.api.acts_of_request(new.request).await.unwrap();
    assert_eq!(acts[0].receipt.as_ref().unwrap().canonical, b"receipt");

    assert!(matches!(db.api.plan_latest(new.request).await, Err(StorageError::NotFound)));
    let plan = PlanRow {
        request: new.request,
        round: 1,
        canonical: b"plan".to_vec(),
        hash: Digest::of(b"plan"),
        signature: vec![2; 64],
        key_id: "key".into(),
        frozen_at: at(3),
        expires_at: at(900),
    };
    let frozen = event(EventKind::PlanFrozen, Some(new.request), None);
    db.executor.plan_freeze(&row, &plan, "high", None, at(3), &[frozen]).await.unwrap();
    assert_eq!(db.api.plan_latest(new.request).await.unwrap().hash, plan.hash);
    // The row was read before the freeze: whoever still holds it is told.
    let stale = db.executor.request_transition(&row, State::Approved, None, at(4), &[]).await;
    assert!(matches!(stale, Err(StorageError::Stale)));
    let row = db.executor.request_get(&everything(), new.request).await.unwrap();
    assert_eq!((row.state, row.risk.as_deref()), (State::InReview, Some("high")));
    let approved = event(EventKind::RequestApproved, Some(new.request), None);
    db.executor
        .request_transition(&row, State::Approved, Some("enough"), at(4), &[approved])
        .await
        .unwrap();

    let entry = JournalEntry {
        engine: EngineId::from_uuid(Uuid::new_v4()),
        request: Some(new.request),
        plan_hash: Some(plan.hash),
        standing_order: None,
        step: 1,
        operation: "create".into(),
        object_kind: "policy".into(),
        object_name: "team.payments.owner".into(),
        after_hash: Some(Digest::of(b"after")),
        epoch: 1,
        at: at(5),
    };
    db.executor.journal_intent(std::slice::from_ref(&entry), &[]).await.unwrap();
    let outcome = Outcome { outcome: "written".into(), engine_request_id: Some("id".into()) };
    let written = event(EventKind::StepWritten, Some(new.request), None);
    db.executor.journal_receipt(&[(entry, outcome)], &[written]).await.unwrap();
    let phases: Vec<(String,)> = sqlx::query_as("SELECT phase FROM journal ORDER BY journal_id")
        .fetch_all(&db.owner)
        .await
        .unwrap();
    assert_eq!(phases, [("intent".to_owned(),), ("receipt".to_owned(),)]);

    let filter = EventFilter { request: Some(new.request), subject: None };
    let events = db.api.events_list(&everything(), &filter, 0, 100).await.unwrap();
    let kinds: Vec<&str> = events.iter().map(|row| row.kind.as_str()).collect();
    let wanted =
        ["request.submitted", "act.counted", "plan.frozen", "request.approved", "apply.written"];
    assert_eq!(kinds, wanted);
    assert!(events.is_sorted_by_key(|row| row.sequence));
    let after = events[1].sequence;
    let rest = db.api.events_list(&everything(), &filter, after, 2).await.unwrap();
    assert_eq!(rest.len(), 2);
    let back = db.api.events_latest(&everything(), &filter, i64::MAX, 2).await.unwrap();
    let on = db.api.events_list(&everything(), &filter, 0, 100).await.unwrap();
    let newest: Vec<i64> = on.iter().rev().take(2).map(|row| row.sequence).collect();
    assert_eq!(back.iter().map(|row| row.sequence).collect::<Vec<_>>(), newest);
    let earlier = db.api.events_latest(&everything(), &filter, newest[1], 100).await.unwrap();
    assert_eq!(earlier.len(), on.len() - 2);
}

#[tokio::test]
async fn another_teams_rows_never_come_back() {
    let db = database().await;
    let ours = submission("payments", "payments-leads", "alice");
    let theirs = submission("orders", "orders-leads", "carol");
    submit(&db, &ours).await;
    submit(&db, &theirs).await;

    let member = sees("payments", "somebody", "pat");
    assert!(db.api.request_get(&member, ours.request).await.is_ok());
    let hidden = db.api.request_get(&member, theirs.request).await;
    assert!(matches!(hidden, Err(StorageError::NotFound)));
    assert!(db.api.request_documents(&member, theirs.request).await.unwrap().is_empty());
    let both = [ours.request, theirs.request];
    let subjects = db.api.request_subjects(&member, &both).await.unwrap();
    assert_eq!(subjects.into_keys().collect::<Vec<_>>(), [ours.request]);
    let listed = db.api.request_list(&member, &RequestFilter::default(), 50).await.unwrap();
    assert_eq!(listed.iter().map(|row| row.request).collect::<Vec<_>>(), [ours.request]);
    let events = db.api.events_list(&member, &EventFilter::default(), 0, 100).await.unwrap();
    let latest = db.api.events_latest(&member, &EventFilter::default(), i64::MAX, 100).await;
    assert_eq!(latest.unwrap().len(), events.len(), "both directions see the same");
    assert!(!events.is_empty());
    assert!(events.iter().all(|row| row.event["request"] == json!(ours.request)));
    let asked = EventFilter { request: Some(theirs.request), subject: None };
    assert!(db.api.events_list(&member, &asked, 0, 100).await.unwrap().is_empty());

    // A new team's request is seen by the groups it names, and by who submitted it.
    let named = sees("nothing", "orders-leads", "olga");
    assert!(db.api.request_get(&named, theirs.request).await.is_ok());
    assert!(db.api.request_get(&named, ours.request).await.is_err());
    let submitter = sees("nothing", "nobody", "carol");
    assert!(db.api.request_get(&submitter, theirs.request).await.is_ok());
    assert_eq!(db.api.request_documents(&submitter, theirs.request).await.unwrap().len(), 1);

    let subject: Subject = "team/orders".parse().unwrap();
    let filter = RequestFilter { subject: Some(subject), ..RequestFilter::default() };
    assert!(db.api.request_list(&member, &filter, 50).await.unwrap().is_empty());
    let filter = RequestFilter { state: Some(State::Applied), ..RequestFilter::default() };
    assert!(db.api.request_list(&everything(), &filter, 50).await.unwrap().is_empty());
    let newest = db.api.request_list(&everything(), &RequestFilter::default(), 1).await.unwrap();
    let before = Some((newest[0].created_at, newest[0].request));
    let filter = RequestFilter { before, ..RequestFilter::default() };
    assert_eq!(db.api.request_list(&everything(), &filter, 50).await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_was_used_cannot_be_used_again() {
    let db = database().await;
    let new = submission("payments", "leads", "alice");
    submit(&db, &new).await;
    assert_eq!(db.api.request_submit(&new, MOST_OPEN, &[]).await.unwrap(), Submitted::Same);
    let mut other = new.clone();
    other.submission_hash = Digest::of(b"other");
    assert!(matches!(
        db.api.request_submit(&other, MOST_OPEN, &[]).await,
        Err(StorageError::Conflict(_))
    ));
    let mut foreign = submission("payments", "leads", "alice");
    foreign.managed_by = "git:teams".into();
    let refused = db.api.request_submit(&foreign, MOST_OPEN, &[]).await.unwrap_err();
    assert!(refused.to_string().contains("managed by cli"), "{refused}");

    let vote = act(new.request, ActKind::Approve);
    let received = event(EventKind::ActReceived, Some(new.request), None);
    db.api.act_insert(&vote, &[received]).await.unwrap();
    let mut again = act(new.request, ActKind::Approve);
    again.token_digest = vote.token_digest;
    assert!(matches!(db.api.act_insert(&again, &[]).await, Err(StorageError::AlreadyUsed(_))));

    // Two submissions at once never get the same revision.
    let (one, two) = (submission("payments", "l", "a"), submission("payments", "l", "b"));
    let (first, second) = tokio::join!(
        db.api.request_submit(&one, MOST_OPEN, &[]),
        db.api.request_submit(&two, MOST_OPEN, &[])
    );
    assert_eq!((first.unwrap(), second.unwrap()), (Submitted::Created, Submitted::Created));
    let mut numbers = Vec::new();
    for request in [one.request, two.request] {
        numbers.push(db.api.request_documents(&everything(), request).await.unwrap()[0].revision);
    }
    numbers.sort_unstable();
    assert_eq!(numbers, [2, 3]);
    let subject: Subject = "team/payments".parse().unwrap();
    assert!(db.api.revision_get(&subject, 3).await.is_ok());
    assert!(matches!(db.api.revision_get(&subject, 9).await, Err(StorageError::NotFound)));
    assert_eq!(db.api.subject_managed_by(&subject).await.unwrap().as_deref(), Some("cli"));
    assert_eq!(db.api.subject_managed_by(&Subject::Platform).await.unwrap(), None);
}

#[tokio::test]
async fn open_requests_are_read_page_by_page_and_one_person_has_only_so_many() {
    let db = database().await;
    let mut ids = Vec::new();
    for who in ["alice", "alice", "alice", "alice", "bob"] {
        let new = submission("payments", "leads", who);
        submit(&db, &new).await;
        ids.push(new.request);
    }
    ids.sort_unstable();
    let (mut read, mut after) = (Vec::new(), None);
    loop {
        let page = db.executor.requests_open(after, 2).await.unwrap();
        read.extend(page.iter().map(|row| row.request));
        if page.len() < 2 {
            break;
        }
        after = read.last().copied();
    }
    assert_eq!(read, ids, "each one once, and the newest too");

    let fifth = submission("payments", "leads", "alice");
    let refused = db.api.request_submit(&fifth, MOST_OPEN, &[]).await.unwrap_err();
    assert!(matches!(refused, StorageError::TooManyOpen(MOST_OPEN)), "{refused}");
    let end = "UPDATE change_requests SET state = 'withdrawn' WHERE request_id = (SELECT request_id \
               FROM change_requests WHERE submitted_person = 'alice' LIMIT 1)";
    sqlx::query(end).execute(&db.owner).await.unwrap();
    // Many at once are not too many.
    let sixth = submission("payments", "leads", "alice");
    let (one, two) = tokio::join!(
        db.api.request_submit(&fifth, MOST_OPEN, &[]),
        db.api.request_submit(&sixth, MOST_OPEN, &[])
    );
    assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");

    // A time that cannot be read would hide everybody's.
    for far in ["infinity", "200000-01-01Z"] {
        let edit = "UPDATE change_requests SET created_at = $1::text::timestamptz";
        assert!(sqlx::query(edit).bind(far).execute(&db.owner).await.is_err(), "{far}");
    }
}

#[tokio::test]
async fn roles_can_do_what_they_need_and_no_more() {
    let db = database().await;
    let new = submission("payments", "leads", "alice");
    submit(&db, &new).await;
    let refused = async |pool: &PgPool, sql: &'static str| {
        let error = sqlx::query(sql).execute(pool).await.expect_err(sql);
        let text = error.to_string();
        assert!(text.contains("permission denied"), "{sql}: {text}");
    };
    for sql in [
        "INSERT INTO act_receipts SELECT * FROM act_receipts",
        "INSERT INTO plans SELECT * FROM plans",
        "INSERT INTO subject_states SELECT * FROM subject_states",
        "INSERT INTO published_trust VALUES ('trust', '{}', now())",
        "UPDATE change_requests SET state = 'approved'",
        "UPDATE leases SET holder = 'me'",
        "DELETE FROM ledger_events",
        "DELETE FROM acts",
    ] {
        refused(db.api.pool(), sql).await;
    }
    for sql in [
        "INSERT INTO acts SELECT * FROM acts",
        "INSERT INTO change_requests SELECT * FROM change_requests",
        "INSERT INTO sessions SELECT * FROM sessions",
        "SELECT * FROM sessions",
        "SELECT * FROM machines",
        "SELECT * FROM binding_checks",
        "UPDATE change_requests SET submission = ''",
        "UPDATE change_requests SET submitted_person = 'me'",
        "UPDATE ledger_events SET kind = 'x'",
    ] {
        refused(db.executor.pool(), sql).await;
    }
    let ballot =
        ["INSERT INTO plans SELECT * FROM plans", "SELECT * FROM sessions", "DELETE FROM acts"];
    for sql in ballot {
        refused(&db.ballot, sql).await;
    }
    sqlx::query("SELECT count(*) FROM plans").execute(&db.ballot).await.unwrap();
    for sql in ["INSERT INTO acts SELECT * FROM acts", "SELECT * FROM sessions"] {
        refused(&db.ingest, sql).await;
    }
    sqlx::query("SELECT count(*) FROM ledger_events").execute(&db.ingest).await.unwrap();

    // Not even the owner changes what was recorded.
    for sql in [
        "UPDATE ledger_events SET kind = 'x'",
        "DELETE FROM ledger_events",
        "UPDATE revisions SET author = 'x'",
        "DELETE FROM acts",
        "UPDATE acts SET comment = 'x'",
        "DELETE FROM subjects",
        "TRUNCATE ledger_events",
        "TRUNCATE journal",
        "TRUNCATE plans",
        "TRUNCATE act_receipts",
    ] {
        let error = sqlx::query(sql).execute(&db.owner).await.expect_err(sql);
        assert!(error.to_string().contains("never changed"), "{sql}: {error}");
    }
}

#[tokio::test]
async fn the_lease_has_one_holder_and_its_epoch_only_grows() {
    let db = database().await;
    let store = &db.executor;
    assert_eq!(store.lease_acquire("executor", "one", 60, None).await.unwrap(), Some(1));
    assert_eq!(store.lease_acquire("executor", "one", 60, None).await.unwrap(), Some(1));
    assert_eq!(store.lease_acquire("executor", "two", 60, None).await.unwrap(), None);
    let left = store.lease_left("executor", "one", 1).await.unwrap();
    assert!(left > Duration::from_secs(5) && left < Duration::from_mins(10), "{left:?}");
    assert_eq!(store.lease_left("executor", "two", 1).await.unwrap(), Duration::ZERO);
    assert!(store.lease_get("executor").await.unwrap().unwrap().is_held);
    assert_eq!(store.lease_get("none").await.unwrap(), None);
    store.lease_release("executor", "one").await.unwrap();
    assert_eq!(store.lease_left("executor", "one", 1).await.unwrap(), Duration::ZERO);
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..8 {
        let store = store.clone();
        tasks.spawn(async move {
            store.lease_acquire("executor", &format!("racer-{number}"), 60, None).await.unwrap()
        });
    }
    let won: Vec<Option<i64>> = tasks.join_all().await;
    assert_eq!(won.iter().flatten().collect::<Vec<_>>(), [&2], "one winner, in a new epoch");
    assert_eq!(store.lease_left("executor", "one", 1).await.unwrap(), Duration::ZERO);
}

#[tokio::test]
async fn whoever_lost_the_lease_changes_no_row() {
    let db = database().await;
    let told = || vec![event(EventKind::DriftCorrected, None, None)];
    let mut store = db.executor.clone();
    assert_eq!(store.lease_acquire("executor", "one", 60, None).await.unwrap(), Some(1));
    store.fence("executor", "one", 1);
    store.event_append(&told()).await.unwrap();
    store.lease_release("executor", "one").await.unwrap();
    let late = store.event_append(&told()).await;
    assert!(matches!(late, Err(StorageError::LeaseLost)), "its lease is over: {late:?}");

    assert_eq!(store.lease_acquire("executor", "one", 60, None).await.unwrap(), Some(2));
    let late = store.event_append(&told()).await;
    assert!(matches!(late, Err(StorageError::LeaseLost)), "another epoch: {late:?}");
    store.fence("executor", "one", 2);
    store.event_append(&told()).await.unwrap();
    assert_eq!(db.executor.lease_acquire("executor", "two", 60, None).await.unwrap(), None);
}

#[tokio::test]
async fn work_is_claimed_once_and_a_new_trigger_survives() {
    let db = database().await;
    let mut wakeup = db.executor.wakeup().await.unwrap();
    let new = submission("payments", "leads", "alice");
    submit(&db, &new).await;
    tokio::time::timeout(Duration::from_secs(10), wakeup.wait(Duration::from_mins(1)))
        .await
        .expect("new work wakes the executor");
    let (one, two) =
        tokio::join!(db.executor.work_claim("one", 60, 10), db.executor.work_claim("two", 60, 10));
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_eq!(one.len() + two.len(), 1, "claimed twice or never");
    let (holder, work) = if one.is_empty() { ("two", &two[0]) } else { ("one", &one[0]) };
    assert_eq!(work.key, new.request.to_string());
    // A vote comes in while the work is being done.
    db.api.act_insert(&act(new.request, ActKind::Approve), &[]).await.unwrap();
    assert!(!db.executor.work_finish("somebody", work).await.unwrap());
    assert!(!db.executor.work_finish(holder, work).await.unwrap(), "the new trigger was lost");
    let again = db.executor.work_claim("one", 60, 10).await.unwrap();
    assert_eq!(again.len(), 1);
    db.executor.work_retry("one", &again[0], 3600, "later").await.unwrap();
    assert!(db.executor.work_claim("one", 60, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn sign_ins_work_once_and_sessions_end() {
    let db = database().await;
    let store = &db.api;
    let sign_in = SignInId::from_uuid(Uuid::now_v7());
    store.sign_in_create(sign_in, "nonce", at(0), at(600)).await.unwrap();
    assert!(store.sign_in_complete(sign_in, at(601)).await.is_err(), "too late");
    assert_eq!(store.sign_in_complete(sign_in, at(10)).await.unwrap(), "nonce");
    assert!(store.sign_in_complete(sign_in, at(11)).await.is_err(), "used twice");

    let session = SessionId::from_uuid(Uuid::now_v7());
    let who = SignedPerson {
        id: person("alice"),
        display: "alice".into(),
        groups: ["payments-dev".to_owned()].into(),
    };
    let new = NewSession {
        session,
        token_hash: vec![7; 32],
        person: who.clone(),
        at: at(0),
        idle_expires_at: at(100),
        expires_at: at(1000),
    };
    store.session_create(&new, &[event(EventKind::SignedIn, None, None)]).await.unwrap();
    assert_eq!(store.session_use(&[7; 32], at(50), at(150)).await.unwrap().person, who);
    assert!(store.session_use(&[7; 32], at(151), at(300)).await.is_err(), "idle too long");
    assert!(store.session_use(&[8; 32], at(60), at(160)).await.is_err(), "no such token");
    assert!(store.session_use(&[7; 32], at(140), at(2000)).await.is_ok());
    assert!(store.session_use(&[7; 32], at(1001), at(2000)).await.is_err(), "too old");
    store.session_end(session, at(145)).await.unwrap();
    assert!(store.session_use(&[7; 32], at(146), at(200)).await.is_err(), "ended");
    let known = store.people_in_groups(&["payments-dev".to_owned()].into()).await.unwrap();
    let alice = KnownPerson { id: who.id.clone(), display: "alice".into(), signed_in_at: at(0) };
    assert_eq!(known, [alice]);
    assert!(store.people_in_groups(&["others".to_owned()].into()).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_was_applied_at_an_earlier_time() {
    let db = database().await;
    let (one, other) =
        (submission("payments", "leads", "alice"), submission("orders", "o", "carol"));
    for (new, second) in [(&one, 10), (&other, 20)] {
        submit(&db, new).await;
        let applied = event(EventKind::RequestApplied, Some(new.request), None);
        db.executor.event_append(&[Event { at: at(second), ..applied }]).await.unwrap();
    }
    let then = async |team: Option<&str>, second: i64| -> Vec<(String, i64, Timestamp)> {
        let rows = db.api.documents_then(team, at(second)).await.unwrap();
        rows.into_iter().map(|row| (row.team, row.revision, row.applied_at)).collect()
    };
    assert!(then(None, 9).await.is_empty());
    assert_eq!(then(None, 10).await, [("payments".to_owned(), 1, at(10))]);
    let both = [("orders".to_owned(), 1, at(20)), ("payments".to_owned(), 1, at(10))];
    assert_eq!(then(None, 30).await, both);
    assert_eq!(then(Some("orders"), 30).await, both[..1]);
    assert_eq!(db.api.revision_time("payments", 1).await.unwrap(), (at(10), None));
    assert!(matches!(db.api.revision_time("payments", 2).await, Err(StorageError::NotFound)));

    let subject = Some("team/payments");
    for (kind, second) in [(EventKind::HoldMade, 11), (EventKind::HoldLifted, 13)] {
        let told =
            Event { at: at(second), detail: json!({ "n": second }), ..event(kind, None, subject) };
        db.executor.event_append(&[told]).await.unwrap();
    }
    let kinds = [EventKind::HoldMade.as_str(), EventKind::HoldLifted.as_str()];
    let told = async |second: i64| -> Vec<serde_json::Value> {
        let rows = db.api.events_then("team/payments", &kinds, at(second)).await.unwrap();
        rows.into_iter().map(|row| row.detail["n"].clone()).collect()
    };
    assert_eq!((told(10).await, told(12).await), (vec![], vec![json!(11)]));
    assert_eq!(told(13).await, [json!(13), json!(11)]);
}

#[tokio::test]
async fn a_check_reports_once_and_within_its_time() {
    let db = database().await;
    let store = &db.api;
    let place = |team: &str, account: &str| CheckPlace {
        team: team.into(),
        binding: "api".into(),
        cluster: "prod-eu".into(),
        namespace: "payments-prod".into(),
        account: account.into(),
    };
    let new = |byte: u8, team: &str, account: &str| NewCheck {
        hash: vec![byte; 32],
        place: place(team, account),
        creator: person("bob"),
        display: "bob".into(),
        at: at(0),
        expires_at: at(100),
    };
    for (byte, account) in [(1, "api"), (2, "api"), (3, "worker")] {
        store.check_create(&new(byte, "payments", account), 3).await.unwrap();
    }
    let many = store.check_create(&new(4, "payments", "api"), 3).await.unwrap_err();
    assert!(many.to_string().contains("3 checks of this team"), "{many}");
    store.check_create(&new(5, "orders", "api"), 3).await.unwrap();

    let report = |status: u16| Report {
        login: 200,
        reads: vec![Read { secret: "payments/kv/prod/api/db".into(), status }],
    };
    let told = |open: OpenCheck| {
        assert_eq!((open.display.as_str(), open.creator), ("bob", person("bob")));
        event(EventKind::BindingChecked, None, None)
    };
    let tell = async |byte: u8, second: i64, status: u16| {
        store.check_report(&[byte; 32], at(second), &report(status), told).await
    };
    assert!(store.checks_of(&["payments".into()]).await.unwrap().is_empty());
    tell(1, 10, 200).await.unwrap();
    assert!(matches!(tell(1, 11, 403).await, Err(StorageError::NotFound)), "once");
    assert!(matches!(tell(9, 11, 403).await, Err(StorageError::NotFound)), "no such ticket");
    assert!(matches!(tell(3, 100, 200).await, Err(StorageError::NotFound)), "its time is over");
    let said = async || -> Vec<(String, bool, Timestamp)> {
        let rows = store.checks_of(&["payments".into(), "orders".into()]).await.unwrap();
        let row = |row: CheckRow| (row.place.account, row.report.is_green(), row.reported_at);
        rows.into_iter().map(row).collect()
    };
    assert_eq!(said().await, [("api".to_owned(), true, at(10))]);
    // The newest of an account is kept, the older one goes.
    tell(2, 20, 403).await.unwrap();
    assert_eq!(said().await, [("api".to_owned(), false, at(20))]);
    let rows: i64 =
        sqlx::query_scalar("SELECT count(*) FROM binding_checks WHERE reported_at IS NOT NULL")
            .fetch_one(&db.owner)
            .await
            .unwrap();
    assert_eq!(rows, 1);
    // What has run out makes room.
    let later = NewCheck { at: at(200), expires_at: at(300), ..new(6, "payments", "api") };
    store.check_create(&later, 1).await.unwrap();
    let events: i64 =
        sqlx::query_scalar("SELECT count(*) FROM ledger_events WHERE kind = 'binding.checked'")
            .fetch_one(&db.owner)
            .await
            .unwrap();
    assert_eq!(events, 2, "one event a report");
}

#[tokio::test]
async fn machines_live_until_they_end_and_are_seen_by_their_team() {
    let db = database().await;
    let store = &db.api;
    let new = |name: &str, team: Option<&str>, proof: Proof| NewMachine {
        machine: MachineId::from_uuid(Uuid::now_v7()),
        name: name.into(),
        team: team.map(str::to_owned),
        scope: Scope::Propose,
        proof,
        creator: person("bob"),
        display: "bob".into(),
        at: at(0),
        expires_at: at(1000),
    };
    let key = |byte: u8| Proof::Key { hash: vec![byte; 32], hint: "srk_abcdef".into() };
    let account = Account {
        cluster: "prod-eu".into(),
        namespace: "ci".into(),
        account: "deployer".into(),
        uid: "u-1".into(),
    };
    let made = || [event(EventKind::MachineCreated, None, None)];
    let ci = new("ci", Some("payments"), key(1));
    store.machine_create(&ci, 3, &made()).await.unwrap();
    let twice = store.machine_create(&new("ci", Some("payments"), key(2)), 3, &made()).await;
    assert!(twice.unwrap_err().to_string().contains("a machine ci already"));
    store.machine_create(&new("ci", Some("orders"), key(3)), 3, &made()).await.unwrap();
    store.machine_create(&new("ci", None, key(4)), 3, &made()).await.unwrap();
    let runner = new("runner", Some("payments"), Proof::Account(account.clone()));
    store.machine_create(&runner, 3, &made()).await.unwrap();
    let same = new("other", Some("payments"), Proof::Account(account.clone()));
    let same = store.machine_create(&same, 3, &made()).await;
    assert!(same.unwrap_err().to_string().contains("is a machine already"));
    store.machine_create(&new("third", Some("payments"), key(5)), 3, &made()).await.unwrap();
    let many = store.machine_create(&new("fourth", Some("payments"), key(6)), 3, &made()).await;
    assert!(many.unwrap_err().to_string().contains("there are 3 machines already"));

    let used = store.machine_use_key(&[1; 32], at(10)).await.unwrap();
    assert_eq!((used.machine, used.last_used_at), (ci.machine, None));
    let again = store.machine_use_key(&[1; 32], at(20)).await.unwrap();
    assert_eq!(again.last_used_at, Some(at(10)));
    // Within a minute nothing is written.
    assert_eq!(store.machine_use_key(&[1; 32], at(30)).await.unwrap().last_used_at, Some(at(10)));
    assert!(store.machine_use_key(&[9; 32], at(10)).await.is_err(), "no such key");
    assert!(store.machine_use_key(&[1; 32], at(1000)).await.is_err(), "it has run out");
    let is = store.machine_use_account(&account, at(10)).await.unwrap();
    assert_eq!((is.machine, is.account), (runner.machine, Some(account.clone())));
    let anew = Account { uid: "u-2".into(), ..account.clone() };
    assert!(store.machine_use_account(&anew, at(10)).await.is_err(), "another UID");

    // Deleted with its cluster's knowledge it is nobody any more; of an unknown cluster that is not said.
    let engine = EngineId::from_uuid(Uuid::now_v7());
    let with = |uid: &str| Inventory {
        namespaces: vec![("ci".into(), "n-1".into())],
        accounts: vec![("ci".into(), "deployer".into(), uid.into())],
    };
    db.executor.inventory_replace(engine, "prod-eu", &with("u-1"), at(10)).await.unwrap();
    store.machine_use_account(&account, at(10)).await.unwrap();
    db.executor.inventory_replace(engine, "prod-eu", &with("u-2"), at(11)).await.unwrap();
    assert!(store.machine_use_account(&account, at(11)).await.is_err(), "it was made anew");
    db.executor.inventory_unknown(engine, "prod-eu", "away", at(12)).await.unwrap();
    store.machine_use_account(&account, at(12)).await.unwrap();

    let names = async |who: &Visibility, second: i64| -> Vec<String> {
        let listed = store.machine_list(who, at(second)).await.unwrap();
        let name =
            |row: &MachineRow| format!("{}/{}", row.team.clone().unwrap_or_default(), row.name);
        listed.iter().map(name).collect()
    };
    let all = ["/ci", "orders/ci", "payments/ci", "payments/runner", "payments/third"];
    assert_eq!(names(&everything(), 10).await, all);
    assert_eq!(names(&sees("orders", "g", "carol"), 10).await, ["orders/ci"]);
    assert!(names(&everything(), 1000).await.is_empty(), "those that have run out are not listed");

    let ended = |_: MachineId| event(EventKind::MachineEnded, None, None);
    assert!(store.machine_end(Some("orders"), "third", at(40), ended).await.is_err());
    store.machine_end(Some("payments"), "ci", at(40), ended).await.unwrap();
    assert!(store.machine_end(Some("payments"), "ci", at(41), ended).await.is_err(), "it is over");
    assert!(store.machine_use_key(&[1; 32], at(41)).await.is_err(), "ended");
    store.machine_use_key(&[3; 32], at(41)).await.unwrap();
    // The name is free again, and that of one that ran out too.
    store.machine_create(&new("ci", Some("payments"), key(7)), 3, &made()).await.unwrap();
    let later = NewMachine { at: at(2000), expires_at: at(3000), ..new("ci", None, key(8)) };
    store.machine_create(&later, 3, &made()).await.unwrap();
}

#[tokio::test]
async fn caches_say_what_was_last_put() {
    let db = database().await;
    let engine = EngineId::from_uuid(Uuid::new_v4());
    assert_eq!(db.api.engine_get().await.unwrap(), None);
    for product in ["OpenBao 2.7.0", "OpenBao 2.7.2"] {
        db.executor.engine_put(engine, "main", product, "cluster").await.unwrap();
    }
    assert_eq!(db.api.engine_get().await.unwrap(), Some(engine));
    assert_eq!(db.api.trust_get().await.unwrap(), None);
    for value in [json!({ "a": 1 }), json!({ "a": 2 })] {
        db.executor.trust_put(&value, at(0)).await.unwrap();
        assert_eq!(db.api.trust_get().await.unwrap(), Some(value));
    }

    let subject: Subject = "team/payments".parse().unwrap();
    assert!(db.api.subject_state_get(&subject).await.unwrap().is_none());
    let mut state = SubjectState {
        subject: subject.clone(),
        engine,
        applied_revision: 1,
        applied_hash: Some(vec![1; 32]),
        applied_document: Some(b"{}".to_vec()),
        holds: serde_json::json!({}),
        pins: json!({ "prod-eu/payments-prod": "uid" }),
        state: "applied".into(),
        request: Some(RequestId::from_uuid(Uuid::now_v7())),
        reason: None,
        updated_at: at(0),
    };
    db.executor.subject_state_put(&state).await.unwrap();
    state.applied_revision = 2;
    db.executor.subject_state_put(&state).await.unwrap();
    assert_eq!(db.api.subject_state_get(&subject).await.unwrap().unwrap().applied_revision, 2);
    assert_eq!(db.api.subject_state_list("team").await.unwrap().len(), 1);
    assert!(db.api.subject_state_list("cluster").await.unwrap().is_empty());
    // Bindings for accounts of other teams, among those that are not.
    assert!(db.api.documents_that_share().await.unwrap().is_empty());
    let shares = br#"{"spec":{"bindings":[{"name":"a"},{"name":"b","team":"shop"}]}}"#.to_vec();
    state.applied_document = Some(shares.clone());
    db.executor.subject_state_put(&state).await.unwrap();
    assert_eq!(db.api.documents_that_share().await.unwrap(), [shares]);

    let mut binding = BindingState {
        team: "payments".into(),
        binding: "api".into(),
        cluster: "prod-eu".into(),
        namespace: "payments-prod".into(),
        account: "api".into(),
        namespace_uid: None,
        account_uid: None,
        state: "waiting".into(),
        reason: Some("not there yet".into()),
        updated_at: at(0),
    };
    let happened = || event(EventKind::AccountAttached, None, Some("team/payments"));
    db.executor.binding_state_put(engine, &binding, &[happened()]).await.unwrap();
    binding.state = "attached".into();
    db.executor.binding_state_put(engine, &binding, &[happened()]).await.unwrap();
    let found = db.api.binding_states_of(engine, "payments").await.unwrap();
    assert_eq!(found, std::slice::from_ref(&binding));
    assert!(db.api.binding_states_of(engine, "orders").await.unwrap().is_empty());
    db.executor.binding_state_remove(engine, &binding, &[happened()]).await.unwrap();
    assert!(db.api.binding_states_of(engine, "payments").await.unwrap().is_empty());
    db.executor.event_append(&[happened()]).await.unwrap();
    let filter = EventFilter { request: None, subject: Some("team/payments".into()) };
    assert_eq!(db.api.events_list(&everything(), &filter, 0, 10).await.unwrap().len(), 4);

    assert!(db.api.inventory_get(engine, "prod-eu").await.unwrap().is_none());
    let mut inventory = Inventory {
        namespaces: vec![("a".into(), "uid-a".into()), ("b".into(), "uid-b".into())],
        accounts: vec![("a".into(), "api".into(), "uid-api".into())],
    };
    db.executor.inventory_replace(engine, "prod-eu", &inventory, at(0)).await.unwrap();
    inventory.namespaces.pop();
    db.executor.inventory_replace(engine, "prod-eu", &inventory, at(1)).await.unwrap();
    let (status, found) = db.api.inventory_get(engine, "prod-eu").await.unwrap().unwrap();
    assert!(status.known && found == inventory);
    db.executor.inventory_unknown(engine, "prod-eu", "no answer", at(2)).await.unwrap();
    let (status, found) = db.api.inventory_get(engine, "prod-eu").await.unwrap().unwrap();
    assert!(!status.known && found == inventory, "what was known stays, marked");
    assert_eq!(status.as_of, at(2));
}

#[tokio::test]
async fn a_schema_that_is_not_ours_is_refused_with_a_sentence() {
    let lab = SharedLab::get();
    let name = format!("storage_{}", Uuid::new_v4().simple());
    let admin = PgPool::connect(lab.postgres_admin_url()).await.unwrap();
    ensure_database(&admin, &name).await.unwrap();
    admin.close().await;
    let owner = PgPool::connect(&url(lab.postgres_admin_url(), None, &name)).await.unwrap();
    let told = check_schema(&owner).await.unwrap_err().to_string();
    assert!(told.contains("strongroom migrate"), "{told}");
    migrate(&owner).await.unwrap();
    check_schema(&owner).await.unwrap();
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (99990101000000, 'later', true, '', 0)",
    )
    .execute(&owner)
    .await
    .unwrap();
    let told = check_schema(&owner).await.unwrap_err().to_string();
    assert!(told.contains("newer than this program"), "{told}");
    let script = RoleNames::default().create_script();
    assert_eq!(script.lines().count(), 4);
    assert!(script.contains("CREATE ROLE \"strongroom_executor\" LOGIN;"));
}
