//! Which crate may depend on which: the `Cargo.toml` files are the architecture.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::command::run_quietly;

/// Allowed arrows between our crates. `*` allows all.
const ALLOWED: &[(&str, &[&str])] = &[
    ("vault-model", &[]),
    ("domain", &["vault-model"]),
    ("plan", &["domain", "vault-model"]),
    ("kit", &["domain", "vault-model"]),
    ("acts", &["domain"]),
    ("config", &["domain"]),
    ("storage", &["domain", "vault-model"]),
    ("engine", &["vault-model"]),
    ("kubernetes", &["domain"]),
    ("authn", &["acts", "domain"]),
    ("authorization", &["domain"]),
    ("app", &["acts", "authorization", "domain", "kit", "plan", "storage", "vault-model"]),
    (
        "api",
        &[
            "acts",
            "app",
            "authn",
            "authorization",
            "domain",
            "kit",
            "plan",
            "storage",
            "vault-model",
        ],
    ),
    (
        "executor",
        &[
            "acts",
            "authn",
            "config",
            "domain",
            "engine",
            "kubernetes",
            "plan",
            "storage",
            "vault-model",
        ],
    ),
    ("cli", &["acts", "authn", "config", "domain", "engine", "plan", "vault-model"]),
    ("lab", &[]),
    ("simulation", &["domain", "plan", "vault-model"]),
    ("bench", &["config", "domain", "engine", "lab", "plan", "vault-model"]),
    ("server", &["*"]),
    ("test-support", &["*"]),
    ("tests", &["*"]),
];

/// Third-party crates that only some of ours may use directly.
const RESERVED: &[(&str, &[&str])] = &[
    ("sqlx", &["storage", "test-support", "tests", "bench"]),
    ("casbin", &["authorization"]),
    ("kube", &["kubernetes"]),
    ("k8s-openapi", &["kubernetes"]),
    ("axum", &["api", "web", "server"]),
];

/// Refuses an arrow that is not in the table.
pub fn check(root: &Path) -> Result<()> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root).args(["metadata", "--format-version=1", "--no-deps", "--offline"]);
    let metadata: Value = serde_json::from_str(&run_quietly(&mut cargo)?)?;
    let faults = faults(&packages(&metadata)?);
    ensure!(faults.is_empty(), "crate arrows:\n{}", faults.join("\n"));
    Ok(())
}

/// Direct dependencies (with whether they are for tests only) by crate.
type Packages = BTreeMap<String, Vec<(String, bool)>>;

fn short(name: &str) -> &str {
    name.strip_prefix("strongroom-").unwrap_or(name)
}

fn packages(metadata: &Value) -> Result<Packages> {
    let list = metadata.get("packages").and_then(Value::as_array).context("no packages")?;
    let text = |value: &Value, name: &str| -> Option<String> {
        value.get(name)?.as_str().map(str::to_owned)
    };
    let mut packages = Packages::new();
    for package in list {
        let name = text(package, "name").context("a package without a name")?;
        let dependencies = package.get("dependencies").and_then(Value::as_array);
        let pairs = dependencies.into_iter().flatten().filter_map(|dependency| {
            let dev = dependency.get("kind").and_then(Value::as_str) == Some("dev");
            Some((text(dependency, "name")?, dev))
        });
        packages.insert(name.clone(), pairs.collect());
    }
    Ok(packages)
}

fn faults(packages: &Packages) -> Vec<String> {
    let mut faults = Vec::new();
    for (package, dependencies) in packages {
        let from = short(package);
        if from == "xtask" {
            continue;
        }
        let allowed = ALLOWED.iter().find(|(name, _)| *name == from).map(|(_, to)| *to);
        let Some(allowed) = allowed else {
            faults.push(format!("{from}: not in the table of crates/xtask/src/arrows.rs"));
            continue;
        };
        for (dependency, dev) in dependencies {
            let to = short(dependency);
            let ours = dependency.starts_with("strongroom-");
            if ours && !dev && !allowed.contains(&to) && !allowed.contains(&"*") {
                faults.push(format!("{from} must not depend on {to}"));
            }
            let reserved = RESERVED.iter().find(|(name, _)| name == dependency);
            if let Some((name, users)) = reserved
                && !dev
                && !users.contains(&from)
            {
                faults.push(format!("{from} must not use {name} directly"));
            }
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(from: &str, to: &str, dev: bool) -> Vec<String> {
        faults(&[(from.to_owned(), vec![(to.to_owned(), dev)])].into())
    }

    #[test]
    fn a_wrong_arrow_is_found() {
        assert_eq!(one("strongroom-domain", "strongroom-storage", false).len(), 1);
        assert_eq!(one("strongroom-app", "strongroom-engine", false).len(), 1);
        assert_eq!(one("strongroom-plan", "sqlx", false).len(), 1);
        assert_eq!(one("strongroom-unheard-of", "serde", false).len(), 1);
        assert!(one("strongroom-plan", "strongroom-domain", false).is_empty());
        assert!(one("strongroom-engine", "strongroom-lab", true).is_empty());
    }

    #[test]
    fn the_workspace_keeps_its_arrows() {
        check(&crate::parts::root()).unwrap();
    }
}
