//! `dev`, `test` and `ci`: one set of flags, so that nothing is compiled twice.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};

use crate::check;
use crate::command::run;
use crate::parts::{Scope, bring, cache_dir, root};

/// Cargo in the checkout, with the compile cache where it is there.
pub fn cargo(parts: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    let sccache = parts.join("sccache-0.16.0/sccache");
    if sccache.is_file() && std::env::var_os("RUSTC_WRAPPER").is_none() {
        command.env("RUSTC_WRAPPER", sccache);
        command.env("SCCACHE_CACHE_SIZE", "20G");
    }
    command
}

fn build(parts: &Path) -> Result<std::path::PathBuf> {
    println!("building strongroom (the first time takes some minutes)");
    run(cargo(parts).args(["build", "--package", "strongroom-server"]))?;
    Ok(target().join("debug/strongroom"))
}

/// Where cargo builds.
pub fn target() -> std::path::PathBuf {
    std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| root().join("target"), std::path::PathBuf::from)
}

/// Brings in the lab, builds, and becomes `strongroom dev`.
pub fn dev(arguments: &[String]) -> Result<()> {
    let parts = bring(Scope::Dev)?;
    let program = build(&parts)?;
    let error =
        Command::new(program).arg("dev").args(arguments).env("STRONGROOM_PARTS", &parts).exec();
    Err(error).context("start strongroom dev")
}

/// Runs the tests under one shared lab.
pub fn test(arguments: &[String]) -> Result<()> {
    let begun = Instant::now();
    let full = arguments.iter().any(|argument| argument == "--full");
    let filters: Vec<&String> = arguments.iter().filter(|a| *a != "--full").collect();
    let parts = bring(if full { Scope::Full } else { Scope::Test })?;
    let program = build(&parts)?;
    println!("building the tests");
    let nextest = parts.join("cargo-nextest-0.9.148/cargo-nextest");
    let mut build_tests = cargo(&parts);
    build_tests.args(["test", "--workspace", "--no-run", "--quiet"]);
    run(&mut build_tests)?;
    println!("starting one shared lab and running the tests");
    let cargo_command = cargo(&parts);
    let mut lab = Command::new(&program);
    lab.current_dir(root());
    for (name, value) in cargo_command.get_envs() {
        if let Some(value) = value {
            lab.env(name, value);
        }
    }
    lab.env("STRONGROOM_PARTS", &parts)
        .env("STRONGROOM_BIN", &program)
        .env("STRONGROOM_DEV_DIR", dev_dir());
    if full {
        lab.env("STRONGROOM_FULL", "1");
    }
    lab.args(["dev", "--lab", "--"]).arg(&nextest).args(["nextest", "run", "--workspace"]);
    if full {
        lab.args(["--profile", "full"]);
    }
    lab.args(filters);
    run(&mut lab).context("tests failed")?;
    println!("all tests passed after {:.0} s", begun.elapsed().as_secs_f64());
    Ok(())
}

/// Measures on a lab of its own; an optimized build, for what is measured is what would run.
pub fn bench(arguments: &[String]) -> Result<()> {
    let parts = bring(Scope::Dev)?;
    println!("building strongroom and the benchmarks (the first time takes many minutes)");
    // Without optimization over crates, which takes longer than it gives here.
    let mut build = cargo(&parts);
    build.env("CARGO_PROFILE_RELEASE_LTO", "off");
    let packages = ["--package", "strongroom-server", "--package", "strongroom-bench"];
    run(build.args(["build", "--release"]).args(packages))?;
    let release = target().join("release");
    let mut bench = Command::new(release.join("strongroom-bench"));
    bench
        .args(arguments)
        .env("STRONGROOM_PARTS", &parts)
        .env("STRONGROOM_BIN", release.join("strongroom"));
    run(&mut bench)
}

/// Where the shared lab of a test run lives. Two checkouts that test at the same time name their own.
fn dev_dir() -> std::path::PathBuf {
    std::env::var_os("STRONGROOM_DEV_DIR").map_or_else(|| cache_dir().join("test"), Into::into)
}

/// What CI runs, in the same order.
pub fn ci() -> Result<()> {
    let status = Command::new("bash").arg(root().join(".ci/run")).status()?;
    if status.success() { Ok(()) } else { bail!(".ci/run ended with {status}") }
}

/// Prints the environment of the compile cache for a shell.
pub fn cache_environment() -> Result<()> {
    let parts = bring(Scope::Test)?;
    for (name, value) in cargo(&parts).get_envs() {
        if let Some(value) = value {
            println!("export {}='{}'", name.to_string_lossy(), value.to_string_lossy());
        }
    }
    Ok(())
}

/// Cargo's own tools for the checks.
pub fn check_dependencies() -> Result<()> {
    let parts = bring(Scope::Test)?;
    let mut deny = Command::new(parts.join("cargo-deny-0.20.2/cargo-deny"));
    deny.current_dir(root()).args(["--log-level", "error", "check", "bans", "licenses", "sources"]);
    run(&mut deny)?;
    let mut shear = Command::new(parts.join("cargo-shear-1.14.0/cargo-shear"));
    shear.current_dir(root()).arg("shear");
    run(&mut shear)?;
    check::say("dependencies: allowed, licensed, used");
    Ok(())
}
