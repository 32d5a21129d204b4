//! How much of one object the engine takes in one request.
//!
//! It must refuse before anybody signs: what the engine refuses in the middle of a plan leaves the
//! plan half done.

use strongroom_domain::stored::{MOST_STRINGS, strings};
use strongroom_vault_model::object::{Fields, ObjectKey};

use crate::build::Refusal;
use crate::model::Step;

/// What the engine surely takes; only one that is that large already may stay so.
const TAKEN: usize = 980;

/// Objects that are larger than one request may be.
pub(crate) fn too_large(steps: &[Step]) -> Vec<Refusal> {
    let large = |step: &Step| {
        let fields = step.after.as_ref()?;
        // One that is too large already may get smaller.
        let before = step.before.as_ref().map_or(0, count);
        let is_large = count(fields) > MOST_STRINGS.max(before.min(TAKEN));
        is_large.then(|| Refusal::TooLarge(step.object.clone(), what(&step.object)))
    };
    steps.iter().filter_map(large).collect()
}

fn what(key: &ObjectKey) -> &'static str {
    match key {
        ObjectKey::Group(_) => "split the binding into several",
        ObjectKey::Role(..) => {
            "use fewer service accounts in that namespace, or several namespaces"
        }
        _ => "make it smaller",
    }
}

fn count(fields: &Fields) -> usize {
    fields.values().map(|value| 1 + strings(value)).sum()
}
