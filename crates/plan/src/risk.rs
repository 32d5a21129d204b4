//! Risk as pure code: the difference to what people last voted on, rule by rule (design section 5).

//!
//! Here is what every document has in common; the rules for a team are in `risk/team.rs`, those for
//! its bindings in `risk/access.rs`. Rows, labels and what a request says about itself are never
//! asked.

pub(crate) mod access;
mod team;

use std::collections::BTreeSet;

use strongroom_domain::document::Document;
use strongroom_domain::risk::{Risk, RiskReason};
use strongroom_vault_model::name::TeamName;
use strongroom_vault_model::object::ObjectKey;
use strongroom_vault_model::path::TeamMount;

const NARROWS: &str = "the change only takes access away from the team itself";

/// Stands alone: beside any other reason it would be untrue.
const NOBODY: &str = "the change touches no one's access";

/// Leaves out what is untrue beside other reasons.
pub(crate) fn true_together(reasons: &mut Vec<RiskReason>) {
    if reasons.len() > 1 {
        reasons.retain(|reason| reason.text != NOBODY);
    }
    if reasons.iter().any(|reason| reason.risk > Risk::Low) {
        reasons.retain(|reason| reason.text != NARROWS);
    }
}

/// Data that nothing brings back.
fn older_versions(mount: &str) -> String {
    format!("older versions in the mount {mount} are removed")
}

/// What a change is worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assessment {
    /// The highest risk of all reasons.
    pub risk: Risk,
    /// Why, highest first.
    pub reasons: Vec<RiskReason>,
    /// Whether the change only takes away what the team itself has.
    pub narrowing: bool,
    /// Teams whose accounts would reach more of this team's secrets: their owners sign too.
    pub hosts: BTreeSet<TeamName>,
}

/// Judges one document against the applied one.
pub fn assess(base: Option<&Document>, proposed: &Document, attest: &[String]) -> Assessment {
    let mut found = Judged::default();
    match (base, proposed) {
        (_, Document::Cluster(cluster)) => {
            found.add(
                Risk::Critical,
                format!(
                    "cluster {} decides which API server is believed about every login there",
                    cluster.name
                ),
            );
        }
        (_, Document::Platform(_)) => {
            found.add(Risk::Critical, "the Platform document decides who must sign what".into());
        }
        (Some(Document::Team(base)), Document::Team(team)) => {
            team::change(&mut found, base, team);
            team::attested(&mut found, team, attest);
        }
        (_, Document::Team(team)) => {
            team::first(&mut found, team);
            team::attested(&mut found, team, attest);
        }
    }
    let narrowing = !found.narrowed.is_empty() && found.reasons.is_empty();
    if narrowing {
        found.add(Risk::Low, NARROWS.into());
    } else if found.reasons.is_empty() {
        found.add(Risk::Normal, NOBODY.into());
    }
    // Whoever votes on the rest sees what goes beside it, and what that makes of its path.
    for text in std::mem::take(&mut found.narrowed) {
        found.add(Risk::Low, text);
    }
    found.reasons.sort_by(|a, b| (b.risk, &a.text).cmp(&(a.risk, &b.text)));
    found.reasons.dedup();
    let risk = found.reasons.first().map_or(Risk::Normal, |reason| reason.risk);
    Assessment { risk, reasons: found.reasons, narrowing, hosts: found.hosts }
}

impl Assessment {
    /// Adds what the change is worth since people last voted. What only takes away from the
    /// applied document stays that.
    pub fn add_up(&mut self, since_vote: Self) {
        if self.narrowing {
            return;
        }
        self.hosts.extend(since_vote.hosts);
        self.reasons.extend(since_vote.reasons);
        self.reasons.retain(|reason| reason.text != NARROWS);
        self.reasons.sort_by(|a, b| (b.risk, &a.text).cmp(&(a.risk, &b.text)));
        self.reasons.dedup();
        true_together(&mut self.reasons);
        self.risk = self.risk.max(since_vote.risk);
    }

    /// The engine holds less of an object than what is applied, and the plan would give it back:
    /// a narrowing by hand in an emergency is never undone without people who see it.
    pub fn gives_back(&mut self, key: &ObjectKey) {
        let text =
            format!("the engine holds less than what is applied for {key}; it is given back");
        self.raise(Risk::High, text);
    }

    /// A mount that was taken off is mounted again, with everything that was kept in it.
    pub(crate) fn brings_back(&mut self, mount: &TeamMount) {
        self.raise(Risk::High, format!("{mount} comes back with the data that was kept in it"));
    }

    /// The engine holds more versions than the plan keeps: those above are deleted for good.
    pub(crate) fn loses_versions(&mut self, mount: &TeamMount) {
        self.raise(Risk::Critical, older_versions(mount.mount.as_str()));
    }

    /// One more reason, which also means that the change does not merely narrow.
    pub(crate) fn raise(&mut self, risk: Risk, text: String) {
        self.narrowing = false;
        self.reasons.retain(|reason| ![NARROWS, NOBODY].contains(&reason.text.as_str()));
        self.reasons.push(RiskReason { risk, text });
        self.reasons.sort_by(|a, b| (b.risk, &a.text).cmp(&(a.risk, &b.text)));
        self.risk = self.risk.max(risk);
    }
}

/// What is found out about one document.
#[derive(Default)]
struct Judged {
    reasons: Vec<RiskReason>,
    /// What the change takes away from the team itself, one sentence each.
    narrowed: Vec<String>,
    /// Other teams whose accounts would reach more.
    hosts: BTreeSet<TeamName>,
}

impl Judged {
    fn add(&mut self, risk: Risk, text: String) {
        self.reasons.push(RiskReason { risk, text });
    }

    /// Another team's accounts would reach this team's secrets.
    fn share(&mut self, host: &TeamName, text: String) {
        self.hosts.insert(host.clone());
        self.add(Risk::Critical, text);
    }

    fn narrow(&mut self, text: String) {
        self.narrowed.push(text);
    }
}
