//! Freezing: from a signed submission to an exact plan made from live state.

use std::rc::Rc;

use strongroom_domain::head::Head;
use strongroom_plan::Plan;

use super::{Executor, Go, Stop};
use crate::database::Row;
use crate::scenery::{Made, Wish};
use crate::world::doc_of;

/// What a submission wants, against what the heads say.
pub(super) struct Proposal {
    pub(super) wishes: Vec<(usize, Wish)>,
    pub(super) heads: Vec<Head>,
}

/// A plan made now.
pub(super) struct Planned {
    pub(super) plan: Plan,
    pub(super) made: Rc<Made>,
    pub(super) wishes: Vec<(usize, Wish)>,
    /// When the engine was looked at.
    pub(super) looked: u64,
}

impl Executor {
    /// A new submission: verify its act, then freeze.
    pub(super) async fn take_in(&mut self, row: &Row) -> Go<()> {
        self.submission(row)?;
        self.freeze(row).await
    }

    /// Whether the row holds exactly what was signed.
    pub(super) fn submission(&self, row: &Row) -> Go<()> {
        let world = self.world.borrow();
        let signed = world.truth.submitted.get(row.request);
        let genuine = signed.is_some_and(|signed| Rc::ptr_eq(signed, &row.submitted));
        if genuine { Ok(()) } else { Err(Stop::Hostile) }
    }

    /// Compares a submission with the heads, read now.
    async fn propose(&mut self, row: &Row) -> Go<Proposal> {
        let (mut wishes, mut heads) = (Vec::new(), Vec::new());
        for wanted in &row.submitted.documents {
            let (head, version) = self.head_read(wanted.subject).await?;
            if head.applying.is_some() {
                return Err(Stop::Wait);
            }
            if wanted.base_revision != head.base_revision() {
                return Err(Stop::Superseded);
            }
            if wanted.revision <= wanted.base_revision {
                return Err(Stop::Hostile);
            }
            let applied = head.applied.as_ref();
            let wish = Wish {
                base: applied.map(|applied| doc_of(&applied.document)),
                proposed: wanted.proposed,
                voted: applied.and_then(|applied| applied.voted.as_ref()).map(doc_of),
            };
            wishes.push((wanted.subject, wish));
            heads.push(head.clone());
            self.heads.insert(wanted.subject, (head, version));
        }
        Ok(Proposal { wishes, heads })
    }

    /// Makes the plan of the next round from live state.
    pub(super) async fn plan(&mut self, row: &Row) -> Go<Planned> {
        let proposal = self.propose(row).await?;
        let scenery = self.world.borrow().scenery.clone();
        let rules = self.heads.get(&0).and_then(|(head, _)| head.applied.as_ref());
        let rules = rules.map(|applied| doc_of(&applied.document));
        let wishes: Vec<Wish> = proposal.wishes.iter().map(|(_, wish)| *wish).collect();
        let (looked, observed) = self.observe(&scenery.relevant(&wishes)).await?;
        let made = scenery.build(&wishes, rules, row.submitted.submitter, observed);
        let made = made.map_err(|_| Stop::Wait)?;
        let world = self.world.borrow();
        let plan = world.plan(row, &proposal.wishes, &proposal.heads, rules, &made);
        Ok(Planned { plan, made, wishes: proposal.wishes, looked })
    }

    /// Freezes a request: plans, stores, and moves it to review.
    pub(super) async fn freeze(&mut self, row: &Row) -> Go<()> {
        let planned = self.plan(row).await?;
        let number = self.world.borrow_mut().keep_plan(
            planned.plan,
            row.submitted.submitter,
            planned.wishes,
            planned.made,
        );
        self.plan_store(row, number).await
    }
}
