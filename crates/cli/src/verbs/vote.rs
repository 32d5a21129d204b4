//! `approve`, `reject` and `withdraw`: read the exact plan, then sign for exactly it.
//!
//! Everything that the person is shown before agreeing comes from bytes that carry the executor's
//! signature, never from a field of the API. A no may also be to the submission, while there is no
//! plan: its hash is computed here from the submission that is shown.

use jiff::Timestamp;
use serde_json::json;
use strongroom_acts::submission_digest;
use strongroom_domain::act::{ActItem, ActKind, Submission};
use strongroom_domain::clock::Clock as _;
use strongroom_domain::id::RequestId;
use strongroom_domain::request::{Stage, State, Tally};
use strongroom_domain::risk::Risk;

use super::foresee::{counted, is_open, may_approve, may_end, standing};
use super::request;
use crate::act::{self, Act, Answer};
use crate::args::{ApproveArgs, Output, VoteArgs};
use crate::client::Client;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::machine::must_be_a_person;
use crate::output;
use crate::render;
use crate::render::text::clean;
use crate::verify::{self, VerifiedPlan};

/// Agrees to one exact plan.
pub async fn approve(client: &Client, args: &ApproveArgs) -> Result<Exit, Failure> {
    must_be_a_person(client, "approve the request")?;
    if !args.vote.anyway {
        // A long plan is not read before it is said that nothing can be signed any more.
        let view = client.api.change_request(request::id(&args.vote.id)?).await?;
        is_open(
            &view,
            "approve the request",
            &[State::Submitted, State::InReview, State::Approved],
        )?;
    }
    let (id, verified) = read(client, &args.vote).await?;
    let stages = &verified.plan.stages;
    let me = client.api.session().await?.person;
    let view = client.api.change_request(id).await?;
    let acts = client.api.acts(id).await?;
    let acts: Vec<_> = acts.into_iter().map(|act| request::judged(client, act)).collect();
    let acts = standing(&view, acts, client.clock.now());
    let votes = counted(&verified.plan, &acts);
    let stage = if let Some(name) = &args.stage {
        named_stage(stages, name)?
    } else {
        own_stage(&Tally::count(stages, &verified.plan.submitter, &votes), &me.groups)?
    };
    if !args.vote.anyway {
        may_approve(&view, &verified.plan, &votes, &me, &stage)?;
    }
    let question = format!("Sign that you agree to exactly this plan, for stage {stage:?}?");
    let over = Over::plan(id, &verified, stage);
    vote(client, ActKind::Approve, over, &args.vote.comment, &question).await
}

/// Ends a request.
pub async fn reject(client: &Client, args: &VoteArgs) -> Result<Exit, Failure> {
    end(client, ActKind::Reject, args, "Sign that this request ends here?").await
}

/// Takes back one's own request.
pub async fn withdraw(client: &Client, args: &VoteArgs) -> Result<Exit, Failure> {
    end(client, ActKind::Withdraw, args, "Sign that you take this request back?").await
}

/// What is signed for.
struct Over {
    item: ActItem,
    /// A token from before this does not count.
    made_after: Option<Timestamp>,
    /// Votes on `high` and above need a sign-in after the freeze.
    signed_in_after: Option<Timestamp>,
}

impl Over {
    fn plan(id: RequestId, verified: &VerifiedPlan, stage: String) -> Self {
        let plan = &verified.plan;
        Self {
            item: ActItem { request: id, round: plan.round, stage, content: verified.hash },
            made_after: Some(plan.frozen_at),
            signed_in_after: (plan.risk >= Risk::High).then_some(plan.frozen_at),
        }
    }

    /// The submission itself: there need be no plan to say no.
    fn submission(submission: &Submission) -> Self {
        let content = submission_digest(submission);
        let item = ActItem { request: submission.request, round: 0, stage: String::new(), content };
        Self { item, made_after: None, signed_in_after: None }
    }
}

/// Says no: to the frozen plan, or to the submission while there is none.
async fn end(
    client: &Client,
    kind: ActKind,
    args: &VoteArgs,
    question: &str,
) -> Result<Exit, Failure> {
    must_be_a_person(client, &format!("{} the request", kind.as_str()))?;
    shapes(client)?;
    let id = request::id(&args.id)?;
    let frozen = request::plan(client, id).await?;
    if !args.anyway {
        let plan = frozen.as_ref().map(|verified| &verified.plan);
        may_end(client, kind, id, plan).await?;
    }
    let over = if let Some(verified) = frozen {
        show(client, id, &verified)?;
        Over::plan(id, &verified, String::new())
    } else {
        let submission = request::submission(client, id).await?;
        client.screen.must_say(&render::request::submission(&submission));
        Over::submission(&submission)
    };
    vote(client, kind, over, &args.comment, question).await
}

fn shapes(client: &Client) -> Result<(), Failure> {
    output::no_columns(client.output.as_ref())
}

async fn read(client: &Client, args: &VoteArgs) -> Result<(RequestId, VerifiedPlan), Failure> {
    shapes(client)?;
    let id = request::id(&args.id)?;
    let verified = request::plan(client, id).await?.ok_or_else(|| {
        Failure::new(Exit::Waiting, format!("read the plan of {id}"))
            .because("the executor has not frozen a plan yet, so there is nothing to sign for")
            .next("try again in a moment; if it stays so, `strongroom execute` is not running")
    })?;
    show(client, id, &verified)?;
    Ok((id, verified))
}

fn show(client: &Client, id: RequestId, verified: &VerifiedPlan) -> Result<(), Failure> {
    verify::still_good(&verified.plan, client.clock.now()).map_err(|refusal| {
        Failure::new(Exit::Conflict, format!("sign for {id}")).caused_by(&refusal)
    })?;
    let style = client.screen.style_err();
    let text = render::plan::plan(&verified.plan, &verified.documents, &verified.hash, style);
    // What is signed is shown even with `--quiet`.
    client.screen.must_say(&text);
    Ok(())
}

async fn vote(
    client: &Client,
    kind: ActKind,
    over: Over,
    comment: &str,
    question: &str,
) -> Result<Exit, Failure> {
    client.screen.confirm(question).await?;
    let Over { item, made_after, signed_in_after: after } = over;
    let id = item.request;
    // A token from before the freeze does not count, whatever the risk.
    if let Some(frozen_at) = made_after {
        act::wait_past(client, frozen_at).await;
    }
    let signed = act::sign(client, Act { kind, item, comment, after }).await?;
    let act_id = client.api.post_act(id, &signed).await?.act_id;
    let answer = act::answer(client, id, &signed, Some(&act_id)).await?;
    tell(client, kind, id, &act_id, &answer)
}

fn named_stage(stages: &[Stage], name: &str) -> Result<String, Failure> {
    if stages.iter().any(|stage| stage.name == name) {
        return Ok(name.to_owned());
    }
    Err(Failure::usage(format!("vote in the stage {name:?}")).because(known_stages(stages)))
}

/// The stage that one of these groups votes in. With several it is one that still wants votes, and of
/// those the one that fewest may vote in, so that no vote is spent where somebody else could give it;
/// `--stage` chooses.
fn own_stage(tally: &Tally, groups: &[String]) -> Result<String, Failure> {
    let stages: Vec<Stage> = tally.counted.iter().map(|(stage, _)| stage.clone()).collect();
    if stages.is_empty() {
        return Err(Failure::new(Exit::Conflict, "vote on this request")
            .because("it needs no votes: the submission is enough"));
    }
    let own = tally
        .counted
        .iter()
        .filter(|(stage, _)| groups.iter().any(|group| stage.groups.contains(group)))
        .min_by_key(|(stage, people)| (people.len() >= stage.votes as usize, stage.groups.len()));
    own.map(|(stage, _)| stage.name.clone()).ok_or_else(|| {
        let groups = if groups.is_empty() { "none".to_owned() } else { groups.join(", ") };
        Failure::new(Exit::Denied, "find the stage you vote in")
            .because(format!("your groups at sign-in: {groups}"))
            .because(known_stages(&stages))
            .next("if your groups have changed, run `strongroom login`; or name it with --stage")
    })
}

pub(super) fn known_stages(stages: &[Stage]) -> String {
    let names: Vec<String> = stages
        .iter()
        .map(|stage| {
            let groups: Vec<&str> = stage.groups.iter().map(String::as_str).collect();
            format!("{:?} ({})", stage.name, groups.join(" or "))
        })
        .collect();
    format!("the plan's stages: {}", names.join(", "))
}

fn tell(
    client: &Client,
    kind: ActKind,
    id: RequestId,
    act_id: &str,
    answer: &Answer,
) -> Result<Exit, Failure> {
    let what = format!("{} {id}", kind.as_str());
    let (word, exit) = match answer {
        Answer::Counted => ("counted", Exit::Ok),
        Answer::None => ("waiting", Exit::Waiting),
        Answer::Refused(reason) => {
            return Err(Failure::new(Exit::Denied, what)
                .because(format!("refused: {reason}"))
                .next(format!("look at the request with `strongroom request show {id}`")));
        }
    };
    match &client.output {
        Some(shape) if shape.is_value() => {
            let result = json!({ "request": id, "act": act_id, "verdict": word });
            client.screen.data(&output::value(&result, shape)?);
        }
        Some(Output::Name) => client.screen.data(&format!("act/{}", clean(act_id))),
        _ if exit == Exit::Waiting => client
            .screen
            .data("the executor has not answered yet; the act is stored and counts once it has"),
        _ => client.screen.data("counted"),
    }
    Ok(exit)
}

#[cfg(test)]
mod tests {
    use strongroom_domain::person::{PersonId, SignedPerson};
    use strongroom_domain::request::Vote;

    use super::*;
    use crate::verify::tests::sample_plan;

    #[test]
    fn the_stage_is_the_one_that_the_groups_vote_in() {
        let stages = sample_plan(0).stages;
        let nobody = PersonId { issuer: "i".into(), person: "submitter".into() };
        let of = |stages: &[Stage], votes: &[Vote], groups: &[&str]| {
            let groups: Vec<String> = groups.iter().map(ToString::to_string).collect();
            own_stage(&Tally::count(stages, &nobody, votes), &groups)
        };
        let own = |groups: &[&str]| of(&stages, &[], groups);
        assert_eq!(own(&["payments-leads"]).unwrap(), "owners of payments");
        assert_eq!(own(&["x", "platform-sre"]).unwrap(), "platform");
        assert_eq!(own(&["platform-sre", "payments-leads"]).unwrap(), "owners of payments");
        assert_eq!(own(&["payments-dev"]).unwrap_err().exit, Exit::Denied);
        assert_eq!(of(&[], &[], &[]).unwrap_err().exit, Exit::Conflict);
        // The platform may stand in for owners; where its own vote is wanted besides, that comes first.
        let mut both = stages.clone();
        both[0].groups.insert("platform-sre".into());
        assert_eq!(of(&both, &[], &["platform-sre"]).unwrap(), "platform");
        let id = PersonId { issuer: "i".into(), person: "sue".into() };
        let groups = ["platform-sre".to_owned()].into();
        let by = SignedPerson { id, display: "sue".into(), groups };
        let first = Vote { by, stage: "platform".into() };
        assert_eq!(of(&both, &[first], &["platform-sre"]).unwrap(), "owners of payments");
        assert_eq!(named_stage(&stages, "platform").unwrap(), "platform");
        assert_eq!(named_stage(&stages, "Platform").unwrap_err().exit, Exit::Usage);
    }
}
