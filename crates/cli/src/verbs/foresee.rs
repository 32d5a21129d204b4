//! What the executor would surely not count is known before anybody signs in for it.
//!
//! It is only foreseen, by the executor's own rules: the executor decides by what it verifies
//! itself, and `--anyway` signs all the same.

use jiff::Timestamp;
use strongroom_domain::act::ActKind;
use strongroom_domain::id::RequestId;
use strongroom_domain::person::{PersonId, SignedPerson};
use strongroom_domain::request::{NoVote, State, Tally, Vote, surely_counts};
use strongroom_plan::Plan;

use super::vote::known_stages;
use crate::api::types::{PersonView, RequestView, Session};
use crate::client::Client;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::render::request::JudgedAct;
use crate::render::text::clean;

fn refused(what: &str, why: impl Into<String>) -> Failure {
    Failure::new(Exit::Denied, what.to_owned()).because(why)
}

/// The request is where this act still means something.
pub(super) fn is_open(view: &RequestView, what: &str, open: &[State]) -> Result<(), Failure> {
    let state = State::from_word(&view.state);
    if state.is_some_and(|state| open.contains(&state)) {
        return Ok(());
    }
    let over = state.is_some_and(State::is_final);
    let id = view.request_id;
    Err(Failure::new(Exit::Conflict, what.to_owned())
        .because(format!("the request is {}", clean(&view.state.replace('_', " "))))
        .next(if over {
            format!(
                "look at it with `strongroom request show {id}`; nothing can be signed any more"
            )
        } else {
            format!("follow it with `strongroom request show {id}`")
        }))
}

/// Votes that surely still count. Old ones may have run out, and after a denial the request says so:
/// then voting again is right.
pub(super) fn standing(view: &RequestView, acts: Vec<JudgedAct>, now: Timestamp) -> Vec<JudgedAct> {
    let young = |each: &JudgedAct| {
        let at: Option<Timestamp> = each.act.received_at.parse().ok();
        at.is_some_and(|at| surely_counts(view.state_reason.as_deref(), at, now))
    };
    acts.into_iter().filter(young).collect()
}

/// The approvals of this round that the executor counted, from receipts that it signed.
pub(super) fn counted(plan: &Plan, acts: &[JudgedAct]) -> Vec<Vote> {
    let counted = acts.iter().filter(|each| {
        each.verified == Some(true)
            && each.act.kind == ActKind::Approve.as_str()
            && each.act.round == plan.round
    });
    counted
        .filter_map(|each| {
            let receipt = each.act.receipt.as_ref().filter(|r| r.verdict == "counted")?;
            let by = signed_person(receipt.person.as_ref()?);
            Some(Vote { by, stage: each.act.stage.clone() })
        })
        .collect()
}

/// What the executor would not count for sure is not signed first. It decides by what it verifies
/// itself; here it is only foreseen, by the same rules, from receipts that it signed.
pub(super) fn may_approve(
    view: &RequestView,
    plan: &Plan,
    votes: &[Vote],
    me: &PersonView,
    stage: &str,
) -> Result<(), Failure> {
    let what = "approve the request";
    is_open(view, what, &[State::InReview, State::Approved])?;
    let person = signed_person(me);
    let tally = Tally::count(&plan.stages, &plan.submitter, votes);
    let vote = Vote { by: person, stage: stage.to_owned() };
    tally.judge(&plan.submitter, &vote).map_err(|why| {
        let next = match why {
            NoVote::Submitter => {
                "somebody else must sign; `strongroom request show` names who could".to_owned()
            }
            NoVote::Twice => format!(
                "others must sign: `strongroom request show {}` names them; if your vote is void \
                 meanwhile, sign with --anyway",
                view.request_id
            ),
            NoVote::NoSuchStage | NoVote::NotAllowed => {
                let groups =
                    if me.groups.is_empty() { "none".to_owned() } else { me.groups.join(", ") };
                format!(
                    "your groups at sign-in: {groups}; if they have changed, run `strongroom login`"
                )
            }
        };
        refused(what, why.to_string()).next(next)
    })
}

/// Whether a reject or a withdrawal may count.
pub(super) async fn may_end(
    client: &Client,
    kind: ActKind,
    id: RequestId,
    plan: Option<&Plan>,
) -> Result<(), Failure> {
    let session = client.api.session().await?;
    let view = client.api.change_request(id).await?;
    match (kind, plan) {
        (ActKind::Withdraw, _) => may_withdraw(&view, &session.person),
        (_, Some(plan)) => may_reject(&view, plan, &session),
        // Who has a vote is known when there is a plan.
        (_, None) => is_open(&view, "reject the request", &[State::Submitted, State::InReview]),
    }
}

fn may_reject(view: &RequestView, plan: &Plan, session: &Session) -> Result<(), Failure> {
    let what = "reject the request";
    is_open(view, what, &[State::Submitted, State::InReview, State::Approved])?;
    let person = signed_person(&session.person);
    if session.platform || plan.stages.iter().any(|stage| stage.admits(&person)) {
        return Ok(());
    }
    Err(refused(what, "only people with a vote on this request can reject it")
        .because(known_stages(&plan.stages))
        .next("ask one of them; if your groups have changed, run `strongroom login`"))
}

fn may_withdraw(view: &RequestView, me: &PersonView) -> Result<(), Failure> {
    let what = "withdraw the request";
    is_open(view, what, &[State::Submitted, State::InReview, State::Approved])?;
    let by = &view.submitted_by;
    let id = PersonId { issuer: by.issuer.clone(), person: by.person.clone() };
    if id.machine().is_some() {
        return Err(refused(what, "a machine submitted this, and a machine signs nothing")
            .next("reject it if you have a vote in it"));
    }
    if (&by.issuer, &by.person) == (&me.issuer, &me.person) {
        return Ok(());
    }
    Err(refused(what, format!("only the submitter, {}, can take a request back", by.display))
        .next("reject it if you have a vote in it"))
}

fn signed_person(view: &PersonView) -> SignedPerson {
    SignedPerson {
        id: PersonId { issuer: view.issuer.clone(), person: view.person.clone() },
        display: view.display.clone(),
        groups: view.groups.iter().cloned().collect(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::verify::tests::sample_plan;

    fn person(name: &str, groups: &[&str]) -> PersonView {
        serde_json::from_value(json!({ "issuer": "https://idp.example.com", "person": name,
            "display": name, "groups": groups }))
        .unwrap()
    }

    fn view(state: &str) -> RequestView {
        serde_json::from_value(json!({ "requestId": sample_plan(0).request, "state": state,
            "round": 1, "reason": "PAY-12", "createdAt": "2026-11-23T18:00:00Z",
            "submittedBy": person("e-1", &[]), "documents": [] }))
        .unwrap()
    }

    #[test]
    fn what_would_not_count_is_known_before_the_sign_in() {
        let plan = sample_plan(0);
        let voted = JudgedAct {
            act: serde_json::from_value(json!({ "actId": "7", "kind": "approve", "round": 1,
                "stage": "platform", "receivedAt": "2026-11-23T18:01:00Z",
                "receipt": { "verdict": "counted", "person": person("sue", &["platform-sre"]) } }))
            .unwrap(),
            verified: Some(true),
        };
        let forged = JudgedAct { verified: Some(false), ..voted.clone() };
        let ends = |state: &str, who: &PersonView, acts: &[JudgedAct]| {
            may_approve(&view(state), &plan, &counted(&plan, acts), who, "platform")
                .map_err(|failure| failure.exit)
        };
        let sue = person("sue", &["platform-sre"]);
        assert_eq!(ends("in_review", &sue, &[]), Ok(()));
        assert_eq!(ends("in_review", &sue, std::slice::from_ref(&voted)), Err(Exit::Denied));
        let at = |time: &str| time.parse::<Timestamp>().unwrap();
        let young =
            |view: &RequestView, now: &str| standing(view, vec![voted.clone()], at(now)).len();
        assert_eq!(young(&view("in_review"), "2026-11-23T19:00:00Z"), 1);
        assert_eq!(young(&view("in_review"), "2026-11-25T19:00:00Z"), 0, "it may have run out");
        let mut told = view("in_review");
        told.state_reason = Some("votes are void".into());
        assert_eq!(young(&told, "2026-11-23T19:00:00Z"), 0);
        assert_eq!(ends("in_review", &sue, &[forged]), Ok(()), "only signed receipts tell");
        assert_eq!(ends("applied", &sue, &[]), Err(Exit::Conflict));
        assert_eq!(ends("in_review", &person("carol", &["x"]), &[]), Err(Exit::Denied));
        let own = may_approve(
            &view("in_review"),
            &plan,
            &counted(&plan, &[voted]),
            &person("e-1", &["platform-sre"]),
            "platform",
        );
        assert!(own.unwrap_err().render().contains("own approval does not count"));
    }

    #[test]
    fn only_voters_reject_and_only_the_submitter_withdraws() {
        let plan = sample_plan(0);
        let session = |groups: &[&str], platform| Session {
            person: person("sam", groups),
            platform,
            auditor: false,
            machine: None,
            expires_at: String::new(),
        };
        let rejects = |state: &str, groups: &[&str], platform| {
            may_reject(&view(state), &plan, &session(groups, platform)).map_err(|f| f.exit)
        };
        assert_eq!(rejects("in_review", &["payments-leads"], false), Ok(()));
        assert_eq!(rejects("in_review", &["x"], true), Ok(()));
        assert_eq!(rejects("in_review", &["x"], false), Err(Exit::Denied));
        assert_eq!(rejects("rejected", &["payments-leads"], false), Err(Exit::Conflict));
        assert_eq!(may_withdraw(&view("in_review"), &person("e-1", &[])), Ok(()));
        let other = may_withdraw(&view("in_review"), &person("sam", &[])).unwrap_err();
        assert_eq!(other.exit, Exit::Denied);
        let over = may_withdraw(&view("applied"), &person("e-1", &[])).unwrap_err();
        assert_eq!(over.exit, Exit::Conflict);
    }
}
