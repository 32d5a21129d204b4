//! `dist`: a release that runs on any Linux of this processor: one static program, what to run it
//! from, what is in it, and checksums.
//!
//! It never makes a release of what is not committed: whoever has the file must be able to find its
//! source.

mod elf;
mod sbom;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::command::{run, run_quietly};
use crate::parts::{Scope, bring, root};
use crate::run::{cargo, target};

/// The crate of the program.
const PACKAGE: &str = "strongroom-server";

/// How often the program is started to tell how long that takes.
const STARTS: usize = 21;

/// Builds, packs and tells what it costs.
pub fn dist(arguments: &[String]) -> Result<()> {
    if let Some(unknown) = arguments.iter().find(|argument| *argument != "--dirty") {
        bail!("dist takes --dirty only, not {unknown:?}");
    }
    let commit = git(&["rev-parse", "--short=12", "HEAD"])?;
    let time = git(&["show", "--no-patch", "--format=%ct", "HEAD"])?;
    let is_dirty = !git(&["status", "--porcelain"])?.is_empty();
    if is_dirty && arguments.is_empty() {
        bail!("there are changes that are not committed; commit them, or try with --dirty");
    }
    let parts = bring(Scope::Dev)?;
    let platform = host()?;
    let metadata = metadata(&parts, &platform)?;
    let version = sbom::version_of(&metadata, PACKAGE)?;
    println!("building strongroom {version} for {platform} (optimized: many minutes)");
    let program = build(&parts, &platform, &commit)?;
    if let Some(interpreter) = elf::interpreter(&std::fs::read(&program)?)? {
        bail!("the program is not static: it wants {interpreter}");
    }

    let suffix = if is_dirty { "-dirty" } else { "" };
    let name = format!("strongroom-{version}-{commit}{suffix}-{platform}");
    let dir = target().join("dist").join(&name);
    if dir.exists() {
        std::fs::remove_dir_all(&dir)?;
    }
    std::fs::create_dir_all(&dir)?;
    std::fs::copy(&program, dir.join("strongroom"))?;
    run(Command::new("cp").arg("-R").arg(root().join("deploy")).arg(dir.join("deploy")))?;
    std::fs::copy(root().join("docs/LICENSE"), dir.join("LICENSE"))?;
    let lock = std::fs::read_to_string(root().join("Cargo.lock"))?;
    let bill = sbom::bill(&metadata, &lock, PACKAGE, &commit)?;
    let components = bill["components"].as_array().map_or(0, Vec::len);
    std::fs::write(dir.join("sbom.cdx.json"), format!("{bill:#}\n"))?;
    checksums(&dir)?;
    let archive = pack(&dir, &name, &time)?;
    tell(&dir, &archive, components)
}

fn git(arguments: &[&str]) -> Result<String> {
    let text = run_quietly(Command::new("git").current_dir(root()).args(arguments))?;
    Ok(text.trim().to_owned())
}

/// The platform this compiler builds for by itself. It is named to cargo all the same: so build
/// scripts and macros, which must load libraries, are not static.
fn host() -> Result<String> {
    let text = run_quietly(Command::new("rustc").arg("-vV").current_dir(root()))?;
    let line = text.lines().find_map(|line| line.strip_prefix("host: "));
    line.map(str::to_owned).context("rustc tells no host")
}

fn metadata(parts: &Path, platform: &str) -> Result<Value> {
    let mut command = cargo(parts);
    command.args(["metadata", "--format-version=1", "--locked"]);
    let text = run_quietly(command.args(["--filter-platform", platform]))?;
    serde_json::from_str(&text).context("read what cargo tells of the workspace")
}

fn build(parts: &Path, platform: &str, commit: &str) -> Result<PathBuf> {
    let mut build = cargo(parts);
    // No path of this machine in the program: the same commit gives the same bytes elsewhere.
    let home = std::env::var("CARGO_HOME")
        .or_else(|_| std::env::var("HOME").map(|home| format!("{home}/.cargo")))?;
    let flags = format!(
        "-C target-feature=+crt-static --remap-path-prefix={home}=/cargo --remap-path-prefix={}=/source",
        root().display()
    );
    let variable = platform.to_uppercase().replace('-', "_");
    build.env(format!("CARGO_TARGET_{variable}_RUSTFLAGS"), flags);
    build.env("STRONGROOM_COMMIT", commit);
    build.args(["build", "--release", "--locked", "--target", platform, "--package", PACKAGE]);
    run(&mut build)?;
    Ok(target().join(platform).join("release/strongroom"))
}

fn checksums(dir: &Path) -> Result<()> {
    let mut files = run_quietly(Command::new("find").current_dir(dir).args([".", "-type", "f"]))?
        .lines()
        .map(str::to_owned)
        .collect::<Vec<_>>();
    files.sort();
    let sums = run_quietly(Command::new("sha256sum").current_dir(dir).args(&files))?;
    Ok(std::fs::write(dir.join("SHA256SUMS"), sums)?)
}

/// Packs with the commit's time and nobody's name, so that the same content is the same archive.
fn pack(dir: &Path, name: &str, time: &str) -> Result<PathBuf> {
    let parent = dir.parent().context("a directory has a parent")?;
    let archive = parent.join(format!("{name}.tar.gz"));
    let mut tar = Command::new("tar");
    tar.current_dir(parent).args(["--sort=name", "--owner=0", "--group=0", "--numeric-owner"]);
    tar.arg(format!("--mtime=@{time}")).args(["--use-compress-program=gzip -n -9", "-cf"]);
    run(tar.arg(&archive).arg(name))?;
    Ok(archive)
}

fn tell(dir: &Path, archive: &Path, components: usize) -> Result<()> {
    let mib = |path: &Path| -> Result<String> {
        let bytes = std::fs::metadata(path)?.len();
        Ok(format!("{}.{} MiB", bytes >> 20, ((bytes >> 10) & 1023) * 10 / 1024))
    };
    let program = dir.join("strongroom");
    let mut took: Vec<Duration> = Vec::new();
    for _ in 0..STARTS {
        let begun = Instant::now();
        // As on a bare host: nothing of this shell.
        run_quietly(Command::new(&program).arg("version").env_clear())?;
        took.push(begun.elapsed());
    }
    took.sort_unstable();
    println!("{}", archive.display());
    println!("  program     {}, static", mib(&program)?);
    println!("  archive     {}", mib(archive)?);
    println!("  start-up    {:.1} ms (median of {STARTS})", took[STARTS / 2].as_secs_f64() * 1e3);
    println!("  components  {components} in sbom.cdx.json");
    println!("verify it with: tar -xzf … && sha256sum -c SHA256SUMS");
    Ok(())
}
