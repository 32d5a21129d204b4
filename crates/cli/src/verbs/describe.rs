//! `describe`: everything that is known about one team, binding, cluster or the platform, in one
//! look: what is applied, how it stands, what is wrong, what is asked for, what happened last.

use serde::Serialize;
use serde_json::Value;
use strongroom_domain::document::Document;
use strongroom_domain::hold::Target;
use strongroom_domain::request::State;

use super::suspend::has_binding;
use crate::api::types::{BindingView, EventView, FindingView, Named, RequestSummary};
use crate::args::{DescribeArgs, Output};
use crate::client::Client;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::{output, render};

/// How many of the newest events are told.
const EVENTS: usize = 10;

/// The most requests that are looked through for open ones.
const REQUESTS: usize = 100;

/// What is known about one subject.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Described {
    /// The subject.
    pub subject: String,
    /// Only this binding of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub binding: Option<String>,
    /// The applied revision.
    pub revision: u64,
    /// How it stands.
    pub state: Option<String>,
    /// When that last changed.
    pub updated_at: Option<String>,
    /// What is applied.
    pub document: Value,
    /// A team's bindings, one row per account.
    pub bindings: Vec<BindingView>,
    /// What is not as it should be.
    pub findings: Vec<FindingView>,
    /// Requests that are not over.
    pub requests: Vec<RequestSummary>,
    /// The newest events, newest first.
    pub events: Vec<EventView>,
    #[serde(skip)]
    pub(crate) decoded: Option<Document>,
}

/// Tells it.
pub async fn run(
    client: impl FnOnce() -> Result<Client, Failure>,
    args: &DescribeArgs,
) -> Result<Exit, Failure> {
    if let Ok(id) = super::request::id(&args.target) {
        return super::request::show(&client()?, id).await;
    }
    let target: Target = args.target.parse().map_err(|error| {
        Failure::usage(format!("describe {:?}", args.target))
            .caused_by(&error)
            .next("for example team/payments, team/payments/api, cluster/prod-eu or a request's id")
    })?;
    let client = &client()?;
    output::no_columns(client.output.as_ref())?;
    let described = gather(client, &target).await?;
    match &client.output {
        Some(shape) if shape.is_value() => {
            client.screen.data(&output::value(&described, shape)?);
        }
        Some(Output::Name) => client.screen.data(&target.to_string()),
        _ => client.screen.data(&render::describe::text(&described, client.screen.style_out())),
    }
    Ok(Exit::Ok)
}

async fn gather(client: &Client, target: &Target) -> Result<Described, Failure> {
    let subject = target.subject();
    let name = subject.to_string();
    let answer = client.api.document(subject.kind(), subject.name(), None).await?;
    let decoded = Document::from_value(&answer.document).ok();
    let binding = match (target, &decoded) {
        (Target::Binding(_, binding), Some(Document::Team(team))) => {
            has_binding(team, binding, &format!("describe {target}"))?;
            Some(binding.to_string())
        }
        _ => None,
    };
    let (listed, bindings) = match subject.kind() {
        "team" => {
            let rows = client.api.bindings(subject.name()).await?;
            let own = rows.into_iter().filter(|row| {
                binding.as_ref().is_none_or(|binding| {
                    row.binding == *binding
                        && row.team.as_deref().is_none_or(|team| team == subject.name())
                })
            });
            (named(client, "teams", subject.name()).await?, own.collect())
        }
        "cluster" => (named(client, "clusters", subject.name()).await?, Vec::new()),
        _ => (None, Vec::new()),
    };
    let mut findings = client.api.findings(false).await?;
    findings.retain(|each| each.subject.as_deref() == Some(&name));
    let filter = [("subject", name.clone())];
    let mut requests = client.api.change_requests(&filter, REQUESTS).await?;
    requests.retain(|each| !State::from_word(&each.state).is_some_and(State::is_final));
    let events = client.api.latest_events(&filter, EVENTS).await?;
    Ok(Described {
        subject: name,
        binding,
        revision: answer.revision,
        state: listed.as_ref().map(|row| row.state.clone()),
        updated_at: listed.and_then(|row| row.updated_at),
        document: answer.document,
        bindings,
        findings,
        requests,
        events,
        decoded,
    })
}

async fn named(client: &Client, plural: &str, name: &str) -> Result<Option<Named>, Failure> {
    Ok(client.api.named(plural).await?.into_iter().find(|row| row.name == name))
}
