//! A database superuser edits what the executor reads: nothing widens, nothing crashes.

#![expect(clippy::disallowed_methods, reason = "names of tables and columns cannot be parameters")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::Value;
use sqlx::postgres::PgPool;
use sqlx::{AssertSqlSafe, Executor as _, Row as _};
use strongroom_engine::Session;

use crate::private::PrivateLab;

/// What could have widened: every policy, group, role and entity of the engine.
async fn engine_state(admin: &Session) -> BTreeMap<String, Value> {
    let mut state = BTreeMap::new();
    let lists = [
        ("sys/policies/acl", "sys/policies/acl/{name}"),
        ("identity/group/name", "identity/group/name/{name}"),
        ("identity/entity/name", "identity/entity/name/{name}"),
        ("auth/k8s/prod-eu/role", "auth/k8s/prod-eu/role/{name}"),
    ];
    for (list, template) in lists {
        for name in admin.list(list, list).await.unwrap() {
            let path = template.replace("{name}", &name);
            let Some(mut read) = admin.read(&path, template).await.unwrap() else {
                continue;
            };
            // People's own entities come and go with their sign-ins.
            if name.starts_with("entity_") {
                continue;
            }
            let fields = read.as_object_mut().unwrap();
            for volatile in ["last_update_time", "modify_index", "version", "modified"] {
                fields.remove(volatile);
            }
            if name.starts_with("people.") {
                fields.remove("member_entity_ids");
            }
            state.insert(path, read);
        }
    }
    state
}

/// Tells the executor that there is something to look at.
async fn wake(database: &PgPool) {
    sqlx::query(
        "INSERT INTO work (kind, key) VALUES ('request', 'look') ON CONFLICT (kind, key) \
         DO UPDATE SET generation = work.generation + 1, due_at = now(), lease_until = NULL",
    )
    .execute(database)
    .await
    .unwrap();
    sqlx::query("SELECT pg_notify('strongroom_work', '')").execute(database).await.unwrap();
}

/// Waits until the executor has taken what [`wake`] left, and with it a whole look.
async fn looked(database: &PgPool) {
    wake(database).await;
    let start = Instant::now();
    loop {
        let left: i64 = sqlx::query_scalar("SELECT count(*) FROM work WHERE key = 'look'")
            .fetch_one(database)
            .await
            .unwrap();
        if left == 0 {
            return;
        }
        assert!(start.elapsed() < Duration::from_mins(2), "the executor looks at nothing any more");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Values that a column of this type could be set to.
fn hostile(kind: &str) -> Vec<&'static str> {
    match kind {
        "text" => {
            vec!["'x'", "'approved'", "'applied'", "'team/other'", "'counted'", "''", "'platform'"]
        }
        "bytea" => vec!["decode('00', 'hex')", "decode(repeat('ab', 32), 'hex')", "''::bytea"],
        "uuid" => vec!["gen_random_uuid()"],
        "bigint" | "integer" => vec!["0", "9999", "-1"],
        "boolean" => vec!["true", "false"],
        "jsonb" => vec!["'{}'::jsonb", "'[\"a\"]'::jsonb", "'null'::jsonb"],
        "timestamp with time zone" => {
            vec!["now() + interval '90 years'", "now() - interval '90 years'"]
        }
        "text[]" => vec!["'{x}'::text[]", "'{}'::text[]"],
        other => panic!("no hostile value for a column of type {other}"),
    }
}

/// What is not the same any more.
fn changes(before: &BTreeMap<String, Value>, now: &BTreeMap<String, Value>) -> Vec<String> {
    let keys = before.keys().chain(now.keys());
    let differing = keys.filter(|key| before.get(*key) != now.get(*key));
    differing.map(|key| format!("{key}: {:?} -> {:?}", before.get(key), now.get(key))).collect()
}

/// Every column of every table that the executor may read, one after the other.
#[tokio::test]
async fn apr_02b_no_edited_column_widens_anything() {
    let private = PrivateLab::start().await;
    let lab = &private.lab;
    let applied = lab.new_team("tampa").await;
    lab.onboard(&applied).await;
    // One that waits for its last vote, with an owner's vote on it.
    let waiting = lab.new_team("tampb").await;
    let alice = lab.person("alice").await;
    let request = alice.submits(&waiting.file, "waits for a vote", &[]).await.unwrap();
    lab.until(&request, "in_review").await;
    lab.person("bob").await.approves(&request).await.unwrap();

    let database = private.database().await;
    let admin = lab.admin().await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let before = engine_state(&admin).await;
    assert!(before.len() > 8, "there is something that could widen");

    let columns = sqlx::query(
        "SELECT c.relname::text, a.attname::text, format_type(a.atttypid, NULL) \
         FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid \
         WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' \
           AND c.relname <> '_sqlx_migrations' AND a.attnum > 0 AND NOT a.attisdropped \
           AND has_table_privilege('strongroom_executor', c.oid, 'SELECT') \
         ORDER BY 1, a.attnum",
    )
    .fetch_all(&database)
    .await
    .unwrap();
    assert!(columns.len() > 60, "the catalogue tells of {} columns", columns.len());
    let (mut edits, mut refused) = (0, 0);
    for row in &columns {
        let (table, column, kind): (String, String, String) = (row.get(0), row.get(1), row.get(2));
        // As another superuser would: no trigger, no foreign key.
        let mut connection = database.acquire().await.unwrap();
        connection.execute("SET session_replication_role = replica").await.unwrap();
        let copy = format!("CREATE TEMP TABLE kept AS SELECT * FROM {table}");
        connection.execute(AssertSqlSafe(copy)).await.unwrap();
        for value in hostile(&kind) {
            let edit = format!("UPDATE {table} SET {column} = {value}");
            match connection.execute(AssertSqlSafe(edit)).await {
                Ok(_) => edits += 1,
                Err(_) => refused += 1,
            }
            if table != "work" && table != "leases" {
                looked(&database).await;
            }
        }
        let restore = format!("DELETE FROM {table}");
        connection.execute(AssertSqlSafe(restore)).await.unwrap();
        let names: Vec<String> = columns
            .iter()
            .filter(|row| row.get::<String, _>(0) == table)
            .map(|row| row.get::<String, _>(1))
            .collect();
        let names = names.join(", ");
        let back = format!(
            "INSERT INTO {table} ({names}) OVERRIDING SYSTEM VALUE SELECT {names} FROM kept \
             ON CONFLICT DO NOTHING"
        );
        connection.execute(AssertSqlSafe(back)).await.unwrap();
        connection.execute("DROP TABLE kept").await.unwrap();
        connection.execute("RESET session_replication_role").await.unwrap();
        drop(connection);
        assert!(private.executor_is_up(), "the executor ended after {table}.{column} was edited");
        let state = changes(&before, &engine_state(&admin).await);
        assert!(state.is_empty(), "after {table}.{column} was edited: {state:#?}");
    }
    println!(
        "APR-02b: {edits} edits of {} columns, {refused} refused by the schema; 0 effects",
        columns.len()
    );
    // What people are shown is put back, too.
    let seen = "SELECT string_agg(to_jsonb(s)::text, '' ORDER BY kind, name) FROM \
                (SELECT kind, name, state, reason, applied_revision, applied_document, holds \
                 FROM subject_states) s";
    let shown: String = sqlx::query_scalar(seen).fetch_one(&database).await.unwrap();
    sqlx::query(
        "UPDATE subject_states SET state = 'frozen', reason = 'x', holds = '{\"a\": \"b\"}'",
    )
    .execute(&database)
    .await
    .unwrap();
    let start = Instant::now();
    while sqlx::query_scalar::<_, String>(seen).fetch_one(&database).await.unwrap() != shown {
        assert!(start.elapsed() < Duration::from_mins(1), "people are shown what was edited");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    // And everything still works.
    let fresh = lab.new_team("tampc").await;
    lab.onboard(&fresh).await;
    let shown = lab.request(&request).await;
    println!("the request that waited for a vote all the time is {}", shown["state"]);
    private.end().await;
}
