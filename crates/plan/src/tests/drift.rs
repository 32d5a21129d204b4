//! What narrows is put back, what would widen is told, and both at once leave only what both allow.

use std::collections::BTreeSet;

use serde_json::json;
use strongroom_domain::name::{ClusterName, NamespaceName};
use strongroom_vault_model::object::{self, Fields, LoginMethod, ObjectKey};
use strongroom_vault_model::policy;

use super::support::mark;
use crate::drift::{Correction, judge};

const READ: &str = "path \"team/shop/kv/data/x/*\" { capabilities = [\"read\"] }\n";
const WRITE: &str = "path \"team/shop/kv/data/x/*\" { capabilities = [\"read\", \"update\"] }\n";
const OTHER: &str = "path \"team/other/kv/data/*\" { capabilities = [\"read\"] }\n";
const ONE: &str = "path \"team/shop/kv/data/x/one\" { capabilities = [\"read\"] }\n";

fn key() -> ObjectKey {
    ObjectKey::Policy("team.shop.binding.api".parse().unwrap())
}

fn text(rules: &str) -> Fields {
    object::policy(&format!("# {}team.shop.binding.api\n{rules}", mark()), None)
}

fn ended(rules: &str, end: &str) -> Fields {
    object::policy(&format!("# {}team.shop.binding.api\n{rules}", mark()), Some(end))
}

#[test]
fn a_policy_that_allows_more_is_put_back_and_one_that_allows_less_is_not() {
    let judge = |wanted: &Fields, found: &Fields| judge(&mark(), &key(), Some(wanted), Some(found));
    assert_eq!(judge(&text(READ), &text(READ)), None);
    for wider in [WRITE.to_owned(), format!("{READ}{OTHER}")] {
        let drift = judge(&text(READ), &text(&wider)).unwrap();
        assert!(drift.wider && !drift.narrower, "{drift:?}");
        assert_eq!(drift.correction, Correction::Write(text(READ)));
    }
    for narrower in [ONE, ""] {
        let drift = judge(&text(READ), &text(narrower)).unwrap();
        assert!(!drift.wider && drift.narrower, "{drift:?}");
        assert_eq!(drift.correction, Correction::None);
    }
    // Another spelling of the same rights is put back: the text is what was voted on.
    let spelled = READ.replace("[\"read\"]", "[ \"read\" ]");
    assert_eq!(
        judge(&text(READ), &text(&spelled)).unwrap().correction,
        Correction::Write(text(READ))
    );
}

#[test]
fn what_was_taken_stays_taken_when_what_was_added_goes() {
    let found = text(&format!("{ONE}{OTHER}"));
    let drift = judge(&mark(), &key(), Some(&text(WRITE)), Some(&found)).unwrap();
    assert!(drift.wider && drift.narrower);
    let Correction::Write(fields) = drift.correction else { panic!("not written") };
    let rules = policy::parse(fields["policy"].as_str().unwrap()).unwrap();
    assert_eq!(rules, policy::parse(ONE).unwrap());
    // And that is narrower only: the next look leaves it alone.
    let again = judge(&mark(), &key(), Some(&text(WRITE)), Some(&fields)).unwrap();
    assert!(!again.wider && again.correction == Correction::None);
}

#[test]
fn ends_of_policies_are_put_back_when_they_are_later_only() {
    let (early, late) = ("2027-01-01T00:00:00Z", "2028-01-01T00:00:00Z");
    let later =
        judge(&mark(), &key(), Some(&ended(READ, early)), Some(&ended(READ, late))).unwrap();
    assert_eq!(later.correction, Correction::Write(ended(READ, early)));
    let none = judge(&mark(), &key(), Some(&ended(READ, early)), Some(&text(READ))).unwrap();
    assert_eq!(none.correction, Correction::Write(ended(READ, early)));
    let earlier =
        judge(&mark(), &key(), Some(&ended(READ, late)), Some(&ended(READ, early))).unwrap();
    assert_eq!(earlier.correction, Correction::None);
}

#[test]
fn a_text_that_cannot_be_judged_is_told_and_left_alone() {
    let deny = text("path \"team/shop/kv/data/x/*\" { capabilities = [\"deny\"] }\n");
    let drift = judge(&mark(), &key(), Some(&text(READ)), Some(&deny)).unwrap();
    assert_eq!(drift.correction, Correction::None);
    assert!(drift.wider && drift.narrower);
}

#[test]
fn groups_lose_what_they_should_not_have_and_get_nothing_back() {
    let key = ObjectKey::Group("team.shop.binding.api".parse().unwrap());
    let wanted = object::group(
        &mark(),
        &"team.shop.binding.api".parse().unwrap(),
        &BTreeSet::new(),
        &BTreeSet::new(),
    );
    let with = |policies: serde_json::Value| {
        let mut fields = wanted.clone();
        fields.insert("policies".to_owned(), policies);
        fields
    };
    let found = with(json!(["root-like", "strongroom.self"]));
    let drift = judge(&mark(), &key, Some(&wanted), Some(&found)).unwrap();
    assert!(drift.wider && drift.narrower);
    assert_eq!(drift.correction, Correction::Write(with(json!(["strongroom.self"]))));
    let gone = judge(&mark(), &key, Some(&wanted), None).unwrap();
    assert_eq!(gone.correction, Correction::None);
    let leftover = judge(&mark(), &key, None, Some(&wanted)).unwrap();
    assert_eq!(leftover.correction, Correction::Delete);
    let mut foreign = wanted.clone();
    foreign.insert("owner".to_owned(), json!("somebody"));
    assert_eq!(judge(&mark(), &key, None, Some(&foreign)), None);
    let taken = judge(&mark(), &key, Some(&wanted), Some(&foreign)).unwrap();
    assert_eq!(taken.correction, Correction::None);
}

#[test]
fn a_role_that_carries_policies_is_made_anew() {
    let place = (ClusterName::new("prod-eu").unwrap(), NamespaceName::new("a").unwrap());
    let key = ObjectKey::Role(place.0, place.1.clone());
    let names = ["api".parse().unwrap(), "job".parse().unwrap()].into();
    let wanted = object::role(LoginMethod::Kubernetes, &place.1, &names, "strongroom", 1200, 3600);
    let with = |name: &str, value: serde_json::Value| {
        let mut fields = wanted.clone();
        fields.insert(name.to_owned(), value);
        fields
    };
    let found = with("token_policies", json!(["root-like"]));
    let drift = judge(&mark(), &key, Some(&wanted), Some(&found)).unwrap();
    assert_eq!(drift.correction, Correction::Recreate(wanted.clone()));
    for (name, value) in [
        ("audience", json!("")),
        ("alias_name_source", json!("serviceaccount_name")),
        ("bound_service_account_namespaces", json!(["*"])),
        ("token_period", json!(3600)),
        ("token_ttl", json!(0)),
        ("token_max_ttl", json!(86_400)),
        ("bound_service_account_names", json!(["api", "job", "stranger"])),
    ] {
        let drift = judge(&mark(), &key, Some(&wanted), Some(&with(name, value))).unwrap();
        assert_eq!(drift.correction, Correction::Write(wanted.clone()), "{name}");
    }
    let fewer = with("bound_service_account_names", json!(["api"]));
    let drift = judge(&mark(), &key, Some(&wanted), Some(&fewer)).unwrap();
    assert!(!drift.wider && drift.correction == Correction::None);
}

/// What nobody here writes is seen all the same: what widens goes with the whole role, what narrows
/// stays.
#[test]
fn a_field_of_a_role_that_is_never_written_is_drift() {
    let place = (ClusterName::new("prod-eu").unwrap(), NamespaceName::new("a").unwrap());
    let key = ObjectKey::Role(place.0, place.1.clone());
    let names = ["api".parse().unwrap()].into();
    for method in [LoginMethod::Kubernetes, LoginMethod::Jwt] {
        let wanted = object::role(method, &place.1, &names, "strongroom", 1200, 3600);
        let with = |more: &[(&str, serde_json::Value)]| {
            let mut fields = wanted.clone();
            fields.extend(more.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
            fields
        };
        let judged = |found: &Fields| judge(&mark(), &key, Some(&wanted), Some(found)).unwrap();
        for name in ["groups_claim", "token_type", "a_field_of_a_later_version"] {
            let drift = judged(&with(&[(name, json!("x"))]));
            assert!(drift.wider && !drift.narrower, "{name}: {drift:?}");
            assert_eq!(drift.correction, Correction::Recreate(wanted.clone()), "{name}");
            assert!(drift.text.contains(name), "{}", drift.text);
        }
        for name in object::ROLE_NARROWS {
            let drift = judged(&with(&[(name, json!("x"))]));
            assert!(!drift.wider && drift.narrower, "{name}: {drift:?}");
            assert_eq!(drift.correction, Correction::None, "{name}");
        }
        // Both: the narrowing stays.
        let narrowed = with(&[("token_num_uses", json!(1))]);
        let both = with(&[("token_num_uses", json!(1)), ("groups_claim", json!("x"))]);
        assert_eq!(judged(&both).correction, Correction::Recreate(narrowed));
    }
}
