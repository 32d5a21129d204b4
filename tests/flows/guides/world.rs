//! What happens around the blocks of a page: the namespace, who asks for something meanwhile, what
//! the workload's token is good for, and the time that a reader takes. It runs no block.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use super::{Guide, NAMESPACE, SECRET, TEAM};
use crate::page::blocks;
use crate::support::Team;

impl Guide {
    /// Something that happens before a block.
    pub(super) async fn given(&mut self, what: &str) {
        match what {
            "a-request" => {
                self.asked += 1;
                self.rename_in_file(&format!("Payments {}", self.asked));
                let alice = self.private.lab.person("alice").await;
                self.known.insert("alice".to_owned());
                let file = self.terminal.dir.join("payments.yaml");
                let request = alice.submits(&file, "PAY-2: another name", &[]).await.unwrap();
                self.private.lab.until(&request, "in_review").await;
            }
            "namespace-made-anew" => {
                self.private.lab.kubernetes().delete_namespace(NAMESPACE).await.unwrap();
                self.namespace().await;
                // A reader comes later, when it is seen that there is one again.
                let findings = ["get", "findings", "namespace-changed", "-o", "json"];
                let start = Instant::now();
                loop {
                    let told = self.watcher.does(&findings).await.unwrap();
                    if told.contains("was made anew") && !told.contains("namespace is gone") {
                        break;
                    }
                    assert!(
                        start.elapsed() < Duration::from_secs(40),
                        "nobody tells of it: {told}"
                    );
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
                // What the API knows of the cluster follows.
                let file = self.terminal.dir.join("payments.yaml").display().to_string();
                let look = ["apply", "-f", &file, "--dry-run", "--reason", "look"];
                while self.watcher.run(&look).await.unwrap().err.contains("does not exist") {
                    assert!(start.elapsed() < Duration::from_mins(1), "it is never seen again");
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            }
            // Something that the copy does not know.
            "a-change-and-no-executor" => {
                self.rename_in_file("Payments since the copy");
                let bob = self.private.lab.person("bob").await;
                self.known.insert("bob".to_owned());
                let file = self.terminal.dir.join("payments.yaml");
                let request = bob.submits(&file, "PAY-3: another name", &[]).await.unwrap();
                self.private.lab.decide(&request, &["sue"]).await;
                self.known.insert("sue".to_owned());
                self.private.executor_end(Signal::TERM).await;
            }
            "the-executor-again" => {
                self.executor = Some(self.private.executor("restored", None, &[]));
                let (start, subject) = (Instant::now(), format!("team/{TEAM}"));
                let findings = ["get", "findings", "records-differ", "-o", "json"];
                while !self.watcher.does(&findings).await.unwrap().contains(&subject) {
                    let waited = start.elapsed();
                    assert!(waited < Duration::from_secs(40), "nobody tells what differs");
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            }
            other => panic!("a page says given={other}, which no one knows to do"),
        }
    }

    /// The namespace of the pages, and its accounts.
    pub(super) async fn namespace(&self) {
        let api = self.private.lab.kubernetes();
        api.create_namespace(NAMESPACE).await.unwrap();
        for account in ["api", "batch"] {
            api.create_service_account(NAMESPACE, account).await.unwrap();
        }
    }

    /// The team of the page for teams, applied, with a workload that reads.
    pub(super) async fn onboarded(&mut self) {
        let all = blocks("for-teams.md");
        let first = all.iter().find(|block| block.word("file") == Some("payments.yaml")).unwrap();
        self.file(first).await;
        let team = Team { slug: TEAM.to_owned(), file: self.terminal.dir.join("payments.yaml") };
        self.private.lab.onboard(&team).await;
        self.then("reads", "the team that a page begins with").await;
    }

    pub(super) fn rename_in_file(&self, display_name: &str) {
        let file = self.terminal.dir.join("payments.yaml");
        let text = std::fs::read_to_string(&file).unwrap();
        let line = text.lines().find(|line| line.contains("displayName: ")).unwrap();
        let other = format!("  displayName: {display_name}");
        std::fs::write(&file, text.replacen(line, &other, 1)).unwrap();
    }

    /// What the token of the workload is good for.
    pub(super) async fn then(&mut self, what: &str, place: &str) {
        match what {
            "reads" => {
                let live = self.private.lab.workload(NAMESPACE, "api").await;
                live.reads_soon(SECRET).await;
                self.live = Some(live);
            }
            "refused" => {
                let live = self.live.as_ref().expect("it read before");
                live.refused_soon(SECRET).await;
            }
            "signed-in-again" => {
                for person in ["bob", "sue"] {
                    self.private.lab.person(person).await;
                }
            }
            other => panic!("{place}: then={other}, which no one knows to look at"),
        }
    }

    /// The newest request.
    pub(super) async fn newest(&self) -> Option<String> {
        let newest = ["get", "requests", "--limit", "1", "-o", "name"];
        let out = self.watcher.does(&newest).await.unwrap();
        out.trim().strip_prefix("request/").map(str::to_owned)
    }

    /// Waits until nothing is under way: a reader takes longer than a second for the next block.
    pub(super) async fn settle(&self) {
        let Some(request) = self.newest().await else { return };
        let (start, mut seen, mut since) = (Instant::now(), Value::Null, Instant::now());
        loop {
            let state = self.private.lab.request(&request).await["state"].clone();
            if state != seen {
                (seen, since) = (state, Instant::now());
            }
            let moves = ["submitted", "approved", "applying"].iter().any(|each| seen == *each);
            let rests = if seen == "in_review" { Duration::from_secs(1) } else { Duration::ZERO };
            // What waits for something, or is held, stays so.
            if since.elapsed() >= if moves { Duration::from_secs(20) } else { rests } {
                return;
            }
            assert!(start.elapsed() < Duration::from_mins(1), "{request} never rests: {seen}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}
