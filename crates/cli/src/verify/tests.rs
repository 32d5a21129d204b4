//! Plans and receipts that are the executor's, and those that are not.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use strongroom_acts::SigningKey;
use strongroom_domain::id::EngineId;
use strongroom_domain::person::PersonId;
use strongroom_domain::request::Stage;
use strongroom_domain::risk::{Risk, RiskReason};
use strongroom_plan::model::{Action, EngineRef, PlannedDocument, Step};
use strongroom_vault_model::object::ObjectKey;

use super::*;

fn uuid(last: u8) -> uuid::Uuid {
    uuid::Uuid::from_bytes([1, 153, 181, 208, 0, 0, 112, 0, 128, 0, 0, 0, 0, 0, 0, last])
}

pub(crate) const TEAM: &str = "\
apiVersion: strongroom.dev/v1
kind: Team
metadata: { name: payments }
spec:
  displayName: Payments
  contact: payments@example.com
  people: { owners: [{ group: payments-leads }], editors: [{ group: payments-dev }], viewers: [] }
  mounts: [{ name: kv, type: kv-v2, maxVersions: 10 }]
  namespaces: [{ cluster: prod-eu, name: payments-prod, environment: production, tokenTtl: 20m }]
  bindings:
    - name: api
      cluster: prod-eu
      namespace: payments-prod
      serviceAccounts: [api]
      access: [{ mount: kv, path: prod/api/*, level: read }]
";

/// A small plan: one new team, or the same team changed.
pub(crate) fn sample_plan(base_revision: u64) -> Plan {
    let document = Document::from_yaml(TEAM).unwrap().remove(0);
    let fields = |value: serde_json::Value| Some(serde_json::from_value(value).unwrap());
    let key = |kind: &str, name: &str| ObjectKey::parse(kind, name).unwrap();
    let policy =
        "# mark\npath \"team/payments/kv/data/prod/api/*\" {\n  capabilities = [\"read\"]\n}\n";
    let group = |accounts: &[&str]| {
        json!({ "type": "internal", "accounts": accounts, "anchors": [],
            "policies": ["strongroom.self", "team.payments.binding.api"], "owner": "mark" })
    };
    let mut steps = vec![
        (
            Action::Create,
            key("policy", "team.payments.binding.api"),
            None,
            fields(json!({ "policy": policy })),
        ),
        (
            Action::Create,
            key("group", "team.payments.binding.api"),
            None,
            fields(group(&["prod-eu/payments-prod/api"])),
        ),
    ];
    if base_revision > 0 {
        steps = vec![
            (
                Action::Update,
                key("group", "team.payments.binding.api"),
                fields(group(&["prod-eu/payments-prod/api", "prod-eu/payments-prod/old"])),
                fields(group(&["prod-eu/payments-prod/api"])),
            ),
            (
                Action::Delete,
                key("group", "team.payments.binding.job"),
                fields(group(&["prod-eu/payments-prod/job"])),
                None,
            ),
            (
                Action::Delete,
                key("policy", "team.payments.binding.job"),
                fields(json!({ "policy": policy })),
                None,
            ),
        ];
    }
    Plan {
        deployment: DeploymentId::from_uuid(uuid(1)),
        engine: EngineRef {
            id: EngineId::from_uuid(uuid(2)),
            cluster_id: "5a1c".into(),
            vault_namespace: String::new(),
        },
        request: RequestId::from_uuid(uuid(3)),
        round: 1,
        submission: Digest::of(b"token"),
        submitter: PersonId { issuer: "https://idp.example.com".into(), person: "e-1".into() },
        submitter_display: "alice\u{202e}".into(),
        reason: "PAY-12: first service".into(),
        documents: vec![PlannedDocument {
            subject: document.subject(),
            revision: base_revision + 1,
            base_revision,
            head_hash: None,
            document_hash: document.digest(),
            document: document.to_value(),
        }],
        pins: BTreeMap::from([("prod-eu/payments-prod".to_owned(), uuid(9).to_string())]),
        attest: Vec::new(),
        lift: Vec::new(),
        lifts: BTreeMap::new(),
        risk: Risk::High,
        reasons: vec![RiskReason { risk: Risk::High, text: "production is reached".into() }],
        rules: Digest::of(b"rules"),
        stages: vec![
            Stage {
                name: "owners of payments".into(),
                groups: BTreeSet::from(["payments-leads".to_owned()]),
                votes: 1,
            },
            Stage {
                name: "platform".into(),
                groups: BTreeSet::from(["platform-sre".to_owned()]),
                votes: 1,
            },
        ],
        steps: (1..)
            .zip(steps)
            .map(|(ordinal, (action, object, before, after))| Step {
                ordinal,
                action,
                object,
                before,
                after,
            })
            .collect(),
        standing_orders: vec!["end payments/api after 2027-06-30".into()],
        summary: Vec::new(),
        renderer: 1,
        frozen_at: "2026-11-23T18:00:00Z".parse().unwrap(),
        expires_at: "2026-12-07T18:00:00Z".parse().unwrap(),
    }
}

/// The plan as the API would hand it out.
pub(crate) fn answer(plan: &Plan, key: &SigningKey) -> types::Plan {
    let bytes = plan.canonical();
    types::Plan {
        round: plan.round,
        canonical: STANDARD.encode(&bytes),
        hash: Plan::hash_of(&bytes).to_string(),
        signature: STANDARD.encode(key.sign(Purpose::Plan, &bytes)),
        key_id: key.public().id(),
    }
}

fn check(
    answer: &types::Plan,
    plan: &Plan,
    keys: &[PublicKey],
) -> Result<VerifiedPlan, PlanRefusal> {
    let wanted = Wanted { keys, deployment: plan.deployment, request: plan.request };
    super::plan(answer, &wanted)
}

#[test]
fn only_exactly_what_the_executor_signed_for_this_request_is_taken() {
    let (key, other) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
    let (pinned, plan) = ([key.public()], sample_plan(0));
    let good = answer(&plan, &key);
    let verified = check(&good, &plan, &pinned).unwrap();
    assert_eq!(verified.hash, Digest::labelled("strongroom/plan/1", &plan.canonical()));
    assert_eq!(verified.documents.len(), 1);

    // Another key, with the id of the pinned one.
    let mut forged = answer(&plan, &other);
    forged.key_id.clone_from(&good.key_id);
    assert!(matches!(check(&forged, &plan, &pinned), Err(PlanRefusal::Signature)));

    // One byte changed, the hash made to fit.
    let mut changed = plan.clone();
    changed.stages.pop();
    let mut edited = answer(&changed, &key);
    edited.signature.clone_from(&good.signature);
    assert!(matches!(check(&edited, &plan, &pinned), Err(PlanRefusal::Signature)));

    // A receipt's signature is no plan's.
    let mut crossed = good.clone();
    crossed.signature = STANDARD.encode(key.sign(Purpose::Receipt, &plan.canonical()));
    assert!(matches!(check(&crossed, &plan, &pinned), Err(PlanRefusal::Signature)));

    // A signed plan of another request, round or deployment.
    let mut elsewhere = plan.clone();
    elsewhere.request = RequestId::from_uuid(uuid(77));
    let refused = check(&answer(&elsewhere, &key), &plan, &pinned);
    assert!(matches!(refused, Err(PlanRefusal::Other("request"))));
    let mut round = good.clone();
    round.round = 2;
    assert!(matches!(check(&round, &plan, &pinned), Err(PlanRefusal::Other("round"))));
    let mut foreign = plan.clone();
    foreign.deployment = DeploymentId::from_uuid(uuid(78));
    let refused = check(&answer(&foreign, &key), &plan, &pinned);
    assert!(matches!(refused, Err(PlanRefusal::Other("deployment"))));

    let mut hash = good.clone();
    hash.hash = Digest::of(b"x").to_string();
    assert!(matches!(check(&hash, &plan, &pinned), Err(PlanRefusal::Hash)));
    assert!(still_good(&plan, "2026-12-07T17:59:59Z".parse().unwrap()).is_ok());
    assert!(still_good(&plan, "2026-12-07T18:00:00Z".parse().unwrap()).is_err());
}

/// A signed plan as a person is shown it.
fn shown(plan: &Plan, key: &SigningKey) -> String {
    let verified = check(&answer(plan, key), plan, &[key.public()]).unwrap();
    crate::render::plan::plan(
        &verified.plan,
        &verified.documents,
        &verified.hash,
        crate::render::text::Style::PLAIN,
    )
}

#[test]
fn a_plan_is_shown_from_its_bytes() {
    let key = SigningKey::generate().unwrap();
    for base in [0, 4] {
        let plan = sample_plan(base);
        let text = shown(&plan, &key);
        insta::assert_snapshot!(format!("plan_based_on_{base}"), text);
    }
}

#[test]
fn the_sentences_that_the_executor_signed_are_shown() {
    let key = SigningKey::generate().unwrap();
    let mut plan = sample_plan(4);
    plan.summary = vec!["binding job ends: service account job loses its access".into()];
    let text = shown(&plan, &key);
    let told = text.split("What changes\n").nth(1).unwrap();
    let told = told.split("\n\n").next().unwrap();
    assert_eq!(told, "  - binding job ends: service account job loses its access");
}
