//! The identity provider turns its key, goes away, gives everybody two names, or is disbelieved.

#![expect(clippy::print_stdout, reason = "figures are printed for who reads the run")]

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};
use sqlx::postgres::PgPool;
use strongroom_lab::Person;
use strongroom_test_support::program;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::private::{PrivateLab, signal_part};
use crate::support::{Lab, Team, document};

/// A change that an owner's submission and one platform vote decide: the viewers change.
fn edited(lab: &Lab, team: &Team, viewers: &str) -> std::path::PathBuf {
    let people = format!("payments-dev }}]\n    viewers: [{{ group: {viewers} }}]");
    let text = document(&team.slug, true).replace("payments-dev }]", &people);
    lab.write(&format!("{viewers}.yaml"), &text)
}

async fn proposed(lab: &Lab, who: &Person, team: &Team, viewers: &str) -> String {
    let request = who.submits(&edited(lab, team, viewers), "a change", &[]).await.unwrap();
    lab.until(&request, "in_review").await;
    request
}

/// The provider's keys that signed what counts of a request, in order.
async fn kids(database: &PgPool, request: &str) -> Vec<String> {
    let kids = "SELECT convert_from(canonical, 'UTF8')::json #>> '{detail,kid}' \
                FROM ledger_events WHERE request_id = $1::uuid AND kind = 'act.counted' \
                ORDER BY sequence";
    sqlx::query_scalar(kids).bind(request).fetch_all(database).await.unwrap()
}

/// Waits until the provider does not publish a key any more.
async fn until_unpublished(lab: &Lab, kid: &str) {
    let http = strongroom_lab::engine::http_client(None).unwrap();
    let url = format!("{}/.well-known/keys", lab.text("/provider/issuer"));
    let start = Instant::now();
    loop {
        let keys: Value = http.get(&url).send().await.unwrap().json().await.unwrap();
        let keys = keys["keys"].as_array().unwrap();
        if keys.iter().all(|key| key["kid"] != kid) {
            return;
        }
        assert!(start.elapsed() < Duration::from_mins(4), "the old key stays published");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

#[tokio::test]
async fn a_turned_key_and_a_provider_that_is_away_hold_up_nothing_that_is_decided() {
    let private = PrivateLab::start().await;
    let lab = &private.lab;
    let (database, provider) = (private.database().await, private.provider().await);
    let team = lab.new_team("turned").await;
    lab.onboard(&team).await;
    let (alice, bob, sue) =
        (lab.person("alice").await, lab.person("bob").await, lab.person("sue").await);

    // One vote before the key is turned; then nobody publishes its key any more, and the executor
    // that saw it is gone as well.
    let request = proposed(lab, &alice, &team, "seen-1").await;
    bob.approves(&request).await.unwrap();
    let before = kids(&database, &request).await;
    for _ in 0..2 {
        provider.rotate_key("1s").await.unwrap();
    }
    private.executor_end(Signal::TERM).await;
    for kid in &before {
        until_unpublished(lab, kid).await;
    }
    let _executor = private.executor("after", None, &[]);
    sue.approves(&request).await.unwrap();
    lab.until(&request, "applied").await;
    let all = kids(&database, &request).await;
    assert_eq!((all.len(), &all[..2]), (3, &before[..]), "{all:?}");
    assert!(!before.contains(&all[2]), "the key was not turned: {all:?}");

    // Decided, and held up by the cluster while the provider goes away.
    let path = format!("team/{}/kv/data/prod/api/db", team.slug);
    let live = lab.workload(&team.slug, "api").await;
    live.reads_soon(&path).await;
    let request = proposed(lab, &bob, &team, "seen-2").await;
    signal_part(private.dir(), "kubernetes", Signal::STOP);
    // Its answer may be late: the executor waits for the cluster as well.
    sue.run(&["approve", &request, "--yes"]).await.unwrap();
    lab.until(&request, "approved").await;
    signal_part(private.dir(), "provider", Signal::STOP);
    signal_part(private.dir(), "kubernetes", Signal::CONT);
    lab.until(&request, "applied").await;
    let newcomer = Person::new(&program(), "sam", lab.scratch.path(), lab.server()).unwrap();
    let login = newcomer.run(&["login"]).await.unwrap();
    assert_ne!(login.code, 0, "signed in without a provider");
    assert!(login.err.contains("identity provider cannot be reached"), "{}", login.err);
    let target = format!("team/{}/api", team.slug);
    private.locally("execute.yaml", &["suspend", &target, "--reason", "INC-7"]).await;
    let took = live.refused_soon(&path).await;
    signal_part(private.dir(), "provider", Signal::CONT);
    println!(
        "provider: a vote from before the turned key counts, one after it too, applied with the \
         old key gone; with the provider away: applied, sign-in refused by a sentence, suspended \
         locally in {took:?}"
    );
    private.end().await;
}

/// A request that somebody has agreed to and that the executor has not applied: it is ended between.
async fn approved(private: &PrivateLab, team: &Team, viewers: &str, voter: &Person) -> String {
    let lab = &private.lab;
    let request = proposed(lab, &lab.person("bob").await, team, viewers).await;
    signal_part(private.dir(), "kubernetes", Signal::STOP);
    voter.run(&["approve", &request, "--yes"]).await.unwrap();
    lab.until(&request, "approved").await;
    request
}

/// Waits until a request is back in review and says this.
async fn until_told(lab: &Lab, request: &str, sentence: &str) -> String {
    let start = Instant::now();
    loop {
        let shown = lab.request(request).await;
        assert_ne!(shown["state"], "applied", "what is denied was applied");
        let why = shown["stateReason"].as_str().unwrap_or_default();
        if shown["state"] == "in_review" && why.contains(sentence) {
            return why.to_owned();
        }
        assert!(start.elapsed() < Duration::from_mins(1), "not told {sentence:?}: {shown:#}");
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

#[tokio::test]
async fn what_the_floor_denies_does_not_count_at_apply() {
    let private = PrivateLab::start().await;
    let lab = &private.lab;
    let (database, provider) = (private.database().await, private.provider().await);
    let team = lab.new_team("denied").await;
    lab.onboard(&team).await;
    let (bob, sue, sam) =
        (lab.person("bob").await, lab.person("sue").await, lab.person("sam").await);

    // A person: the vote is void, a new one is refused, another's counts.
    let request = approved(&private, &team, "seen-1", &sue).await;
    private.executor_end(Signal::KILL).await;
    signal_part(private.dir(), "kubernetes", Signal::CONT);
    let who = provider.person_id("sue").await.unwrap();
    let floor = private.other_floor("person", |floor| floor["denied_people"] = json!([who]));
    let executor = private.executor("person", Some(&floor), &[]);
    let mut told = vec![until_told(lab, &request, "this person may not act (floor file)").await];
    let again = sue.run(&["approve", &request, "--yes", "--anyway"]).await.unwrap();
    assert!(again.code != 0 && again.err.contains("may not act"), "{}", again.err);
    sam.approves(&request).await.unwrap();
    lab.until(&request, "applied").await;

    // A key, and a time: submission and vote are void. It is taken back, and proposed again by one
    // command and a signature that counts.
    let mut executor = executor;
    for (case, sentence) in [
        ("key", "the key that signed the token is denied by the floor file"),
        ("time", "the sign-in is from before the floor file's `not_before`"),
    ] {
        let request = approved(&private, &team, &format!("seen-{case}"), &sam).await;
        executor.kill().await;
        signal_part(private.dir(), "kubernetes", Signal::CONT);
        let kids = kids(&database, &request).await;
        let now = "SELECT to_char(now() AT TIME ZONE 'utc', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')";
        let now: String = sqlx::query_scalar(now).fetch_one(&database).await.unwrap();
        let floor = private.other_floor(case, |floor| {
            if case == "key" {
                floor["denied_kids"] = json!(kids);
            } else {
                floor["not_before"] = json!(now);
            }
        });
        if case == "key" {
            for _ in 0..2 {
                provider.rotate_key("1h").await.unwrap();
            }
        }
        executor = private.executor(case, Some(&floor), &[]);
        told.push(until_told(lab, &request, sentence).await);
        bob.does(&["withdraw", &request, "--yes"]).await.unwrap();
        lab.until(&request, "withdrawn").await;
        let again = bob.does(&["request", "again", &request, "--yes", "-o", "name"]).await.unwrap();
        let again = again.trim().strip_prefix("request/").unwrap().to_owned();
        assert_ne!(again, request);
        lab.until(&again, "in_review").await;
        assert_eq!(lab.request(&again).await["reason"], "again: a change");
        sam.approves(&again).await.unwrap();
        lab.until(&again, "applied").await;
    }
    for sentence in &told {
        println!("  {sentence}");
    }
    println!("floor: 0 of 3 denied votes counted at apply");
    drop(executor);
    pairwise(&private).await;
    private.end().await;
}

/// A provider that says only which subjects it gives.
async fn scripted(kinds: Option<Value>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let issuer = format!("http://{}", listener.local_addr().unwrap());
    let mut document = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/keys"),
    });
    if let Some(kinds) = kinds {
        document["subject_types_supported"] = kinds;
    }
    let body = document.to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
                 connection: close\r\n\r\n{body}",
                body.len()
            );
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    issuer
}

/// Two act clients and a provider that may give one person a name in each: nobody could be told
/// apart, so the executor does not start.
async fn pairwise(private: &PrivateLab) {
    let two = |floor: &mut Value, issuer: &str, claim: &str| {
        floor["issuer"] = json!({ "url": issuer });
        let first = floor["act_clients"][0].clone();
        floor["act_clients"] = json!([first, "strongroom-ballot"]);
        floor["person_claim"] = json!(claim);
    };
    let refused = [
        ("pairwise", Some(json!(["pairwise"]))),
        ("either", Some(json!(["public", "pairwise"]))),
        ("untold", None),
        ("none", Some(json!([]))),
    ];
    let count = refused.len();
    for (name, kinds) in refused {
        let issuer = scripted(kinds).await;
        let config = private.other_floor(name, |floor| two(floor, &issuer, "sub"));
        let mut executor = private.executor(name, Some(&config), &[]);
        assert!(executor.ends_within(Duration::from_mins(1)).await, "{name}: it starts");
        let log = private.log(name);
        assert!(log.contains("another `sub` in each act client"), "{name}: {log}");
        assert!(log.contains("person_claim"), "{name}: {log}");
    }
    for (name, kinds, claim) in
        [("public", json!(["public"]), "sub"), ("claim", json!(["pairwise"]), "employee")]
    {
        let issuer = scripted(Some(kinds)).await;
        let config = private.other_floor(name, |floor| two(floor, &issuer, claim));
        let _executor = private.executor(name, Some(&config), &[]);
        let start = Instant::now();
        while !private.log(name).contains("executor is up") {
            assert!(start.elapsed() < Duration::from_mins(1), "{name}: {}", private.log(name));
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
    println!("pairwise subjects: {count} of {count} starts refused with two act clients and `sub`");
}
