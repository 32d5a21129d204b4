//! What is in the program: a `CycloneDX` bill of materials from cargo's own resolution.
//!
//! Only what the program is made of: neither what tests nor what build scripts need.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

/// The version of a package of the workspace.
pub fn version_of(metadata: &Value, package: &str) -> Result<String> {
    let found = packages(metadata).find(|each| each["name"] == package);
    let version = found.and_then(|each| each["version"].as_str());
    version.map(str::to_owned).with_context(|| format!("there is no package {package}"))
}

/// The bill of one package of the workspace.
pub fn bill(metadata: &Value, lock: &str, package: &str, commit: &str) -> Result<Value> {
    let version = version_of(metadata, package)?;
    let by_id: BTreeMap<&str, &Value> =
        packages(metadata).filter_map(|each| Some((each["id"].as_str()?, each))).collect();
    let root = by_id.iter().find(|(_, each)| each["name"] == package).map(|(id, _)| *id);
    let root = root.with_context(|| format!("there is no package {package}"))?;
    let links = links(metadata);
    let mut reached = BTreeSet::from([root]);
    let mut rest = vec![root];
    while let Some(id) = rest.pop() {
        for next in links.get(id).into_iter().flatten() {
            if reached.insert(next) {
                rest.push(next);
            }
        }
    }
    let checksums = checksums(lock);
    let components = reached.iter().filter(|id| **id != root).filter_map(|id| by_id.get(id));
    let components: Vec<Value> = components.map(|each| component(each, &checksums)).collect();
    Ok(json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": format!("strongroom@{version}"),
                "name": "strongroom",
                "version": version,
                "properties": [{ "name": "git:commit", "value": commit }],
            },
        },
        "components": components,
    }))
}

fn packages(metadata: &Value) -> impl Iterator<Item = &Value> {
    metadata["packages"].as_array().into_iter().flatten()
}

/// From each package to those that it is made of.
fn links(metadata: &Value) -> BTreeMap<&str, Vec<&str>> {
    let nodes = metadata["resolve"]["nodes"].as_array().into_iter().flatten();
    nodes.filter_map(link).collect()
}

fn link(node: &Value) -> Option<(&str, Vec<&str>)> {
    let normal = |dependency: &&Value| {
        let mut kinds = dependency["dep_kinds"].as_array().into_iter().flatten();
        kinds.any(|kind| kind["kind"].is_null())
    };
    let dependencies = node["deps"].as_array().into_iter().flatten().filter(normal);
    Some((node["id"].as_str()?, dependencies.filter_map(|each| each["pkg"].as_str()).collect()))
}

/// The checksums of the lock file, by name and version.
fn checksums(lock: &str) -> BTreeMap<(&str, &str), &str> {
    lock.split("[[package]]").filter_map(checksum).collect()
}

fn checksum(block: &str) -> Option<((&str, &str), &str)> {
    let field = |name: &str| {
        let line = block.lines().find(|line| line.starts_with(&format!("{name} = \"")))?;
        line.strip_suffix('"')?.split_once('"').map(|(_, value)| value)
    };
    Some(((field("name")?, field("version")?), field("checksum")?))
}

fn component(package: &Value, checksums: &BTreeMap<(&str, &str), &str>) -> Value {
    let text = |field: &str| package[field].as_str().unwrap_or_default();
    let (name, version) = (text("name"), text("version"));
    let url = format!("pkg:cargo/{name}@{version}");
    let mut component = json!({
        "type": "library",
        "bom-ref": url,
        "name": name,
        "version": version,
        "purl": url,
    });
    if let Some(license) = package["license"].as_str() {
        // Some packages still write their choices the old way.
        let expression = license.replace('/', " OR ");
        component["licenses"] = json!([{ "expression": expression }]);
    }
    if let Some(sum) = checksums.get(&(name, version)) {
        component["hashes"] = json!([{ "alg": "SHA-256", "content": sum }]);
    }
    component
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, license: &str) -> Value {
        json!({ "id": format!("{name} id"), "name": name, "version": "1.2.3", "license": license })
    }

    fn dependency(name: &str, kind: &Value) -> Value {
        json!({ "pkg": format!("{name} id"), "dep_kinds": [{ "kind": kind }] })
    }

    #[test]
    fn what_the_program_is_made_of_is_in_it_and_nothing_else() {
        let metadata = json!({
            "packages": [
                package("own", "MIT"), package("direct", "MIT/Apache-2.0"), package("deep", "ISC"),
                package("tests", "MIT"), package("script", "MIT"), package("stranger", "MIT"),
            ],
            "resolve": { "nodes": [
                { "id": "own id", "deps": [
                    dependency("direct", &Value::Null), dependency("tests", &json!("dev")),
                    dependency("script", &json!("build")),
                ] },
                { "id": "direct id", "deps": [dependency("deep", &Value::Null)] },
                { "id": "tests id", "deps": [dependency("stranger", &Value::Null)] },
            ] },
        });
        let lock = "[[package]]\nname = \"deep\"\nversion = \"1.2.3\"\nchecksum = \"abc\"\n";
        let bill = bill(&metadata, lock, "own", "c0ffee").unwrap();
        let names: Vec<&str> = bill["components"]
            .as_array()
            .unwrap()
            .iter()
            .map(|c| c["name"].as_str().unwrap())
            .collect();
        assert_eq!(names, ["deep", "direct"]);
        assert_eq!(bill["components"][0]["hashes"][0]["content"], "abc");
        assert_eq!(bill["components"][1]["licenses"][0]["expression"], "MIT OR Apache-2.0");
        assert_eq!(bill["metadata"]["component"]["version"], "1.2.3");
    }
}
