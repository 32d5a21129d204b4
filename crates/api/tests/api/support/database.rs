//! A fresh database in the Postgres of the lab, with the roles of production.

use sqlx::{Connection as _, PgConnection, PgPool};
use strongroom_storage::RoleNames;
use strongroom_storage::roles::ensure_database;
use strongroom_test_support::SharedLab;
use uuid::Uuid;

const PASSWORDS: [&str; 4] = ["api-secret", "executor-secret", "ballot-secret", "ingest-secret"];

/// Serialises the making of roles, which belong to the whole server.
const ROLES_LOCK: i64 = 7_031_972;

/// A database of one test.
pub struct Database {
    /// As the role of `strongroom serve`.
    pub api_url: String,
    /// As the role of `strongroom execute`.
    pub executor_url: String,
}

impl Database {
    /// Makes it.
    pub async fn fresh() -> Self {
        let lab = SharedLab::get();
        let admin_url = lab.postgres_admin_url();
        let name = format!("api_{}", Uuid::new_v4().simple());
        let roles = RoleNames {
            api: "test_api".into(),
            executor: "test_executor".into(),
            ballot: "test_ballot".into(),
            ingest: "test_ingest".into(),
        };
        let mut admin = PgConnection::connect(admin_url).await.unwrap();
        sqlx::query("SELECT pg_advisory_lock($1)")
            .bind(ROLES_LOCK)
            .execute(&mut admin)
            .await
            .unwrap();
        let pool = PgPool::connect(admin_url).await.unwrap();
        roles.create(&pool, PASSWORDS).await.unwrap();
        ensure_database(&pool, &name).await.unwrap();
        pool.close().await;
        let owner = PgPool::connect(&with(admin_url, None, &name)).await.unwrap();
        strongroom_storage::migrate(&owner).await.unwrap();
        roles.apply_grants(&owner).await.unwrap();
        owner.close().await;
        // The lock ends with its connection: grants are made one after the other as well.
        admin.close().await.unwrap();
        Self {
            api_url: with(admin_url, Some((&roles.api, PASSWORDS[0])), &name),
            executor_url: with(admin_url, Some((&roles.executor, PASSWORDS[1])), &name),
        }
    }
}

/// The same server, another database and possibly another user.
fn with(url: &str, user: Option<(&str, &str)>, database: &str) -> String {
    let mut url = reqwest::Url::parse(url).unwrap();
    if let Some((name, password)) = user {
        url.set_username(name).unwrap();
        url.set_password(Some(password)).unwrap();
    }
    url.set_path(database);
    url.to_string()
}
