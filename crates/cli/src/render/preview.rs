//! What the API says documents would change. A preview binds nobody; the frozen plan does.

use std::fmt::Write as _;

use strongroom_domain::document::Document;
use strongroom_domain::hold::Target;

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
    out.push_str(&holds(preview, style));
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

/// What stands still although the document says otherwise, and how it goes on.
pub fn holds(preview: &Preview, style: Style) -> String {
    let mut out = String::new();
    for hold in &preview.holds {
        let target = hold.target.to_string();
        let word = match (&hold.target, hold.blocks) {
            (_, true) => "frozen",
            (Target::Platform, _) => "frozen: nothing is applied",
            _ => "suspended",
        };
        let line = format!("{target} is {word} ({})", clean(&hold.reason));
        let _ = writeln!(out, "  {}", style.yellow(&line));
        let _ = writeln!(out, "  {}", lift(&hold.target, preview));
    }
    out
}

fn lift(target: &Target, preview: &Preview) -> String {
    let own = preview.documents.iter().any(|document| document.subject == target.subject());
    if own {
        format!("applying the document does not lift that: add `--lift {target}` and a reason")
    } else {
        format!("only a request of the platform team with `--lift {target}` lifts that")
    }
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_stands_still_is_said_with_the_way_out() {
        let preview: Preview = serde_json::from_value(json!({
            "documents": [{ "subject": "team/payments", "baseRevision": 3, "baseHash": null,
                "document": {}, "changed": false }],
            "unchanged": true, "risk": "low",
            "holds": [
                { "target": "team/payments/api", "reason": "INC-7", "blocks": false },
                { "target": "cluster/prod-eu", "reason": "INC-8", "blocks": false },
                { "target": "team/payments", "reason": "rows differ", "blocks": true },
            ],
        }))
        .unwrap();
        insta::assert_snapshot!(holds(&preview, Style::PLAIN), @r"
          team/payments/api is suspended (INC-7)
          applying the document does not lift that: add `--lift team/payments/api` and a reason
          cluster/prod-eu is suspended (INC-8)
          only a request of the platform team with `--lift cluster/prod-eu` lifts that
          team/payments is frozen (rows differ)
          applying the document does not lift that: add `--lift team/payments` and a reason
        ");
    }
}
