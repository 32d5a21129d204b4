//! Puts a plan together: pins, steps, risk, stages, standing orders.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use serde::Serialize;
use strongroom_domain::Digest;
use strongroom_domain::document::team::Holder;
use strongroom_domain::document::{Cluster, Document, Platform, Team};
use strongroom_domain::hold::Target;
use strongroom_domain::request::Stage;
use strongroom_domain::risk::{Risk, RiskReason};
use strongroom_domain::subject::Subject;
use strongroom_vault_model::name::{ClusterName, GroupName, TeamName};
use strongroom_vault_model::object::{AnchorName, ObjectKey};
use strongroom_vault_model::policy::{Mark, PolicyError, PolicyName};

use crate::desired::{Objects, desired, has_ended};
use crate::follow;
use crate::holds::Holds;
use crate::model::{RENDERER, Step};
use crate::pins;
use crate::regain::{regained, returning, shortened};
use crate::risk::{Assessment, assess, true_together};
use crate::sharing::{Sharing, host_roles, shared};
use crate::size::too_large;
use crate::stages::{FloorVotes, Submitter, stages, unfillable};
use crate::steps::{Observed, steps};
use crate::summary;

/// What a plan depends on besides the documents it changes.
#[derive(Debug, Clone)]
pub struct Context {
    /// This deployment's ownership mark.
    pub mark: Mark,
    /// The rules in force.
    pub platform: Platform,
    /// The platform groups of the floor file.
    pub platform_groups: BTreeSet<GroupName>,
    /// What the floor never waives.
    pub floor_votes: FloorVotes,
    /// The floor's ceiling for workload tokens, seconds.
    pub floor_token_ttl: u32,
    /// Today (UTC); bindings whose last day is over are not rendered.
    pub today: Date,
    /// Whether the engine ends policies by itself.
    pub policies_expire: bool,
    /// The applied clusters, and those this request brings.
    pub clusters: BTreeMap<ClusterName, Cluster>,
    /// What stands still, and what of it the request lifts.
    pub holds: Holds,
    /// What other teams have to do with it.
    pub sharing: Sharing,
    /// Groups that a hand took members out of: a change of their team brings them back.
    pub taken_out: BTreeSet<PolicyName>,
}

impl Context {
    /// The longest life of a workload's token, seconds.
    pub fn token_ttl_ceiling(&self) -> u32 {
        self.platform.token_ttl_ceiling.get().min(self.floor_token_ttl)
    }

    /// The hash of the rules that give risk and stages.
    pub fn rules_digest(&self) -> Digest {
        #[derive(Serialize)]
        struct Rules<'a> {
            platform: serde_json::Value,
            platform_groups: &'a BTreeSet<GroupName>,
            high_platform: u32,
            critical_people: u32,
            floor_token_ttl: u32,
            renderer: u32,
        }
        let rules = Rules {
            platform: Document::Platform(Box::new(self.platform.clone())).to_value(),
            platform_groups: &self.platform_groups,
            high_platform: self.floor_votes.high_platform,
            critical_people: self.floor_votes.critical_people,
            floor_token_ttl: self.floor_token_ttl,
            renderer: RENDERER,
        };
        let bytes = strongroom_domain::canonical::to_bytes(&rules)
            .expect("rules hold only text, integers and lists");
        Digest::labelled("strongroom/rules/1", &bytes)
    }
}

/// One document that is to replace the applied one.
#[derive(Debug, Clone)]
pub struct Change {
    /// What is applied.
    pub base: Option<Document>,
    /// What is proposed.
    pub proposed: Document,
    /// Namespace UIDs that the applied plan pinned.
    pub base_pins: BTreeMap<String, String>,
}

/// Why no plan can be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The object was not read, so nothing may follow from it.
    #[error("{0} could not be read")]
    Unknown(ObjectKey),
    /// Something that is not ours stands where the plan would write.
    #[error("{0} exists and is not Strongroom's; it is left alone")]
    Foreign(ObjectKey),
    /// What stands there is of another type and cannot be changed into ours.
    #[error("{0} exists with another type")]
    OtherType(ObjectKey),
    /// The engine would refuse it in the middle of the plan.
    #[error("{0} would be larger than the engine takes in one request (some 900 names): {1}")]
    TooLarge(ObjectKey, &'static str),
    /// The cluster did not tell about a namespace, so neither a grant nor a removal may follow.
    #[error("the namespace {0} could not be read from its cluster")]
    UnknownNamespace(String),
    /// Two teams of one request claim the same namespace.
    #[error("the namespace {0} is claimed by more than one team of this request")]
    ClaimedTwice(String),
    /// A new team asks for a name that the Platform document reserves.
    #[error("the team name {0} is reserved by the Platform document")]
    ReservedName(TeamName),
    /// Two documents of one request are about the same subject.
    #[error("more than one document of this request is about {0}")]
    SubjectTwice(Subject),
    /// A namespace that the document claims has no UID to pin.
    #[error(
        "the namespace {0} does not exist (or is being deleted; one that was just made is seen within seconds)"
    )]
    NoNamespace(String),
    /// A binding names a namespace as another team's that is not that team's.
    #[error("the team {1} does not claim the namespace {0}")]
    NotTheirs(String, TeamName),
    /// A namespace of another team is not the one that this team trusts.
    #[error("the namespace {0} was made anew; its own team {1} trusts it again first")]
    NotTrustedThere(String, TeamName),
    /// A namespace of another team was made anew, and only that team has trusted it again.
    #[error(
        "the namespace {0} was made anew since this team trusted it: trust it again with \
         --reattest {0}"
    )]
    Anew(String),
    /// A claim is given up that other teams' bindings rest on.
    #[error(
        "the namespace {0} is shared with the team {1}: its bindings there go first, or in the same request"
    )]
    StillShared(String, TeamName),
    /// A cluster that the document names is not applied.
    #[error("the cluster {0} is not known; its Cluster document comes first")]
    NoCluster(ClusterName),
    /// A token would live longer than the ceiling.
    #[error("tokens of {0} would live longer than the ceiling of {1} seconds")]
    TokenTtl(String, u32),
    /// A namespace to attest is not claimed in the document.
    #[error("the namespace {0} to be trusted again is not claimed by a document of this request")]
    NotClaimed(String),
    /// A hold is to be lifted that no document of the request belongs to.
    #[error("{0} can only be lifted by a request with the document of {subject}", subject = .0.subject())]
    LiftElsewhere(Target),
    /// What is to be lifted is not held.
    #[error("{0} is not held; there is nothing to lift")]
    NotHeld(Target),
    /// A document tries to be about another subject than it replaces.
    #[error("the proposed document is not about {0}")]
    OtherSubject(Subject),
    /// Nobody could ever sign: the rules for one stage have no group in common.
    #[error("nobody could ever sign for {0:?}: no group votes in it; ask the platform team")]
    NobodyCanFill(String),
    /// The policy text does not come back as it was meant.
    #[error("render a policy: {0}")]
    Policy(String),
}

impl From<PolicyError> for Refusal {
    fn from(error: PolicyError) -> Self {
        Self::Policy(error.to_string())
    }
}

/// What comes out.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// Every write, in order.
    pub steps: Vec<Step>,
    /// How much can go wrong.
    pub risk: Risk,
    /// Why.
    pub reasons: Vec<RiskReason>,
    /// Who must sign.
    pub stages: Vec<Stage>,
    /// Namespace UIDs that the plan trusts.
    pub pins: BTreeMap<String, String>,
    /// What the executor may do later under the plan.
    pub standing_orders: Vec<String>,
    /// In plain words.
    pub summary: Vec<String>,
}

/// Namespace UIDs as the clusters report them now. A namespace that was not asked for is unknown.
pub type LiveNamespaces = BTreeMap<String, Option<String>>;

/// Every object that must be observed before [`build`] can say anything.
pub fn keys(context: &Context, changes: &[Change]) -> Result<BTreeSet<ObjectKey>, Refusal> {
    let none = BTreeSet::new();
    let after = context.after(changes);
    let mut keys = BTreeSet::new();
    keys.extend(host_roles(context, changes).into_keys());
    keys.extend(host_roles(&after, changes).into_keys());
    for change in changes {
        keys.extend(desired(&after, &change.proposed, &none)?.into_keys());
        if let Some(base) = &change.base {
            keys.extend(render_base(context, base)?.into_keys());
        }
    }
    Ok(keys)
}

/// Every namespace that the proposed documents claim, as `cluster/namespace`.
pub fn claimed_namespaces(changes: &[Change]) -> BTreeSet<String> {
    proposed_teams(changes).flat_map(claims).collect()
}

/// Every namespace that the proposed documents claim, or use as another team's.
pub fn named_namespaces(changes: &[Change]) -> BTreeSet<String> {
    proposed_teams(changes).flat_map(places).collect()
}

/// Every namespace that one team's document names: its claims, and other teams' that it uses.
pub fn places(team: &Team) -> impl Iterator<Item = String> {
    claims(team).chain(shared(team).map(|shared| shared.place()))
}

fn proposed_teams(changes: &[Change]) -> impl Iterator<Item = &Team> {
    changes.iter().filter_map(|change| match &change.proposed {
        Document::Team(team) => Some(&**team),
        _ => None,
    })
}

/// The namespaces that a team claims, as `cluster/namespace`.
pub fn claims(team: &Team) -> impl Iterator<Item = String> {
    team.namespaces.iter().map(|claim| format!("{}/{}", claim.cluster, claim.name))
}

/// The documents that people other than the submitter last voted on, where the applied ones are
/// later: what an owner narrowed alone came after them.
pub type VotedDocuments = BTreeMap<Subject, Document>;

/// Makes the plan, or says everything that stands against it. The applied documents are taken for
/// those that people voted on.
pub fn build<'g>(
    context: &Context,
    changes: &[Change],
    observed: &Observed,
    live: &LiveNamespaces,
    attest: &[String],
    submitter: impl Into<Submitter<'g>>,
) -> Result<Draft, Vec<Refusal>> {
    let voted = VotedDocuments::new();
    build_since_vote(context, changes, &voted, observed, live, attest, submitter)
}

/// Like [`build`], with the risk as the difference to what people voted on too, so that small
/// steps nobody voted on add up.
pub fn build_since_vote<'g>(
    context: &Context,
    changes: &[Change],
    voted: &VotedDocuments,
    observed: &Observed,
    live: &LiveNamespaces,
    attest: &[String],
    submitter: impl Into<Submitter<'g>>,
) -> Result<Draft, Vec<Refusal>> {
    let pins = pins::pin(context, changes, live, attest)?;
    let suspended: BTreeSet<String> = pins
        .iter()
        .filter(|(name, pinned)| live.get(*name).is_some_and(|uid| uid.as_ref() != Some(pinned)))
        .map(|(name, _)| name.clone())
        .collect();

    let after = context.after(changes);
    let (mut base, mut wanted) = (host_roles(context, changes), host_roles(&after, changes));
    for change in changes {
        let render = |document| desired(&after, document, &suspended);
        if let Some(document) = &change.base {
            base.extend(render_base(context, document).map_err(|e| vec![e])?);
        }
        wanted.extend(render(&change.proposed).map_err(|error| vec![error.into()])?);
    }
    let steps = steps(&context.mark, &base, &wanted, observed)?;

    let large = too_large(&steps);
    if !large.is_empty() {
        return Err(large);
    }

    let mut regained = regained(&base, &steps);
    let come_back = context.taken_out.iter().map(|name| ObjectKey::Group(name.clone()));
    regained.extend(come_back.filter(|key| wanted.contains_key(key)));
    let returning = returning(&base, &steps);
    let judge = |change: &Change| {
        let mut assessment = assess(change.base.as_ref(), &change.proposed, attest);
        if let Some(voted) = voted.get(&change.proposed.subject()) {
            assessment.add_up(assess(Some(voted), &change.proposed, attest));
        }
        for key in regained.iter().filter(|key| belongs_to(key, &change.proposed)) {
            assessment.gives_back(key);
        }
        for mount in returning
            .iter()
            .filter(|mount| change.proposed.subject() == Subject::Team(mount.team.clone()))
        {
            assessment.brings_back(mount);
        }
        for mount in shortened(&steps)
            .filter(|mount| change.proposed.subject() == Subject::Team(mount.team.clone()))
        {
            assessment.loses_versions(mount);
        }
        context.holds.judge(&change.proposed, &mut assessment);
        context.holds.judge_beside(change.base.as_ref(), &change.proposed, &mut assessment);
        assessment
    };
    let assessed: Vec<(&Change, Assessment)> =
        changes.iter().map(|change| (change, judge(change))).collect();
    let risk = assessed.iter().map(|(_, a)| a.risk).max().unwrap_or(Risk::Normal);
    let mut reasons: Vec<RiskReason> =
        assessed.iter().flat_map(|(_, assessment)| assessment.reasons.clone()).collect();
    reasons.sort_by(|a, b| (b.risk, &a.text).cmp(&(a.risk, &b.text)));
    reasons.dedup();
    true_together(&mut reasons);
    let stages = stages(context, &assessed, submitter.into());
    let empty: Vec<Refusal> = unfillable(&stages).map(Refusal::NobodyCanFill).collect();
    if !empty.is_empty() {
        return Err(empty);
    }
    Ok(Draft {
        summary: summary::whole(context, changes, &steps, attest, &pins),
        steps,
        risk,
        reasons,
        stages,
        pins,
        standing_orders: standing_orders(context, changes),
    })
}

/// Whether the document is the one that stands for an object that carries rights.
fn belongs_to(key: &ObjectKey, document: &Document) -> bool {
    let Document::Team(team) = document else {
        return false;
    };
    match key {
        ObjectKey::Policy(name) | ObjectKey::Group(name) => name.team() == &team.name,
        // Every team of the request that names the group gets it back.
        ObjectKey::AnchorAlias(anchor) => named(team).any(|group| AnchorName::of(group) == *anchor),
        ObjectKey::Role(cluster, namespace) => {
            team.claim(cluster, namespace).is_some()
                || shared(team)
                    .any(|shared| shared.cluster == cluster && shared.namespace == namespace)
        }
        _ => false,
    }
}

/// The groups of people that a team names.
fn named(team: &Team) -> impl Iterator<Item = &GroupName> {
    let people = &team.people;
    let bound = team.bindings.iter().filter_map(|binding| match &binding.holder {
        Holder::People { group } => Some(group),
        Holder::Accounts { .. } => None,
    });
    people.owners.iter().chain(&people.editors).chain(&people.viewers).chain(bound)
}

/// The objects of the applied document. Those of suspended and of ended bindings are among them:
/// what is still there of them goes.
pub(crate) fn render_base(context: &Context, document: &Document) -> Result<Objects, Refusal> {
    let always = Context { today: Date::MIN, holds: Holds::default(), ..context.clone() };
    Ok(desired(&always, document, &BTreeSet::new())?)
}

fn standing_orders(context: &Context, changes: &[Change]) -> Vec<String> {
    let mut orders = follow::orders(context, changes);
    // Signed as an order: a plan that was made before the hand's removal is not the same any more.
    orders.extend(summary::comes_back(context, changes));
    for change in changes {
        let Document::Team(team) = &change.proposed else {
            continue;
        };
        for binding in team.bindings.iter().filter(|binding| !has_ended(context, binding)) {
            let name = format!("{}/{}", team.name, binding.name);
            if let Holder::Accounts { cluster, namespace, .. } = &binding.holder {
                orders.insert(format!(
                    "attach the named accounts of {name} inside the pinned namespace \
                     {cluster}/{namespace}"
                ));
                orders.insert(format!(
                    "suspend {name} when the namespace {cluster}/{namespace} has another UID"
                ));
            }
            if let Some(until) = binding.until {
                orders.insert(format!("end {name} after {until}"));
            }
        }
    }
    orders.into_iter().collect()
}
