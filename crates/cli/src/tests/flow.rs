//! Sign-in, submission and votes against a scripted API and provider, over real sockets.
//!
//! The script plays the part that the client must not trust: it recomputes what was signed with
//! `acts`, checks PKCE, and can lie.

mod world;

use strongroom_acts::SigningKey;

use super::*;
use crate::signin::browser::Opened;
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
