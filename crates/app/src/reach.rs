//! Who can reach a secret, and what somebody can reach: by what is applied, and how it was last seen to
//! stand in the engine and the clusters; or at an earlier moment, by the ledger.

mod standing;

use std::sync::Arc;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use strongroom_authorization::{Resource, Verb};
use strongroom_domain::document::Document;
use strongroom_domain::id::RequestId;
use strongroom_domain::name::TeamName;
pub use strongroom_plan::reach::{Deed, Holder, Reached};
use strongroom_plan::reach::{Holding, Reach};
use strongroom_storage::finding::{FOREIGN, FindingRow};
use strongroom_storage::history::DocumentThen;
pub use strongroom_vault_model::object::Account;
pub use strongroom_vault_model::path::{SecretPath, TeamMount};
use strongroom_vault_model::policy::PolicyName;

use crate::context::Ctx;
use crate::error::AppError;
use crate::remembered::Remembered;
use standing::Standing;

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

/// The moment that is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Now.
    Now,
    /// Earlier.
    At(Timestamp),
}

impl When {
    /// While this revision of a team's document was applied: at the end of that time.
    pub async fn of_revision(ctx: &Ctx, team: &TeamName, revision: i64) -> Result<Self, AppError> {
        if !ctx.may(Some(team), Resource::TeamDocument, Verb::Read) {
            return Err(AppError::NotFound);
        }
        let (_, next) = ctx.app.store.revision_time(team.as_str(), revision).await?;
        // Just before the next one.
        Ok(next.map_or(Self::Now, |next| Self::At(next - SignedDuration::from_micros(1))))
    }

    /// One that is not before now is now.
    fn earlier(self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::At(at) if at < now => Some(at),
            Self::Now | Self::At(_) => None,
        }
    }
}

/// Who may do what with one secret. A team that one may not see is not there.
pub async fn who_can(
    ctx: &Ctx,
    mount: &TeamMount,
    secret: &SecretPath,
    when: When,
) -> Result<Answer<WhoCan>, AppError> {
    if !ctx.may(Some(&mount.team), Resource::TeamDocument, Verb::Read) {
        return Err(AppError::NotFound);
    }
    if let Some(at) = when.earlier(ctx.app.now()) {
        let team = Some(mount.team.as_str());
        let mut beside = Vec::new();
        let Some(document) = ctx.app.store.documents_then(team, at).await?.into_iter().next()
        else {
            beside.push(format!("nothing of the team {} was applied then", mount.team));
            return Ok(answer_then(Vec::new(), at, beside));
        };
        let standing = Standing::then(ctx, &document, at).await?;
        let reach = reach_then(std::slice::from_ref(&document), at);
        beside.extend(standing.misspelt(mount, secret));
        return Ok(answer_then(who(&reach, &standing, mount, secret), at, beside));
    }
    let findings = ctx.app.store.finding_list(false).await?;
    let standing = Standing::load(ctx, &mount.team, &findings).await?;
    let reach = reach(ctx).await?;
    let items = who(&reach, &standing, mount, secret);
    let mut beside: Vec<String> = standing.unknown().into_iter().collect();
    beside.extend(standing.misspelt(mount, secret));
    answer(ctx, items, &findings, beside).await
}

fn who(reach: &Reach, standing: &Standing, mount: &TeamMount, secret: &SecretPath) -> Vec<WhoCan> {
    let counts = |holder: &Holder, policy: &PolicyName| standing.one(holder, policy).counts();
    let held = reach.who_may(mount, secret, counts).into_iter();
    held.map(|Holding { holder, now, later }| {
        let reached = now.values().chain(later.values());
        let policies = reached.flat_map(|reached| reached.policies.clone()).collect();
        let through = standing.through(&holder, &policies);
        let (now, later) = (now.into_iter().collect(), later.into_iter().collect());
        WhoCan { holder, now, later, through }
    })
    .collect()
}

/// Every rule that somebody has, in the teams that one may see.
pub async fn what_can(ctx: &Ctx, holder: &Holder, when: When) -> Result<Answer<WhatCan>, AppError> {
    let earlier = when.earlier(ctx.app.now());
    let (mut findings, mut documents) = (Vec::new(), Vec::new());
    let reach = if let Some(at) = earlier {
        documents = ctx.app.store.documents_then(None, at).await?;
        Arc::new(reach_then(&documents, at))
    } else {
        findings = ctx.app.store.finding_list(false).await?;
        reach(ctx).await?
    };
    let (mut items, mut beside) = (Vec::new(), Vec::new());
    let mut last: Option<Standing> = None;
    for reached in reach.what_can(holder) {
        let team = reached.policies.first().map(|policy| policy.team().clone());
        let Some(team) = team else { continue };
        if !ctx.may(Some(&team), Resource::TeamDocument, Verb::Read) {
            continue;
        }
        if last.as_ref().is_none_or(|standing| standing.team != team) {
            let then = documents.iter().find(|document| document.team == team.as_str());
            let standing = match (earlier, then) {
                (Some(at), Some(document)) => Standing::then(ctx, document, at).await?,
                _ => Standing::load(ctx, &team, &findings).await?,
            };
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
    match earlier {
        Some(at) => Ok(answer_then(items, at, beside)),
        None => answer(ctx, items, &findings, beside).await,
    }
}

/// What documents gave on the day of a moment.
fn reach_then(documents: &[DocumentThen], at: Timestamp) -> Reach {
    let mut reach = Reach::default();
    let day = at.to_zoned(TimeZone::UTC).date();
    for document in documents {
        if let Ok(Document::Team(team)) = Document::from_canonical(&document.canonical) {
            reach.set(&team, day);
        }
    }
    reach
}

/// An answer about an earlier moment, and how far it goes.
fn answer_then<T>(items: Vec<T>, at: Timestamp, mut beside: Vec<String>) -> Answer<T> {
    beside.push(format!(
        "as it stood at {at} by the documents and events of the ledger: what somebody had changed in the \
         engine by hand, and tokens that carry other policies, are not in this answer (`strongroom get \
         findings --all` tells of changes that were found)"
    ));
    Answer { items, observed_at: None, beside }
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
