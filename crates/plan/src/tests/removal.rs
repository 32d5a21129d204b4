//! A team is taken off: nobody reaches anything, nothing is deleted that holds data.

use strongroom_domain::risk::Risk;
use strongroom_vault_model::object::ObjectKey;

use super::support::{applied, change, one, plan, shop, told};
use crate::model::Action;

/// The shop's document as `removed: true`.
fn removed() -> String {
    let kept: Vec<String> = shop("")
        .lines()
        .filter(|line| !line.contains("cluster:"))
        .filter(|line| !line.contains("namespaces:") && !line.contains("bindings:"))
        .map(str::to_owned)
        .collect();
    format!("{}\n  removed: true\n", kept.join("\n").trim_end())
}

#[test]
fn everything_that_carries_rights_goes_and_the_data_stays() {
    let (base, gone) = (one(&shop("")), one(&removed()));
    let mut engine = applied(&[&base]);
    let draft = plan(&engine, &[change(&base, &gone)]).unwrap_or_else(|e| panic!("{e:?}"));
    assert_eq!(draft.risk, Risk::Critical, "{:#?}", told(&draft.reasons));
    for step in &draft.steps {
        match &step.object {
            ObjectKey::Policy(_) | ObjectKey::Group(_) | ObjectKey::Role(..) => {
                assert_eq!(step.action, Action::Delete, "{}", step.object);
            }
            ObjectKey::Mount(_) => {
                assert_eq!(step.action, Action::Update, "a mount is never deleted");
                let after = step.after.as_ref().unwrap()["description"].as_str().unwrap();
                assert!(after.ends_with(" (quarantined)"), "{after}");
            }
            other => panic!("{other} has no step in a removal"),
        }
    }
    let first_policy = draft.steps.iter().position(|s| matches!(s.object, ObjectKey::Policy(_)));
    let last_group = draft.steps.iter().rposition(|s| matches!(s.object, ObjectKey::Group(_)));
    assert!(last_group < first_policy, "access is off before anything else goes");
    engine.apply_all(&draft.steps);
    let again = plan(&engine, &[change(&gone, &gone)]).unwrap();
    assert!(again.steps.is_empty(), "{:#?}", again.steps);

    // And back, by people who see that the data comes back with it.
    let draft = plan(&engine, &[change(&gone, &base)]).unwrap();
    assert!(draft.risk >= Risk::High);
    assert!(told(&draft.reasons).iter().any(|text| text.contains("comes back")));
}

/// A mount that comes back keeps what was kept in it, or people who may lose data say so.
#[test]
fn a_mount_that_comes_back_with_fewer_versions_is_critical() {
    let base = one(&shop(""));
    let without =
        one(&shop("").replace("    - { name: spare, type: kv-v2, maxVersions: 5 }\n", ""));
    let mut engine = applied(&[&base]);
    let draft = plan(&engine, &[change(&base, &without)]).unwrap();
    engine.apply_all(&draft.steps);
    let fewer = one(&shop("").replace("maxVersions: 5", "maxVersions: 4"));
    let draft = plan(&engine, &[change(&without, &fewer)]).unwrap();
    assert_eq!(draft.risk, Risk::Critical, "{:#?}", told(&draft.reasons));
    let wanted = "critical: older versions in the mount spare are removed";
    assert!(told(&draft.reasons).iter().any(|text| text == wanted), "{:#?}", told(&draft.reasons));
    // With as many as there were, or more, nothing is lost.
    for same in ["maxVersions: 5", "maxVersions: 6"] {
        let back = one(&shop("").replace("maxVersions: 5", same));
        let draft = plan(&engine, &[change(&without, &back)]).unwrap();
        assert_eq!(draft.risk, Risk::High, "{:#?}", told(&draft.reasons));
    }
}

#[test]
fn a_removed_team_holds_no_claim() {
    let text = shop("").trim_end().to_owned() + "\n  removed: true\n";
    let faults = strongroom_domain::document::Document::from_yaml(&text).unwrap_err();
    assert!(faults[0].to_string().contains("no namespaces and no bindings"), "{faults:?}");
}
