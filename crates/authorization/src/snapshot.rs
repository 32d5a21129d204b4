//! Who had which role at one moment, and what casbin makes of it.
//!
//! A snapshot never changes: another one is built beside it and swapped in. Every failure is a denial.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use casbin::{CoreApi as _, DefaultModel, Enforcer, MemoryAdapter, MgmtApi as _};
use strongroom_domain::name::TeamName;

use crate::rights::{RULES, Resource, Role, Verb};
use crate::subject::{ENROLLED, NOWHERE, Standing, group, team};

/// Cheap comparisons first: every rule is asked.
const MODEL: &str = "
[request_definition]
r = sub, dom, obj, act
[policy_definition]
p = sub, obj, act
[role_definition]
g = _, _, _
g2 = _, _
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = r.obj == p.obj && r.act == p.act && (g(r.sub, p.sub, r.dom) || g2(r.sub, p.sub))
";

/// The rules cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AuthorizationError {
    /// casbin refused them.
    #[error("build the rights of the API")]
    Casbin(#[from] casbin::Error),
    /// There are none: then casbin would be asked about nothing, and could say yes.
    #[error("the rights of the API are empty")]
    Empty,
    /// A role that is not had in a team.
    #[error("{0} is no role in a team")]
    NotInTeam(Role),
}

/// One group's role in one team.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Membership {
    /// The provider's group.
    pub group: String,
    /// Owner, editor or viewer.
    pub role: Role,
    /// The team.
    pub team: TeamName,
}

/// Who has which role.
pub struct Snapshot {
    enforcer: Enforcer,
    teams: BTreeMap<String, BTreeSet<TeamName>>,
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot").field("groups", &self.teams.len()).finish_non_exhaustive()
    }
}

impl Snapshot {
    /// Builds it from the memberships at one moment.
    pub async fn build(
        memberships: impl IntoIterator<Item = Membership>,
    ) -> Result<Self, AuthorizationError> {
        let model = DefaultModel::from_str(MODEL).await?;
        let mut enforcer = Enforcer::new(model, MemoryAdapter::default()).await?;
        let rules = RULES.iter().flat_map(|(role, resource, verbs)| {
            let rule = |verb: &Verb| [role.as_str(), resource.as_str(), verb.as_str()];
            verbs.iter().map(rule).map(|rule| rule.map(str::to_owned).to_vec())
        });
        let rules: Vec<Vec<String>> = rules.collect();
        if rules.is_empty() {
            return Err(AuthorizationError::Empty);
        }
        enforcer.add_policies(rules).await?;
        let everywhere = Standing::ALL
            .map(|standing| vec![standing.subject().to_owned(), standing.role().to_string()]);
        let mut everywhere = everywhere.to_vec();
        // Whether the team is the machine's own is looked at before casbin is asked.
        everywhere.push(vec![ENROLLED.to_owned(), Role::Viewer.to_string()]);
        enforcer.add_named_grouping_policies("g2", everywhere).await?;
        let (mut links, mut teams) = (BTreeSet::new(), BTreeMap::new());
        for Membership { group: name, role, team: of } in memberships {
            if !matches!(role, Role::Owner | Role::Editor | Role::Viewer) {
                return Err(AuthorizationError::NotInTeam(role));
            }
            links.insert(vec![group(&name), role.to_string(), team(&of)]);
            teams.entry(name).or_insert_with(BTreeSet::new).insert(of);
        }
        if !links.is_empty() {
            enforcer.add_named_grouping_policies("g", links.into_iter().collect()).await?;
        }
        Ok(Self { enforcer, teams })
    }

    /// The teams in which these groups have a role.
    pub fn teams_of<'s>(
        &'s self,
        groups: impl IntoIterator<Item = &'s String>,
    ) -> BTreeSet<&'s TeamName> {
        groups.into_iter().filter_map(|group| self.teams.get(group)).flatten().collect()
    }

    /// Whether somebody may do this, in a team or outside of all.
    pub fn may(
        &self,
        standing: Standing,
        groups: &BTreeSet<String>,
        within: Option<&TeamName>,
        resource: Resource,
        verb: Verb,
    ) -> bool {
        if self.is_allowed(standing.subject(), NOWHERE, resource, verb) {
            return true;
        }
        let Some(of) = within else { return false };
        let domain = team(of);
        // Of a person's groups only those that have a role there can make a difference.
        let named = groups
            .iter()
            .filter(|name| self.teams.get(*name).is_some_and(|teams| teams.contains(of)));
        named.into_iter().any(|name| self.is_allowed(&group(name), &domain, resource, verb))
    }

    /// Whether a machine may do this: one that belongs to a team is a viewer there besides.
    pub fn machine_may(
        &self,
        standing: Standing,
        own: Option<&TeamName>,
        within: Option<&TeamName>,
        resource: Resource,
        verb: Verb,
    ) -> bool {
        let may = |subject| self.is_allowed(subject, NOWHERE, resource, verb);
        may(standing.subject()) || (within.is_some() && within == own && may(ENROLLED))
    }

    fn is_allowed(&self, subject: &str, domain: &str, resource: Resource, verb: Verb) -> bool {
        let request = (subject, domain, resource.as_str(), verb.as_str());
        self.enforcer.enforce(request).unwrap_or(false)
    }
}
