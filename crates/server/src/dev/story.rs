//! The story: from a document to a token that reads, and to one that no longer does.
//!
//! Every claim is checked where it is made; anything that is not so ends the story with the reason.

mod emergency;
mod forge;
mod secrets;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};

use strongroom_lab::Person;

use super::stack::Stack;
use super::teller::Teller;
use secrets::Workload;

/// The namespace the story is about.
const NAMESPACE: &str = "payments-prod";

/// Tells the whole story.
pub async fn tell(stack: &Stack, teller: &mut Teller) -> Result<()> {
    let story = Story::new(stack)?;
    teller
        .step("1. sue submits the Cluster document prod-eu; sam and kim approve", story.cluster())
        .await?;
    let request = teller
        .step("2. alice proposes team payments, sees plan and risk, and submits", story.propose())
        .await?;
    teller
        .step("3. only bob's and sue's acts count; the executor applies", story.decide(&request))
        .await?;
    teller
        .step("4. bob sets a value as himself, straight at the engine", story.set_value())
        .await?;
    let reader = teller
        .step("5. the service account reads its secret, renews, and nothing else", story.read())
        .await?;
    teller
        .step(
            "6. the namespace is made anew: newcomer and old token read nothing",
            story.recreate(&reader),
        )
        .await?;
    teller.step("7. bob takes a binding away; its live token is refused", story.narrow()).await?;
    teller
        .step(
            "8. bob suspends a binding; deleted rows do not bring it back, a request does",
            story.emergency(),
        )
        .await?;
    let events = teller
        .step(
            "9. the events say who asked, who signed, and what was written",
            story.events(&request),
        )
        .await?;
    Teller::say(&events);
    Teller::say(&format!("All of it is so, after {:.0} s.", teller.seconds()));
    Ok(())
}

/// Only the first step, for the tests: the cluster that their teams are on.
pub async fn register_cluster(stack: &Stack) -> Result<()> {
    Story::new(stack)?.cluster().await.map(drop)
}

struct Story<'a> {
    stack: &'a Stack,
    documents: PathBuf,
}

impl<'a> Story<'a> {
    fn new(stack: &'a Stack) -> Result<Self> {
        let documents = stack.dir().join("documents");
        std::fs::create_dir_all(&documents)?;
        Ok(Self { stack, documents })
    }

    async fn sign_in(&self, name: &str) -> Result<Person> {
        let person = self.stack.person(name)?;
        person.does(&["login"]).await.with_context(|| format!("{name} signs in"))?;
        Ok(person)
    }

    async fn state(&self, name: &str, request: &str) -> Result<Value> {
        let person = self.stack.person(name)?;
        let out = person.does(&["request", "show", request, "-o", "json"]).await?;
        serde_json::from_str(&out).context("read the request")
    }

    /// Waits until a request is in a state, or says why it is not.
    async fn until(&self, name: &str, request: &str, wanted: &str) -> Result<Value> {
        let start = Instant::now();
        loop {
            let shown = self.state(name, request).await?;
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

    async fn cluster(&self) -> Result<((), String)> {
        let api = self.stack.kubernetes().api();
        let document = json!({
            "apiVersion": "strongroom.dev/v1",
            "kind": "Cluster",
            "metadata": { "name": "prod-eu" },
            "spec": {
                "server": api.server(),
                "ca": api.ca_pem(),
                "auth": { "method": "kubernetes" },
                "audience": "strongroom",
                "credentials": "prod-eu",
            },
        });
        let file = self.documents.join("prod-eu.yaml");
        std::fs::write(&file, format!("{document:#}\n"))?;
        let sue = self.sign_in("sue").await?;
        let request = sue.submits(&file, "our first cluster", &[]).await?;
        let shown = self.until("sue", &request, "in_review").await?;
        ensure!(
            find(&shown, "risk").and_then(Value::as_str) == Some("critical"),
            "a Cluster document is not critical"
        );
        for name in ["sam", "kim"] {
            self.sign_in(name).await?.approves(&request).await?;
        }
        self.until("sue", &request, "applied").await?;
        Ok(((), "critical, two besides the submitter".into()))
    }

    async fn propose(&self) -> Result<(String, String)> {
        let file = self.documents.join("payments.yaml");
        std::fs::write(&file, PAYMENTS)?;
        let alice = self.sign_in("alice").await?;
        let path = file.display().to_string();
        let preview = alice.does(&["apply", "-f", &path, "--dry-run", "--reason", "look"]).await?;
        ensure!(
            preview.contains("high"),
            "the preview does not say that the risk is high:\n{preview}"
        );
        let request = alice.submits(&file, "payments moves its secrets here", &[]).await?;
        let shown = self.until("alice", &request, "in_review").await?;
        ensure!(
            find(&shown, "risk").and_then(Value::as_str) == Some("high"),
            "the frozen plan is not of high risk"
        );
        Ok((request, "high, by a real OIDC act".into()))
    }

    async fn decide(&self, request: &str) -> Result<((), String)> {
        // Her own vote: she is in no group that votes, and she is the submitter. Her client says so
        // before it signs; forced to sign, the executor refuses.
        let own = self.stack.person("alice")?;
        let stage = "owners of payments";
        let printed = own.must(&["approve", request, "--stage", stage, "--yes"], None, 5).await?;
        ensure!(
            printed.err.contains("does not count") || printed.out.contains("does not count"),
            "alice's vote is not refused as the submitter's:\n{}{}",
            printed.out,
            printed.err
        );
        let refused = forge::sign_in_as_vote(self.stack, request).await?;
        self.sign_in("bob").await?.approves(request).await?;
        self.stack.person("sue")?.approves(request).await?;
        self.until("alice", request, "applied").await?;
        Ok(((), format!("the sign-in token was refused: {refused}")))
    }

    async fn set_value(&self) -> Result<((), String)> {
        let bob = self.stack.person("bob")?;
        for secret in ["payments/kv/prod/api/db", "payments/kv/prod/batch/db"] {
            bob.must(&["kv", "put", secret, "password=-"], Some("s3cr3t-of-payments"), 0).await?;
        }
        let denied = bob.run(&["kv", "get", "payments/kv/prod/api/db"]).await?;
        ensure!(denied.code != 0, "an owner reads a value without a binding");
        Ok(((), "owners set values and do not read them".into()))
    }

    async fn read(&self) -> Result<(Workload, String)> {
        let api = Workload::log_in(self.stack, NAMESPACE, "api").await?;
        let path = "team/payments/kv/data/prod/api/db";
        let value = api.read_until(path).await.context("the service account reads its secret")?;
        ensure!(
            value.pointer("/data/password") == Some(&json!("s3cr3t-of-payments")),
            "the secret is not the one that bob set"
        );
        api.renew().await.context("the token renews itself")?;
        for other in [
            "team/payments/kv/data/prod/batch/db",
            "team/orders/kv/data/prod/api/db",
            "team/payments/kv/config",
            "sys/policies/acl/team.payments.binding.api",
            "sys/mounts",
        ] {
            api.is_refused(other).await?;
        }
        api.cannot_write(path).await?;
        Ok((api, "a neighbour's path, sys/ and writing are refused".into()))
    }

    async fn recreate(&self, old: &Workload) -> Result<((), String)> {
        let api = self.stack.kubernetes().api();
        let path = "team/payments/kv/data/prod/api/db";
        api.delete_namespace(NAMESPACE).await?;
        api.create_namespace(NAMESPACE).await?;
        for account in ["api", "batch"] {
            api.create_service_account(NAMESPACE, account).await?;
        }
        let newcomer = Workload::log_in(self.stack, NAMESPACE, "api").await?;
        newcomer.is_refused(path).await.context("the newcomer reads")?;
        let start = Instant::now();
        old.refused_until(path).await.context("the old token still reads")?;
        let seconds = start.elapsed().as_secs_f64();
        newcomer.is_refused(path).await?;

        // Trusted again by a vote, new tokens read; those from before stay dead.
        let file = self.documents.join("payments.yaml");
        let alice = self.stack.person("alice")?;
        let place = format!("prod-eu/{NAMESPACE}");
        self.until_seen(&alice, &file, &place).await?;
        let request =
            alice.submits(&file, "the namespace was rebuilt", &["--reattest", &place]).await?;
        self.until("alice", &request, "in_review").await?;
        for name in ["bob", "sue"] {
            self.stack.person(name)?.approves(&request).await?;
        }
        self.until("alice", &request, "applied").await?;
        let again = Workload::log_in(self.stack, NAMESPACE, "api").await?;
        again.read_until(path).await.context("after the vote the account reads again")?;
        for dead in [old, &newcomer] {
            dead.is_refused(path).await.context("a token from before the vote reads")?;
        }
        Ok((
            (),
            format!(
                "the old token died {seconds:.1} s after the newcomer's login; a vote trusts it again"
            ),
        ))
    }

    /// Previews are made from the stored inventory, which follows the cluster within a second.
    async fn until_seen(&self, person: &Person, file: &Path, place: &str) -> Result<()> {
        let file = file.display().to_string();
        let preview = ["apply", "-f", &file, "--reattest", place, "--dry-run", "--reason", "look"];
        let start = Instant::now();
        loop {
            let printed = person.run(&preview).await?;
            if printed.code == 0 {
                return Ok(());
            }
            ensure!(start.elapsed() < Duration::from_secs(15), "no preview:\n{}", printed.err);
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    async fn narrow(&self) -> Result<((), String)> {
        let path = "team/payments/kv/data/prod/batch/db";
        let batch = Workload::log_in(self.stack, NAMESPACE, "batch").await?;
        batch.read_until(path).await.context("the other binding reads")?;
        let kept = PAYMENTS.split("    - name: batch").next().unwrap_or_default();
        let file = self.documents.join("payments-narrowed.yaml");
        std::fs::write(&file, format!("{kept}  limits: {{ requestsPerSecond: 100 }}\n"))?;
        let bob = self.stack.person("bob")?;
        let request = bob.submits(&file, "batch is switched off", &[]).await?;
        let applied = async {
            let shown = self.until("bob", &request, "applied").await?;
            Ok::<_, anyhow::Error>((shown, Instant::now()))
        };
        let refused = async {
            batch.refused_until(path).await?;
            Ok(Instant::now())
        };
        let ((shown, _), refused_at) = tokio::try_join!(applied, refused)?;
        let risk = find(&shown, "risk").and_then(Value::as_str).unwrap_or_default().to_owned();
        ensure!(risk == "low", "narrowing one's own is {risk}, not low");
        let gap = self.since_apply(&request, refused_at).await?;
        Ok((
            (),
            format!(
                "low, nobody else needed; refused {gap:.0} ms after the group's deletion was recorded"
            ),
        ))
    }

    /// Milliseconds from the recorded write that took the group away to the first refused request.
    async fn since_apply(&self, request: &str, refused_at: Instant) -> Result<f64> {
        let out = self
            .stack
            .person("sue")?
            .does(&["get", "events", "--request", request, "-o", "json"])
            .await?;
        let now = (Instant::now(), jiff_now());
        let events: Value = serde_json::from_str(&out)?;
        let written = texts(&events)
            .into_iter()
            .find(|event| {
                event.pointer("/detail/object/kind") == Some(&json!("group"))
                    && event.pointer("/detail/operation") == Some(&json!("delete"))
            })
            .context("no event says that the group was deleted")?;
        let at: jiff::Timestamp = written
            .get("at")
            .and_then(Value::as_str)
            .context("an event without a time")?
            .parse()?;
        let ago = now.1.duration_since(at).as_secs_f64();
        Ok((ago - now.0.duration_since(refused_at).as_secs_f64()) * 1000.0)
    }

    async fn events(&self, request: &str) -> Result<(String, String)> {
        let ada = self.sign_in("ada").await?;
        let out = ada.does(&["get", "events", "--request", request, "-o", "json"]).await?;
        let value: Value = serde_json::from_str(&out)?;
        let events = texts(&value);
        let count = |kind: &str| {
            events.iter().filter(|event| event.get("kind") == Some(&json!(kind))).count()
        };
        ensure!(count("request.submitted") == 1, "no event says who asked");
        ensure!(count("act.counted") == 3, "not three acts count: submission and two votes");
        ensure!(count("act.refused") >= 2, "the refused votes are not in the ledger");
        ensure!(count("request.applied") == 1, "no event says that it was applied");
        for event in events.iter().filter(|e| e.get("kind") == Some(&json!("act.counted"))) {
            for proof in ["/detail/token", "/detail/kid", "/detail/authTime"] {
                ensure!(event.pointer(proof).is_some(), "an act without {proof}");
            }
        }
        let written: Vec<_> =
            events.iter().filter(|e| e.get("kind") == Some(&json!("apply.written"))).collect();
        ensure!(written.len() > 10, "the writes are not in the ledger");
        for event in &written {
            let told = ["/detail/engineRequestId", "/detail/readBackRequestId"];
            ensure!(
                told.iter().any(|id| event.pointer(id).is_some_and(Value::is_string)),
                "a write without an engine request id"
            );
        }
        let table = ada.does(&["get", "events", "--request", request]).await?;
        Ok((table, format!("{} events", events.len())))
    }
}

/// The events of an answer, each as the canonical event.
fn texts(value: &Value) -> Vec<Value> {
    let items = value.get("items").and_then(Value::as_array).or_else(|| value.as_array());
    let event = |item: &Value| item.get("event").cloned().unwrap_or_else(|| item.clone());
    items.into_iter().flatten().map(event).collect()
}

/// A field of an answer that is flat or has the request inside.
fn find<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    value.get(name).or_else(|| value.get("request")?.get(name))
}

fn jiff_now() -> jiff::Timestamp {
    use strongroom_domain::clock::Clock as _;
    strongroom_domain::clock::SystemClock.now()
}

/// Team payments: the design's document with a second binding.
const PAYMENTS: &str = "\
apiVersion: strongroom.dev/v1
kind: Team
metadata: { name: payments }
spec:
  displayName: Payments
  contact: payments@example.com
  people:
    owners:  [{ group: payments-leads }]
    editors: [{ group: payments-dev }]
    viewers: []
  mounts:
    - { name: kv, type: kv-v2, maxVersions: 10 }
  namespaces:
    - { cluster: prod-eu, name: payments-prod, environment: production, tokenTtl: 20m }
  bindings:
    - name: api
      cluster: prod-eu
      namespace: payments-prod
      serviceAccounts: [api]
      access:
        - { mount: kv, path: prod/api/*, level: read }
      until: 2027-06-30
    - name: batch
      cluster: prod-eu
      namespace: payments-prod
      serviceAccounts: [batch]
      access:
        - { mount: kv, path: prod/batch/*, level: read }
  limits: { requestsPerSecond: 100 }
";
