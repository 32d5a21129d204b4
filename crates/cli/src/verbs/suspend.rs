//! `suspend` and `freeze`: one signed act that makes something stand still at once.

use serde::Serialize;
use serde_json::json;
use strongroom_domain::act::{ActItem, ActKind};
use strongroom_domain::clock::Clock as _;
use strongroom_domain::hold::{Suspension, Target};
use strongroom_domain::id::RequestId;

use crate::act::{self, Act, Answer, SignedAct};
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
pub async fn suspend(client: &Client, args: &SuspendArgs) -> Result<Exit, Failure> {
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
    hold(client, target.clone(), &args.reason, &format!("Suspend {target}? Then {what}.")).await
}

/// Stops all applying.
pub async fn freeze(client: &Client, args: &FreezeArgs) -> Result<Exit, Failure> {
    let question = "Stop all applying? Nothing is written and nobody new is attached.";
    hold(client, Target::Platform, &args.reason, question).await
}

async fn hold(
    client: &Client,
    target: Target,
    reason: &str,
    question: &str,
) -> Result<Exit, Failure> {
    output::only(client.output, &[Output::Table, Output::Json, Output::Yaml, Output::Name])?;
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
    match client.output {
        Some(shape @ (Output::Json | Output::Yaml)) => {
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
            .data(&format!("{target} stands still; a request with --lift {target} lets it go on")),
    }
    Ok(exit)
}
