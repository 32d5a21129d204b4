//! Machines that ask the API in nobody's name: listed, made, ended. A key is shown once.

use jiff::{SignedDuration, Timestamp, ToSpan as _, civil::Date, tz::TimeZone};
use serde_json::json;
use strongroom_authn::ApiKey;
use strongroom_domain::clock::Clock as _;
use strongroom_domain::name::TeamName;

use crate::api::types::MachineView;
use crate::args::{GetArgs, MachineCommand, MachineCreate};
use crate::client::Client;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::machine::{self, KEY};
use crate::output;
use crate::render::table::{Columns, or_dash};
use crate::render::text::{clean, time_text};

/// `get machines`.
pub async fn list(client: &Client, args: &GetArgs) -> Result<(), Failure> {
    let mut items = client.api.machines().await?;
    items.retain(|item| args.team.is_none() || item.team == args.team);
    items.retain(|item| args.name.as_ref().is_none_or(|name| item.name == *name));
    items.truncate(args.limit());
    if let (true, Some(name)) = (items.is_empty(), &args.name) {
        return Err(Failure::new(Exit::NotFound, format!("get the machine {name}"))
            .because("there is no such machine, or you may not see it")
            .next("`strongroom get machines` lists those you may see"));
    }
    let text = |wide| {
        let row = |item: &MachineView| {
            let proof = match &item.account {
                Some(at) => format!("{}/{}/{}", at.cluster, at.namespace, at.account),
                None => format!("key {}…", item.key_hint.as_deref().unwrap_or_default()),
            };
            let used = item.last_used_at.as_deref();
            let mut row = vec![
                item.name.clone(),
                item.team.clone().unwrap_or_else(|| "all".to_owned()),
                item.scope.clone(),
                proof,
                used.map_or_else(|| "never".to_owned(), time_text),
                time_text(&item.expires_at),
                item.created_by.clone(),
            ];
            if wide {
                row.push(time_text(&item.created_at));
                row.push(or_dash(item.account_uid.as_deref()));
            }
            row
        };
        let headers =
            ["NAME", "TEAM", "MAY", "IS", "LAST USED", "ENDS", "MADE BY", "MADE", "ACCOUNT UID"];
        let shown = if wide { headers.len() } else { 7 };
        Columns::new(&headers[..shown], items.iter().map(row).collect())
    };
    let name = |item: &MachineView| match &item.team {
        Some(team) => format!("machine/{team}/{}", item.name),
        None => format!("machine/{}", item.name),
    };
    super::get::rows(client, &items, name, text)
}

/// `machine`.
pub async fn run(
    client: impl FnOnce() -> Result<Client, Failure>,
    command: &MachineCommand,
) -> Result<Exit, Failure> {
    match command {
        MachineCommand::Create(args) => create(client, args).await,
        MachineCommand::End { name, team, .. } => {
            let team = team.as_deref().map(self::team).transpose()?;
            let client = client()?;
            client.api.end_machine(team.as_ref(), name).await?;
            client.screen.say(&format!("the machine {} is ended", clean(name)));
            Ok(Exit::Ok)
        }
    }
}

async fn create(
    client: impl FnOnce() -> Result<Client, Failure>,
    args: &MachineCreate,
) -> Result<Exit, Failure> {
    let team = args.team.as_deref().map(team).transpose()?;
    let account = args.account.as_deref().map(account).transpose()?;
    let client = client()?;
    output::no_columns(client.output.as_ref())?;
    let expires_at = end(&args.expires, client.clock.now())?;
    let body = json!({
        "name": args.name, "scope": args.scope, "expiresAt": expires_at, "account": account,
    });
    let made = client.api.create_machine(team.as_ref(), &body).await?;
    if let Some(shape) = client.output.as_ref().filter(|shape| shape.is_value()) {
        client.screen.data(&output::value(&made, shape)?);
        return Ok(Exit::Ok);
    }
    let of = team.map_or_else(|| "all teams".to_owned(), |team| format!("team {team}"));
    let until = time_text(&made.expires_at);
    let scope = machine::may(args.scope.as_str());
    let name = clean(&made.name);
    client.screen.say(&format!("machine {name} may {scope} for {of} until {until}"));
    match &made.key {
        Some(key) => {
            client.screen.say(&format!(
                "its key is shown this once; put it where your CI keeps secrets, as {KEY}:"
            ));
            // What is printed raw is looked at first.
            if ApiKey::parse(key).is_none() {
                return Err(Failure::new(Exit::Failed, "read the machine's key")
                    .because("the server sent something that is no key"));
            }
            client.screen.data(key);
        }
        None => client.screen.say(&format!(
            "it shows its own token, of the audience `{}` alone: name the projected file in \
             STRONGROOM_API_KEY_FILE",
            clean(made.audience.as_deref().unwrap_or_default())
        )),
    }
    Ok(Exit::Ok)
}

fn team(text: &str) -> Result<TeamName, Failure> {
    let name = text.strip_prefix("team/").unwrap_or(text);
    TeamName::new(name)
        .map_err(|error| Failure::usage(format!("use the team {text:?}")).caused_by(&error))
}

fn account(text: &str) -> Result<serde_json::Value, Failure> {
    match text.split('/').collect::<Vec<_>>().as_slice() {
        [cluster, namespace, account]
            if [cluster, namespace, account].iter().all(|part| !part.is_empty()) =>
        {
            Ok(json!({ "cluster": cluster, "namespace": namespace, "account": account }))
        }
        _ => Err(Failure::usage(format!("enrol the account {text:?}")).next(
            "name it as CLUSTER/NAMESPACE/ACCOUNT, for example prod-eu/payments-ci/deployer",
        )),
    }
}

/// When it ends: after so many days, or at the end of a day.
fn end(text: &str, now: Timestamp) -> Result<Timestamp, Failure> {
    let wrong = || {
        Failure::usage(format!("end at {text:?}"))
            .next("give days, for example 90d, or a date, for example 2027-06-30")
    };
    if let Some(days) = text.strip_suffix('d') {
        let days: i64 = days.parse().map_err(|_| wrong())?;
        if !(1..=366).contains(&days) {
            return Err(wrong().because("a machine lives 1 to 366 days"));
        }
        return now.checked_add(SignedDuration::from_hours(days * 24)).map_err(|_| wrong());
    }
    let day: Date = text.parse().map_err(|_| wrong())?;
    let next = day.checked_add(1.day()).map_err(|_| wrong())?;
    next.to_zoned(TimeZone::UTC).map(|end| end.timestamp()).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_days_from_now_or_the_end_of_a_day() {
        let now: Timestamp = "2026-11-28T10:00:00Z".parse().unwrap();
        let given = |text: &str| end(text, now).map(|at| at.to_string());
        assert_eq!(given("90d").unwrap(), "2027-02-26T10:00:00Z");
        assert_eq!(given("2027-06-30").unwrap(), "2027-07-01T00:00:00Z");
        for bad in ["0d", "367d", "90", "d", "-1d", "soon", "2027-13-01", "99999999999999999999d"] {
            assert_eq!(given(bad).unwrap_err().exit, Exit::Usage, "{bad}");
        }
    }

    #[test]
    fn an_account_is_named_whole() {
        assert_eq!(account("prod-eu/ns/a.b").unwrap()["account"], "a.b");
        for bad in ["", "a/b", "a//c", "a/b/c/d"] {
            assert_eq!(account(bad).unwrap_err().exit, Exit::Usage, "{bad}");
        }
    }
}
