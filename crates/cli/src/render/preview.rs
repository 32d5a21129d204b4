//! What the API says documents would change. A preview binds nobody; the frozen plan does.

use std::fmt::Write as _;

use strongroom_domain::document::Document;

use super::diff::{self, StepDiff};
use super::plan::indented;
use super::signers;
use super::text::{Style, clean, count, time_text};
use super::words;
use crate::api::types::Preview;

/// Summary, risk, steps and signers.
pub fn preview(preview: &Preview, documents: &[Document], style: Style) -> String {
    let mut out = String::new();
    for document in &preview.documents {
        let state = match (document.changed, document.base_revision) {
            (false, _) => "no change".to_owned(),
            (true, 0) => "new".to_owned(),
            (true, base) => format!("changes revision {base}"),
        };
        let _ = writeln!(out, "{}  {state}", style.bold(&document.subject.to_string()));
    }
    section(&mut out, "What changes", &preview.summary, style);
    let _ = writeln!(out, "\n{}  {}", style.bold("Risk"), style.risk(preview.risk.as_str()));
    for reason in &preview.reasons {
        let _ = writeln!(out, "  - {}: {}", reason.risk, clean(&reason.text));
    }
    signers(&mut out, preview, style);
    accounts(&mut out, preview, style);
    let writes = count(preview.steps.len(), "object", "objects");
    let _ = writeln!(out, "\n{}", style.bold(&format!("Writes to the engine ({writes})")));
    indented(&mut out, &steps(preview, documents, style));
    match &preview.observed_at {
        Some(at) => {
            let _ = writeln!(out, "\nas of what was observed at {}", time_text(at));
        }
        None => out.push_str("\nthe engine has not been observed for this yet\n"),
    }
    out
}

/// Only the steps.
pub fn steps(preview: &Preview, documents: &[Document], style: Style) -> String {
    let steps: Vec<StepDiff> = preview.steps.iter().map(StepDiff::of_view).collect();
    diff::steps(&steps, &words::aliases(documents), style)
}

fn section(out: &mut String, title: &str, lines: &[String], style: Style) {
    if lines.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n{}", style.bold(title));
    for line in lines {
        let _ = writeln!(out, "  - {}", clean(line));
    }
}

fn signers(out: &mut String, preview: &Preview, style: Style) {
    let _ = writeln!(out, "\n{}", style.bold("Who must sign"));
    if preview.stages.is_empty() {
        out.push_str("  nobody else: your signature is enough\n");
    }
    for (number, stage) in preview.stages.iter().enumerate() {
        let groups: Vec<String> = stage.groups.iter().map(|group| clean(group)).collect();
        let known = signers::known(stage, "you", style);
        let _ = writeln!(
            out,
            "  {}. {}: {} of {} ({known})",
            number + 1,
            clean(&stage.name),
            count(stage.votes as usize, "person", "people"),
            groups.join(" or ")
        );
    }
}

fn accounts(out: &mut String, preview: &Preview, style: Style) {
    if preview.accounts.is_empty() {
        return;
    }
    let _ =
        writeln!(out, "\n{}", style.bold("Service accounts, as the cluster last reported them"));
    for account in &preview.accounts {
        let name = format!("{}/{}/{}", account.cluster, account.namespace, account.account);
        let state = match (&account.namespace_uid, &account.uid) {
            (None, _) => style.yellow("the namespace is not there"),
            (Some(_), None) => style.yellow("not there yet; it is attached once it is"),
            (Some(_), Some(uid)) => {
                let made = account
                    .created_at
                    .as_deref()
                    .map_or_else(String::new, |at| format!(", made {}", time_text(at)));
                format!("UID {}{made}", clean(uid))
            }
        };
        let _ = writeln!(out, "  {}  {state}", clean(&name));
    }
}
