//! `inbox`: change requests that wait for one's own signature.

use crate::api::types::WaitingView;
use crate::client::Client;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::render::table::{Columns, or_dash};
use crate::render::text::time_text;
use crate::verbs::get::rows;

/// Lists them, the riskiest first.
pub async fn run(client: &Client) -> Result<Exit, Failure> {
    let inbox = client.api.inbox().await?;
    let text = |wide| {
        let row = |item: &WaitingView| {
            let request = &item.request;
            let mut row = vec![
                request.request_id.to_string(),
                item.risk.to_string(),
                or_dash(Some(&subjects(item))),
                or_dash(request.submitted_by.as_ref().map(|who| who.display.as_str())),
                time_text(&item.frozen_at),
                format!("{} ({} of {})", item.stage, item.votes, item.needed),
            ];
            if wide {
                row.push(or_dash(Some(&request.reason)));
            }
            row
        };
        let headers = ["REQUEST", "RISK", "ABOUT", "ASKED BY", "WAITS SINCE", "FOR", "REASON"];
        let shown = if wide { headers.len() } else { headers.len() - 1 };
        Columns::new(&headers[..shown], inbox.items.iter().map(row).collect())
    };
    let name = |item: &WaitingView| format!("request/{}", item.request.request_id);
    if inbox.items.is_empty() && client.output.is_none() {
        client.screen.say("nothing waits for you; `strongroom get requests` lists all you may see");
    } else {
        rows(client, &inbox.items, name, text)?;
    }
    if inbox.more {
        client.screen.say("only the newest 200 requests in review were looked at");
    }
    if !inbox.items.is_empty() {
        client
            .screen
            .say("read one and sign: `strongroom approve REQUEST`, or `strongroom reject REQUEST`");
    }
    Ok(Exit::Ok)
}

fn subjects(item: &WaitingView) -> String {
    item.documents.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}
