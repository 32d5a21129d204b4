//! What an SRE team would do by hand once: database roles, floor file, keys, configuration.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::json;
use strongroom_acts::SigningKey;
use strongroom_lab::kubernetes::{ISSUER, KubernetesApi};
use strongroom_lab::process::{random_word, remembered, write_private};
use strongroom_lab::{Engine, InitRequest, Postgres, Provider};
use strongroom_storage::{RoleNames, Store, migrate};
use strongroom_vault_model::bootstrap::Bootstrap;

use super::people::{ACT_CLIENT, ENGINE_CLIENT, SIGN_IN_CLIENT};

/// The database's name.
const DATABASE: &str = "strongroom";

/// Makes database, roles, schema and grants.
pub async fn database(dir: &Path, postgres: &Postgres) -> Result<()> {
    let admin = Store::connect(&postgres.admin_url("postgres"), "strongroom dev", 2).await?;
    strongroom_storage::roles::ensure_database(admin.pool(), DATABASE)
        .await
        .context("make the database")?;
    let roles = RoleNames::default();
    let mut passwords = Vec::new();
    for (name, verb) in [
        (&roles.api, "serve"),
        (&roles.executor, "execute"),
        (&roles.ballot, ""),
        (&roles.ingest, ""),
    ] {
        let file = dir.join(format!("password-{name}"));
        let password = remembered(&file, || random_word(16))?;
        if !verb.is_empty() {
            let url = postgres.url(name, &password, DATABASE);
            write_private(&dir.join(format!("{verb}-database-url")), url.as_bytes())?;
        }
        passwords.push(password);
    }
    let [api, executor, ballot, ingest] = passwords.as_slice() else { unreachable!() };
    roles.create(admin.pool(), [api, executor, ballot, ingest]).await.context("make the roles")?;
    let owner = Store::connect(&postgres.admin_url(DATABASE), "strongroom dev", 2).await?;
    migrate(owner.pool()).await?;
    roles.apply_grants(owner.pool()).await?;
    Ok(())
}

/// What the engine does to itself at its first start.
pub fn engine_initialization(dir: &Path, provider: &Provider) -> Result<Vec<InitRequest>> {
    let role_id = remembered(&dir.join("role-id"), || random_word(16))?;
    let secret_id = remembered(&dir.join("first-secret-id"), || random_word(24))?;
    let bootstrap = Bootstrap {
        oidc_discovery_url: provider.issuer(),
        oidc_client_id: provider.client_id(ENGINE_CLIENT)?.to_owned(),
        oidc_client_secret: provider.client_secret(ENGINE_CLIENT)?.to_owned(),
        executor_role_id: role_id,
        executor_secret_id: secret_id,
        auditor_role_id: remembered(&dir.join("auditor-role-id"), || random_word(16))?,
        auditor_secret_id: remembered(&dir.join("auditor-secret-id"), || random_word(24))?,
        executor_addresses: vec!["127.0.0.1/32".to_owned()],
    };
    let request = |request: strongroom_vault_model::bootstrap::BootstrapRequest| InitRequest {
        name: request.name.to_owned(),
        path: request.path,
        data: request.data,
    };
    Ok(bootstrap.requests().into_iter().map(request).collect())
}

/// Writes floor file and configurations. JSON is YAML too, and needs no care with quoting.
pub async fn configuration(
    dir: &Path,
    listen: &str,
    engine: &Engine,
    provider: &Provider,
    cluster: &KubernetesApi,
) -> Result<()> {
    let deployment =
        remembered(&dir.join("deployment-id"), || Ok(uuid::Uuid::new_v4().to_string()))?;
    let engine_id = remembered(&dir.join("engine-id"), || Ok(uuid::Uuid::new_v4().to_string()))?;
    let key_file = dir.join("executor-key.pem");
    let pem = remembered(&key_file, || Ok(SigningKey::generate()?.to_pem()?))?;
    let public = SigningKey::from_pem(&pem)?.public().to_pem()?;
    if let Some(ca) = engine.ca_pem() {
        std::fs::write(dir.join("engine-ca.pem"), ca)?;
    }
    std::fs::write(dir.join("cluster-ca.pem"), cluster.ca_pem())?;
    let keys = cluster.public_keys().await.context("read the cluster's public keys")?;
    std::fs::write(dir.join("cluster-keys.json"), keys.to_string())?;
    let (reader, reviewer) =
        cluster.strongroom_tokens().await.context("make cluster credentials")?;
    write_private(&dir.join("cluster-reader-token"), reader.as_bytes())?;
    write_private(&dir.join("cluster-reviewer-token"), reviewer.as_bytes())?;
    let issuer = json!({ "url": provider.issuer() });
    let floor = json!({
        "deployment": deployment,
        "issuer": issuer,
        "act_clients": [provider.client_id(ACT_CLIENT)?],
        "platform_groups": ["platform-sre"],
        "executor_keys": [public],
        "clusters": [{
            "name": "prod-eu",
            "server": cluster.server(),
            "ca_file": "cluster-ca.pem",
            "reader_token_file": "cluster-reader-token",
            "reviewer_token_file": "cluster-reviewer-token",
        }],
    });
    let execute = json!({
        "database": { "url_file": "execute-database-url" },
        "floor_file": "floor.yaml",
        "signing_key_file": "executor-key.pem",
        "state_dir": "executor",
        // The audit log tells what was touched; looking at everything is for gaps in it.
        "drift": { "sweep_seconds": 3600 },
        "engine": {
            "id": engine_id,
            "name": "dev",
            "address": engine.address(),
            "ca_file": "engine-ca.pem",
            "role_id_file": "role-id",
            "secret_id_file": "first-secret-id",
            "auditor": {
                "role_id_file": "auditor-role-id",
                "secret_id_file": "auditor-secret-id",
            },
            "audit_file": engine.audit_logs()[0],
        },
    });
    let serve = json!({
        "listen": listen,
        "database": { "url_file": "serve-database-url" },
        "issuer": issuer,
        // Tests and benchmarks ask for many people at once, and some of them for minutes.
        "calls_per_minute": { "caller": 600_000, "team": 600_000, "nobody": 600_000 },
        "sign_in_client": provider.client_id(SIGN_IN_CLIENT)?,
        "platform_groups": ["platform-sre"],
        "auditor_groups": ["auditors"],
        "clusters": [{
            "name": "prod-eu",
            "issuer": ISSUER,
            "keys_file": "cluster-keys.json",
        }],
    });
    for (name, value) in [("floor", floor), ("execute", execute), ("serve", serve)] {
        std::fs::write(dir.join(format!("{name}.yaml")), format!("{value:#}\n"))?;
    }
    Ok(())
}
