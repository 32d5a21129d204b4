//! `who-can` and `what-can`: by what is applied, and how it was last seen to stand.

use crate::api::types::{AnswerView, ThroughView, WhatView, WhoView};
use crate::args::{Output, WhatCanArgs, WhoCanArgs};
use crate::client::Client;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output;
use crate::render::table::{or_dash, table};
use crate::render::text::{clean, time_text};

/// Who can reach one secret.
pub async fn who_can(client: &Client, args: &WhoCanArgs) -> Result<Exit, Failure> {
    let path = args.path.strip_prefix("team/").unwrap_or(&args.path);
    let answer = client.api.who_can(path).await?;
    let text = |items: &[WhoView], wide| {
        let row = |item: &WhoView| {
            let may: Vec<&str> = item.may.iter().map(|each| each.deed.as_str()).collect();
            let kind = if item.account.is_some() { "account" } else { "group" };
            let mut row =
                vec![format!("{kind} {}", item.holder), may.join(","), state(&item.through)];
            row.extend(chain(&item.through, wide));
            row
        };
        let rows: Vec<_> = items.iter().map(row).collect();
        table(&headers(["WHO", "MAY"], wide), &rows, client.no_headers)
    };
    tell(client, &answer, |item| item.holder.clone(), text)
}

/// What somebody can reach.
pub async fn what_can(client: &Client, args: &WhatCanArgs) -> Result<Exit, Failure> {
    let answer = match (&args.account, &args.group) {
        (Some(account), _) => client.api.what_can("account", account).await?,
        (None, Some(group)) => client.api.what_can("group", group).await?,
        (None, None) => {
            return Err(Failure::usage("ask about nobody").next("name an account or --group"));
        }
    };
    let text = |items: &[WhatView], wide| {
        let row = |item: &WhatView| {
            let mut row =
                vec![item.rule.clone(), item.capabilities.join(","), state(&item.through)];
            row.extend(chain(&item.through, wide));
            row
        };
        let rows: Vec<_> = items.iter().map(row).collect();
        table(&headers(["RULE", "ALLOWS"], wide), &rows, client.no_headers)
    };
    tell(client, &answer, |item| item.rule.clone(), text)
}

/// The two columns of a verb, and those of the chain.
fn headers(own: [&'static str; 2], wide: bool) -> Vec<&'static str> {
    let mut headers = own.to_vec();
    headers.extend(["NOW", "THROUGH"]);
    if wide {
        headers.extend(["UID", "REVISION", "REQUEST"]);
    }
    headers
}

/// Whether it counts now; otherwise why not.
fn state(through: &[ThroughView]) -> String {
    if through.iter().any(|each| each.state == "attached") {
        let differs = through.iter().any(|each| !each.differs.is_empty());
        return if differs { "yes, but the engine differs" } else { "yes" }.to_owned();
    }
    let why: Vec<String> = through
        .iter()
        .map(|each| match &each.reason {
            Some(reason) => format!("{}: {}", each.state, clean(reason)),
            None => each.state.clone(),
        })
        .collect();
    format!("no ({})", why.join("; "))
}

fn chain(through: &[ThroughView], wide: bool) -> Vec<String> {
    let each = |pick: fn(&ThroughView) -> String| {
        or_dash(Some(&through.iter().map(pick).collect::<Vec<_>>().join(",")))
    };
    let mut cells = vec![each(|one| one.policy.clone())];
    if wide {
        cells.push(each(|one| one.account_uid.clone().unwrap_or_default()));
        cells.push(each(|one| one.revision.to_string()));
        cells.push(each(|one| one.request.clone().unwrap_or_default()));
    }
    cells
}

fn tell<T: serde::Serialize>(
    client: &Client,
    answer: &AnswerView<T>,
    name: impl Fn(&T) -> String,
    text: impl Fn(&[T], bool) -> String,
) -> Result<Exit, Failure> {
    match client.output {
        Some(shape @ (Output::Json | Output::Yaml)) => {
            client.screen.data(&output::value(answer, shape)?);
            return Ok(Exit::Ok);
        }
        Some(Output::Name) => {
            client
                .screen
                .data(&answer.items.iter().map(|each| name(each) + "\n").collect::<String>());
        }
        _ if answer.items.is_empty() => client.screen.say("nobody, by what is applied"),
        shape => client.screen.data(&text(&answer.items, shape == Some(Output::Wide))),
    }
    for line in &answer.beside {
        client.screen.say(&format!("note: {}", clean(line)));
    }
    if let Some(at) = &answer.observed_at {
        client.screen.say(&format!("as of what was observed at {}", time_text(at)));
    }
    Ok(Exit::Ok)
}
