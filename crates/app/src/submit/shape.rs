//! What a submission must be in itself: its shape, its act, its documents.

use std::collections::BTreeSet;

use strongroom_domain::Digest;
use strongroom_domain::act::{ActKind, Submission};
use strongroom_domain::document::Document;
use strongroom_plan::build::places;

use super::MAX_DOCUMENTS;
use crate::act::{ActInput, is_readable};
use crate::context::Ctx;
use crate::error::{AppError, FieldFault};
use crate::trust::trust;

/// The most characters of a reason.
const MAX_REASON: usize = 2000;

/// The most namespaces that one request attests.
const MAX_ATTEST: usize = 100;

/// Everything about a submission that needs no look at what is stored.
pub(super) fn check_shape(submission: &Submission, faults: &mut Vec<FieldFault>) {
    let mut need = |ok: bool, pointer: &str, message: &str| {
        if !ok {
            faults.push(FieldFault::new(format!("/submission{pointer}"), message));
        }
    };
    need(
        submission.request.as_uuid().get_version_num() == 7,
        "/request",
        "the client makes the id, a UUID version 7",
    );
    let reason = submission.reason.trim();
    need(
        !reason.is_empty() && submission.reason.chars().count() <= MAX_REASON,
        "/reason",
        "say why, in 1 to 2000 characters",
    );
    need(is_readable(&submission.reason), "/reason", "a reason holds no control characters");
    need(
        (1..=MAX_DOCUMENTS).contains(&submission.documents.len()),
        "/documents",
        "a request has 1 to 20 documents",
    );
    need(
        submission.documents.is_sorted_by(|a, b| a.subject < b.subject),
        "/documents",
        "documents are sorted by subject, and each subject has one",
    );
    need(
        submission.attest.len() <= MAX_ATTEST && submission.attest.is_sorted_by(|a, b| a < b),
        "/attest",
        "at most 100 namespaces, sorted, each once",
    );
    need(
        submission.lift.len() <= MAX_ATTEST && submission.lift.is_sorted_by(|a, b| a < b),
        "/lift",
        "at most 100 holds, sorted, each once",
    );
}

/// The act is a `submit` of exactly this submission.
pub(super) async fn check_act(
    ctx: &Ctx,
    submission: &Submission,
    digest: Digest,
    act: &ActInput,
    faults: &mut Vec<FieldFault>,
) -> Result<(), AppError> {
    act.check("/act", &trust(&ctx.app).await?, faults);
    let item = act.item("/act", submission.request, faults);
    let mut need = |ok: bool, pointer: &str, message: &str| {
        if !ok {
            faults.push(FieldFault::new(format!("/act/statement{pointer}"), message));
        }
    };
    need(act.statement.act == ActKind::Submit, "/act", "documents come with a `submit`");
    if let Some(item) = item {
        need(item.round == 0, "/items/0/round", "a submission is of round 0");
        need(item.stage.is_empty(), "/items/0/stage", "a submission is for no stage");
        need(
            item.content == digest,
            "/items/0/content",
            "this is not the hash of the submission that was sent",
        );
    }
    Ok(())
}

/// Documents that are exactly what was signed: valid, about their subject, in the normal form.
pub(super) fn decode(submission: &Submission, faults: &mut Vec<FieldFault>) -> Vec<Document> {
    let mut documents = Vec::new();
    for (number, sent) in submission.documents.iter().take(MAX_DOCUMENTS).enumerate() {
        let base = format!("/submission/documents/{number}");
        let place = format!("{base}/document");
        match Document::from_value(&sent.document) {
            Err(more) => {
                faults.extend(more.into_iter().map(|f| FieldFault::of_document(&place, f)));
            }
            Ok(document) if document.subject() != sent.subject => {
                let message = format!("the document is about {}", document.subject());
                faults.push(FieldFault::new(format!("{base}/subject"), message));
            }
            Ok(document) if document.to_value() != sent.document => faults.push(FieldFault::new(
                place,
                "the document is not in its normal form; sign the form that the preview gives",
            )),
            Ok(document) => documents.push(document),
        }
        if (sent.base_revision == 0) != sent.base_hash.is_none() {
            let message = "a base revision has a hash, and no base has none";
            faults.push(FieldFault::new(format!("{base}/baseHash"), message));
        }
    }
    documents
}

/// Namespaces to trust again are claimed by a document of the request, or used by it as another
/// team's.
pub(crate) fn attested(base: &str, attest: &[String], documents: &[Document]) -> Vec<FieldFault> {
    let mut named = BTreeSet::new();
    for document in documents {
        if let Document::Team(team) = document {
            named.extend(places(team));
        }
    }
    let unknown = attest.iter().enumerate().filter(|(_, name)| !named.contains(*name));
    unknown
        .map(|(number, _)| {
            FieldFault::new(
                format!("{base}/{number}"),
                "no document of this request names this namespace (written cluster/namespace)",
            )
        })
        .collect()
}
