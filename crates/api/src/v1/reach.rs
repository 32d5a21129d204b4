//! Who can reach a secret, and what somebody can reach.

use axum::Json;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use strongroom_app::reach::{
    self, Account, Answer, Deed, Holder, Reached, SecretPath, TeamMount, Through, WhatCan, When,
    WhoCan,
};
use strongroom_domain::id::RequestId;
use strongroom_domain::name::{
    ClusterName, GroupName, MountName, NamespaceName, ServiceAccountName, TeamName,
};
use utoipa::ToSchema;

use crate::extract::{Query, SignedIn};
use crate::problem::Problem;

/// The query of `GET /api/v1/who-can`.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct WhoQuery {
    /// `TEAM/MOUNT/SECRET`.
    path: String,
    /// An earlier moment, RFC 3339.
    #[param(value_type = Option<String>, format = DateTime)]
    at: Option<Timestamp>,
    /// While this revision of the team's document was applied: at the end of that time.
    revision: Option<i64>,
}

/// The query of `GET /api/v1/what-can`: one of the two.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct WhatQuery {
    /// `CLUSTER/NAMESPACE/ACCOUNT`.
    #[serde(default)]
    account: Option<String>,
    /// A provider's group.
    #[serde(default)]
    group: Option<String>,
    /// An earlier moment, RFC 3339.
    #[param(value_type = Option<String>, format = DateTime)]
    at: Option<Timestamp>,
}

/// An answer, and how far it goes.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AnswerView<T> {
    items: Vec<T>,
    observed_at: Option<Timestamp>,
    beside: Vec<String>,
}

/// Somebody who may do something with the secret.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WhoView {
    holder: String,
    account: Option<String>,
    group: Option<String>,
    entity: Option<String>,
    may: Vec<DeedView>,
    through: Vec<ThroughView>,
}

/// What is allowed, now or once the policies count, and the rule that decides.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeedView {
    deed: &'static str,
    now: bool,
    rule: String,
    policies: Vec<String>,
}

impl DeedView {
    fn of(now: bool) -> impl Fn((Deed, Reached)) -> Self {
        move |(deed, reached)| Self {
            deed: deed.as_str(),
            now,
            rule: reached.rule,
            policies: reached.policies.iter().map(ToString::to_string).collect(),
        }
    }
}

/// A rule that the holder has.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WhatView {
    rule: String,
    capabilities: Vec<String>,
    through: Vec<ThroughView>,
}

/// How a policy stands for the holder.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ThroughView {
    policy: String,
    state: String,
    reason: Option<String>,
    account_uid: Option<String>,
    revision: i64,
    #[schema(value_type = Option<Uuid>)]
    request: Option<RequestId>,
    differs: Vec<String>,
}

impl From<Through> for ThroughView {
    fn from(through: Through) -> Self {
        Self {
            policy: through.policy.to_string(),
            state: through.state,
            reason: through.reason,
            account_uid: through.account_uid,
            revision: through.revision,
            request: through.request,
            differs: through.differs,
        }
    }
}

impl From<WhoCan> for WhoView {
    fn from(who: WhoCan) -> Self {
        let now = who.now.into_iter().map(DeedView::of(true));
        let may = now.chain(who.later.into_iter().map(DeedView::of(false)));
        let (account, group, entity) = match &who.holder {
            Holder::Account(account) => {
                (Some(account.to_string()), None, Some(account.entity_name()))
            }
            Holder::Group(group) => (None, Some(group.to_string()), None),
        };
        Self {
            holder: account.clone().or_else(|| group.clone()).unwrap_or_default(),
            account,
            group,
            entity,
            may: may.collect(),
            through: who.through.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<WhatCan> for WhatView {
    fn from(what: WhatCan) -> Self {
        Self {
            rule: what.reached.rule,
            capabilities: what.reached.may.into_iter().collect(),
            through: what.through.into_iter().map(Into::into).collect(),
        }
    }
}

fn view<T, V: From<T>>(answer: Answer<T>) -> Json<AnswerView<V>> {
    Json(AnswerView {
        items: answer.items.into_iter().map(Into::into).collect(),
        observed_at: answer.observed_at,
        beside: answer.beside,
    })
}

/// Who may do what with one secret, through which policy, and whether that counts now.
#[utoipa::path(
    get,
    path = "/api/v1/who-can",
    operation_id = "who_can",
    params(WhoQuery),
    responses((status = 200, body = AnswerView<WhoView>))
)]
pub(crate) async fn who_can(
    SignedIn(ctx): SignedIn,
    Query(query): Query<WhoQuery>,
) -> Result<Json<AnswerView<WhoView>>, Problem> {
    let (mount, secret) = place(&query.path)?;
    let when = match (query.at, query.revision) {
        (None, None) => When::Now,
        (Some(at), None) => When::At(at),
        (None, Some(revision)) => When::of_revision(&ctx, &mount.team, revision).await?,
        (Some(_), Some(_)) => return Err(wrong("name `at` or `revision`, one of them")),
    };
    Ok(view(reach::who_can(&ctx, &mount, &secret, when).await?))
}

/// What an account or a group may do.
#[utoipa::path(
    get,
    path = "/api/v1/what-can",
    operation_id = "what_can",
    params(WhatQuery),
    responses((status = 200, body = AnswerView<WhatView>))
)]
pub(crate) async fn what_can(
    SignedIn(ctx): SignedIn,
    Query(query): Query<WhatQuery>,
) -> Result<Json<AnswerView<WhatView>>, Problem> {
    let holder = match (&query.account, &query.group) {
        (Some(account), None) => Holder::Account(named_account(account)?),
        (None, Some(group)) => Holder::Group(GroupName::new(group).map_err(wrong)?),
        _ => return Err(Problem::malformed("name `account` or `group`, one of them")),
    };
    let when = query.at.map_or(When::Now, When::At);
    Ok(view(reach::what_can(&ctx, &holder, when).await?))
}

fn wrong(error: impl std::fmt::Display) -> Problem {
    Problem::malformed(error.to_string())
}

fn place(text: &str) -> Result<(TeamMount, SecretPath), Problem> {
    let mut parts = text.splitn(3, '/');
    let (Some(team), Some(mount), Some(secret)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(wrong("`path` is TEAM/MOUNT/SECRET, for example payments/kv/prod/api/db"));
    };
    let mount = TeamMount {
        team: TeamName::new(team).map_err(wrong)?,
        mount: MountName::new(mount).map_err(wrong)?,
    };
    let secret = SecretPath::new(secret).map_err(wrong)?;
    if secret.is_beneath() {
        return Err(wrong("`path` names one secret, not a folder"));
    }
    Ok((mount, secret))
}

fn named_account(text: &str) -> Result<Account, Problem> {
    let mut parts = text.splitn(3, '/');
    let (Some(cluster), Some(namespace), Some(account)) =
        (parts.next(), parts.next(), parts.next())
    else {
        return Err(wrong("`account` is CLUSTER/NAMESPACE/ACCOUNT"));
    };
    Ok(Account {
        cluster: ClusterName::new(cluster).map_err(wrong)?,
        namespace: NamespaceName::new(namespace).map_err(wrong)?,
        account: ServiceAccountName::new(account).map_err(wrong)?,
    })
}
