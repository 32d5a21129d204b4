//! The plan of the document in the design, byte for byte, and its hash computed a second time.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;
use sha2::Digest as _;
use strongroom_domain::Digest;
use strongroom_domain::id::{DeploymentId, EngineId, RequestId};
use strongroom_domain::person::PersonId;

use super::engine::Engine;
use super::support::{PAYMENTS, cluster, context, first, one, plan, plan_in, told};
use crate::model::{EngineRef, MAX_BYTES, PlannedDocument, RENDERER};
use crate::{Context, Draft, Plan, PlanError, summary};

fn shown(draft: &Draft) -> String {
    let mut text = String::new();
    let mut list = |title: &str, lines: Vec<String>| {
        writeln!(text, "{title}:").unwrap();
        for line in lines {
            writeln!(text, "  {line}").unwrap();
        }
    };
    list("risk", vec![draft.risk.to_string()]);
    list("reasons", told(&draft.reasons));
    let stage = |stage: &strongroom_domain::request::Stage| {
        let groups: Vec<&str> = stage.groups.iter().map(String::as_str).collect();
        format!("{}: {} of {}", stage.name, stage.votes, groups.join(", "))
    };
    list("stages", draft.stages.iter().map(stage).collect());
    list("pins", draft.pins.iter().map(|(place, uid)| format!("{place}: {uid}")).collect());
    list("standing orders", draft.standing_orders.clone());
    for step in &draft.steps {
        let (action, object) = (step.action.as_str(), &step.object);
        writeln!(text, "{}. {action} {object}", step.ordinal).unwrap();
        assert!(step.before.is_none());
        for (field, value) in step.after.iter().flatten() {
            // Policies have snapshots of their own.
            let value = if field == "policy" { Value::from("…") } else { value.clone() };
            writeln!(text, "     {field} = {value}").unwrap();
        }
    }
    text
}

fn policies(draft: &Draft) -> Vec<(String, String)> {
    draft
        .steps
        .iter()
        .filter(|step| step.object.kind() == "policy")
        .map(|step| {
            let after = step.after.as_ref().unwrap();
            (step.object.name(), after["policy"].as_str().unwrap().to_owned())
        })
        .collect()
}

#[test]
fn the_plan_of_the_design_is_golden() {
    let document = one(PAYMENTS);
    let draft = plan(&Engine::default(), &[first(&document)]).unwrap();
    insta::assert_snapshot!("payments_plan", shown(&draft));
    let sentences = summary::sentences(&[first(&document)]);
    insta::assert_snapshot!("payments_summary", sentences.join("\n"));
}

#[test]
fn every_policy_of_the_design_is_golden() {
    let draft = plan(&Engine::default(), &[first(&one(PAYMENTS))]).unwrap();
    let policies = policies(&draft);
    let names: Vec<&str> = policies.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        ["team.payments.binding.api", "team.payments.owner", "team.payments.editor"],
        "no viewers: no policy for them"
    );
    for (name, text) in policies {
        insta::assert_snapshot!(name, text);
    }
}

#[test]
fn each_level_is_golden_for_one_secret_and_for_a_folder() {
    let text = PAYMENTS.replace(
        "        - { mount: kv, path: prod/api/*, level: read }",
        "        - { mount: kv, path: a1, level: list }\n        - { mount: kv, path: a2, level: read }\n        - { mount: kv, path: a3, level: write }\n        - { mount: kv, path: a4, level: admin }\n        - { mount: kv, path: b1/*, level: list }\n        - { mount: kv, path: b2/*, level: read }\n        - { mount: kv, path: b3/*, level: write }\n        - { mount: kv, path: b4/*, level: admin }",
    );
    let draft = plan(&Engine::default(), &[first(&one(&text))]).unwrap();
    let (name, text) = policies(&draft).remove(0);
    assert_eq!(name, "team.payments.binding.api");
    insta::assert_snapshot!("every_level", text);
}

#[test]
fn viewers_only_list() {
    let text = PAYMENTS.replace("viewers: []", "viewers: [{ group: payments-readers }]");
    let draft = plan(&Engine::default(), &[first(&one(&text))]).unwrap();
    let policies = policies(&draft);
    let (_, text) = policies.iter().find(|(name, _)| name == "team.payments.viewer").unwrap();
    insta::assert_snapshot!("team.payments.viewer", text);
}

#[test]
fn the_plan_of_a_cluster_is_golden() {
    let draft = plan(&Engine::default(), &[first(&cluster("prod-eu"))]).unwrap();
    insta::assert_snapshot!("cluster_plan", shown(&draft));
}

#[test]
fn an_engine_without_ends_of_policies_gets_none() {
    let document = one(PAYMENTS);
    let ends = |context: &Context| {
        let draft = plan_in(context, &Engine::default(), &[first(&document)]).unwrap();
        let after = draft.steps.into_iter().filter_map(|step| step.after);
        after.filter_map(|fields| Some(fields.get("expiration")?.clone())).collect::<Vec<_>>()
    };
    assert_eq!(ends(&context()), ["2027-07-01T00:00:00Z"]);
    assert!(ends(&Context { policies_expire: false, ..context() }).is_empty());
}

fn whole_plan() -> Plan {
    let uuid = |text: &str| text.parse().unwrap();
    let document = one(PAYMENTS);
    let draft = plan(&Engine::default(), &[first(&document)]).unwrap();
    Plan {
        deployment: DeploymentId::from_uuid(uuid("0199b5d0-0000-7000-8000-000000000001")),
        engine: EngineRef {
            id: EngineId::from_uuid(uuid("0199b5d0-0000-7000-8000-000000000002")),
            cluster_id: "8a1c0d6e-6d1c-4a7e-9b52-0a3a3c4f1e11".into(),
            vault_namespace: String::new(),
        },
        request: RequestId::from_uuid(uuid("0199b5d0-0000-7000-8000-000000000003")),
        round: 1,
        submission: Digest::of(b"token"),
        submitter: PersonId { issuer: "https://idp.example.com/v1".into(), person: "alice".into() },
        submitter_display: "Ålice \u{1f510}".into(),
        reason: "first\tservice \"api\" \\ goes live\u{1}\n".into(),
        documents: vec![PlannedDocument {
            subject: document.subject(),
            revision: 1,
            base_revision: 0,
            head_hash: None,
            document_hash: document.digest(),
            document: document.to_value(),
        }],
        pins: draft.pins,
        attest: Vec::new(),
        lift: Vec::new(),
        lifts: BTreeMap::new(),
        risk: draft.risk,
        reasons: draft.reasons,
        rules: context().rules_digest(),
        stages: draft.stages,
        steps: draft.steps,
        standing_orders: draft.standing_orders,
        summary: draft.summary,
        renderer: RENDERER,
        frozen_at: "2026-11-23T10:00:00Z".parse().unwrap(),
        expires_at: "2026-12-07T10:00:00Z".parse().unwrap(),
    }
}

/// RFC 8785 written a second time: keys by their UTF-16 units, shortest escapes, integers only.
fn second_writer(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(flag) => write!(out, "{flag}").unwrap(),
        Value::Number(number) => write!(out, "{}", number.as_i64().expect("an integer")).unwrap(),
        Value::String(text) => second_text(text, out),
        Value::Array(items) => {
            out.push('[');
            for (number, item) in items.iter().enumerate() {
                out.push_str(if number > 0 { "," } else { "" });
                second_writer(item, out);
            }
            out.push(']');
        }
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort_by_key(|key| key.encode_utf16().collect::<Vec<_>>());
            out.push('{');
            for (number, key) in keys.into_iter().enumerate() {
                out.push_str(if number > 0 { "," } else { "" });
                second_text(key, out);
                out.push(':');
                second_writer(&map[key], out);
            }
            out.push('}');
        }
    }
}

fn second_text(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if c < ' ' => write!(out, "\\u{:04x}", u32::from(c)).unwrap(),
            c => out.push(c),
        }
    }
    out.push('"');
}

#[test]
fn the_bytes_that_people_sign_are_golden() {
    let canonical = whole_plan().canonical();
    insta::assert_snapshot!("payments_canonical", String::from_utf8(canonical.clone()).unwrap());
    insta::assert_snapshot!("payments_hash", Plan::hash_of(&canonical).to_string());
}

#[test]
fn an_independent_computation_gives_the_same_plan_hash() {
    let plan = whole_plan();
    let mut text = String::from("strongroom/plan/1\n");
    second_writer(&serde_json::to_value(&plan).unwrap(), &mut text);
    let digest = sha2::Sha256::digest(text.as_bytes());
    let mut spelled = String::new();
    for byte in digest {
        write!(spelled, "{byte:02x}").unwrap();
    }
    assert_eq!(Plan::hash_of(&plan.canonical()).to_string(), spelled);
}

#[test]
fn a_plan_comes_back_from_its_bytes_and_from_no_others() {
    let plan = whole_plan();
    let bytes = plan.canonical();
    assert_eq!(Plan::from_canonical(&bytes).unwrap(), plan);
    let mut spaced = bytes.clone();
    spaced.push(b' ');
    assert!(matches!(Plan::from_canonical(&spaced), Err(PlanError::NotCanonical)));
    let value: Value = serde_json::from_slice(&bytes).unwrap();
    let pretty = serde_json::to_vec_pretty(&value).unwrap();
    assert!(matches!(Plan::from_canonical(&pretty), Err(PlanError::NotCanonical)));
    let mut more = value.clone();
    more["force"] = Value::Bool(true);
    let more = strongroom_domain::canonical::to_bytes(&more).unwrap();
    assert!(matches!(Plan::from_canonical(&more), Err(PlanError::Shape(_))));
    let mut foreign = value;
    foreign["steps"][0]["object"]["name"] = Value::from("secret");
    let foreign = strongroom_domain::canonical::to_bytes(&foreign).unwrap();
    assert!(matches!(Plan::from_canonical(&foreign), Err(PlanError::Shape(_))));
    assert!(matches!(Plan::from_canonical(&vec![b' '; MAX_BYTES + 1]), Err(PlanError::TooLarge)));
}

#[test]
fn every_field_of_a_plan_changes_its_hash() {
    let hash =
        |value: &Value| Plan::hash_of(&strongroom_domain::canonical::to_bytes(value).unwrap());
    let value = serde_json::to_value(whole_plan()).unwrap();
    let good = hash(&value);
    let fields: Vec<String> = value.as_object().unwrap().keys().cloned().collect();
    assert_eq!(fields.len(), 21);
    for field in fields {
        let mut changed = value.clone();
        changed[&field] = Value::from("other");
        assert_ne!(hash(&changed), good, "{field}");
    }
}

#[test]
fn the_rules_hash_follows_every_rule() {
    let mut seen = vec![context().rules_digest()];
    let mut vary = |change: &dyn Fn(&mut Context)| {
        let mut context = context();
        change(&mut context);
        seen.push(context.rules_digest());
    };
    vary(&|c| c.platform.approvals.low.owners = 2);
    vary(&|c| c.platform.approvals.critical.platform = 3);
    vary(&|c| c.platform.token_ttl_ceiling = "30m".parse().unwrap());
    vary(&|c| c.platform.reserved_names.push("ops".parse().unwrap()));
    vary(&|c| c.platform_groups.clear());
    vary(&|c| c.floor_votes.high_platform = 0);
    vary(&|c| c.floor_votes.critical_people = 1);
    vary(&|c| c.floor_token_ttl = 60);
    let count = seen.len();
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), count);
}
