//! What most tests here start from: a context, documents from text, and one call to `build`.

use std::collections::{BTreeMap, BTreeSet};

use strongroom_domain::document::{Document, Platform};
use strongroom_domain::risk::RiskReason;
use strongroom_vault_model::name::GroupName;
use strongroom_vault_model::policy::Mark;

use crate::build::LiveNamespaces;
use crate::stages::FloorVotes;
use crate::tests::engine::Engine;
use crate::{Change, Context, Draft, Refusal, build};

pub const PAYMENTS: &str = include_str!("../../../domain/tests/documents/payments.yaml");

/// The clusters that are applied.
pub const CLUSTERS: [&str; 2] = ["prod-eu", "lab"];

pub fn one(text: &str) -> Document {
    let mut documents = Document::from_yaml(text).unwrap_or_else(|faults| panic!("{faults:#?}"));
    assert_eq!(documents.len(), 1);
    documents.remove(0)
}

pub fn cluster(name: &str) -> Document {
    one(&format!(
        "apiVersion: strongroom.dev/v1\nkind: Cluster\nmetadata: {{ name: {name} }}\nspec:\n  \
         server: https://{name}.example.com:6443\n  ca: |\n    -----BEGIN CERTIFICATE-----\n    \
         AAAA\n    -----END CERTIFICATE-----\n  auth: {{ method: kubernetes }}\n  \
         audience: strongroom\n  credentials: {name}\n"
    ))
}

pub fn mark() -> Mark {
    Mark::new(uuid::Uuid::from_u128(1))
}

pub fn context() -> Context {
    let clusters = CLUSTERS.into_iter().map(|name| {
        let Document::Cluster(cluster) = cluster(name) else { unreachable!("it is a cluster") };
        (cluster.name.clone(), *cluster)
    });
    Context {
        mark: mark(),
        platform: Platform::default(),
        platform_groups: [GroupName::new("platform-sre").unwrap()].into(),
        floor_votes: FloorVotes { high_platform: 1, critical_people: 2 },
        floor_token_ttl: 86_400,
        today: "2026-11-23".parse().unwrap(),
        policies_expire: true,
        clusters: clusters.collect(),
        holds: crate::Holds::default(),
        sharing: crate::sharing::Sharing::default(),
        taken_out: BTreeSet::new(),
    }
}

/// The UID of a namespace, as the cluster would report it in its given life.
pub fn uid(place: &str, life: u8) -> String {
    let digest = strongroom_domain::Digest::of(place.as_bytes()).to_string();
    format!(
        "{}-{}-4{:03}-8{}-{}",
        &digest[..8],
        &digest[8..12],
        life,
        &digest[12..15],
        &digest[15..27]
    )
}

/// Every namespace that the documents claim, in its first life.
pub fn live(changes: &[Change]) -> LiveNamespaces {
    let claimed = build::named_namespaces(changes);
    claimed.into_iter().map(|place| (place.clone(), Some(uid(&place, 1)))).collect()
}

/// The pins that applying this document in the first life of its namespaces leaves.
pub fn pins(document: &Document) -> BTreeMap<String, String> {
    let change = Change { base: None, proposed: document.clone(), base_pins: BTreeMap::new() };
    let live = live(&[change]);
    live.into_iter().filter_map(|(place, uid)| Some((place, uid?))).collect()
}

pub fn first(proposed: &Document) -> Change {
    Change { base: None, proposed: proposed.clone(), base_pins: BTreeMap::new() }
}

pub fn change(base: &Document, proposed: &Document) -> Change {
    Change { base: Some(base.clone()), proposed: proposed.clone(), base_pins: pins(base) }
}

pub fn groups(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(ToString::to_string).collect()
}

/// Plans against an engine, with all namespaces in their first life, submitted by nobody's owner.
pub fn plan(engine: &Engine, changes: &[Change]) -> Result<Draft, Vec<Refusal>> {
    plan_in(&context(), engine, changes)
}

pub fn plan_in(
    context: &Context,
    engine: &Engine,
    changes: &[Change],
) -> Result<Draft, Vec<Refusal>> {
    let observed = engine.observe(context, changes);
    build(context, changes, &observed, &live(changes), &[], &BTreeSet::new())
}

/// The engine after these documents were applied to an empty one.
pub fn applied(documents: &[&Document]) -> Engine {
    let mut engine = Engine::default();
    for document in documents {
        let draft = plan(&engine, &[first(document)]).unwrap_or_else(|e| panic!("{e:?}"));
        engine.apply_all(&draft.steps);
    }
    engine
}

/// The judged change from one text to another, over an engine where the first is applied.
pub fn judged(base: &str, proposed: &str) -> Draft {
    let (base, proposed) = (one(base), one(proposed));
    let engine = applied(&[&base]);
    plan(&engine, &[change(&base, &proposed)]).unwrap_or_else(|e| panic!("{e:?}"))
}

/// A team with a production and a development namespace, a production binding on `prod/*` and a
/// development binding on `dev/*`; `more` are further lines of `bindings`.
pub fn shop(more: &str) -> String {
    format!(
        "apiVersion: strongroom.dev/v1
kind: Team
metadata: {{ name: shop }}
spec:
  displayName: Shop
  contact: shop@example.com
  people:
    owners: [{{ group: shop-leads }}]
    editors: [{{ group: shop-dev }}]
    viewers: [{{ group: shop-readers }}]
  mounts:
    - {{ name: kv, type: kv-v2, maxVersions: 10 }}
    - {{ name: spare, type: kv-v2, maxVersions: 5 }}
  namespaces:
    - {{ cluster: prod-eu, name: shop-prod, environment: production, tokenTtl: 20m }}
    - {{ cluster: lab, name: shop-dev, environment: development, tokenTtl: 20m }}
  bindings:
    - {{ name: live, cluster: prod-eu, namespace: shop-prod, serviceAccounts: [web, worker], access: [{{ mount: kv, path: prod/*, level: read }}] }}
    - {{ name: test, cluster: lab, namespace: shop-dev, serviceAccounts: [web], access: [{{ mount: kv, path: dev/*, level: read }}], until: 2027-06-30 }}
{more}"
    )
}

/// A further binding of the shop's development namespace.
pub fn dev_binding(name: &str, path: &str, level: &str) -> String {
    format!(
        "    - {{ name: {name}, cluster: lab, namespace: shop-dev, serviceAccounts: [web], \
         access: [{{ mount: kv, path: {path}, level: {level} }}] }}\n"
    )
}

pub fn told(reasons: &[RiskReason]) -> Vec<String> {
    reasons.iter().map(|reason| format!("{}: {}", reason.risk, reason.text)).collect()
}
