//! What really happened. No executor reads this; `watch` compares with it.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::bits::Bits;
use crate::database::{PlanNumber, RequestNumber, Signed, Submitted};
use crate::scenery::{Key, Scenery};

/// Which of the executors, under which epoch: a database that lost rows gives one epoch to two of them.
pub(crate) type Sender = (usize, i64);

/// Ground truth of one schedule.
#[derive(Debug, Default)]
pub(crate) struct Truth {
    /// Counts what happens, for "before" and "after".
    pub(crate) moment: u64,
    /// Everything anybody ever signed.
    pub(crate) signed: Vec<Rc<Signed>>,
    /// The submissions, as they were signed.
    pub(crate) submitted: Vec<Rc<Submitted>>,
    /// Requests of which the executor has counted a reject or a withdrawal.
    pub(crate) ended: BTreeSet<RequestNumber>,
    /// Requests whose rows somebody has edited, or the database has lost.
    pub(crate) tampered: BTreeSet<RequestNumber>,
    /// When each plan began.
    pub(crate) begun: BTreeMap<PlanNumber, u64>,
    /// Subjects whose head was last written under a lease that the database forgot: whoever has the lease
    /// now could not know of it.
    pub(crate) forgotten: BTreeSet<usize>,
    /// When an executor last looked at the objects of a plan before it wrote. What another
    /// one saw later, this one could not know.
    pub(crate) looked: BTreeMap<(PlanNumber, Sender), u64>,
    /// How often a step changed something under one epoch.
    pub(crate) changed: BTreeMap<(PlanNumber, usize, i64), u32>,
    /// The last step of each plan that changed something.
    pub(crate) furthest: BTreeMap<PlanNumber, usize>,
    /// The subjects that each plan is applied to.
    pub(crate) finished: BTreeMap<PlanNumber, BTreeSet<usize>>,
    /// The newest epoch that wrote anything.
    pub(crate) newest_epoch: i64,
    /// When a hand last changed each object; 0 is never.
    pub(crate) by_hand: Vec<u64>,
    /// What hands have given to whoever is in some group.
    pub(crate) given_by_hand: Bits,
    /// What plans that failed half way may have left, by subject and holder.
    pub(crate) left: [Vec<Bits>; 3],
    /// Objects of plans that failed half way.
    pub(crate) left_keys: BTreeSet<Key>,
}

impl Truth {
    pub(crate) fn new(scenery: &Scenery) -> Self {
        let nothing = || vec![Bits::default(); scenery.holder_count()];
        Self {
            by_hand: vec![0; scenery.keys.len()],
            left: [nothing(), nothing(), nothing()],
            ..Self::default()
        }
    }
}
