//! `who-can` and `what-can`: by what is applied, and how it was last seen to stand.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::api::types::{AnswerView, ThroughView, WhatView, WhoView};
use crate::args::{Output, WhatCanArgs, WhoCanArgs};
use crate::client::Client;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output;
use crate::render::table::{Columns, or_dash};
use crate::render::text::{clean, time_text};

/// Who can reach one secret.
pub async fn who_can(client: &Client, args: &WhoCanArgs) -> Result<Exit, Failure> {
    let path = args.path.strip_prefix("team/").unwrap_or(&args.path);
    let mut when: Vec<_> = moment(args.at.as_deref())?.into_iter().collect();
    when.extend(args.revision.map(|revision| ("revision", revision.to_string())));
    let answer = client.api.who_can(path, &when).await?;
    let text = |items: &[WhoView], wide| {
        let rows = items.iter().flat_map(|item| who_rows(item, wide)).collect();
        Columns::new(&headers(["WHO", "MAY", counted(&when)], wide), rows)
    };
    tell(client, &answer, "nobody, by what is applied", |item| item.holder.clone(), text)
}

/// What somebody can reach.
pub async fn what_can(client: &Client, args: &WhatCanArgs) -> Result<Exit, Failure> {
    let when: Vec<_> = moment(args.at.as_deref())?.into_iter().collect();
    let answer = match (&args.account, &args.group) {
        (Some(account), _) => client.api.what_can("account", account, &when).await?,
        (None, Some(group)) => client.api.what_can("group", group, &when).await?,
        (None, None) => {
            return Err(Failure::usage("ask about nobody").next("name an account or --group"));
        }
    };
    let text = |items: &[WhatView], wide| {
        let row = |item: &WhatView| {
            let through: Vec<&ThroughView> = item.through.iter().collect();
            let mut row = vec![item.rule.clone(), item.capabilities.join(","), state(&through)];
            row.extend(chain(&through, wide));
            row
        };
        let headers = headers(["RULE", "ALLOWS", counted(&when)], wide);
        Columns::new(&headers, items.iter().map(row).collect())
    };
    tell(client, &answer, "nothing, by what is applied", |item| item.rule.clone(), text)
}

/// One row for what rests on the same policies.
fn who_rows(item: &WhoView, wide: bool) -> Vec<Vec<String>> {
    let mut alike: BTreeMap<(bool, &[String]), Vec<&str>> = BTreeMap::new();
    for each in &item.may {
        let deeds = alike.entry((!each.now, each.policies.as_slice())).or_default();
        deeds.push(each.deed.as_str());
    }
    let kind = if item.account.is_some() { "account" } else { "group" };
    let row = |((later, policies), deeds): ((bool, &[String]), Vec<&str>)| {
        // What counts rests on those that count; what does not waits for the others.
        let through: Vec<&ThroughView> = item
            .through
            .iter()
            .filter(|each| policies.contains(&each.policy))
            .filter(|each| !later || each.state != "attached")
            .collect();
        let mut row = vec![format!("{kind} {}", item.holder), deeds.join(","), state(&through)];
        row.extend(chain(&through, wide));
        row
    };
    alike.into_iter().map(row).collect()
}

/// The moment that is asked about; a day is its end.
fn moment(text: Option<&str>) -> Result<Option<(&'static str, String)>, Failure> {
    let Some(text) = text else { return Ok(None) };
    let wrong = || {
        Failure::usage(format!("read the time {text:?}"))
            .next("write 2026-05-03T14:00:00Z, or a day such as 2026-05-03 for its end (UTC)")
    };
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(Some(("at", at.to_string())));
    }
    let next = text.parse::<Date>().ok().and_then(|day| day.tomorrow().ok());
    let next = next.and_then(|day| day.to_zoned(TimeZone::UTC).ok()).ok_or_else(wrong)?;
    let end = next.timestamp() - SignedDuration::from_micros(1);
    Ok(Some(("at", end.to_string())))
}

/// What the column is called that says whether it counts.
fn counted(when: &[(&'static str, String)]) -> &'static str {
    if when.is_empty() { "NOW" } else { "THEN" }
}

/// The columns of a verb, and those of the chain.
fn headers(own: [&'static str; 3], wide: bool) -> Vec<&'static str> {
    let mut headers = own.to_vec();
    headers.push("THROUGH");
    if wide {
        headers.extend(["UID", "REVISION", "REQUEST"]);
    }
    headers
}

/// Whether it counts now; otherwise why not.
fn state(through: &[&ThroughView]) -> String {
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

fn chain(through: &[&ThroughView], wide: bool) -> Vec<String> {
    let each = |pick: fn(&ThroughView) -> String| {
        or_dash(Some(&through.iter().map(|one| pick(one)).collect::<Vec<_>>().join(",")))
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
    none: &str,
    name: impl Fn(&T) -> String,
    columns: impl Fn(&[T], bool) -> Columns,
) -> Result<Exit, Failure> {
    match &client.output {
        Some(shape) if shape.is_value() => {
            client.screen.data(&output::value(answer, shape)?);
            return Ok(Exit::Ok);
        }
        Some(Output::Name) => {
            client
                .screen
                .data(&answer.items.iter().map(|each| name(each) + "\n").collect::<String>());
        }
        Some(Output::Csv) => {
            client.screen.data(&columns(&answer.items, true).csv(client.no_headers));
        }
        _ if answer.items.is_empty() => client.screen.say(none),
        shape => {
            let wide = *shape == Some(Output::Wide);
            client.screen.data(&columns(&answer.items, wide).table(client.no_headers));
        }
    }
    for line in &answer.beside {
        client.screen.say(&format!("note: {}", clean(line)));
    }
    if let Some(at) = &answer.observed_at {
        client.screen.say(&format!("as of what was observed at {}", time_text(at)));
    }
    Ok(Exit::Ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_its_end_and_nonsense_is_refused() {
        let at = |text: &str| moment(Some(text)).unwrap().unwrap().1;
        assert_eq!(at("2026-05-03"), "2026-05-03T23:59:59.999999Z");
        assert_eq!(at("2026-05-03T14:00:00+02:00"), "2026-05-03T12:00:00Z");
        assert_eq!(moment(None).unwrap(), None);
        for bad in ["yesterday", "2026-13-01", ""] {
            assert_eq!(moment(Some(bad)).unwrap_err().exit, Exit::Usage, "{bad}");
        }
    }
}
