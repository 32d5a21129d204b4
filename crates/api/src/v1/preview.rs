//! What documents would change.

use axum::Json;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use strongroom_app::preview::{self, Preview as View, Step};
use strongroom_domain::Digest;
use strongroom_domain::hold::Target;
use strongroom_domain::risk::{Risk, RiskReason};
use strongroom_domain::subject::Subject;
use utoipa::ToSchema;

use crate::body::Body;
use crate::extract::SignedIn;
use crate::problem::Problem;
use crate::shape::{HashText, RiskReasonShape, RiskWord, SubjectText, TargetText};
use crate::v1::requests::Summary;
use crate::v1::signers::Stage;

/// The body of `POST /api/v1/requests/preview`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Make {
    documents: Vec<Value>,
    #[serde(default)]
    attest: Vec<String>,
    #[serde(default)]
    #[schema(value_type = Vec<TargetText>)]
    lift: Vec<Target>,
}

/// What documents would change.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Preview {
    documents: Vec<PreviewedDocument>,
    unchanged: bool,
    steps: Vec<StepView>,
    #[schema(value_type = RiskWord)]
    risk: Risk,
    #[schema(value_type = Vec<RiskReasonShape>)]
    reasons: Vec<RiskReason>,
    stages: Vec<Stage>,
    summary: Vec<String>,
    holds: Vec<HoldView>,
    accounts: Vec<AccountView>,
    observed_at: Option<Timestamp>,
    /// Requests over the same subjects that are not decided yet.
    beside: Vec<Summary>,
}

/// One document.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PreviewedDocument {
    #[schema(value_type = SubjectText)]
    subject: Subject,
    base_revision: i64,
    #[schema(value_type = Option<HashText>)]
    base_hash: Option<Digest>,
    document: Value,
    changed: bool,
    managed_by: Option<String>,
}

/// One engine write.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StepView {
    action: &'static str,
    kind: &'static str,
    name: String,
    changes: Vec<Change>,
}

/// One field of a step.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Change {
    field: String,
    before: Option<Value>,
    after: Option<Value>,
}

/// What stands still whatever is applied.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HoldView {
    #[schema(value_type = TargetText)]
    target: Target,
    reason: String,
    blocks: bool,
}

/// A service account as the cluster last reported it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AccountView {
    cluster: String,
    namespace: String,
    account: String,
    namespace_uid: Option<String>,
    uid: Option<String>,
    created_at: Option<Timestamp>,
}

/// What documents would change, with the risk and who would have to sign. Nothing is stored.
#[utoipa::path(
    post,
    path = "/api/v1/requests/preview",
    operation_id = "preview_make",
    request_body = Make,
    responses((status = 200, body = Preview))
)]
pub(crate) async fn make(
    SignedIn(ctx): SignedIn,
    Body(body): Body<Make>,
) -> Result<Json<Preview>, Problem> {
    Ok(Json(preview::preview_make(&ctx, &body.documents, &body.attest, &body.lift).await?.into()))
}

impl From<View> for Preview {
    fn from(view: View) -> Self {
        let document = |each: preview::PreviewDocument| PreviewedDocument {
            subject: each.subject,
            base_revision: each.base_revision,
            base_hash: each.base_hash,
            document: each.document,
            changed: each.changed,
            managed_by: each.managed_by,
        };
        let account = |each: preview::PreviewAccount| AccountView {
            cluster: each.cluster,
            namespace: each.namespace,
            account: each.account,
            namespace_uid: each.namespace_uid,
            uid: each.uid,
            created_at: None,
        };
        let hold = |each: preview::Hold| HoldView {
            target: each.target,
            reason: each.reason,
            blocks: each.blocks,
        };
        Self {
            documents: view.documents.into_iter().map(document).collect(),
            unchanged: view.unchanged,
            steps: view.steps.iter().map(StepView::from).collect(),
            risk: view.risk,
            reasons: view.reasons,
            stages: view.stages.into_iter().map(Into::into).collect(),
            summary: view.summary,
            holds: view.holds.into_iter().map(hold).collect(),
            accounts: view.accounts.into_iter().map(account).collect(),
            observed_at: view.observed_at,
            beside: view.beside.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<&Step> for StepView {
    fn from(step: &Step) -> Self {
        Self {
            action: step.action.as_str(),
            kind: step.object.kind(),
            name: step.object.name(),
            changes: preview::step_changes(step)
                .into_iter()
                .map(|(field, before, after)| Change { field, before, after })
                .collect(),
        }
    }
}
