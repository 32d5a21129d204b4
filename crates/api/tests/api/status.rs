//! How the deployment stands, and who may know.

use serde_json::{Value, json};

use crate::support::TestApp;
use crate::support::documents::{payments, prod_eu};

/// The count of one word.
fn count(list: &Value, of: &str) -> i64 {
    let mut found = list.as_array().unwrap().iter().filter(|each| each["of"] == of);
    found.next().and_then(|each| each["count"].as_i64()).unwrap_or(0)
}

#[tokio::test]
async fn who_runs_it_sees_what_waits_and_what_stands_still() {
    let app = TestApp::start().await;
    app.executor.apply(&prod_eu(), 1, json!({})).await;
    let alice = app.sign_in("alice", &["payments-dev"]).await;
    app.submit(&alice, &[payments()]).await;
    app.executor.apply(&payments(), 1, json!({})).await;
    app.executor.see(&[("payments-prod", "1"), ("other", "2")], &[("other", "x", "3")]).await;
    app.executor.hold("team/payments/api", "INC-7").await;
    app.executor.freeze_subject("cluster/prod-eu", "the head says another revision").await;
    let sue = app.sign_in("sue", &["platform-sre"]).await;
    let answer = sue.get("/api/v1/status").await;
    assert_eq!(answer.status, 200, "{:#}", answer.body);
    let status = &answer.body;
    assert_eq!(count(&status["requests"], "submitted"), 1);
    assert_eq!(count(&status["queue"], "acts"), 1, "{status:#}");
    assert_eq!(count(&status["subjects"], "team/applied"), 1);
    assert_eq!(count(&status["subjects"], "cluster/frozen"), 1);
    let cluster = &status["clusters"][0];
    assert_eq!(
        (&cluster["cluster"], &cluster["namespaces"], &cluster["serviceAccounts"]),
        (&json!("prod-eu"), &json!(2), &json!(1))
    );
    assert_eq!(
        status["standingStill"],
        json!([
            { "target": "team/payments/api", "reason": "INC-7", "differs": false },
            {
                "target": "cluster/prod-eu", "reason": "the head says another revision",
                "differs": true,
            },
        ])
    );
}

#[tokio::test]
async fn nobody_else_sees_it() {
    let app = TestApp::start().await;
    for (name, groups, status) in [
        ("alice", &["payments-dev"][..], 403),
        ("bob", &["payments-leads"][..], 403),
        ("ada", &["auditors"][..], 200),
        ("sue", &["platform-sre"][..], 200),
    ] {
        let who = app.sign_in(name, groups).await;
        for path in ["/api/v1/status", "/api/v1/people"] {
            assert_eq!(who.get(path).await.status, status, "{name} at {path}");
        }
    }
}

#[tokio::test]
async fn people_are_listed_as_of_their_sign_ins() {
    let app = TestApp::start().await;
    for (name, groups) in
        [("alice", &["payments-dev"][..]), ("bob", &["payments-leads", "payments-dev"][..])]
    {
        app.sign_in(name, groups).await;
    }
    let sue = app.sign_in("sue", &["platform-sre"]).await;
    let names = |body: &Value| -> Vec<String> {
        let items = body["items"].as_array().unwrap().iter();
        items.map(|each| each["display"].as_str().unwrap().to_owned()).collect()
    };
    let all = sue.get("/api/v1/people").await.body;
    assert_eq!(names(&all).len(), 3);
    let some = sue.get("/api/v1/people?group=payments-dev").await.body;
    let mut found = names(&some);
    found.sort();
    assert_eq!(found, ["alice", "bob"]);
    // Page after page, nobody twice and nobody left out.
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = sue.get(&format!("/api/v1/people?limit=1{cursor}")).await.body;
        seen.extend(names(&page));
        let Some(next) = page["nextCursor"].as_str() else { break };
        let next = next.replace('|', "%7C").replace(':', "%3A");
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen, names(&all));
    for odd in ["cursor=x", "cursor=2026-11-23T12%3A00%3A00Z%7C%00", "group=%00", "group="] {
        let odd = sue.get(&format!("/api/v1/people?{odd}")).await;
        assert_eq!((odd.status, odd.text("/code")), (400, "malformed"));
    }
}
