//! Who can reach a secret, and what somebody can reach: by what is applied, and how it was last seen to
//! stand in the engine and the clusters.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use strongroom_authorization::{Resource, Verb};
use strongroom_domain::document::Document;
use strongroom_domain::id::RequestId;
use strongroom_domain::name::TeamName;
use strongroom_domain::subject::Subject;
pub use strongroom_plan::reach::{Deed, Holder, Reached};
use strongroom_plan::reach::{Holding, Reach};
use strongroom_storage::finding::{FOREIGN, FindingRow};
use strongroom_storage::state::{BindingState, SubjectState};
pub use strongroom_vault_model::object::Account;
pub use strongroom_vault_model::path::{SecretPath, TeamMount};
use strongroom_vault_model::policy::PolicyName;

use crate::context::Ctx;
use crate::error::AppError;
use crate::finding::Differences;
use crate::remembered::Remembered;

/// What is remembered: by the version of the applied documents, and the day on which bindings end.
#[derive(Debug, Default)]
pub struct ReachCache(Remembered<(i64, Date), Reach>);

/// An answer, and how far it goes.
#[derive(Debug, Clone)]
pub struct Answer<T> {
    /// Who, or what.
    pub items: Vec<T>,
    /// When the executor last knew what is in the engine.
    pub observed_at: Option<Timestamp>,
    /// What is not in the answer, in words.
    pub beside: Vec<String>,
}

/// Somebody who may do something with a secret.
#[derive(Debug, Clone)]
pub struct WhoCan {
    /// Who.
    pub holder: Holder,
    /// What, each with the rule that decides, by the policies that count now.
    pub now: Vec<(Deed, Reached)>,
    /// What else, once all of them count.
    pub later: Vec<(Deed, Reached)>,
    /// How each of the policies stands for this holder.
    pub through: Vec<Through>,
}

/// A rule that a holder has.
#[derive(Debug, Clone)]
pub struct WhatCan {
    /// The rule, what it allows, and the policies it stands in.
    pub reached: Reached,
    /// How each of the policies stands for this holder.
    pub through: Vec<Through>,
}

/// How a policy stands for a holder: the end of the chain from the account or group to the request
/// that granted it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Through {
    /// The policy; the group that carries it has the same name.
    pub policy: PolicyName,
    /// `attached` where it counts now; else why it does not: `waiting`, `suspended`, `ended`.
    pub state: String,
    /// Why.
    pub reason: Option<String>,
    /// The account's UID, which the entity is bound to.
    pub account_uid: Option<String>,
    /// The applied revision of the team's document.
    pub revision: i64,
    /// The request that brought it.
    pub request: Option<RequestId>,
    /// What was found otherwise in the engine.
    pub differs: Vec<String>,
}

impl Through {
    /// Whether it counts now.
    fn counts(&self) -> bool {
        self.state == "attached"
    }
}

/// Who may do what with one secret. A team that one may not see is not there.
pub async fn who_can(
    ctx: &Ctx,
    mount: &TeamMount,
    secret: &SecretPath,
) -> Result<Answer<WhoCan>, AppError> {
    if !ctx.may(Some(&mount.team), Resource::TeamDocument, Verb::Read) {
        return Err(AppError::NotFound);
    }
    let findings = ctx.app.store.finding_list(false).await?;
    let standing = Standing::load(ctx, &mount.team, &findings).await?;
    let reach = reach(ctx).await?;
    let counts = |holder: &Holder, policy: &PolicyName| standing.one(holder, policy).counts();
    let mut items = Vec::new();
    for Holding { holder, now, later } in reach.who_may(mount, secret, counts) {
        let reached = now.values().chain(later.values());
        let policies = reached.flat_map(|reached| reached.policies.clone()).collect();
        let through = standing.through(&holder, &policies);
        let (now, later) = (now.into_iter().collect(), later.into_iter().collect());
        items.push(WhoCan { holder, now, later, through });
    }
    let mut beside: Vec<String> = standing.unknown().into_iter().collect();
    beside.extend(standing.misspelt(mount, secret));
    answer(ctx, items, &findings, beside).await
}

/// Every rule that somebody has, in the teams that one may see.
pub async fn what_can(ctx: &Ctx, holder: &Holder) -> Result<Answer<WhatCan>, AppError> {
    let findings = ctx.app.store.finding_list(false).await?;
    let reach = reach(ctx).await?;
    let (mut items, mut beside) = (Vec::new(), Vec::new());
    let mut last: Option<Standing> = None;
    for reached in reach.what_can(holder) {
        let team = reached.policies.first().map(|policy| policy.team().clone());
        let Some(team) = team else { continue };
        if !ctx.may(Some(&team), Resource::TeamDocument, Verb::Read) {
            continue;
        }
        if last.as_ref().is_none_or(|standing| standing.team != team) {
            let standing = Standing::load(ctx, &team, &findings).await?;
            beside.extend(standing.unknown());
            last = Some(standing);
        }
        let through = last.as_ref().map(|standing| standing.through(holder, &reached.policies));
        items.push(WhatCan { through: through.unwrap_or_default(), reached });
    }
    if !ctx.may(None, Resource::TeamDocument, Verb::Read) {
        // Said always, so that it tells nothing of what is there.
        beside.push("teams that you may not see are not in this answer".to_owned());
    }
    if items.is_empty() {
        beside.push("check the spelling: nothing is refused that no document names".to_owned());
    }
    answer(ctx, items, &findings, beside).await
}

async fn answer<T>(
    ctx: &Ctx,
    items: Vec<T>,
    findings: &[FindingRow],
    mut beside: Vec<String>,
) -> Result<Answer<T>, AppError> {
    let (observed_at, nobody) = crate::preview::seen(ctx).await?;
    beside.push(
        "tokens that carry other policies than these, such as root tokens and those of auth mounts \
         that Strongroom does not manage, are not in this answer"
            .to_owned(),
    );
    let foreign = findings.iter().filter(|row| row.finding.kind == FOREIGN).count();
    if foreign > 0 {
        beside.push(format!(
            "{foreign} objects in the engine are not Strongroom's; `strongroom get findings foreign` \
             lists them for the platform and auditors"
        ));
    }
    beside.extend(nobody);
    Ok(Answer { items, observed_at, beside })
}

/// The index of what applied documents give today.
async fn reach(ctx: &Ctx) -> Result<Arc<Reach>, AppError> {
    let store = &ctx.app.store;
    let today = ctx.app.now().to_zoned(TimeZone::UTC).date();
    let key = store.access_version().await?.map(|version| (version, today));
    if let Some(reach) = ctx.app.reach.0.of(key.as_ref()) {
        return Ok(reach);
    }
    let mut reach = Reach::default();
    for state in store.subject_state_list("team").await? {
        let document = state.applied_document.as_deref().map(Document::from_canonical);
        if let Some(Ok(Document::Team(team))) = document {
            reach.set(&team, today);
        }
    }
    Ok(ctx.app.reach.0.keep(key, reach))
}

/// How one team's bindings stand.
struct Standing {
    team: TeamName,
    state: SubjectState,
    rows: Vec<BindingState>,
    differences: Differences,
}

impl Standing {
    async fn load(ctx: &Ctx, team: &TeamName, findings: &[FindingRow]) -> Result<Self, AppError> {
        let (store, subject) = (&ctx.app.store, Subject::Team(team.clone()));
        let state = store.subject_state_get(&subject).await?.ok_or(AppError::NotFound)?;
        let rows = store.binding_states_of(state.engine, team.as_str()).await?;
        let differences = Differences::of(findings);
        Ok(Self { team: team.clone(), state, rows, differences })
    }

    /// What is not known of this team.
    fn unknown(&self) -> Option<String> {
        self.state.applied_document.is_none().then(|| {
            format!(
                "what is applied for the team {} is not known: its head cannot be believed now, and the \
                 engine may give more than this answer says",
                self.team
            )
        })
    }

    /// What the question gets wrong, where that can be told.
    fn misspelt(&self, mount: &TeamMount, secret: &SecretPath) -> Option<String> {
        let document = Document::from_canonical(self.state.applied_document.as_deref()?).ok()?;
        let Document::Team(team) = document else { return None };
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

    fn through(&self, holder: &Holder, policies: &BTreeSet<PolicyName>) -> Vec<Through> {
        policies.iter().map(|policy| self.one(holder, policy)).collect()
    }

    fn one(&self, holder: &Holder, policy: &PolicyName) -> Through {
        let row = self.rows.iter().find(|row| {
            let binding =
                matches!(policy, PolicyName::Binding(_, name) if name.as_str() == row.binding);
            let same = match holder {
                Holder::Group(_) => true,
                Holder::Account(account) => {
                    (row.cluster.as_str(), row.namespace.as_str(), row.account.as_str())
                        == (
                            account.cluster.as_str(),
                            account.namespace.as_str(),
                            account.account.as_str(),
                        )
                }
            };
            binding && same
        });
        let held = self.state.holds.get(format!("team/{}", self.team)).and_then(|why| why.as_str());
        let (state, reason) = match (held, row, holder) {
            (Some(why), ..) => ("suspended".to_owned(), Some(why.to_owned())),
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
            revision: self.state.applied_revision,
            request: self.state.request,
            differs: self.differences.about(&objects),
        }
    }
}
