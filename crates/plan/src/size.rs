//! How much of one object the engine takes in one request.
//!
//! It must refuse before anybody signs: what the engine refuses in the middle of a plan leaves the
//! plan half done.

use serde_json::Value;
use strongroom_vault_model::object::ObjectKey;

use crate::build::Refusal;
use crate::model::Step;

/// The most strings of an object's content, keys among them. OpenBao takes 1,000 in a request unless
/// its listener says otherwise; the rest is for what the request has besides.
pub(crate) const MOST_STRINGS: usize = 900;

/// Objects that are larger than one request may be.
pub(crate) fn too_large(steps: &[Step]) -> Vec<Refusal> {
    let large = |step: &Step| {
        let fields = step.after.as_ref()?;
        let count = fields.values().map(|value| 1 + strings(value)).sum::<usize>();
        (count > MOST_STRINGS).then(|| Refusal::TooLarge(step.object.clone(), what(&step.object)))
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

fn strings(value: &Value) -> usize {
    match value {
        Value::String(_) => 1,
        Value::Array(items) => items.iter().map(strings).sum(),
        Value::Object(fields) => fields.values().map(|value| 1 + strings(value)).sum(),
        _ => 0,
    }
}
