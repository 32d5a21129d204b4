//! The story: from a document to a token that reads, and to one that no longer does.
//!
//! Every claim is checked where it is made; anything that is not so ends the story with the reason.
//! What is told, and in which order, stands here; how each of it is done and checked stands in the
//! chapter of that name.

mod arrivals;
mod documents;
mod drift;
mod emergency;
mod ending;
mod forge;
mod narrowing;
mod neighbours;
mod onboarding;
mod recreation;
mod tampering;
mod trail;
mod values;
mod workload;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use strongroom_lab::Person;

use super::stack::Stack;
use super::teller::Teller;
use documents::Documents;

/// The namespace of the team that most of the story is about.
const NAMESPACE: &str = "payments-prod";

/// Where its service account `api` reads.
const API_PATH: &str = "team/payments/kv/data/prod/api/db";

/// Where its service account `batch` reads.
const BATCH_PATH: &str = "team/payments/kv/data/prod/batch/db";

/// Tells the whole story.
#[rustfmt::skip] // One line a step: this is the table of contents.
pub async fn tell(stack: &Stack, teller: &mut Teller) -> Result<()> {
    let story = Story::new(stack)?;
    let step = "1. sue submits the Cluster document prod-eu; sam and kim approve";
    teller.step(step, story.cluster()).await?;
    let step = "2. alice proposes team payments, sees plan and risk, and submits";
    let request = teller.step(step, story.propose()).await?;
    let step = "3. only bob's and sue's acts count; the executor applies";
    teller.step(step, story.decide(&request)).await?;
    let step = "4. bob sets values as himself, straight at the engine";
    teller.step(step, story.set_values()).await?;
    let step = "5. two accounts of one namespace each read their own secret, renew, and nothing else";
    let reader = teller.step(step, story.read()).await?;
    let step = "6. carol brings team orders to the same cluster; neither team reads the other's";
    teller.step(step, story.neighbours(&reader)).await?;
    let step = "7. an account that was approved before it was made waits, and reads once it is there";
    teller.step(step, story.newcomer()).await?;
    let step = "8. a workload logs in before its account is attached; later the same token reads";
    teller.step(step, story.early_login()).await?;
    let step = "9. the namespace is made anew; its bindings are suspended, nobody there reads";
    let newcomer = teller.step(step, story.recreate(&reader)).await?;
    let step = "10. a vote trusts the new namespace; tokens from before it stay dead";
    teller.step(step, story.reattest(&[&reader, &newcomer])).await?;
    let step = "11. bob takes a binding away; its live token is refused";
    teller.step(step, story.narrow()).await?;
    let step = "12. bob suspends a binding; deleted rows do not bring it back, a request does";
    teller.step(step, story.emergency()).await?;
    let step = "13. a grant ends at its date by itself";
    teller.step(step, story.end_by_itself()).await?;
    let step = "14. a policy changed by hand in the engine is put back, and who did it is told";
    teller.step(step, story.change_by_hand()).await?;
    let step = "15. edited database rows widen nothing; the team is frozen until people decide";
    teller.step(step, story.tamper()).await?;
    let step = "16. the events say who asked, who signed and what was written; nothing is left to look at";
    let summary = teller.step(step, story.trail(&request)).await?;
    Teller::say(&format!("All of it is so, after {:.0} s.\n{summary}", teller.seconds()));
    Ok(())
}

/// Only the first step, for the tests: the cluster that their teams are on.
pub async fn register_cluster(stack: &Stack) -> Result<()> {
    Story::new(stack)?.cluster().await.map(drop)
}

/// What every chapter needs.
struct Story<'a> {
    stack: &'a Stack,
    documents: Documents,
}

impl<'a> Story<'a> {
    fn new(stack: &'a Stack) -> Result<Self> {
        Ok(Self { stack, documents: Documents::new(&stack.dir().join("documents"))? })
    }

    async fn sign_in(&self, name: &str) -> Result<Person> {
        let person = self.stack.person(name)?;
        person.does(&["login"]).await.with_context(|| format!("{name} signs in"))?;
        Ok(person)
    }

    /// Everybody named says yes, in this order, and the request is applied.
    async fn approved_by(&self, request: &str, names: &[&str]) -> Result<()> {
        for name in names {
            self.stack.person(name)?.approves(request).await?;
        }
        self.until("sue", request, "applied").await.map(drop)
    }

    async fn request(&self, name: &str, request: &str) -> Result<Value> {
        let person = self.stack.person(name)?;
        let out = person.does(&["request", "show", request, "-o", "json"]).await?;
        serde_json::from_str(&out).context("read the request")
    }

    /// Waits until a request is in a state, or says why it is not.
    async fn until(&self, name: &str, request: &str, wanted: &str) -> Result<Value> {
        let start = Instant::now();
        loop {
            let shown = self.request(name, request).await?;
            let state = find(&shown, "state").and_then(Value::as_str).unwrap_or_default();
            if state == wanted {
                return Ok(shown);
            }
            let over = ["applied", "failed", "rejected", "withdrawn", "expired", "superseded"];
            if over.contains(&state) || start.elapsed() > Duration::from_mins(1) {
                let reason = find(&shown, "stateReason").cloned().unwrap_or_default();
                bail!("request {request} is {state}, not {wanted}: {reason}");
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Waits until a request is in review, and makes sure of its risk.
    async fn in_review(&self, name: &str, request: &str, risk: &str) -> Result<()> {
        let shown = self.until(name, request, "in_review").await?;
        let found = find(&shown, "risk").and_then(Value::as_str).unwrap_or_default();
        ensure!(found == risk, "the plan is of risk {found:?}, not {risk}");
        Ok(())
    }

    /// Waits until `strongroom get bindings` shows every account of a binding in a state, with a
    /// reason that says all of this; gives the reason.
    async fn until_stands(
        &self,
        team: &str,
        binding: &str,
        wanted: &str,
        because: &[&str],
    ) -> Result<String> {
        let sue = self.stack.person("sue")?;
        let start = Instant::now();
        loop {
            let out = sue.does(&["get", "bindings", "--team", team, "-o", "json"]).await?;
            let all: Vec<Value> = serde_json::from_str(&out).context("read the bindings")?;
            let text = |row: &Value, name: &str| {
                row.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
            };
            let rows: Vec<&Value> =
                all.iter().filter(|row| text(row, "binding") == binding).collect();
            let is_so = |row: &&Value| {
                let reason = text(row, "reason");
                text(row, "state") == wanted && because.iter().all(|word| reason.contains(word))
            };
            if let Some(first) = rows.first()
                && rows.iter().all(is_so)
            {
                return Ok(text(first, "reason"));
            }
            ensure!(
                start.elapsed() < Duration::from_secs(40),
                "the binding {team}/{binding} is not {wanted} because of {because:?}:\n{out}"
            );
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
    }

    /// What `strongroom get findings` shows: what stands now, or everything there was.
    async fn findings(&self, all: bool) -> Result<Vec<Value>> {
        let sue = self.stack.person("sue")?;
        let every = ["get", "findings", "-o", "json", "--all"];
        let out = sue.does(if all { &every } else { &every[..4] }).await?;
        serde_json::from_str(&out).context("read the findings")
    }

    /// Waits until there is a finding of a kind about something; gives it.
    async fn until_found(&self, kind: &str, about: &str) -> Result<Value> {
        let start = Instant::now();
        let wanted = format!("{kind} {about}");
        loop {
            let all = self.findings(true).await?;
            if let Some(found) =
                all.iter().find(|each| each.get("key") == Some(&wanted.clone().into()))
            {
                return Ok(found.clone());
            }
            ensure!(start.elapsed() < Duration::from_secs(40), "{wanted} is not found: {all:?}");
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
    }

    /// Previews are made from the stored inventory, which follows the cluster within a second.
    async fn until_previewed(&self, person: &Person, file: &Path, more: &[&str]) -> Result<String> {
        let file = file.display().to_string();
        let mut preview = vec!["apply", "-f", &file, "--dry-run", "--reason", "look"];
        preview.extend(more);
        let start = Instant::now();
        loop {
            let printed = person.run(&preview).await?;
            if printed.code == 0 {
                return Ok(printed.out);
            }
            ensure!(start.elapsed() < Duration::from_secs(15), "no preview:\n{}", printed.err);
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

/// A field of an answer that is flat or has the request inside.
fn find<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    value.get(name).or_else(|| value.get("request")?.get(name))
}

fn now() -> jiff::Timestamp {
    use strongroom_domain::clock::Clock as _;
    strongroom_domain::clock::SystemClock.now()
}
