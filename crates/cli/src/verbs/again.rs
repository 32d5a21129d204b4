//! `request again`: what an ended request proposed, proposed once more on top of what is applied
//! now, as a request of its own with a signature of its own.
//!
//! The documents come from the plan that the executor signed wherever one was frozen. Without one
//! they are the API's word: the person reads line by line what they change before signing.

use strongroom_domain::document::Document;
use strongroom_domain::id::RequestId;
use strongroom_domain::request::State;
use strongroom_domain::subject::Subject;

use super::apply::lifted;
use super::propose::{Proposal, propose};
use super::request;
use crate::api::types::RequestView;
use crate::args::ProposeArgs;
use crate::client::Client;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::render::text::clean;

/// How a reason begins that stands for an older one.
const AGAIN: &str = "again: ";

/// The most characters of a reason.
const MAX_REASON: usize = 2000;

/// Proposes it again.
pub async fn run(client: &Client, id: RequestId, args: &ProposeArgs) -> Result<Exit, Failure> {
    let view = client.api.change_request(id).await?;
    may_again(&view)?;
    let (bases, proposal) = match request::plan(client, id).await? {
        Some(verified) => {
            let plan = verified.plan;
            let bases =
                plan.documents.iter().map(|each| (each.subject.clone(), each.base_revision));
            let proposal = Proposal {
                documents: verified.documents,
                places: Vec::new(),
                attest: plan.attest.clone(),
                lift: plan.lift.clone(),
                reason: Some(reason(&plan.reason)),
                unread: false,
            };
            (bases.collect(), proposal)
        }
        None => as_told(client, &view)?,
    };
    for (subject, base) in bases {
        let now = applied_revision(client, &subject).await?;
        if now != base {
            client.screen.must_say(&format!(
                "{subject} was at revision {base} when this was proposed and is at {now} now: \
                 changes made since then would be taken back; read what changes"
            ));
        }
    }
    propose(client, proposal, args).await
}

/// Only what has ended without being decided against.
fn may_again(view: &RequestView) -> Result<(), Failure> {
    let id = view.request_id;
    let state = State::from_word(&view.state);
    let next = match state {
        Some(State::Superseded | State::Expired | State::Failed | State::Withdrawn) => {
            return Ok(());
        }
        Some(State::Rejected) => {
            "change what was objected to, and propose it with `strongroom apply`".to_owned()
        }
        Some(State::Applied) => {
            "to bring a document back, `strongroom get document … --revision N -o yaml` and \
             `strongroom apply`"
                .to_owned()
        }
        _ => format!("it is still open: follow it with `strongroom request show {id}`"),
    };
    Err(Failure::new(Exit::Conflict, format!("propose {id} again"))
        .because(format!("the request is {}", clean(&view.state.replace('_', " "))))
        .next(next))
}

/// What was never frozen, as the API tells it.
fn as_told(
    client: &Client,
    view: &RequestView,
) -> Result<(Vec<(Subject, u64)>, Proposal), Failure> {
    client.screen.say("no plan of it was frozen: the documents are those the server stored");
    let unreadable = |subject: &str| {
        Failure::new(Exit::Conflict, format!("read the document of {}", clean(subject)))
            .because("what the server stored is no valid document any more")
            .next("propose it from your own file with `strongroom apply`")
    };
    let (mut bases, mut documents) = (Vec::new(), Vec::new());
    for told in &view.documents {
        let document = Document::from_value(&told.document);
        let document = document.map_err(|_| unreadable(&told.subject))?;
        if document.subject().to_string() != told.subject {
            return Err(unreadable(&told.subject));
        }
        bases.push((document.subject(), told.base_revision));
        documents.push(document);
    }
    if documents.is_empty() {
        return Err(Failure::new(Exit::Denied, format!("propose {} again", view.request_id))
            .because("you may not see its documents")
            .next("ask whoever submitted it"));
    }
    let mut attest = view.attest.clone();
    attest.sort();
    attest.dedup();
    let (lift, reason) = (lifted(&view.lift)?, Some(reason(&view.reason)));
    let unread = true;
    Ok((bases, Proposal { documents, places: Vec::new(), attest, lift, reason, unread }))
}

/// The old reason, marked once however often it is proposed again.
fn reason(old: &str) -> String {
    let old = old.trim();
    let old = old.strip_prefix(AGAIN).unwrap_or(old);
    format!("{AGAIN}{old}").chars().take(MAX_REASON).collect()
}

async fn applied_revision(client: &Client, subject: &Subject) -> Result<u64, Failure> {
    match client.api.document(subject.kind(), subject.name(), None).await {
        Ok(document) => Ok(document.revision),
        Err(failure) if failure.exit == Exit::NotFound => Ok(0),
        Err(failure) => Err(failure),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn view(state: &str) -> RequestView {
        serde_json::from_value(json!({ "requestId": "0199b5d0-0000-7000-8000-000000000002",
            "state": state, "round": 1, "reason": "PAY-12", "createdAt": "2026-11-23T18:00:00Z",
            "submittedBy": { "issuer": "i", "person": "e-1", "display": "bob" },
            "documents": [] }))
        .unwrap()
    }

    #[test]
    fn only_what_ended_undecided_is_proposed_again() {
        for state in ["superseded", "expired", "failed", "withdrawn"] {
            may_again(&view(state)).unwrap();
        }
        for (state, word) in [
            ("rejected", "objected"),
            ("applied", "--revision"),
            ("submitted", "still open"),
            ("in_review", "still open"),
            ("approved", "still open"),
            ("applying", "still open"),
        ] {
            let refused = may_again(&view(state)).unwrap_err();
            assert_eq!(refused.exit, Exit::Conflict, "{state}");
            assert!(refused.render().contains(word), "{}", refused.render());
        }
    }

    #[test]
    fn the_reason_says_again_once() {
        assert_eq!(reason("PAY-12"), "again: PAY-12");
        assert_eq!(reason("again: PAY-12"), "again: PAY-12");
        assert_eq!(reason(&"x".repeat(3000)).chars().count(), MAX_REASON);
    }
}
