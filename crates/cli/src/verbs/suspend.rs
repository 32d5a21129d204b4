//! `suspend` and `freeze`: one signed act that makes something stand still at once.

use serde::Serialize;
use serde_json::json;
use strongroom_domain::act::{ActItem, ActKind};
use strongroom_domain::clock::Clock as _;
use strongroom_domain::document::{Document, Team};
use strongroom_domain::hold::{Suspension, Target};
use strongroom_domain::id::RequestId;
use strongroom_domain::name::{BindingName, GroupName};

use crate::act::{self, Act, Answer, SignedAct};
use crate::api::types::Session;
use crate::args::{FreezeArgs, Output, SuspendArgs};
use crate::client::Client;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output;

#[derive(Serialize)]
struct Body<'a> {
    target: &'a Target,
    act: &'a SignedAct<'a>,
}

/// Makes a binding, a team or a cluster stand still.
pub async fn suspend(
    client: impl FnOnce() -> Result<Client, Failure>,
    args: &SuspendArgs,
) -> Result<Exit, Failure> {
    let target: Target = args.target.parse().map_err(|error| {
        Failure::usage(format!("suspend {:?}", args.target))
            .caused_by(&error)
            .next("for example team/payments/api, team/payments or cluster/prod-eu")
    })?;
    if target == Target::Platform {
        return Err(Failure::usage("suspend the platform")
            .next("`strongroom freeze --reason …` stops all applying"));
    }
    let what = match &target {
        Target::Binding(..) => "its live tokens lose what the binding gives, at once",
        Target::Team(_) => "all its bindings and what its people may do end, at once",
        _ => "every binding of its service accounts ends, for all teams, at once",
    };
    let client = &client()?;
    if !args.anyway {
        may_suspend(client, &target).await?;
    }
    hold(client, target.clone(), &args.reason, &format!("Suspend {target}? Then {what}.")).await
}

/// What the executor would refuse for sure is not signed first.
async fn may_suspend(client: &Client, target: &Target) -> Result<(), Failure> {
    let session = client.api.session().await?;
    let document = match target {
        Target::Team(team) | Target::Binding(team, _) => {
            let document = client.api.document("team", team.as_str(), None).await?;
            Document::from_value(&document.document).ok()
        }
        Target::Cluster(_) | Target::Platform => None,
    };
    let team = match &document {
        Some(Document::Team(team)) => Some(&**team),
        _ => None,
    };
    judge(target, team, &session)
}

/// Refuses to do something with a binding that the team does not have.
pub(super) fn has_binding(team: &Team, binding: &BindingName, what: &str) -> Result<(), Failure> {
    let names: Vec<&str> = team.bindings.iter().map(|each| each.name.as_str()).collect();
    if names.contains(&binding.as_str()) {
        return Ok(());
    }
    Err(Failure::new(Exit::NotFound, what)
        .because(format!("the team has no such binding; it has: {}", names.join(", "))))
}

fn judge(target: &Target, team: Option<&Team>, session: &Session) -> Result<(), Failure> {
    let what = format!("suspend {target}");
    if let (Target::Binding(_, binding), Some(team)) = (target, team) {
        has_binding(team, binding, &what)?;
    }
    let owners: Vec<&str> =
        team.iter().flat_map(|team| &team.people.owners).map(GroupName::as_str).collect();
    let owner = session.person.groups.iter().any(|group| owners.contains(&group.as_str()));
    if session.platform || owner {
        return Ok(());
    }
    let who = match target {
        Target::Team(_) | Target::Binding(..) => {
            format!("owners of the team ({}) and members of the platform", owners.join(", "))
        }
        Target::Cluster(_) | Target::Platform => "members of the platform".to_owned(),
    };
    Err(Failure::new(Exit::Denied, what).because(format!("only {who} can suspend {target}")).next(
        "ask one of them; if your groups have changed, run `strongroom login`, or sign all the \
             same with --anyway",
    ))
}

/// Stops all applying.
pub async fn freeze(client: &Client, args: &FreezeArgs) -> Result<Exit, Failure> {
    if !args.anyway {
        judge(&Target::Platform, None, &client.api.session().await?)?;
    }
    let question = "Stop all applying? Nothing is written and nobody new is attached.";
    hold(client, Target::Platform, &args.reason, question).await
}

async fn hold(
    client: &Client,
    target: Target,
    reason: &str,
    question: &str,
) -> Result<Exit, Failure> {
    output::no_columns(client.output.as_ref())?;
    client.screen.confirm(question).await?;
    let suspension = Suspension { target: target.clone(), reason: reason.to_owned() };
    // A UUID v7 holds the time of its making; the time comes from the one clock.
    let now = client.clock.now();
    let (seconds, nanos) = (now.as_second().unsigned_abs(), now.subsec_nanosecond().unsigned_abs());
    let at = uuid::Timestamp::from_unix(uuid::NoContext, seconds, nanos);
    let item = ActItem {
        request: RequestId::from_uuid(uuid::Uuid::new_v7(at)),
        round: 0,
        stage: target.to_string(),
        content: suspension.digest(),
    };
    let act = Act { kind: ActKind::Suspend, item, comment: reason, after: None };
    let signed = act::sign(client, act).await?;
    let id = client.api.suspend(&Body { target: &target, act: &signed }).await?.act_id;
    client.screen.progress("waiting for the executor's receipt …");
    let deadline = tokio::time::Instant::now() + client.patience;
    let answer = loop {
        let stored = client.api.suspension(&id).await?;
        if let Some(answer) = act::judge(client, &stored.act, &signed)? {
            break answer;
        }
        if tokio::time::Instant::now() >= deadline {
            break Answer::None;
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    };
    tell(client, &target, &answer)
}

fn tell(client: &Client, target: &Target, answer: &Answer) -> Result<Exit, Failure> {
    let (word, exit) = match answer {
        Answer::Counted => ("held", Exit::Ok),
        Answer::None => ("waiting", Exit::Waiting),
        Answer::Refused(reason) => {
            return Err(Failure::new(Exit::Denied, format!("hold {target}"))
                .because(format!("refused: {reason}")));
        }
    };
    match &client.output {
        Some(shape) if shape.is_value() => {
            let result = json!({ "target": target, "verdict": word });
            client.screen.data(&output::value(&result, shape)?);
        }
        Some(Output::Name) => client.screen.data(&target.to_string()),
        _ if exit == Exit::Waiting => client.screen.data(
            "the executor has not answered yet; the act is stored and counts once it has. If the \
             executor is down, use `strongroom execute … suspend` on its host",
        ),
        _ => client
            .screen
            .data(&format!("{target} stands still; it goes on by a request:\n{}", lift(target))),
    }
    Ok(exit)
}

/// The line that lets it go on.
fn lift(target: &Target) -> String {
    let subject = target.subject();
    format!(
        "  strongroom get document {subject} -o yaml | \\\n    strongroom apply -f - --lift {target} \
         --reason '…'"
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::verify::tests::TEAM;

    #[test]
    fn what_the_executor_would_refuse_is_not_signed() {
        let document = Document::from_yaml(TEAM).unwrap().remove(0);
        let Document::Team(team) = &document else { panic!("a team") };
        let session = |group: &str, platform| Session {
            person: serde_json::from_value(
                json!({ "issuer": "i", "person": "p", "display": "d", "groups": [group] }),
            )
            .unwrap(),
            platform,
            auditor: false,
            machine: None,
            expires_at: String::new(),
        };
        let ends = |target: &str, group: &str, platform| {
            let team = target.starts_with("team").then_some(&**team);
            let judged = judge(&target.parse().unwrap(), team, &session(group, platform));
            judged.map_err(|failure| failure.exit)
        };
        assert_eq!(ends("team/payments/api", "payments-leads", false), Ok(()));
        assert_eq!(ends("team/payments/api", "other", true), Ok(()));
        assert_eq!(ends("team/payments/api", "payments-dev", false), Err(Exit::Denied));
        assert_eq!(ends("team/payments/none", "payments-leads", false), Err(Exit::NotFound));
        assert_eq!(ends("cluster/prod-eu", "payments-leads", false), Err(Exit::Denied));
        assert_eq!(ends("cluster/prod-eu", "x", true), Ok(()));
        assert_eq!(ends("platform", "payments-leads", false), Err(Exit::Denied));
    }

    #[test]
    fn the_way_back_is_a_line_to_copy() {
        let line = lift(&"team/payments/api".parse().unwrap());
        assert!(line.contains("get document team/payments -o yaml"), "{line}");
        assert!(line.contains("--lift team/payments/api"), "{line}");
    }
}
