//! `get`: lists, and documents as YAML that applies as no change.

mod follow;
mod people;
mod words;

use serde::Serialize;
use strongroom_domain::document::Document;
use strongroom_domain::request::State;
use strongroom_domain::subject::Subject;

use crate::api::types::{BindingView, FindingView, Named, RequestSummary};
use crate::args::{GetArgs, Kind, Output};
use crate::client::Client;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files::read_from;
use crate::output;
use crate::render::check::checked;
use crate::render::event;
use crate::render::table::{Columns, or_dash};
use crate::render::text::time_text;

/// Shows what was asked for. What was typed is looked at before anybody has to be signed in.
pub async fn run(
    client: impl FnOnce() -> Result<Client, Failure>,
    args: &GetArgs,
) -> Result<Exit, Failure> {
    let about = subject_filter(args);
    about.as_deref().map(subject).transpose()?;
    words::check_state(args.kind, args.state.as_deref())?;
    match args.kind {
        Kind::Teams => named(&client()?, args, "teams", "team").await?,
        Kind::Clusters => named(&client()?, args, "clusters", "cluster").await?,
        Kind::Requests => {
            if let Some(text) = args.name.as_ref().or(args.request.as_ref()) {
                let id = super::request::id(text)?;
                return super::request::show(&client()?, id).await;
            }
            let state = args.state.as_deref().map(super::request::state).transpose()?;
            requests(&client()?, state, about, args.limit()).await?;
        }
        Kind::Events if args.follow => return follow::follow(&client()?, args).await,
        Kind::Events => events(&client()?, args).await?,
        Kind::People => people::people(&client()?, args).await?,
        Kind::Bindings => bindings(&client()?, args).await?,
        Kind::Findings => findings(&client()?, args).await?,
        Kind::Sessions => super::session::list(&client()?, args).await?,
        Kind::Machines => super::machine::list(&client()?, args).await?,
        Kind::Documents => {
            let name = args.name.as_deref().ok_or_else(|| {
                Failure::usage("get a document without its name")
                    .next("name it, for example `strongroom get document team/payments -o yaml`")
            })?;
            let subject = subject(name)?;
            document(&client()?, &subject, args.revision).await?;
        }
    }
    Ok(Exit::Ok)
}

fn subject(text: &str) -> Result<Subject, Failure> {
    text.parse().map_err(|error| {
        Failure::usage(format!("read the name {text:?}"))
            .caused_by(&error)
            .next("for example team/payments, cluster/prod-eu or platform")
    })
}

fn subject_filter(args: &GetArgs) -> Option<String> {
    args.subject.clone().or_else(|| args.team.as_ref().map(|team| format!("team/{team}")))
}

/// Writes rows in the shape that was asked for.
pub fn rows<T: Serialize>(
    client: &Client,
    items: &[T],
    name: impl Fn(&T) -> String,
    columns: impl Fn(bool) -> Columns,
) -> Result<(), Failure> {
    match &client.output {
        Some(shape) if shape.is_value() => {
            client.screen.data(&output::value(&items, shape)?);
        }
        Some(Output::Name) => {
            let names: String = items.iter().map(|item| name(item) + "\n").collect();
            client.screen.data(&names);
        }
        Some(Output::Csv) => client.screen.data(&columns(true).csv(client.no_headers)),
        _ if items.is_empty() => client.screen.say("nothing found"),
        shape => {
            let wide = *shape == Some(Output::Wide);
            client.screen.data(&columns(wide).table(client.no_headers));
        }
    }
    Ok(())
}

async fn named(client: &Client, args: &GetArgs, plural: &str, kind: &str) -> Result<(), Failure> {
    let wanted = args.name.as_deref();
    if let Some(name) = wanted
        && client.output.as_ref().is_some_and(Output::is_value)
    {
        return document(client, &subject(&format!("{kind}/{name}"))?, args.revision).await;
    }
    let mut items = client.api.named(plural).await?;
    items.retain(|item| wanted.is_none_or(|name| item.name == name));
    items.retain(|item| args.state.as_ref().is_none_or(|state| item.state == *state));
    items.truncate(args.limit());
    if let (true, Some(name)) = (items.is_empty(), wanted) {
        return Err(Failure::new(Exit::NotFound, format!("get {kind}/{name}"))
            .because("there is no such thing, or you may not see it")
            .next(format!("`strongroom get {plural}` lists those you may see")));
    }
    let text = |_| {
        let row = |item: &Named| {
            vec![
                item.name.clone(),
                or_dash(item.display_name.as_deref()),
                item.revision.to_string(),
                or_dash(Some(&item.state)),
                item.updated_at.as_deref().map_or_else(|| "-".to_owned(), time_text),
            ]
        };
        let headers = ["NAME", "CALLED", "REVISION", "STATE", "UPDATED"];
        Columns::new(&headers, items.iter().map(row).collect())
    };
    rows(client, &items, |item| format!("{kind}/{}", item.name), text)
}

/// Change requests as a table.
pub async fn requests(
    client: &Client,
    state: Option<State>,
    subject: Option<String>,
    limit: usize,
) -> Result<(), Failure> {
    let mut filters = Vec::new();
    filters.extend(state.map(|state| ("state", state.as_str().to_owned())));
    filters.extend(subject.map(|subject| ("subject", subject)));
    let items = client.api.change_requests(&filters, limit).await?;
    let text = |wide| {
        let row = |item: &RequestSummary| {
            let mut row = vec![
                item.request_id.to_string(),
                item.state.clone(),
                or_dash(item.risk.as_deref()),
                or_dash(Some(&item.subjects().join(","))),
                or_dash(item.submitted_by.as_ref().map(|who| who.display.as_str())),
                time_text(&item.created_at),
            ];
            if wide {
                row.push(or_dash(Some(&item.reason)));
            }
            row
        };
        let headers = ["REQUEST", "STATE", "RISK", "ABOUT", "ASKED BY", "CREATED", "REASON"];
        let shown = if wide { headers.len() } else { headers.len() - 1 };
        Columns::new(&headers[..shown], items.iter().map(row).collect())
    };
    rows(client, &items, |item| format!("request/{}", item.request_id), text)
}

async fn events(client: &Client, args: &GetArgs) -> Result<(), Failure> {
    let mut filters = Vec::new();
    filters.extend(args.request.clone().map(|request| ("request", request)));
    filters.extend(subject_filter(args).map(|subject| ("subject", subject)));
    // One more is asked for, so that it can be said that there are more.
    let limit = args.limit();
    let mut items = client.api.latest_events(&filters, limit.saturating_add(1)).await?;
    if items.len() > limit {
        items.truncate(limit);
        client.screen.say(&format!("the newest {limit} events; --limit or --all shows more"));
    }
    rows(
        client,
        &items,
        |item| format!("event/{}", item.sequence),
        |wide| event::events(&items, wide),
    )
}

/// The state of a finding that is no more.
const OVER: &str = "over";

fn standing(finding: &FindingView) -> &'static str {
    if finding.resolved_at.is_some() { OVER } else { "stands" }
}

async fn findings(client: &Client, args: &GetArgs) -> Result<(), Failure> {
    let state = args.state.as_deref();
    let mut items = client.api.findings(args.all || state == Some(OVER)).await?;
    // A kind, or the whole key of one.
    let wanted = args.name.as_deref().map(|name| name.trim_start_matches("finding/"));
    wanted.map(|name| words::check_finding(name, &items)).transpose()?;
    let subject = subject_filter(args);
    items.retain(|item| subject.is_none() || item.subject == subject);
    items.retain(|item| state.is_none_or(|state| standing(item) == state));
    items.retain(|item| {
        wanted.is_none_or(|name| item.key == name || item.key.split(' ').next() == Some(name))
    });
    items.truncate(args.limit());
    let text = |wide| {
        let row = |item: &FindingView| {
            let mut row = vec![
                item.severity.clone(),
                standing(item).to_owned(),
                or_dash(item.subject.as_deref()),
                time_text(&item.first_seen),
                item.text.clone(),
            ];
            if wide {
                row.push(or_dash(item.culprit.as_deref()));
                row.push(item.next_step.clone());
            }
            row
        };
        let headers = ["SEVERITY", "STATE", "ABOUT", "SINCE", "WHAT", "BY", "NEXT"];
        let shown = if wide { headers.len() } else { 5 };
        Columns::new(&headers[..shown], items.iter().map(row).collect())
    };
    rows(client, &items, |item| format!("finding/{}", item.key), text)
}

/// A binding, and the team whose list it is in.
#[derive(Debug, Serialize)]
struct TeamBinding {
    /// The team whose namespace another one's binding is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<String>,
    team: String,
    #[serde(flatten)]
    binding: BindingView,
}

impl TeamBinding {
    /// One row of a team's list: a binding of its own, or a guest's in its namespace.
    fn of(list: &str, mut binding: BindingView) -> Self {
        let team = binding.team.take().unwrap_or_else(|| list.to_owned());
        Self { host: (team != list).then(|| list.to_owned()), team, binding }
    }

    fn key(&self) -> (String, String, [Option<String>; 3]) {
        let at = &self.binding;
        let place = [at.cluster.clone(), at.namespace.clone(), at.account.clone()];
        (self.team.clone(), at.binding.clone(), place)
    }
}

async fn bindings(client: &Client, args: &GetArgs) -> Result<(), Failure> {
    let (team, wanted) = match args.name.as_deref() {
        None => (None, None),
        Some(name) => match (name.strip_prefix("team/"), name.split_once('/')) {
            (Some(rest), _) => match rest.split_once('/') {
                Some((team, binding)) => (Some(team), Some(binding)),
                None => (Some(rest), None),
            },
            (None, Some((team, binding))) => (Some(team), Some(binding)),
            (None, None) => (None, Some(name)),
        },
    };
    let teams = match team.map(str::to_owned).or_else(|| args.team.clone()) {
        Some(team) => vec![team],
        None => client.api.named("teams").await?.into_iter().map(|team| team.name).collect(),
    };
    let mut items = Vec::new();
    for team in teams {
        for binding in client.api.bindings(&team).await? {
            items.push(TeamBinding::of(&team, binding));
        }
    }
    // Who sees both teams is told once, with the host's name.
    items.sort_by_key(|item| (item.key(), item.host.is_none()));
    items.dedup_by_key(|item| item.key());
    items.retain(|item| wanted.is_none_or(|name| item.binding.binding == name));
    items.retain(|item| args.state.as_ref().is_none_or(|state| item.binding.state == *state));
    items.truncate(args.limit());
    let text = |wide| binding_columns(&items, wide);
    rows(client, &items, |item| format!("binding/{}/{}", item.team, item.binding.binding), text)
}

fn binding_columns(items: &[TeamBinding], wide: bool) -> Columns {
    let row = |item: &TeamBinding| {
        let binding = &item.binding;
        let place = [&binding.cluster, &binding.namespace, &binding.account];
        let account: Vec<&str> = place.into_iter().filter_map(|part| part.as_deref()).collect();
        // People have neither cluster nor namespace.
        let account = match account.as_slice() {
            ["", "", group] => format!("group {group}"),
            parts => parts.join("/"),
        };
        let differs = binding.differs.first();
        let whose = item.host.as_ref().map_or_else(String::new, |host| format!(" (of {host})"));
        let mut row = vec![
            item.team.clone(),
            binding.binding.clone(),
            or_dash(Some(&format!("{account}{whose}"))),
            if differs.is_some() {
                format!("{}, engine differs", binding.state)
            } else {
                binding.state.clone()
            },
        ];
        if wide {
            row.push(or_dash(binding.namespace_uid.as_deref()));
            row.push(or_dash(binding.account_uid.as_deref()));
            row.push(binding.updated_at.as_deref().map_or_else(|| "-".to_owned(), time_text));
            row.push(checked(binding.check.as_ref()));
        }
        row.push(or_dash(binding.reason.as_ref().or(differs).map(String::as_str)));
        row
    };
    let mut headers = vec!["TEAM", "BINDING", "ACCOUNT", "STATE"];
    if wide {
        headers.extend(["NAMESPACE UID", "ACCOUNT UID", "UPDATED", "CHECKED"]);
    }
    headers.push("WHY");
    Columns::new(&headers, items.iter().map(row).collect())
}

/// A document and its revision: what is applied, or an earlier one.
pub async fn applied(
    client: &Client,
    subject: &Subject,
    revision: Option<u64>,
) -> Result<(Document, u64), Failure> {
    let answer = client.api.document(subject.kind(), subject.name(), revision).await?;
    let document = Document::from_value(&answer.document).map_err(|faults| {
        let mut failure = Failure::new(Exit::Failed, format!("read the document of {subject}"));
        failure.why = faults.iter().map(ToString::to_string).collect();
        failure
    })?;
    Ok((document, answer.revision))
}

/// As a file that says what it was read from.
pub fn as_file(subject: &Subject, document: &Document, revision: u64) -> String {
    format!("{}\n{}", read_from(subject, revision), document.to_yaml())
}

/// The document is decoded and written anew, so that what comes out applies as no change.
async fn document(
    client: &Client,
    subject: &Subject,
    revision: Option<u64>,
) -> Result<(), Failure> {
    output::refuse(client.output.as_ref(), &[Output::Csv])?;
    let (document, revision) = applied(client, subject, revision).await?;
    let text = match &client.output {
        Some(shape @ (Output::Json | Output::JsonPath(_))) => {
            output::value(&document.to_value(), shape)?
        }
        Some(Output::Name) => document.subject().to_string(),
        _ => as_file(subject, &document, revision),
    };
    client.screen.data(&text);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_binding_shows_its_account_and_why_it_is_suspended() {
        let binding = |state: &str, account: Option<&str>, reason: Option<&str>| {
            let team = if account == Some("till") { "menus" } else { "payments" };
            TeamBinding::of(
                "payments",
                BindingView {
                    team: Some(team.into()),
                    binding: "api".into(),
                    cluster: account.map(|_| "prod-eu".into()),
                    namespace: account.map(|_| "payments-prod".into()),
                    account: account.map(Into::into),
                    namespace_uid: Some("0199".into()),
                    account_uid: None,
                    state: state.into(),
                    reason: reason.map(Into::into),
                    differs: Vec::new(),
                    check: None,
                    updated_at: None,
                },
            )
        };
        let items = [
            binding("attached", Some("api"), None),
            binding("attached", Some("till"), None),
            binding("suspended", Some("job"), Some("the namespace has another UID")),
            binding("people", None, None),
        ];
        insta::assert_snapshot!(binding_columns(&items, false).table(false), @r"
        TEAM      BINDING  ACCOUNT                                   STATE      WHY
        payments  api      prod-eu/payments-prod/api                 attached   -
        menus     api      prod-eu/payments-prod/till (of payments)  attached   -
        payments  api      prod-eu/payments-prod/job                 suspended  the namespace has another UID
        payments  api      -                                         people     -
        ");
        assert!(binding_columns(&items, true).table(true).contains("0199"));
    }

    #[test]
    fn names_are_subjects() {
        assert_eq!(subject("team/payments").unwrap().to_string(), "team/payments");
        assert_eq!(subject("payments").unwrap_err().exit, Exit::Usage);
    }
}
