//! What people say about a request, events as they come, and how the deployment stands.

use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::support::Lab;

#[tokio::test]
async fn what_is_said_is_read_where_the_request_is_and_as_it_comes() {
    let lab = Lab::get();
    let team = lab.new_team("talk").await;
    let (alice, bob) = (lab.person("alice").await, lab.person("bob").await);
    let request = alice.submits(&team.file, "to be talked about", &[]).await.unwrap();

    let mut child = alice
        .command(&["get", "events", "--follow", "--request", &request, "-o", "json"])
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    // It follows from now on: what comes before it listens is not shown. So it is said until it is.
    let heard = async {
        loop {
            let line = lines.next_line().await.unwrap().expect("it goes on until it is cut off");
            let event: Value = serde_json::from_str(&line).unwrap();
            if event["kind"] == "request.commented" {
                return event;
            }
        }
    };
    let says = async {
        loop {
            bob.must(&["request", "comment", &request, "-"], Some("why write?\n"), 0)
                .await
                .unwrap();
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    let event = tokio::select! {
        event = tokio::time::timeout(Duration::from_mins(1), heard) => event.expect("nothing came"),
        () = says => unreachable!("it is said until it is heard"),
    };
    assert_eq!(event["event"]["detail"]["comment"], "why write?");
    child.kill().await.unwrap();

    let shown = alice.does(&["request", "show", &request]).await.unwrap();
    assert!(shown.contains("saying: why write?"), "{shown}");
    let empty = bob.run(&["request", "comment", &request, " "]).await.unwrap();
    assert!(empty.code != 0 && empty.err.contains("say something"), "{}", empty.err);
}

#[tokio::test]
async fn who_runs_it_sees_how_it_stands_and_who_was_there() {
    let lab = Lab::get();
    let (sue, alice) = (lab.person("sue").await, lab.person("alice").await);
    let shown = sue.does(&["status"]).await.unwrap();
    for part in ["executor        at work: ", "engine          ", "prod-eu"] {
        assert!(shown.contains(part), "{part} is not in\n{shown}");
    }
    let status: Value =
        serde_json::from_str(&sue.does(&["status", "-o", "json"]).await.unwrap()).unwrap();
    assert_eq!(status["executor"]["atWork"], true);
    let people = sue.does(&["get", "people", "payments-dev"]).await.unwrap();
    assert!(people.contains("alice") && !people.contains("ada"), "{people}");
    for verb in [&["status"][..], &["get", "people"]] {
        let refused = alice.run(verb).await.unwrap();
        assert_eq!(refused.code, 5, "{verb:?}: {} {}", refused.out, refused.err);
    }
}
