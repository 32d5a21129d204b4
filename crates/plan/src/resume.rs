//! Going on with a plan that was interrupted: each step is looked at alone.
//!
//! As before: it is done. As after: it was done. Anything else stops, and a person looks.

use serde_json::json;
use strongroom_vault_model::object::{Fields, ObjectKey};

use crate::model::Step;
use crate::steps::same;

/// What is to be done about a step after an interruption.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resumed {
    /// It was done.
    Already,
    /// It was not done.
    Do,
    /// Neither.
    Stop,
}

/// Judges one step by what is there now.
pub fn judge(step: &Step, found: Option<&Fields>) -> Resumed {
    let is = |wanted: Option<&Fields>| match (wanted, found) {
        (None, None) => true,
        (Some(wanted), Some(found)) => same(&step.object, wanted, found),
        _ => false,
    };
    if is(step.after.as_ref()) {
        Resumed::Already
    } else if is(step.before.as_ref()) || is_untouched(step, found) {
        Resumed::Do
    } else {
        Resumed::Stop
    }
}

/// A new mount brings settings of its own that nobody has written: a step that makes them found
/// nothing before, because the mount was not there either.
fn is_untouched(step: &Step, found: Option<&Fields>) -> bool {
    matches!(step.object, ObjectKey::MountConfig(_))
        && step.before.is_none()
        && found.is_some_and(|found| {
            let is = |name: &str, value| found.get(name) == Some(&value);
            is("max_versions", json!(0))
                && is("cas_required", json!(false))
                && is("delete_version_after", json!("0s"))
        })
}

#[cfg(test)]
mod tests {
    use strongroom_vault_model::object;

    use super::*;
    use crate::model::Action;

    fn step(before: Option<Fields>, after: Option<Fields>) -> Step {
        let object = ObjectKey::parse("mount-config", "team/shop/kv").unwrap();
        Step { ordinal: 2, action: Action::Create, object, before, after }
    }

    #[test]
    fn a_step_is_done_once_or_stops() {
        let (old, new, other) =
            (object::mount_config(5), object::mount_config(10), object::mount_config(7));
        let update = step(Some(old.clone()), Some(new.clone()));
        assert_eq!(judge(&update, Some(&new)), Resumed::Already);
        assert_eq!(judge(&update, Some(&old)), Resumed::Do);
        assert_eq!(judge(&update, Some(&other)), Resumed::Stop);
        assert_eq!(judge(&update, None), Resumed::Stop);
        let delete = step(Some(old.clone()), None);
        assert_eq!(judge(&delete, None), Resumed::Already);
        assert_eq!(judge(&delete, Some(&old)), Resumed::Do);
    }

    #[test]
    fn settings_that_came_with_a_new_mount_are_as_before() {
        let create = step(None, Some(object::mount_config(10)));
        assert_eq!(judge(&create, Some(&object::mount_config(0))), Resumed::Do);
        assert_eq!(judge(&create, None), Resumed::Do);
        assert_eq!(judge(&create, Some(&object::mount_config(3))), Resumed::Stop);
    }
}
