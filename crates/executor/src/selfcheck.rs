//! What the executor's own token may do, asked by another identity.
//!
//! The auditor can do nothing but ask the engine about capabilities. It shows a right that the
//! executor was given, by whomever; it does not prevent it (design, threat model). An answer that
//! names more than the executor needs stops applies; no answer changes nothing.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use strongroom_config::file;
use strongroom_domain::document::Document;
use strongroom_engine::session::AppRole;
use strongroom_engine::{Session, auth, sys};
use strongroom_plan::desired;
use strongroom_storage::finding::Finding;
use strongroom_vault_model::bootstrap::{EXECUTOR_POLICY, EXECUTOR_ROLE, forbidden_paths};
use strongroom_vault_model::path::TeamMount;

use secrecy::ExposeSecret as _;
use serde_json::Value;

use crate::error::ExecutorError;
use crate::finding::{Severity, finding};
use crate::start::Executor;

/// How often it is asked.
const EVERY: Duration = Duration::from_mins(1);
/// How long nobody may answer before somebody is told.
const PATIENCE: Duration = Duration::from_mins(3);
/// The mounts that are asked about each time; over time all of them.
const MOUNTS: usize = 20;

/// What is known of the last answers.
#[derive(Debug, Default)]
pub(crate) struct SelfCheck {
    asked: Option<Instant>,
    session: Option<Session>,
    /// Where the next mounts are taken from.
    next: usize,
    /// What was answered red: asked each time until it is green again.
    red_paths: BTreeSet<String>,
    /// Since when nobody answers.
    unanswered: Option<Instant>,
    /// The sentence of a red answer.
    pub(crate) red: Option<String>,
}

impl SelfCheck {
    /// Somebody touched what it is about.
    pub(crate) fn soon(&mut self) {
        self.asked = None;
    }
}

impl Executor {
    /// Has the auditor ask, when it is time to.
    pub(crate) async fn capabilities_look(&mut self) -> Result<(), ExecutorError> {
        if self.selfcheck.asked.is_some_and(|at| at.elapsed() < EVERY) {
            return Ok(());
        }
        self.selfcheck.asked = Some(Instant::now());
        let found = match self.capabilities_ask().await {
            Ok(found) => found,
            Err(error) => {
                self.selfcheck.session = None;
                tracing::warn!(%error, "the auditor cannot ask what the executor may do");
                let since = *self.selfcheck.unanswered.get_or_insert_with(Instant::now);
                if since.elapsed() < PATIENCE {
                    return Ok(());
                }
                let text = format!("nobody can ask what the executor may do: {error}");
                let next = "see that the AppRole strongroom-auditor is there as \
                            docs/engine-bootstrap.md says, and that its files hold its credential";
                // What was red is not green because nobody answers.
                let found = finding("auditor", "auditor", Severity::Alarm, text, next);
                return self.found(found).await;
            }
        };
        self.selfcheck.unanswered = None;
        self.resolved("auditor auditor").await?;
        self.settle("capabilities", found).await
    }

    async fn capabilities_ask(&mut self) -> Result<Vec<Finding>, ExecutorError> {
        let Some(auditor) = &self.config.engine.auditor else {
            let text = "no auditor identity is configured: nobody asks the engine what the \
                        executor may do";
            let next = "make the AppRole strongroom-auditor as docs/engine-bootstrap.md says, and \
                        name its files as engine.auditor in the executor's configuration";
            return Ok(vec![finding("capabilities", "auditor", Severity::Warning, text, next)]);
        };
        if self.selfcheck.session.is_none() {
            let role_id = file::read_secret(&auditor.role_id_file)?.expose_secret().to_owned();
            let secret_id = file::read_secret(&auditor.secret_id_file)?;
            let approle = AppRole { role_id, secret_id };
            let client = self.engine.client().clone();
            self.selfcheck.session = Some(Session::approle(client, approle));
        }
        let Some(session) = self.selfcheck.session.clone() else {
            return Ok(Vec::new());
        };
        let own = auth::own_accessor(&self.engine).await?;
        let mut paths = forbidden_paths(&self.some_mounts());
        let again = self.selfcheck.red_paths.iter().filter(|path| !paths.contains(path)).cloned();
        paths.extend(again.collect::<Vec<_>>());
        let answers = sys::capabilities_of(&session, &own, &paths).await?;
        let red: Vec<_> = answers
            .into_iter()
            .filter(|(_, words)| words.iter().any(|word| word != "deny"))
            .collect();
        self.selfcheck.red_paths = red.iter().map(|(path, _)| path.clone()).collect();
        let mut more: Vec<String> =
            red.into_iter().map(|(path, words)| format!("{path} ({})", words.join(", "))).collect();
        // A right at one path only is seen by the policies themselves.
        let policies = auth::policies_of(&session, &own).await?;
        if policies != [EXECUTOR_ROLE] {
            more.push(format!("its policies are {}", policies.join(", ")));
        }
        let path = format!("sys/policies/acl/{EXECUTOR_ROLE}");
        let policy = session.read(&path, "sys/policies/acl/{name}").await?.unwrap_or_default();
        if policy.get("policy").and_then(Value::as_str) != Some(EXECUTOR_POLICY) {
            more.push(format!("the policy {EXECUTOR_ROLE} is another than this version needs"));
        }
        if more.is_empty() {
            self.selfcheck.red = None;
            return Ok(Vec::new());
        }
        let text = format!(
            "the executor's own token may do what it must not: {}; nothing is applied",
            more.join("; ")
        );
        self.selfcheck.red = Some(text.clone());
        let next = "find out in the engine's audit log who changed the policies of the AppRole \
                    strongroom-executor, and put them back as docs/engine-bootstrap.md says";
        Ok(vec![finding("capabilities", "executor", Severity::Alarm, text, next)])
    }

    /// Some of the teams' mounts, others each time.
    fn some_mounts(&mut self) -> Vec<TeamMount> {
        let all: Vec<TeamMount> = self
            .heads
            .values()
            .filter_map(|head| head.document().ok().flatten())
            .filter_map(|document| match document {
                Document::Team(team) => Some(desired::mounts(&team)),
                _ => None,
            })
            .flatten()
            .collect();
        if all.is_empty() {
            return all;
        }
        let start = self.selfcheck.next % all.len();
        self.selfcheck.next = start + MOUNTS;
        all.iter().cycle().skip(start).take(MOUNTS.min(all.len())).cloned().collect()
    }
}
