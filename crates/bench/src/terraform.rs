//! The peer that people know: Terraform's core alone, with its builtin resource that calls nobody.
//! A floor in its favour.

use std::fmt::Write as _;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};

use crate::measure::Row;

/// Resources of one team, as in the peer's usual layout.
const PER_TEAM: usize = 7;

/// Apply and a plan without change; `None` where there is no `terraform`.
pub fn measure(teams: usize) -> Result<Option<Vec<Row>>> {
    let version = Command::new("terraform").arg("version").output();
    let Ok(version) = version.as_ref().map(|out| String::from_utf8_lossy(&out.stdout)) else {
        return Ok(None);
    };
    let version = version.lines().next().unwrap_or_default().to_owned();
    let dir = tempfile::tempdir()?;
    let mut text = String::new();
    for number in 0..teams * PER_TEAM {
        writeln!(text, "resource \"terraform_data\" \"r{number}\" {{\n  input = \"{number}\"\n}}")?;
    }
    std::fs::write(dir.path().join("main.tf"), text)?;
    let run = |arguments: &[&str]| -> Result<f64> {
        let begun = Instant::now();
        let output = Command::new("terraform")
            .args(arguments)
            .current_dir(dir.path())
            .env("CHECKPOINT_DISABLE", "1")
            .env("TF_IN_AUTOMATION", "1")
            .output()
            .context("start terraform")?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(begun.elapsed().as_secs_f64())
    };
    run(&["init", "-input=false"])?;
    let apply = run(&["apply", "-input=false", "-auto-approve"])?;
    let plan = run(&["plan", "-input=false", "-detailed-exitcode"])?;
    Ok(Some(vec![
        Row::new(2, "peer: `terraform apply`, core only, flat", teams)
            .shows(format!("{apply:.1} s"))
            .beside(format!("{version}, {} resources, no HTTP at all", teams * PER_TEAM)),
        Row::new(3, "peer: `terraform plan` without change, core only, flat", teams)
            .shows(format!("{plan:.1} s"))
            .beside("plus one GET per resource by a real provider"),
    ]))
}
