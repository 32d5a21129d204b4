//! One subject with everything that is known about it.

use std::fmt::Write as _;

use strongroom_domain::document::team::{Binding, Holder};
use strongroom_domain::document::{Document, Team};
use strongroom_domain::name::{GroupName, ServiceAccountName};

use super::check::checked;
use super::event;
use super::plan::indented;
use super::table::{or_dash, table};
use super::text::{Style, clean, count, time_text};
use crate::verbs::describe::Described;

/// As people read it.
pub fn text(described: &Described, style: Style) -> String {
    let mut out = String::new();
    let state = described.state.as_deref().map(|state| style.state(state)).unwrap_or_default();
    let _ = writeln!(
        out,
        "{}  {state}  revision {}{}",
        style.bold(&clean(&described.subject)),
        described.revision,
        described
            .updated_at
            .as_deref()
            .map_or_else(String::new, |at| { format!(", last changed {}", time_text(at)) }),
    );
    match &described.decoded {
        Some(Document::Team(team)) => self::team(&mut out, team, described, style),
        Some(document) => {
            section(&mut out, "Document", &document.to_yaml(), style);
        }
        None => out.push_str("\nthe document cannot be read by this client; a newer one may\n"),
    }
    findings(&mut out, described, style);
    requests(&mut out, described, style);
    if !described.events.is_empty() {
        let rows = event::events(&described.events, false).table(true);
        section(&mut out, "What happened last", &rows, style);
    }
    next(&mut out, described, style);
    out
}

fn section(out: &mut String, title: &str, text: &str, style: Style) {
    let _ = writeln!(out, "\n{}", style.bold(title));
    indented(out, text);
}

fn team(out: &mut String, team: &Team, described: &Described, style: Style) {
    let groups = |list: &[GroupName]| {
        or_dash(Some(&list.iter().map(GroupName::as_str).collect::<Vec<_>>().join(", ")))
    };
    if described.binding.is_none() {
        let limit = team.requests_per_second.map_or_else(
            || "none".to_owned(),
            |rate| format!("{rate} requests a second, per mount"),
        );
        for (name, value) in [
            ("called", clean(&team.display_name)),
            ("contact", clean(&team.contact)),
            ("owners", groups(&team.people.owners)),
            ("editors", groups(&team.people.editors)),
            ("viewers", groups(&team.people.viewers)),
            ("limit", limit),
        ] {
            let _ = writeln!(out, "  {name:<8} {value}");
        }
        if team.removed {
            out.push_str("  the team is taken off: all access has ended, its data is kept\n");
        }
        let mounts = team.mounts.iter().map(|mount| {
            vec![
                format!("team/{}/{}", team.name, mount.name),
                format!(
                    "keeps {}",
                    count(usize::try_from(mount.max_versions).unwrap_or(0), "version", "versions")
                ),
            ]
        });
        rows(out, "Mounts", &[], mounts, style);
        let claims = team.namespaces.iter().map(|claim| {
            vec![
                format!("{}/{}", claim.cluster, claim.name),
                claim.environment.as_str().to_owned(),
                format!("tokens live {}", claim.token_ttl),
            ]
        });
        rows(out, "Namespaces", &[], claims, style);
    }
    let shown = team.bindings.iter().filter(|binding| {
        described.binding.as_ref().is_none_or(|name| binding.name.as_str() == name)
    });
    rows(out, "Bindings", &["NAME", "WHO", "MAY", "UNTIL"], shown.map(binding), style);
    let accounts =
        described.bindings.iter().map(|row| {
            let place = [&row.cluster, &row.namespace, &row.account];
            let place: Vec<&str> = place.into_iter().filter_map(|part| part.as_deref()).collect();
            let whose = row.team.as_deref().filter(|whose| *whose != team.name.as_str());
            vec![
                clean(&whose.map_or_else(
                    || row.binding.clone(),
                    |whose| format!("{whose}/{}", row.binding),
                )),
                or_dash(Some(&place.join("/"))),
                row.state.clone(),
                or_dash(row.account_uid.as_deref()),
                checked(row.check.as_ref()),
                or_dash(row.reason.as_deref()),
            ]
        });
    rows(
        out,
        "How they stand",
        &["BINDING", "ACCOUNT", "STATE", "UID", "CHECKED", "WHY"],
        accounts,
        style,
    );
}

fn binding(binding: &Binding) -> Vec<String> {
    let who = match &binding.holder {
        Holder::People { group } => format!("people in {group}"),
        Holder::Accounts { cluster, namespace, accounts, .. } => {
            let names: Vec<&str> = accounts.iter().map(ServiceAccountName::as_str).collect();
            format!("{cluster}/{namespace}: {}", names.join(", "))
        }
    };
    let may = binding
        .access
        .iter()
        .map(|access| format!("{} {}/{}", access.level.as_str(), access.mount, access.path));
    vec![
        binding.name.to_string(),
        who,
        may.collect::<Vec<_>>().join(", "),
        binding.until.map_or_else(|| "-".to_owned(), |until| until.to_string()),
    ]
}

fn rows(
    out: &mut String,
    title: &str,
    headers: &[&str],
    rows: impl Iterator<Item = Vec<String>>,
    style: Style,
) {
    let rows: Vec<_> = rows.collect();
    if !rows.is_empty() {
        section(out, title, &table(headers, &rows, headers.is_empty()), style);
    }
}

fn findings(out: &mut String, described: &Described, style: Style) {
    if described.findings.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n{}", style.bold("What is not as it should be"));
    for each in &described.findings {
        let by =
            each.culprit.as_deref().map_or_else(String::new, |who| format!(" (by {})", clean(who)));
        let _ = writeln!(
            out,
            "  {} since {}: {}{by}\n    next: {}",
            style.yellow(&clean(&each.severity)),
            time_text(&each.first_seen),
            clean(&each.text),
            clean(&each.next_step)
        );
    }
}

fn requests(out: &mut String, described: &Described, style: Style) {
    let open = described.requests.iter().map(|each| {
        vec![
            each.request_id.to_string(),
            each.state.clone(),
            or_dash(each.risk.as_deref()),
            or_dash(each.submitted_by.as_ref().map(|who| who.display.as_str())),
            or_dash(Some(&each.reason)),
        ]
    });
    let headers = ["REQUEST", "STATE", "RISK", "ASKED BY", "REASON"];
    rows(out, "Requests that are open", &headers, open, style);
}

fn next(out: &mut String, described: &Described, style: Style) {
    let subject = clean(&described.subject);
    let mut lines = vec![format!("strongroom get document {subject} -o yaml")];
    if let Some(Document::Team(team)) = &described.decoded {
        let name = described.binding.as_deref();
        let first = team.bindings.iter().map(|each| each.name.as_str());
        if let Some(binding) = name.or_else(|| first.into_iter().next()) {
            lines.push(format!("strongroom kit {}/{binding}", team.name));
        }
    }
    section(out, "Next", &(lines.join("\n") + "\n"), style);
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::verify::tests::TEAM;

    fn described(bindings: &Value, findings: &Value, requests: &Value) -> Described {
        let decoded = Document::from_yaml(TEAM).unwrap().remove(0);
        Described {
            subject: "team/payments".into(),
            binding: None,
            revision: 4,
            state: Some("applied".into()),
            updated_at: Some("2026-11-23T12:00:00Z".into()),
            document: decoded.to_value(),
            bindings: serde_json::from_value(bindings.clone()).unwrap(),
            findings: serde_json::from_value(findings.clone()).unwrap(),
            requests: serde_json::from_value(requests.clone()).unwrap(),
            events: Vec::new(),
            decoded: Some(decoded),
        }
    }

    #[test]
    fn a_team_is_told_in_one_look() {
        let described = described(
            &json!([{
                "team": "payments", "binding": "api", "cluster": "prod-eu",
                "namespace": "payments-prod", "account": "api", "accountUid": "0199",
                "state": "suspended", "reason": "the namespace is gone",
            }]),
            &json!([{
                "key": "drift policy team.payments.binding.api", "kind": "drift",
                "severity": "info", "text": "policy team.payments.binding.api ends earlier",
                "nextStep": "a request gives it back", "culprit": "root from 127.0.0.1",
                "firstSeen": "2026-11-23T11:00:00Z",
            }]),
            &json!([{
                "requestId": "0199b5d0-0000-7000-8000-000000000002", "state": "in_review",
                "risk": "high", "reason": "PAY-12", "createdAt": "2026-11-23T11:00:00Z",
                "submittedBy": { "display": "alice" },
            }]),
        );
        insta::assert_snapshot!(text(&described, Style::PLAIN));
    }
}
