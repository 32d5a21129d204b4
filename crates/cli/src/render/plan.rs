//! A frozen plan as a person reads it before signing. Made from the verified bytes only.

use std::fmt::Write as _;

use strongroom_domain::Digest;
use strongroom_domain::document::Document;
use strongroom_domain::request::Stage;
use strongroom_plan::Plan;

use super::diff::{self, StepDiff};
use super::text::{Style, clean, clean_block, count, time};
use super::words;

/// The whole plan, its hash at the end.
pub fn plan(plan: &Plan, documents: &[Document], hash: &Digest, style: Style) -> String {
    let mut out = String::new();
    heading(&mut out, plan, style);
    let mut aliases = words::aliases(documents);
    words::step_aliases(&mut aliases, &plan.steps);

    let _ = writeln!(out, "\n{}", style.bold("What changes"));
    for sentence in words::sentences(plan, documents, &aliases) {
        let _ = writeln!(out, "  - {}", clean(&sentence));
    }
    let _ = writeln!(out, "\n{}", style.bold("Who must sign"));
    out.push_str(&stages(&plan.stages));
    if !plan.pins.is_empty() {
        let _ = writeln!(out, "\n{}", style.bold("Namespaces trusted by UID"));
        for (namespace, uid) in &plan.pins {
            let again = if plan.attest.contains(namespace) { "  (trusted anew)" } else { "" };
            let _ = writeln!(out, "  {}  {}{again}", clean(namespace), clean(uid));
        }
    }
    if !plan.standing_orders.is_empty() {
        let _ = writeln!(out, "\n{}", style.bold("What the executor may do later without a vote"));
        for order in &plan.standing_orders {
            let _ = writeln!(out, "  - {}", clean(order));
        }
    }
    let writes = count(plan.steps.len(), "object", "objects");
    let _ = writeln!(out, "\n{}", style.bold(&format!("Writes to the engine ({writes})")));
    let steps: Vec<StepDiff> = plan.steps.iter().map(StepDiff::of_step).collect();
    indented(&mut out, &diff::steps(&steps, &aliases, style));
    let _ = writeln!(out, "\nPlan hash  {hash}");
    out
}

fn heading(out: &mut String, plan: &Plan, style: Style) {
    let title = format!("Plan of request {}, round {}", plan.request, plan.round);
    let _ = writeln!(out, "{}", style.bold(&title));
    let by = clean(&plan.submitter_display);
    let how = match plan.submitter.machine() {
        Some(_) => "nobody signed this; the name is the API's word".to_owned(),
        None => {
            format!("{} at {}", clean(&plan.submitter.person), clean(&plan.submitter.issuer))
        }
    };
    let _ = writeln!(out, "  asked by   {by} ({how})");
    for (number, line) in clean_block(&plan.reason).lines().enumerate() {
        let _ =
            writeln!(out, "  {}{line}", if number == 0 { "reason     " } else { "           " });
    }
    for document in &plan.documents {
        let base = match document.base_revision {
            0 => "new".to_owned(),
            base => format!("based on {base}"),
        };
        let _ = writeln!(
            out,
            "  document   {} revision {} ({base})",
            document.subject, document.revision
        );
    }
    let namespace = match plan.engine.vault_namespace.as_str() {
        "" => String::new(),
        name => format!(", vault namespace {}", clean(name)),
    };
    let _ = writeln!(out, "  engine     cluster {}{namespace}", clean(&plan.engine.cluster_id));
    let _ = writeln!(
        out,
        "  frozen     {}, good until {}",
        time(plan.frozen_at),
        time(plan.expires_at)
    );
    let _ = writeln!(out, "  risk       {}", style.risk(plan.risk.as_str()));
    for reason in &plan.reasons {
        let _ = writeln!(out, "             {}: {}", reason.risk, clean(&reason.text));
    }
}

/// The stages, one a line, in the order in which they are voted.
pub fn stages(stages: &[Stage]) -> String {
    let mut out = String::new();
    if stages.is_empty() {
        out.push_str("  nobody else: the submission itself is enough\n");
    }
    for (number, stage) in stages.iter().enumerate() {
        let groups: Vec<String> = stage.groups.iter().map(|group| clean(group)).collect();
        let _ = writeln!(
            out,
            "  {}. {}: {} of {}",
            number + 1,
            clean(&stage.name),
            count(stage.votes as usize, "person", "people"),
            groups.join(" or ")
        );
    }
    out
}

/// Adds a block, two spaces in.
pub fn indented(out: &mut String, block: &str) {
    for line in block.lines() {
        let _ = writeln!(out, "{}", format!("  {line}").trim_end());
    }
}
