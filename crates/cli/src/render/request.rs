//! One change request with everything that is known about it.

use std::fmt::Write as _;

use strongroom_domain::act::Submission;
use strongroom_domain::document::node;

use super::diff;
use super::event;
use super::plan::indented;
use super::signers;
use super::text::{Style, clean, clean_block, time_text};
use crate::api::types::{ActItemView, EventView, RequestView};
use crate::verify::VerifiedPlan;

/// What is known about one act after its receipt was looked at.
#[derive(Debug, Clone)]
pub struct JudgedAct {
    /// As the API tells it.
    pub act: ActItemView,
    /// Whether the receipt's signature is the executor's; `None` without a signature.
    pub verified: Option<bool>,
}

/// State, plan, votes, acts and timeline.
pub fn request(
    request: &RequestView,
    plan: Option<&VerifiedPlan>,
    acts: &[JudgedAct],
    events: &[EventView],
    style: Style,
) -> String {
    let mut out = String::new();
    heading(&mut out, request, style);
    match plan {
        Some(plan) => {
            out.push('\n');
            out.push_str(&super::plan::plan(&plan.plan, &plan.documents, &plan.hash, style));
            votes(&mut out, request, plan, acts, style);
        }
        None => documents(&mut out, request, style),
    }
    if !acts.is_empty() {
        let _ = writeln!(out, "\n{}", style.bold("Acts"));
        for act in acts {
            act_line(&mut out, act, style);
        }
    }
    if !events.is_empty() {
        let _ = writeln!(out, "\n{}", style.bold("Timeline"));
        for each in events {
            let details = event::details(&each.event, false);
            let who = clean(&event::who(&each.event));
            let _ = writeln!(
                out,
                "  {}  {:<20}  {who:<16}  {details}",
                time_text(&each.at),
                clean(&each.kind)
            );
        }
    }
    out
}

/// What was asked for, for who says no to it before there is a plan.
pub fn submission(submission: &Submission) -> String {
    let mut out = format!("Request {}\n", submission.request);
    let reason = clean_block(&submission.reason);
    let _ = writeln!(out, "  {:<10} {}", "reason", reason.lines().next().unwrap_or_default());
    for sent in &submission.documents {
        let base = match sent.base_revision {
            0 => "new".to_owned(),
            number => format!("on revision {number}"),
        };
        let _ = writeln!(out, "  {:<10} {} ({base})", "document", sent.subject);
    }
    for namespace in &submission.attest {
        let _ = writeln!(out, "  {:<10} {}", "reattest", clean(namespace));
    }
    for target in &submission.lift {
        let _ = writeln!(out, "  {:<10} {target}", "lift");
    }
    out.push_str("  there is no frozen plan yet: what is signed is a no to this submission\n");
    out
}

fn heading(out: &mut String, request: &RequestView, style: Style) {
    let _ = writeln!(out, "{}", style.bold(&format!("Request {}", request.request_id)));
    let mut line = |name: &str, text: &str| {
        let _ = writeln!(out, "  {name:<10} {text}");
    };
    let reason = request.state_reason.as_deref().filter(|reason| !reason.is_empty());
    let why = reason.map_or_else(String::new, |reason| format!(": {}", clean(reason)));
    line("state", &format!("{}{why}", style.state(&request.state)));
    line("asked by", &clean(&request.submitted_by.display));
    line("reason", clean_block(&request.reason).lines().next().unwrap_or_default());
    line("created", &time_text(&request.created_at));
    if let Some(at) = &request.expires_at {
        line("expires", &time_text(at));
    }
    if let Some(risk) = &request.risk {
        line("risk", &style.risk(risk));
    }
    for document in &request.documents {
        line("document", &format!("{} revision {}", clean(&document.subject), document.revision));
    }
    for target in &request.lift {
        line("lets go on", &clean(target));
    }
    for namespace in &request.attest {
        line("trust anew", &clean(namespace));
    }
}

/// Without a frozen plan: what is proposed against what it is based on, as the API tells it.
fn documents(out: &mut String, request: &RequestView, style: Style) {
    let _ = writeln!(out, "\nno plan is frozen; this is what is proposed");
    for document in &request.documents {
        let _ = writeln!(out, "\n{}", style.bold(&clean(&document.subject)));
        let before = document.base_document.as_ref().map(node::to_yaml).unwrap_or_default();
        let after = node::to_yaml(&document.document);
        let mut block = String::new();
        diff::lines(&mut block, &before, &after, "", style);
        indented(out, &block);
    }
}

/// Who counts in which stage, by verified receipts of this round.
fn votes(
    out: &mut String,
    request: &RequestView,
    plan: &VerifiedPlan,
    acts: &[JudgedAct],
    style: Style,
) {
    let _ = writeln!(out, "\n{}", style.bold("Votes"));
    if plan.plan.stages.is_empty() {
        out.push_str("  none needed\n");
    }
    for stage in &plan.plan.stages {
        let names: Vec<String> = acts
            .iter()
            .filter(|each| each.act.kind == "approve" && each.act.stage == stage.name)
            .filter(|each| each.act.round == plan.plan.round && each.verified == Some(true))
            .filter_map(|each| each.act.receipt.as_ref())
            .filter(|receipt| receipt.verdict == "counted")
            .map(|receipt| {
                receipt.person.as_ref().map_or_else(|| "?".to_owned(), |who| clean(&who.display))
            })
            .collect();
        let filled = names.len() >= stage.votes as usize;
        let text = format!("{} of {}", names.len(), stage.votes);
        let text = if filled { style.green(&text) } else { style.yellow(&text) };
        let who = if names.is_empty() { String::new() } else { format!("  {}", names.join(", ")) };
        let _ = writeln!(out, "  {}: {text}{who}", clean(&stage.name));
        // Whom to ask, while somebody is still to be asked.
        let told = request.stages.iter().find(|told| told.name == stage.name);
        if let Some(told) = told.filter(|_| !filled && request.state == "in_review") {
            let submitter = format!("{}, who submitted it", clean(&request.submitted_by.display));
            let _ = writeln!(out, "    {}", signers::known(told, &submitter, style));
        }
    }
}

fn act_line(out: &mut String, judged: &JudgedAct, style: Style) {
    let act = &judged.act;
    let claimed = act.claimed_by.as_ref().map(|who| clean(&who.display));
    let signed = act.receipt.as_ref().and_then(|receipt| receipt.person.as_ref());
    let who = signed
        .map(|who| clean(&who.display))
        .or_else(|| claimed.map(|name| format!("{name} (not verified)")))
        .unwrap_or_else(|| "somebody".to_owned());
    let stage = match act.stage.as_str() {
        "" => String::new(),
        stage => format!(" for {}", clean(stage)),
    };
    let verdict = match (&act.receipt, judged.verified) {
        (None, _) => style.yellow("the executor has not answered yet"),
        (Some(receipt), None) if receipt.verdict == "refused" => {
            let reason = receipt.reason.as_deref().unwrap_or("no reason given");
            style.red(&format!("refused: {} (not signed)", clean(reason)))
        }
        (Some(_), Some(false) | None) => {
            style.red("the receipt does not carry the executor's signature")
        }
        (Some(receipt), Some(true)) if receipt.verdict == "counted" => style.green("counted"),
        (Some(receipt), Some(true)) => {
            let reason = receipt.reason.as_deref().unwrap_or("no reason given");
            style.red(&format!("refused: {}", clean(reason)))
        }
    };
    let at = time_text(&act.received_at);
    let _ = writeln!(out, "  {at}  {who}: {}{stage}: {verdict}", clean(&act.kind));
    if !act.comment.is_empty() {
        let _ = writeln!(out, "      {}", clean(&act.comment));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::verify::tests::sample_plan;

    fn act(kind: &str, stage: &str, who: &str, receipt: &serde_json::Value) -> ActItemView {
        serde_json::from_value(json!({ "actId": "7", "kind": kind, "round": 1, "stage": stage,
            "comment": "", "claimedBy": { "display": who },
            "receivedAt": "2026-11-23T18:01:00Z", "receipt": receipt }))
        .unwrap()
    }

    #[test]
    fn votes_are_those_with_the_executors_signature() {
        let request_view: RequestView = serde_json::from_value(json!({
            "requestId": sample_plan(0).request, "state": "in_review", "round": 1, "risk": "high",
            "reason": "PAY-12", "createdAt": "2026-11-23T18:00:00Z", "documents": [],
            "submittedBy": { "issuer": "i", "person": "e-1", "display": "alice" } }))
        .unwrap();
        let plan = sample_plan(0);
        let verified = VerifiedPlan {
            hash: strongroom_plan::Plan::hash_of(&plan.canonical()),
            documents: Vec::new(),
            plan,
        };
        let receipt = |verdict: &str, who: &str, reason: Option<&str>| {
            json!({ "verdict": verdict, "reason": reason,
                "person": { "issuer": "i", "person": who, "display": who } })
        };
        let (owners, platform) = ("owners of payments", "platform");
        let counted = receipt("counted", "bob", None);
        let refused =
            receipt("refused", "alice", Some("the submitter's own approval does not count"));
        let forged = receipt("counted", "mallory", None);
        let judged = |act, verified| JudgedAct { act, verified };
        let acts = [
            judged(act("approve", owners, "bob", &counted), Some(true)),
            judged(act("approve", owners, "alice", &refused), None),
            judged(act("approve", platform, "mallory", &forged), Some(false)),
            judged(act("approve", platform, "sue", &json!(null)), None),
        ];
        let text = request(&request_view, Some(&verified), &acts, &[], Style::PLAIN);
        let votes = text.split_once("\nVotes\n").unwrap().1;
        insta::assert_snapshot!(votes);
    }
}
