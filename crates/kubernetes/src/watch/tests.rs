//! The watch against scripted answers: pages, empty lists, gaps, failures and slowness.

use serde_json::{Value, json};

use super::*;
use crate::scripted::{Answer, Scripted, failure, list, object};

const ONE: &str = "0199b5d0-0000-4000-8000-000000000001";
const TWO: &str = "0199b5d0-0000-4000-8000-000000000002";

const HASTY: Patience = Patience {
    first_retry: Duration::from_millis(100),
    longest_retry: Duration::from_millis(200),
    list: Duration::from_secs(1),
    watch: Duration::from_mins(10),
};

/// A cluster with one account, whose namespaces the script answers for: it gets whether a watch is
/// asked for, the request's query, and how many of the same kind came before.
async fn cluster(
    script: impl Fn(bool, &str, usize) -> Answer + Send + Sync + 'static,
) -> (Scripted, Receiver<InventoryState>) {
    let lists = std::sync::atomic::AtomicUsize::new(0);
    let watches = std::sync::atomic::AtomicUsize::new(0);
    let server = Scripted::start(move |target, _| {
        let is_watch = target.contains("watch=true");
        if target.contains("serviceaccounts") {
            return if is_watch {
                Answer::Watch(Vec::new())
            } else {
                list(&[object("payments", "api", TWO)], None)
            };
        }
        let counter = if is_watch { &watches } else { &lists };
        let number = counter.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        script(is_watch, target, number)
    })
    .await;
    let receiver = watch_with(&server.cluster().await, HASTY);
    (server, receiver)
}

fn namespaces(items: &[(&str, &str)]) -> Answer {
    let items: Vec<Value> = items.iter().map(|(name, uid)| object("", name, uid)).collect();
    list(&items, None)
}

fn event(kind: &str, name: &str, uid: &str) -> Value {
    json!({ "type": kind, "object": object("", name, uid) })
}

fn gone() -> Value {
    json!({ "type": "ERROR", "object": {
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 410,
        "reason": "Expired", "message": "too old resource version",
    }})
}

/// The namespaces as soon as they are these.
async fn becomes(receiver: &mut Receiver<InventoryState>, wanted: &[(&str, &str)]) {
    let wanted: BTreeMap<String, String> =
        wanted.iter().map(|(name, uid)| ((*name).to_owned(), (*uid).to_owned())).collect();
    let all = receiver.wait_for(|state| match state {
        InventoryState::Known(inventory) => inventory.namespaces == wanted,
        InventoryState::Unknown { .. } => false,
    });
    let state = tokio::time::timeout(Duration::from_secs(10), all).await;
    assert!(state.is_ok(), "not {wanted:?}");
}

/// The reason as soon as there is one that contains this.
async fn becomes_unknown(receiver: &mut Receiver<InventoryState>, part: &str) {
    let reason = receiver.wait_for(|state| match state {
        InventoryState::Unknown { reason } => reason.contains(part),
        InventoryState::Known(_) => false,
    });
    let found = tokio::time::timeout(Duration::from_secs(10), reason).await;
    assert!(found.is_ok(), "never unknown because of {part:?}");
}

#[tokio::test]
async fn all_pages_make_one_list_of_metadata() {
    let (server, mut receiver) = cluster(|is_watch, target, _| {
        if is_watch {
            Answer::Watch(Vec::new())
        } else if target.contains("continue=more") {
            list(&[object("", "payments", TWO)], None)
        } else {
            list(&[object("", "kube-system", ONE), object("", "orders", ONE)], Some("more"))
        }
    })
    .await;
    becomes(&mut receiver, &[("orders", ONE), ("payments", TWO)]).await;
    let InventoryState::Known(known) = receiver.borrow().clone() else { panic!() };
    let account = ("payments".to_owned(), "api".to_owned());
    assert_eq!(known.accounts, BTreeMap::from([(account, TWO.to_owned())]));
    for request in server.requests().iter().filter(|request| !request.contains("watch=true")) {
        assert!(request.contains("limit=500"), "{request}");
        assert!(request.contains("as=PartialObjectMetadataList"), "{request}");
    }
}

#[tokio::test]
async fn events_come_through() {
    let (_server, mut receiver) = cluster(|is_watch, _, number| match (is_watch, number) {
        (false, _) => namespaces(&[("payments", ONE)]),
        (true, 0) => {
            Answer::Watch(vec![event("ADDED", "orders", TWO), event("DELETED", "payments", ONE)])
        }
        (true, _) => Answer::Silence,
    })
    .await;
    becomes(&mut receiver, &[("orders", TWO)]).await;
}

#[tokio::test]
async fn an_empty_list_after_a_full_one_is_unknown_until_there_is_a_list_again() {
    let (_server, mut receiver) = cluster(|is_watch, _, number| match (is_watch, number) {
        (false, 0) => namespaces(&[("payments", ONE)]),
        (false, 1 | 2) => namespaces(&[]),
        (false, _) => namespaces(&[("payments", TWO)]),
        (true, 0) => Answer::Watch(vec![gone()]),
        (true, _) => Answer::Watch(Vec::new()),
    })
    .await;
    becomes(&mut receiver, &[("payments", ONE)]).await;
    becomes_unknown(&mut receiver, "empty list").await;
    becomes(&mut receiver, &[("payments", TWO)]).await;
}

#[tokio::test]
async fn after_410_gone_everything_is_listed_anew() {
    let (_server, mut receiver) = cluster(|is_watch, _, number| match (is_watch, number) {
        (false, 0) => namespaces(&[("orders", ONE), ("payments", ONE)]),
        (false, _) => namespaces(&[("payments", TWO)]),
        (true, 0) => Answer::Watch(vec![gone()]),
        (true, _) => Answer::Watch(Vec::new()),
    })
    .await;
    becomes(&mut receiver, &[("orders", ONE), ("payments", ONE)]).await;
    becomes_unknown(&mut receiver, "410").await;
    becomes(&mut receiver, &[("payments", TWO)]).await;
}

#[tokio::test]
async fn a_watch_that_breaks_or_cannot_begin_is_a_gap() {
    let (_server, mut receiver) = cluster(|is_watch, _, number| match (is_watch, number) {
        (false, 0) => namespaces(&[("orders", ONE)]),
        (false, 1) => namespaces(&[("payments", ONE)]),
        (false, _) => namespaces(&[("payments", TWO)]),
        (true, 0) => Answer::BrokenWatch(vec![event("ADDED", "billing", TWO)]),
        (true, 1) => failure(403, "Forbidden", &Value::Null),
        (true, _) => Answer::Watch(Vec::new()),
    })
    .await;
    becomes(&mut receiver, &[("orders", ONE)]).await;
    becomes(&mut receiver, &[("billing", TWO), ("orders", ONE)]).await;
    becomes(&mut receiver, &[("payments", ONE)]).await;
    becomes_unknown(&mut receiver, "403").await;
    becomes(&mut receiver, &[("payments", TWO)]).await;
}

#[tokio::test]
async fn failing_lists_are_unknown_and_tried_again() {
    let (_server, mut receiver) = cluster(|is_watch, _, number| match (is_watch, number) {
        (false, 0 | 1) => failure(500, "InternalError", &Value::Null),
        (false, 2) => Answer::Text(200, "<html>"),
        (false, _) => namespaces(&[("payments", ONE)]),
        (true, _) => Answer::Watch(Vec::new()),
    })
    .await;
    becomes_unknown(&mut receiver, "answered 500: a message about InternalError").await;
    becomes_unknown(&mut receiver, "not what was asked for").await;
    becomes(&mut receiver, &[("payments", ONE)]).await;
}

#[tokio::test]
async fn a_second_page_that_fails_leaves_no_half_list() {
    let (_server, mut receiver) = cluster(|is_watch, target, number| {
        if is_watch {
            Answer::Watch(Vec::new())
        } else if target.contains("continue=more") {
            failure(410, "Expired", &Value::Null)
        } else if number == 0 {
            list(&[object("", "orders", ONE)], Some("more"))
        } else {
            namespaces(&[("payments", ONE)])
        }
    })
    .await;
    becomes_unknown(&mut receiver, "410").await;
    becomes(&mut receiver, &[("payments", ONE)]).await;
}

#[tokio::test]
async fn a_list_that_never_ends_is_unknown() {
    let (_server, mut receiver) = cluster(|is_watch, _, number| match (is_watch, number) {
        (false, 0) => Answer::Silence,
        (false, _) => namespaces(&[("payments", ONE)]),
        (true, _) => Answer::Watch(Vec::new()),
    })
    .await;
    becomes_unknown(&mut receiver, "not complete after 1 seconds").await;
    becomes(&mut receiver, &[("payments", ONE)]).await;
}

#[tokio::test]
async fn nobody_listening_ends_the_watch() {
    let (server, mut receiver) =
        cluster(|_, _, _| failure(500, "InternalError", &Value::Null)).await;
    becomes_unknown(&mut receiver, "500").await;
    drop(receiver);
    // One round may be under way; after it nothing more is asked.
    tokio::time::sleep(HASTY.longest_retry * 2).await;
    let asked = server.requests().len();
    tokio::time::sleep(HASTY.longest_retry * 4).await;
    assert_eq!(server.requests().len(), asked);
}

/// Every page of a large cluster is asked for once, and an account of the last page counts as one
/// of the first.
#[tokio::test]
async fn ten_thousand_accounts_come_in_pages_and_all_of_them_count() {
    const ACCOUNTS: usize = 10_000;
    let page = usize::try_from(PAGE).unwrap();
    let uid = |number: usize| format!("0199b5d0-0000-4000-8000-{number:012x}");
    let server = Scripted::start(move |target, _| {
        if target.contains("watch=true") {
            return Answer::Watch(Vec::new());
        }
        if !target.contains("serviceaccounts") {
            return namespaces(&[("payments", ONE)]);
        }
        let from = target
            .split("continue=from-")
            .nth(1)
            .map_or(0, |rest| rest.split('&').next().unwrap().parse().unwrap());
        let to = ACCOUNTS.min(from + page);
        let items: Vec<Value> = (from..to)
            .map(|number| object("payments", &format!("account-{number}"), &uid(number)))
            .collect();
        let next = (to < ACCOUNTS).then(|| format!("from-{to}"));
        list(&items, next.as_deref())
    })
    .await;
    let patience = Patience { list: Duration::from_mins(1), ..HASTY };
    let mut receiver = watch_with(&server.cluster().await, patience);
    let begun = Instant::now();
    let whole = receiver.wait_for(|state| matches!(state, InventoryState::Known(_)));
    tokio::time::timeout(Duration::from_mins(1), whole).await.unwrap().unwrap();
    let InventoryState::Known(known) = receiver.borrow().clone() else { panic!() };
    assert_eq!(known.accounts.len(), ACCOUNTS);
    for number in 0..ACCOUNTS {
        let account = ("payments".to_owned(), format!("account-{number}"));
        assert_eq!(known.accounts.get(&account), Some(&uid(number)));
    }
    let asked = |head: &&String| head.contains("serviceaccounts") && !head.contains("watch=true");
    let pages = server.requests().iter().filter(asked).count();
    assert_eq!(pages, ACCOUNTS / page, "each page is asked for once");
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(30), "{ACCOUNTS} accounts took {took:?}");
}
