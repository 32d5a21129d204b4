//! What a hand took away in the engine, perhaps in an emergency, comes back only before people who
//! see it: whatever the document changes besides.

use std::collections::BTreeSet;

use serde_json::json;
use strongroom_domain::risk::Risk;
use strongroom_vault_model::object::ObjectKey;
use strongroom_vault_model::policy::PolicyName;

use super::engine::Engine;
use super::support::{applied, change, context, one, plan, plan_in, shop, told};
use crate::{Context, Draft, summary};

type Hand = Box<dyn FnOnce(&mut Engine)>;

/// A change that alone needs nobody else, over an engine from which a hand took something.
fn over(hand: impl FnOnce(&mut Engine)) -> Draft {
    let base = one(&shop(""));
    let mut engine = applied(&[&base]);
    hand(&mut engine);
    let proposed = one(&shop("").replace("displayName: Shop", "displayName: Shops"));
    plan(&engine, &[change(&base, &proposed)]).unwrap()
}

fn is(kind: &str) -> impl Fn(&ObjectKey) -> bool {
    move |key| key.kind() == kind
}

/// Takes away every object of this kind.
fn without(kind: &'static str) -> impl FnOnce(&mut Engine) {
    move |engine| engine.0.retain(|key, _| !is(kind)(key))
}

/// Sets a field of every object of this kind.
fn with(
    kind: &'static str,
    field: &'static str,
    value: serde_json::Value,
) -> impl FnOnce(&mut Engine) {
    move |engine| {
        for (_, fields) in engine.0.iter_mut().filter(|(key, _)| is(kind)(key)) {
            fields.insert(field.to_owned(), value.clone());
        }
    }
}

#[test]
fn each_way_to_take_away_is_high_to_give_back() {
    let alone = over(|_| {});
    assert!(alone.risk < Risk::High, "{:#?}", told(&alone.reasons));
    let hands: [(&str, Hand); 5] = [
        ("groups", Box::new(without("group"))),
        ("aliases of anchors", Box::new(without("anchor-alias"))),
        ("shorter tokens", Box::new(with("role", "token_ttl", json!(60)))),
        ("shorter longest life", Box::new(with("role", "token_max_ttl", json!(60)))),
        (
            "tokens from few addresses",
            Box::new(with("role", "token_bound_cidrs", json!(["10.0.0.1"]))),
        ),
    ];
    for (what, hand) in hands {
        let draft = over(hand);
        let reasons = told(&draft.reasons);
        assert_eq!(draft.risk, Risk::High, "{what}: {reasons:#?}");
        assert!(reasons.iter().any(|reason| reason.contains("it is given back")), "{reasons:#?}");
    }
}

#[test]
fn members_come_back_by_an_order_that_people_sign() {
    let base = one(&shop(""));
    let engine = applied(&[&base]);
    let proposed = one(&shop("").replace("displayName: Shop", "displayName: Shops"));
    let changes = [change(&base, &proposed)];
    let group =
        |binding: &str| PolicyName::Binding("shop".parse().unwrap(), binding.parse().unwrap());
    let taken_out = BTreeSet::from([group("live"), group("gone")]);
    let before = plan(&engine, &changes).unwrap();
    let draft = plan_in(&Context { taken_out, ..context() }, &engine, &changes).unwrap();
    assert_eq!(draft.risk, Risk::High, "{:#?}", told(&draft.reasons));
    // A plan from before the hand is another one: its order is missing.
    let orders = |draft: &Draft| draft.standing_orders.clone();
    assert!(orders(&draft).contains(&summary::come_back(&group("live"))), "{:#?}", orders(&draft));
    assert!(!orders(&before).contains(&summary::come_back(&group("live"))));
    assert!(
        !orders(&draft).contains(&summary::come_back(&group("gone"))),
        "there is no such binding"
    );
}
