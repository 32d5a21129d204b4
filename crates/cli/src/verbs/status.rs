//! `status`: how the deployment stands, for who runs it, on one screen.

use std::fmt::Write as _;

use crate::api::types::{CountView, StatusView};
use crate::client::Client;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output;
use crate::render::table::Columns;
use crate::render::text::{clean, time_text};

/// Shows it.
pub async fn run(client: &Client) -> Result<Exit, Failure> {
    output::no_columns(client.output.as_ref())?;
    let status = client.api.status().await?;
    match &client.output {
        Some(shape) if shape.is_value() => client.screen.data(&output::value(&status, shape)?),
        _ => client.screen.data(&text(&status)),
    }
    Ok(Exit::Ok)
}

fn text(status: &StatusView) -> String {
    let mut lines = vec![line("server", &format!("strongroom {}", clean(&status.version)))];
    lines.push(match &status.executor {
        None => line("executor", "none was ever at work: nothing is frozen or applied"),
        Some(executor) if executor.at_work => {
            let looked = executor.looked_at.as_deref().map(time_text);
            let looked = looked.map(|at| format!(", looked at the engine {at}"));
            let what = format!(
                "at work: {} in epoch {}{}",
                clean(&executor.holder),
                executor.epoch,
                looked.unwrap_or_default()
            );
            line("executor", &what)
        }
        Some(executor) => {
            let since = time_text(&executor.lease_until);
            let what = format!("none is at work since {since}: nothing is frozen or applied");
            line("executor", &what)
        }
    });
    if let Some(engine) = &status.engine {
        let what = format!("{}: {}", clean(&engine.name), clean(&engine.product));
        lines.push(line("engine", &what));
    }
    lines.push(line("open requests", &counts(&status.requests)));
    lines.push(line("waiting", &counts(&status.queue)));
    lines.push(line("findings", &counts(&status.findings)));
    lines.push(line("subjects", &counts(&status.subjects)));
    let mut text = lines.concat();
    if !status.clusters.is_empty() {
        let rows = status.clusters.iter().map(|cluster| {
            let seen = if cluster.known {
                "now".to_owned()
            } else {
                let why = clean(cluster.reason.as_deref().unwrap_or_default());
                format!("not since {}: {why}", time_text(&cluster.as_of))
            };
            let (namespaces, accounts) = (cluster.namespaces, cluster.service_accounts);
            vec![cluster.cluster.clone(), namespaces.to_string(), accounts.to_string(), seen]
        });
        let headers = ["CLUSTER", "NAMESPACES", "ACCOUNTS", "SEEN"];
        let _ = write!(text, "\n{}", Columns::new(&headers, rows.collect()).table(false));
    }
    if !status.standing_still.is_empty() {
        let rows = status.standing_still.iter().map(|still| {
            let how = if still.differs { "engine and database differ: " } else { "" };
            vec![still.target.clone(), format!("{how}{}", still.reason)]
        });
        let table = Columns::new(&["STANDS STILL", "WHY"], rows.collect()).table(false);
        let _ = write!(text, "\n{table}");
    }
    text
}

fn line(name: &str, what: &str) -> String {
    format!("{name:<15} {what}\n")
}

fn counts(counts: &[CountView]) -> String {
    let some = counts.iter().filter(|each| each.count > 0).map(|each| {
        let oldest = each.oldest.as_deref().map(time_text);
        let oldest = oldest.map(|at| format!(" (the oldest of {at})")).unwrap_or_default();
        format!("{} {}{oldest}", each.count, clean(&each.of))
    });
    let some: Vec<String> = some.collect();
    if some.is_empty() { "none".to_owned() } else { some.join(", ") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_waits_and_what_stands_still_is_on_one_screen() {
        let status: StatusView = serde_json::from_value(json!({
            "version": "0.1.0",
            "now": "2026-11-23T12:00:00Z",
            "engine": { "name": "prod", "product": "OpenBao 2.7.2", "clusterId": "x" },
            "executor": {
                "atWork": false, "holder": "host-1", "epoch": 7,
                "leaseUntil": "2026-11-23T11:00:00Z", "lookedAt": null,
            },
            "clusters": [{
                "cluster": "prod-eu", "known": false, "reason": "no answer", "namespaces": 2,
                "asOf": "2026-11-23T10:00:00Z", "serviceAccounts": 3,
            }],
            "requests": [{ "of": "in_review", "count": 2, "oldest": "2026-11-22T12:00:00Z" }],
            "queue": [{ "of": "acts", "count": 0, "oldest": null }],
            "findings": [],
            "subjects": [{ "of": "team/applied", "count": 41, "oldest": null }],
            "standingStill": [{ "target": "team/shop", "reason": "INC-7", "differs": false }],
        }))
        .unwrap();
        let shown = text(&status);
        for part in [
            "executor        none is at work since 2026-11-23 11:00",
            "open requests   2 in_review (the oldest of 2026-11-22 12:00",
            "waiting         none",
            "subjects        41 team/applied",
            "not since 2026-11-23 10:00",
            "team/shop     INC-7",
        ] {
            assert!(shown.contains(part), "{part} is not in\n{shown}");
        }
    }
}
