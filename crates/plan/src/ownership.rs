//! Whether an engine object is ours to change.
//!
//! The engine overwrites by name without asking, so a plan never writes over an object that does
//! not carry this deployment's mark. What we do not own is listed, never touched.

use serde_json::Value;
use strongroom_vault_model::object::{Fields, ObjectKey};
use strongroom_vault_model::policy::Mark;

use crate::desired::Objects;
use crate::steps::Observed;

/// Whether an object that is there may be changed.
///
/// Objects that cannot carry a mark follow their parent: a role, a setting or a limit is ours when
/// the mount it belongs to is; without that mount, when the applied document stands for it. A role
/// is also the claim on its namespace: one that this subject's applied document does not stand for
/// belongs to another team.
pub fn is_ours(
    mark: &Mark,
    key: &ObjectKey,
    fields: &Fields,
    base: &Objects,
    observed: &Observed,
) -> bool {
    let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default();
    let parent = |parent: ObjectKey| match observed.get(&parent) {
        Some(Some(fields)) => is_ours(mark, &parent, fields, base, observed),
        Some(None) => base.contains_key(key),
        None => false,
    };
    match key {
        ObjectKey::Mount(_) | ObjectKey::AuthMount(_) => {
            // The whole name: `team/a/kv2` is not `team/a/kv` with a remark.
            let rest = text("description").strip_prefix(&format!("{mark}{}", key.name()));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
        }
        ObjectKey::Policy(name) => text("policy").starts_with(&format!("# {mark}{name}\n")),
        ObjectKey::Group(_) | ObjectKey::Anchor(_) => text("owner") == mark.as_str(),
        ObjectKey::MountConfig(mount) | ObjectKey::RateLimit(mount) => {
            parent(ObjectKey::Mount(mount.clone()))
        }
        ObjectKey::AuthConfig(cluster) => parent(ObjectKey::AuthMount(cluster.clone())),
        ObjectKey::AnchorAlias(anchor) => parent(ObjectKey::Anchor(anchor.clone())),
        ObjectKey::Role(..) => base.contains_key(key),
    }
}
