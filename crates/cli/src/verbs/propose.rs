//! From documents to a signed submission: preview, confirm, sign, submit, say what comes next.
//!
//! What is signed are the documents as this program decoded them. The preview only says what they
//! are based on, and that is checked against the base documents themselves.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::json;
use strongroom_acts::submission_digest;
use strongroom_domain::Digest;
use strongroom_domain::act::{ActItem, ActKind, Submission, SubmittedDocument};
use strongroom_domain::clock::Clock as _;
use strongroom_domain::document::Document;
use strongroom_domain::hold::Target;
use strongroom_domain::id::RequestId;
use strongroom_domain::subject::Subject;
use strongroom_plan::build::places;
use strongroom_plan::summary::NOBODY;

use crate::act::{self, Act, Answer, SignedAct};
use crate::api::types::{Preview, RequestSummary, Session};
use crate::args::{Output, ProposeArgs};
use crate::client::Client;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files::Place;
use crate::render::text::clean;
use crate::verbs::{diff, wait};
use crate::{output, render};

#[derive(Serialize)]
struct Body<'a> {
    submission: &'a Submission,
    #[serde(skip_serializing_if = "Option::is_none")]
    act: Option<&'a SignedAct<'a>>,
}

/// What is proposed.
pub struct Proposal {
    /// The documents.
    pub documents: Vec<Document>,
    /// Where they stand, if they were read from files: in the same order.
    pub places: Vec<Place>,
    /// Namespaces to trust again; sorted.
    pub attest: Vec<String>,
    /// What is to go on again; sorted.
    pub lift: Vec<Target>,
    /// The reason, unless another one is given.
    pub reason: Option<String>,
    /// Nobody here wrote the documents, or verified a signature over them: they are shown line by line
    /// before they are signed.
    pub unread: bool,
}

impl Proposal {
    /// These documents and nothing else.
    pub fn of(documents: Vec<Document>) -> Self {
        Self {
            documents,
            places: Vec::new(),
            attest: Vec::new(),
            lift: Vec::new(),
            reason: None,
            unread: false,
        }
    }
}

/// Proposes documents.
pub async fn propose(
    client: &Client,
    proposal: Proposal,
    args: &ProposeArgs,
) -> Result<Exit, Failure> {
    output::no_columns(client.output.as_ref())?;
    let Proposal { documents, places, attest, lift, reason: told, unread } = proposal;
    let preview = client.api.preview(&documents, &attest, &lift).await;
    let preview = preview.map_err(|failure| placed(failure, &places))?;
    check_preview(&documents, &preview)?;
    let chosen = to_submit(&documents, &preview, &attest, &lift);
    if chosen.is_empty() {
        return nothing(client, &documents, &preview);
    }
    show(client, args, &preview, &documents)?;
    if unread {
        let style = client.screen.style_err();
        client.screen.show(&diff::of_documents(client, &documents, &preview, style).await?);
    }
    for line in stale(&preview, &places).into_iter().chain(beside(&preview)) {
        client.screen.say(&line);
    }
    if args.dry_run {
        return Ok(Exit::Ok);
    }
    may_submit(&client.api.session().await?, &preview)?;

    let reason = reason(client, args.reason.clone().or(told)).await?;
    let submission = submission(client, chosen, attest, lift, reason).await?;
    // A pipeline has nobody to ask.
    if !client.is_machine || client.screen.has_person() {
        client.screen.confirm(&question(client, &submission)).await?;
    }
    // What a machine submits counts as nobody's.
    let signed = if client.is_machine { None } else { Some(sign(client, &submission).await?) };
    let stored = client.api.submit(&Body { submission: &submission, act: signed.as_ref() }).await;
    let stored = stored.map_err(|failure| {
        // What is submitted may be a part of what was read.
        let place = |number: usize, pointer: &str| {
            let subject = &submission.documents.get(number)?.subject;
            let read = documents.iter().position(|document| document.subject() == *subject)?;
            places.get(read).map(|place| place.of(pointer))
        };
        failure.placed(place)
    })?;
    let stored = stored.request_id;
    // Pipelines ask for the same again and again: a machine's own open request is given back.
    if stored != submission.request && !client.is_machine {
        return Err(Failure::new(Exit::Conflict, "submit the request")
            .because("the server stored it under another id than was signed"));
    }
    client.screen.say(&if stored == submission.request {
        format!("request {stored} is stored")
    } else {
        format!("request {stored} asks for the same already")
    });
    let answer = match &signed {
        Some(signed) => Some(act::answer(client, stored, signed, None).await?),
        None => None,
    };
    let exit = match answer {
        None => {
            client.screen.say("nobody signed it: one vote of the platform more is asked for");
            Exit::Waiting
        }
        Some(Answer::Refused(reason)) => {
            return Err(Failure::new(Exit::Denied, "submit the request")
                .because(format!("the executor refused the submission: {reason}"))
                .next(format!("look at it with `strongroom request show {stored}`")));
        }
        Some(Answer::Counted) => Exit::Ok,
        Some(Answer::None) => {
            client.screen.say(
                "the executor has not answered yet; the request waits until `strongroom execute` runs",
            );
            Exit::Waiting
        }
    };
    if args.wait {
        let (view, exit) = wait::until(client, stored, None, args.timeout).await?;
        return wait::tell(client, &view, exit);
    }
    let view = client.api.change_request(stored).await?;
    wait::tell(client, &view, exit)
}

/// Has the person sign exactly this submission.
async fn sign<'a>(client: &Client, submission: &Submission) -> Result<SignedAct<'a>, Failure> {
    let content = submission_digest(submission);
    let item = ActItem { request: submission.request, round: 0, stage: String::new(), content };
    act::sign(client, Act { kind: ActKind::Submit, item, comment: "", after: None }).await
}

/// Files that were read from an older revision than the one they would replace.
fn stale(preview: &Preview, places: &[Place]) -> Vec<String> {
    let old = preview.documents.iter().zip(places).filter_map(|(told, place)| {
        let read = place.revision.filter(|read| told.changed && *read < told.base_revision)?;
        Some(format!(
            "note: {} says that it was read from revision {read} of {subject}, and revision {now} is \
             applied: what came between and is not in the file would be taken back; `strongroom diff` \
             shows it, `strongroom get document {subject} -o yaml` is what is applied",
            place.of(""),
            subject = told.subject,
            now = told.base_revision,
        ))
    });
    old.collect()
}

/// What else is asked for about the same.
fn beside(preview: &Preview) -> Vec<String> {
    let note = |other: &RequestSummary| {
        let who = other.submitted_by.as_ref().map_or("somebody", |who| &who.display);
        format!(
            "note: request {} of {} about {} is {}: whichever is applied first makes the other one stale \
             (`strongroom request show` tells what it asks for)",
            other.request_id,
            clean(who),
            clean(&other.subjects().join(", ")),
            clean(&other.state)
        )
    };
    preview.beside.iter().map(note).collect()
}

/// Faults in documents by file, line and field.
pub fn placed(failure: Failure, places: &[Place]) -> Failure {
    failure.placed(|number, pointer| places.get(number).map(|place| place.of(pointer)))
}

/// What would be refused for sure is not signed first.
fn may_submit(session: &Session, preview: &Preview) -> Result<(), Failure> {
    if session.machine.as_ref().is_some_and(|machine| machine.scope != "propose") {
        return Err(Failure::new(Exit::Denied, "submit the request")
            .because("this machine may only read")
            .next("use a key that was made with --scope propose, or propose as yourself"));
    }
    if session.auditor {
        return Err(Failure::new(Exit::Denied, "submit the request")
            .because("auditors see everything and change nothing")
            .next("ask a member of the team or of the platform"));
    }
    let Some(hold) = preview.holds.iter().find(|hold| hold.blocks) else { return Ok(()) };
    let target = clean(&hold.target.to_string());
    Err(Failure::new(Exit::Conflict, "submit the request")
        .because(format!("{target} is frozen: {}", hold.reason))
        .next(format!(
            "ask the platform team; --lift {target} goes on from what the document says (critical)"
        )))
}

fn nothing(client: &Client, documents: &[Document], preview: &Preview) -> Result<Exit, Failure> {
    match &client.output {
        Some(shape) if shape.is_value() => {
            let result =
                json!({ "unchanged": true, "summary": preview.summary, "holds": preview.holds });
            client.screen.data(&output::value(&result, shape)?);
        }
        Some(Output::Name) => {}
        _ => {
            let names: Vec<String> =
                documents.iter().map(|document| document.subject().to_string()).collect();
            let mut text = format!("no change: {}\n", names.join(", "));
            // What stands there besides that nobody's access changes wants to be read.
            for line in preview.summary.iter().filter(|line| *line != NOBODY) {
                let _ = writeln!(text, "  {}", clean(line));
            }
            text.push_str(&render::preview::holds(preview, client.screen.style_out()));
            client.screen.data(&text);
        }
    }
    Ok(Exit::Ok)
}

fn show(
    client: &Client,
    args: &ProposeArgs,
    preview: &Preview,
    documents: &[Document],
) -> Result<(), Failure> {
    match &client.output {
        Some(shape) if shape.is_value() && args.dry_run => {
            client.screen.data(&output::value(preview, shape)?);
        }
        None | Some(Output::Table) if args.dry_run => {
            let style = client.screen.style_out();
            client.screen.data(&render::preview::preview(preview, documents, style));
        }
        _ => {
            let style = client.screen.style_err();
            client.screen.show(&render::preview::preview(preview, documents, style));
        }
    }
    Ok(())
}

/// The API understood exactly these documents.
pub fn check_preview(documents: &[Document], preview: &Preview) -> Result<(), Failure> {
    let failed = |why: String| Err(Failure::new(Exit::Conflict, "check the preview").because(why));
    if documents.len() != preview.documents.len() {
        return failed("the server tells about another number of documents than were sent".into());
    }
    for (document, told) in documents.iter().zip(&preview.documents) {
        if document.subject() != told.subject {
            return failed(format!("the server tells about {} instead", told.subject));
        }
        if document.to_value() != told.document {
            return failed(format!("the server understood {} otherwise", told.subject));
        }
        if (told.base_revision == 0) != told.base_hash.is_none() {
            return failed(format!("the base of {} is not told whole", told.subject));
        }
    }
    Ok(())
}

/// What goes into the submission: what changed, and what an attested namespace belongs to. With no
/// change in any document but steps to do, all of it: the engine differs from what is declared.
fn to_submit<'a>(
    documents: &'a [Document],
    preview: &'a Preview,
    attest: &[String],
    lift: &[Target],
) -> Vec<(&'a Document, u64, Option<Digest>)> {
    if preview.unchanged && attest.is_empty() && lift.is_empty() {
        return Vec::new();
    }
    let all = documents
        .iter()
        .zip(&preview.documents)
        .map(|(document, told)| (document, told.base_revision, told.base_hash, told.changed));
    let wanted: Vec<_> = all
        .clone()
        .filter(|(document, .., changed)| {
            let subject = document.subject();
            *changed
                || names(document, attest)
                || lift.iter().any(|target| target.subject() == subject)
        })
        .collect();
    let wanted = if wanted.is_empty() { all.collect() } else { wanted };
    wanted.into_iter().map(|(document, revision, hash, _)| (document, revision, hash)).collect()
}

fn names(document: &Document, attest: &[String]) -> bool {
    let Document::Team(team) = document else {
        return false;
    };
    places(team).any(|place| attest.contains(&place))
}

/// The base of a change, which must have the hash that the preview names: a submission names it, and
/// the executor compares it with the head.
pub async fn base(
    client: &Client,
    subject: &Subject,
    revision: u64,
    hash: Digest,
) -> Result<Document, Failure> {
    let base = client.api.document(subject.kind(), subject.name(), Some(revision)).await?;
    let document = Document::from_value(&base.document).ok();
    document.filter(|document| document.digest() == hash).ok_or_else(|| {
        Failure::new(Exit::Conflict, format!("check the base of {subject}"))
            .because("the base document does not have the hash that the preview names")
    })
}

async fn submission(
    client: &Client,
    chosen: Vec<(&Document, u64, Option<Digest>)>,
    attest: Vec<String>,
    lift: Vec<Target>,
    reason: String,
) -> Result<Submission, Failure> {
    let mut documents = Vec::new();
    for (document, base_revision, base_hash) in chosen {
        let subject = document.subject();
        if let Some(hash) = base_hash {
            base(client, &subject, base_revision, hash).await?;
        }
        let document = document.to_value();
        documents.push(SubmittedDocument { subject, base_revision, base_hash, document });
    }
    // A UUID v7 holds the time of its making; the time comes from the one clock.
    let now = client.clock.now();
    let (seconds, nanos) = (now.as_second().unsigned_abs(), now.subsec_nanosecond().unsigned_abs());
    let at = uuid::Timestamp::from_unix(uuid::NoContext, seconds, nanos);
    let request = RequestId::from_uuid(uuid::Uuid::new_v7(at));
    Ok(Submission { request, documents, attest, lift, reason })
}

async fn reason(client: &Client, given: Option<String>) -> Result<String, Failure> {
    let given = match given {
        Some(reason) => reason,
        None if client.screen.can_ask() => client.screen.ask("Why? (a reason): ").await?,
        None => String::new(),
    };
    match given.trim() {
        "" => Err(Failure::usage("submit without a reason")
            .because("everybody who votes reads why the change is wanted")
            .next("add --reason 'TICKET-1: what for'")),
        reason => Ok(reason.to_owned()),
    }
}

fn question(client: &Client, submission: &Submission) -> String {
    let names: Vec<String> =
        submission.documents.iter().map(|document| document.subject.to_string()).collect();
    let names = names.join(", ");
    if client.is_machine {
        return format!("Submit {names} as a machine, in nobody's name? It cannot be taken back.");
    }
    format!("Sign and submit {names}?")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::verify::tests::TEAM;

    fn preview(changed: bool, unchanged: bool) -> (Vec<Document>, Preview) {
        let documents = Document::from_yaml(TEAM).unwrap();
        let preview = serde_json::from_value(json!({
            "documents": [{ "subject": "team/payments", "baseRevision": 3,
                "baseHash": documents[0].digest(), "document": documents[0].to_value(),
                "changed": changed, "managedBy": "cli" }],
            "unchanged": unchanged, "risk": "low",
        }))
        .unwrap();
        (documents, preview)
    }

    #[test]
    fn only_what_changes_is_submitted() {
        let chosen = |changed, unchanged, attest: &[&str]| {
            let (documents, preview) = preview(changed, unchanged);
            let attest: Vec<String> = attest.iter().map(ToString::to_string).collect();
            to_submit(&documents, &preview, &attest, &[]).len()
        };
        assert_eq!(chosen(false, true, &[]), 0);
        assert_eq!(chosen(true, false, &[]), 1);
        assert_eq!(chosen(false, false, &[]), 1, "the engine differs");
        assert_eq!(chosen(false, true, &["prod-eu/payments-prod"]), 1);
    }

    #[test]
    fn a_preview_of_something_else_is_refused() {
        let (documents, good) = preview(true, false);
        check_preview(&documents, &good).unwrap();
        let refused = |change: &dyn Fn(&mut Preview)| {
            let mut other = good.clone();
            change(&mut other);
            check_preview(&documents, &other).unwrap_err().exit
        };
        assert_eq!(refused(&|p| p.documents.clear()), Exit::Conflict);
        assert_eq!(refused(&|p| p.documents[0].base_hash = None), Exit::Conflict);
        assert_eq!(
            refused(&|p| p.documents[0].subject = "team/other".parse().unwrap()),
            Exit::Conflict
        );
        let deeper = refused(&|p| p.documents[0].document["spec"]["contact"] = json!("evil"));
        assert_eq!(deeper, Exit::Conflict);
    }

    #[test]
    fn what_would_be_refused_is_not_signed() {
        let (_, mut preview) = preview(true, false);
        let session = |auditor: bool| Session {
            person: serde_json::from_value(json!({ "issuer": "i", "person": "p", "display": "d" }))
                .unwrap(),
            platform: false,
            auditor,
            machine: None,
            expires_at: String::new(),
        };
        may_submit(&session(false), &preview).unwrap();
        assert_eq!(may_submit(&session(true), &preview).unwrap_err().exit, Exit::Denied);
        preview.holds = serde_json::from_value(json!([
            { "target": "team/payments/api", "reason": "INC-7", "blocks": false },
        ]))
        .unwrap();
        may_submit(&session(false), &preview).unwrap();
        preview.holds[0].blocks = true;
        let refused = may_submit(&session(false), &preview).unwrap_err();
        assert_eq!(refused.exit, Exit::Conflict);
        assert!(refused.render().contains("--lift team/payments/api"), "{}", refused.render());
    }
}
