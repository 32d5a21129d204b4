//! Rows 19 to 22 in this process: pure functions on fixed teams, run again under a counter of
//! instructions. `strongroom-bench work <name> <teams> <times>` does the work and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::hint::black_box;

use anyhow::{Context as _, Result, bail};
use serde_json::{Map, Value, json};
use strongroom_domain::document::Document;
use strongroom_plan::desired::{Objects, desired};
use strongroom_plan::reach::{Holder, Reach, Reached};
use strongroom_plan::{Change, Context, Observed, build, drift};
use strongroom_vault_model::object::{ObjectKey, fingerprint};
use strongroom_vault_model::policy::Mark;
use strongroom_vault_model::wire::{self, Ids};

use crate::estate::{context, document, slug};

/// What can be asked for.
pub const WORKS: [&str; 9] =
    ["who-can", "scan", "render", "push", "preview", "rebuild", "compare", "parse", "document"];

struct Scene {
    context: Context,
    documents: Vec<Document>,
    objects: Vec<Objects>,
}

fn scene(teams: usize) -> Result<Scene> {
    let cluster = "apiVersion: strongroom.dev/v1\nkind: Cluster\nmetadata: { name: prod-eu }\n\
                   spec:\n  server: https://127.0.0.1:6443\n  ca: |\n    \
                   -----BEGIN CERTIFICATE-----\n    AAAA\n    -----END CERTIFICATE-----\n  \
                   auth: { method: kubernetes }\n  audience: strongroom\n  \
                   credentials: prod-eu\n";
    let read = |text: &str| {
        let documents = Document::from_yaml(text);
        let documents = documents.map_err(|faults| anyhow::anyhow!("{faults:?}"))?;
        documents.into_iter().next().context("no document")
    };
    let clusters = match read(cluster)? {
        Document::Cluster(cluster) => BTreeMap::from([(cluster.name.clone(), *cluster)]),
        _ => bail!("no cluster"),
    };
    let context = context(Mark::new(uuid::Uuid::from_u128(1)), 3600, clusters);
    let documents: Vec<Document> =
        (0..teams).map(|number| read(&document(&slug(number)))).collect::<Result<_>>()?;
    let objects = documents
        .iter()
        .map(|document| Ok(desired(&context, document, &BTreeSet::new())?))
        .collect::<Result<_>>()?;
    Ok(Scene { context, documents, objects })
}

/// Does one work so many times; the preparation is the same for every number of times.
pub fn run(name: &str, teams: usize, times: usize) -> Result<()> {
    let scene = scene(teams)?;
    let none = BTreeSet::new();
    match name {
        "render" => {
            for _ in 0..times {
                for document in &scene.documents {
                    for (key, fields) in desired(&scene.context, document, &none)? {
                        black_box((key, fingerprint(&fields)));
                    }
                }
            }
        }
        // The same bytes, put together line by line.
        "push" => {
            for _ in 0..times {
                for fields in scene.objects.iter().flat_map(Objects::values) {
                    let mut out = String::new();
                    for (name, value) in fields {
                        out.push_str(name);
                        match value {
                            Value::String(text) => {
                                for line in text.split_inclusive('\n') {
                                    out.push_str(line);
                                }
                            }
                            Value::Array(items) => {
                                items
                                    .iter()
                                    .filter_map(Value::as_str)
                                    .for_each(|i| out.push_str(i));
                            }
                            _ => out.push('0'),
                        }
                    }
                    black_box(out);
                }
            }
        }
        "preview" => {
            let place = teams / 2;
            let base = scene.documents[place].clone();
            let text = document(&slug(place)).replace("prod/api/*", "prod/*");
            let proposed = Document::from_yaml(&text).map_err(|f| anyhow::anyhow!("{f:?}"))?;
            let proposed = proposed.into_iter().next().context("no document")?;
            let pin = (format!("prod-eu/{}", slug(place)), "uid".to_owned());
            let change = Change { base: Some(base), proposed, base_pins: [pin.clone()].into() };
            let found = scene.objects[place].iter();
            let observed: Observed =
                found.map(|(key, fields)| (key.clone(), Some(fields.clone()))).collect();
            let live = [(pin.0, Some(pin.1))].into();
            for _ in 0..times {
                let changes = std::slice::from_ref(&change);
                let draft = build(&scene.context, changes, &observed, &live, &[], &BTreeSet::new());
                let draft = draft.map_err(|refusals| anyhow::anyhow!("{refusals:?}"))?;
                anyhow::ensure!(!draft.steps.is_empty(), "nothing changes");
                black_box(draft);
            }
        }
        "rebuild" => {
            for _ in 0..times {
                let mut differing = 0_usize;
                for (document, before) in scene.documents.iter().zip(&scene.objects) {
                    let now = desired(&scene.context, document, &none)?;
                    differing += usize::from(now != *before);
                }
                black_box(differing);
            }
        }
        "who-can" | "scan" => who_can(&scene, name == "scan", times)?,
        "compare" | "parse" => compare(&scene, name == "compare", times)?,
        // How a document is decoded from a head.
        "document" => {
            let values: Vec<Value> = scene.documents.iter().map(Document::to_value).collect();
            for _ in 0..times {
                for value in &values {
                    black_box(Document::from_value(value).map_err(|f| anyhow::anyhow!("{f:?}"))?);
                }
            }
        }
        other => bail!("there is no work {other:?}"),
    }
    Ok(())
}

/// Who can read one secret: asked of the index, or of every rule of everybody in a flat list.
fn who_can(scene: &Scene, linear: bool, times: usize) -> Result<()> {
    let today = scene.context.today;
    let mut reach = Reach::default();
    for document in &scene.documents {
        if let Document::Team(team) = document {
            reach.set(team, today);
        }
    }
    let path = format!("team/{}/kv/data/prod/api/db", slug(scene.documents.len() / 2));
    let everything: Vec<Reached> =
        reach.holders().flat_map(|holder| reach.what_can(holder)).collect();
    let scan = || -> Vec<Reached> {
        let mut best: BTreeMap<&Holder, &Reached> = BTreeMap::new();
        for each in &everything {
            let covers = match each.rule.strip_suffix('*') {
                Some(prefix) => path.starts_with(prefix),
                None => each.rule == path,
            };
            let longer = |known: &&Reached| known.rule.len() < each.rule.len();
            if covers && best.get(&each.holder).is_none_or(longer) {
                best.insert(&each.holder, each);
            }
        }
        best.into_values().cloned().collect()
    };
    let mut wanted = scan();
    let mut found = reach.who_can(&path);
    wanted.sort();
    found.sort();
    anyhow::ensure!(!found.is_empty() && found == wanted, "the index and the walk differ");
    for _ in 0..times {
        black_box(if linear { scan() } else { reach.who_can(&path) });
    }
    Ok(())
}

/// The answer of the list with all policies, read and held against what is wanted; or only read.
fn compare(scene: &Scene, judged: bool, times: usize) -> Result<()> {
    let mut infos = Map::new();
    let mut wanted = Vec::new();
    for objects in &scene.objects {
        for (key, fields) in objects.iter().filter(|(key, _)| matches!(key, ObjectKey::Policy(_))) {
            let info = json!({
                "cas_required": false, "expiration": null, "modified": "2026-01-01T00:00:00Z",
                "name": key.name(), "policy": fields.get("policy"), "version": 1,
            });
            infos.insert(key.name(), info);
            wanted.push((key, fields));
        }
    }
    let body = json!({ "data": { "key_info": infos } }).to_string();
    let ids = Ids::default();
    for _ in 0..times {
        let answer: Value = serde_json::from_str(&body)?;
        let infos = answer.pointer("/data/key_info").context("no answer")?;
        if judged {
            for (key, fields) in &wanted {
                let found = infos.get(key.name()).and_then(|data| wire::observed(key, data, &ids));
                let drift = drift::judge(&scene.context.mark, key, Some(fields), found.as_ref());
                anyhow::ensure!(drift.is_none(), "{key} differs");
            }
        }
        black_box(answer);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_work_can_be_done() {
        for name in WORKS {
            run(name, 3, 1).unwrap();
        }
    }
}
