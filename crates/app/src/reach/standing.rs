//! How one team's bindings stand, now or at an earlier moment: the end of the chain from an account or
//! group to the request that granted it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::Value;
use strongroom_domain::document::Document;
use strongroom_domain::event::EventKind;
use strongroom_domain::id::RequestId;
use strongroom_domain::name::TeamName;
use strongroom_domain::subject::Subject;
use strongroom_plan::reach::Holder;
use strongroom_storage::finding::FindingRow;
use strongroom_storage::history::{DocumentThen, EventThen};
use strongroom_vault_model::path::{SecretPath, TeamMount};
use strongroom_vault_model::policy::PolicyName;

use super::Through;
use crate::context::Ctx;
use crate::error::AppError;
use crate::finding::Differences;

/// What tells how accounts stood.
const STANDINGS: [EventKind; 4] = [
    EventKind::AccountAttached,
    EventKind::AccountDetached,
    EventKind::BindingSuspended,
    EventKind::BindingEnded,
];

/// How one account of a binding, or its group of people, stands.
struct Row {
    binding: String,
    /// `cluster/namespace/account`; a group's name for people.
    who: String,
    state: String,
    reason: Option<String>,
    account_uid: Option<String>,
}

/// How one team's bindings stand.
pub(super) struct Standing {
    /// The team.
    pub(super) team: TeamName,
    /// Canonical.
    document: Option<Vec<u8>>,
    revision: i64,
    request: Option<RequestId>,
    /// Why the whole team stands still.
    held: Option<String>,
    rows: Vec<Row>,
    differences: Differences,
}

impl Standing {
    /// Now.
    pub(super) async fn load(
        ctx: &Ctx,
        team: &TeamName,
        findings: &[FindingRow],
    ) -> Result<Self, AppError> {
        let (store, subject) = (&ctx.app.store, Subject::Team(team.clone()));
        let state = store.subject_state_get(&subject).await?.ok_or(AppError::NotFound)?;
        let rows = store.binding_states_of(state.engine, team.as_str()).await?;
        let held = state.holds.get(format!("team/{team}")).and_then(Value::as_str);
        let rows = rows.into_iter().map(|row| Row {
            who: match row.cluster.as_str() {
                "" => row.account,
                cluster => format!("{cluster}/{}/{}", row.namespace, row.account),
            },
            binding: row.binding,
            state: row.state,
            reason: row.reason,
            account_uid: row.account_uid,
        });
        Ok(Self {
            team: team.clone(),
            document: state.applied_document,
            revision: state.applied_revision,
            request: state.request,
            held: held.map(str::to_owned),
            rows: rows.collect(),
            differences: Differences::of(findings),
        })
    }

    /// At an earlier moment, as the ledger tells it. What the engine held otherwise then is not in it.
    pub(super) async fn then(
        ctx: &Ctx,
        document: &DocumentThen,
        at: Timestamp,
    ) -> Result<Self, AppError> {
        let team = TeamName::new(&document.team).map_err(|_| AppError::corrupt("team"))?;
        let (store, subject) = (&ctx.app.store, format!("team/{team}"));
        let kinds = STANDINGS.map(EventKind::as_str);
        let told = store.events_then(&subject, &kinds, at).await?;
        let holds = [EventKind::HoldMade.as_str(), EventKind::HoldLifted.as_str()];
        let holds = store.events_then(&subject, &holds, at).await?;
        let of_team = |event: &&EventThen| text(&event.detail, "target") == Some(&subject);
        let last = holds.iter().find(of_team);
        let made = last.filter(|event| event.kind == EventKind::HoldMade.as_str());
        let held = made.map(|event| text(&event.detail, "reason").unwrap_or("held").to_owned());
        Ok(Self {
            team,
            document: Some(document.canonical.clone()),
            revision: document.revision,
            request: Some(document.request),
            held,
            rows: rows_then(&told),
            differences: Differences::of(&[]),
        })
    }

    /// What is not known of this team.
    pub(super) fn unknown(&self) -> Option<String> {
        self.document.is_none().then(|| {
            format!(
                "what is applied for the team {} is not known: its head cannot be believed now, and the \
                 engine may give more than this answer says",
                self.team
            )
        })
    }

    /// What the question gets wrong, where that can be told.
    pub(super) fn misspelt(&self, mount: &TeamMount, secret: &SecretPath) -> Option<String> {
        let Document::Team(team) = Document::from_canonical(self.document.as_deref()?).ok()? else {
            return None;
        };
        if !team.mounts.iter().any(|each| each.name == mount.mount) {
            let names: Vec<&str> = team.mounts.iter().map(|each| each.name.as_str()).collect();
            return Some(format!(
                "the team {} has no mount {}; its mounts: {}",
                self.team,
                mount.mount,
                if names.is_empty() { "none".to_owned() } else { names.join(", ") }
            ));
        }
        let first = secret.to_string();
        let first = first.split('/').next().unwrap_or_default();
        ["data", "metadata"].contains(&first).then(|| {
            format!("a secret is named without the engine's `{first}/`, as in `strongroom kv`")
        })
    }

    /// How each of these policies stands for a holder.
    pub(super) fn through(&self, holder: &Holder, policies: &BTreeSet<PolicyName>) -> Vec<Through> {
        policies.iter().map(|policy| self.one(holder, policy)).collect()
    }

    /// How one policy stands for a holder.
    pub(super) fn one(&self, holder: &Holder, policy: &PolicyName) -> Through {
        let account = match holder {
            Holder::Account(account) => Some(account.to_string()),
            Holder::Group(_) => None,
        };
        let row = self.rows.iter().find(|row| {
            let binding =
                matches!(policy, PolicyName::Binding(_, name) if name.as_str() == row.binding);
            binding && account.as_ref().is_none_or(|account| row.who == *account)
        });
        let (state, reason) = match (&self.held, row, holder) {
            (Some(why), ..) => ("suspended".to_owned(), Some(why.clone())),
            (None, Some(row), _) => (row.state.clone(), row.reason.clone()),
            // Nobody is attached one by one: the provider says who is in the group.
            (None, None, Holder::Group(_)) => ("attached".to_owned(), None),
            (None, None, Holder::Account(_)) => {
                ("waiting".to_owned(), Some("the executor has not looked yet".to_owned()))
            }
        };
        let objects = [format!("policy {policy}"), format!("group {policy}")];
        Through {
            policy: policy.clone(),
            state,
            reason: reason.filter(|text| !text.is_empty()),
            account_uid: row.and_then(|row| row.account_uid.clone()),
            revision: self.revision,
            request: self.request,
            differs: self.differences.about(&objects),
        }
    }
}

fn text<'d>(detail: &'d Value, name: &str) -> Option<&'d str> {
    detail.get(name).and_then(Value::as_str)
}

/// Of each account of each binding the newest event.
fn rows_then(newest_first: &[EventThen]) -> Vec<Row> {
    let mut rows: BTreeMap<(String, String), Row> = BTreeMap::new();
    for event in newest_first {
        let (Some(binding), Some(who)) =
            (text(&event.detail, "binding"), text(&event.detail, "account"))
        else {
            continue;
        };
        let state = match event.kind.as_str() {
            kind if kind == EventKind::AccountAttached.as_str() => "attached",
            kind if kind == EventKind::BindingSuspended.as_str() => "suspended",
            kind if kind == EventKind::BindingEnded.as_str() => "ended",
            _ => "waiting",
        };
        let reason = text(&event.detail, "reason").map(str::to_owned);
        let uid = text(&event.detail, "accountUid").map(str::to_owned);
        let row = || Row {
            binding: binding.to_owned(),
            who: who.to_owned(),
            state: state.to_owned(),
            reason,
            account_uid: uid,
        };
        rows.entry((binding.to_owned(), who.to_owned())).or_insert_with(row);
    }
    rows.into_values().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_newest_event_of_each_account_says_how_it_stood() {
        let event = |kind: EventKind, detail: Value| EventThen {
            kind: kind.as_str().to_owned(),
            at: Timestamp::UNIX_EPOCH,
            detail,
        };
        let told = [
            event(
                EventKind::BindingSuspended,
                json!({ "binding": "api", "account": "c/n/api",
                "reason": "INC-1", "accountUid": "u-2" }),
            ),
            event(
                EventKind::AccountAttached,
                json!({ "binding": "api", "account": "c/n/api",
                "accountUid": "u-2" }),
            ),
            event(
                EventKind::AccountAttached,
                json!({ "binding": "api", "account": "c/n/job",
                "accountUid": "u-1", "reason": null }),
            ),
            event(EventKind::AccountDetached, json!({ "binding": "old", "account": "c/n/api" })),
            event(EventKind::BindingEnded, json!({ "nothing": "readable" })),
        ];
        let rows = rows_then(&told);
        let shown: Vec<String> = rows
            .iter()
            .map(|row| {
                let (reason, uid) = (row.reason.as_deref(), row.account_uid.as_deref());
                format!("{} {} {} {reason:?} {uid:?}", row.binding, row.who, row.state)
            })
            .collect();
        let expected = [
            "api c/n/api suspended Some(\"INC-1\") Some(\"u-2\")",
            "api c/n/job attached None Some(\"u-1\")",
            "old c/n/api waiting None None",
        ];
        assert_eq!(shown, expected);
    }
}
