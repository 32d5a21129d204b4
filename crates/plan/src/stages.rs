//! Who must sign: from risk and rules to stages, never below the floor.

use std::collections::{BTreeMap, BTreeSet};

use strongroom_domain::document::Document;
use strongroom_domain::request::Stage;
use strongroom_domain::risk::Risk;
use strongroom_domain::subject::Subject;
use strongroom_vault_model::name::{GroupName, TeamName};

use crate::build::{Change, Context};
use crate::risk::Assessment;

/// The name of the platform's stage.
pub const PLATFORM_STAGE: &str = "platform";

/// What the floor file never waives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FloorVotes {
    /// Platform votes on `high`.
    pub high_platform: u32,
    /// Votes of people besides the submitter on `critical`.
    pub critical_people: u32,
}

/// Who submits, as far as it decides who else must sign.
#[derive(Debug, Clone, Copy)]
pub enum Submitter<'g> {
    /// Somebody who signed in with these groups.
    Person(&'g BTreeSet<String>),
    /// Nobody signed: it counts as nobody, and one platform member more must see it.
    Machine,
}

impl<'g> From<&'g BTreeSet<String>> for Submitter<'g> {
    fn from(groups: &'g BTreeSet<String>) -> Self {
        Self::Person(groups)
    }
}

impl Submitter<'_> {
    fn is_in(self, groups: &BTreeSet<String>) -> bool {
        match self {
            Self::Person(own) => !groups.is_disjoint(own),
            Self::Machine => false,
        }
    }

    /// The platform's votes besides those that the change asks for.
    fn platform_more(self) -> u32 {
        match self {
            Self::Person(_) => 0,
            Self::Machine => 1,
        }
    }
}

/// The stages of a request over these changes.
pub fn stages(
    context: &Context,
    changes: &[(&Change, Assessment)],
    submitter: Submitter<'_>,
) -> Vec<Stage> {
    let mut merged: BTreeMap<String, Stage> = BTreeMap::new();
    for (change, assessment) in changes {
        for stage in of_change(context, change, assessment, submitter) {
            let known = merged.entry(stage.name.clone()).or_insert_with(|| stage.clone());
            known.votes = known.votes.max(stage.votes);
            // Two rules for one stage: only who satisfies both may vote in it.
            known.groups = known.groups.intersection(&stage.groups).cloned().collect();
        }
    }
    // Owners decide first; the platform sees what they agreed to.
    let mut stages: Vec<Stage> = merged.into_values().filter(|stage| stage.votes > 0).collect();
    stages.sort_by_key(|stage| (stage.name == PLATFORM_STAGE, stage.name.clone()));
    stages
}

fn of_change(
    context: &Context,
    change: &Change,
    assessment: &Assessment,
    submitter: Submitter<'_>,
) -> Vec<Stage> {
    let platform_groups = names(&context.platform_groups);
    let platforms = |votes: u32| Stage {
        name: PLATFORM_STAGE.to_owned(),
        groups: platform_groups.clone(),
        votes: votes + submitter.platform_more(),
    };
    let risk = assessment.risk;
    let votes = context.platform.votes(risk);
    let mut platform = votes.platform;
    if risk >= Risk::High {
        platform = platform.max(context.floor_votes.high_platform);
    }
    let mut stages = Vec::new();
    if let Document::Team(team) = &change.proposed {
        // The base revision says who decides. A first revision names its own owners, which is
        // why it is never below `high` and always needs the platform as well.
        let owners = match &change.base {
            Some(Document::Team(base)) => names(&base.people.owners),
            _ => names(&team.people.owners),
        };
        let submitted_by_owner = submitter.is_in(&owners);
        if assessment.narrowing {
            let needed = u32::from(!submitted_by_owner);
            let owners = owners_stage(&team.name, with(owners, &platform_groups), needed);
            return vec![owners, platforms(0)];
        }
        let mut needed = votes.owners;
        if !assessment.hosts.is_empty() {
            needed = needed.max(1);
        }
        let groups = if risk <= Risk::Normal {
            // Nothing is applied without somebody whose signed groups allow it: nobody else is
            // asked only where an owner's own signature stands under a low change.
            if needed + platform == 0 && !(risk == Risk::Low && submitted_by_owner) {
                needed = 1;
            }
            // A team may have one owner only: a platform member can stand in.
            with(owners, &platform_groups)
        } else {
            if submitted_by_owner {
                needed = needed.saturating_sub(1);
            }
            owners
        };
        if risk == Risk::Critical {
            platform = platform.max(context.floor_votes.critical_people.saturating_sub(needed));
        }
        if needed + platform == 0 && risk >= Risk::High {
            platform = 1;
        }
        stages.push(owners_stage(&team.name, groups, needed));
        for host in &assessment.hosts {
            // Whose accounts they are agrees as well; a team that is not there has nobody to ask.
            let owners = context.sharing.hosts.get(host).map(|host| &host.team.people.owners);
            let owners = names(owners.into_iter().flatten());
            let needed = u32::from(!submitter.is_in(&owners));
            stages.push(owners_stage(host, owners, needed));
        }
    } else {
        // Rules that only ask for owners would ask nobody here: these documents have none.
        platform = platform.max(context.floor_votes.critical_people).max(1);
    }
    stages.push(platforms(platform));
    stages
}

fn owners_stage(team: &TeamName, groups: BTreeSet<String>, votes: u32) -> Stage {
    Stage { name: owners_stage_name(team), groups, votes }
}

fn owners_stage_name(team: &TeamName) -> String {
    format!("owners of {team}")
}

/// Stages that ask for votes and that nobody could ever give one in. A group that nobody is known
/// to be in is none: who is in it, only the provider knows.
pub fn unfillable(stages: &[Stage]) -> impl Iterator<Item = String> {
    let empty = stages.iter().filter(|stage| stage.votes > 0 && stage.groups.is_empty());
    empty.map(|stage| stage.name.clone())
}

/// Whether people voted on this subject's document when these stages were filled. Votes of the
/// owners of another team say nothing about it; the platform's are about the whole plan.
pub fn voted_on(stages: &[Stage], subject: &Subject) -> bool {
    stages.iter().any(|stage| {
        let own = matches!(subject, Subject::Team(team) if stage.name == owners_stage_name(team));
        own || stage.name == PLATFORM_STAGE
    })
}

/// Whether the platform voted when these stages were filled.
pub fn voted_by_platform(stages: &[Stage]) -> bool {
    stages.iter().any(|stage| stage.name == PLATFORM_STAGE)
}

fn names<'g>(groups: impl IntoIterator<Item = &'g GroupName>) -> BTreeSet<String> {
    groups.into_iter().map(ToString::to_string).collect()
}

fn with(mut groups: BTreeSet<String>, more: &BTreeSet<String>) -> BTreeSet<String> {
    groups.extend(more.iter().cloned());
    groups
}
