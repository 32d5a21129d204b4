//! Sign-in, submission and votes against a scripted API and provider, over real sockets.
//!
//! The script plays the part that the client must not trust: it recomputes what was signed with
//! `acts`, checks PKCE, and can lie.

mod world;

use serde_json::json;
use strongroom_acts::SigningKey;
use strongroom_domain::document::Document;

use super::*;
use crate::signin::browser::Opened;
use crate::verbs::doctor::Verdict;
use crate::verify::tests::{TEAM, sample_plan};
use world::{Mood, Shared, world};

/// A browser whose person says yes to everything.
fn obedient(url: &str) -> Opened {
    let url = url.to_owned();
    tokio::spawn(async move {
        let page = reqwest::get(url).await.unwrap();
        assert!(page.status().is_success());
    });
    Opened::elsewhere()
}

struct Person {
    dir: tempfile::TempDir,
    server: String,
}

impl Person {
    fn at(world: &Shared) -> Self {
        let server = world.lock().unwrap().base.clone();
        Self { dir: tempfile::tempdir().unwrap(), server }
    }

    fn globals(&self, line: &str) -> (ClientCommand, Globals) {
        let mut line = parse(line).unwrap();
        line.globals.context = Some(self.dir.path().join("context.json"));
        line.globals.server = Some(self.server.clone());
        line.globals.yes = true;
        (line.command, line.globals)
    }

    async fn runs(&self, line: &str) -> Result<Exit, Failure> {
        let (command, globals) = self.globals(line);
        let mut screen = Screen::new(&globals);
        screen.open = obedient;
        // The one wait that a test would notice.
        if let ClientCommand::Approve(args) = &command {
            let mut client = Client::open(&globals, screen)?;
            client.patience = std::time::Duration::from_millis(10);
            return verbs::vote::approve(&client, args).await;
        }
        dispatch(&command, &globals, screen).await
    }
}

fn approve() -> String {
    format!("approve {}", sample_plan(0).request)
}

#[tokio::test]
async fn a_person_signs_in_submits_and_votes() {
    let world = world(Mood::Counts).await;
    let person = Person::at(&world);
    assert_eq!(person.runs("login").await.unwrap(), Exit::Ok);
    assert_eq!(world.lock().unwrap().asked["client_id"], "signin");
    assert_eq!(person.runs("whoami").await.unwrap(), Exit::Ok);

    let file = person.dir.path().join("team.yaml");
    std::fs::write(&file, TEAM).unwrap();
    let apply = format!("apply --reason PAY-12 -f {}", file.display());
    assert_eq!(person.runs(&apply).await.unwrap(), Exit::Ok);
    let diff = format!("diff -f {}", file.display());
    assert_eq!(person.runs(&diff).await.unwrap(), Exit::Failed);

    world.lock().unwrap().state = "rejected";
    assert_eq!(person.runs(&format!("{apply} --wait")).await.unwrap(), Exit::Denied);
    // Nobody signs what is over.
    let over = person.runs(&approve()).await.unwrap_err();
    assert_eq!(over.exit, Exit::Conflict);
    assert!(over.render().contains("the request is rejected"), "{}", over.render());
    world.lock().unwrap().state = "in_review";
    assert_eq!(person.runs(&approve()).await.unwrap(), Exit::Ok);
    assert_eq!(person.runs("logout").await.unwrap_err().exit, Exit::NotFound);
    assert_eq!(person.runs("whoami").await.unwrap_err().exit, Exit::LoginNeeded);
}

#[tokio::test]
async fn apr_02_what_the_executor_does_not_count_is_told_apart() {
    for (mood, exit) in [
        (Mood::Refuses, Err(Exit::Denied)),
        (Mood::Lies, Err(Exit::Conflict)),
        (Mood::Sleeps, Ok(Exit::Waiting)),
    ] {
        let world = world(mood).await;
        let person = Person::at(&world);
        person.runs("login").await.unwrap();
        let ended = person.runs(&approve()).await.map_err(|failure| failure.exit);
        assert_eq!(ended, exit);
    }
}

#[tokio::test]
async fn a_server_with_another_key_is_neither_signed_in_to_nor_believed() {
    let world = world(Mood::Counts).await;
    let person = Person::at(&world);
    person.runs("login").await.unwrap();
    world.lock().unwrap().key = SigningKey::generate().unwrap();

    let refused = person.runs("login").await.unwrap_err();
    assert_eq!(refused.exit, Exit::Conflict);
    assert!(refused.render().contains("a key that is not pinned"));
    let refused = person.runs(&approve()).await.unwrap_err();
    assert_eq!(refused.exit, Exit::Conflict);
    assert!(refused.render().contains("no pinned key"), "{}", refused.render());
    assert!(world.lock().unwrap().acts.is_empty());

    assert_eq!(person.runs("login --accept-new-trust").await.unwrap(), Exit::Ok);
    assert_eq!(person.runs(&approve()).await.unwrap(), Exit::Ok);
}

#[tokio::test]
async fn what_may_be_read_is_exported_once_and_never_over_an_edit() {
    let world = world(Mood::Counts).await;
    let person = Person::at(&world);
    person.runs("login").await.unwrap();
    let dir = person.dir.path().join("teams");
    let export = format!("export --dir {}", dir.display());
    assert_eq!(person.runs(&export).await.unwrap(), Exit::Ok);
    let files = std::fs::read_dir(&dir).unwrap();
    let files: Vec<_> = files.map(|each| each.unwrap().file_name()).collect();
    // The script has no Platform document, and nothing of menus is applied.
    assert_eq!(files, ["team-payments.yaml"]);
    let text = std::fs::read_to_string(dir.join("team-payments.yaml")).unwrap();
    assert!(text.starts_with("# team/payments, revision 4\n"), "{text}");
    assert_eq!(Document::from_yaml(&text).unwrap(), Document::from_yaml(TEAM).unwrap());

    assert_eq!(person.runs("export payments").await.unwrap(), Exit::Ok);
    assert_eq!(person.runs("export nobody").await.unwrap_err().exit, Exit::NotFound);
    assert_eq!(person.runs("export -o json").await.unwrap_err().exit, Exit::Usage);
}

#[tokio::test]
async fn the_doctor_looks_and_changes_nothing() {
    let world = world(Mood::Counts).await;
    // Nobody listens there.
    world.lock().unwrap().engine = Some("https://127.0.0.1:1");
    world.lock().unwrap().session_ends = "2099-01-01T00:00:00Z";
    let person = Person::at(&world);
    let red = async || {
        let (_, globals) = person.globals("doctor");
        let report = verbs::doctor::look(&globals, Screen::new(&globals)).await.unwrap();
        let of = |verdict| {
            let checks = report.checks.iter().filter(move |each| each.verdict == verdict);
            checks.map(|each| each.name).collect::<Vec<_>>()
        };
        (of(Verdict::Red), of(Verdict::Unknown))
    };
    let before = red().await;
    assert_eq!(before.0, ["context", "session"]);
    assert_eq!(before.1, ["trust", "engine", "executor", "findings"]);
    assert!(!person.dir.path().join("context.json").exists());

    person.runs("login").await.unwrap();
    let kept = || std::fs::read(person.dir.path().join("context.json")).unwrap();
    let signed_in = kept();
    assert_eq!(red().await, (vec!["engine"], vec![]));
    assert_eq!(person.runs("doctor -o json").await.unwrap(), Exit::Failed);
    assert_eq!(person.runs("doctor -o csv").await.unwrap_err().exit, Exit::Usage);

    // An alarm, and another key of the executor, which is told and not taken over.
    world.lock().unwrap().findings = vec![json!({ "key": "drift x", "kind": "drift",
        "severity": "alarm", "text": "t", "nextStep": "n", "firstSeen": "2026-11-23T18:00:00Z" })];
    world.lock().unwrap().key = SigningKey::generate().unwrap();
    assert_eq!(red().await, (vec!["trust", "engine", "findings"], vec![]));
    assert_eq!(kept(), signed_in);
}
