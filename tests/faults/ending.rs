//! A plan over two teams that was broken off between the two heads that say it is applied: every step is
//! done, so none is done again and nothing goes back.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};
use sqlx::postgres::PgPool;
use strongroom_engine::{Call, Method, Session, kv};
use uuid::Uuid;

use crate::private::{PrivateLab, lease_ends};

const MOUNT: &str = "strongroom";

/// Puts a head back to the version before its newest one: to `applying`.
async fn head_before(admin: &Session, slug: &str) {
    let path = format!("heads/team/{slug}");
    let newest = kv::read(admin, MOUNT, &path).await.unwrap().unwrap();
    let (place, version) = (format!("{MOUNT}/data/{path}"), (newest.version - 1).to_string());
    let query = [("version", version.as_str())];
    let call = Call { query: &query, ..Call::new(Method::Get, &place, "{head}") };
    let older = admin.call(call).await.unwrap().data["data"].clone();
    assert!(older["applying"].is_object(), "{older:#}");
    kv::write_cas(admin, MOUNT, &path, &older, newest.version).await.unwrap();
}

async fn written(database: &PgPool, request: Uuid) -> i64 {
    let query = "SELECT count(*) FROM journal WHERE request_id = $1 AND object_kind <> 'head'";
    sqlx::query_scalar(query).bind(request).fetch_one(database).await.unwrap()
}

#[tokio::test]
async fn what_one_head_calls_applied_ends_on_the_other() {
    let private = PrivateLab::start().await;
    let lab = &private.lab;
    let database = private.database().await;
    let (one, other) = (lab.new_team("one").await, lab.new_team("two").await);
    let text = |team: &crate::support::Team| std::fs::read_to_string(&team.file).unwrap();
    let both = lab.write("both.yaml", &format!("{}---\n{}", text(&one), text(&other)));
    let request = lab.person("bob").await.submits(&both, "two teams at once", &[]).await.unwrap();
    lab.decide(&request, &["sue"]).await;
    let id: Uuid = request.parse().unwrap();
    let steps = written(&database, id).await;
    assert!(steps > 10, "{steps}");

    // As if it had been broken off before the second head was written, and a hand had been there.
    private.executor_end(Signal::TERM).await;
    let admin = lab.admin().await;
    head_before(&admin, &other.slug).await;
    let back = "UPDATE change_requests SET state = 'applying', version = version + 1 WHERE request_id = $1";
    assert_eq!(sqlx::query(back).bind(id).execute(&database).await.unwrap().rows_affected(), 1);
    let policy = format!("sys/policies/acl/team.{}.viewer", one.slug);
    let text = json!({ "policy": "path \"secret/*\" { capabilities = [\"read\"] }" });
    admin.write(&policy, "sys/policies/acl/{name}", &text).await.unwrap();

    lease_ends(&database).await;
    let mut executor = private.executor("ending", None, &[]);
    let start = Instant::now();
    loop {
        let shown = lab.request(&request).await;
        if shown["state"] == "applied" {
            break;
        }
        assert_eq!(shown["state"], "applying", "{shown:#}");
        assert!(start.elapsed() < Duration::from_mins(1), "{shown:#}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(written(&database, id).await, steps, "a step was done again");
    for slug in [&one.slug, &other.slug] {
        let head = kv::read(&admin, MOUNT, &format!("heads/team/{slug}")).await.unwrap().unwrap();
        let head = (&head.data["applied"]["revision"], &head.data["applying"]);
        assert_eq!(head, (&json!(1), &Value::Null), "{slug}");
    }
    executor.end().await;
    private.end().await;
}
