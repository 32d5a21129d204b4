//! Definitions of custom resources, out of the modules of the projects that publish them.
//!
//! Nothing of such a module is built or kept but the files that are named here. Where they come
//! from is pinned in a Go module of ours, with the checksum; one that it does not hold is refused,
//! whatever the network says about it.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::{install, root};
use crate::command::run_quietly;

/// The module of ours that pins them.
const PINNED: &str = "tests/lab/definitions";

/// What is taken out of one module.
pub(super) struct Definitions {
    /// The directory in the cache.
    pub(super) dir: &'static str,
    module: &'static str,
    files: &'static [&'static str],
}

/// Vault Secrets Operator is not among them: its module is not to be had.
pub(super) const DEFINITIONS: &[Definitions] = &[
    Definitions {
        dir: "external-secrets-1.3.2",
        module: "github.com/external-secrets/external-secrets",
        files: &[
            "config/crds/bases/external-secrets.io_externalsecrets.yaml",
            "config/crds/bases/external-secrets.io_secretstores.yaml",
        ],
    },
    Definitions {
        dir: "secrets-store-csi-driver-1.5.3",
        module: "sigs.k8s.io/secrets-store-csi-driver",
        files: &["config/crd/bases/secrets-store.csi.x-k8s.io_secretproviderclasses.yaml"],
    },
];

/// Brings in the files of one module.
pub(super) fn take(parts: &Path, wanted: &Definitions, go: &Path) -> Result<()> {
    install(parts, wanted.dir, |dir| {
        let pinned = root().join(PINNED);
        // Read before `go` runs, which could write to it.
        let sums = fs::read_to_string(pinned.join("go.sum"))?;
        let mut download = Command::new(go);
        download.current_dir(&pinned).args(["mod", "download", "-json", wanted.module]);
        let answer: Value = serde_json::from_str(&run_quietly(&mut download)?)?;
        let text = |name: &str| answer.get(name).and_then(Value::as_str);
        let text = |name: &str| text(name).with_context(|| format!("go tells no {name}"));
        let (version, sum) = (text("Version")?, text("Sum")?);
        let line = format!("{} {version} {sum}", wanted.module);
        ensure!(
            wanted.dir.ends_with(version.trim_start_matches('v')),
            "{PINNED}/go.mod names {version}, and the part is called {}",
            wanted.dir
        );
        ensure!(sums.lines().any(|known| known == line), "{PINNED}/go.sum does not hold: {line}");
        let source = Path::new(text("Dir")?);
        for file in wanted.files {
            let name = Path::new(file).file_name().context("a file without a name")?;
            fs::copy(source.join(file), dir.join(name)).with_context(|| format!("take {file}"))?;
        }
        Ok(())
    })
}
