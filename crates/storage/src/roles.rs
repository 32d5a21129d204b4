//! Database roles: each process gets the least it needs.
//!
//! Roles are cluster-wide and made once; grants follow every migration. This is the only module
//! that builds SQL from text, because a role's name cannot be a parameter.

#![expect(clippy::disallowed_methods, reason = "a role's name cannot be a parameter")]

use sqlx::{AssertSqlSafe, PgPool};

use crate::error::StorageError;

/// The names of the four roles.
#[derive(Debug, Clone)]
pub struct RoleNames {
    /// Of `strongroom serve`.
    pub api: String,
    /// Of `strongroom execute`.
    pub executor: String,
    /// Of `strongroom ballot`.
    pub ballot: String,
    /// Of `strongroom ingest`.
    pub ingest: String,
}

impl Default for RoleNames {
    fn default() -> Self {
        Self {
            api: "strongroom_api".into(),
            executor: "strongroom_executor".into(),
            ballot: "strongroom_ballot".into(),
            ingest: "strongroom_ingest".into(),
        }
    }
}

/// What the API may do: propose, and keep its own sessions. It can judge nothing.
const API: &[(&str, &str)] = &[
    (
        "SELECT",
        "engines, subjects, change_requests, revisions, change_request_documents, acts, \
                act_receipts, plans, journal, subject_states, binding_states, inventory_status, \
                inventory_namespaces, inventory_service_accounts, ledger_events, published_trust, findings, \
                leases, access_version",
    ),
    (
        "INSERT",
        "subjects, change_requests, revisions, change_request_documents, acts, \
                ledger_events, outbox, work",
    ),
    ("UPDATE", "work"),
    ("SELECT, INSERT, UPDATE", "sessions, sign_ins, people"),
    ("SELECT, INSERT, UPDATE (last_used_at, ended_at)", "machines"),
    ("SELECT, INSERT, UPDATE (reported_at, report), DELETE", "binding_checks"),
    ("SELECT, INSERT, UPDATE (status, location, body), DELETE", "repeated_calls"),
    ("SELECT", "work"),
];

/// What the executor may do: judge, freeze, journal, and keep its caches. It makes no act.
const EXECUTOR: &[(&str, &str)] = &[
    ("SELECT", "subjects, change_requests, revisions, change_request_documents, acts, people"),
    ("SELECT, INSERT", "act_receipts, plans, journal, ledger_events, outbox"),
    (
        "UPDATE (state, round, risk, state_reason, plan_hash, version, updated_at)",
        "change_requests",
    ),
    (
        "SELECT, INSERT, UPDATE, DELETE",
        "work, subject_states, binding_states, inventory_status, \
                                        inventory_namespaces, inventory_service_accounts, findings",
    ),
    ("SELECT, INSERT, UPDATE", "leases, engines, published_trust"),
    ("SELECT, UPDATE", "access_version"),
];

/// What the ballot may do: show a frozen plan and store what was signed.
const BALLOT: &[(&str, &str)] = &[
    ("SELECT", "plans, change_requests, published_trust"),
    ("INSERT", "acts, ledger_events, work"),
    ("SELECT, UPDATE", "work"),
];

/// What ingest may do: read what was voted.
const INGEST: &[(&str, &str)] =
    &[("SELECT", "plans, acts, act_receipts, journal, ledger_events, change_requests, engines")];

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

impl RoleNames {
    fn all(&self) -> [(&str, &'static [(&'static str, &'static str)]); 4] {
        [
            (&self.api, API),
            (&self.executor, EXECUTOR),
            (&self.ballot, BALLOT),
            (&self.ingest, INGEST),
        ]
    }

    /// A script for an administrator who makes the roles by hand. Passwords are set afterwards.
    pub fn create_script(&self) -> String {
        self.all().map(|(name, _)| format!("CREATE ROLE {} LOGIN;\n", quoted(name))).concat()
    }

    /// Makes the roles that are missing and sets their passwords.
    pub async fn create(&self, admin: &PgPool, passwords: [&str; 4]) -> Result<(), StorageError> {
        for ((name, _), password) in self.all().into_iter().zip(passwords) {
            let there: bool =
                sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)")
                    .bind(name)
                    .fetch_one(admin)
                    .await?;
            let verb = if there { "ALTER" } else { "CREATE" };
            let secret = password.replace('\'', "''");
            let sql = format!("{verb} ROLE {} LOGIN PASSWORD '{secret}'", quoted(name));
            sqlx::query(AssertSqlSafe(sql)).execute(admin).await?;
        }
        Ok(())
    }

    /// Grants each role the least it needs, and takes everything else away.
    pub async fn apply_grants(&self, owner: &PgPool) -> Result<(), StorageError> {
        let mut tx = owner.begin().await?;
        for (name, grants) in self.all() {
            let role = quoted(name);
            let mut statements = vec![
                format!("REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {role}"),
                format!("GRANT USAGE ON SCHEMA public TO {role}"),
                format!("GRANT SELECT ON _sqlx_migrations TO {role}"),
            ];
            for (what, tables) in grants {
                statements.push(format!("GRANT {what} ON {tables} TO {role}"));
            }
            for sql in statements {
                sqlx::query(AssertSqlSafe(sql)).execute(&mut *tx).await?;
            }
        }
        // Not even a role that was granted to everybody by mistake.
        sqlx::query("REVOKE ALL ON ALL TABLES IN SCHEMA public FROM PUBLIC")
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }
}

/// Makes a database if it is not there.
pub async fn ensure_database(admin: &PgPool, name: &str) -> Result<(), StorageError> {
    let there: bool =
        sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
            .bind(name)
            .fetch_one(admin)
            .await?;
    if !there {
        let sql = format!("CREATE DATABASE {}", quoted(name));
        sqlx::query(AssertSqlSafe(sql)).execute(admin).await?;
    }
    Ok(())
}
