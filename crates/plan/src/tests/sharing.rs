//! Sharing across teams: who must agree, what it rests on, and every way round it.

use std::collections::BTreeSet;

use strongroom_domain::document::Document;
use strongroom_domain::risk::Risk;

use super::engine::Engine;
use super::support::{applied, change, context, first, live, one, pins, plan_in, shop, told, uid};
use crate::build::LiveNamespaces;
use crate::sharing::Host;
use crate::{Change, Context, Draft, Refusal, build};

const PLACE: &str = "prod-eu/shop-prod";

/// A team that gives accounts of the shop's production namespace some of its own secrets.
fn cafe(bindings: &str) -> String {
    format!(
        "apiVersion: strongroom.dev/v1
kind: Team
metadata: {{ name: cafe }}
spec:
  displayName: Cafe
  contact: cafe@example.com
  people: {{ owners: [{{ group: cafe-leads }}] }}
  mounts: [{{ name: kv, type: kv-v2 }}]
  bindings:
{bindings}"
    )
}

fn shares(path: &str) -> String {
    cafe(&format!(
        "    - {{ name: till, cluster: prod-eu, namespace: shop-prod, team: shop, \
         serviceAccounts: [till], access: [{{ mount: kv, path: {path}, level: read }}] }}\n"
    ))
}

fn nothing() -> String {
    cafe("").replace("  bindings:\n", "")
}

/// A context in which these documents are applied.
fn with(documents: &[&Document]) -> Context {
    let mut context = context();
    for document in documents {
        if let Document::Team(team) = document {
            context.sharing.guests.set(team);
            let host = Host { team: (**team).clone(), pins: pins(document) };
            context.sharing.hosts.insert(team.name.clone(), host);
        }
    }
    context
}

/// An engine where the shop is applied, and then the cafe as given.
fn estate(shop: &Document, cafe: &Document) -> Engine {
    let mut engine = applied(&[shop]);
    let draft = plan_in(&with(&[shop]), &engine, &[first(cafe)]).unwrap();
    engine.apply_all(&draft.steps);
    engine
}

fn shared_change(base: &Document, proposed: &Document) -> Change {
    change(base, proposed)
}

fn stage_names(draft: &Draft) -> Vec<(&str, u32)> {
    draft.stages.iter().map(|stage| (stage.name.as_str(), stage.votes)).collect()
}

fn role_names(engine: &Engine, context: &Context, changes: &[Change]) -> BTreeSet<String> {
    let observed = engine.observe(context, changes);
    let key = crate::keys(context, changes)
        .unwrap()
        .into_iter()
        .find(|key| key.name().ends_with("role/shop-prod"))
        .expect("the role is among the objects");
    let fields = observed.get(&key).flatten().cloned().unwrap_or_default();
    crate::steps::members(&fields, "bound_service_account_names")
}

#[test]
fn owners_of_both_and_two_of_the_platform_agree() {
    let (shop, cafe) = (one(&shop("")), one(&shares("menu/*")));
    let engine = applied(&[&shop]);
    let context = with(&[&shop]);
    let draft = plan_in(&context, &engine, &[first(&cafe)]).unwrap();
    assert_eq!(draft.risk, Risk::Critical, "{:#?}", told(&draft.reasons));
    let stages = [("owners of cafe", 1), ("owners of shop", 1), ("platform", 2)];
    assert_eq!(stage_names(&draft), stages);
    assert_eq!(draft.pins[PLACE], uid(PLACE, 1), "the namespace is pinned by this vote too");
    let text = &draft.reasons[0].text;
    assert!(text.contains("shop") && text.contains("kv/menu/*"), "{text}");

    // The name may log in from then on, beside those that could.
    let engine = estate(&shop, &cafe);
    let both = with(&[&shop, &cafe]);
    let names = role_names(&engine, &both, &[change(&shop, &shop)]);
    assert_eq!(names, ["till", "web", "worker"].map(str::to_owned).into());

    // Whoever owns both signs once, by the submission.
    let observed = engine.observe(&context, &[first(&cafe)]);
    let groups = ["cafe-leads", "shop-leads"].map(str::to_owned).into();
    let changes = [shared_change(&one(&nothing()), &cafe)];
    let draft =
        build(&context, &changes, &observed, &live(&changes), &[], &groups).unwrap_or_else(|e| {
            panic!("{e:?}");
        });
    assert_eq!(stage_names(&draft), [("platform", 2)]);
}

#[test]
fn whatever_more_the_other_teams_accounts_reach_is_asked_again() {
    let (shop, cafe) = (one(&shop("")), one(&shares("menu/*")));
    let both = with(&[&shop, &cafe]);
    let engine = estate(&shop, &cafe);
    let more = [
        shares("menu/*").replace("level: read", "level: list").replace("menu/*", "'*'"),
        shares("menu/*").replace("level: read", "level: write"),
        shares("menu/*").replace("[till]", "[till, web]"),
        shares("prices"),
    ];
    for text in more {
        let draft = plan_in(&both, &engine, &[change(&cafe, &one(&text))]).unwrap();
        assert_eq!(draft.risk, Risk::Critical, "{text}");
        assert!(stage_names(&draft).contains(&("owners of shop", 1)), "{text}");
    }
}

#[test]
fn taking_it_away_is_low_and_takes_the_name_off() {
    let (shop, cafe, gone) = (one(&shop("")), one(&shares("menu/*")), one(&nothing()));
    let mut engine = estate(&shop, &cafe);
    let both = with(&[&shop, &cafe]);
    let draft = plan_in(&both, &engine, &[change(&cafe, &gone)]).unwrap();
    assert_eq!(draft.risk, Risk::Low);
    assert_eq!(stage_names(&draft), [("owners of cafe", 1)]);
    engine.apply_all(&draft.steps);
    let names = role_names(&engine, &with(&[&shop, &gone]), &[change(&shop, &shop)]);
    assert_eq!(names, ["web", "worker"].map(str::to_owned).into());
}

#[test]
fn the_hosts_own_changes_keep_its_guests() {
    let (base, cafe) = (one(&shop("")), one(&shares("menu/*")));
    let mut engine = estate(&base, &cafe);
    let both = with(&[&base, &cafe]);
    let narrowed = one(&shop("").replace("[web, worker]", "[web]"));
    let draft = plan_in(&both, &engine, &[change(&base, &narrowed)]).unwrap();
    engine.apply_all(&draft.steps);
    let names = role_names(&engine, &both, &[change(&narrowed, &narrowed)]);
    assert_eq!(names, ["till", "web"].map(str::to_owned).into());
    let again = plan_in(&with(&[&narrowed, &cafe]), &engine, &[change(&narrowed, &narrowed)]);
    assert!(again.unwrap().steps.is_empty(), "what is applied is not a difference");
}

fn refusals(context: &Context, changes: &[Change], live: &LiveNamespaces) -> Vec<Refusal> {
    let observed = applied(&[&one(&shop(""))]).observe(context, changes);
    build(context, changes, &observed, live, &[], &BTreeSet::new()).unwrap_err()
}

#[test]
fn only_a_namespace_that_its_own_team_claims_and_trusts_is_shared() {
    let (shop, cafe) = (one(&shop("")), one(&shares("menu/*")));
    let changes = [first(&cafe)];
    let not_theirs = Refusal::NotTheirs(PLACE.into(), "shop".parse().unwrap());
    // Nobody's, and claimed by somebody else than named.
    assert_eq!(refusals(&context(), &changes, &live(&changes)), [not_theirs]);
    let named = one(&shares("menu/*").replace("team: shop", "team: bakery"));
    let not_theirs = Refusal::NotTheirs(PLACE.into(), "bakery".parse().unwrap());
    assert_eq!(refusals(&with(&[&shop]), &[first(&named)], &live(&changes)), [not_theirs]);
    // Made anew since its own team trusted it.
    let anew: LiveNamespaces = [(PLACE.to_owned(), Some(uid(PLACE, 2)))].into();
    let not_trusted = Refusal::NotTrustedThere(PLACE.into(), "shop".parse().unwrap());
    assert_eq!(refusals(&with(&[&shop]), &changes, &anew), [not_trusted]);
    // A team's own namespace is not another team's.
    let own = shop_text_with_team("shop");
    assert!(Document::from_yaml(&own).is_err());
    assert!(Document::from_yaml(&shop_text_with_team("cafe")).is_err());
}

/// Its own team trusts the namespace that is there now, the guest the one before.
#[test]
fn a_guest_trusts_a_namespace_made_anew_only_by_saying_so() {
    let (shop, cafe) = (one(&shop("")), one(&shares("menu/*")));
    let (mut host, mut guest) = (change(&shop, &shop), change(&cafe, &cafe));
    host.base_pins.insert(PLACE.to_owned(), uid(PLACE, 2));
    guest.base_pins.insert(PLACE.to_owned(), uid(PLACE, 1));
    let both = with(&[&shop, &cafe]);
    for changes in [[host.clone(), guest.clone()], [guest, host]] {
        let mut anew = live(&changes);
        anew.insert(PLACE.to_owned(), Some(uid(PLACE, 2)));
        assert_eq!(refusals(&both, &changes, &anew), [Refusal::Anew(PLACE.into())]);
        let observed = applied(&[&shop]).observe(&both, &changes);
        let attest = [PLACE.to_owned()];
        let draft = build(&both, &changes, &observed, &anew, &attest, &BTreeSet::new()).unwrap();
        assert_eq!(draft.pins[PLACE], uid(PLACE, 2));
        assert_eq!(draft.risk, Risk::Critical);
    }
}

fn shop_text_with_team(team: &str) -> String {
    let from = "serviceAccounts: [web, worker]";
    shop("").replace(from, &format!("{from}, team: {team}"))
}

#[test]
fn a_shared_namespace_is_not_given_up_under_its_guests() {
    let (base, cafe) = (one(&shop("")), one(&shares("menu/*")));
    let both = with(&[&base, &cafe]);
    let without =
        shop("").lines().filter(|line| !line.contains("shop-prod")).collect::<Vec<_>>().join("\n");
    let without = one(&without);
    let changes = [change(&base, &without)];
    let still = Refusal::StillShared(PLACE.into(), "cafe".parse().unwrap());
    assert_eq!(refusals(&both, &changes, &live(&changes)), [still]);
    // In one request with the end of the sharing it goes.
    let changes = [change(&base, &without), change(&cafe, &one(&nothing()))];
    let engine = estate(&base, &cafe);
    let draft = plan_in(&both, &engine, &changes).unwrap();
    let is_role = |name: &str| name.ends_with("role/shop-prod");
    assert!(draft.steps.iter().any(|step| is_role(&step.object.name()) && step.after.is_none()));
}

/// The bakery with a namespace of its own, and perhaps with the shop's production one too.
fn bakery(claims: &str) -> Document {
    one(&format!(
        "apiVersion: strongroom.dev/v1
kind: Team
metadata: {{ name: bakery }}
spec:
  displayName: Bakery
  contact: bakery@example.com
  people: {{ owners: [{{ group: bakery-leads }}] }}
  mounts: [{{ name: kv, type: kv-v2 }}]
  namespaces:
    - {{ cluster: lab, name: oven, environment: production, tokenTtl: 20m }}
{claims}"
    ))
}

#[test]
fn a_guests_binding_moves_to_another_host_in_one_request() {
    let (shop, cafe) = (one(&shop("")), one(&shares("menu/*")));
    let other = bakery("");
    let mut engine = estate(&shop, &cafe);
    let draft = plan_in(&with(&[&shop, &cafe]), &engine, &[first(&other)]).unwrap();
    engine.apply_all(&draft.steps);
    let all = with(&[&shop, &cafe, &other]);
    let moved = one(&shares("menu/*").replace(
        "cluster: prod-eu, namespace: shop-prod, team: shop",
        "cluster: lab, namespace: oven, team: bakery",
    ));
    let draft = plan_in(&all, &engine, &[change(&cafe, &moved)]).unwrap();
    let asked = [("owners of bakery", 1), ("owners of cafe", 1), ("platform", 2)];
    assert_eq!(stage_names(&draft), asked);
    engine.apply_all(&draft.steps);
    let names = role_names(&engine, &with(&[&shop, &moved, &other]), &[change(&shop, &shop)]);
    assert_eq!(names, ["web", "worker"].map(str::to_owned).into(), "the old role keeps the name");
}

#[test]
fn a_shared_namespace_gets_another_team_with_its_guests_in_one_request() {
    let (base, cafe) = (one(&shop("")), one(&shares("menu/*")));
    let other = bakery("");
    let mut engine = estate(&base, &cafe);
    let draft = plan_in(&with(&[&base, &cafe]), &engine, &[first(&other)]).unwrap();
    engine.apply_all(&draft.steps);
    let all = with(&[&base, &cafe, &other]);
    let without =
        shop("").lines().filter(|line| !line.contains("shop-prod")).collect::<Vec<_>>().join("\n");
    let without = one(&without);
    let taken = bakery(
        "    - { cluster: prod-eu, name: shop-prod, environment: production, tokenTtl: 20m }\n",
    );
    let moved = one(&shares("menu/*").replace("team: shop", "team: bakery"));
    // The guest says nothing of it: refused.
    let changes = [change(&other, &taken), change(&base, &without)];
    let still = Refusal::StillShared(PLACE.into(), "cafe".parse().unwrap());
    let observed = engine.observe(&all, &changes);
    let told = build(&all, &changes, &observed, &live(&changes), &[], &BTreeSet::new());
    assert_eq!(told.unwrap_err(), [still]);
    // It names the next team as its host: everybody concerned signs.
    let changes = [change(&other, &taken), change(&cafe, &moved), change(&base, &without)];
    let draft = plan_in(&all, &engine, &changes).unwrap();
    let asked = ["owners of bakery", "owners of cafe", "owners of shop", "platform"];
    assert_eq!(stage_names(&draft).iter().map(|stage| stage.0).collect::<Vec<_>>(), asked);
    engine.apply_all(&draft.steps);
    let names = role_names(&engine, &with(&[&without, &moved, &taken]), &[change(&taken, &taken)]);
    assert_eq!(names, ["till".to_owned()].into());
}
