//! `request show`, `request comment` and `request list`; `request again` is in `again`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use strongroom_acts::receipt::Answer;
use strongroom_domain::act::Submission;
use strongroom_domain::id::RequestId;
use strongroom_domain::request::State;

use crate::api::types::{ActItemView, PersonView};
use crate::args::{Output, RequestCommand};
use crate::client::Client;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output;
use crate::render::request::{JudgedAct, request};
use crate::verify::{self, VerifiedPlan, Wanted};

/// The most events of a timeline.
const TIMELINE: usize = 500;

/// Shows one request or a list.
pub async fn run(
    client: impl FnOnce() -> Result<Client, Failure>,
    command: &RequestCommand,
) -> Result<Exit, Failure> {
    match command {
        RequestCommand::Show { id: text } => {
            let id = id(text)?;
            show(&client()?, id).await
        }
        RequestCommand::Comment { id: text, text: said } => {
            let id = id(text)?;
            let said = if said == "-" { read_text()? } else { said.clone() };
            let client = client()?;
            client.api.comment(id, &said).await?;
            client.screen.say("said; whoever sees the request reads it there");
            Ok(Exit::Ok)
        }
        RequestCommand::Again { id: text, propose } => {
            let id = id(text)?;
            super::again::run(&client()?, id, propose).await
        }
        RequestCommand::List { state, subject, limit } => {
            let state = state.as_deref().map(self::state).transpose()?;
            super::get::requests(&client()?, state, subject.clone(), *limit).await?;
            Ok(Exit::Ok)
        }
    }
}

/// What is to be said, from standard input.
fn read_text() -> Result<String, Failure> {
    std::io::read_to_string(std::io::stdin())
        .map_err(|error| Failure::usage("read the comment from standard input").caused_by(&error))
}

/// A state of requests as a person names it.
pub fn state(text: &str) -> Result<State, Failure> {
    State::from_word(text).ok_or_else(|| {
        Failure::usage(format!("list requests in the state {text:?}"))
            .because(format!("a request is one of: {}", State::words()))
    })
}

/// The id in a request's name; `request/<id>` is taken as it is printed.
pub fn id(text: &str) -> Result<RequestId, Failure> {
    let bare = text.strip_prefix("request/").unwrap_or(text);
    bare.parse().map_err(|_| {
        Failure::usage(format!("read the request id {text:?}"))
            .because("a request id is a UUID")
            .next("list them with `strongroom get requests`")
    })
}

/// Everything about one request. The plan is shown only when the executor's signature holds.
pub async fn show(client: &Client, id: RequestId) -> Result<Exit, Failure> {
    output::refuse(client.output.as_ref(), &[Output::Csv])?;
    let view = client.api.change_request(id).await?;
    if client.output == Some(Output::Name) {
        client.screen.data(&format!("request/{id}"));
        return Ok(Exit::Ok);
    }
    let acts = client.api.acts(id).await?;
    let events = client.api.events(&[("request", id.to_string())], TIMELINE).await?;
    if let Some(shape) = client.output.as_ref().filter(|shape| shape.is_value()) {
        let plan = shown(client, id).await?.map(|verified| verified.plan);
        let whole = json!({ "request": view, "plan": plan, "acts": acts, "events": events });
        client.screen.data(&output::value(&whole, shape)?);
        return Ok(Exit::Ok);
    }
    let plan = match shown(client, id).await {
        Err(failure) if failure.exit == Exit::Denied => {
            client.screen.say(
                "the plan also changes what you do not see, so it is not shown; what follows is the \
                 part about your teams",
            );
            None
        }
        plan => plan?,
    };
    let acts: Vec<JudgedAct> = acts.into_iter().map(|act| judged(client, act)).collect();
    let style = client.screen.style_out();
    client.screen.data(&request(&view, plan.as_ref(), &acts, &events, style));
    Ok(Exit::Ok)
}

/// The plan as it is shown: what cannot be checked is not.
async fn shown(client: &Client, id: RequestId) -> Result<Option<VerifiedPlan>, Failure> {
    if client.trust.is_none() {
        client.screen.say(
            "note: nobody pinned the executor's keys on this machine, so no plan is shown, and \
             receipts are the server's word",
        );
        return Ok(None);
    }
    plan(client, id).await
}

/// Who signed and for what is taken from the signed receipt where there is one.
pub fn judged(client: &Client, mut act: ActItemView) -> JudgedAct {
    let (Some(view), Some(trust)) = (&mut act.receipt, &client.trust) else {
        return JudgedAct { act, verified: None };
    };
    let verified = verify::receipt(view, &trust.keys).map(|receipt| {
        let receipt = match receipt {
            Ok(Answer::Counted(receipt)) if view.verdict == "counted" => receipt,
            Ok(Answer::Refused(refused)) if view.verdict == "refused" => {
                let ours = refused.act.to_string() == act.act_id;
                view.reason = Some(refused.refused);
                return ours;
            }
            _ => return false,
        };
        view.person = Some(PersonView {
            issuer: receipt.person.issuer,
            person: receipt.person.person,
            display: receipt.display,
            groups: receipt.groups.into_iter().collect(),
        });
        receipt.act.to_string() == act.act_id
            && receipt.kind.as_str() == act.kind
            && receipt.items.iter().any(|item| item.round == act.round && item.stage == act.stage)
    });
    JudgedAct { act, verified }
}

/// The submission, to say no to. Nothing in it is believed further than that: a no to something else
/// than what the executor has is refused there.
pub async fn submission(client: &Client, id: RequestId) -> Result<Submission, Failure> {
    let answer = client.api.submission(id).await?;
    let bytes = STANDARD.decode(&answer.canonical).ok();
    let submission = bytes.and_then(|bytes| serde_json::from_slice::<Submission>(&bytes).ok());
    submission.filter(|submission| submission.request == id).ok_or_else(|| {
        Failure::new(Exit::Failed, format!("read the submission of {id}"))
            .because("the answer is not the submission of this request")
            .next("compare `strongroom version` with the server's version")
    })
}

/// The frozen plan, verified; `None` while there is none.
pub async fn plan(client: &Client, id: RequestId) -> Result<Option<VerifiedPlan>, Failure> {
    let answer = match client.api.plan(id).await {
        Ok(answer) => answer,
        Err(failure) if failure.exit == Exit::Waiting => return Ok(None),
        Err(failure) => return Err(failure),
    };
    let trust = client.pinned(&format!("check the plan of {id}"))?;
    let wanted = Wanted { keys: &trust.keys, deployment: trust.deployment, request: id };
    verify::plan(&answer, &wanted).map(Some).map_err(|refusal| {
        Failure::new(Exit::Conflict, format!("check the plan of {id}")).caused_by(&refusal).next(
            "do not sign it; ask the platform team, and if the executor has a new key run \
             `strongroom login`",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_taken_as_it_is_printed() {
        let text = "0199b5d0-0000-7000-8000-000000000002";
        assert_eq!(id(text).unwrap(), id(&format!("request/{text}")).unwrap());
        assert_eq!(id("payments").unwrap_err().exit, Exit::Usage);
    }

    #[test]
    fn an_unknown_state_is_answered_with_the_known_ones() {
        assert_eq!(state("in_review").unwrap(), State::InReview);
        let refused = state("bogus").unwrap_err();
        assert_eq!(refused.exit, Exit::Usage);
        assert!(
            refused.render().contains("submitted, in_review, approved"),
            "{}",
            refused.render()
        );
    }
}
