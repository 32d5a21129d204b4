//! Verifying acts: from a stored row to a signed receipt, or to a refusal with its sentence.

use serde_json::json;
use strongroom_acts::receipt::{Receipt, Refused};
use strongroom_acts::signing::Purpose;
use strongroom_acts::token::{self, Accepted, Expectation, TokenRules};
use strongroom_acts::{comment_digest, nonce, submission_digest};
use strongroom_domain::act::{ActItem, ActKind, Statement, Submission};
use strongroom_domain::event::{Actor, EventKind};
use strongroom_domain::hold::Suspension;
use strongroom_domain::id::RequestId;
use strongroom_domain::risk::Risk;
use strongroom_domain::{Digest, canonical};
use strongroom_plan::Plan;
use strongroom_storage::act::{ActRow, ReceiptRow};

use crate::error::ExecutorError;
use crate::record::signed_actor;
use crate::start::Executor;

/// An act that the executor verified.
#[derive(Debug, Clone)]
pub(crate) struct Verified {
    pub(crate) kind: ActKind,
    pub(crate) item: ActItem,
    pub(crate) accepted: Accepted,
}

/// What a row must be an act about.
#[derive(Debug, Clone, Copy)]
pub(crate) enum About<'a> {
    /// A submission.
    Submission(&'a Submission),
    /// Something to stand still.
    Suspension(&'a Suspension),
    /// One frozen plan.
    Plan { plan: &'a Plan, hash: Digest },
}

impl Executor {
    /// Judges a stored act. `Err(Ok(..))` is a refusal of the act; `Err(Err(..))` means that nothing
    /// can be said now.
    pub(crate) async fn act_judge(
        &self,
        row: &ActRow,
        about: About<'_>,
    ) -> Result<Verified, Result<String, ExecutorError>> {
        let (statement, item) = self.statement(row).map_err(Ok)?;
        let expected_nonce = nonce(&statement).map_err(|error| Ok(error.to_string()))?;
        check_item(statement.act, &item, about).map_err(Ok)?;
        let kid = token::key_id(&row.id_token).map_err(|refusal| Ok(refusal.to_string()))?;
        let key = match self.issuer.key(&kid).await {
            Ok(key) => key,
            Err(strongroom_authn::IssuerError::UnknownKey(_)) => {
                return Err(Ok(format!("the provider does not publish the key {kid}")));
            }
            Err(error) => return Err(Err(ExecutorError::Wait(error.to_string()))),
        };
        let (rules, expected) = self.demands(&statement, about, &expected_nonce);
        let accepted = token::judge(&row.id_token, &key, &rules, &expected)
            .map_err(|refusal| Ok(refusal.to_string()))?;
        Ok(Verified { kind: statement.act, item, accepted })
    }

    /// Verifies again, from receipt and token, what was accepted before: at every count and at
    /// apply, with the key of the receipt, so that a rotation at the provider changes nothing and
    /// an edited row changes less.
    pub(crate) fn act_recheck(
        &self,
        row: &ActRow,
        about: About<'_>,
    ) -> Result<Verified, ExecutorError> {
        let hostile = |what: &str| ExecutorError::Hostile(format!("act {}: {what}", row.act));
        let (receipt, statement, item) = self.receipt_of(row, about)?;
        let expected_nonce = nonce(&statement).map_err(|error| hostile(&error.to_string()))?;
        let (rules, expected) = self.demands(&statement, about, &expected_nonce);
        let judged = token::judge(&row.id_token, &receipt.key, &rules, &expected);
        let accepted = judged.map_err(|refusal| {
            if refusal.comes_later() {
                let (who, why) = (receipt.display.clone(), refusal.to_string());
                return ExecutorError::Lapsed { who, why };
            }
            hostile(&refusal.to_string())
        })?;
        Ok(Verified { kind: statement.act, item, accepted })
    }

    /// The receipt of an act that was counted, if an executor signed it for exactly this row; with
    /// what was signed.
    fn receipt_of(
        &self,
        row: &ActRow,
        about: About<'_>,
    ) -> Result<(Receipt, Statement, ActItem), ExecutorError> {
        let hostile = |what: &str| ExecutorError::Hostile(format!("act {}: {what}", row.act));
        let stored = row.receipt.as_ref().filter(|receipt| receipt.verdict == "counted");
        let stored = stored.ok_or_else(|| hostile("there is no receipt"))?;
        let key = self.keys.iter().find(|key| key.id() == stored.key_id);
        let key = key.ok_or_else(|| hostile("the receipt is signed with no key of the floor"))?;
        if !key.verifies(Purpose::Receipt, &stored.canonical, &stored.signature) {
            return Err(hostile("the signature on the receipt does not verify"));
        }
        let receipt: Receipt = serde_json::from_slice(&stored.canonical)
            .map_err(|_| hostile("the receipt is not one"))?;
        if receipt.act != row.act || receipt.token != Digest::of(row.id_token.as_bytes()) {
            return Err(hostile("the receipt is for another act"));
        }
        let (statement, item) = self.statement(row).map_err(|why| hostile(&why))?;
        if receipt.kind != statement.act || receipt.items != [item.clone()] {
            return Err(hostile("the receipt is for another statement"));
        }
        check_item(statement.act, &item, about).map_err(|why| hostile(&why))?;
        Ok((receipt, statement, item))
    }

    /// The receipt of the submission itself: whose it is and when it was signed does not change with
    /// time, or with the floor file.
    pub(crate) fn submission_receipt(
        &self,
        acts: &[ActRow],
        submission: &Submission,
    ) -> Option<Receipt> {
        let submitted = acts.iter().filter(|act| act.kind == ActKind::Submit.as_str());
        let about = About::Submission(submission);
        let mut receipts = submitted.filter_map(|act| self.receipt_of(act, about).ok());
        receipts.find_map(|(receipt, ..)| (receipt.kind == ActKind::Submit).then_some(receipt))
    }

    /// The statement of a row and its one item, in canonical form and about this row.
    fn statement(&self, row: &ActRow) -> Result<(Statement, ActItem), String> {
        let statement: Statement = serde_json::from_slice(&row.statement)
            .map_err(|_| "the statement cannot be read".to_owned())?;
        let again = canonical::to_bytes(&statement).map_err(|error| error.to_string())?;
        if again != row.statement {
            return Err("the statement is not in its canonical form".into());
        }
        if statement.deployment != self.floor.deployment {
            return Err("the act is for another deployment".into());
        }
        if statement.issuer != self.floor.issuer.url {
            return Err("the act names another issuer".into());
        }
        if statement.act.as_str() != row.kind || statement.comment != comment_digest(&row.comment) {
            return Err("the stored act or comment is not the signed one".into());
        }
        match statement.items.as_slice() {
            [item] if item.request == row.request => Ok((statement.clone(), item.clone())),
            _ => Err("the act is not about this one request".into()),
        }
    }

    fn demands<'a>(
        &self,
        statement: &'a Statement,
        about: About<'_>,
        nonce: &'a str,
    ) -> (TokenRules, Expectation<'a>) {
        let (frozen_at, fresh, max_age) = match about {
            About::Submission(_) if statement.act == ActKind::Submit => {
                (None, false, self.floor.submission_max_age)
            }
            About::Submission(_) | About::Suspension(_) => (None, false, self.floor.vote_max_age),
            About::Plan { plan, .. } if plan.risk == Risk::Critical => {
                (Some(plan.frozen_at.as_second()), true, self.floor.critical_vote_max_age)
            }
            About::Plan { plan, .. } => {
                let fresh = plan.risk >= Risk::High;
                (Some(plan.frozen_at.as_second()), fresh, self.floor.vote_max_age)
            }
        };
        // One's own request can be taken back with any young sign-in.
        let fresh = fresh && statement.act == ActKind::Approve;
        let rules = TokenRules {
            issuer: self.floor.issuer.url.clone(),
            act_clients: self.floor.act_clients.clone(),
            person_claim: self.floor.person_claim.clone(),
            groups_claim: self.floor.groups_claim.clone(),
            sign_in_max_age: self.floor.sign_in_max_age.into(),
            vote_max_age: max_age.into(),
            acr: self.floor.acr.clone(),
            denied_kids: self.floor.denied_kids.clone(),
            denied_people: self.floor.denied_people.clone(),
            not_before: self.floor.not_before.map(jiff::Timestamp::as_second),
        };
        let expected = Expectation {
            nonce,
            audience: &statement.audience,
            frozen_at,
            fresh,
            now: self.clock.now().as_second(),
            latest: self.latest_now().as_second(),
        };
        (rules, expected)
    }

    /// Stores a signed receipt for an act that counts.
    pub(crate) async fn act_count(
        &self,
        request: Option<RequestId>,
        row: &ActRow,
        verified: &Verified,
    ) -> Result<(), ExecutorError> {
        let now = self.clock.now();
        let accepted = &verified.accepted;
        let receipt = Receipt::new(
            row.act,
            verified.kind,
            vec![verified.item.clone()],
            accepted,
            now.as_second(),
        );
        let (canonical, signature) = receipt.sign(&self.signing_key);
        let detail = json!({
            "act": row.act,
            "kind": verified.kind.as_str(),
            "round": verified.item.round,
            "stage": verified.item.stage,
            "content": verified.item.content,
            "token": accepted.token,
            "kid": accepted.key.get("kid"),
            "audience": accepted.audience,
            "authTime": accepted.auth_time,
            "issuedAt": accepted.issued_at,
            "late": accepted.late,
            "groups": accepted.person.groups,
        });
        let event = self.event_by(
            signed_actor(&accepted.person),
            EventKind::ActCounted,
            request,
            None,
            detail,
        );
        let receipt = ReceiptRow {
            verdict: "counted".into(),
            reason: None,
            canonical,
            signature,
            key_id: self.signing_key.public().id(),
            created_at: now,
        };
        Ok(self.store.receipt_insert(row.act, &receipt, &[event]).await?)
    }

    /// Stores a signed refusal.
    pub(crate) async fn act_refuse(
        &self,
        request: Option<RequestId>,
        row: &ActRow,
        reason: &str,
    ) -> Result<(), ExecutorError> {
        let token = Digest::of(row.id_token.as_bytes());
        let refused = Refused { version: 1, act: row.act, token, refused: reason.to_owned() };
        let (canonical, signature) = refused.sign(&self.signing_key);
        let actor = Actor::Person {
            issuer: self.floor.issuer.url.clone(),
            person: String::new(),
            display: row.claimed_display.clone(),
            signed: false,
        };
        let detail = json!({
            "act": row.act,
            "kind": row.kind,
            "reason": reason,
            "token": token,
        });
        let event = self.event_by(actor, EventKind::ActRefused, request, None, detail);
        let receipt = ReceiptRow {
            verdict: "refused".into(),
            reason: Some(reason.chars().take(1000).collect()),
            canonical,
            signature,
            key_id: self.signing_key.public().id(),
            created_at: self.clock.now(),
        };
        Ok(self.store.receipt_insert(row.act, &receipt, &[event]).await?)
    }
}

fn check_item(kind: ActKind, item: &ActItem, about: About<'_>) -> Result<(), String> {
    let ok = match about {
        About::Submission(submission) => {
            // A no to a submission is signed over what it says no to.
            matches!(kind, ActKind::Submit | ActKind::Reject | ActKind::Withdraw)
                && item.round == 0
                && item.stage.is_empty()
                && item.content == submission_digest(submission)
        }
        About::Suspension(suspension) => {
            kind == ActKind::Suspend
                && item.round == 0
                && item.stage == suspension.target.to_string()
                && item.content == suspension.digest()
        }
        About::Plan { plan, hash } => {
            let stage_ok = (kind == ActKind::Approve) != item.stage.is_empty();
            !matches!(kind, ActKind::Submit | ActKind::Suspend)
                && item.round == plan.round
                && item.content == hash
                && stage_ok
        }
    };
    if ok { Ok(()) } else { Err("the act was signed for something else than this".into()) }
}
