//! Which steps of a plan may be written side by side.
//!
//! Steps of one batch are about different objects of one kind, so in whatever order they land, what
//! stands in between is what some prefix of each object's own steps gives. It must never put two
//! steps about one object, or a policy and the group that carries it, into one batch.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::model::Step;

/// The steps in order, cut into batches of at most `most`.
pub fn batches(steps: &[Step], most: usize) -> Vec<Range<usize>> {
    let mut batches: Vec<Range<usize>> = Vec::new();
    let mut objects = BTreeSet::new();
    for (place, step) in steps.iter().enumerate() {
        let joins = batches.last().is_some_and(|batch| {
            let first = &steps[batch.start];
            batch.len() < most
                && first.object.kind() == step.object.kind()
                && first.action == step.action
                && !objects.contains(&step.object)
        });
        match batches.last_mut() {
            Some(batch) if joins => batch.end = place + 1,
            _ => {
                objects.clear();
                batches.push(place..place + 1);
            }
        }
        objects.insert(&step.object);
    }
    batches
}

#[cfg(test)]
mod tests {
    use strongroom_vault_model::object::ObjectKey;

    use super::*;
    use crate::model::Action;

    fn step(action: Action, kind: &str, name: &str) -> Step {
        let object = ObjectKey::parse(kind, name).unwrap();
        Step { ordinal: 1, action, object, before: None, after: None }
    }

    #[test]
    fn a_batch_is_of_one_kind_one_action_and_different_objects() {
        use Action::{Create, Delete, Update};
        let group = "team.shop.binding.api";
        let steps = [
            step(Update, "group", group),
            step(Update, "group", group),
            step(Update, "group", "team.shop.binding.job"),
            step(Create, "policy", "team.shop.binding.api"),
            step(Create, "policy", "team.shop.binding.job"),
            step(Create, "policy", "team.shop.binding.web"),
            step(Create, "group", "team.shop.binding.web"),
            step(Delete, "group", "team.shop.binding.old"),
        ];
        assert_eq!(batches(&steps, 16), [0..1, 1..3, 3..6, 6..7, 7..8]);
        assert_eq!(batches(&steps, 2), [0..1, 1..3, 3..5, 5..6, 6..7, 7..8]);
        assert_eq!(batches(&[], 2), []);
    }
}
