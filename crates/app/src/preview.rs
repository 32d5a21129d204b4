//! What documents would change: the same plan as the executor's, made from what is stored.
//!
//! A preview binds nobody and decides nothing. The executor plans again from what it observes
//! itself, under a floor that this process does not know; the default floor stands in for it.

mod observed;
mod refusal;
mod sharing;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;
use strongroom_domain::Digest;
use strongroom_domain::document::team::Holder;
use strongroom_domain::document::{Cluster, Document};
use strongroom_domain::hold::Target;
use strongroom_domain::name::{ClusterName, GroupName};
use strongroom_domain::risk::{Risk, RiskReason};
use strongroom_domain::subject::Subject;
use strongroom_plan::stages::{FloorVotes, Submitter};
use strongroom_plan::{Change, Context, Holds};
use strongroom_storage::finding::{DRIFT, Finding, FindingRow, NAMESPACE};
use strongroom_storage::state::SubjectState;
use strongroom_vault_model::object::Fields;
use strongroom_vault_model::policy::{Mark, PolicyName};

pub use strongroom_plan::model::Step;

use crate::claim::{Placed, foreign_claims};
use crate::context::{Ctx, sees};
use crate::ends::over;
use crate::error::{AppError, FieldFault};
use crate::request::{RequestSummary, requests_beside};
use crate::signers::{Signers, signers};
use crate::submit::{MAX_DOCUMENTS, applied_platform, attested, lifted, may_propose};
use crate::trust::trust;
use observed::Clusters;
pub(crate) use observed::seen;

/// What the floor demands when nothing else is written in it.
const DEFAULT_FLOOR: FloorVotes = FloorVotes { high_platform: 1, critical_people: 2 };

/// The default floor's ceiling for workload tokens, seconds.
const DEFAULT_TOKEN_TTL: u32 = 86_400;

/// What documents would change.
#[derive(Debug, Clone)]
pub struct Preview {
    /// In the order in which they were sent.
    pub documents: Vec<PreviewDocument>,
    /// Whether nothing would change.
    pub unchanged: bool,
    /// Engine writes.
    pub steps: Vec<Step>,
    /// How much can go wrong.
    pub risk: Risk,
    /// Why.
    pub reasons: Vec<RiskReason>,
    /// Who must sign, and who of them has ever signed in.
    pub stages: Vec<Signers>,
    /// In plain words.
    pub summary: Vec<String>,
    /// What of it stands still, and goes on doing so.
    pub holds: Vec<Hold>,
    /// Service accounts as the cluster last reported them.
    pub accounts: Vec<PreviewAccount>,
    /// When the executor last knew what is in the engine; `None` when it never did.
    pub observed_at: Option<Timestamp>,
    /// Requests over the same subjects that are not decided yet.
    pub beside: Vec<RequestSummary>,
}

/// One document of a preview.
#[derive(Debug, Clone)]
pub struct PreviewDocument {
    /// What it is about.
    pub subject: Subject,
    /// The applied revision; 0 for none.
    pub base_revision: i64,
    /// The hash of the applied document.
    pub base_hash: Option<Digest>,
    /// The document in its normal form.
    pub document: Value,
    /// Whether it differs from what is applied.
    pub changed: bool,
    /// Which side manages the subject.
    pub managed_by: Option<String>,
}

/// Something that stands still whatever is applied, until a request lifts it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// What.
    pub target: Target,
    /// Why.
    pub reason: String,
    /// Whether nothing about the subject can be proposed without lifting it.
    pub blocks: bool,
}

/// One service account of a preview.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PreviewAccount {
    /// The cluster.
    pub cluster: String,
    /// The namespace.
    pub namespace: String,
    /// The account.
    pub account: String,
    /// The namespace's UID.
    pub namespace_uid: Option<String>,
    /// The account's UID.
    pub uid: Option<String>,
}

/// Makes the plan that these documents would give now, or tells every fault at once.
pub async fn preview_make(
    ctx: &Ctx,
    sent: &[Value],
    attest: &[String],
    lift: &[Target],
) -> Result<Preview, AppError> {
    let documents = decode(sent)?;
    may_propose(ctx, documents.iter().map(Document::subject))?;
    let applied = load(ctx, &documents).await?;
    let placed: Vec<Placed<'_>> = documents
        .iter()
        .enumerate()
        .map(|(number, document)| (format!("/documents/{number}"), document))
        .collect();
    let visibility = ctx.visibility();
    let mut faults = foreign_claims(ctx, &visibility, &placed).await?;
    faults.extend(over(ctx, &placed).await?);
    for ((base, document), state) in placed.iter().zip(&applied) {
        if state.is_some() && !sees(&visibility, &document.subject()) {
            let place = format!("{base}/metadata/name");
            faults
                .push(FieldFault::new(place, "this name is taken by a team you do not belong to"));
        }
    }
    faults.extend(attested("/attest", attest, &documents));
    faults.extend(lifted("/lift", lift, documents.iter().map(Document::subject)));
    if !faults.is_empty() {
        return Err(AppError::Invalid(faults));
    }

    let changes = changes(&documents, &applied)?;
    // What the executor last saw: the engine may hold something else than what is applied.
    let findings = ctx.app.store.finding_list(false).await?;
    let context = context(ctx, &documents, &changes, lift, &findings).await?;
    let clusters = Clusters::load(ctx, &changes).await?;
    let live = clusters.live_namespaces(&changes);
    let observed = observed::observe(ctx, &context, &changes, &live, &findings).await?;
    let submitter = match ctx.machine() {
        Some(_) => Submitter::Machine,
        None => Submitter::Person(&ctx.person.groups),
    };
    let draft = strongroom_plan::build(&context, &changes, &observed, &live, attest, submitter)
        .map_err(|refusals| AppError::Invalid(refusal::faults(&refusals, &placed)))?;

    let stages = signers(ctx, draft.stages, &ctx.person.id).await?;
    let told = told(ctx, &documents, &applied).await?;
    let mut summary = draft.summary;
    summary.extend(clusters.unknown().iter().map(|(cluster, why)| {
        format!("what is in the cluster {cluster} is not known now ({why})")
    }));
    let concerned = findings.iter().map(|row| &row.finding).filter(|finding| {
        documents.iter().any(|d| finding.subject == Some(d.subject().to_string()))
    });
    let drifted: Vec<String> = concerned
        .clone()
        .filter(|finding| finding.kind == DRIFT)
        .map(|finding| format!("{}; the plan brings back what is applied", finding.text))
        .collect();
    let elsewhere = concerned.filter(|finding| finding.kind == NAMESPACE);
    summary.extend(elsewhere.map(|finding| finding.text.clone()));
    let differs = !drifted.is_empty();
    summary.extend(drifted);
    let (observed_at, nobody) = seen(ctx).await?;
    summary.extend(nobody);
    Ok(Preview {
        unchanged: draft.steps.is_empty()
            && !differs
            && context.taken_out.is_empty()
            && told.iter().all(|each| !each.changed),
        documents: told,
        steps: sharing::shown(draft.steps, &documents, &visibility),
        risk: draft.risk,
        reasons: draft.reasons,
        stages,
        summary,
        holds: standing_still(&context.holds, &documents),
        accounts: accounts(&documents, &clusters),
        observed_at,
        beside: requests_beside(ctx, documents.iter().map(Document::subject)).await?,
    })
}

/// The fields in which a step differs: name, before, after.
pub fn step_changes(step: &Step) -> Vec<(String, Option<Value>, Option<Value>)> {
    let field = |fields: &Option<Fields>, name: &String| {
        fields.as_ref().and_then(|fields| fields.get(name).cloned())
    };
    let sides = [&step.before, &step.after];
    let names: BTreeSet<&String> =
        sides.into_iter().flatten().flat_map(|fields| fields.keys()).collect();
    let changes = names
        .into_iter()
        .map(|name| (name.clone(), field(&step.before, name), field(&step.after, name)));
    changes.filter(|(_, before, after)| before != after).collect()
}

fn decode(sent: &[Value]) -> Result<Vec<Document>, AppError> {
    if !(1..=MAX_DOCUMENTS).contains(&sent.len()) {
        return Err(AppError::invalid("/documents", "a request has 1 to 20 documents"));
    }
    let (mut documents, mut faults) = (Vec::new(), Vec::new());
    let mut subjects = BTreeSet::new();
    for (number, value) in sent.iter().enumerate() {
        let base = format!("/documents/{number}");
        match Document::from_value(value) {
            Ok(document) => {
                if !subjects.insert(document.subject()) {
                    let message = format!("{} stands here twice", document.subject());
                    faults.push(FieldFault::new(&base, message));
                }
                documents.push(document);
            }
            Err(more) => faults.extend(more.into_iter().map(|f| FieldFault::of_document(&base, f))),
        }
    }
    if faults.is_empty() { Ok(documents) } else { Err(AppError::Invalid(faults)) }
}

async fn load(ctx: &Ctx, documents: &[Document]) -> Result<Vec<Option<SubjectState>>, AppError> {
    let mut states = Vec::new();
    for document in documents {
        let state = ctx.app.store.subject_state_get(&document.subject()).await?;
        states.push(state.filter(|state| state.applied_revision > 0));
    }
    Ok(states)
}

fn changes(
    documents: &[Document],
    states: &[Option<SubjectState>],
) -> Result<Vec<Change>, AppError> {
    let change = |(document, state): (&Document, &Option<SubjectState>)| {
        let (base, base_pins) = match state {
            Some(state) => (
                state.applied_document.as_deref().map(stored_document).transpose()?,
                serde_json::from_value(state.pins.clone()).map_err(|_| AppError::corrupt("pin"))?,
            ),
            None => (None, BTreeMap::new()),
        };
        Ok(Change { base, proposed: document.clone(), base_pins })
    };
    documents.iter().zip(states).map(change).collect()
}

fn stored_document(bytes: &[u8]) -> Result<Document, AppError> {
    Document::from_canonical(bytes).map_err(|_| AppError::corrupt("applied document"))
}

async fn context(
    ctx: &Ctx,
    documents: &[Document],
    changes: &[Change],
    lift: &[Target],
    findings: &[FindingRow],
) -> Result<Context, AppError> {
    let mut clusters: BTreeMap<ClusterName, Cluster> = BTreeMap::new();
    let applied = ctx.app.store.subject_state_list("cluster").await?;
    let applied: Result<Vec<Document>, AppError> = applied
        .iter()
        .filter_map(|state| state.applied_document.as_deref())
        .map(stored_document)
        .collect();
    for document in applied?.into_iter().chain(documents.iter().cloned()) {
        if let Document::Cluster(cluster) = document {
            clusters.insert(cluster.name.clone(), *cluster);
        }
    }
    let groups = &ctx.app.rules.platform_groups;
    Ok(Context {
        mark: Mark::new(trust(&ctx.app).await?.deployment.as_uuid()),
        platform: applied_platform(ctx).await?,
        platform_groups: groups.iter().filter_map(|group| GroupName::new(group).ok()).collect(),
        floor_votes: DEFAULT_FLOOR,
        floor_token_ttl: DEFAULT_TOKEN_TTL,
        today: ctx.app.now().to_zoned(TimeZone::UTC).date(),
        policies_expire: true,
        clusters,
        holds: Holds { lift: lift.iter().cloned().collect(), ..holds_now(ctx).await? },
        sharing: sharing::load(ctx, changes).await?,
        taken_out: taken_out(findings, changes),
    })
}

/// Groups of the changed teams that a hand took members out of.
fn taken_out(findings: &[FindingRow], changes: &[Change]) -> BTreeSet<PolicyName> {
    let concerned = |finding: &&Finding| {
        finding.subject.as_ref().is_some_and(|subject| {
            changes.iter().any(|change| change.proposed.subject().to_string() == *subject)
        })
    };
    let found = findings.iter().map(|row| &row.finding);
    found.filter(concerned).filter_map(Finding::taken_out).collect()
}

/// What stands still, as last published by the executor.
pub(crate) async fn holds_now(ctx: &Ctx) -> Result<Holds, AppError> {
    let mut holds = Holds::default();
    for state in ctx.app.store.subject_states_standing_still().await? {
        let held = serde_json::from_value::<BTreeMap<Target, String>>(state.holds);
        holds.now.extend(held.map_err(|_| AppError::corrupt("holds"))?);
        if state.state == "frozen" {
            holds.differing.insert(state.subject, state.reason.unwrap_or_default());
        }
    }
    Ok(holds)
}

/// What of these documents stands still and is not lifted with them: their own, the clusters of
/// their bindings, and the whole deployment.
fn standing_still(holds: &Holds, documents: &[Document]) -> Vec<Hold> {
    let concerns = |target: &Target| match target {
        Target::Platform => true,
        Target::Cluster(cluster) => documents.iter().any(|document| {
            match document {
            Document::Team(team) => team.bindings.iter().any(|binding| {
                matches!(&binding.holder, Holder::Accounts { cluster: of, .. } if of == cluster)
            }),
            Document::Cluster(each) => each.name == *cluster,
            Document::Platform(_) => false,
        }
        }),
        Target::Team(_) | Target::Binding(..) => {
            documents.iter().any(|document| document.subject() == target.subject())
        }
    };
    let held = holds.now.iter().map(|(target, reason)| (target.clone(), reason, false));
    let differing = holds.differing.iter();
    let differing =
        differing.map(|(subject, reason)| (Target::from(subject.clone()), reason, true));
    held.chain(differing)
        .filter(|(target, ..)| concerns(target) && !holds.lift.contains(target))
        .map(|(target, reason, blocks)| Hold { target, reason: reason.clone(), blocks })
        .collect()
}

async fn told(
    ctx: &Ctx,
    documents: &[Document],
    states: &[Option<SubjectState>],
) -> Result<Vec<PreviewDocument>, AppError> {
    let mut told = Vec::new();
    for (document, state) in documents.iter().zip(states) {
        let subject = document.subject();
        let hash = state.as_ref().and_then(|state| state.applied_hash.clone());
        let base_hash = match hash {
            None => None,
            Some(hash) => {
                let hash: [u8; 32] = hash.try_into().map_err(|_| AppError::corrupt("hash"))?;
                Some(Digest::from_bytes(hash))
            }
        };
        told.push(PreviewDocument {
            base_revision: state.as_ref().map_or(0, |state| state.applied_revision),
            base_hash,
            document: document.to_value(),
            changed: base_hash != Some(document.digest()),
            managed_by: ctx.app.store.subject_managed_by(&subject).await?,
            subject,
        });
    }
    Ok(told)
}

fn accounts(documents: &[Document], clusters: &Clusters) -> Vec<PreviewAccount> {
    let mut accounts = BTreeSet::new();
    for document in documents {
        let Document::Team(team) = document else {
            continue;
        };
        for binding in &team.bindings {
            let Holder::Accounts { cluster, namespace, accounts: names, .. } = &binding.holder
            else {
                continue;
            };
            for account in names {
                accounts.insert(PreviewAccount {
                    cluster: cluster.to_string(),
                    namespace: namespace.to_string(),
                    account: account.to_string(),
                    namespace_uid: clusters.namespace(cluster, namespace.as_str()),
                    uid: clusters.account(cluster, namespace.as_str(), account.as_str()),
                });
            }
        }
    }
    accounts.into_iter().collect()
}
