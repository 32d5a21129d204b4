//! Submissions and acts as the command line makes them.

use serde_json::{Value, json};
use strongroom_acts::{comment_digest, new_salt, nonce, submission_digest};
use strongroom_domain::Digest;
use strongroom_domain::act::{ActItem, ActKind, Statement, Submission, SubmittedDocument};
use strongroom_domain::document::Document;
use strongroom_domain::id::RequestId;
use uuid::Uuid;

use super::client::Client;
use super::{ACT_CLIENT, DEPLOYMENT, TestApp};

/// A submission of these documents, each based on nothing.
pub fn submission(documents: &[Value]) -> Submission {
    let mut documents: Vec<SubmittedDocument> = documents
        .iter()
        .map(|document| SubmittedDocument {
            subject: Document::from_value(document).unwrap().subject(),
            base_revision: 0,
            base_hash: None,
            document: document.clone(),
        })
        .collect();
    documents.sort_by(|a, b| a.subject.cmp(&b.subject));
    Submission {
        request: RequestId::from_uuid(Uuid::now_v7()),
        documents,
        attest: Vec::new(),
        lift: Vec::new(),
        reason: "we need it".to_owned(),
    }
}

/// The same on top of an applied revision.
pub fn based_on(mut submission: Submission, revision: u64, hash: Digest) -> Submission {
    for document in &mut submission.documents {
        document.base_revision = revision;
        document.base_hash = Some(hash);
    }
    submission
}

impl TestApp {
    /// A statement of this person.
    pub fn statement(&self, act: ActKind, item: ActItem, comment: &str) -> Statement {
        Statement {
            deployment: DEPLOYMENT.parse().unwrap(),
            issuer: self.provider.url.clone(),
            audience: ACT_CLIENT.to_owned(),
            act,
            items: vec![item],
            comment: comment_digest(comment),
            salt: new_salt().unwrap(),
        }
    }

    /// The statement signed by the provider, as it is sent.
    pub fn signed(&self, who: &Client, statement: &Statement, comment: &str) -> Value {
        let groups: Vec<&str> = who.groups.iter().map(String::as_str).collect();
        let mut claims = self.claims(&who.name, &groups, &nonce(statement).unwrap());
        claims["aud"] = json!(statement.audience);
        let token = self.provider.sign(&claims);
        json!({ "statement": statement, "idToken": token, "comment": comment })
    }

    /// The body of a submission, signed.
    pub fn submit_body(&self, who: &Client, submission: &Submission) -> Value {
        let item = ActItem {
            request: submission.request,
            round: 0,
            stage: String::new(),
            content: submission_digest(submission),
        };
        let statement = self.statement(ActKind::Submit, item, "");
        json!({ "submission": submission, "act": self.signed(who, &statement, "") })
    }

    /// Submits documents that are based on nothing. Gives the request.
    pub async fn submit(&self, who: &Client, documents: &[Value]) -> RequestId {
        let submission = submission(documents);
        let answer = who.post("/api/v1/requests", &self.submit_body(who, &submission)).await;
        assert_eq!(answer.status, 201, "{:#}", answer.body);
        submission.request
    }

    /// A signed act on a plan, as it is sent.
    pub fn act_body(
        &self,
        who: &Client,
        kind: ActKind,
        request: RequestId,
        (round, stage, content): (u32, &str, Digest),
    ) -> Value {
        let item = ActItem { request, round, stage: stage.to_owned(), content };
        let statement = self.statement(kind, item, "fine");
        self.signed(who, &statement, "fine")
    }
}
